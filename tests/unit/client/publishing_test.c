/* SPDX-License-Identifier: Apache-2.0 */
#include "client_watcher.h"

static void check_values(const struct fake_cluster *cluster, const struct fake_node *leader, uint32_t count)
{
    CHECK_EQUAL(leader->committed_count, count);
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQUAL(leader->log[i].value, i + 1);
        CHECK_EQUAL(leader->log[i].sequence, cluster->source_sequence_before + i + 1);
    }
}

static void publish_values(struct tally_client *client, uint64_t first, uint64_t last)
{
    for (uint64_t value = first; value <= last; value++) {
        uint64_t sequence = 0;
        CHECK_EQUAL(publish_value(client, value, &sequence), TALLY_OK);
    }
}

static void entries_are_committed_in_order(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    fake_elect(cluster, 1, 0, true);
    uint64_t sequence = 0;
    CHECK_EQUAL(publish_value(client, 1, &sequence), TALLY_OK);
    CHECK_EQUAL(sequence, 1);
    CHECK_EQUAL(publish_value(client, 2, &sequence), TALLY_OK);
    CHECK_EQUAL(sequence, 2);
    CHECK_EQUAL(tally_in_flight(client), 2);
    run(cluster, client, 4);
    CHECK_EQUAL(watcher.committed, 2);
    CHECK_EQUAL(watcher.receipt, 2);
    CHECK_EQUAL(watcher.leader_id, 1);
    CHECK(!watcher.is_broken);
    CHECK_EQUAL(tally_in_flight(client), 0);
    check_values(cluster, &cluster->nodes[0], 2);
    CHECK_EQUAL(cluster->nodes[0].publish_frame_count, 2); /* the question, and both entries in one frame */
    finish(cluster, client);
}

/* Loss, doubling, reordering, leaders that change, lose their tail and do not notice: every entry is in the
 * log once, in order, and told once. */
static void publish_through_chaos(uint64_t seed)
{
    enum { COUNT = 300 };
    struct fake_cluster *cluster = fake_create(seed);
    struct prng prng = {seed * 31 + 7};
    struct watcher watcher = {0};
    struct tally_client *client =
        open_client(cluster, &watcher, &(struct tally_options){.in_flight_max = 64});
    cluster->loss_percent = (uint32_t)prng_below(&prng, 30);
    cluster->double_percent = (uint32_t)prng_below(&prng, 20);
    cluster->delay_max_ns = prng_below(&prng, 8 * MS);
    fake_elect(cluster, 1, 0, true);
    uint64_t value = 1;
    uint64_t sequence = 0;
    uint32_t steps = 0;
    while (watcher.committed < COUNT && steps++ < 60000) {
        while (value <= COUNT && prng_below(&prng, 3) > 0 &&
               publish_value(client, value, &sequence) == TALLY_OK) {
            CHECK_EQUAL(sequence, value);
            value++;
        }
        tally_poll(client);
        fake_step(cluster, MS / 2);
        struct fake_node *leader = fake_leader(cluster);
        uint32_t open_count = leader->log_count - leader->committed_count;
        if (prng_below(&prng, 3) == 0) {
            fake_commit(cluster, leader->committed_count + (uint32_t)prng_below(&prng, open_count + 1));
        }
        cluster->busy_count = prng_below(&prng, 50) == 0;
        if (prng_below(&prng, 150) == 0) {
            uint32_t kept = leader->committed_count + (uint32_t)prng_below(&prng, open_count + 1);
            fake_elect(cluster, 1 + prng_below(&prng, FAKE_NODE_COUNT), kept, prng_below(&prng, 2) == 0);
        }
        if (prng_below(&prng, 100) == 0) { /* whoever is deposed finds out */
            leader = fake_leader(cluster);
            for (uint32_t i = 0; i < FAKE_NODE_COUNT; i++) {
                if (&cluster->nodes[i] != leader) {
                    cluster->nodes[i].leads = false;
                    cluster->nodes[i].hint = prng_below(&prng, FAKE_NODE_COUNT + 1);
                }
            }
        }
        CHECK(!watcher.is_broken);
    }
    CHECK_EQUAL(watcher.committed, COUNT);
    CHECK_EQUAL(watcher.receipt, COUNT);
    CHECK_EQUAL(watcher.refused_count, 0);
    CHECK_EQUAL(tally_in_flight(client), 0);
    check_values(cluster, fake_leader(cluster), COUNT);
    finish(cluster, client);
}

