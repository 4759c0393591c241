/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a scenario. Every command that acts on a node ends that node's turn (host_poll); what was
 * written in it is durable only when the scenario says so.
 *
 *   voters 1 2 3                    the configuration that entry 0:1 stands for
 *   node 1 log 0:1 1:2..4 term 1 vote 1 commit 2 [joint 1:4 1,2>3,4] [terms 300] [strangers]
 *                                   starts a node whose log is that, all of it durable, knowing its peers
 *                                   (or not: strangers); terms n: n entries from 2 on, each of its own term
 *   bootstrap 1                     rule 8, with the voters
 *   time [1,2] +150ms               moves these nodes' clocks (default: all)
 *   elect 1                         lets 1 time out where nobody else does, then settles
 *   deliver m4 m5 | 1>2 | all       one turn for each receiver
 *   drop m4 | 1>2 | all             lost
 *   copy m4                         once more in flight
 *   inject KIND 1>2 key=value...    a message made by hand; id=question, id=newest: the receiver's own ids
 *   durable 1 | all [n]             pending writes complete; of n records only
 *   disk 1 fails | stalls 400ms | busy | full | free
 *   cut 1>2 | 1 ; heal              what is sent that way (or from and to 1) is lost
 *   crash 1 [kept] ; restart 1      unsynced writes are lost (or not)
 *   wipe 1                          an empty disk with another incarnation
 *   submit 1 5                      five entries
 *   settle ; run 500ms              all arrives and becomes durable; sends are not told
 *   frame 200                       bytes of entries that fit a message
 *   status, log, records, peers, held 1
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "scenario.h"

#define MS 1000000u

void scenario_init(struct scenario *scenario)
{
    memset(scenario, 0, sizeof(*scenario));
    fake_network_init(&scenario->network);
    scenario->network.sent_hook = scenario_sent;
    scenario->network.sent_context = scenario;
}

void scenario_fini(struct scenario *scenario)
{
    for (uint32_t i = 0; i < SCENARIO_NODES; i++) {
        if (scenario->nodes[i].exists) {
            fake_node_fini(&scenario->nodes[i].fake);
        }
    }
    fake_network_fini(&scenario->network);
    free(scenario->output);
}

static struct scenario_node *node_named(struct scenario *scenario, const char *word)
{
    unsigned long id = strtoul(word, NULL, 10);
    return id < SCENARIO_NODES && scenario->nodes[id].exists ? &scenario->nodes[id] : NULL;
}

static void node_turn(struct scenario_node *node)
{
    if (node->fake.up) {
        host_poll(node->fake.host, node->now_ns);
    }
}

static void all_turns(struct scenario *scenario)
{
    for (uint32_t i = 1; i < SCENARIO_NODES; i++) {
        node_turn(&scenario->nodes[i]);
    }
}

static void complain(struct scenario *scenario, const char *word)
{
    scenario_say(scenario, "? %s\n", word);
}

/* ---- nodes ---- */

static void command_voters(struct scenario *scenario, char **words, uint32_t count)
{
    uint64_t ids[SCENARIO_WORDS];
    for (uint32_t i = 1; i < count; i++) {
        ids[i - 1] = strtoull(words[i], NULL, 10);
    }
    if (!configuration_init_stable(&scenario->voters, ids, count - 1)) {
        complain(scenario, "voters");
    }
}

static const char *refusal_name(enum replicator_refusal refusal)
{
    switch (refusal) {
    case REPLICATOR_ACCEPTED:
        return "accepted";
    case REPLICATOR_NOT_LEADER:
        return "not leader";
    case REPLICATOR_BUSY:
        return "busy";
    case REPLICATOR_STOPPED:
        return "stopped";
    case REPLICATOR_ALREADY_BOOTSTRAPPED:
        return "already bootstrapped";
    case REPLICATOR_NOT_IN_SET:
        return "not in set";
    }
    return "?";
}

static void command_bootstrap(struct scenario *scenario, struct scenario_node *node)
{
    enum replicator_refusal refusal =
        host_bootstrap(node->fake.host, node->fake.slot, &scenario->voters, "test", node->now_ns);
    scenario_say(scenario, "%llu: bootstrap %s\n", (unsigned long long)node->fake.node_id,
                 refusal_name(refusal));
    node_turn(node);
}

static void command_crash(struct scenario_node *node, bool kept)
{
    fake_node_stop(&node->fake);
    if (kept) {
        fake_log_persist(&node->fake.log);
    } else {
        fake_log_lose_unsynced(&node->fake.log);
    }
    if (node->records_told > node->fake.log.end) {
        node->records_told = node->fake.log.end;
    }
}

