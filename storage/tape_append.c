/* SPDX-License-Identifier: Apache-2.0 */
/* Appending: records are built in place in the chunk that will be written; a block is open while it gathers,
 * closed (head, checksum, padding) when it is full or the turn ends, then written with whatever else is
 * closed. */
#include <errno.h>

#include "check.h"
#include "tape_internal.h"

/* Every chunk keeps room for an attest block at its end, so that its last block can always be attested. */
static uint32_t chunk_records_end(const struct tape *tape)
{
    return tape->superblock.chunk_bytes - tape->superblock.block_bytes;
}

/* What one chunk can take of records, at least, when the largest that does not fit at its end is
 * `record_bytes`. */
static uint64_t chunk_yield_bytes(const struct tape *tape, uint64_t record_bytes)
{
    uint64_t lost =
        CHUNK_HEAD_SPACE_BYTES + BLOCK_HEAD_BYTES + 2 * (uint64_t)tape->superblock.block_bytes + record_bytes;
    return tape->superblock.chunk_bytes > lost ? tape->superblock.chunk_bytes - lost : 0;
}

uint64_t tape_reserve_bytes(const struct tape *tape)
{
    uint64_t quarter = tape->superblock.size_bytes / 4;
    if (ring_is_used(&tape->ring)) {
        /* of what is left when the last two checkpoints keep a chunk each and one is kept for the next */
        uint64_t left = tape->ring.chunk_count - 3;
        quarter = left * (tape->superblock.chunk_bytes - CHUNK_HEAD_SPACE_BYTES) / 4;
    }
    return quarter < TAPE_RESERVE_BYTES ? quarter : TAPE_RESERVE_BYTES;
}

size_t tape_record_bytes_max(const struct tape *tape)
{
    size_t room = tape->write_bytes_max - BLOCK_HEAD_BYTES;
    size_t chunk_room = chunk_records_end(tape) - CHUNK_HEAD_SPACE_BYTES - BLOCK_HEAD_BYTES;
    room = room < chunk_room ? room : chunk_room;
    return room < RECORD_BYTES_MAX ? room : RECORD_BYTES_MAX;
}

uint64_t tape_free_bytes(const struct tape *tape)
{
    const struct tape_ring *ring = &tape->ring;
    uint64_t here = tape->superblock.chunk_bytes - tape->block_offset - tape->block_length;
    if (tape->chunk_sequence > ring->chunk_ceiling) {
        return 0; /* a checkpoint went further */
    }
    uint64_t rest = ring->chunk_ceiling - tape->chunk_sequence;
    uint64_t room = rest * (tape->superblock.chunk_bytes - CHUNK_HEAD_SPACE_BYTES) + here;
    return room > ring->floor_bytes ? room - ring->floor_bytes : 0;
}

/* Whether what is appended from the reserve is a checkpoint, which may take what is kept for one. */
static bool checkpoint_is_open(const struct tape *tape)
{
    return tape->ring.begun.number != 0 && tape->ring.begun.end_position == 0;
}

/* What must be left free by an append; UINT64_MAX: that does not matter. */
static uint64_t left_bytes(const struct tape *tape, bool use_reserve)
{
    if (!use_reserve) {
        return tape_reserve_bytes(tape);
    }
    return ring_is_used(&tape->ring) && !checkpoint_is_open(tape) ? 0 : UINT64_MAX;
}

/* How many chunks appending may begin. The last one is left for the head that names a checkpoint. */
static uint64_t chunks_allowed(const struct tape *tape, bool use_reserve)
{
    uint64_t last = tape->ring.chunk_ceiling;
    if (use_reserve && checkpoint_is_open(tape)) {
        last = tape->ring.chunk_last - 1;
    }
    return last > tape->chunk_sequence ? last - tape->chunk_sequence : 0;
}

uint64_t tape_chunks_beginnable(const struct tape *tape)
{
    uint64_t oldest_needed = tape->durable_end_position >> tape->chunk_shift;
    /* at a chunk's very end nothing of that chunk is needed any more, but counting it is simpler and safe */
    return oldest_needed + tape->memory_chunk_count - 1 - tape->chunk_sequence;
}