static void every_entry_once_through_chaos(void)
{
    for (uint64_t seed = 1; seed <= 120; seed++) {
        publish_through_chaos(seed);
    }
}

static void a_kept_source_goes_on_where_it_stood(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    cluster->source_sequence_before = 40;
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){.source_id = 5});
    fake_elect(cluster, 2, 0, true);
    uint64_t sequence = 9;
    CHECK_EQUAL(publish_value(client, 1, &sequence), TALLY_OK);
    CHECK_EQUAL(sequence, 0); /* nobody knows yet */
    run(cluster, client, 5);
    CHECK_EQUAL(watcher.committed, 41);
    CHECK_EQUAL(publish_value(client, 2, &sequence), TALLY_OK);
    CHECK_EQUAL(sequence, 42);
    run(cluster, client, 5);
    CHECK_EQUAL(watcher.committed, 42);
    CHECK(!watcher.is_broken);
    check_values(cluster, &cluster->nodes[1], 2);
    finish(cluster, client);
}

static void a_kept_source_settles_first(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    cluster->source_sequence_before = 40;
    struct tally_client *client =
        open_client(cluster, &watcher, &(struct tally_options){.source_id = 5, .settle_ns = 100 * MS});
    fake_elect(cluster, 2, 0, true);
    publish_values(client, 1, 1);
    run(cluster, client, 90);
    CHECK_EQUAL(cluster->nodes[0].publish_frame_count + cluster->nodes[1].publish_frame_count, 0);
    CHECK_EQUAL(watcher.committed, 0);
    run(cluster, client, 40);
    CHECK_EQUAL(watcher.committed, 41);
    finish(cluster, client);
}

static void what_no_leader_would_take_gets_no_number(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    static uint8_t blocks[2000] = {0, 3, 'a', 'b', 'c', 0, 1, 'd'};
    uint64_t sequence = 0;
    CHECK_EQUAL(tally_publish(client, blocks, 8, 2, &sequence), TALLY_OK);
    CHECK_EQUAL(tally_publish(client, blocks, 8, 1, &sequence), TALLY_MALFORMED);
    CHECK_EQUAL(tally_publish(client, blocks, 8, 3, &sequence), TALLY_MALFORMED);
    CHECK_EQUAL(tally_publish(client, blocks, 7, 2, &sequence), TALLY_MALFORMED);
    CHECK_EQUAL(tally_publish(client, blocks, 0, 0, &sequence), TALLY_MALFORMED);
    CHECK_EQUAL(tally_publish(client, blocks, 0, 1, &sequence), TALLY_MALFORMED);
    CHECK_EQUAL(tally_publish(client, blocks, 8, 65538, &sequence), TALLY_MALFORMED);
    CHECK_EQUAL(tally_publish(client, blocks, 1261, 2, &sequence), TALLY_TOO_LARGE);
    CHECK_EQUAL(tally_publish_message(client, blocks, 0, &sequence), TALLY_MALFORMED);
    CHECK_EQUAL(tally_publish_message(client, blocks, 1259, &sequence), TALLY_TOO_LARGE);
    CHECK_EQUAL(sequence, 1);
    CHECK_EQUAL(tally_publish_message(client, blocks, 1258, &sequence), TALLY_OK);
    CHECK_EQUAL(sequence, 2);
    finish(cluster, client);
}

