/* SPDX-License-Identifier: Apache-2.0 */
#include "client_watcher.h"

/* A leader whose log holds values 1..count, all committed. */
static struct fake_cluster *create_filled(uint64_t seed, uint32_t count)
{
    struct fake_cluster *cluster = fake_create(seed);
    fake_elect(cluster, 1, 0, true);
    struct fake_node *leader = fake_leader(cluster);
    for (uint32_t i = 0; i < count; i++) {
        leader->log[i] = (struct fake_entry){.sequence = i + 1, .value = i + 1};
    }
    leader->log_count = count;
    leader->committed_count = count;
    return cluster;
}

static void check_delivered(const struct watcher *watcher, uint32_t first_value, uint32_t count)
{
    CHECK(!watcher->is_broken);
    CHECK_EQUAL(watcher->value_count, count);
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQUAL(watcher->values[i], first_value + i);
    }
}

static void records_arrive_in_order(void)
{
    struct fake_cluster *cluster = create_filled(1, 100);
    struct watcher watcher = {.next_index = 1};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    CHECK_EQUAL(tally_subscribe(client, 1, 2), TALLY_OK);
    run(cluster, client, 40);
    check_delivered(&watcher, 1, 100);
    CHECK_EQUAL(watcher.next_index, 102); /* entry 1 is no data, and is delivered all the same */
    CHECK_EQUAL(cluster->nodes[1].subscribe_count, 1);
    CHECK_EQUAL(cluster->nodes[1].acknowledged_index, 102);
    CHECK_EQUAL(cluster->nodes[1].resend_count, 0);
    finish(cluster, client);
}

static void a_subscription_begins_where_it_was_asked_to(void)
{
    struct fake_cluster *cluster = create_filled(1, 100);
    struct watcher watcher = {.next_index = 52};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    CHECK_EQUAL(tally_subscribe(client, 52, 0), TALLY_OK);
    run(cluster, client, 40);
    check_delivered(&watcher, 51, 50);
    finish(cluster, client);
}

static void nothing_is_missing_through_chaos(void)
{
    enum { COUNT = 400 };
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct fake_cluster *cluster = create_filled(seed, COUNT);
        struct prng prng = {seed * 17 + 3};
        struct watcher watcher = {.next_index = 1};
        struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
        cluster->loss_percent = (uint32_t)prng_below(&prng, 30);
        cluster->double_percent = (uint32_t)prng_below(&prng, 20);
        cluster->delay_max_ns = prng_below(&prng, 8 * MS);
        CHECK_EQUAL(tally_subscribe(client, 1, 0), TALLY_OK);
        for (uint32_t step = 0; watcher.value_count < COUNT && step < 60000; step++) {
            cluster->damage_next |= prng_below(&prng, 40) == 0;
            if (prng_below(&prng, 300) == 0) {
                struct fake_node *node = &cluster->nodes[prng_below(&prng, FAKE_NODE_COUNT)];
                node->is_dead = !node->is_dead;
            }
            tally_poll(client);
            fake_step(cluster, MS / 2);
        }
        check_delivered(&watcher, 1, COUNT);
        finish(cluster, client);
    }
}

static void a_gap_is_told_once_in_a_while(void)
{
    struct fake_cluster *cluster = create_filled(1, 10);
    struct watcher watcher = {.next_index = 1};
    struct fake_node *node = &cluster->nodes[0];
    struct tally_client *client =
        open_client(cluster, &watcher, &(struct tally_options){.retry_ns = 20 * MS});
    CHECK_EQUAL(tally_subscribe(client, 1, 1), TALLY_OK);
    run(cluster, client, 5);
    check_delivered(&watcher, 1, 10);
    struct message message = {.kind = MESSAGE_DELIVER};
    message.deliver = (struct deliver){.subscriber_id = node->subscriber_id, .first_index = 15};
    uint64_t subscriber_id = node->subscriber_id;
    node->subscriber_id = 0; /* no more from the node itself */
    for (int i = 0; i < 10; i++) {
        fake_say(node, &message);
    }
    tally_poll(client);
    CHECK_EQUAL(node->to_node.count, 1);
    CHECK_EQUAL(client->subscription.gap_index, 12);
    node->to_node.count = 0; /* lost */
    run(cluster, client, 25);
    CHECK_EQUAL(client->subscription.gap_ns, cluster->now_ns - 5 * MS);
    node->subscriber_id = subscriber_id;
    check_delivered(&watcher, 1, 10);
    finish(cluster, client);
}

static void a_damaged_record_is_asked_for_again(void)
{
    struct fake_cluster *cluster = create_filled(1, 10);
    struct watcher watcher = {.next_index = 1};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    cluster->damage_next = true;
    CHECK_EQUAL(tally_subscribe(client, 1, 1), TALLY_OK);
    run(cluster, client, 10);
    check_delivered(&watcher, 1, 10);
    CHECK_EQUAL(cluster->nodes[0].resend_count, 1);
    finish(cluster, client);
}

