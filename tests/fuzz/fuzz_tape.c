/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a device: opening gives a verdict, and when the verdict is "open", what is appended next is
 * there after the next opening, behind exactly what was there before.
 *
 * The input: one byte of flags (1: mend what stands where a block may begin, so that checksums and chain are
 * right and the rest is looked at; 2: no superblock is put there, the first piece may hold one), then pieces
 * {u16 place in units of 512 bytes, u16 length, bytes}; the place counts from the data, or with flag 2 from
 * the device's start. */
#include <stdlib.h>

#include "check.h"
#include "crc32c.h"
#include "fake_device.h"
#include "tape.h"
#include "tape_layout.h"

#define CHUNK_BYTES  TAPE_CHUNK_BYTES_MIN
#define SIZE_BYTES   (TAPE_CHUNK_COUNT_MIN * CHUNK_BYTES)
#define UNIT_BYTES   512
#define FLAG_MEND    1
#define FLAG_RAW     2
#define INCARNATION  3
#define SCAN_RECORDS 100000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count);

static struct tape_identity identity(void)
{
    return (struct tape_identity){
        .cluster_id = 1, .node_id = 2, .incarnation = INCARNATION, .log_name = "main"};
}

static void superblock_put(struct fake_device *fake)
{
    struct superblock superblock = {
        .cluster_id = 1,
        .node_id = 2,
        .incarnation = INCARNATION,
        .open_count = 5,
        .size_bytes = SIZE_BYTES,
        .chunk_bytes = CHUNK_BYTES,
        .block_bytes = UNIT_BYTES,
        .sync = TAPE_SYNC_FDATASYNC,
        .log_name = "main",
    };
    superblock_encode(&superblock, fake_device_bytes(fake));
}

static void pieces_put(struct fake_device *fake, bool raw, const uint8_t *bytes, size_t byte_count)
{
    uint64_t base = raw ? 0 : TAPE_DATA_OFFSET;
    while (byte_count >= 4) {
        uint64_t offset = base + (uint64_t)load_le16(bytes) * UNIT_BYTES;
        size_t length = load_le16(bytes + 2);
        bytes += 4;
        byte_count -= 4;
        length = length < byte_count ? length : byte_count;
        if (offset + length <= tape_device_bytes(SIZE_BYTES)) {
            memcpy(fake_device_bytes(fake) + offset, bytes, length);
        }
        bytes += length;
        byte_count -= length;
    }
}

static void records_mend(uint8_t *block, uint32_t length)
{
    for (uint32_t at = BLOCK_HEAD_BYTES; at + RECORD_HEAD_BYTES <= length;) {
        uint32_t record_length = load_le16(block + at + 4);
        if (record_length < RECORD_HEAD_BYTES || record_padded_bytes(record_length) > length - at) {
            return;
        }
        store_le32(block + at, crc32c(0, block + at + 4, record_length - 4));
        at += (uint32_t)record_padded_bytes(record_length);
    }
}

/* Every place that claims to be a block becomes a good one of this tape, and the next of its chain. */
static void blocks_mend(uint8_t *data)
{
    uint32_t previous_crc = 0;
    for (uint64_t at = 0; at < SIZE_BYTES; at += UNIT_BYTES) {
        uint8_t *block = data + at;
        struct block_head head = block_head_load(block);
        uint32_t room = (uint32_t)(CHUNK_BYTES - at % CHUNK_BYTES);
        if (head.magic != BLOCK_MAGIC || head.length < BLOCK_HEAD_BYTES || head.length > room) {
            continue;
        }
        records_mend(block, head.length);
        head.chunk_sequence = at / CHUNK_BYTES + 1;
        head.chunk_offset = (uint32_t)(at % CHUNK_BYTES);
        head.incarnation = INCARNATION;
        head.previous_crc = previous_crc;
        previous_crc = block_close(block, &head, head.length);
    }
}

static void visit_count(void *context, const struct record_head *head, const uint8_t *payload,
                        uint64_t position)
{
    uint64_t *count = context;
    (void)payload;
    ASSERT(head->length >= RECORD_HEAD_BYTES);
    ASSERT(position > CHUNK_BYTES);
    ++*count;
    ASSERT(*count < SCAN_RECORDS);
}

static struct tape *open_counted(struct arena *arena, struct fake_device *fake, uint64_t *ret_count)
{
    struct tape *tape = NULL;
    struct tape_report report;
    struct tape_options options = {
        .identity = identity(), .memory_chunks = 4, .reader_chunks = 2, .write_bytes_max = CHUNK_BYTES / 2};
    *ret_count = 0;
    enum tape_verdict verdict =
        tape_open(arena, fake_device_port(fake), &options, visit_count, ret_count, &tape, &report);
    ASSERT((verdict == TAPE_OPEN) == (tape != NULL));
    ASSERT(verdict != TAPE_READ_ERROR);
    ASSERT(report.record_count == *ret_count);
    return tape;
}

/* Whether the tape took one more record and made it durable. */
static bool append_one(struct tape *tape)
{
    struct record_head head = {.type = RECORD_DATA, .quorum_number = 7, .index = 1, .term = 1};
    int error = 0;
    uint8_t *bytes = tape_reserve(tape, 100, true, &error);
    if (!bytes) {
        ASSERT(error == -28); /* ENOSPC: the image was full */
        return false;
    }
    memset(bytes + RECORD_HEAD_BYTES, 'x', 100);
    record_finish(bytes, &head, 100);
    uint64_t position = tape_append(tape);
    tape_submit(tape, 1);
    tape_poll(tape, 1);
    ASSERT(tape_durable_position(tape) == position);
    return true;
}

static void reads(struct tape *tape, struct fake_device *fake)
{
    struct tape_cursor cursor;
    const uint8_t *record;
    struct record_head head;
    for (uint64_t quorum = 1; quorum < 9; quorum++) {
        tape_cursor_init(&cursor, quorum);
        for (uint64_t index = 0; index < 4; index++) {
            while (tape_read(tape, &cursor, index, 0, &record, &head) == TAPE_READ_WAIT) {
                tape_reader_poll(tape_reader_of(tape), fake_device_port(fake), 1);
                tape_poll(tape, 1);
            }
        }
    }
}

static void open_append_open(struct fake_device *fake)
{
    struct arena arena;
    uint64_t before;
    uint64_t after;
    arena_init(&arena);
    struct tape *tape = open_counted(&arena, fake, &before);
    if (tape) {
        bool appended = append_one(tape);
        reads(tape, fake);
        arena_fini(&arena);
        tape = open_counted(&arena, fake, &after);
        ASSERT(tape != NULL);
        ASSERT(after == before + appended);
    }
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count)
{
    struct fake_device_options options = {tape_device_bytes(SIZE_BYTES), UNIT_BYTES, false};
    struct fake_device *fake = fake_device_create(&options);
    uint8_t flags = byte_count > 0 ? bytes[0] : 0;
    if (!(flags & FLAG_RAW)) {
        superblock_put(fake);
    }
    pieces_put(fake, flags & FLAG_RAW, bytes + (byte_count > 0), byte_count - (byte_count > 0));
    if (flags & FLAG_MEND) {
        blocks_mend(fake_device_bytes(fake) + TAPE_DATA_OFFSET);
    }
    uint64_t count = 0;
    struct tape_report report;
    enum tape_verdict verdict = tape_scan(fake_device_port(fake), visit_count, &count, &report);
    ASSERT(tape_verdict_name(verdict) != NULL);
    open_append_open(fake);
    fake_device_destroy(fake);
    return 0;
}