static void a_full_ring_says_busy(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){.in_flight_max = 3});
    uint64_t sequence = 0;
    publish_values(client, 1, 3);
    CHECK_EQUAL(publish_value(client, 4, &sequence), TALLY_BUSY);
    fake_elect(cluster, 1, 0, true);
    run(cluster, client, 3);
    CHECK_EQUAL(tally_in_flight(client), 0);
    publish_values(client, 4, 4);
    run(cluster, client, 3);
    check_values(cluster, &cluster->nodes[0], 4);
    finish(cluster, client);
}

static void a_redirection_is_followed_at_once(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    fake_elect(cluster, 3, 0, true);
    publish_values(client, 1, 1);
    run(cluster, client, 4);
    CHECK_EQUAL(watcher.committed, 1);
    CHECK_EQUAL(watcher.leader_id, 3);
    CHECK_EQUAL(cluster->nodes[0].publish_frame_count, 1);
    CHECK_EQUAL(cluster->nodes[1].publish_frame_count, 0);
    finish(cluster, client);
}

/* 50 frames are on the way when the first is lost: each of the other 49 draws a refusal, one makes us go
 * back. */
static void a_lost_frame_is_repaired_once(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client =
        open_client(cluster, &watcher, &(struct tally_options){.retry_ns = 1000 * MS});
    fake_elect(cluster, 1, 0, true);
    publish_values(client, 1, 1);
    run(cluster, client, 3);
    cluster->delay_ns = 100 * MS;
    cluster->drop_publish_after = 1;
    for (uint64_t value = 2; value <= 51; value++) {
        publish_values(client, value, value);
        run(cluster, client, 1);
    }
    run(cluster, client, 500);
    CHECK_EQUAL(watcher.committed, 51);
    CHECK(!watcher.is_broken);
    check_values(cluster, &cluster->nodes[0], 51);
    CHECK_EQUAL(cluster->nodes[0].entry_count, 1 + 49 + 50);
    finish(cluster, client);
}

static void a_lost_last_frame_is_found_by_asking(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client =
        open_client(cluster, &watcher, &(struct tally_options){.retry_ns = 20 * MS});
    fake_elect(cluster, 1, 0, true);
    publish_values(client, 1, 1);
    run(cluster, client, 3);
    cluster->drop_publish_after = 1;
    publish_values(client, 2, 2);
    run(cluster, client, 15);
    CHECK_EQUAL(watcher.committed, 1);
    run(cluster, client, 15);
    CHECK_EQUAL(watcher.committed, 2);
    CHECK_EQUAL(watcher.leader_count, 1);
    finish(cluster, client);
}

static void busy_means_a_pause(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client =
        open_client(cluster, &watcher, &(struct tally_options){.retry_ns = 1000 * MS});
    fake_elect(cluster, 1, 0, true);
    cluster->busy_count = 3;
    publish_values(client, 1, 5);
    run(cluster, client, 12);
    CHECK_EQUAL(watcher.committed, 5);
    CHECK_EQUAL(cluster->nodes[0].publish_frame_count, 1 + 3 + 1);
    CHECK(!watcher.is_broken);
    finish(cluster, client);
}

static void a_full_tape_refuses_all_that_is_not_logged(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    fake_elect(cluster, 1, 0, true);
    publish_values(client, 1, 2);
    run(cluster, client, 3);
    cluster->is_full = true;
    publish_values(client, 98, 99);
    run(cluster, client, 3);
    CHECK_EQUAL(watcher.refused_count, 2);
    CHECK_EQUAL(watcher.first_refused, 3);
    CHECK_EQUAL(watcher.refusal, TALLY_NO_SPACE);
    CHECK_EQUAL(watcher.problem, TALLY_NO_SPACE);
    CHECK_EQUAL(tally_in_flight(client), 0);
    cluster->is_full = false;
    publish_values(client, 3, 4);
    run(cluster, client, 40);
    CHECK_EQUAL(watcher.committed, 4);
    CHECK(!watcher.is_broken);
    check_values(cluster, &cluster->nodes[0], 4);
    finish(cluster, client);
}

