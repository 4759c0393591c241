/* SPDX-License-Identifier: Apache-2.0 */
#include "tape_ring.h"

#include "check.h"

/* What a checkpoint is taken to need at first, as a part of a chunk. */
#define FIRST_CHECKPOINT_PART 4

static uint64_t min_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What records find in a chunk, when its end is wasted by a large one. */
static uint64_t chunk_yield(const struct tape_ring *ring)
{
    return ring->chunk_bytes - CHUNK_HEAD_SPACE_BYTES - ring->chunk_bytes / 8;
}

/* Twice the last one, for quorums are added and alignment differs. */
static uint64_t checkpoint_bytes(const struct tape_ring *ring)
{
    uint64_t least = ring->chunk_bytes / FIRST_CHECKPOINT_PART;
    uint64_t twice = 2 * ring->last_bytes;
    return twice > least ? twice : least;
}

/* How many chunks further the next one moves the end of the tape, the head that names it included. */
static uint64_t checkpoint_chunks(const struct tape_ring *ring)
{
    return (checkpoint_bytes(ring) + chunk_yield(ring) - 1) / chunk_yield(ring);
}

/* The last chunk from which two checkpoints lead out, when the last two keep `limit` and the newest `keep`;
 * 0: there is none. */
static uint64_t ceiling_of(const struct tape_ring *ring, uint64_t limit, uint64_t keep)
{
    uint64_t a = checkpoint_chunks(ring);
    uint64_t first = (limit ? limit : 1) + ring->chunk_count - 1;
    uint64_t second = (keep ? keep : 1) + ring->chunk_count - 1;
    first = first > a ? first - a : 0;
    second = second > 2 * a ? second - 2 * a : 0;
    return min_of(first, second);
}

void ring_settle(struct tape_ring *ring)
{
    ring->chunk_last = (ring->limit ? ring->limit : 1) + ring->chunk_count - 1;
    ring->chunk_ceiling = ring->chunk_last;
    ring->floor_bytes = 0;
    if (!ring_is_used(ring)) {
        return;
    }
    ring->chunk_ceiling = ceiling_of(ring, ring->limit, ring->named.keep_chunk);
    if (checkpoint_chunks(ring) == 1) {
        ring->floor_bytes = checkpoint_bytes(ring);
    } else if (ring->chunk_ceiling > 0) {
        ring->chunk_ceiling--; /* it must begin in a whole chunk */
    }
}

void ring_init(struct tape_ring *ring, const struct superblock *superblock)
{
    *ring = (struct tape_ring){
        .chunk_count = chunk_count_of(superblock),
        .chunk_bytes = superblock->chunk_bytes,
        .block_bytes = superblock->block_bytes,
        .begin_position = superblock->chunk_bytes, /* of chunk 1 */
        .chunk_shift = (unsigned)__builtin_ctz(superblock->chunk_bytes),
    };
    ring_settle(ring);
}

bool ring_may_begin(const struct tape_ring *ring, uint64_t keep_chunk, uint64_t tail, uint64_t here_bytes)
{
    uint64_t end = tail + (here_bytes < checkpoint_bytes(ring)) + checkpoint_chunks(ring);
    uint64_t limit = ring->named.number ? min_of(ring->named.keep_chunk, keep_chunk) : 0;
    limit = limit > ring->limit ? limit : ring->limit;
    if (end <= ring->chunk_last && end <= ceiling_of(ring, limit, keep_chunk)) {
        return true;
    }
    if (keep_chunk < tail) {
        return false;
    }
    uint64_t least = ring->last_bytes / chunk_yield(ring) + 1;
    uint64_t last = (limit ? limit : 1) + ring->chunk_count - 1;
    end = tail + (here_bytes < ring->last_bytes + ring->chunk_bytes / 16) + least;
    return end <= ring->chunk_last && end + least <= last;
}

bool ring_is_held(const struct tape_ring *ring)
{
    uint64_t limit = ring->limit ? ring->limit : 1;
    return ring->named.number != 0 &&
           (ring->named.keep_chunk < ring->named.block_position >> ring->chunk_shift ||
            limit + checkpoint_chunks(ring) < ring->named.keep_chunk);
}

const struct ring_checkpoint *ring_nameable(const struct tape_ring *ring)
{
    return ring->complete.number ? &ring->complete : &ring->named;
}

void ring_complete(struct tape_ring *ring)
{
    ring->complete = ring->begun;
    ring->last_bytes = ring->begun.bytes;
    ring->begun = (struct ring_checkpoint){0};
    ring->naming_block = 0;
    ring_settle(ring);
}

void ring_name(struct tape_ring *ring)
{
    if (ring->named.number) {
        uint64_t limit = min_of(ring->named.keep_chunk, ring->complete.keep_chunk);
        ring->limit = limit > ring->limit ? limit : ring->limit;
    }
    ring->named = ring->complete;
    ring->complete = (struct ring_checkpoint){0};
    ring->naming_block = 0;
    ring_settle(ring);
}

/* ---- reading back ---- */

static void walk_marker(struct tape_ring *ring, const struct record_head *head, const uint8_t *payload,
                        uint64_t block_position)
{
    struct marker_fields fields;
    memcpy(&fields, payload, sizeof(fields));
    if (ring->complete.number) {
        ring_name(ring); /* the next one began because a head had named it */
    }
    if (ring->named.number == 0 && fields.previous_block_position != 0) {
        ring->named = (struct ring_checkpoint){.number = head->index - 1,
                                               .block_position = fields.previous_block_position,
                                               .keep_chunk = fields.previous_keep_chunk};
    }
    ring->begun = (struct ring_checkpoint){.number = head->index,
                                           .block_position = block_position,
                                           .keep_chunk = fields.keep_chunk,
                                           .quorums_left = head->term};
    ring->last_number = head->index;
    ring->begin_position = block_position;
}

void ring_walk_record(struct tape_ring *ring, const struct record_head *head, const uint8_t *payload,
                      uint64_t block_position, uint64_t end_position)
{
    if (head->type != RECORD_CHECKPOINT) {
        return;
    }
    bool is_marker = head->quorum_number == 0;
    if (is_marker && head->length != RECORD_HEAD_BYTES + MARKER_PAYLOAD_BYTES) {
        return;
    }
    if (is_marker) {
        walk_marker(ring, head, payload, block_position);
    } else if (ring->begun.quorums_left > 0 && head->index + 1 == head->term) {
        ring->begun.quorums_left--;
    }
    ring_note_record(ring, record_padded_bytes(head->length));
    if (ring->begun.number && ring->begun.quorums_left == 0) {
        ring->begun.end_position = end_position;
        ring_complete(ring);
    }
    ring_settle(ring);
}

void ring_walk_head(struct tape_ring *ring, uint64_t checkpoint_position)
{
    if (ring->complete.number && ring->complete.block_position == checkpoint_position) {
        ring_name(ring);
    }
}
