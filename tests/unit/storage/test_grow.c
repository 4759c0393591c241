/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "tape_grow.h"
#include "tape_rig.h"
#include "tape_superblock.h"
#include "test.h"

#define GROWN_BYTES (2 * RIG_SIZE_BYTES)
#define ENTRIES     20u

static struct rig rig;
static struct tape_grow_report report;

/* A tape of RIG_SIZE_BYTES with entries, on a device that has room for twice as much. What lies behind the
 * tape is not zero, as on a partition. */
static void start(void)
{
    struct fake_device_options device = {tape_device_bytes(GROWN_BYTES), 512, false};
    struct tape_format_options format = {.identity = rig_identity(),
                                         .size_bytes = RIG_SIZE_BYTES,
                                         .chunk_bytes = RIG_CHUNK_BYTES,
                                         .sync = TAPE_SYNC_FDATASYNC};
    uint64_t behind = tape_device_bytes(RIG_SIZE_BYTES);
    rig = (struct rig){.fake = fake_device_create(&device), .now_ns = 1000000000};
    arena_init(&rig.arena);
    CHECK_EQUAL(tape_format(fake_device_port(rig.fake), &format), 0);
    memset(fake_device_bytes(rig.fake) + behind, 0xa5, RIG_SIZE_BYTES);
    fake_device_touch(rig.fake, behind, RIG_SIZE_BYTES);
}

static void fill(uint64_t first, uint64_t last)
{
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    for (uint64_t index = first; index <= last; index++) {
        CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, index, 1, 1000), 0);
        rig_flush(&rig);
    }
    CHECK_EQUAL(tape_close(rig.tape), 0);
}

static enum tape_growth grow(uint64_t size_bytes)
{
    struct tape_grow_options options = {.size_bytes = size_bytes};
    return tape_grow(fake_device_port(rig.fake), &options, &report);
}

static void count(void *context, const struct record_head *head, const uint8_t *payload, uint64_t position)
{
    uint64_t *counted = context;
    (void)payload;
    (void)position;
    *counted += record_type_is_entry(head->type);
}

/* Opens it; its size in bytes. */
static uint64_t open_and_count(uint64_t expected)
{
    uint64_t counted = 0;
    CHECK_EQUAL(rig_open(&rig, count, &counted), TAPE_OPEN);
    CHECK_EQUAL(counted, expected);
    return rig.report.size_bytes;
}

static void grows(void)
{
    start();
    fill(1, ENTRIES);
    CHECK_EQUAL(grow(GROWN_BYTES), TAPE_GROWN);
    CHECK_EQUAL(report.tape.record_count, ENTRIES);
    CHECK_EQUAL(report.tape.size_bytes, RIG_SIZE_BYTES);
    const uint8_t *bytes = fake_device_bytes(rig.fake);
    for (uint64_t at = tape_device_bytes(RIG_SIZE_BYTES); at < tape_device_bytes(GROWN_BYTES); at++) {
        CHECK(bytes[at] == 0);
    }
    CHECK_EQUAL(open_and_count(ENTRIES), GROWN_BYTES);
    CHECK_EQUAL(tape_close(rig.tape), 0);
    /* more than the old size held */
    fill(ENTRIES + 1, 130);
    CHECK_EQUAL(open_and_count(130), GROWN_BYTES);
    rig_fini(&rig);
}

static void empty_grows(void)
{
    start();
    CHECK_EQUAL(grow(RIG_SIZE_BYTES + RIG_CHUNK_BYTES), TAPE_GROWN);
    CHECK_EQUAL(open_and_count(0), RIG_SIZE_BYTES + RIG_CHUNK_BYTES);
    rig_fini(&rig);
}

