/* SPDX-License-Identifier: Apache-2.0 */
/* What several quorums on one host and one log owe each other; the scenarios have one. */
#include <errno.h>

#include "check.h"
#include "fake_log.h"
#include "fake_network.h"
#include "test.h"

#define MS           1000000u
#define TIMEOUT_NS   (150u * MS)
#define HEARTBEAT_NS (30u * MS)
#define LED          8u /* the quorum that node 1 leads */
#define FOLLOWED     7u

static struct arena arena;
static struct fake_log fake_log;
static struct fake_network network;
static struct host *host;
static uint64_t now_ns;
static uint64_t heartbeat_count;
static uint64_t news_delay_ns;

static uint64_t wall_ns(void *context)
{
    (void)context;
    return 1000;
}

static void start(uint64_t log_bytes)
{
    const struct host_options options = {
        .quorum_count_max = 2,
        .node_id = 1,
        .incarnation = 101,
        .election_timeout_ns = TIMEOUT_NS,
        .heartbeat_interval_ns = HEARTBEAT_NS,
        .retransmit_timeout_ns = 20u * MS,
        .disk_stall_limit_ns = 10 * TIMEOUT_NS,
        .commit_news_delay_ns = news_delay_ns,
        .random_seed = 1,
        .log = fake_log_port(&fake_log),
        .network = fake_network_port(&network),
        .wall_ns = wall_ns,
        .check_steps = true,
    };
    arena_init(&arena);
    fake_log_init(&fake_log, log_bytes);
    fake_network_init(&network);
    now_ns = 1000 * (uint64_t)MS;
    heartbeat_count = 0;
    host = host_create(&arena, &options);
}

static void stop(void)
{
    fake_network_fini(&network);
    fake_log_fini(&fake_log);
    arena_fini(&arena);
}

/* Of nodes 1 and 2, with entry 1. */
static uint32_t open_quorum(uint64_t number)
{
    static const uint64_t voters[] = {1, 2};
    const struct log_run run = {.first_index = 1};
    struct logged_configuration logged = {.index = 1};
    bool legal = configuration_init_stable(&logged.configuration, voters, 2);
    ASSERT(legal);
    const struct replicator_restart restart = {.term = 1,
                                               .last_index = 1,
                                               .runs = &run,
                                               .run_count = 1,
                                               .configurations = &logged,
                                               .configuration_count = 1};
    uint32_t slot = host_open_quorum(host, number, &restart, 0, now_ns);
    host_restore_peer(host, slot, 2, 102);
    return slot;
}

static void receive(uint32_t slot, const struct message *asked, struct message *reply)
{
    reply->in_reply = 1;
    reply->message_id = asked->message_id;
    reply->sender_id = 2;
    reply->receiver_id = 1;
    reply->quorum_number = asked->quorum_number;
    reply->incarnation = 102;
    host_receive(host, slot, reply, NULL, 0, now_ns);
}

/* Node 2 grants everything, and has whatever it is sent. */
static void answer(uint32_t slot, const struct message *asked)
{
    const struct replicator *replicator = host_replicator(host, slot);
    struct message reply = {0};
    if (asked->kind == MESSAGE_APPEND_ENTRIES) {
        heartbeat_count++;
        reply.kind = MESSAGE_APPEND_ENTRIES_REPLY;
        reply.append_entries_reply = (struct append_entries_reply){.term = asked->append_entries.term,
                                                                   .success = 1,
                                                                   .received_index = replicator->last_index,
                                                                   .durable_index = replicator->last_index};
    } else {
        reply.kind =
            asked->kind == MESSAGE_REQUEST_VOTE ? MESSAGE_REQUEST_VOTE_REPLY : MESSAGE_PRE_ELECTION_REPLY;
        reply.request_vote_reply.term = asked->request_vote.term;
        reply.request_vote_reply.granted = 1;
    }
    receive(slot, asked, &reply);
}

static void turn(void)
{
    static struct fake_message message;
    now_ns += MS;
    host_poll(host, now_ns);
    while (network.count > 0) {
        fake_network_take(&network, 0, &message);
        if (message.message.quorum_number == LED) {
            answer(host_find(host, LED), &message.message);
        }
    }
}

static void turns(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        turn();
        if (!fake_log.busy) {
            fake_log_persist(&fake_log);
        }
    }
}

