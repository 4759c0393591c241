/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors: near which chunk an entry stands is known (tape_index.h); inside, the records are looked at one by
 * one. The chunk is in memory, or in the reader's, or is asked for and looked at when it has come.
 *
 * The valid entry at an index is the last one written, unless a later record of its quorum truncated there or
 * below (an entry truncates what it replaces). Where nothing was replaced behind the cursor the first match
 * is the last one, and looking stops there; else the whole range is looked through. What was replaced in
 * other chunks than the entry's own does not matter: those chunks would be the entry's. */
#include <errno.h>

#include "check.h"
#include "tape_internal.h"

_Static_assert(sizeof(struct tape_cursor) <= 64, "it fits where callers keep one");
_Static_assert(READER_CHUNKS_MAX < UINT8_MAX, "a slot's number fits the cursor");

enum cursor_state {
    CURSOR_STANDS,     /* before `index`, at `position`; or nowhere, position 0 */
    CURSOR_SEEKS,      /* for the first match; has looked at all before `position` */
    CURSOR_SEEKS_LAST, /* for the last valid one */
    CURSOR_FOUND,      /* it is at `position` */
};

/* The bytes of a chunk and where its blocks end. */
struct chunk_view {
    const uint8_t *bytes;
    uint64_t sequence;
    uint32_t end;
};

/* What is looked for. */
struct search {
    uint64_t quorum_number;
    uint64_t index;
    uint64_t term; /* 0: any */
    bool last;
};

/* A place in a chunk: a record, and the block it is in. */
struct place {
    uint32_t block_offset;
    uint32_t offset; /* 0: none */
};

void tape_cursor_init(struct tape_cursor *cursor, uint64_t quorum_number)
{
    *cursor = (struct tape_cursor){.quorum_number = quorum_number};
}

void tape_cursor_release(struct tape *tape, struct tape_cursor *cursor)
{
    if (cursor->reader_slot) {
        reader_forget(&tape->reader, cursor->reader_slot - 1u, cursor->generation);
    }
    tape_cursor_init(cursor, cursor->quorum_number);
}

/* ---- the bytes of a chunk ---- */

static enum tape_read slot_use(struct tape *tape, struct tape_cursor *cursor, struct reader_slot *slot,
                               struct chunk_view *ret_view)
{
    cursor->reader_slot = (uint8_t)(slot - tape->reader.slots + 1);
    cursor->generation = slot->generation;
    switch (slot->state) {
    case READER_FREE:
    case READER_ASKED:
        return TAPE_READ_WAIT;
    case READER_BAD:
        slot->state = READER_FREE;
        slot->fresh = false;
        cursor->reader_slot = 0;
        return TAPE_READ_FAILED;
    case READER_READY:
        slot->fresh = false;
        slot->used = ++tape->reader.use_count;
        *ret_view = (struct chunk_view){slot->bytes, slot->chunk_sequence, slot->end};
        return TAPE_READ_RECORD;
    }
    return TAPE_READ_FAILED;
}

/* Lets go of another chunk that was asked for and never used. */
static void slot_leave(struct tape *tape, struct tape_cursor *cursor, uint64_t chunk_sequence)
{
    if (cursor->reader_slot == 0) {
        return;
    }
    const struct reader_slot *slot = &tape->reader.slots[cursor->reader_slot - 1];
    if (slot->generation == cursor->generation && slot->chunk_sequence == chunk_sequence) {
        return;
    }
    reader_forget(&tape->reader, cursor->reader_slot - 1u, cursor->generation);
    cursor->reader_slot = 0;
}

/* TAPE_READ_RECORD: the view is there. */
static enum tape_read chunk_view_of(struct tape *tape, struct tape_cursor *cursor, uint64_t sequence,
                                    struct chunk_view *ret_view)
{
    const struct memory_chunk *memory = memory_chunk_find(tape, sequence);
    slot_leave(tape, cursor, memory ? 0 : sequence);
    if (memory) {
        *ret_view = (struct chunk_view){memory->bytes, sequence, memory->end};
        return TAPE_READ_RECORD;
    }
    struct reader_request request = {
        .end = *chunk_end_place(tape, sequence),
        .chunk_sequence = sequence,
        .device_offset = chunk_device_offset(&tape->superblock, sequence),
    };
    struct reader_slot *slot = reader_ask(&tape->reader, &request);
    return slot ? slot_use(tape, cursor, slot, ret_view) : TAPE_READ_WAIT;
}

/* ---- looking through a chunk ---- */

/* What the record at hand means for the search: it is the one, it unmakes the one found before, or nothing.
 * True when it is the one. */