int tape_room(const struct tape *tape, size_t record_bytes, uint32_t record_count, bool use_reserve)
{
    if (tape->error) {
        return -EIO;
    }
    uint64_t largest = record_count ? record_bytes - (record_count - 1) * (uint64_t)RECORD_HEAD_BYTES : 0;
    uint64_t limit = tape_record_bytes_max(tape);
    largest = largest < limit ? largest : limit;
    /* records that do not fill their blocks: each block but the last is more than half full, or ends a chunk
     */
    uint64_t block_count = 2 + 2 * record_bytes / tape->write_bytes_max;
    uint64_t need = record_bytes + block_count * (BLOCK_HEAD_BYTES + 2 * TAPE_BLOCK_BYTES_MAX);
    uint64_t rest = chunk_records_end(tape) > tape->block_offset + tape->block_length
                        ? chunk_records_end(tape) - tape->block_offset - tape->block_length
                        : 0;
    uint64_t chunks = 0;
    if (need > rest) {
        uint64_t yield = chunk_yield_bytes(tape, largest);
        chunks = yield == 0 ? UINT32_MAX : (need + yield - 1) / yield;
    }
    if (chunks > chunks_allowed(tape, use_reserve)) {
        return -ENOSPC;
    }
    uint64_t cost = need + (chunks + 1) * (tape->superblock.chunk_bytes - chunk_yield_bytes(tape, largest));
    uint64_t left = left_bytes(tape, use_reserve);
    if (left != UINT64_MAX && tape_free_bytes(tape) < left + cost) {
        return -ENOSPC;
    }
    return chunks > tape_chunks_beginnable(tape) ? -EBUSY : 0;
}

/* ---- blocks ---- */

void tape_block_finish(struct tape *tape, uint8_t kind, uint32_t length, uint32_t span)
{
    struct block_head head = {
        .length = length,
        .kind = kind,
        .block_sequence = ++tape->block_sequence,
        .open_count = (uint32_t)tape->superblock.open_count,
        .previous_crc = tape->previous_crc,
        .durable_block = tape->superblock.sync == TAPE_SYNC_NONE ? 0 : tape->durable_block,
        .chunk_sequence = tape->chunk_sequence,
        .chunk_offset = tape->block_offset,
        .record_count = tape->block_record_count,
        .incarnation = tape->superblock.incarnation,
    };
#ifdef TALLY_MUTANT_TAPE_MARK_EARLY
    head.durable_block = head.block_sequence - 1;
#endif
    tape->previous_crc = block_close(tape->tail->bytes + tape->block_offset, &head, span);
    tape->last_block_kind = kind;
    tape->block_offset += span;
    tape->block_length = 0;
    tape->block_record_count = 0;
    tape->tail->end = tape->block_offset;
}

void tape_block_end(struct tape *tape)
{
    if (tape->block_record_count > 0) {
        uint32_t span = (uint32_t)align_up(tape->block_length, tape->superblock.block_bytes);
        tape_block_finish(tape, BLOCK_RECORDS, tape->block_length, span);
    }
    tape->block_length = 0;
    tape->reserved_bytes = 0; /* what was reserved and not appended is forgotten */
}

/* Opens a block where the last one ended; its length in memory is always true, for cursors read it while it
 * grows. */
static void block_begin(struct tape *tape)
{
    struct block_head head = {.length = BLOCK_HEAD_BYTES, .kind = BLOCK_RECORDS};
    memcpy(tape->tail->bytes + tape->block_offset, &head, sizeof(head));
    tape->block_length = BLOCK_HEAD_BYTES;
}

/* The chunk is about to be written over. */
static void chunk_drop(struct tape *tape, uint64_t chunk_sequence)
{
    struct memory_chunk *memory = memory_chunk_find(tape, chunk_sequence);
    if (memory) {
        memory->sequence = 0;
    }
    reader_drop(&tape->reader, chunk_sequence);
    tape_index_drop(&tape->index, chunk_sequence);
}

void tape_chunk_begin(struct tape *tape)
{
    ASSERT(tape->chunk_sequence < tape->ring.chunk_last);
    if (tape->chunk_sequence > 0) {
        *chunk_end_place(tape, tape->chunk_sequence) = tape->block_offset;
    }
    tape->chunk_sequence++;
    if (tape->chunk_sequence > tape->ring.chunk_count) {
        chunk_drop(tape, tape->chunk_sequence - tape->ring.chunk_count);
    }
    tape->tail = &tape->memory[tape->chunk_sequence % tape->memory_chunk_count];
    tape->tail->sequence = tape->chunk_sequence;
    tape->tail->end = 0;
    tape->block_offset = 0;
    struct chunk_fields fields = {
        .version = TAPE_VERSION,
        .chunk_bytes = tape->superblock.chunk_bytes,
        .cluster_id = tape->superblock.cluster_id,
        .node_id = tape->superblock.node_id,
        .checkpoint_position = ring_nameable(&tape->ring)->block_position,
    };
    memcpy(fields.log_name, tape->superblock.log_name, sizeof(fields.log_name));
    memcpy(tape->tail->bytes + BLOCK_HEAD_BYTES, &fields, sizeof(fields));
    tape_block_finish(tape, BLOCK_CHUNK, CHUNK_HEAD_BYTES, CHUNK_HEAD_SPACE_BYTES);
    if (tape->ring.complete.number != 0 && tape->ring.naming_block == 0) {
        tape->ring.naming_block = tape->block_sequence;
    }
}