static void a_heartbeat_is_answered(void)
{
    struct fake_cluster *cluster = create_filled(1, 10);
    struct watcher watcher = {.next_index = 1};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    CHECK_EQUAL(tally_subscribe(client, 1, 1), TALLY_OK);
    run(cluster, client, 10);
    uint64_t before = cluster->nodes[0].acknowledge_count;
    run(cluster, client, 500);
    CHECK_EQUAL(cluster->nodes[0].acknowledge_count, before + 10);
    finish(cluster, client);
}

static void any_node_means_another_one_when_it_is_lost(void)
{
    struct fake_cluster *cluster = create_filled(1, 50);
    struct watcher watcher = {.next_index = 1};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    CHECK_EQUAL(tally_subscribe(client, 1, 0), TALLY_OK);
    run(cluster, client, 2);
    CHECK(watcher.value_count > 0);
    CHECK(watcher.value_count < 50);
    uint32_t lost = client->subscription.node;
    cluster->nodes[lost].is_dead = true;
    run(cluster, client, 300);
    check_delivered(&watcher, 1, 50);
    CHECK(client->subscription.node != lost);
    finish(cluster, client);
}

static void a_named_node_is_waited_for(void)
{
    struct fake_cluster *cluster = create_filled(1, 50);
    struct watcher watcher = {.next_index = 1};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    CHECK_EQUAL(tally_subscribe(client, 1, 3), TALLY_OK);
    run(cluster, client, 2);
    cluster->nodes[2].is_dead = true;
    run(cluster, client, 300);
    CHECK(watcher.value_count < 50);
    CHECK_EQUAL(watcher.problem, TALLY_UNREACHABLE);
    CHECK_EQUAL(watcher.problem_count, 1);
    cluster->nodes[2].is_dead = false;
    cluster->nodes[2].subscriber_id = 0; /* restarted */
    run(cluster, client, 100);
    check_delivered(&watcher, 1, 50);
    finish(cluster, client);
}

static void behind_the_boundary_is_an_answer(void)
{
    struct fake_cluster *cluster = create_filled(1, 50);
    struct watcher watcher = {.next_index = 20};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    cluster->boundary_index = 20;
    CHECK_EQUAL(tally_subscribe(client, 1, 0), TALLY_OK);
    run(cluster, client, 40);
    CHECK_EQUAL(watcher.problem, TALLY_BEHIND_BOUNDARY);
    CHECK_EQUAL(watcher.problem_index, 20);
    CHECK_EQUAL(tally_subscribe(client, watcher.problem_index, 0), TALLY_OK);
    run(cluster, client, 40);
    check_delivered(&watcher, 19, 32);
    finish(cluster, client);
}

static void bad_arguments_are_refused(void)
{
    struct fake_cluster *cluster = create_filled(1, 1);
    struct watcher watcher = {.next_index = 1};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    CHECK_EQUAL(tally_subscribe(client, 0, 0), TALLY_MALFORMED);
    CHECK_EQUAL(tally_subscribe(client, 1, 4), TALLY_MALFORMED);
    finish(cluster, client);
}

static void a_subscriber_says_goodbye(void)
{
    struct fake_cluster *cluster = create_filled(1, 10);
    struct watcher watcher = {.next_index = 1};
    struct tally_client *client = open_client(cluster, &watcher, &(struct tally_options){0});
    CHECK_EQUAL(tally_subscribe(client, 1, 1), TALLY_OK);
    run(cluster, client, 5);
    CHECK(cluster->nodes[0].subscriber_id != 0);
    tally_close(client);
    fake_step(cluster, MS);
    CHECK_EQUAL(cluster->nodes[0].subscriber_id, 0);
    fake_destroy(cluster);
}

static const struct test_case cases[] = {
    {"records arrive in order, each once, acknowledged", records_arrive_in_order},
    {"a subscription begins where it was asked to", a_subscription_begins_where_it_was_asked_to},
    {"nothing is missing, doubled or damaged through loss, reordering, flipped bits and dying nodes",
     nothing_is_missing_through_chaos},
    {"a gap is told once, and again after retry_ns", a_gap_is_told_once_in_a_while},
    {"a damaged record is not delivered but asked for again", a_damaged_record_is_asked_for_again},
    {"a heartbeat is answered", a_heartbeat_is_answered},
    {"a subscription to any node goes on at another when that one is lost",
     any_node_means_another_one_when_it_is_lost},
    {"a subscription to a named node waits for it", a_named_node_is_waited_for},
    {"a subscription from behind the boundary is told the first index left",
     behind_the_boundary_is_an_answer},
    {"bad arguments are refused", bad_arguments_are_refused},
    {"a subscriber says goodbye", a_subscriber_says_goodbye},
};

TEST_MAIN(cases)