static bool search_judge(const struct search *search, const struct record_head *head, bool *ret_unmade)
{
    if (head->quorum_number != search->quorum_number) {
        return false;
    }
    bool is_entry = record_type_is_entry(head->type);
    if (is_entry && head->index == search->index && (search->term == 0 || head->term == search->term)) {
        return true;
    }
    *ret_unmade |= (is_entry || head->type == RECORD_TRUNCATE) && head->index <= search->index;
    return false;
}

/* The best so far of a search, across chunks. */
struct best {
    uint64_t position; /* of the record's first byte; 0: none */
    uint32_t in_block;
};

/* Looks at one block's records from `at` on. True when the search is over. */
static bool block_search(const struct tape *tape, const struct chunk_view *view, const struct search *search,
                         struct place *at, uint32_t block_end, struct best *best)
{
    while (at->offset < block_end) {
        struct record_head head = record_head_load(view->bytes + at->offset);
        bool unmade = false;
        if (search_judge(search, &head, &unmade)) {
            best->position = position_of(tape, view->sequence, at->offset);
            best->in_block = at->offset - at->block_offset;
            if (!search->last) {
                return true;
            }
        } else if (unmade && search->last) {
            best->position = 0;
        }
        at->offset += (uint32_t)record_padded_bytes(head.length);
    }
    return false;
}

/* Looks from `at` on, and leaves `at` where it stopped: at the end of the last block, for that may still
 * grow. */
static bool chunk_search(const struct tape *tape, const struct chunk_view *view, const struct search *search,
                         struct place *at, struct best *best)
{
    while (at->block_offset < view->end) {
        struct block_head block = block_head_load(view->bytes + at->block_offset);
        uint32_t block_end =
            at->block_offset + (block.kind == BLOCK_RECORDS ? block.length : BLOCK_HEAD_BYTES);
        if (block_search(tape, view, search, at, block_end, best)) {
            return true;
        }
        uint32_t next = at->block_offset + block_span_bytes(&block, tape->superblock.block_bytes);
        if (next >= view->end) {
            return false;
        }
        *at = (struct place){next, next + BLOCK_HEAD_BYTES};
    }
    return false;
}

/* ---- the cursor's place ---- */

static void cursor_place(struct tape_cursor *cursor, uint64_t block_position, uint64_t in_block)
{
    cursor->block_position = block_position;
    cursor->position = block_position + in_block;
}

static void cursor_begin(const struct tape *tape, struct tape_cursor *cursor, uint64_t chunk_sequence)
{
    cursor_place(cursor, position_of(tape, chunk_sequence, 0), BLOCK_HEAD_BYTES);
}

/* Looks from the cursor's place to the end of its chunk. TAPE_READ_END: the search goes on behind it. */
static enum tape_read look_on(struct tape *tape, struct tape_cursor *cursor, const struct search *search,
                              struct best *best)
{
    struct chunk_view view;
    uint64_t sequence = cursor->block_position >> tape->chunk_shift;
    enum tape_read result = chunk_view_of(tape, cursor, sequence, &view);
    if (result != TAPE_READ_RECORD) {
        return result;
    }
    struct place at = {.block_offset = (uint32_t)(cursor->block_position & tape->chunk_mask)};
    at.offset = at.block_offset + (uint32_t)(cursor->position - cursor->block_position);
    bool over = chunk_search(tape, &view, search, &at, best);
    cursor_place(cursor, position_of(tape, sequence, at.block_offset), at.offset - at.block_offset);
    return over ? TAPE_READ_RECORD : TAPE_READ_END;
}

/* Hands out the record at the cursor's place and stands behind it. */
static enum tape_read deliver(struct tape *tape, struct tape_cursor *cursor, const uint8_t **ret_record,
                              struct record_head *ret_head)
{
    struct chunk_view view;
    uint64_t sequence = cursor->block_position >> tape->chunk_shift;
    enum tape_read result = chunk_view_of(tape, cursor, sequence, &view);
    if (result != TAPE_READ_RECORD) {
        return result;
    }
    const uint8_t *record = view.bytes + (cursor->position - position_of(tape, sequence, 0));
    struct record_head head = record_head_load(record);
    cursor->position += record_padded_bytes(head.length);
    cursor->index = head.index + 1;
    cursor->state = CURSOR_STANDS;
    *ret_record = record;
    *ret_head = head;
    return TAPE_READ_RECORD;
}

/* ---- going on, and seeking ---- */

/* Whether from `position` on indexes only grow, so that the first match is the valid one. */
static bool nothing_replaced_behind(const struct index_quorum *quorum, uint64_t position)
{
    return quorum && quorum->rewrite_position <= position;
}

/* Whether what was found may have been replaced since. Of a quorum that is not listed that cannot be known.
 */
static bool found_is_stale(const struct tape *tape, const struct tape_cursor *cursor,
                           const struct index_quorum *quorum)
{
    if (cursor->term != 0) {
        return false;
    }
    return quorum ? quorum->rewrite_position > cursor->found_position
                  : tape->append_position > cursor->found_position;
}

