/* SPDX-License-Identifier: Apache-2.0 */
#include "log_damage.h"

#include "fake_device.h"
#include "tape_layout.h"
#include "test.h"

#define CHUNK_BYTES   (16u << 10)
#define SIZE_BYTES    (16u * CHUNK_BYTES)
#define QUORUM        9
#define PAYLOAD_BYTES 1000
#define SPAN_BYTES    1536 /* one such record, its block head, and the padding of both */
#define RANGES_MAX    8

static struct arena arena;
static struct fake_device *fake;
static struct tape *tape;
static struct log_damage ranges[RANGES_MAX];
static unsigned range_count;
static uint64_t salvaged[64]; /* indexes, in order */
static unsigned salvaged_count;

static void append(uint64_t index)
{
    int error = 0;
    uint8_t *place = tape_reserve(tape, PAYLOAD_BYTES, false, &error);
    CHECK(place != NULL);
    memset(place + RECORD_HEAD_BYTES, (int)index, PAYLOAD_BYTES);
    struct record_head head = {.type = RECORD_DATA, .quorum_number = QUORUM, .index = index, .term = 1};
    record_finish(place, &head, PAYLOAD_BYTES);
    tape_append(tape);
}

static void flush(void)
{
    while (tape_durable_position(tape) != tape_append_position(tape)) {
        tape_submit(tape, 1);
        tape_poll(tape, 1);
    }
}

/* A tape whose entries 1 .. `count` take a block each; seven of them, from block 2 on, are in chunk 1. */
static void start(uint64_t count)
{
    struct fake_device_options device = {tape_device_bytes(SIZE_BYTES), 512, false};
    struct tape_identity identity = {.cluster_id = 1, .node_id = 2, .incarnation = 3, .log_name = "main"};
    struct tape_format_options format = {.identity = identity,
                                         .size_bytes = SIZE_BYTES,
                                         .chunk_bytes = CHUNK_BYTES,
                                         .sync = TAPE_SYNC_FDATASYNC};
    struct tape_options options = {
        .identity = identity, .memory_chunks = 4, .reader_chunks = 2, .write_bytes_max = CHUNK_BYTES / 2};
    struct tape_report report;
    fake = fake_device_create(&device);
    arena_init(&arena);
    CHECK_EQUAL(tape_format(fake_device_port(fake), &format), 0);
    CHECK_EQUAL(tape_open(&arena, fake_device_port(fake), &options, NULL, NULL, &tape, &report), TAPE_OPEN);
    for (uint64_t index = 1; index <= count; index++) {
        append(index);
        flush();
    }
    CHECK_EQUAL(tape_close(tape), 0);
}

static void end(void)
{
    arena_fini(&arena);
    fake_device_destroy(fake);
}

static uint64_t block_offset(unsigned chunk, unsigned block)
{
    return TAPE_DATA_OFFSET + (chunk - 1) * CHUNK_BYTES + CHUNK_HEAD_SPACE_BYTES + block * SPAN_BYTES;
}

static void spoil(uint64_t offset, size_t byte_count)
{
    memset(fake_device_bytes(fake) + offset, 0xa5, byte_count);
    fake_device_touch(fake, offset & ~511ull, byte_count + 512);
}

static void note_record(void *context, const struct record_head *head, const uint8_t *payload,
                        uint64_t position)
{
    (void)context;
    (void)payload;
    (void)position;
    CHECK(salvaged_count < 64);
    salvaged[salvaged_count++] = head->index;
}

static void note_range(void *context, const struct log_damage *damage)
{
    (void)context;
    CHECK(range_count < RANGES_MAX);
    ranges[range_count++] = *damage;
}

/* The walk must call it damaged; then the ranges. */
static void survey(void)
{
    struct tape_report report = {0};
    range_count = 0;
    salvaged_count = 0;
    CHECK_EQUAL(tape_scan(fake_device_port(fake), NULL, NULL, &report), TAPE_DAMAGED);
    CHECK_EQUAL(
        log_damage_survey(fake_device_port(fake), report.damage_offset, note_record, note_range, NULL), 0);
}

