/* SPDX-License-Identifier: Apache-2.0 */
/* Three shipped hosts over fake logs and a fake network, without and with loss, reordering and crashes. */
#include "check.h"
#include "fake_node.h"
#include "prng.h"
#include "test.h"

#define NODE_COUNT 3
#define MS         1000000u
#define INDEX_MAX  20000

static struct fake_network network;
static struct fake_node nodes[NODE_COUNT];
static uint64_t now_ns;
static struct prng prng;

/* What each node was told, from outside. */
static uint64_t committed_terms[INDEX_MAX]; /* term + 1 of the committed entry, by any node's notice */
static uint64_t noticed[NODE_COUNT];
static uint64_t receipt_outcomes[INDEX_MAX]; /* how many outcomes a receipt's index got, by term below */
static uint64_t outcomes_committed;
static uint64_t outcomes_superseded;
static uint64_t outcomes_unknown;
static uint64_t submitted;
static uint64_t leader_of_term[4096];
static uint64_t cut_node; /* neither sends nor receives; 0: all do */

static uint32_t node_at(void *context)
{
    return (uint32_t)((struct fake_node *)context - nodes);
}

static void on_event(void *context, uint32_t slot, const struct replicator_event *event)
{
    (void)slot;
    (void)context;
    if (event->kind == EVENT_LEADER_ELECTED) {
        ASSERT(event->term < 4096);
        ASSERT(leader_of_term[event->term] == 0 || leader_of_term[event->term] == event->node_id);
        leader_of_term[event->term] = event->node_id; /* election safety */
    }
    ASSERT(event->kind != EVENT_QUORUM_FAILURE);
    ASSERT(event->kind != EVENT_PEER_LOST_DATA);
}

static void on_notice(void *context, uint32_t slot, const struct commit_notice *notice)
{
    (void)slot;
    uint32_t at = node_at(context);
    ASSERT(noticed[at] == 0 || notice->first_index == noticed[at] + 1);
    noticed[at] = notice->last_index;
    for (uint64_t i = notice->first_index; i <= notice->last_index; i++) {
        ASSERT(i < INDEX_MAX);
        ASSERT(committed_terms[i] == 0 || committed_terms[i] == notice->term + 1); /* state machine safety */
        committed_terms[i] = notice->term + 1;
    }
}

static void on_outcome(void *context, uint32_t slot, const struct range_outcome *outcome)
{
    (void)slot;
    (void)context;
    uint64_t count = outcome->last_index - outcome->first_index + 1;
    if (outcome->outcome == OUTCOME_COMMITTED) {
        outcomes_committed += count;
        for (uint64_t i = outcome->first_index; i <= outcome->last_index; i++) {
            ASSERT(receipt_outcomes[i] == 0);
            receipt_outcomes[i] = 1;
        }
    } else if (outcome->outcome == OUTCOME_SUPERSEDED) {
        outcomes_superseded += count;
    } else {
        outcomes_unknown += count;
    }
}

static void counters_reset(uint64_t seed)
{
    memset(committed_terms, 0, sizeof(committed_terms));
    memset(receipt_outcomes, 0, sizeof(receipt_outcomes));
    memset(noticed, 0, sizeof(noticed));
    memset(leader_of_term, 0, sizeof(leader_of_term));
    outcomes_committed = outcomes_superseded = outcomes_unknown = submitted = 0;
    prng.state = seed;
    now_ns = 1000 * (uint64_t)MS;
    fake_network_init(&network);
}

static struct configuration voters_make(void)
{
    const uint64_t ids[NODE_COUNT] = {1, 2, 3};
    struct configuration voters;
    CHECK(configuration_init_stable(&voters, ids, NODE_COUNT));
    return voters;
}

static void cluster_open(uint64_t seed)
{
    counters_reset(seed);
    struct configuration voters = voters_make();
    for (uint32_t i = 0; i < NODE_COUNT; i++) {
        const struct host_listener listener = {&nodes[i], on_event, on_notice, on_outcome};
        fake_node_init(&nodes[i], i + 1, &network, &listener);
        fake_node_start(&nodes[i], now_ns);
        CHECK_EQUAL(host_bootstrap(nodes[i].host, nodes[i].slot, &voters, "test", now_ns),
                    REPLICATOR_ACCEPTED);
    }
}

static void cluster_close(void)
{
    for (uint32_t i = 0; i < NODE_COUNT; i++) {
        fake_node_fini(&nodes[i]);
    }
    fake_network_fini(&network);
}

static void poll_all(void)
{
    for (uint32_t i = 0; i < NODE_COUNT; i++) {
        if (nodes[i].up) {
            host_poll(nodes[i].host, now_ns);
        }
    }
}

static void deliver_at(uint32_t at)
{
    static struct fake_message message;
    fake_network_take(&network, at, &message);
    struct fake_node *node = &nodes[message.message.receiver_id - 1];
    bool cut =
        cut_node != 0 && (message.message.sender_id == cut_node || message.message.receiver_id == cut_node);
    if (node->up && !cut) {
        enum host_verdict verdict = fake_node_deliver(node, &message, now_ns);
        ASSERT(verdict == HOST_TAKEN || verdict == HOST_NEW_SENDER || verdict == HOST_BUSY);
    }
}