static void refuses_sizes(void)
{
    start();
    fill(1, 3);
    CHECK_EQUAL(grow(RIG_SIZE_BYTES), TAPE_GROW_NOT_LARGER);
    CHECK_EQUAL(grow(RIG_SIZE_BYTES / 2), TAPE_GROW_NOT_LARGER);
    CHECK_EQUAL(grow(RIG_SIZE_BYTES + 512), TAPE_GROW_NOT_CHUNKS);
    CHECK_EQUAL(grow(GROWN_BYTES + RIG_CHUNK_BYTES), TAPE_GROW_NO_ROOM);
    CHECK_EQUAL(open_and_count(3), RIG_SIZE_BYTES);
    rig_fini(&rig);
}

/* The head of a chunk that stands in its slot, made that of another chunk. */
static void head_change(uint64_t slot, uint64_t sequence)
{
    uint64_t offset = TAPE_DATA_OFFSET + slot * RIG_CHUNK_BYTES;
    uint8_t *bytes = fake_device_bytes(rig.fake) + offset;
    struct block_head head = block_head_load(bytes);
    head.chunk_sequence = sequence;
    block_close(bytes, &head, CHUNK_HEAD_SPACE_BYTES);
    fake_device_touch(rig.fake, offset, CHUNK_HEAD_SPACE_BYTES);
}

static void refuses_laps(void)
{
    start();
    fill(1, 40); /* more than two chunks */
    head_change(0, 1 + RIG_CHUNK_COUNT);
    CHECK_EQUAL(grow(GROWN_BYTES), TAPE_GROW_HAS_WRAPPED);
    /* torn while it was written over */
    memset(fake_device_bytes(rig.fake) + TAPE_DATA_OFFSET, 0, 512);
    fake_device_touch(rig.fake, TAPE_DATA_OFFSET, 512);
    CHECK_EQUAL(grow(GROWN_BYTES), TAPE_GROW_HAS_WRAPPED);
    rig_fini(&rig);
}

static void refuses_damage(void)
{
    start();
    fill(1, ENTRIES);
    uint64_t offset = TAPE_DATA_OFFSET + CHUNK_HEAD_SPACE_BYTES;
    fake_device_bytes(rig.fake)[offset + 100] ^= 1;
    fake_device_touch(rig.fake, offset, 512);
    CHECK_EQUAL(grow(GROWN_BYTES), TAPE_GROW_NO_TAPE);
    CHECK_EQUAL(report.verdict, TAPE_DAMAGED);
    rig_fini(&rig);
}

/* Every operation of the growing is made the one that fails, one after the other. */
static void crashes(void)
{
    bool old_seen = false;
    bool new_seen = false;
    start();
    fill(1, ENTRIES);
    struct fake_device_options options = {tape_device_bytes(GROWN_BYTES), 512, false};
    struct fake_device *before = fake_device_create(&options);
    fake_device_copy(before, rig.fake);
    uint64_t done_from = fake_device_operations(rig.fake);
    CHECK_EQUAL(grow(GROWN_BYTES), TAPE_GROWN);
    uint64_t total = fake_device_operations(rig.fake) - done_from;
    CHECK(total > 4);
    for (uint64_t n = 0; n < total; n++) {
        fake_device_copy(rig.fake, before);
        fake_device_fail_from(rig.fake, n, -EIO);
        CHECK(grow(GROWN_BYTES) != TAPE_GROWN);
        fake_device_heal(rig.fake);
        uint64_t size_bytes = open_and_count(ENTRIES);
        CHECK(size_bytes == RIG_SIZE_BYTES || size_bytes == GROWN_BYTES);
        old_seen |= size_bytes == RIG_SIZE_BYTES;
        new_seen |= size_bytes == GROWN_BYTES; /* between the two copies */
    }
    CHECK(old_seen);
    CHECK(new_seen);
    fake_device_destroy(before);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"a grown tape keeps its entries, is zero behind and takes more", grows},
    {"an empty tape grows by one chunk", empty_grows},
    {"sizes that are not larger, not chunks, or more than the device are refused", refuses_sizes},
    {"a tape that has gone round is refused, even while its first chunk is torn", refuses_laps},
    {"a damaged tape is refused", refuses_damage},
    {"a crash at any operation leaves a good tape of the old size or the new", crashes},
};

TEST_MAIN(cases)