static void one_block(void)
{
    start(20);
    spoil(block_offset(1, 2) + 8, 4); /* in its head: the record is whole */
    survey();
    CHECK_EQUAL(range_count, 1);
    CHECK_EQUAL(ranges[0].device_offset, block_offset(1, 2));
    CHECK_EQUAL(ranges[0].byte_count, SPAN_BYTES);
    CHECK_EQUAL(ranges[0].chunk_sequence, 1);
    CHECK_EQUAL(ranges[0].first_block, 4);
    CHECK_EQUAL(ranges[0].last_block, 4);
    CHECK_EQUAL(ranges[0].announced_records, 1);
    CHECK_EQUAL(ranges[0].readable_records, 1);
    CHECK_EQUAL(salvaged[0], 3);
    end();
}

static void two_ranges(void)
{
    start(20);
    spoil(block_offset(1, 1), 2 * SPAN_BYTES);
    spoil(block_offset(2, 3) + 200, 1);
    survey();
    CHECK_EQUAL(range_count, 2);
    CHECK_EQUAL(ranges[0].byte_count, 2 * SPAN_BYTES);
    CHECK_EQUAL(ranges[0].first_block, 3);
    CHECK_EQUAL(ranges[0].last_block, 4);
    CHECK_EQUAL(ranges[0].announced_records, 0);
    CHECK_EQUAL(ranges[0].readable_records, 0);
    CHECK_EQUAL(ranges[1].device_offset, block_offset(2, 3));
    CHECK_EQUAL(ranges[1].byte_count, SPAN_BYTES);
    CHECK_EQUAL(ranges[1].first_block, ranges[1].last_block);
    CHECK_EQUAL(ranges[1].announced_records, 1);
    end();
}

static void chunk_head(void)
{
    start(20);
    spoil(TAPE_DATA_OFFSET + CHUNK_BYTES, 64);
    survey();
    CHECK_EQUAL(range_count, 1);
    CHECK_EQUAL(ranges[0].device_offset, TAPE_DATA_OFFSET + CHUNK_BYTES);
    CHECK_EQUAL(ranges[0].byte_count, CHUNK_HEAD_SPACE_BYTES);
    CHECK_EQUAL(ranges[0].chunk_sequence, 2);
    CHECK_EQUAL(ranges[0].first_block, ranges[0].last_block);
    end();
}

/* A block at the end of a chunk was never written: the next chunk's head says that there was one. */
static void lost_write(void)
{
    start(20);
    uint64_t last = block_offset(1, 6);
    memset(fake_device_bytes(fake) + last, 0, SPAN_BYTES);
    fake_device_touch(fake, last, SPAN_BYTES);
    survey();
    CHECK_EQUAL(range_count, 1);
    CHECK_EQUAL(ranges[0].device_offset, last);
    CHECK_EQUAL(ranges[0].first_block, 8);
    CHECK_EQUAL(ranges[0].last_block, 8);
    end();
}

static void first_chunk(void)
{
    start(20);
    spoil(TAPE_DATA_OFFSET, 64);
    survey();
    CHECK_EQUAL(range_count, 1);
    CHECK_EQUAL(ranges[0].device_offset, TAPE_DATA_OFFSET);
    CHECK_EQUAL(ranges[0].first_block, 1);
    CHECK_EQUAL(ranges[0].last_block, 1);
    end();
}

static const struct test_case cases[] = {
    {"a block with a bad head is told, and its record that is whole", one_block},
    {"two ranges in two chunks are told apart", two_ranges},
    {"a bad chunk head is one block", chunk_head},
    {"a write that was lost at the end of a chunk is told by the next one's head", lost_write},
    {"a bad first block of all is told", first_chunk},
};

TEST_MAIN(cases)