static void command_restart(struct scenario_node *node)
{
    if (!node->fake.up) {
        fake_node_start(&node->fake, node->now_ns);
        node_turn(node);
    }
}

static void command_submit(struct scenario *scenario, struct scenario_node *node, uint32_t entry_count)
{
    struct host_receipt receipt;
    int error;
    enum replicator_refusal refusal =
        fake_node_submit(&node->fake, entry_count, node->now_ns, &receipt, &error);
    scenario_say(scenario, "%llu: ", (unsigned long long)node->fake.node_id);
    if (refusal == REPLICATOR_ACCEPTED) {
        scenario_say(scenario, "receipt %llu:%llu", (unsigned long long)receipt.term,
                     (unsigned long long)receipt.first_index);
        if (entry_count > 1) {
            scenario_say(scenario, "..%llu", (unsigned long long)(receipt.first_index + entry_count - 1));
        }
        scenario_say(scenario, "\n");
    } else {
        scenario_say(scenario, "submission refused: %s\n", refusal_name(refusal));
    }
    node_turn(node);
}

static void command_disk(struct scenario *scenario, struct scenario_node *node, char **words, uint32_t count)
{
    struct fake_log *log = &node->fake.log;
    const char *word = count > 2 ? words[2] : "";
    if (strcmp(word, "fails") == 0) {
        log->error = -5;
    } else if (strcmp(word, "stalls") == 0 && count > 3) {
        log->stall_ns = strtoull(words[3], NULL, 10) * MS;
    } else if (strcmp(word, "busy") == 0) {
        log->busy = true;
    } else if (strcmp(word, "full") == 0) {
        log->full_at = log->end;
    } else if (strcmp(word, "free") == 0) {
        log->busy = false;
        log->stall_ns = 0;
    } else {
        complain(scenario, "disk");
    }
    node_turn(node);
}

/* ---- messages ---- */

static void deliver_at(struct scenario *scenario, uint32_t at, bool *touched)
{
    static struct fake_message message;
    fake_network_take(&scenario->network, at, &message);
    struct scenario_node *node = &scenario->nodes[message.message.receiver_id];
    if (!node->exists || !node->fake.up) {
        return;
    }
    enum host_verdict verdict = fake_node_deliver(&node->fake, &message, node->now_ns);
    if (verdict != HOST_TAKEN && !(scenario->quiet && verdict == HOST_NO_SPACE)) { /* said again and again */
        scenario_say(scenario, "%llu: m%llu not taken (%s)\n", (unsigned long long)node->fake.node_id,
                     (unsigned long long)message.number,
                     verdict == HOST_BAD_SENDER   ? "another incarnation"
                     : verdict == HOST_NEW_SENDER ? "first contact"
                     : verdict == HOST_BUSY       ? "busy"
                     : verdict == HOST_NO_SPACE   ? "no space"
                                                  : "no");
    }
    touched[node->fake.node_id] = true;
}

static void end_turns(struct scenario *scenario, const bool *touched)
{
    for (uint32_t i = 1; i < SCENARIO_NODES; i++) {
        if (touched[i]) {
            node_turn(&scenario->nodes[i]);
        }
    }
}

static bool message_named(const struct scenario *scenario, const char *word, uint32_t *ret_at)
{
    for (uint32_t i = 0; word[0] == 'm' && i < scenario->network.count; i++) {
        if (scenario->network.messages[i].number == strtoull(word + 1, NULL, 10)) {
            *ret_at = i;
            return true;
        }
    }
    return false;
}

static bool goes(const struct fake_message *message, uint64_t from, uint64_t to)
{
    return message->message.sender_id == from && message->message.receiver_id == to;
}

static void deliver_all(struct scenario *scenario)
{
    for (uint32_t i = 0; scenario->network.count > 0 && i < 5000; i++) {
        bool touched[SCENARIO_NODES] = {false};
        deliver_at(scenario, 0, touched);
        end_turns(scenario, touched);
    }
}

static void deliver_way(struct scenario *scenario, uint64_t from, uint64_t to, bool *touched)
{
    uint64_t newest = scenario->network.sent; /* not what is sent in answer */
    for (uint32_t i = 0; i < scenario->network.count;) {
        if (goes(&scenario->network.messages[i], from, to) &&
            scenario->network.messages[i].number <= newest) {
            deliver_at(scenario, i, touched);
        } else {
            i++;
        }
    }
}

