/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a tape with any one bit flipped, cut off anywhere, or with any one operation failed. */
#include <errno.h>

#include "tape_life.h"
#include "test.h"

#define BLOCKS_MAX 64u

struct blocks {
    struct tape_block_view views[BLOCKS_MAX];
    uint32_t records_before[BLOCKS_MAX];
    unsigned count;
    uint32_t record_count;
};

static struct life life;

static void block_note(void *context, const struct tape_block_view *view)
{
    struct blocks *blocks = context;
    CHECK(blocks->count < BLOCKS_MAX);
    blocks->records_before[blocks->count] = blocks->record_count;
    blocks->views[blocks->count++] = *view;
    blocks->record_count += view->record_count;
}

/* A closed tape: blocks in two chunks, all of them known to be durable by the attest block at their end. */
static void small_tape(struct blocks *ret_blocks)
{
    bool good = false;
    struct tape_report report;
    *ret_blocks = (struct blocks){.count = 0};
    if (life.device) {
        life_end(&life);
    }
    CHECK(life_begin(&life, 5, TAPE_SYNC_FDATASYNC));
    CHECK_EQUAL(life_open(&life, &good), TAPE_OPEN);
    for (unsigned n = 0; n < 7 || life.records[life.count - 1].position < 2u * RIG_CHUNK_BYTES + 6000; n++) {
        struct rig rig = {.tape = life.tape};
        struct life_record *record = &life.records[life.count++];
        *record = (struct life_record){.type = RECORD_DATA,
                                       .quorum = RIG_QUORUM,
                                       .index = n + 1,
                                       .term = 1,
                                       .payload_bytes = n % 5 == 4 ? 7000 : 100 * (n % 7)};
        CHECK_EQUAL(rig_append_type(&rig, RECORD_DATA, record->quorum, record->index, 1,
                                    record->payload_bytes, false),
                    0);
        record->position = tape_append_position(life.tape);
        if (n % 3 != 0) {
            life_flush(&life);
        }
    }
    life_flush(&life);
    life.now_ns += 50000000;
    tape_poll(life.tape, life.now_ns);
    CHECK_EQUAL(record_device_pending(life.device), 1);
    record_device_complete(life.device, 0);
    tape_poll(life.tape, life.now_ns);
    record_device_forget(life.device);
    CHECK_EQUAL(tape_scan_blocks(record_device_port(life.device), block_note, NULL, ret_blocks, &report),
                TAPE_OPEN);
    CHECK_EQUAL(ret_blocks->record_count, life.count);
    CHECK_EQUAL(ret_blocks->views[ret_blocks->count - 1].kind, BLOCK_ATTEST);
    CHECK(ret_blocks->views[ret_blocks->count - 1].chunk_sequence >= 2);
}

/* The block whose checksum covers that byte of the device; count: none does. */
static unsigned block_at(const struct blocks *blocks, uint64_t offset)
{
    for (unsigned i = 0; i < blocks->count; i++) {
        const struct tape_block_view *view = &blocks->views[i];
        if (offset >= view->device_offset && offset < view->device_offset + view->length) {
            return i;
        }
    }
    return blocks->count;
}

static void flip(uint64_t offset, unsigned bit)
{
    uint8_t byte = record_device_bytes(life.device)[offset] ^ (uint8_t)(1u << bit);
    record_device_put(life.device, offset, &byte, 1);
}

static void flip_judge(const struct blocks *blocks, uint64_t offset, unsigned bit)
{
    uint32_t count;
    struct tape_report report;
    enum tape_verdict verdict;
    unsigned block = block_at(blocks, offset);
    bool in_attest = block == blocks->count - 1;
    record_device_keep(life.device);
    flip(offset, bit);
    bool good = life_comes_back(&life, life.device, 0, &count, &report, &verdict);
    record_device_go_back(life.device);
    record_device_forget(life.device);
    CHECK(good);
    if (block == blocks->count || in_attest) {
        CHECK_EQUAL(verdict, TAPE_OPEN);
        CHECK_EQUAL(count, life.count);
        CHECK(!in_attest || report.torn_bytes > 0);
    } else {
        CHECK_EQUAL(verdict, TAPE_DAMAGED);
        CHECK_EQUAL(report.damage_offset, blocks->views[block].device_offset);
        CHECK_EQUAL(count, blocks->records_before[block]);
    }
}

