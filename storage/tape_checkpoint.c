/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints as the tape sees them: when one is due, its marker, what it frees. */
#include <errno.h>

#include "check.h"
#include "tape_internal.h"

#define INTERVAL_BYTES_MAX (64u << 20)
#define SIZES_APART        16 /* checkpoints take at most that part of the tape's writing */

static bool may_begin(const struct tape *tape, uint64_t keep_chunk)
{
    uint64_t here_bytes = tape->superblock.chunk_bytes - tape->block_offset - tape->block_length;
    return ring_may_begin(&tape->ring, keep_chunk, tape->chunk_sequence, here_bytes);
}

static bool checkpoint_is_under_way(const struct tape *tape)
{
    return tape->ring.begun.number != 0 || tape->ring.complete.number != 0;
}

static uint64_t interval_bytes(const struct tape *tape)
{
    uint64_t interval = tape->superblock.size_bytes / 8;
    interval = interval > INTERVAL_BYTES_MAX ? INTERVAL_BYTES_MAX : interval;
    uint64_t apart = SIZES_APART * tape->ring.last_bytes;
    interval = interval > apart ? interval : apart;
    return interval > tape->superblock.chunk_bytes ? interval : tape->superblock.chunk_bytes;
}

/* Whether appends are refused, or nearly. */
static bool room_is_out(const struct tape *tape)
{
    return tape_free_bytes(tape) <
           tape_reserve_bytes(tape) + tape_record_bytes_max(tape) + TAPE_BLOCK_BYTES_MAX;
}

static bool room_is_short(const struct tape *tape)
{
    return tape_free_bytes(tape) < 2 * (tape_reserve_bytes(tape) + tape->superblock.chunk_bytes);
}

bool tape_checkpoint_is_due(const struct tape *tape)
{
    const struct tape_ring *ring = &tape->ring;
    if (tape->error || tape->chunk_sequence == 0 || checkpoint_is_under_way(tape)) {
        return false;
    }
    if (!may_begin(tape, tape->chunk_sequence)) {
        return false;
    }
    uint64_t since = tape->append_position - ring->begin_position;
    if (since >= interval_bytes(tape)) {
        return true;
    }
    bool is_new = tape->append_position > ring->named.end_position;
    if (is_new && since >= tape->superblock.chunk_bytes && room_is_short(tape)) {
        return true;
    }
    return ring_is_used(ring) && (is_new || ring_is_held(ring)) && room_is_out(tape);
}

/* Whether it would free nothing, now or later, that is not free. */
static bool checkpoint_is_idle(const struct tape *tape, uint64_t keep_chunk)
{
    const struct tape_ring *ring = &tape->ring;
    uint64_t limit = ring->named.keep_chunk < keep_chunk ? ring->named.keep_chunk : keep_chunk;
    return ring->named.number != 0 && ring->named.end_position == tape->append_position &&
           keep_chunk <= ring->named.keep_chunk && limit <= ring->limit;
}

static uint64_t keep_chunk_of(const struct tape *tape, uint64_t keep_position)
{
    uint64_t keep = keep_position ? keep_position >> tape->chunk_shift : UINT64_MAX;
    keep = keep < tape->chunk_sequence ? keep : tape->chunk_sequence;
    return keep > tape->index.oldest_chunk ? keep : tape->index.oldest_chunk;
}

static void marker_append(struct tape *tape, uint8_t *bytes, uint32_t quorum_count)
{
    const struct ring_checkpoint *begun = &tape->ring.begun;
    struct marker_fields fields = {begun->keep_chunk, tape->ring.named.block_position,
                                   tape->ring.named.number ? tape->ring.named.keep_chunk : 0};
    struct record_head head = {.type = RECORD_CHECKPOINT, .index = begun->number, .term = quorum_count};
    memcpy(bytes + RECORD_HEAD_BYTES, &fields, sizeof(fields));
    record_finish(bytes, &head, sizeof(fields));
    tape_append(tape);
}

int tape_checkpoint_begin(struct tape *tape, uint32_t quorum_count, uint64_t keep_position)
{
    struct tape_ring *ring = &tape->ring;
    ASSERT(!checkpoint_is_under_way(tape));
    ring->is_wanted = true; /* so room must be kept for it, even when this one is refused */
    ring_settle(ring);
    uint64_t keep_chunk = keep_chunk_of(tape, keep_position);
    if (!tape->error && (!may_begin(tape, keep_chunk) || checkpoint_is_idle(tape, keep_chunk))) {
        return -ENOSPC;
    }
    int error = 0;
    tape_block_end(tape); /* the marker begins a block */
    ring->begun = (struct ring_checkpoint){.number = ring->last_number + 1};
    uint8_t *bytes = tape_reserve(tape, MARKER_PAYLOAD_BYTES, true, &error);
    if (!bytes) {
        ring->begun = (struct ring_checkpoint){0};
        return error;
    }
    ring->last_number++;
    ring->begun.block_position = position_of(tape, tape->chunk_sequence, tape->block_offset);
    ring->begun.keep_chunk = keep_chunk_of(tape, keep_position);
    ring->begin_position = ring->begun.block_position;
    marker_append(tape, bytes, quorum_count);
    ring_settle(ring);
    return 0;
}

void tape_checkpoint_end(struct tape *tape)
{
    ASSERT(tape->ring.begun.number != 0);
    ASSERT(tape->ring.begun.end_position == 0);
    tape->ring.begun.end_position = tape->append_position;
    tape_checkpoint_note_durable(tape); /* all of it may have been written already */
}

void tape_checkpoint_note_durable(struct tape *tape)
{
    struct tape_ring *ring = &tape->ring;
    if (ring->naming_block != 0 && tape->durable_block >= ring->naming_block) {
        ring_name(ring);
    }
    if (ring->begun.end_position != 0 && tape->durable_position >= ring->begun.end_position) {
        ring_complete(ring);
    }
}

bool tape_checkpoint_wants_chunk(const struct tape *tape)
{
    const struct tape_ring *ring = &tape->ring;
    return ring->complete.number != 0 && ring->naming_block == 0 && room_is_short(tape) &&
           tape->chunk_sequence < ring->chunk_last;
}

uint64_t tape_entry_position(struct tape *tape, uint64_t quorum_number, uint64_t index)
{
    const struct index_quorum *quorum = tape_index_find(&tape->index, quorum_number);
    bool has_older = tape_index_has_older(&tape->index);
    if (quorum ? index > quorum->last_index : tape->index.unlisted_chunk == 0 && !has_older) {
        return UINT64_MAX;
    }
    struct chunk_range range = tape_index_seek(&tape->index, quorum_number, index, tape->chunk_sequence);
    uint64_t first = range.first;
    if (first == 0 && quorum && !has_older) {
        first = tape_index_first_chunk(&tape->index, quorum);
    } else if (first == 0 || (!quorum && has_older)) {
        first = tape->index.oldest_chunk ? tape->index.oldest_chunk : 1;
    }
    if (first == 0) {
        return UINT64_MAX;
    }
    return position_of(tape, first, 0);
}
