/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a tape with any one bit flipped, cut off anywhere, or with any one operation failed.
 *
 *     test_storage_faults [--quick | --case N] */
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
static bool quick; /* one bit of each byte, in builds that are slow */

static void block_note(void *context, const struct tape_block_view *view)
{
    struct blocks *blocks = context;
    CHECK(blocks->count < BLOCKS_MAX);
    blocks->records_before[blocks->count] = blocks->record_count;
    blocks->views[blocks->count++] = *view;
    blocks->record_count += view->record_count;
}

/* An idle tape attests its last block. */
static void attest(void)
{
    life.now_ns += 50000000;
    tape_poll(life.tape, life.now_ns);
    CHECK_EQUAL(record_device_pending(life.device), 1);
    record_device_complete(life.device, 0);
    tape_poll(life.tape, life.now_ns);
}

/* A tape with blocks in all chunks up to `chunk`; `attested`: all of them are known to be durable by the
 * attest block at their end. */
static void small_tape(uint64_t chunk, bool attested, struct blocks *ret_blocks)
{
    bool good = false;
    struct tape_report report;
    *ret_blocks = (struct blocks){.count = 0};
    if (life.device) {
        life_end(&life);
    }
    CHECK(life_begin(&life, 5, TAPE_SYNC_FDATASYNC));
    CHECK_EQUAL(life_open(&life, &good), TAPE_OPEN);
    for (unsigned n = 0; n < 7 || life.records[life.count - 1].position < chunk * RIG_CHUNK_BYTES + 6000;
         n++) {
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
    if (attested) {
        attest();
    }
    record_device_forget(life.device);
    CHECK_EQUAL(tape_scan_blocks(record_device_port(life.device), block_note, NULL, ret_blocks, &report),
                TAPE_OPEN);
    CHECK_EQUAL(ret_blocks->record_count, life.count);
    CHECK_EQUAL(ret_blocks->views[ret_blocks->count - 1].kind, attested ? BLOCK_ATTEST : BLOCK_RECORDS);
    CHECK(ret_blocks->views[ret_blocks->count - 1].chunk_sequence >= chunk);
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

/* Whether a whole block behind that one says that it was durable. */
static bool is_proved(const struct blocks *blocks, unsigned block)
{
    bool proved = false;
    for (unsigned i = block + 1; i < blocks->count; i++) {
        proved |= blocks->views[i].durable_block >= blocks->views[block].block_sequence;
    }
    return proved;
}

static void flip_judge(const struct blocks *blocks, uint64_t offset, unsigned bit)
{
    uint32_t count;
    struct tape_report report;
    enum tape_verdict verdict;
    unsigned block = block_at(blocks, offset);
    record_device_keep(life.device);
    flip(offset, bit);
    bool good = life_comes_back(&life, life.device, 0, &count, &report, &verdict);
    record_device_go_back(life.device);
    record_device_forget(life.device);
    CHECK(good);
    if (block == blocks->count) {
        CHECK_EQUAL(verdict, TAPE_OPEN);
        CHECK_EQUAL(count, life.count);
    } else if (!is_proved(blocks, block)) {
        CHECK_EQUAL(verdict, TAPE_OPEN);
        CHECK_EQUAL(count, blocks->records_before[block]);
        CHECK(report.torn_bytes > 0);
    } else {
        CHECK_EQUAL(verdict, TAPE_DAMAGED);
        CHECK_EQUAL(report.damage_offset, blocks->views[block].device_offset);
        CHECK_EQUAL(count, blocks->records_before[block]);
    }
}

static void every_bit(void)
{
    struct blocks blocks;
    small_tape(2, true, &blocks);
    uint64_t end = blocks.views[blocks.count - 1].device_offset + 4096;
    uint64_t flips = 0;
    for (uint64_t offset = 0; offset < end; offset++) {
        bool superblock = offset < SUPERBLOCK_BYTES || (offset >= SUPERBLOCK_COPY_OFFSET &&
                                                        offset < SUPERBLOCK_COPY_OFFSET + SUPERBLOCK_BYTES);
        if (!superblock && offset < TAPE_DATA_OFFSET) {
            continue; /* nothing is read there */
        }
        for (unsigned bit = quick ? offset % 8 : 0; bit < 8; bit += quick ? 8 : 1) {
            flip_judge(&blocks, offset, bit);
            flips++;
        }
    }
    printf("# %llu flips in %u blocks\n", (unsigned long long)flips, blocks.count);
}

/* The last batch is not attested: damage in it looks like a torn tail, in any other it does not.
 */
static void every_byte_without_attest(void)
{
    struct blocks blocks;
    unsigned cut = 0;
    small_tape(2, false, &blocks);
    for (unsigned i = 0; i < blocks.count; i++) {
        for (uint32_t at = 0; at < blocks.views[i].length; at++) {
            flip_judge(&blocks, blocks.views[i].device_offset + at, at % 8);
        }
        cut += !is_proved(&blocks, i);
    }
    CHECK(cut > 0);
    CHECK(cut < blocks.count / 2);
}

static void both_superblocks(void)
{
    struct blocks blocks;
    uint32_t count;
    struct tape_report report;
    enum tape_verdict verdict;
    small_tape(2, true, &blocks);
    record_device_keep(life.device);
    flip(100, 0);
    flip(SUPERBLOCK_COPY_OFFSET + 2000, 7);
    CHECK(life_comes_back(&life, life.device, 0, &count, &report, &verdict));
    CHECK_EQUAL(verdict, TAPE_NOT_A_TAPE);
    CHECK_EQUAL(count, 0);
    record_device_go_back(life.device);
}

/* A file that was cut off, at every sector, in the superblock at every byte: what is missing is told before
 * anything is written. */
static void every_length(void)
{
    struct blocks blocks;
    small_tape(2, true, &blocks);
    struct device *port = record_device_port(life.device);
    uint64_t whole = port->size_bytes;
    for (uint64_t length = 0; length < whole; length += length < SUPERBLOCK_BYTES ? 1 : RECORD_SECTOR_BYTES) {
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

/* From there on all is zero, as if nothing had ever been written: what stood before it is found, and no more.
 */
static void every_end(void)
{
    static const uint8_t zeros[RECORD_SECTOR_BYTES];
    struct blocks blocks;
    small_tape(2, true, &blocks);
    uint64_t end = blocks.views[blocks.count - 1].device_offset;
    for (uint64_t cut = end - end % RECORD_SECTOR_BYTES; cut >= TAPE_DATA_OFFSET;
         cut -= RECORD_SECTOR_BYTES) {
        uint32_t count;
        uint32_t expected = 0;
        struct tape_report report;
        enum tape_verdict verdict;
        record_device_put(life.device, cut, zeros, sizeof(zeros));
        for (unsigned i = 0; i < blocks.count; i++) {
            bool whole = blocks.views[i].device_offset + blocks.views[i].length <= cut;
            expected += whole ? blocks.views[i].record_count : 0;
        }
        record_device_keep(life.device);
        CHECK(life_comes_back(&life, life.device, 0, &count, &report, &verdict));
        record_device_go_back(life.device);
        record_device_forget(life.device);
        CHECK_EQUAL(verdict, TAPE_OPEN);
        CHECK_EQUAL(count, expected);
    }
}

/* ---- operations that fail ---- */

enum failure {
    FAILURE_AT_ONCE,   /* a submission by its completion */
    FAILURE_OF_SYNC,   /* a synchronous write when its bytes are there */
    FAILURE_OF_SUBMIT, /* a submission is refused */
};

/* What closing calls durable is. */
static void life_close(void)
{
    record_device_complete_alone(life.device);
    if (tape_close(life.tape) == 0) {
        life.durable_count = life.count;
    }
}

/* A life of a format, three openings and what is between them, in which operation n fails. False: it did not
 * come to that operation. */
static bool life_with_failure(uint64_t n, int error, enum failure failure)
{
    bool good = true;
    if (life.device) {
        life_end(&life);
    }
    life = (struct life){.device = record_device_create(tape_device_bytes(LIFE_SIZE_BYTES))};
    record_device_fail(life.device, n, error, failure == FAILURE_OF_SYNC);
    if (failure == FAILURE_OF_SUBMIT) {
        record_device_refuse(life.device);
    }
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
        if (verdict == TAPE_OPEN && opening == 0) {
            life_flush(&life);
        } else if (verdict == TAPE_OPEN && opening == 2) {
            life_close();
        }
        record_device_crash(life.device, &life.prng);
    }
    return record_device_has_failed(life.device);
}

/* The tape stops at the failure and says so, and what it had called durable before is there afterwards. */
static void failures_judge(int error, enum failure failure)
{
    uint64_t n = 0;
    bool failed = true;
    for (; failed; n++) {
        uint32_t count;
        struct tape_report report;
        enum tape_verdict verdict;
        failed = life_with_failure(n, error, failure);
        CHECK(life_comes_back(&life, life.device, life.durable_count, &count, &report, &verdict));
        CHECK(verdict == TAPE_OPEN || (verdict == TAPE_NOT_A_TAPE && life.durable_count == 0));
    }
    printf("# %llu operations, each failed once\n", (unsigned long long)n - 1);
    CHECK(n > 50);
}

static void every_failure(void)
{
    failures_judge(-EIO, FAILURE_AT_ONCE);
}

static void every_failed_sync(void)
{
    failures_judge(-ENOSPC, FAILURE_OF_SYNC);
}

static void every_refusal(void)
{
    failures_judge(-EIO, FAILURE_OF_SUBMIT);
}

/* Three chunks are lost, and only the fifth proves it; whatever cannot be read, the loss is not cut away. */
static void every_failure_of_a_damaged_tape(void)
{
    static const uint8_t zeros[3 * RIG_CHUNK_BYTES];
    struct blocks blocks;
    small_tape(5, true, &blocks);
    uint64_t lost = blocks.views[1].device_offset;
    record_device_put(life.device, lost, zeros, TAPE_DATA_OFFSET + sizeof(zeros) - lost);
    bool failed = true;
    for (uint64_t n = 0; failed; n++) {
        uint32_t count;
        struct tape_report report;
        enum tape_verdict verdict;
        record_device_fail(life.device, n, -EIO, false);
        CHECK(life_comes_back(&life, life.device, 0, &count, &report, &verdict));
        failed = record_device_has_failed(life.device);
        CHECK(verdict == TAPE_DAMAGED || (failed && verdict == TAPE_READ_ERROR));
        CHECK_EQUAL(record_device_event_count(life.device), 0);
    }
}

static const struct test_case cases[] = {
    {"every single flipped bit of a small tape gives its verdict, and a prefix", every_bit},
    {"every byte of a tape that was not attested: only its last batch is cut", every_byte_without_attest},
    {"with both superblocks bad it is no tape", both_superblocks},
    {"a tape that was cut off at any sector is told from a whole one, and left alone", every_length},
    {"a tape that is zero from any sector on gives the blocks before it", every_end},
    {"any one operation fails: what was durable is there afterwards", every_failure},
    {"any one operation fails after its bytes were written: the same", every_failed_sync},
    {"any one operation fails, and a submission is refused: the same", every_refusal},
    {"any one read of a damaged tape fails: the damage is not cut away", every_failure_of_a_damaged_tape},
};

int main(int argc, char **argv)
{
    quick = argc == 2 && strcmp(argv[1], "--quick") == 0;
    if (argc == 3 && strcmp(argv[1], "--case") == 0) {
        size_t number = strtoull(argv[2], NULL, 0);
        return number >= 1 && number <= sizeof(cases) / sizeof(cases[0]) ? test_main(&cases[number - 1], 1)
                                                                         : 2;
    }
    return test_main(cases, sizeof(cases) / sizeof(cases[0]));
}