static void every_bit(void)
{
    struct blocks blocks;
    small_tape(&blocks);
    uint64_t end = blocks.views[blocks.count - 1].device_offset + 4096;
    uint64_t flips = 0;
    for (uint64_t offset = 0; offset < end; offset++) {
        bool superblock = offset < SUPERBLOCK_BYTES || (offset >= SUPERBLOCK_COPY_OFFSET &&
                                                        offset < SUPERBLOCK_COPY_OFFSET + SUPERBLOCK_BYTES);
        if (!superblock && offset < TAPE_DATA_OFFSET) {
            continue; /* nothing is read there */
        }
        for (unsigned bit = 0; bit < 8; bit++) {
            flip_judge(&blocks, offset, bit);
            flips++;
        }
    }
    printf("# %llu flips in %u blocks\n", (unsigned long long)flips, blocks.count);
}

static void both_superblocks(void)
{
    struct blocks blocks;
    uint32_t count;
    struct tape_report report;
    enum tape_verdict verdict;
    small_tape(&blocks);
    record_device_keep(life.device);
    flip(100, 0);
    flip(SUPERBLOCK_COPY_OFFSET + 2000, 7);
    CHECK(life_comes_back(&life, life.device, 0, &count, &report, &verdict));
    CHECK_EQUAL(verdict, TAPE_NOT_A_TAPE);
    CHECK_EQUAL(count, 0);
    record_device_go_back(life.device);
}

/* A file that was cut off, at every sector: what is missing is told before anything is written. */
static void every_length(void)
{
    struct blocks blocks;
    small_tape(&blocks);
    struct device *port = record_device_port(life.device);
    uint64_t whole = port->size_bytes;
    for (uint64_t length = 0; length < whole; length += RECORD_SECTOR_BYTES) {
        uint32_t count;
        struct tape_report report;
        enum tape_verdict verdict;
        port->size_bytes = length;
        CHECK(life_comes_back(&life, life.device, 0, &count, &report, &verdict));
        port->size_bytes = whole;
        CHECK_EQUAL(record_device_event_count(life.device), 0);
        CHECK(verdict == TAPE_TOO_SMALL || verdict == TAPE_NOT_A_TAPE || verdict == TAPE_READ_ERROR);
        CHECK(length < SUPERBLOCK_BYTES || verdict == TAPE_TOO_SMALL);
        record_device_forget(life.device);
    }
}

/* ---- operations that fail ---- */

/* A life of a format, three openings and what is between them, in which operation n fails. False: it did not
 * come to that operation. */
static bool life_with_failure(uint64_t n, int error, bool after)
{
    bool good = true;
    if (life.device) {
        life_end(&life);
    }
    life = (struct life){.device = record_device_create(tape_device_bytes(LIFE_SIZE_BYTES))};
    record_device_fail(life.device, n, error, after);
    bool formatted = life_begin(&life, 77, TAPE_SYNC_FDATASYNC);
    CHECK(formatted || record_device_has_failed(life.device));
    for (unsigned opening = 0; formatted && opening < 3 && !record_device_has_failed(life.device);
         opening++) {
        enum tape_verdict verdict = life_open(&life, &good);
        CHECK(good);
        CHECK(verdict == TAPE_OPEN || (verdict == TAPE_READ_ERROR && record_device_has_failed(life.device)) ||
              (verdict == TAPE_NOT_A_TAPE && record_device_has_failed(life.device)));
        for (unsigned i = 0; verdict == TAPE_OPEN && i < 60; i++) {
            life_step(&life);
        }
        if (verdict == TAPE_OPEN && opening != 1) {
            life_flush(&life);
        }
        record_device_crash(life.device, &life.prng);
    }
    return record_device_has_failed(life.device);
}

/* The tape stops at the failure and says so, and what it had called durable before is there afterwards. */
static void failures_judge(int error, bool after)
{
    uint64_t n = 0;
    bool failed = true;
    for (; failed; n++) {
        uint32_t count;
        struct tape_report report;
        enum tape_verdict verdict;
        failed = life_with_failure(n, error, after);
        CHECK(life_comes_back(&life, life.device, life.durable_count, &count, &report, &verdict));
        CHECK(verdict == TAPE_OPEN || (verdict == TAPE_NOT_A_TAPE && life.durable_count == 0));
    }
    printf("# %llu operations, each failed once\n", (unsigned long long)n - 1);
    CHECK(n > 50);
}

static void every_failure(void)
{
    failures_judge(-EIO, false);
}

static void every_failed_sync(void)
{
    failures_judge(-ENOSPC, true);
}

static const struct test_case cases[] = {
    {"every single flipped bit of a small tape gives its verdict, and a prefix", every_bit},
    {"with both superblocks bad it is no tape", both_superblocks},
    {"a tape that was cut off at any sector is told from a whole one, and left alone", every_length},
    {"any one operation fails: what was durable is there afterwards", every_failure},
    {"any one operation fails after its bytes were written: the same", every_failed_sync},
};

TEST_MAIN(cases)