/* Whether the first match is the valid one for a cursor that stands before `index`. */
static bool first_will_do(const struct tape_cursor *cursor, const struct index_quorum *quorum, uint64_t index)
{
    return nothing_replaced_behind(quorum, cursor->position) ||
           (quorum && cursor->clean_rewrite == quorum->rewrite_position && index < cursor->clean_until);
}

static bool stands_before(const struct tape_cursor *cursor, uint64_t index)
{
    return cursor->state == CURSOR_STANDS && cursor->position != 0 && cursor->index == index;
}

static void seek_begin(const struct tape *tape, struct tape_cursor *cursor, const struct chunk_range *range,
                       const struct search *search, uint64_t first_chunk)
{
    cursor_begin(tape, cursor, first_chunk);
    cursor->index = search->index;
    cursor->term = search->term;
    cursor->found_position = 0;
    bool only_grows = search->term != 0 || range->rewrite_position <= cursor->position;
    cursor->state = only_grows ? CURSOR_SEEKS : CURSOR_SEEKS_LAST;
}

/* Looks through the range, chunk by chunk, from where the cursor is. TAPE_READ_RECORD: the cursor is at it.
 */
static enum tape_read seek_on(struct tape *tape, struct tape_cursor *cursor, struct search *search,
                              const struct chunk_range *range)
{
    struct best best = {cursor->found_position, cursor->found_in_block};
    enum tape_read result;
    search->last = cursor->state == CURSOR_SEEKS_LAST;
    while ((result = look_on(tape, cursor, search, &best)) == TAPE_READ_END) {
        uint64_t sequence = cursor->block_position >> tape->chunk_shift;
        if (sequence >= range->last) {
            break;
        }
        cursor_begin(tape, cursor, sequence + 1);
    }
    cursor->found_position = best.position;
    cursor->found_in_block = best.in_block;
    if (result == TAPE_READ_WAIT || result == TAPE_READ_FAILED) {
        return result;
    }
    if (best.position == 0) {
        return TAPE_READ_END;
    }
    cursor_place(cursor, best.position - best.in_block, best.in_block);
    cursor->found_position = tape->append_position;
    cursor->state = CURSOR_FOUND;
    return TAPE_READ_RECORD;
}

/* Leaves the cursor at the record, CURSOR_FOUND. A cursor that stood before the entry has already looked
 * through its own chunk. */
static enum tape_read seek(struct tape *tape, struct tape_cursor *cursor, const struct index_quorum *quorum,
                           struct search *search, struct chunk_range *ret_range)
{
    struct chunk_range range =
        tape_index_seek(&tape->index, search->quorum_number, search->index, tape->chunk_sequence);
    *ret_range = range;
    uint64_t sequence = cursor->block_position >> tape->chunk_shift;
    bool goes_on = cursor->state != CURSOR_STANDS && cursor->index == search->index &&
                   cursor->term == search->term && sequence >= range.first && sequence <= range.last;
    if (range.first == 0) {
        cursor->state = CURSOR_STANDS;
        cursor->position = 0;
        return TAPE_READ_GONE; /* if it ever was */
    }
    if (goes_on && cursor->state == CURSOR_FOUND && !found_is_stale(tape, cursor, quorum)) {
        return TAPE_READ_RECORD;
    }
    if (!goes_on || cursor->state == CURSOR_FOUND) {
        bool past_this_chunk = stands_before(cursor, search->index) && sequence >= range.first &&
                               sequence < range.last && nothing_replaced_behind(quorum, cursor->position);
        seek_begin(tape, cursor, &range, search, past_this_chunk ? sequence + 1 : range.first);
    }
    enum tape_read result = seek_on(tape, cursor, search, &range);
    if (result == TAPE_READ_END || result == TAPE_READ_FAILED) {
        cursor->state = CURSOR_STANDS;
        cursor->position = 0; /* it seeks anew next time */
    }
    return result == TAPE_READ_END && range.cut ? TAPE_READ_GONE : result;
}

/* Going on from where the cursor stands, in its chunk. TAPE_READ_END: seek. */
static enum tape_read go_on(struct tape *tape, struct tape_cursor *cursor, const struct index_quorum *quorum,
                            const struct search *search)
{
    struct best best = {0};
    if (!stands_before(cursor, search->index) ||
        cursor->block_position >> tape->chunk_shift < tape->index.oldest_chunk ||
        (search->term == 0 && !first_will_do(cursor, quorum, search->index))) {
        return TAPE_READ_END;
    }
    return look_on(tape, cursor, search, &best);
}

/* ---- chunks that are not covered yet ---- */

