/* SPDX-License-Identifier: Apache-2.0 */
/* How a scenario says what happened. Entries are written term:index throughout. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "host_internal.h"
#include "replicator_names.h"
#include "scenario.h"

void scenario_say(struct scenario *scenario, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    ASSERT(bytes >= 0);
    ASSERT((size_t)bytes < sizeof(text));
    if (scenario->output_bytes + (size_t)bytes + 1 > scenario->output_capacity) {
        scenario->output_capacity = 2 * scenario->output_capacity + 4096;
        scenario->output = realloc(scenario->output, scenario->output_capacity);
        ASSERT(scenario->output != NULL);
    }
    memcpy(scenario->output + scenario->output_bytes, text, (size_t)bytes + 1);
    scenario->output_bytes += (size_t)bytes;
}

#define LLU(value) ((unsigned long long)(value))

static void say_request(struct scenario *scenario, const char *name, const struct request_vote *request)
{
    scenario_say(scenario, "%s term %llu last %llu:%llu", name, LLU(request->term),
                 LLU(request->last_log_term), LLU(request->last_log_index));
}

static void say_vote_reply(struct scenario *scenario, const char *name, const char *yes, const char *no,
                           const struct request_vote_reply *reply)
{
    scenario_say(scenario, "%s term %llu %s%s", name, LLU(reply->term), reply->granted ? yes : no,
                 reply->removed ? " removed" : "");
}

static void say_entries(struct scenario *scenario, const uint8_t *tail, uint32_t tail_bytes)
{
    uint64_t first = 0;
    for (uint32_t at = 0; at < tail_bytes;) {
        struct record_head head = record_head_load(tail + at);
        at += (uint32_t)record_padded_bytes(head.length);
        if (first == 0) {
            first = head.index;
        }
        if (at == tail_bytes || record_head_load(tail + at).term != head.term) {
            scenario_say(scenario, " %llu:%llu", LLU(head.term), LLU(first));
            if (head.index != first) {
                scenario_say(scenario, "..%llu", LLU(head.index));
            }
            first = 0;
        }
    }
}

static void say_append(struct scenario *scenario, const struct fake_message *message)
{
    const struct append_entries *append = &message->message.append_entries;
    scenario_say(scenario, "append term %llu prev %llu:%llu commit %llu", LLU(append->term),
                 LLU(append->prev_log_term), LLU(append->prev_log_index), LLU(append->commit_index));
    if (message->tail_bytes > 0) {
        scenario_say(scenario, " entries");
        say_entries(scenario, message->tail, message->tail_bytes);
    } else {
        scenario_say(scenario, " sent %llu", LLU(append->last_sent_index));
    }
    if (append->disk_stall_ns > 0) {
        scenario_say(scenario, " stall %llums", LLU(append->disk_stall_ns / 1000000));
    }
}

static void say_append_reply(struct scenario *scenario, const struct append_entries_reply *reply)
{
    scenario_say(scenario, "append-reply term %llu ", LLU(reply->term));
    if (reply->success) {
        scenario_say(scenario, "ok");
    } else {
        scenario_say(scenario, "refused %llu hint %llu", LLU(reply->refused_prev_index),
                     LLU(reply->next_index_hint));
    }
    scenario_say(scenario, " received %llu durable %llu", LLU(reply->received_index),
                 LLU(reply->durable_index));
    if (reply->disk_stall_ns > 0) {
        scenario_say(scenario, " stall %llums", LLU(reply->disk_stall_ns / 1000000));
    }
}

static void say_body(struct scenario *scenario, const struct fake_message *message)
{
    switch (message->message.kind) {
    case MESSAGE_PRE_ELECTION_POLL:
        say_request(scenario, "poll", &message->message.request_vote);
        return;
    case MESSAGE_REQUEST_VOTE:
        say_request(scenario, "vote", &message->message.request_vote);
        return;
    case MESSAGE_PRE_ELECTION_REPLY:
        say_vote_reply(scenario, "poll-reply", "would-vote", "would-not",
                       &message->message.request_vote_reply);
        return;
    case MESSAGE_REQUEST_VOTE_REPLY:
        say_vote_reply(scenario, "vote-reply", "granted", "refused", &message->message.request_vote_reply);
        return;
    case MESSAGE_APPEND_ENTRIES:
        say_append(scenario, message);
        return;
    case MESSAGE_APPEND_ENTRIES_REPLY:
        say_append_reply(scenario, &message->message.append_entries_reply);
        return;
    }
}

static uint64_t answered_label(const struct scenario *scenario, const struct message *message)
{
    for (uint64_t label = 1; label < SCENARIO_MESSAGES; label++) {
        if (scenario->requests[label].message_id == message->message_id &&
            scenario->requests[label].sender_id == message->receiver_id &&
            scenario->requests[label].receiver_id == message->sender_id) {
            return label;
        }
    }
    return 0;
}

void scenario_say_message(struct scenario *scenario, const struct fake_message *message)
{
    scenario_say(scenario, "%llu>%llu ", LLU(message->message.sender_id), LLU(message->message.receiver_id));
    say_body(scenario, message);
    if (message->message.in_reply && answered_label(scenario, &message->message) != 0) {
        scenario_say(scenario, " to m%llu", LLU(answered_label(scenario, &message->message)));
    }
    scenario_say(scenario, "\n");
}

void scenario_sent(void *context, const struct fake_message *message)
{
    struct scenario *scenario = context;
    const struct message *envelope = &message->message;
    if (!envelope->in_reply && message->number < SCENARIO_MESSAGES) {
        scenario->requests[message->number].message_id = envelope->message_id;
        scenario->requests[message->number].sender_id = envelope->sender_id;
        scenario->requests[message->number].receiver_id = envelope->receiver_id;
    }
    bool cut = scenario->cut[envelope->sender_id][envelope->receiver_id];
    if (!scenario->quiet) {
        scenario_say(scenario, "m%llu ", LLU(message->number));
        scenario_say_message(scenario, message);
        if (cut) {
            scenario_say(scenario, "m%llu is lost\n", LLU(message->number));
        }
    }
    if (cut) {
        scenario->network.count--;
    }
}

static void say_ids(struct scenario *scenario, const uint64_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        scenario_say(scenario, "%s%llu", i == 0 ? "" : ",", LLU(ids[i]));
    }
}

static void say_configuration(struct scenario *scenario, const struct configuration *configuration)
{
    if (configuration->transitional) {
        say_ids(scenario, configuration->previous, configuration->previous_count);
        scenario_say(scenario, "->");
    }
    say_ids(scenario, configuration->voters, configuration->voter_count);
    if (configuration->learner_count > 0) {
        scenario_say(scenario, " learners ");
        say_ids(scenario, configuration->learners, configuration->learner_count);
    }
}

static void on_event(void *context, uint32_t slot, const struct replicator_event *event)
{
    (void)slot;
    struct scenario_node *node = context;
    struct scenario *scenario = node->scenario;
    scenario_say(scenario, "%llu: ", LLU(node->fake.node_id));
    switch ((enum replicator_event_kind)event->kind) {
    case EVENT_QUORUM_START:
        scenario_say(scenario, "quorum start, term %llu\n", LLU(event->term));
        return;
    case EVENT_ELECTION_TIMEOUT:
        scenario_say(scenario, "election timeout in term %llu\n", LLU(event->term));
        return;
    case EVENT_ELECTION_STARTED:
        scenario_say(scenario, "election started in term %llu\n", LLU(event->term));
        return;
    case EVENT_LEADER_ELECTED:
        scenario_say(scenario, "leader elected: %llu in term %llu\n", LLU(event->node_id), LLU(event->term));
        return;
    case EVENT_LEADER_DEPOSED:
        scenario_say(scenario, "leader deposed: %llu in term %llu\n", LLU(event->node_id), LLU(event->term));
        return;
    case EVENT_QUORUM_CONFIGURATION_COMMITTED:
        scenario_say(scenario, "configuration committed: %llu:%llu ", LLU(event->term), LLU(event->index));
        say_configuration(
            scenario,
            &replicator_configuration_at(fake_node_replicator(&node->fake), event->index)->configuration);
        scenario_say(scenario, "\n");
        return;
    case EVENT_QUORUM_FAILURE:
        scenario_say(scenario, "quorum failure: %s\n", replicator_failure_name(event->index));
        return;
    case EVENT_STATE_CHANGE:
        scenario_say(scenario, "is %s\n", replicator_role_name(event->index));
        return;
    case EVENT_PEER_LOST_DATA:
        scenario_say(scenario, "peer %llu lost durable data at %llu\n", LLU(event->node_id),
                     LLU(event->index));
        return;
    case EVENT_TIMEOUT_MISMATCH:
        scenario_say(scenario, "leader %llu has another election timeout\n", LLU(event->node_id));
        return;
    case EVENT_IN_DOUBT:
        scenario_say(scenario, "in doubt: submissions of term %llu up to %llu\n", LLU(event->term),
                     LLU(event->index));
        return;
    case EVENT_FOREIGN_INCARNATION:
        scenario_say(scenario, "node %llu comes with another incarnation: %llu\n", LLU(event->node_id),
                     LLU(event->index));
        return;
    case EVENT_NAME_TAKEN:
        scenario_say(scenario, "name taken\n");
        return;
    }
}

static void say_range(struct scenario *scenario, uint64_t term, uint64_t first, uint64_t last)
{
    scenario_say(scenario, "%llu:%llu", LLU(term), LLU(first));
    if (last != first) {
        scenario_say(scenario, "..%llu", LLU(last));
    }
}

static void on_notice(void *context, uint32_t slot, const struct commit_notice *notice)
{
    (void)slot;
    struct scenario_node *node = context;
    scenario_say(node->scenario, "%llu: committed ", LLU(node->fake.node_id));
    say_range(node->scenario, notice->term, notice->first_index, notice->last_index);
    scenario_say(node->scenario, "\n");
}

static void on_outcome(void *context, uint32_t slot, const struct range_outcome *outcome)
{
    (void)slot;
    struct scenario_node *node = context;
    scenario_say(node->scenario, "%llu: outcome of ", LLU(node->fake.node_id));
    say_range(node->scenario, outcome->term, outcome->first_index, outcome->last_index);
    scenario_say(node->scenario, " %s\n",
                 outcome->outcome == OUTCOME_COMMITTED    ? "committed"
                 : outcome->outcome == OUTCOME_SUPERSEDED ? "superseded"
                                                          : "unknown");
}

struct host_listener scenario_listener(struct scenario_node *node)
{
    return (struct host_listener){node, on_event, on_notice, on_outcome};
}

void scenario_say_status(struct scenario *scenario, const struct scenario_node *node)
{
    const struct replicator *replicator = fake_node_replicator(&node->fake);
    scenario_say(scenario, "%llu: %s term %llu vote %llu%s leader %llu last %llu durable %llu commit %llu",
                 LLU(node->fake.node_id), replicator_role_name(replicator->role), LLU(replicator->term),
                 LLU(replicator->voted_for),
                 replicator->hard_state_durable < replicator->hard_state_number ? " (not durable)" : "",
                 LLU(replicator->leader_id), LLU(replicator->last_index), LLU(replicator->durable_index),
                 LLU(replicator->commit_index));
    if (replicator->replicated_index > replicator->commit_index) {
        scenario_say(scenario, " replicated %llu", LLU(replicator->replicated_index));
    }
    scenario_say(scenario, "\n");
}

void scenario_say_log(struct scenario *scenario, const struct scenario_node *node)
{
    const struct replicator *replicator = fake_node_replicator(&node->fake);
    scenario_say(scenario, "%llu: log", LLU(node->fake.node_id));
    for (uint32_t i = 0; i < replicator->run_count; i++) {
        uint64_t last =
            i + 1 < replicator->run_count ? replicator->runs[i + 1].first_index - 1 : replicator->last_index;
        scenario_say(scenario, " ");
        say_range(scenario, replicator->runs[i].term, replicator->runs[i].first_index, last);
    }
    const struct logged_configuration *newest = replicator_configuration(replicator);
    if (newest != NULL) {
        scenario_say(scenario, " voters ");
        say_configuration(scenario, &newest->configuration);
        scenario_say(scenario, " at %llu", LLU(newest->index));
    }
    scenario_say(scenario, "\n");
}

static void say_record(struct scenario *scenario, const struct record_head *head)
{
    if (head->type == RECORD_HARD_STATE) {
        scenario_say(scenario, "term %llu vote %llu", LLU(head->term), LLU(head->index));
    } else if (head->type == RECORD_PEER) {
        scenario_say(scenario, "peer %llu incarnation %llu", LLU(head->index), LLU(head->term));
    } else if (record_type_is_entry(head->type)) {
        scenario_say(scenario, "%s %llu:%llu", record_type_name(head->type), LLU(head->term),
                     LLU(head->index));
    } else {
        scenario_say(scenario, "%s %llu", record_type_name(head->type), LLU(head->index));
    }
}

/* What was written since it was last asked, in the order of the tape. */
void scenario_say_records(struct scenario *scenario, struct scenario_node *node)
{
    const struct fake_log *log = &node->fake.log;
    if (node->records_told >= log->end) {
        scenario_say(scenario, "%llu: nothing written\n", LLU(node->fake.node_id));
    }
    while (node->records_told < log->end) {
        struct record_head head = record_head_load(log->bytes + node->records_told);
        node->records_told += record_padded_bytes(head.length);
        scenario_say(scenario, "%llu: wrote ", LLU(node->fake.node_id));
        say_record(scenario, &head);
        scenario_say(scenario, "%s\n", node->records_told <= log->durable ? "" : " (not durable)");
    }
}