static void busy_log(void)
{
    start(1u << 20);
    uint32_t led = open_quorum(LED);
    turns(2 * TIMEOUT_NS / MS + 10);
    CHECK_EQUAL(host_replicator(host, led)->role, REPLICATOR_LEADER);
    uint32_t followed = open_quorum(FOLLOWED);
    fake_log.busy = true;
    heartbeat_count = 0;
    turns(6 * TIMEOUT_NS / MS);
    CHECK_EQUAL(host_replicator(host, led)->role, REPLICATOR_LEADER);
    CHECK(heartbeat_count >= 6 * TIMEOUT_NS / HEARTBEAT_NS - 1);
    CHECK_EQUAL(host_replicator(host, followed)->poll_current, 0);
    fake_log.busy = false;
    turns(HEARTBEAT_NS / MS);
    CHECK_EQUAL(host_replicator(host, followed)->poll_current, 1);
    stop();
}

/* Entries of 60,000 bytes, 64 at a time, until the submission is refused. */
static int submit_until_refused(uint32_t slot)
{
    static const uint8_t body[60000];
    static struct host_entry entries[64];
    struct host_receipt receipt;
    int error;
    for (uint32_t i = 0; i < 64; i++) {
        entries[i] = (struct host_entry){.type = RECORD_DATA, .body = body, .body_bytes = sizeof(body)};
    }
    enum replicator_refusal refusal;
    while ((refusal = host_submit(host, slot, entries, 64, now_ns, &receipt, &error)) ==
           REPLICATOR_ACCEPTED) {
    }
    CHECK_EQUAL(refusal, REPLICATOR_BUSY);
    return error;
}

static void bounds_apart(void)
{
    start(UNCOMMITTED_BYTES_MAX + (16u << 20));
    uint32_t led = open_quorum(LED);
    turns(2 * TIMEOUT_NS / MS + 10);
    network.begin_fails = true; /* nobody hears of the entries, so that none is committed */
    CHECK_EQUAL(submit_until_refused(led), -EAGAIN);
    fake_log.busy = true;
    CHECK_EQUAL(submit_until_refused(led), -EAGAIN);
    stop();
    start(1u << 20);
    led = open_quorum(LED);
    turns(2 * TIMEOUT_NS / MS + 10);
    fake_log.busy = true;
    CHECK_EQUAL(submit_until_refused(led), -EBUSY);
    fake_log.busy = false;
    CHECK_EQUAL(submit_until_refused(led), -ENOSPC);
    stop();
}

/* Commits one more entry of a leader 100 us after it was submitted; nothing else has happened then. */
static void commit_one(uint32_t slot)
{
    static struct fake_message message;
    const struct host_entry entry = {.type = RECORD_DATA};
    struct host_receipt receipt;
    int error;
    CHECK_EQUAL(host_submit(host, slot, &entry, 1, now_ns, &receipt, &error), REPLICATOR_ACCEPTED);
    host_poll(host, now_ns);
    CHECK_EQUAL(network.count, 1);
    fake_network_take(&network, 0, &message);
    fake_log_persist(&fake_log);
    now_ns += MS / 10;
    answer(slot, &message.message);
    host_poll(host, now_ns);
    CHECK_EQUAL(host_replicator(host, slot)->commit_index, receipt.first_index);
}

static void news_of_a_commit(void)
{
    static struct fake_message message;
    news_delay_ns = MS / 2;
    start(1u << 20);
    uint32_t led = open_quorum(LED);
    turns(2 * TIMEOUT_NS / MS + 10);
    CHECK_EQUAL(host_replicator(host, led)->role, REPLICATOR_LEADER);
    commit_one(led);
    CHECK_EQUAL(network.count, 0);
    CHECK_EQUAL(host_deadline_ns(host), now_ns + news_delay_ns);
    commit_one(led); /* its append carries the news */
    CHECK_EQUAL(network.count, 0);
    now_ns += news_delay_ns;
    host_poll(host, now_ns);
    CHECK_EQUAL(network.count, 1);
    fake_network_take(&network, 0, &message);
    CHECK_EQUAL(message.tail_bytes, 0);
    CHECK_EQUAL(message.message.append_entries.commit_index, host_replicator(host, led)->commit_index);
    stop();
    news_delay_ns = 0;
    start(1u << 20);
    led = open_quorum(LED);
    turns(2 * TIMEOUT_NS / MS + 10);
    commit_one(led);
    CHECK_EQUAL(network.count, 1); /* in the turn of the commit */
    stop();
}

static const struct test_case cases[] = {
    {"the news of a commit goes with the next entries, or after its delay without any", news_of_a_commit},
    {"a quorum at its own bound is told apart from a log that has no room for anybody", bounds_apart},
    {"a follower that waits for a busy log does not silence the leader beside it", busy_log},
};

TEST_MAIN(cases)