/* Time in which nothing is committed. */
static void run_undecided(struct fake_cluster *cluster, struct tally_client *client, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        tally_poll(client);
        fake_step(cluster, MS);
    }
    tally_poll(client);
}

/* The leader before this one has the entries in its log, and leads again: were they told refused, that would
 * be false, and were their numbers used again, the new entries would be dropped as duplicates. */
static void what_an_earlier_leader_may_commit_is_not_refused(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    fake_elect(cluster, 1, 0, true);
    publish_values(client, 1, 2);
    run_undecided(cluster, client, 5);
    CHECK_EQUAL(cluster->nodes[0].log_count, 2);
    fake_elect(cluster, 2, 0, true);
    cluster->is_full = true;
    run_undecided(cluster, client, 60);
    publish_values(client, 98, 98); /* sent to the new leader only */
    run_undecided(cluster, client, 60);
    CHECK_EQUAL(watcher.given_up_count, 2);
    CHECK_EQUAL(watcher.refused_count, 1);
    CHECK_EQUAL(watcher.first_refused, 3);
    CHECK_EQUAL(watcher.refusal, TALLY_NO_SPACE);
    CHECK_EQUAL(tally_in_flight(client), 0);
    CHECK(watcher.problem_count < 4);
    const struct fake_entry kept[2] = {{1, 1}, {2, 2}};
    fake_elect(cluster, 1, 0, true);
    memcpy(cluster->nodes[0].log, kept, sizeof(kept));
    cluster->nodes[0].log_count = 2;
    cluster->is_full = false;
    uint64_t sequence = 0;
    CHECK_EQUAL(publish_value(client, 3, &sequence), TALLY_OK);
    CHECK_EQUAL(sequence, 3);
    run(cluster, client, 60);
    CHECK_EQUAL(watcher.committed, 3);
    CHECK_EQUAL(watcher.given_up_count, 2);
    check_values(cluster, &cluster->nodes[0], 3);
    finish(cluster, client);
}

/* A deposed leader that has not noticed gives a kept source numbers that the real one's log has already. */
static void numbers_from_a_deposed_leader_prove_nothing(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){.source_id = 5});
    fake_elect(cluster, 1, 0, true);
    fake_elect(cluster, 2, 0, false);
    for (uint64_t i = 0; i < 3; i++) { /* an earlier life's */
        cluster->nodes[1].log[i] = (struct fake_entry){i + 1, 901 + i};
    }
    cluster->nodes[1].log_count = 3;
    cluster->nodes[1].committed_count = 3;
    publish_values(client, 1, 2);
    run_undecided(cluster, client, 5);
    CHECK_EQUAL(cluster->nodes[0].log_count, 2);
    cluster->nodes[0].is_dead = true;
    run(cluster, client, 200);
    CHECK_EQUAL(watcher.committed, 0);
    CHECK_EQUAL(watcher.given_up_count, 2);
    publish_values(client, 3, 3);
    run(cluster, client, 20);
    CHECK_EQUAL(watcher.committed, 4);
    CHECK_EQUAL(cluster->nodes[1].log_count, 4);
    CHECK_EQUAL(cluster->nodes[1].log[3].value, 3);
    CHECK(!watcher.is_broken);
    finish(cluster, client);
}

static void a_refused_entry_takes_those_behind_it_along(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    fake_elect(cluster, 1, 0, true);
    cluster->refused_value = 66;
    publish_values(client, 1, 2);
    publish_values(client, 66, 68);
    run(cluster, client, 4);
    CHECK_EQUAL(watcher.committed, 2);
    CHECK_EQUAL(watcher.refused_count, 3);
    CHECK_EQUAL(watcher.first_refused, 3);
    CHECK_EQUAL(watcher.refusal, TALLY_TOO_LARGE);
    publish_values(client, 3, 4);
    run(cluster, client, 40);
    CHECK_EQUAL(watcher.refused_count, 3);
    check_values(cluster, &cluster->nodes[0], 4);
    finish(cluster, client);
}

