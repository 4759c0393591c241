/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a tape on disk, little-endian; docs/disk.md explains them. The structs below have no padding
 * and are loaded and stored whole; tests/unit/storage/test_layout.c has their golden bytes. */
#ifndef TALLY_TAPE_LAYOUT_H
#define TALLY_TAPE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"
#include "tape.h"

#define TAPE_VERSION           1
#define SUPERBLOCK_MAGIC       0x5041545f594c4154u /* "TALY_TAP" */
#define SUPERBLOCK_BYTES       4096
#define SUPERBLOCK_COPY_OFFSET 65536
#define TAPE_DATA_OFFSET       (1u << 20)
#define BLOCK_MAGIC            0x4b4c4254u /* "TBLK" */
#define BLOCK_HEAD_BYTES       64
#define CHUNK_HEAD_BYTES       128  /* of the block that begins a chunk: block head and chunk fields */
#define CHUNK_HEAD_SPACE_BYTES 4096 /* what it takes, so that records begin on a page */
#define TAPE_CHUNK_BYTES_MIN   (16u << 10)
#define TAPE_CHUNK_BYTES_MAX   (1u << 20)
#define TAPE_CHUNK_COUNT_MIN   4
#define TAPE_BLOCK_BYTES_MAX   4096

struct superblock {
    uint64_t magic;
    uint32_t crc; /* crc32c of bytes 12 .. 4095 */
    uint32_t version;
    uint64_t generation; /* the good copy with the higher one is valid */
    uint64_t cluster_id;
    uint64_t node_id;
    uint64_t incarnation;
    uint64_t boot_id;
    uint64_t open_count; /* 0 after format; below 2^32 */
    uint64_t size_bytes;
    uint32_t chunk_bytes;
    uint32_t block_bytes;
    uint32_t sync;
    uint32_t zero;
    char log_name[32];
    /* zero up to 4096 */
};

_Static_assert(sizeof(struct superblock) == 120, "docs/disk.md");
_Static_assert(offsetof(struct superblock, generation) == 16, "docs/disk.md");
_Static_assert(offsetof(struct superblock, open_count) == 56, "docs/disk.md");
_Static_assert(offsetof(struct superblock, log_name) == 88, "docs/disk.md");

enum block_kind { BLOCK_CHUNK = 1, BLOCK_RECORDS = 2, BLOCK_ATTEST = 3 };

struct block_head {
    uint32_t magic;
    uint32_t crc;    /* crc32c of bytes 8 .. length - 1 */
    uint32_t length; /* head and records, without the zeros up to the next logical block */
    uint8_t kind;
    uint8_t flags; /* zero */
    uint16_t zero;
    uint64_t block_sequence; /* from 1; chunk heads count too */
    uint32_t open_count;
    uint32_t previous_crc; /* `crc` of block block_sequence - 1; 0 in the first */
    uint64_t
        durable_block; /* all blocks up to this one were durable when this was closed; 0 in volatile mode */
    uint64_t chunk_sequence;
    uint32_t chunk_offset;
    uint32_t record_count;
    uint64_t incarnation;
};

_Static_assert(sizeof(struct block_head) == BLOCK_HEAD_BYTES, "docs/disk.md");
_Static_assert(offsetof(struct block_head, block_sequence) == 16, "docs/disk.md");
_Static_assert(offsetof(struct block_head, durable_block) == 32, "docs/disk.md");
_Static_assert(offsetof(struct block_head, incarnation) == 56, "docs/disk.md");

/* Behind the block head at the start of each chunk. */
struct chunk_fields {
    uint32_t version;
    uint32_t chunk_bytes;
    uint64_t cluster_id;
    uint64_t node_id;
    uint64_t checkpoint_position; /* of the newest checkpoint's first record; 0: none */
    char log_name[32];
};

_Static_assert(BLOCK_HEAD_BYTES + sizeof(struct chunk_fields) == CHUNK_HEAD_BYTES, "docs/disk.md");
_Static_assert(offsetof(struct chunk_fields, log_name) == 32, "docs/disk.md");

/* Writes the 4096 bytes of a copy; magic, version and crc are set here. */
void superblock_encode(const struct superblock *superblock, uint8_t *bytes);

/* Sets the checksum of a copy whose bytes were changed. */
void superblock_reseal(uint8_t *bytes);

/* Total. False when the copy is not good. A good copy of another version is good: the caller looks. */
bool superblock_decode(const uint8_t *bytes, struct superblock *ret_superblock);

static inline struct block_head block_head_load(const uint8_t *bytes)
{
    struct block_head head;
    memcpy(&head, bytes, sizeof(head));
    return head;
}

/* Closes the block at `bytes`: stores the head, with magic and checksum, and zeros from its length up to
 * `padded_bytes`. Returns the checksum. */
uint32_t block_close(uint8_t *bytes, const struct block_head *head, uint32_t padded_bytes);

/* Whether the bytes at `chunk` + `offset` are a whole block that was written to this very place of this tape.
 * Records are not looked at. Total; `chunk_bytes` are readable. */
bool block_check(const uint8_t *chunk, uint32_t chunk_bytes, uint32_t offset, uint64_t chunk_sequence,
                 uint64_t incarnation, struct block_head *ret_head);

/* What a block takes in its chunk. */
static inline uint32_t block_span_bytes(const struct block_head *head, uint32_t block_bytes)
{
    if (head->kind == BLOCK_CHUNK) {
        return CHUNK_HEAD_SPACE_BYTES;
    }
    return (uint32_t)align_up(head->length, block_bytes);
}

/* How many chunks the tape holds, each in a slot of its own. */
static inline uint64_t chunk_count_of(const struct superblock *superblock)
{
    return superblock->size_bytes / superblock->chunk_bytes;
}

/* The slot of a chunk, from 0; its sequence is from 1. */
static inline uint64_t chunk_slot_of(const struct superblock *superblock, uint64_t chunk_sequence)
{
    return (chunk_sequence - 1) % chunk_count_of(superblock);
}

/* Device offset of a chunk: of its slot. */
static inline uint64_t chunk_device_offset(const struct superblock *superblock, uint64_t chunk_sequence)
{
    return TAPE_DATA_OFFSET + chunk_slot_of(superblock, chunk_sequence) * superblock->chunk_bytes;
}

#endif
