/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors: where an entry stands is known to the chunk (tape_index.h); inside the chunk the records are
 * looked at one by one. The chunk is in memory, or in the reader's, or is asked for. */
#include "check.h"
#include "tape_internal.h"

_Static_assert(sizeof(struct tape_cursor) <= 64, "it fits where callers keep one");

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
    bool last;     /* the last one that nothing behind it in the chunk replaced; else the first */
};

void tape_cursor_init(struct tape_cursor *cursor, uint64_t quorum_number)
{
    *cursor = (struct tape_cursor){.quorum_number = quorum_number};
}

void tape_cursor_release(struct tape *tape, struct tape_cursor *cursor)
{
    if (cursor->reader_slot) {
        reader_forget(&tape->reader, cursor->reader_slot - 1, cursor->generation);
    }
    cursor->reader_slot = 0;
    cursor->position = 0;
}

/* ---- the bytes of a chunk ---- */

static enum tape_read slot_use(struct tape *tape, struct tape_cursor *cursor, struct reader_slot *slot,
                               struct chunk_view *ret_view)
{
    cursor->reader_slot = (uint32_t)(slot - tape->reader.slots) + 1;
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
    reader_forget(&tape->reader, cursor->reader_slot - 1, cursor->generation);
    cursor->reader_slot = 0;
}

/* TAPE_READ_RECORD: the view is there. */
static enum tape_read chunk_view_of(struct tape *tape, struct tape_cursor *cursor, uint64_t sequence,
                                    struct chunk_view *ret_view)
{
    struct memory_chunk *memory = memory_chunk_find(tape, sequence);
    slot_leave(tape, cursor, memory ? 0 : sequence);
    if (memory) {
        *ret_view = (struct chunk_view){memory->bytes, sequence, memory->end};
        return TAPE_READ_RECORD;
    }
    struct reader_slot *slot = reader_ask(&tape->reader, sequence, tape->chunk_ends[sequence - 1],
                                          chunk_device_offset(&tape->superblock, sequence));
    return slot ? slot_use(tape, cursor, slot, ret_view) : TAPE_READ_WAIT;
}

/* ---- looking through a chunk ---- */

/* A place in a chunk: a record, and the block it is in. */
struct place {
    uint32_t block_offset;
    uint32_t offset; /* 0: none */
};

/* What the record at hand means for the search: it is the one, it unmakes the one found before, or nothing.
 */
static void search_judge(const struct search *search, const struct record_head *head, struct place here,
                         struct place *found)
{
    if (head->quorum_number != search->quorum_number) {
        return;
    }
    bool is_entry = record_type_is_entry(head->type);
    if (is_entry && head->index == search->index && (search->term == 0 || head->term == search->term)) {
        *found = here;
    } else if ((is_entry || head->type == RECORD_TRUNCATE) && head->index <= search->index && search->last) {
        *found = (struct place){0};
    }
}

/* Searches from `at` on, and leaves `at` where it stopped: at the record found first, or at the end. */
static struct place chunk_search(const struct chunk_view *view, uint32_t block_bytes,
                                 const struct search *search, struct place *at)
{
    struct place found = {0};
    while (at->block_offset < view->end) {
        struct block_head block = block_head_load(view->bytes + at->block_offset);
        uint32_t block_end = at->block_offset + block.length;
        at->offset = at->offset ? at->offset : at->block_offset + BLOCK_HEAD_BYTES;
        while (block.kind == BLOCK_RECORDS && at->offset < block_end) {
            struct record_head head = record_head_load(view->bytes + at->offset);
            search_judge(search, &head, *at, &found);
            if (found.offset && !search->last) {
                return found;
            }
            at->offset += (uint32_t)record_padded_bytes(head.length);
        }
        uint32_t next = at->block_offset + block_span_bytes(&block, block_bytes);
        if (next >= view->end) {
            return found; /* stand at the end of the last block: it may still grow */
        }
        *at = (struct place){.block_offset = next};
    }
    return found;
}

