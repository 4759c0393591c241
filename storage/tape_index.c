/* SPDX-License-Identifier: Apache-2.0 */
#include "tape_index.h"

#define LINKS_PER_GIB_SHIFT 14 /* 65536 links of 16 bytes per GiB: one per 16 KiB */
#define LINK_COUNT_MIN      256

void tape_index_init(struct tape_index *index, struct arena *arena, uint64_t tape_bytes)
{
    uint64_t link_count = tape_bytes >> LINKS_PER_GIB_SHIFT;
    *index = (struct tape_index){0};
    index->link_count_max = link_count < LINK_COUNT_MIN ? LINK_COUNT_MIN : (uint32_t)link_count;
    index->quorums = ARENA_ARRAY(arena, struct index_quorum, TAPE_INDEX_SLOTS);
    index->links = ARENA_ARRAY(arena, struct index_link, index->link_count_max);
}

/* Its place, or the free place where it would be. There is always one: the table is at most half full. */
static struct index_quorum *quorum_place(struct tape_index *index, uint64_t quorum_number)
{
    uint64_t slot = (quorum_number * 0x9E3779B97F4A7C15u) >> 52;
    _Static_assert(TAPE_INDEX_SLOTS == 1u << (64 - 52), "the hash gives 12 bits");
    while (index->quorums[slot].quorum_number != 0 && index->quorums[slot].quorum_number != quorum_number) {
        slot = (slot + 1) % TAPE_INDEX_SLOTS;
    }
    return &index->quorums[slot];
}

const struct index_quorum *tape_index_find(struct tape_index *index, uint64_t quorum_number)
{
    if (index->recent && index->recent->quorum_number == quorum_number) {
        return index->recent;
    }
    struct index_quorum *place = quorum_place(index, quorum_number);
    if (place->quorum_number == 0) {
        return NULL;
    }
    index->recent = place;
    return place;
}

static void mark_overflow(struct tape_index *index, uint64_t chunk)
{
    if (index->overflow_chunk == 0) {
        index->overflow_chunk = (uint32_t)chunk;
    }
}

/* The quorum's place, new if need be; NULL when the table is full. Quorum number 0 is nobody's. */
static struct index_quorum *quorum_take(struct tape_index *index, uint64_t quorum_number)
{
    struct index_quorum *found = (struct index_quorum *)tape_index_find(index, quorum_number);
    if (found || quorum_number == 0 || index->quorum_count == TAPE_INDEX_QUORUMS_MAX) {
        return found;
    }
    struct index_quorum *place = quorum_place(index, quorum_number);
    place->quorum_number = quorum_number;
    index->quorum_count++;
    index->recent = place;
    return place;
}

static void link_add(struct tape_index *index, struct index_quorum *quorum, uint64_t entry_index,
                     uint64_t chunk)
{
    struct index_link *newest = quorum->newest ? &index->links[quorum->newest - 1] : NULL;
    if (newest && (newest->chunk == chunk || index->link_count == index->link_count_max)) {
        newest->lowest = entry_index < newest->lowest ? entry_index : newest->lowest;
        if (newest->chunk != chunk) {
            mark_overflow(index, chunk);
        }
        return;
    }
    if (index->link_count == index->link_count_max) {
        mark_overflow(index, chunk);
        return;
    }
    index->links[index->link_count] = (struct index_link){entry_index, (uint32_t)chunk, quorum->newest};
    quorum->newest = ++index->link_count;
}

void tape_index_note(struct tape_index *index, uint64_t quorum_number, uint64_t entry_index, bool truncation,
                     uint64_t chunk, uint64_t position)
{
    struct index_quorum *quorum = quorum_take(index, quorum_number);
    if (!quorum) {
        mark_overflow(index, chunk);
        return;
    }
    if (truncation || entry_index <= quorum->last_index) {
        quorum->rewrite_position = position;
    }
    if (!truncation) {
        quorum->last_index = entry_index;
    } else if (entry_index <= quorum->last_index) {
        quorum->last_index = entry_index > 0 ? entry_index - 1 : 0;
    }
    link_add(index, quorum, entry_index, chunk);
}

uint64_t tape_index_seek(struct tape_index *index, uint64_t quorum_number, uint64_t entry_index)
{
    const struct index_quorum *quorum = tape_index_find(index, quorum_number);
    if (!quorum || quorum->newest == 0) {
        return index->overflow_chunk;
    }
    for (uint32_t number = quorum->newest; number != 0; number = index->links[number - 1].older) {
        if (index->links[number - 1].lowest <= entry_index) {
            return index->links[number - 1].chunk;
        }
    }
    return 0;
}