/* ---- records ---- */

/* Whether the open block, or one opened here, can take `need` bytes more. */
static bool fits_here(const struct tape *tape, size_t need)
{
    uint32_t length = tape->block_length ? tape->block_length : BLOCK_HEAD_BYTES;
    return tape->block_offset < chunk_records_end(tape) && length + need <= tape->write_bytes_max &&
           length + need <= chunk_records_end(tape) - tape->block_offset;
}

/* Whether the record may go to the next chunk: what is wasted of this one may be what its check counted on.
 */
static bool next_chunk_may_take(const struct tape *tape, size_t need, bool use_reserve)
{
    const struct tape_ring *ring = &tape->ring;
    uint64_t chunks = chunks_allowed(tape, use_reserve);
    if (chunks == 0 || !ring_is_used(ring) || (use_reserve && checkpoint_is_open(tape))) {
        return chunks > 0;
    }
    return chunks * (ring->chunk_bytes - CHUNK_HEAD_SPACE_BYTES) >=
           need + BLOCK_HEAD_BYTES + 2 * (uint64_t)tape->superblock.block_bytes + ring->floor_bytes;
}

/* Makes room in a new block, or in the first block of a new chunk. */
static int room_make(struct tape *tape, size_t need, bool use_reserve)
{
    uint64_t block_end_offset =
        align_up(tape->block_offset + tape->block_length, tape->superblock.block_bytes);
    bool fits_chunk =
        tape->chunk_sequence > 0 && block_end_offset + BLOCK_HEAD_BYTES + need <= chunk_records_end(tape);
    if (!fits_chunk && !next_chunk_may_take(tape, need, use_reserve)) {
        return -ENOSPC;
    }
    if (!fits_chunk && tape_chunks_beginnable(tape) == 0) {
        return -EBUSY;
    }
    tape_block_end(tape);
    if (!fits_chunk) {
        tape_chunk_begin(tape);
    }
    return 0;
}

static int reserve_check(const struct tape *tape, size_t need, bool use_reserve)
{
    if (tape->error) {
        return -EIO;
    }
    if (need > tape_record_bytes_max(tape)) {
        return -EMSGSIZE;
    }
    uint64_t cost = need + BLOCK_HEAD_BYTES + 2 * (uint64_t)tape->superblock.block_bytes;
    uint64_t left = left_bytes(tape, use_reserve);
    if (left != UINT64_MAX && tape_free_bytes(tape) < left + cost) {
        return -ENOSPC;
    }
    return 0;
}

uint8_t *tape_reserve(struct tape *tape, size_t payload_bytes, bool use_reserve, int *ret_error)
{
    size_t need = record_padded_bytes(RECORD_HEAD_BYTES + payload_bytes);
    int error = reserve_check(tape, need, use_reserve);
    if (!error && !fits_here(tape, need)) {
        error = room_make(tape, need, use_reserve);
    }
    if (error) {
        *ret_error = error;
        return NULL;
    }
    if (tape->block_length == 0) {
        block_begin(tape);
    }
    tape->reserved_bytes = (uint32_t)need;
    return tape->tail->bytes + tape->block_offset + tape->block_length;
}

uint64_t tape_append(struct tape *tape)
{
    uint8_t *block = tape->tail->bytes + tape->block_offset;
    struct record_head head = record_head_load(block + tape->block_length);
    uint32_t padded = (uint32_t)record_padded_bytes(head.length);
    ASSERT(padded > 0);
    ASSERT(padded <= tape->reserved_bytes);
    tape->reserved_bytes = 0;
    tape->block_length += padded;
    tape->block_record_count++;
    store_le32(block + offsetof(struct block_head, length), tape->block_length);
    tape->tail->end = tape->block_offset + tape->block_length;
    tape->append_position = position_of(tape, tape->chunk_sequence, tape->block_offset + tape->block_length);
    tape_note_record(tape, &head, tape->chunk_sequence, tape->append_position);
    return tape->append_position;
}
