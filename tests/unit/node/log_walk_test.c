/* SPDX-License-Identifier: Apache-2.0 */
#include "log_walk.h"

#include "fake_device.h"
#include "tape.h"
#include "test.h"

#define NUMBER      9
#define CHUNK_BYTES (16u << 10)
#define SIZE_BYTES  (16u * CHUNK_BYTES)

static struct arena arena;
static struct fake_device *fake;
static struct tape *tape;
static char seen[256]; /* "index.term " of each entry visited */

static void append(uint8_t type, uint64_t index, uint64_t term, const void *payload, size_t payload_bytes)
{
    int error = 0;
    uint8_t *place = tape_reserve(tape, payload_bytes, false, &error);
    CHECK(place != NULL);
    if (payload_bytes > 0) {
        memcpy(place + RECORD_HEAD_BYTES, payload, payload_bytes);
    }
    struct record_head head = {.type = type, .quorum_number = NUMBER, .index = index, .term = term};
    record_finish(place, &head, payload_bytes);
    tape_append(tape);
}

static void append_entry(uint64_t index, uint64_t term)
{
    append(RECORD_LEADER_START, index, term, NULL, 0);
}

/* A tape with the quorum "itch" and nothing in it. */
static void start(void)
{
    static const uint64_t voters[] = {1, 2, 3};
    struct fake_device_options device = {tape_device_bytes(SIZE_BYTES), 512, false};
    struct tape_identity identity = {.cluster_id = 1, .node_id = 2, .incarnation = 3, .log_name = "main"};
    struct tape_format_options format = {.identity = identity,
                                         .size_bytes = SIZE_BYTES,
                                         .chunk_bytes = CHUNK_BYTES,
                                         .sync = TAPE_SYNC_FDATASYNC};
    struct tape_options options = {
        .identity = identity, .memory_chunks = 4, .reader_chunks = 2, .write_bytes_max = CHUNK_BYTES / 2};
    struct tape_report report;
    struct configuration configuration;
    uint8_t payload[QUORUM_PAYLOAD_BYTES_MAX];
    fake = fake_device_create(&device);
    arena_init(&arena);
    CHECK_EQUAL(tape_format(fake_device_port(fake), &format), 0);
    CHECK_EQUAL(tape_open(&arena, fake_device_port(fake), &options, NULL, NULL, &tape, &report), TAPE_OPEN);
    CHECK(configuration_init_stable(&configuration, voters, 3));
    append(RECORD_QUORUM, 0, 0, payload, quorum_payload_encode(&configuration, "itch", payload));
}

static void see(void *context, const struct record_head *head, const uint8_t *payload, uint64_t position)
{
    (void)context;
    (void)payload;
    (void)position;
    size_t used = strlen(seen);
    snprintf(seen + used, sizeof(seen) - used, "%llu.%llu ", (unsigned long long)head->index,
             (unsigned long long)head->term);
}

static struct log_walk_result walk(const char *name, bool all)
{
    CHECK_EQUAL(tape_close(tape), 0);
    seen[0] = '\0';
    return log_walk(fake_device_port(fake), name, all, see, NULL);
}

static void end(void)
{
    arena_fini(&arena);
    fake_device_destroy(fake);
}

static void what_was_taken_back_is_not_visited(void)
{
    start();
    append(RECORD_HARD_STATE, 1, 3, NULL, 0);
    for (uint64_t index = 1; index <= 5; index++) {
        append_entry(index, 1);
    }
    append(RECORD_TRUNCATE, 4, 0, NULL, 0);
    append_entry(4, 2);
    append_entry(5, 2);
    append(RECORD_TRUNCATE, 5, 0, NULL, 0);
    append(RECORD_TRUNCATE, 3, 0, NULL, 0);
    append_entry(3, 3);
    append_entry(4, 3);
    struct log_walk_result result = walk("itch", true);
    CHECK(result.found);
    CHECK(!result.contradicted);
    CHECK_EQUAL(result.verdict, TAPE_OPEN);
    CHECK_EQUAL(result.last_index, 4);
    CHECK_EQUAL(result.visited_count, 4);
    CHECK_STRING(seen, "1.1 2.1 3.3 4.3 ");
    end();
}

static void only_what_is_committed_is_visited_unless_asked(void)
{
    static const uint8_t published[8] = {2};
    start();
    for (uint64_t index = 1; index <= 3; index++) {
        append_entry(index, 1);
    }
    append(RECORD_BOUNDS, 2, 0, published, sizeof(published));
    append_entry(4, 1);
    struct log_walk_result result = walk("itch", false);
    CHECK_EQUAL(result.commit_index, 2);
    CHECK_EQUAL(result.visited_count, 2);
    CHECK_STRING(seen, "1.1 2.1 ");
    end();
}

static void a_log_that_was_taken_back_whole_is_empty(void)
{
    start();
    append_entry(1, 1);
    append(RECORD_TRUNCATE, 1, 0, NULL, 0);
    struct log_walk_result result = walk("itch", true);
    CHECK(result.found);
    CHECK_EQUAL(result.last_index, 0);
    CHECK_STRING(seen, "");
    end();
}

static void what_is_wrong_is_said(void)
{
    start();
    append_entry(1, 1);
    append_entry(3, 1);
    CHECK(walk("itch", true).contradicted);
    CHECK(!log_walk(fake_device_port(fake), "cash", true, see, NULL).found);
    end();
}

static const struct test_case cases[] = {
    {"what a later truncation took back is not visited", what_was_taken_back_is_not_visited},
    {"only what is known to be committed is visited unless all is asked for",
     only_what_is_committed_is_visited_unless_asked},
    {"a log that was taken back whole is empty", a_log_that_was_taken_back_whole_is_empty},
    {"a contradiction and an unknown quorum are said", what_is_wrong_is_said},
};

TEST_MAIN(cases)