static void command_deliver(struct scenario *scenario, char **words, uint32_t count)
{
    bool touched[SCENARIO_NODES] = {false};
    for (uint32_t i = 1; i < count; i++) {
        uint64_t from;
        uint64_t to;
        uint32_t at;
        if (strcmp(words[i], "all") == 0) {
            deliver_all(scenario);
        } else if (scenario_parse_way(words[i], &from, &to)) {
            deliver_way(scenario, from, to, touched);
        } else if (message_named(scenario, words[i], &at)) {
            deliver_at(scenario, at, touched);
        } else {
            complain(scenario, words[i]);
        }
    }
    end_turns(scenario, touched);
}

static void command_drop(struct scenario *scenario, char **words, uint32_t count)
{
    static struct fake_message lost;
    for (uint32_t i = 1; i < count; i++) {
        uint64_t from = 0;
        uint64_t to = 0;
        uint32_t at;
        if (strcmp(words[i], "all") == 0) {
            scenario->network.count = 0;
        } else if (message_named(scenario, words[i], &at)) {
            fake_network_take(&scenario->network, at, &lost);
        } else if (scenario_parse_way(words[i], &from, &to)) {
            for (uint32_t m = scenario->network.count; m > 0; m--) {
                if (goes(&scenario->network.messages[m - 1], from, to)) {
                    fake_network_take(&scenario->network, m - 1, &lost);
                }
            }
        } else {
            complain(scenario, words[i]);
        }
    }
}

static void command_copy(struct scenario *scenario, const char *word)
{
    uint32_t at;
    if (!message_named(scenario, word, &at)) {
        complain(scenario, word);
        return;
    }
    static struct fake_message copy;
    copy = scenario->network.messages[at];
    struct fake_message *added =
        fake_network_add(&scenario->network, &copy.message, copy.tail, copy.tail_bytes);
    scenario_say(scenario, "m%llu is a copy of %s\n", (unsigned long long)added->number, word);
}

static void command_cut(struct scenario *scenario, const char *word)
{
    uint64_t from;
    uint64_t to;
    if (scenario_parse_way(word, &from, &to)) {
        scenario->cut[from][to] = true;
        return;
    }
    uint64_t id = strtoull(word, NULL, 10) % SCENARIO_NODES;
    for (uint32_t i = 0; i < SCENARIO_NODES; i++) {
        scenario->cut[id][i] = true;
        scenario->cut[i][id] = true;
    }
}

/* ---- time ---- */

static void settle(struct scenario *scenario)
{
    bool quiet = scenario->quiet;
    scenario->quiet = true;
    for (uint32_t round = 0; round < 100; round++) {
        deliver_all(scenario);
        for (uint32_t i = 1; i < SCENARIO_NODES; i++) {
            if (scenario->nodes[i].exists && scenario->nodes[i].fake.up) {
                fake_log_persist(&scenario->nodes[i].fake.log);
            }
        }
        all_turns(scenario);
        if (scenario->network.count == 0) {
            break;
        }
    }
    scenario->quiet = quiet;
}

static void command_run(struct scenario *scenario, const char *word)
{
    uint64_t ms = strtoull(word, NULL, 10);
    scenario->quiet = true;
    for (uint64_t i = 0; i < ms; i++) {
        for (uint32_t n = 1; n < SCENARIO_NODES; n++) {
            scenario->nodes[n].now_ns += MS;
        }
        all_turns(scenario);
        settle(scenario);
    }
    scenario->quiet = false;
}

static void command_time(struct scenario *scenario, char **words, uint32_t count)
{
    uint64_t ids[VOTERS_MAX];
    const char *amount = words[count - 1];
    uint32_t id_count = count == 3 ? scenario_parse_ids(words[1], ids) : 0;
    if (count < 2 || amount[0] != '+') {
        complain(scenario, "time");
        return;
    }
    for (uint32_t i = 1; i < SCENARIO_NODES; i++) {
        bool named = count == 2;
        for (uint32_t j = 0; j < id_count; j++) {
            named |= ids[j] == i;
        }
        if (named) {
            scenario->nodes[i].now_ns += strtoull(amount + 1, NULL, 10) * MS;
            node_turn(&scenario->nodes[i]);
        }
    }
}

/* Longer than any timeout for one node, exactly the shortest for the others: only it asks, and all may
 * answer. */
static void command_elect(struct scenario *scenario, struct scenario_node *candidate)
{
    scenario->quiet = true;
    for (uint32_t i = 1; i < SCENARIO_NODES; i++) {
        struct scenario_node *node = &scenario->nodes[i];
        node->now_ns += node == candidate ? 2 * FAKE_TIMEOUT_NS + MS : FAKE_TIMEOUT_NS;
        if (node != candidate) {
            node_turn(node);
        }
    }
    node_turn(candidate);
    settle(scenario);
    scenario->quiet = false;
}

