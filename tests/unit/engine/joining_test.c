/* SPDX-License-Identifier: Apache-2.0 */
/* Who may join which quorum by a leader's first entry, and who may not. */
#include "check.h"
#include "engine.h"
#include "fake_device.h"
#include "quorum_number.h"
#include "recovery.h"
#include "test.h"

#define CLUSTER     77u
#define CHUNK_BYTES 65536u
#define TAPE_BYTES  (8u * CHUNK_BYTES)

static struct arena arena;
static struct fake_device *fake;
static struct engine *engine;
static uint64_t now_ns;
static uint64_t replies_for_beginning;
static const uint64_t voters[] = {1, 2, 3};
static const uint64_t other_voters[] = {1, 2, 4};

static uint8_t *port_begin(void *context, uint64_t node_id, const struct engine_channel *channel,
                           unsigned lane, uint32_t *ret_capacity_bytes)
{
    static uint8_t frame[4096];
    (void)context;
    (void)node_id;
    (void)channel;
    (void)lane;
    *ret_capacity_bytes = sizeof(frame);
    return frame;
}

static void port_send(void *context, const struct message *message, uint32_t tail_bytes)
{
    (void)context;
    (void)tail_bytes;
    replies_for_beginning +=
        message->kind == MESSAGE_APPEND_ENTRIES_REPLY && message->append_entries_reply.next_index_hint == 1;
}

static uint64_t wall_ns(void *context)
{
    (void)context;
    return 1000;
}

static struct tape_options tape_options_of(void)
{
    return (struct tape_options){.identity = {.cluster_id = CLUSTER, .node_id = 1, .log_name = "main"},
                                 .memory_chunks = 4,
                                 .reader_chunks = 2,
                                 .write_bytes_max = CHUNK_BYTES / 2,
                                 .boot_id = 1};
}

static void format(void)
{
    const struct fake_device_options device = {tape_device_bytes(TAPE_BYTES), 512, false};
    struct tape_format_options options = {.identity = tape_options_of().identity,
                                          .size_bytes = TAPE_BYTES,
                                          .chunk_bytes = CHUNK_BYTES,
                                          .sync = TAPE_SYNC_FDATASYNC};
    options.identity.incarnation = 11;
    fake = fake_device_create(&device);
    int error = tape_format(fake_device_port(fake), &options);
    ASSERT(error == 0);
    now_ns = 1000000000;
    replies_for_beginning = 0;
}

static void open_engine(void)
{
    const struct engine_options options = {.cluster_id = CLUSTER,
                                           .node_id = 1,
                                           .election_timeout_ns = 150000000,
                                           .heartbeat_interval_ns = 30000000,
                                           .retransmit_timeout_ns = 20000000,
                                           .disk_stall_limit_ns = 2000000000,
                                           .random_seed = 1,
                                           .quorum_count_max = 4,
                                           .data_blocks_bytes_max = DATA_BLOCKS_BYTES_MAX,
                                           .tape = tape_options_of(),
                                           .device = fake_device_port(fake),
                                           .port = {.begin = port_begin, .send = port_send},
                                           .wall_ns = wall_ns};
    struct tape_report report;
    arena_init(&arena);
    enum tape_verdict verdict = engine_create(&arena, &options, now_ns, &engine, &report);
    ASSERT(verdict == TAPE_OPEN);
}

static void close_engine(void)
{
    arena_fini(&arena);
    fake_device_destroy(fake);
}

static uint64_t number_of(const uint64_t *ids)
{
    return quorum_number(CLUSTER, "itch", 4, ids, 3);
}

/* Entry 1 of quorum "itch" with that set; returns its padded size. */
static uint32_t make_entry(uint8_t *bytes, uint8_t type, const uint64_t *ids)
{
    struct configuration configuration;
    bool legal = configuration_init_stable(&configuration, ids, 3);
    ASSERT(legal);
    size_t payload_bytes = quorum_payload_encode(&configuration, "itch", bytes + RECORD_HEAD_BYTES);
    const struct record_head head = {
        .type = type, .quorum_number = number_of(ids), .index = type == RECORD_CONFIGURATION};
    return (uint32_t)record_finish(bytes, &head, payload_bytes);
}

static void turn(void)
{
    engine_end(engine);
    engine_write_log(engine);
    now_ns += 1000000;
    engine_begin(engine, now_ns);
}

