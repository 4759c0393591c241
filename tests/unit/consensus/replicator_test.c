/* SPDX-License-Identifier: Apache-2.0 */
/* The core by itself, where no host stands between: what a single input may do. */
#include "replicator.h"
#include "test.h"

#define START_NS 1000000000u

static struct replicator replicator;
static struct replicator_output output;

/* Node 1 of three, with entries 0:1, 1:2 .. 1:6 and term 1; entry 1 is committed. */
static void open_node(void)
{
    static struct logged_configuration logged;
    const uint64_t ids[3] = {1, 2, 3};
    static const struct log_run runs[2] = {{1, 0}, {2, 1}};
    CHECK(configuration_init_stable(&logged.configuration, ids, 3));
    logged.index = 1;
    const struct replicator_options options = {.quorum_number = 9,
                                               .node_id = 1,
                                               .incarnation = 5,
                                               .election_timeout_ns = 150000000,
                                               .heartbeat_interval_ns = 30000000,
                                               .retransmit_timeout_ns = 30000000,
                                               .disk_stall_limit_ns = 300000000,
                                               .random_seed = 1};
    const struct replicator_restart restart = {.term = 1,
                                               .commit_index = 1,
                                               .last_index = 6,
                                               .runs = runs,
                                               .run_count = 2,
                                               .configurations = &logged,
                                               .configuration_count = 1};
    replicator_init(&replicator, &options, &restart, START_NS, &output);
}

static void receive(const struct message *message, const struct entries_summary *entries)
{
    struct replicator_input input = {.now_ns = START_NS, .kind = INPUT_MESSAGE};
    input.message.message = message;
    input.message.entries = entries;
    replicator_step(&replicator, &input, &output);
}

/* Leader 2 of term 2 replaces 1:5..6 by 2:5..7. */
static void truncate_and_append(void)
{
    struct message message = {.kind = MESSAGE_APPEND_ENTRIES,
                              .message_id = 7,
                              .sender_id = 2,
                              .receiver_id = 1,
                              .quorum_number = 9};
    message.append_entries.term = 2;
    message.append_entries.leader_id = 2;
    message.append_entries.prev_log_index = 4;
    message.append_entries.prev_log_term = 1;
    struct entries_summary entries = {.first_index = 5, .entry_count = 3, .run_count = 1};
    entries.runs[0].first_index = 5;
    entries.runs[0].term = 2;
    receive(&message, &entries);
    CHECK_EQUAL(output.truncate_from, 5);
    CHECK_EQUAL(output.append_first_index, 5);
    CHECK_EQUAL(output.append_last_index, 7);
}

static void persist(uint64_t index, uint64_t term)
{
    struct replicator_input input = {.now_ns = START_NS, .kind = INPUT_PERSISTED};
    input.persisted.index = index;
    input.persisted.term = term;
    replicator_step(&replicator, &input, &output);
}

static void test_persisted_of_another_term(void)
{
    open_node();
    truncate_and_append();
    CHECK_EQUAL(replicator.durable_index, 4);
    persist(6, 1); /* the old 1:6, which is no longer there */
    CHECK_EQUAL(replicator.durable_index, 4);
    persist(9, 2); /* beyond the log */
    CHECK_EQUAL(replicator.durable_index, 4);
    persist(6, 2);
    CHECK_EQUAL(replicator.durable_index, 6);
    persist(5, 2); /* late: takes nothing back */
    CHECK_EQUAL(replicator.durable_index, 6);
}

static void test_order_of_outputs(void)
{
    open_node();
    truncate_and_append();
    CHECK(output.hard_state_changed);
    CHECK_EQUAL(replicator.term, 2);
    CHECK_EQUAL(output.send_count, 0); /* the acknowledgement is owed to the end of the turn */
    CHECK(replicator.acknowledgement_owed);
    struct replicator_input input = {.now_ns = START_NS, .kind = INPUT_FLUSH};
    replicator_step(&replicator, &input, &output);
    CHECK_EQUAL(output.send_count, 1);
    CHECK_EQUAL(output.sends[0].release_hard_state, replicator.hard_state_number);
    CHECK(replicator.hard_state_durable < replicator.hard_state_number);
}