/* It takes entries and says so, but what it has may be cut off. */
static void a_leader_of_an_older_term_is_not_followed(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    fake_elect(cluster, 1, 0, true);
    publish_values(client, 1, 1);
    run(cluster, client, 4);
    fake_elect(cluster, 2, 99, true);
    publish_values(client, 2, 2);
    run(cluster, client, 10);
    CHECK_EQUAL(watcher.leader_id, 2);
    CHECK_EQUAL(watcher.committed, 2);
    publish_values(client, 3, 3);
    tally_flush(client);
    struct message message = {.kind = MESSAGE_PUBLISH_REPLY, .message_id = client->message_id};
    message.publish_reply = (struct publish_reply){.source_id = client->publishing.source_id,
                                                   .leader_id = 1,
                                                   .term = cluster->nodes[1].term - 1,
                                                   .wanted_source_sequence = 4,
                                                   .logged_source_sequence = 3,
                                                   .logged_index = 4};
    fake_say(&cluster->nodes[0], &message);
    tally_poll(client);
    CHECK_EQUAL(watcher.receipt, 2);
    CHECK_EQUAL(watcher.leader_id, 2);
    CHECK_EQUAL(client->publishing.node, 1);
    finish(cluster, client);
}

static void given_up_entries_hear_no_more(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client =
        open_client(cluster, &watcher, &(struct tally_options){.give_up_ns = 100 * MS});
    publish_values(client, 1, 2);
    run(cluster, client, 120);
    CHECK_EQUAL(watcher.given_up_count, 2);
    CHECK_EQUAL(watcher.problem, TALLY_NO_LEADER);
    CHECK_EQUAL(tally_in_flight(client), 0);
    publish_values(client, 3, 3);
    fake_elect(cluster, 2, 0, true);
    run(cluster, client, 40);
    CHECK_EQUAL(watcher.given_up_count, 2);
    CHECK_EQUAL(watcher.committed, 3); /* its range begins at 3: watch_range sees no 1 or 2 */
    CHECK(!watcher.is_broken);
    check_values(cluster, &cluster->nodes[1], 3);
    finish(cluster, client);
}

static void an_entry_without_a_number_was_never_sent(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client =
        open_client(cluster, &watcher, &(struct tally_options){.source_id = 5, .give_up_ns = 100 * MS});
    publish_values(client, 8, 9);
    run(cluster, client, 120);
    CHECK_EQUAL(watcher.refused_count, 2);
    CHECK_EQUAL(watcher.refusal, TALLY_NO_LEADER);
    publish_values(client, 1, 1);
    fake_elect(cluster, 2, 0, true);
    run(cluster, client, 40);
    CHECK_EQUAL(watcher.committed, 1);
    check_values(cluster, &cluster->nodes[1], 1);
    finish(cluster, client);
}

static void trouble_is_told_once(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    for (uint32_t i = 0; i < FAKE_NODE_COUNT; i++) {
        cluster->nodes[i].is_dead = true;
    }
    publish_values(client, 1, 1);
    run(cluster, client, 500);
    CHECK_EQUAL(watcher.problem, TALLY_UNREACHABLE);
    CHECK_EQUAL(watcher.problem_count, 1);
    for (uint32_t i = 0; i < FAKE_NODE_COUNT; i++) {
        cluster->nodes[i].is_dead = false;
        cluster->nodes[i].is_unknown_quorum = true;
    }
    run(cluster, client, 500);
    CHECK_EQUAL(watcher.problem, TALLY_UNKNOWN_QUORUM);
    CHECK_EQUAL(watcher.problem_count, 2);
    for (uint32_t i = 0; i < FAKE_NODE_COUNT; i++) {
        cluster->nodes[i].is_unknown_quorum = false;
    }
    fake_elect(cluster, 2, 0, true);
    run(cluster, client, 50);
    CHECK_EQUAL(watcher.committed, 1);
    finish(cluster, client);
}