/* A millisecond in which everything arrives and every write completes. */
static void run_ms(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        now_ns += MS;
        poll_all();
        while (network.count > 0) {
            deliver_at(0);
        }
        for (uint32_t n = 0; n < NODE_COUNT; n++) {
            fake_log_persist(&nodes[n].log);
        }
        poll_all();
    }
}

static struct fake_node *leader_find(void)
{
    struct fake_node *leader = NULL;
    for (uint32_t i = 0; i < NODE_COUNT; i++) {
        if (nodes[i].up && fake_node_replicator(&nodes[i])->role == REPLICATOR_LEADER &&
            (leader == NULL || fake_node_replicator(&nodes[i])->term > fake_node_replicator(leader)->term)) {
            leader = &nodes[i];
        }
    }
    return leader;
}

static void submit_some(struct fake_node *node, uint32_t count)
{
    struct host_receipt receipt;
    int error;
    if (fake_node_submit(node, count, now_ns, &receipt, &error) == REPLICATOR_ACCEPTED) {
        submitted += count;
        /* The same index may have had an outcome in an earlier term; from now on it is this receipt's. */
        ASSERT(receipt.first_index > 0);
    }
}

static uint64_t pending_count(const struct fake_node *node)
{
    const struct replicator *replicator = fake_node_replicator(node);
    uint64_t count = 0;
    for (uint32_t i = 0; i < replicator->pending_count; i++) {
        count += replicator->pending[i].last_index - replicator->pending[i].first_index + 1;
    }
    return count;
}

/* What a crashed process had pending stays unknown. */
static void node_crash(struct fake_node *node)
{
    outcomes_unknown += pending_count(node);
    fake_node_stop(node);
}

/* Rule 23: exactly one outcome for each receipt, but for what is not decided yet. */
static void check_outcomes(void)
{
    uint64_t undecided = 0;
    for (uint32_t i = 0; i < NODE_COUNT; i++) {
        undecided += pending_count(&nodes[i]);
    }
    CHECK_EQUAL(outcomes_committed + outcomes_superseded + outcomes_unknown + undecided, submitted);
}

static void check_converged(void)
{
    struct fake_node *leader = leader_find();
    CHECK(leader != NULL);
    uint64_t last = fake_node_replicator(leader)->last_index;
    for (uint32_t i = 0; i < NODE_COUNT; i++) {
        CHECK_EQUAL(fake_node_replicator(&nodes[i])->last_index, last);
        CHECK_EQUAL(fake_node_replicator(&nodes[i])->commit_index, last);
        CHECK_EQUAL(noticed[i], last);
        for (uint64_t index = 1; index <= last; index++) {
            const uint8_t *ours = fake_log_entry(&nodes[i].log, FAKE_QUORUM, index, 0);
            const uint8_t *theirs = fake_log_entry(&leader->log, FAKE_QUORUM, index, 0);
            CHECK(ours != NULL);
            CHECK_BYTES(ours, theirs, record_head_load(theirs).length);
        }
    }
}

static void test_elects_and_replicates(void)
{
    cluster_open(1);
    run_ms(600);
    struct fake_node *leader = leader_find();
    CHECK(leader != NULL);
    for (uint32_t i = 0; i < 50; i++) {
        submit_some(leader, 20);
        run_ms(1);
    }
    run_ms(5);
    CHECK_EQUAL(fake_node_replicator(leader)->commit_index, 1002);
    CHECK_EQUAL(outcomes_committed, 1000);
    check_converged();
    cluster_close();
}

static void test_leader_crash(void)
{
    cluster_open(2);
    run_ms(600);
    struct fake_node *first = leader_find();
    submit_some(first, 10);
    poll_all();
    node_crash(first);
    fake_log_lose_unsynced(&first->log);
    run_ms(1000);
    struct fake_node *second = leader_find();
    CHECK(second != NULL);
    CHECK(second != first);
    submit_some(second, 5);
    run_ms(10);
    noticed[first - nodes] = 0;
    fake_node_start(first, now_ns);
    run_ms(100);
    check_converged();
    cluster_close();
}

/* Full rings, a log that has no memory now, reads that come from disk. */
static void random_pressure(void)
{
    struct fake_node *node = &nodes[prng_below(&prng, NODE_COUNT)];
    network.begin_fails = prng_below(&prng, 10) == 0;
    network.tail_capacity_bytes = prng_below(&prng, 2) == 0 ? 200 : FAKE_FRAME_BYTES;
    node->log.busy = prng_below(&prng, 4) == 0;
    node->log.read_wait = prng_below(&prng, 4) == 0;
    node->log.stall_ns = prng_below(&prng, 10) == 0 ? 4 * FAKE_TIMEOUT_NS : 0;
}

static void pressure_end(void)
{
    cut_node = 0;
    network.begin_fails = false;
    for (uint32_t i = 0; i < NODE_COUNT; i++) {
        nodes[i].log.busy = nodes[i].log.read_wait = false;
        nodes[i].log.stall_ns = 0;
    }
}

