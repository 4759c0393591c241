/* SPDX-License-Identifier: Apache-2.0 */
#include "tape_index.h"

#include "check.h"

#define LINKS_PER_BYTES_SHIFT 14 /* one link of 24 bytes per 16 KiB of tape */
/* With the whole tape as one span there is a link per quorum: so many are always enough. */
#define LINK_COUNT_MIN (2 * (uint64_t)TAPE_INDEX_QUORUMS_MAX)

void tape_index_init(struct tape_index *index, struct arena *arena, uint64_t tape_bytes)
{
    uint64_t link_count = tape_bytes >> LINKS_PER_BYTES_SHIFT;
    link_count = link_count < LINK_COUNT_MIN ? LINK_COUNT_MIN : link_count;
    link_count = link_count > UINT32_MAX / 2 ? UINT32_MAX / 2 : link_count;
    *index = (struct tape_index){.link_count_max = (uint32_t)link_count};
    index->quorums = ARENA_ARRAY(arena, struct index_quorum, TAPE_INDEX_SLOTS);
    index->links = ARENA_ARRAY(arena, struct index_link, link_count);
}

/* ---- quorums ---- */

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

static struct index_quorum *quorum_find(struct tape_index *index, uint64_t quorum_number)
{
    if (index->recent && index->recent->quorum_number == quorum_number) {
        return index->recent;
    }
    struct index_quorum *place = quorum_place(index, quorum_number);
    if (quorum_number == 0 || place->quorum_number == 0) {
        return NULL;
    }
    index->recent = place;
    return place;
}

const struct index_quorum *tape_index_find(struct tape_index *index, uint64_t quorum_number)
{
    return quorum_find(index, quorum_number);
}

/* The quorum's place, new if need be; NULL when the table is full. Quorum number 0 is nobody's. */
static struct index_quorum *quorum_take(struct tape_index *index, uint64_t quorum_number)
{
    struct index_quorum *found = quorum_find(index, quorum_number);
    if (found || quorum_number == 0 || index->quorum_count == TAPE_INDEX_QUORUMS_MAX) {
        return found;
    }
    struct index_quorum *place = quorum_place(index, quorum_number);
    place->quorum_number = quorum_number;
    index->quorum_count++;
    index->recent = place;
    return place;
}

/* ---- links ---- */

static uint64_t span_of(const struct tape_index *index, uint64_t chunk)
{
    return (chunk - 1) >> index->span_shift;
}

/* Joins links of one quorum that fell into one span; the newer one stays. */
static void chain_join(struct tape_index *index, const struct index_quorum *quorum)
{
    uint32_t number = quorum->newest;
    while (number != 0) {
        struct index_link *link = &index->links[number - 1];
        uint32_t older_number = link->older;
        struct index_link *older = older_number ? &index->links[older_number - 1] : NULL;
        if (!older || span_of(index, older->chunk) != span_of(index, link->chunk)) {
            number = older_number;
            continue;
        }
        link->lowest = older->lowest < link->lowest ? older->lowest : link->lowest;
        if (older->rewrite_position > link->rewrite_position) {
            link->rewrite_position = older->rewrite_position;
        }
        link->older = older->older;
        older->older = index->free_link;
        index->free_link = older_number;
    }
}

static void spans_double(struct tape_index *index)
{
    index->span_shift++;
    for (uint32_t i = 0; i < TAPE_INDEX_SLOTS; i++) {
        chain_join(index, &index->quorums[i]);
    }
}

static bool links_are_used_up(const struct tape_index *index)
{
    return index->free_link == 0 && index->link_count == index->link_count_max;
}

/* A free link's number + 1. */
static uint32_t link_take(struct tape_index *index)
{
    uint32_t number = index->free_link;
    if (number == 0) {
        return ++index->link_count;
    }
    index->free_link = index->links[number - 1].older;
    return number;
}

/* Whether the quorum has no link in the chunk's span yet. */
static bool link_is_due(const struct tape_index *index, const struct index_quorum *quorum, uint64_t chunk)
{
    return quorum->newest == 0 ||
           span_of(index, index->links[quorum->newest - 1].chunk) != span_of(index, chunk);
}

static void link_note(struct tape_index *index, struct index_quorum *quorum, uint64_t entry_index,
                      uint64_t rewrite_position, uint64_t chunk)
{
    /* ends: with one span for all, a quorum has one link, and there are more links than quorums */
    while (link_is_due(index, quorum, chunk) && links_are_used_up(index)) {
        ASSERT(index->span_shift < 63);
        spans_double(index);
    }
    if (link_is_due(index, quorum, chunk)) {
        uint32_t number = link_take(index);
        index->links[number - 1] =
            (struct index_link){entry_index, rewrite_position, (uint32_t)chunk, quorum->newest};
        quorum->newest = number;
        return;
    }
    struct index_link *newest = &index->links[quorum->newest - 1];
    newest->lowest = entry_index < newest->lowest ? entry_index : newest->lowest;
    newest->rewrite_position = rewrite_position ? rewrite_position : newest->rewrite_position;
    newest->chunk = (uint32_t)chunk;
}

void tape_index_note(struct tape_index *index, uint64_t quorum_number, uint64_t entry_index, bool truncation,
                     uint64_t chunk, uint64_t position)
{
    struct index_quorum *quorum = quorum_take(index, quorum_number);
    if (!quorum) {
        index->unlisted_chunk = index->unlisted_chunk ? index->unlisted_chunk : chunk;
        return;
    }
    bool rewrites = truncation || entry_index <= quorum->last_index;
    if (rewrites) {
        quorum->rewrite_position = position;
    }
    if (!truncation) {
        quorum->last_index = entry_index;
    } else if (entry_index <= quorum->last_index) {
        quorum->last_index = entry_index > 0 ? entry_index - 1 : 0;
    }
    link_note(index, quorum, entry_index, rewrites ? position : 0, chunk);
}

/* The span, up to the newest chunk of it in which the quorum occurs. */
static struct chunk_range span_range(const struct tape_index *index, const struct index_link *link,
                                     uint64_t until_index)
{
    return (struct chunk_range){.first = (span_of(index, link->chunk) << index->span_shift) + 1,
                                .last = link->chunk,
                                .rewrite_position = link->rewrite_position,
                                .until_index = until_index};
}

struct chunk_range tape_index_seek(struct tape_index *index, uint64_t quorum_number, uint64_t entry_index,
                                   uint64_t tail_chunk)
{
    const struct index_quorum *quorum = quorum_find(index, quorum_number);
    if (!quorum) {
        return (struct chunk_range){
            .first = index->unlisted_chunk, .last = tail_chunk, .rewrite_position = UINT64_MAX};
    }
    uint64_t until_index = UINT64_MAX;
    for (uint32_t number = quorum->newest; number != 0; number = index->links[number - 1].older) {
        const struct index_link *link = &index->links[number - 1];
        if (link->lowest <= entry_index) {
            return span_range(index, link, until_index);
        }
        until_index = link->lowest < until_index ? link->lowest : until_index;
    }
    return (struct chunk_range){0};
}