static void a_silent_leader_is_left(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    fake_elect(cluster, 1, 0, true);
    publish_values(client, 1, 1);
    run(cluster, client, 5);
    fake_elect(cluster, 2, 99, true);
    cluster->nodes[0].is_dead = true;
    publish_values(client, 2, 2);
    run(cluster, client, 40);
    CHECK_EQUAL(watcher.committed, 2);
    CHECK_EQUAL(watcher.leader_id, 2);
    CHECK(!watcher.is_broken);
    finish(cluster, client);
}

/* What is not from an endpoint's node, or not about our source and quorum, changes nothing. */
static void strangers_are_not_believed(void)
{
    struct fake_cluster *cluster = fake_create(1);
    struct watcher watcher = {0};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){.source_id = 5});
    fake_elect(cluster, 1, 0, true);
    publish_values(client, 1, 3);
    tally_poll(client);
    fake_step(cluster, MS);
    tally_poll(client);
    struct message lie = {.kind = MESSAGE_PUBLISH_REPLY, .message_id = 1};
    lie.publish_reply = (struct publish_reply){
        .source_id = 6, .term = 9, .wanted_source_sequence = 4, .committed_source_sequence = 3};
    fake_say(&cluster->nodes[0], &lie);
    lie.publish_reply.source_id = 5;
    lie.quorum_number = 78;
    fake_say(&cluster->nodes[0], &lie);
    lie.quorum_number = 0;
    cluster->nodes[0].id = 3;
    fake_say(&cluster->nodes[0], &lie);
    cluster->nodes[0].id = 1;
    fake_inject(&cluster->nodes[0], "not a frame", 11);
    fake_step(cluster, 0);
    tally_poll(client);
    CHECK_EQUAL(watcher.committed, 0);
    CHECK_EQUAL(client->verdict_count[FRAME_BAD_IDENTITY], 2);
    CHECK_EQUAL(client->verdict_count[FRAME_SHORT], 1);
    finish(cluster, client);
}

static const struct test_case cases[] = {
    {"entries are committed in order, receipts first", entries_are_committed_in_order},
    {"every entry is in the log once and told once through loss, doubling, reordering and leader changes",
     every_entry_once_through_chaos},
    {"a kept source goes on where it stood", a_kept_source_goes_on_where_it_stood},
    {"a kept source is not numbered before what its earlier life sent has arrived or is lost",
     a_kept_source_settles_first},
    {"what no leader would take is refused before it has a number", what_no_leader_would_take_gets_no_number},
    {"with in_flight_max entries undecided the next is refused as busy", a_full_ring_says_busy},
    {"a redirection is followed at once", a_redirection_is_followed_at_once},
    {"a lost frame is sent again once within a round trip", a_lost_frame_is_repaired_once},
    {"a lost last frame is found by asking after retry_ns", a_lost_last_frame_is_found_by_asking},
    {"a busy leader is left alone for a moment and loses nothing", busy_means_a_pause},
    {"a full tape refuses all that is not logged, and the numbers are used again",
     a_full_tape_refuses_all_that_is_not_logged},
    {"a refused entry takes those behind it along, and the numbers are used again",
     a_refused_entry_takes_those_behind_it_along},
    {"what an earlier leader may still commit is given up, not refused, and keeps its number",
     what_an_earlier_leader_may_commit_is_not_refused},
    {"numbers from a deposed leader prove nothing of what is committed under them",
     numbers_from_a_deposed_leader_prove_nothing},
    {"a leader of an older term is neither followed nor believed", a_leader_of_an_older_term_is_not_followed},
    {"an entry given up is told once, and nothing more of it", given_up_entries_hear_no_more},
    {"an entry that never had a number is refused, not unknown", an_entry_without_a_number_was_never_sent},
    {"trouble is told once until it changes", trouble_is_told_once},
    {"a silent leader is left for the next", a_silent_leader_is_left},
    {"answers of strangers, of other sources and of other quorums change nothing",
     strangers_are_not_believed},
};

TEST_MAIN(cases)