static void random_step(void)
{
    uint64_t dice = prng_below(&prng, 100);
    struct fake_node *node = &nodes[prng_below(&prng, NODE_COUNT)];
    if (dice < 40 && network.count > 0) {
        deliver_at((uint32_t)prng_below(&prng, network.count < 8 ? network.count : 8));
    } else if (dice < 44 && network.count > 0) {
        struct fake_message lost;
        fake_network_take(&network, (uint32_t)prng_below(&prng, network.count), &lost);
    } else if (dice < 46 && network.count > 0) {
        const struct fake_message *twice = &network.messages[prng_below(&prng, network.count)];
        struct fake_message copy = *twice;
        fake_network_add(&network, &copy.message, copy.tail, copy.tail_bytes);
    } else if (dice < 60) {
        fake_log_persist(&node->log);
    } else if (dice < 80) {
        now_ns += prng_below(&prng, 10 * MS);
        poll_all();
    } else if (dice < 90 && node->up) {
        host_poll(node->host, now_ns);
    } else if (dice < 98) {
        /* Also at leaders that do not know yet that they are none. */
        struct fake_node *leader = node;
        if (node->up && fake_node_replicator(leader)->last_index < INDEX_MAX - 1000) {
            submit_some(leader, 1 + (uint32_t)prng_below(&prng, 5));
        }
    } else if (prng_below(&prng, 10) == 0 && node->up) {
        node_crash(node);
        if (prng_below(&prng, 2) == 0) {
            fake_log_lose_unsynced(&node->log);
        } else {
            fake_log_persist(&node->log);
        }
    } else if (!node->up) {
        noticed[node - nodes] = 0;
        fake_node_start(node, now_ns);
    }
}

static uint64_t superseded_in_all;
static uint64_t terms_in_all;

static void random_run(uint64_t seed, uint32_t step_count)
{
    cluster_open(seed);
    for (uint32_t i = 0; i < step_count; i++) {
        if (prng_below(&prng, 200) == 0) {
            cut_node = prng_below(&prng, 2 * NODE_COUNT);
            cut_node = cut_node > NODE_COUNT ? 0 : cut_node;
        }
        if (prng_below(&prng, 100) == 0) {
            random_pressure();
        }
        random_step();
        if (network.count > 200) {
            network.count = 100;
        }
    }
    pressure_end();
    for (uint32_t i = 0; i < NODE_COUNT; i++) {
        if (!nodes[i].up) {
            noticed[i] = 0;
            fake_node_start(&nodes[i], now_ns);
        }
    }
    run_ms(2000);
    check_converged();
    check_outcomes();
    superseded_in_all += outcomes_superseded;
    terms_in_all += fake_node_replicator(&nodes[0])->term;
    cluster_close();
}

static void test_random_faults(void)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        random_run(seed * 7919, 12000);
    }
    /* The runs are worth something only when leaders change and submissions lose. */
    printf("# %llu terms, %llu submissions superseded\n", (unsigned long long)terms_in_all,
           (unsigned long long)superseded_in_all);
    CHECK(terms_in_all > 300);
    CHECK(superseded_in_all > 100);
}

/* A log of `term_count` entries of one term each, behind entry 1. */
static void log_fill(struct fake_log *log, uint64_t term_count)
{
    uint8_t payload[CONFIGURATION_BYTES_MAX];
    struct configuration voters = voters_make();
    struct record_head head = {.type = RECORD_CONFIGURATION, .quorum_number = FAKE_QUORUM, .index = 1};
    fake_log_put(log, &head, payload, configuration_encode(&voters, payload));
    head.type = RECORD_DATA;
    for (head.term = 1; head.term <= term_count; head.term++) {
        head.index++;
        fake_log_put(log, &head, NULL, 0);
    }
    const struct record_head hard_state = {
        .type = RECORD_HARD_STATE, .quorum_number = FAKE_QUORUM, .term = term_count};
    fake_log_put(log, &hard_state, NULL, 0);
}

static void test_older_terms(void)
{
    counters_reset(3);
    for (uint32_t i = 0; i < NODE_COUNT; i++) {
        const struct host_listener listener = {&nodes[i], on_event, on_notice, on_outcome};
        fake_node_init(&nodes[i], i + 1, &network, &listener);
        log_fill(&nodes[i].log, i < 2 ? RUNS_MAX + 50 : 10);
        fake_node_start(&nodes[i], now_ns);
    }
    run_ms(1000);
    CHECK_EQUAL(fake_node_replicator(leader_find())->last_index, RUNS_MAX + 52);
    check_converged(); /* each node has given notice of every entry from 1 on */
    cluster_close();
}

static const struct test_case cases[] = {
    {"three nodes elect a leader, replicate 1,000 entries and commit them everywhere",
     test_elects_and_replicates},
    {"a crashed leader is replaced, and repaired when it returns", test_leader_crash},
    {"terms older than the core remembers are looked up in the log, for peers and for notices",
     test_older_terms},
    {"loss, duplication, reordering, late syncs and crashes never break safety, and all converge afterwards",
     test_random_faults},
};

TEST_MAIN(cases)