/* Leader 2 of term 1 sends, twice: the first contact is only noted. */
static void receive_append(uint64_t prev, const uint64_t *ids, bool with_entry)
{
    uint8_t tail[512];
    uint32_t tail_bytes = with_entry ? make_entry(tail, RECORD_CONFIGURATION, ids) : 0;
    struct message message = {.kind = MESSAGE_APPEND_ENTRIES,
                              .message_id = now_ns,
                              .sender_id = 2,
                              .receiver_id = 1,
                              .quorum_number = number_of(ids),
                              .incarnation = 22};
    const struct engine_channel channel = {0};
    message.append_entries.term = 1;
    message.append_entries.leader_id = 2;
    message.append_entries.prev_log_index = prev;
    for (unsigned i = 0; i < 2; i++) {
        CHECK(engine_receive(engine, &message, tail, tail_bytes, &channel, 0));
        turn();
        turn();
    }
}

static uint32_t quorum_count(void)
{
    uint64_t number;
    char name[QUORUM_NAME_BYTES_MAX + 1];
    uint32_t count = 0;
    while (engine_quorum_at(engine, count, &number, name)) {
        count++;
    }
    return count;
}

static unsigned events_of(uint32_t kind)
{
    unsigned count = 0;
    struct engine_event event;
    while (engine_next_event(engine, &event)) {
        count += event.event.kind == kind;
    }
    return count;
}

static void test_joins(void)
{
    format();
    open_engine();
    receive_append(7, voters, false);
    CHECK_EQUAL(replies_for_beginning, 2);
    CHECK_EQUAL(quorum_count(), 0);
    receive_append(0, voters, true);
    CHECK_EQUAL(quorum_count(), 1);
    CHECK_EQUAL(host_replicator(engine_host(engine), 0)->last_index, 1);
    close_engine();
}

static void test_name_taken(void)
{
    format();
    open_engine();
    receive_append(0, voters, true);
    receive_append(0, other_voters, true);
    CHECK_EQUAL(quorum_count(), 1);
    CHECK_EQUAL(events_of(EVENT_NAME_TAKEN), 1); /* once, however often it comes */
    close_engine();
}

/* The tape of a quorum with a hole behind entry 1. */
static void write_contradiction(void)
{
    uint8_t *place;
    int error = 0;
    struct tape *tape;
    struct tape_report report;
    const struct tape_options options = tape_options_of();
    const struct record_head hole = {
        .type = RECORD_LEADER_START, .quorum_number = number_of(voters), .index = 7, .term = 1};
    arena_init(&arena);
    enum tape_verdict verdict =
        tape_open(&arena, fake_device_port(fake), &options, NULL, NULL, &tape, &report);
    ASSERT(verdict == TAPE_OPEN);
    place = tape_reserve(tape, QUORUM_PAYLOAD_BYTES_MAX, true, &error);
    make_entry(place, RECORD_QUORUM, voters);
    tape_append(tape);
    place = tape_reserve(tape, QUORUM_PAYLOAD_BYTES_MAX, true, &error);
    make_entry(place, RECORD_CONFIGURATION, voters);
    tape_append(tape);
    place = tape_reserve(tape, 0, true, &error);
    record_finish(place, &hole, 0);
    tape_append(tape);
    error = tape_close(tape);
    ASSERT(error == 0);
    arena_fini(&arena);
}

static void test_contradicted(void)
{
    format();
    write_contradiction();
    open_engine();
    CHECK_EQUAL(quorum_count(), 1);
    CHECK_EQUAL(host_replicator(engine_host(engine), 0)->role, REPLICATOR_FAILED);
    CHECK_EQUAL(events_of(EVENT_QUORUM_FAILURE), 1);
    receive_append(7, voters, false);
    receive_append(0, voters, true);
    CHECK_EQUAL(replies_for_beginning, 0);
    CHECK_EQUAL(quorum_count(), 1);
    CHECK_EQUAL(host_replicator(engine_host(engine), 0)->last_index, 0);
    close_engine();
}

static const struct test_case cases[] = {
    {"a node that does not know a quorum asks for its first entry and joins by it", test_joins},
    {"a name that is known under another number is not joined, and that is said once (rule 8)",
     test_name_taken},
    {"a quorum whose tape contradicts itself is not joined anew", test_contradicted},
};

TEST_MAIN(cases)