static enum tape_read deliver(const struct tape *tape, struct tape_cursor *cursor,
                              const struct chunk_view *view, struct place found, const uint8_t **ret_record,
                              struct record_head *ret_head)
{
    *ret_record = view->bytes + found.offset;
    *ret_head = record_head_load(*ret_record);
    uint32_t end = found.offset + (uint32_t)record_padded_bytes(ret_head->length);
    cursor->index = ret_head->index + 1;
    cursor->block_position = position_of(tape, view->sequence, found.block_offset);
    cursor->position = cursor->block_position + (end - found.block_offset);
    return TAPE_READ_RECORD;
}

/* ---- going on, and seeking ---- */

/* Whether from `position` on indexes only grow, so that the first match is the valid one. */
static bool nothing_replaced_behind(const struct index_quorum *quorum, uint64_t position)
{
    return quorum && quorum->rewrite_position <= position;
}

/* Looks on from where the cursor stands, to the end of that chunk. TAPE_READ_END: not there. */
static enum tape_read read_on(struct tape *tape, struct tape_cursor *cursor, const struct search *search,
                              const uint8_t **ret_record, struct record_head *ret_head)
{
    struct chunk_view view;
    uint64_t sequence = cursor->block_position >> tape->chunk_shift;
    enum tape_read result = chunk_view_of(tape, cursor, sequence, &view);
    if (result != TAPE_READ_RECORD) {
        return result;
    }
    uint32_t block_offset = (uint32_t)(cursor->block_position & tape->chunk_mask);
    struct place at = {block_offset, block_offset + (uint32_t)(cursor->position - cursor->block_position)};
    struct place found = chunk_search(&view, tape->superblock.block_bytes, search, &at);
    if (found.offset) {
        return deliver(tape, cursor, &view, found, ret_record, ret_head);
    }
    cursor->block_position = position_of(tape, sequence, at.block_offset);
    cursor->position = position_of(tape, sequence, at.offset);
    return TAPE_READ_END;
}

static void cursor_place(struct tape_cursor *cursor, uint64_t chunk_position, uint64_t index)
{
    cursor->block_position = chunk_position;
    cursor->position = chunk_position + BLOCK_HEAD_BYTES;
    cursor->index = index;
}

static enum tape_read read_sought(struct tape *tape, struct tape_cursor *cursor,
                                  const struct index_quorum *quorum, struct search *search,
                                  const uint8_t **ret_record, struct record_head *ret_head)
{
    uint64_t sequence = tape_index_seek(&tape->index, search->quorum_number, search->index);
    if (sequence == 0) {
        cursor->position = 0;
        return TAPE_READ_END;
    }
    cursor_place(cursor, position_of(tape, sequence, 0), search->index);
    search->last = search->term == 0 && !nothing_replaced_behind(quorum, cursor->position);
    enum tape_read result = read_on(tape, cursor, search, ret_record, ret_head);
    if (result != TAPE_READ_RECORD) {
        cursor->position = 0; /* it seeks again next time */
    }
    return result;
}

enum tape_read tape_read(struct tape *tape, struct tape_cursor *cursor, uint64_t index, uint64_t term,
                         const uint8_t **ret_record, struct record_head *ret_head)
{
    const struct index_quorum *quorum = tape_index_find(&tape->index, cursor->quorum_number);
    struct search search = {.quorum_number = cursor->quorum_number, .index = index, .term = term};
    if (quorum ? index > quorum->last_index : tape->index.overflow_chunk == 0) {
        return TAPE_READ_END;
    }
    bool goes_on = cursor->position != 0 && cursor->index == index;
    if (goes_on && (term != 0 || nothing_replaced_behind(quorum, cursor->position))) {
        enum tape_read result = read_on(tape, cursor, &search, ret_record, ret_head);
        if (result != TAPE_READ_END) {
            return result;
        }
    }
    return read_sought(tape, cursor, quorum, &search, ret_record, ret_head);
}