void scenario_say_peers(struct scenario *scenario, const struct scenario_node *node)
{
    const struct replicator *replicator = fake_node_replicator(&node->fake);
    for (uint32_t i = 0; i < replicator->peer_count; i++) {
        const struct peer_progress *peer = &replicator->peers[i];
        scenario_say(scenario, "%llu: peer %llu %s next %llu received %llu durable %llu%s\n",
                     LLU(node->fake.node_id), LLU(peer->node_id),
                     peer->mode == PROGRESS_PROBE ? "probe" : "replicate", LLU(peer->next_index),
                     LLU(peer->match_index), LLU(peer->durable_index), peer->lost ? " lost" : "");
    }
}

void scenario_say_held(struct scenario *scenario, const struct scenario_node *node)
{
    const struct host *host = node->fake.host;
    if (host->held_count == 0) {
        scenario_say(scenario, "%llu: holds nothing\n", LLU(node->fake.node_id));
    }
    for (uint32_t i = 0; i < host->held_count; i++) {
        const struct fake_message message = {.message = host->held[i].send.message};
        scenario_say(scenario, "%llu: holds until term and vote #%llu are durable: ", LLU(node->fake.node_id),
                     LLU(host->held[i].send.release_hard_state));
        scenario_say_message(scenario, &message);
    }
}