/* ---- dispatch ---- */

static void persist_some(struct fake_log *log, uint64_t record_count)
{
    for (; record_count > 0 && log->durable < log->end; record_count--) {
        log->durable += record_padded_bytes(record_head_load(log->bytes + log->durable).length);
    }
}

static void durable(struct scenario *scenario, const char *word, uint64_t record_count)
{
    for (uint32_t i = 1; i < SCENARIO_NODES; i++) {
        struct scenario_node *node = &scenario->nodes[i];
        if (node->exists && node->fake.up &&
            (strcmp(word, "all") == 0 || node == node_named(scenario, word))) {
            persist_some(&node->fake.log, record_count);
            node_turn(node);
        }
    }
}

/* Commands on the world. False when `words[0]` is none. */
static bool run_world_command(struct scenario *scenario, char **words, uint32_t count)
{
    const char *word = words[0];
    const char *argument = count > 1 ? words[1] : "";
    if (strcmp(word, "voters") == 0) {
        command_voters(scenario, words, count);
    } else if (strcmp(word, "node") == 0) {
        scenario_start_node(scenario, words, count);
    } else if (strcmp(word, "time") == 0) {
        command_time(scenario, words, count);
    } else if (strcmp(word, "deliver") == 0) {
        command_deliver(scenario, words, count);
    } else if (strcmp(word, "drop") == 0) {
        command_drop(scenario, words, count);
    } else if (strcmp(word, "copy") == 0) {
        command_copy(scenario, argument);
    } else if (strcmp(word, "inject") == 0) {
        scenario_inject(scenario, words, count);
    } else if (strcmp(word, "durable") == 0) {
        durable(scenario, argument, count > 2 ? strtoull(words[2], NULL, 10) : UINT64_MAX);
    } else if (strcmp(word, "cut") == 0) {
        command_cut(scenario, argument);
    } else if (strcmp(word, "heal") == 0) {
        memset(scenario->cut, 0, sizeof(scenario->cut));
    } else if (strcmp(word, "settle") == 0) {
        settle(scenario);
    } else if (strcmp(word, "run") == 0) {
        command_run(scenario, argument);
    } else if (strcmp(word, "frame") == 0) {
        scenario->network.tail_capacity_bytes = (uint32_t)strtoul(argument, NULL, 10);
    } else {
        return false;
    }
    return true;
}

/* Commands on a running node. */
static bool run_node_command(struct scenario *scenario, struct scenario_node *node, char **words,
                             uint32_t count)
{
    const char *word = words[0];
    if (strcmp(word, "status") == 0) {
        scenario_say_status(scenario, node);
    } else if (strcmp(word, "log") == 0) {
        scenario_say_log(scenario, node);
    } else if (strcmp(word, "records") == 0) {
        scenario_say_records(scenario, node);
    } else if (strcmp(word, "peers") == 0) {
        scenario_say_peers(scenario, node);
    } else if (strcmp(word, "held") == 0) {
        scenario_say_held(scenario, node);
    } else if (strcmp(word, "bootstrap") == 0) {
        command_bootstrap(scenario, node);
    } else if (strcmp(word, "elect") == 0) {
        command_elect(scenario, node);
    } else if (strcmp(word, "submit") == 0) {
        command_submit(scenario, node, count > 2 ? (uint32_t)strtoul(words[2], NULL, 10) : 1);
    } else if (strcmp(word, "disk") == 0) {
        command_disk(scenario, node, words, count);
    } else if (strcmp(word, "crash") == 0) {
        command_crash(node, count > 2);
    } else {
        return false;
    }
    return true;
}

void scenario_run_line(struct scenario *scenario, const char *line)
{
    char copy[512];
    char *words[SCENARIO_WORDS];
    uint32_t count = 0;
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok(copy, " "); word != NULL && count < SCENARIO_WORDS; word = strtok(NULL, " ")) {
        words[count++] = word;
    }
    if (count == 0 || run_world_command(scenario, words, count)) {
        return;
    }
    struct scenario_node *node = count > 1 ? node_named(scenario, words[1]) : NULL;
    if (node != NULL && strcmp(words[0], "restart") == 0) {
        command_restart(node);
    } else if (node != NULL && strcmp(words[0], "wipe") == 0) {
        scenario_wipe_node(node);
    } else if (node == NULL || !node->fake.up || !run_node_command(scenario, node, words, count)) {
        complain(scenario, line);
    }
}
