/* SPDX-License-Identifier: Apache-2.0 */
/* Going round: which checkpoints hold, and up to where the tape may be written.
 *
 * A checkpoint is complete when all of it is durable; then the next chunk heads name it, and it is named when
 * such a head is durable. Recovery begins at the newest named one and can fall back on the one before, so
 * nothing that either of them keeps is written over: chunk s replaces chunk s - N (N chunks on the tape) and
 * may begin when s - N is below both.
 *
 * Room for a way out is kept. To free anything it may take two checkpoints: the first makes the one that
 * holds the ring the one before the newest, the second lets go of it. Each takes up to `a` chunks and then a
 * head that names it, so with `limit` kept by the last two, and `keep` by the newest alone, what is not a
 * checkpoint must stay in chunks s with s + a <= limit + N - 1 and s + 2a <= keep + N - 1, and a checkpoint
 * must leave it so. A tape of N >= 3a + 1 chunks goes round for ever. */
#ifndef TALLY_TAPE_RING_H
#define TALLY_TAPE_RING_H

#include "tape_layout.h"

/* Where a checkpoint stands and what it needs. */
struct ring_checkpoint {
    uint64_t number;         /* from 1; 0: none */
    uint64_t block_position; /* of the block that begins with its marker */
    uint64_t end_position;   /* of its last record; 0: not yet known */
    uint64_t keep_chunk;     /* the oldest chunk that recovery from it needs */
    uint64_t bytes;          /* what its records take, each in a block of its own */
    uint64_t quorums_left;   /* while it is walked: whose records have not come */
};

struct tape_ring {
    uint64_t chunk_count;
    uint32_t chunk_bytes;
    uint32_t block_bytes;
    unsigned chunk_shift;
    struct ring_checkpoint begun;    /* being appended, or not durable yet */
    struct ring_checkpoint complete; /* not named yet */
    struct ring_checkpoint named;
    uint64_t limit;          /* chunks below are not needed; 0: all are */
    uint64_t naming_block;   /* the block of the head that names `complete`; 0: none yet */
    uint64_t last_number;    /* of the newest that began, complete or not */
    uint64_t last_bytes;     /* what the newest complete one took */
    uint64_t begin_position; /* where the newest began */
    bool is_wanted;          /* somebody makes checkpoints */
    /* what follows from these: */
    uint64_t chunk_last;    /* the last chunk that may begin */
    uint64_t chunk_ceiling; /* the last one for what is no checkpoint */
    uint64_t floor_bytes;   /* to be left in that one */
};

void ring_init(struct tape_ring *ring, const struct superblock *superblock);

/* Computes what follows. Called by all of these. */
void ring_settle(struct tape_ring *ring);

/* Whether checkpoints were made: else nothing is kept for one. */
static inline bool ring_is_used(const struct tape_ring *ring)
{
    return ring->is_wanted || ring->last_number != 0;
}

/* Whether a checkpoint that keeps `keep_chunk` and begins in chunk `tail`, of which `here_bytes` are free, or
 * the next leaves a way out. One that holds nothing older is a step of the way out itself, and need only find
 * room. */
bool ring_may_begin(const struct tape_ring *ring, uint64_t keep_chunk, uint64_t tail, uint64_t here_bytes);

/* Whether the last two checkpoints hold more than they would if they were made anew. */
bool ring_is_held(const struct tape_ring *ring);

/* A record of the checkpoint that was begun, and what it takes with its padding. */
static inline void ring_note_record(struct tape_ring *ring, uint64_t padded_bytes)
{
    ring->begun.bytes += padded_bytes + ring->block_bytes;
}

/* The newest complete one that a head written now names. */
const struct ring_checkpoint *ring_nameable(const struct tape_ring *ring);

/* The one begun is complete. */
void ring_complete(struct tape_ring *ring);

/* A durable head names the complete one. */
void ring_name(struct tape_ring *ring);

#define MARKER_PAYLOAD_BYTES 24

/* The marker's payload. */
struct marker_fields {
    uint64_t keep_chunk;
    uint64_t previous_block_position; /* 0: none */
    uint64_t previous_keep_chunk;
};

_Static_assert(sizeof(struct marker_fields) == MARKER_PAYLOAD_BYTES, "docs/disk.md");

/* The same from what is read back: every record, every head in order. */
void ring_walk_record(struct tape_ring *ring, const struct record_head *head, const uint8_t *payload,
                      uint64_t block_position, uint64_t end_position);
void ring_walk_head(struct tape_ring *ring, uint64_t checkpoint_position);

#endif