static void older_note(struct tape *tape, const struct chunk_view *view)
{
    uint32_t offset = 0;
    while (offset < view->end) {
        struct block_head block = block_head_load(view->bytes + offset);
        uint32_t at = offset + BLOCK_HEAD_BYTES;
        for (uint32_t i = 0; i < block.record_count; i++) {
            struct record_head head = record_head_load(view->bytes + at);
            at += (uint32_t)record_padded_bytes(head.length);
            bool truncation = head.type == RECORD_TRUNCATE;
            if (truncation || record_type_is_entry(head.type)) {
                tape_index_note_older(&tape->index, head.quorum_number, head.index, truncation,
                                      view->sequence, position_of(tape, view->sequence, at));
            }
        }
        offset += block_span_bytes(&block, tape->superblock.block_bytes);
    }
    struct block_head first = block_head_load(view->bytes);
    tape->older_end.block_sequence = first.block_sequence - 1;
    tape->older_end.crc = first.previous_crc;
    *chunk_end_place(tape, view->sequence) = view->end;
    tape_index_cover(&tape->index, view->sequence);
}

/* A chunk that is the next to be written over, and is no whole one, was being written over when the last run
 * ended. */
static bool chunk_was_begun_over(const struct tape *tape, uint64_t sequence, int error)
{
    return error == -EBADMSG && sequence == tape->index.oldest_chunk &&
           sequence + tape->ring.chunk_count == tape->chunk_sequence + 1;
}

/* Covers the chunk before the covered ones. TAPE_READ_END: it is done. */
static enum tape_read older_cover(struct tape *tape, struct tape_cursor *cursor)
{
    struct chunk_view view;
    uint64_t sequence = tape->index.covered_from - 1;
    struct reader_request request = {
        .last_crc = tape->older_end.crc,
        .last_block = tape->older_end.block_sequence,
        .chunk_sequence = sequence,
        .device_offset = chunk_device_offset(&tape->superblock, sequence),
    };
    slot_leave(tape, cursor, sequence);
    struct reader_slot *slot = reader_ask(&tape->reader, &request);
    int error = slot && slot->state == READER_BAD ? slot->error : 0;
    enum tape_read result = slot ? slot_use(tape, cursor, slot, &view) : TAPE_READ_WAIT;
    if (result == TAPE_READ_RECORD) {
        older_note(tape, &view);
        return TAPE_READ_END;
    }
    if (chunk_was_begun_over(tape, sequence, error)) {
        tape_index_drop(&tape->index, sequence);
        return TAPE_READ_END;
    }
    return result;
}

/* What is not known of may stand in a chunk that is not covered, may have been there, or never was. */
static enum tape_read look_further_back(struct tape *tape, struct tape_cursor *cursor, bool was_there)
{
    if (tape_index_has_older(&tape->index)) {
        enum tape_read result = older_cover(tape, cursor);
        return result == TAPE_READ_END ? TAPE_READ_WAIT : result;
    }
    return was_there && tape->index.oldest_chunk > 1 ? TAPE_READ_GONE : TAPE_READ_END;
}

/* Whether there is nothing to look for: behind the last entry, or a quorum that was never heard of. */
static bool is_beyond(const struct tape *tape, const struct index_quorum *quorum, uint64_t index)
{
    return quorum ? index > quorum->last_index
                  : tape->index.unlisted_chunk == 0 && !tape_index_has_older(&tape->index);
}

enum tape_read tape_read(struct tape *tape, struct tape_cursor *cursor, uint64_t index, uint64_t term,
                         const uint8_t **ret_record, struct record_head *ret_head)
{
    const struct index_quorum *quorum = tape_index_find(&tape->index, cursor->quorum_number);
    struct search search = {.quorum_number = cursor->quorum_number, .index = index, .term = term};
    if (is_beyond(tape, quorum, index)) {
        /* of a quorum that nothing is left of, whatever it had is gone */
        return !quorum && tape->index.oldest_chunk > 1 ? TAPE_READ_GONE : TAPE_READ_END;
    }
    struct chunk_range range = {0};
    enum tape_read result = go_on(tape, cursor, quorum, &search);
    bool sought = result == TAPE_READ_END;
    if (sought) {
        result = seek(tape, cursor, quorum, &search, &range);
    }
    if ((result == TAPE_READ_GONE && range.first == 0) || (result == TAPE_READ_END && !quorum)) {
        result = look_further_back(tape, cursor, quorum != NULL);
    }
    if (result == TAPE_READ_RECORD) {
        result = deliver(tape, cursor, ret_record, ret_head);
    }
    if (result == TAPE_READ_RECORD && sought) {
        cursor->clean_rewrite = quorum ? quorum->rewrite_position : 0;
        cursor->clean_until = range.rewrite_position <= cursor->position ? range.until_index : 0;
    }
    return result;
}