static void test_poll_leaves_the_state_alone(void)
{
    open_node();
    struct replicator before = replicator;
    struct message message = {.kind = MESSAGE_PRE_ELECTION_POLL,
                              .message_id = 7,
                              .sender_id = 2,
                              .receiver_id = 1,
                              .quorum_number = 9};
    message.request_vote.term = 8;
    message.request_vote.candidate_id = 2;
    message.request_vote.last_log_index = 90;
    message.request_vote.last_log_term = 8;
    receive(&message, NULL);
    CHECK_EQUAL(output.send_count, 1);
    CHECK_BYTES(&replicator, &before, sizeof(before));
}

static void test_copies_go_the_same_way(void)
{
    open_node();
    struct replicator first = replicator;
    truncate_and_append();
    struct replicator second = replicator;
    replicator = first;
    truncate_and_append();
    CHECK_BYTES(&replicator, &second, sizeof(second));
}

static void test_strangers(void)
{
    open_node();
    struct replicator before = replicator;
    struct message message = {
        .kind = MESSAGE_REQUEST_VOTE, .message_id = 7, .sender_id = 2, .receiver_id = 1, .quorum_number = 10};
    message.request_vote.term = 8;
    message.request_vote.candidate_id = 2;
    receive(&message, NULL); /* another quorum's */
    message.quorum_number = 9;
    message.sender_id = 1;
    receive(&message, NULL); /* our own echo */
    message.sender_id = 0;
    receive(&message, NULL); /* a client's */
    message.sender_id = 3;
    receive(&message, NULL); /* in another's name */
    message.kind = 77;
    receive(&message, NULL); /* no message of a replicator */
    CHECK_EQUAL(output.send_count, 0);
    CHECK_BYTES(&replicator, &before, sizeof(before));
}

/* Were it not there at all, it could be joined anew and vote a second time. */
static void test_contradicted(void)
{
    open_node();
    const struct replicator_options options = replicator.options;
    const struct replicator_restart restart = {.term = 1, .voted_for = 2, .contradicted = true};
    replicator_init(&replicator, &options, &restart, START_NS, &output);
    CHECK_EQUAL(replicator.role, REPLICATOR_FAILED);
    CHECK_EQUAL(replicator.failure, REPLICATOR_FAILURE_LOG);
    CHECK_EQUAL(output.events[0].kind, EVENT_QUORUM_FAILURE);
    replicator_check(&replicator);
    struct message message = {
        .kind = MESSAGE_REQUEST_VOTE, .message_id = 7, .sender_id = 3, .receiver_id = 1, .quorum_number = 9};
    message.request_vote =
        (struct request_vote){.term = 1, .candidate_id = 3, .last_log_index = 100, .last_log_term = 1};
    receive(&message, NULL);
    CHECK_EQUAL(output.send_count, 0);
    CHECK_EQUAL(output.refusal, REPLICATOR_STOPPED);
    CHECK_EQUAL(replicator.voted_for, 2);
}

static const struct test_case cases[] = {
    {"a durable notice of another term, or from beyond the log, says nothing (rule 29)",
     test_persisted_of_another_term},
    {"an acknowledgement is owed to the end of the turn and waits for the term it shows (rules 6, 7)",
     test_order_of_outputs},
    {"answering a poll changes not one byte of the state (rule 14)", test_poll_leaves_the_state_alone},
    {"equal states and equal inputs give equal states, byte for byte", test_copies_go_the_same_way},
    {"a quorum whose log contradicts itself starts failed and votes for nobody", test_contradicted},
    {"messages of others' quorums, of clients and in another's name change nothing", test_strangers},
};

TEST_MAIN(cases)
