/* SPDX-License-Identifier: Apache-2.0 */
#include "recovery.h"

#include "test.h"

static struct arena arena;
static struct recovery recovery;
static uint8_t record[4096];
static const uint64_t voters[] = {1, 2, 3};

static void visit(uint8_t type, uint64_t index, uint64_t term, size_t payload_bytes)
{
    struct record_head head = {
        .type = type, .quorum_number = 9, .index = index, .term = term, .log_time_ns = 1000 + index};
    record_finish(record, &head, payload_bytes);
    head = record_head_load(record);
    recovery_visit(&recovery, &head, record + RECORD_HEAD_BYTES, 0);
}

static void visit_quorum(void)
{
    struct configuration configuration;
    CHECK(configuration_init_stable(&configuration, voters, 3));
    size_t bytes = quorum_payload_encode(&configuration, "itch", record + RECORD_HEAD_BYTES);
    visit(RECORD_QUORUM, 0, 0, bytes);
}

static void visit_configuration(uint64_t index, uint64_t term)
{
    struct configuration configuration;
    CHECK(configuration_init_stable(&configuration, voters, 3));
    visit(RECORD_CONFIGURATION, index, term,
          configuration_encode(&configuration, record + RECORD_HEAD_BYTES));
}

static struct recovered_quorum *start(void)
{
    arena_fini(&arena);
    arena_init(&arena);
    recovery_init(&recovery, &arena, 2);
    visit_quorum();
    CHECK_EQUAL(recovery.quorum_count, 1);
    return &recovery.quorums[0];
}

static void test_log(void)
{
    struct recovered_quorum *quorum = start();
    CHECK_STRING(quorum->name, "itch");
    visit_configuration(1, 0);
    visit(RECORD_HARD_STATE, 2, 3, 0);
    visit(RECORD_LEADER_START, 2, 3, 0);
    visit(RECORD_DATA, 3, 3, 10);
    visit(RECORD_BOUNDS, 2, 0, 8);
    visit(RECORD_PEER, 2, 77, 0);
    visit(RECORD_PEER, 2, 78, 0);
    struct replicator_restart restart = recovery_restart(quorum);
    CHECK_EQUAL(restart.term, 3);
    CHECK_EQUAL(restart.voted_for, 2);
    CHECK_EQUAL(restart.last_index, 3);
    CHECK_EQUAL(restart.commit_index, 2);
    CHECK_EQUAL(restart.run_count, 2);
    CHECK_EQUAL(restart.runs[1].first_index, 2);
    CHECK_EQUAL(restart.runs[1].term, 3);
    CHECK_EQUAL(restart.configuration_count, 1);
    CHECK_EQUAL(quorum->last_log_time_ns, 1003);
    CHECK_EQUAL(quorum->peer_count, 1);
    CHECK_EQUAL(quorum->peers[0].incarnation, 77);
    CHECK(!quorum->contradicted);
}

static void test_truncate(void)
{
    struct recovered_quorum *quorum = start();
    visit_configuration(1, 0);
    visit(RECORD_LEADER_START, 2, 1, 0);
    visit_configuration(3, 1);
    visit(RECORD_LEADER_START, 4, 2, 0);
    visit(RECORD_TRUNCATE, 3, 0, 0);
    visit(RECORD_LEADER_START, 3, 5, 0);
    CHECK_EQUAL(quorum->last_index, 3);
    CHECK_EQUAL(quorum->run_count, 3);
    CHECK_EQUAL(quorum->runs[2].term, 5);
    CHECK_EQUAL(quorum->configuration_count, 1);
    CHECK(!quorum->contradicted);
}

