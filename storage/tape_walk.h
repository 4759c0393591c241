/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over a tape, from its first block or the head of a chunk, to the end of its chain, and the
 * judgement of what ends it. Opening and scanning differ only in where chunks are read to and in what becomes
 * of what is found. */
#ifndef TALLY_TAPE_WALK_H
#define TALLY_TAPE_WALK_H

#include "tape_layout.h"
#include "tape_ring.h"

/* Where chunks are read to: `sequence` modulo `count`. At least 4: the one being walked, the next, and two to
 * look for evidence in. */
struct walk_memory {
    uint8_t **chunks;
    uint64_t *sequences; /* what each holds; 0: nothing of use */
    uint32_t count;
};

struct walk_options {
    struct device *device;
    const struct superblock *superblock;
    struct walk_memory memory;
    tape_visit *visit;             /* or NULL */
    tape_visit_block *visit_block; /* or NULL */
    void *context;
    struct tape_ring *ring; /* takes note of checkpoints, or NULL */
    uint64_t from_chunk;    /* where it begins, at whatever block that is; 0: at block 1 */
    uint64_t newest_chunk;  /* by the heads (tape_slots.h): so far evidence is looked for */
};

/* Where the chain ended. */
struct walk_end {
    uint64_t chunk_sequence; /* 0: before the first chunk */
    uint32_t offset; /* where the next block of this chunk would begin; chunk_bytes: in the next chunk */
    struct block_head last;         /* all zero: there was none */
    struct block_head before_first; /* sequence and checksum of the block before the first */
};

/* Fills the report's counts. TAPE_OPEN (the chain ends cleanly or in a torn tail), TAPE_DAMAGED or
 * TAPE_READ_ERROR. `chunk_ends` may be NULL: per chunk before the last one, by slot, where its
 * blocks end. */
enum tape_verdict tape_walk(const struct walk_options *options, uint32_t *chunk_ends,
                            struct walk_end *ret_end, struct tape_report *report);

/* Whether the checkpoint that begins at that block can be walked to its end. Nothing is visited. */
bool tape_walk_checkpoint(const struct walk_options *options, uint64_t block_position);

/* Whether the chunk is whole: the chain leads from its head to the next chunk's. */
bool tape_walk_chunk(const struct walk_options *options, uint64_t chunk_sequence);

#endif
