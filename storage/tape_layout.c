/* SPDX-License-Identifier: Apache-2.0 */
#include "tape_layout.h"

#include "check.h"
#include "crc32c.h"

#define SUPERBLOCK_CRC_FROM 12
#define BLOCK_CRC_FROM      8

void superblock_reseal(uint8_t *bytes)
{
    store_le32(bytes + offsetof(struct superblock, crc),
               crc32c(0, bytes + SUPERBLOCK_CRC_FROM, SUPERBLOCK_BYTES - SUPERBLOCK_CRC_FROM));
}

void superblock_encode(const struct superblock *superblock, uint8_t *bytes)
{
    struct superblock stored = *superblock;
    stored.magic = SUPERBLOCK_MAGIC;
    stored.version = TAPE_VERSION;
    memset(bytes, 0, SUPERBLOCK_BYTES);
    memcpy(bytes, &stored, sizeof(stored));
    superblock_reseal(bytes);
}

static bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* Whether the fields make sense together; only version 1's can be judged. */
static bool superblock_is_legal(const struct superblock *superblock)
{
    if (!is_power_of_two(superblock->chunk_bytes) || !is_power_of_two(superblock->block_bytes)) {
        return false;
    }
    if (superblock->chunk_bytes < TAPE_CHUNK_BYTES_MIN || superblock->chunk_bytes > TAPE_CHUNK_BYTES_MAX) {
        return false;
    }
    if (superblock->block_bytes < 512 || superblock->block_bytes > TAPE_BLOCK_BYTES_MAX) {
        return false;
    }
    if (superblock->size_bytes % superblock->chunk_bytes != 0 || superblock->size_bytes >> 50 != 0) {
        return false;
    }
    if (superblock->size_bytes / superblock->chunk_bytes < TAPE_CHUNK_COUNT_MIN) {
        return false;
    }
    if (superblock->sync < TAPE_SYNC_FDATASYNC || superblock->sync > TAPE_SYNC_NONE) {
        return false;
    }
    return superblock->incarnation != 0 && superblock->open_count < UINT32_MAX &&
           superblock->log_name[sizeof(superblock->log_name) - 1] == '\0';
}

bool superblock_decode(const uint8_t *bytes, struct superblock *ret_superblock)
{
    struct superblock superblock;
    memcpy(&superblock, bytes, sizeof(superblock));
    if (superblock.magic != SUPERBLOCK_MAGIC) {
        return false;
    }
    if (superblock.crc != crc32c(0, bytes + SUPERBLOCK_CRC_FROM, SUPERBLOCK_BYTES - SUPERBLOCK_CRC_FROM)) {
        return false;
    }
    if (superblock.version == TAPE_VERSION && !superblock_is_legal(&superblock)) {
        return false;
    }
    *ret_superblock = superblock;
    return true;
}

uint32_t block_close(uint8_t *bytes, const struct block_head *head, uint32_t padded_bytes)
{
    struct block_head closed = *head;
    ASSERT(closed.length <= padded_bytes);
    closed.magic = BLOCK_MAGIC;
    closed.flags = 0;
    closed.zero = 0;
    memcpy(bytes, &closed, sizeof(closed));
    memset(bytes + closed.length, 0, padded_bytes - closed.length);
    uint32_t crc = crc32c(0, bytes + BLOCK_CRC_FROM, closed.length - BLOCK_CRC_FROM);
    store_le32(bytes + offsetof(struct block_head, crc), crc);
    return crc;
}

/* Whether kind, length and place belong together. */
static bool block_shape_is_legal(const struct block_head *head)
{
    if (head->flags != 0 || head->zero != 0) {
        return false;
    }
    switch (head->kind) {
    case BLOCK_CHUNK:
        return head->chunk_offset == 0 && head->length == CHUNK_HEAD_BYTES && head->record_count == 0;
    case BLOCK_RECORDS:
        return head->chunk_offset != 0 && head->record_count != 0;
    case BLOCK_ATTEST:
        return head->chunk_offset != 0 && head->length == BLOCK_HEAD_BYTES && head->record_count == 0;
    default:
        return false;
    }
}

bool block_check(const uint8_t *chunk, uint32_t chunk_bytes, uint32_t offset, uint64_t chunk_sequence,
                 uint64_t incarnation, struct block_head *ret_head)
{
    if (chunk_bytes - offset < BLOCK_HEAD_BYTES) {
        return false;
    }
    struct block_head head = block_head_load(chunk + offset);
    if (head.magic != BLOCK_MAGIC || head.length < BLOCK_HEAD_BYTES || head.length > chunk_bytes - offset) {
        return false;
    }
    if (head.chunk_sequence != chunk_sequence || head.chunk_offset != offset ||
        head.incarnation != incarnation) {
        return false;
    }
    if (!block_shape_is_legal(&head) || head.durable_block >= head.block_sequence) {
        return false;
    }
#ifndef TALLY_MUTANT_TORN_TAIL_ACCEPTED
    if (head.crc != crc32c(0, chunk + offset + BLOCK_CRC_FROM, head.length - BLOCK_CRC_FROM)) {
        return false;
    }
#endif
    *ret_head = head;
    return true;
}