static void test_contradictions(void)
{
    struct recovered_quorum *quorum = start();
    visit_configuration(1, 0);
    visit(RECORD_DATA, 3, 1, 8);
    CHECK(quorum->contradicted); /* a hole */
    quorum = start();
    visit(RECORD_TRUNCATE, 1, 0, 0);
    CHECK(quorum->contradicted); /* nothing to take back */
    quorum = start();
    visit(RECORD_CONFIGURATION, 1, 0, 3);
    CHECK(quorum->contradicted); /* no configuration */
    quorum = start();
    visit_configuration(1, 0);
    visit(RECORD_HARD_STATE, 2, 3, 0);
    visit(RECORD_LEADER_START, 2, 3, 0);
    CHECK(!recovery_contradicts(quorum));
    visit(RECORD_LEADER_START, 3, 2, 0);
    CHECK(quorum->contradicted); /* terms that fall */
    quorum = start();
    visit_configuration(1, 0);
    visit(RECORD_BOUNDS, 1, 0, 8);
    visit(RECORD_TRUNCATE, 1, 0, 0);
    CHECK(quorum->contradicted); /* what was committed is taken back */
    quorum = start();
    visit_configuration(1, 0);
    visit(RECORD_LEADER_START, 2, 3, 0);
    CHECK(recovery_contradicts(quorum)); /* a term that was never adopted */
}

static void test_unknown_last_term(void)
{
    struct recovered_quorum *quorum = start();
    visit_configuration(1, 0);
    visit(RECORD_HARD_STATE, 2, RUNS_MAX + 11, 0);
    for (uint64_t term = 1; term <= RUNS_MAX + 10; term++) {
        visit(RECORD_LEADER_START, 1 + term, term, 0);
    }
    visit(RECORD_TRUNCATE, 5, 0, 0); /* the oldest term that is kept is 11 */
    CHECK(recovery_contradicts(quorum));
    CHECK(recovery_restart(quorum).contradicted);
    visit(RECORD_LEADER_START, 5, RUNS_MAX + 11, 0); /* says itself what the last term is */
    CHECK(!recovery_contradicts(quorum));
}

static void test_many_terms(void)
{
    struct recovered_quorum *quorum = start();
    visit_configuration(1, 0);
    for (uint64_t term = 1; term <= RUNS_MAX + 10; term++) {
        visit(RECORD_LEADER_START, 1 + term, term, 0);
    }
    CHECK_EQUAL(quorum->run_count, RUNS_MAX);
    CHECK_EQUAL(quorum->runs[RUNS_MAX - 1].term, RUNS_MAX + 10);
    CHECK_EQUAL(quorum->runs[0].term, 11);
}

static void test_foreign(void)
{
    start();
    struct record_head head = {
        .type = RECORD_DATA, .quorum_number = 10, .index = 1, .length = RECORD_HEAD_BYTES};
    recovery_visit(&recovery, &head, record, 0);
    CHECK_EQUAL(recovery.ignored_count, 1);
    visit_quorum();
    CHECK_EQUAL(recovery.ignored_count, 2); /* bound twice */
}

static void test_payload(void)
{
    struct configuration configuration;
    struct configuration read;
    uint8_t bytes[QUORUM_PAYLOAD_BYTES_MAX];
    char name[QUORUM_NAME_BYTES_MAX + 1];
    CHECK(configuration_init_stable(&configuration, voters, 3));
    size_t used = quorum_payload_encode(&configuration, "a-name_1.x", bytes);
    CHECK(quorum_payload_decode(bytes, used, &read, name));
    CHECK_STRING(name, "a-name_1.x");
    CHECK(configuration_equal(&configuration, &read));
    for (size_t cut = 0; cut < used - strlen("a-name_1.x") + 1; cut++) {
        CHECK(!quorum_payload_decode(bytes, cut, &read, name)); /* no name is left */
    }
    bytes[used - 1] = '/';
    CHECK(!quorum_payload_decode(bytes, used, &read, name));
}

static const struct test_case cases[] = {
    {"a log's records make hard state, runs, configurations, bounds and peers", test_log},
    {"a truncation takes entries, runs and configurations back", test_truncate},
    {"records that no writer leaves are a contradiction", test_contradictions},
    {"the newest terms are kept by heart", test_many_terms},
    {"a log that ends behind all the terms that are kept does not start with a wrong one",
     test_unknown_last_term},
    {"records of unknown quorums are counted, a second binding is ignored", test_foreign},
    {"a quorum's payload carries set and name, and nothing else passes", test_payload},
};

TEST_MAIN(cases)
