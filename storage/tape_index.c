/* SPDX-License-Identifier: Apache-2.0 */
#include "tape_index.h"

#include "check.h"

#define INDEX_BYTES_SHIFT 10 /* one byte of index for 1 KiB of tape */
/* With the whole tape as one span there is a link per quorum: so many are always enough. */
#define LINK_COUNT_MIN (2 * (uint64_t)TAPE_INDEX_QUORUMS_MAX)

void tape_index_init(struct tape_index *index, struct arena *arena, uint64_t tape_bytes,
                     uint64_t chunk_ends_bytes)
{
    uint64_t bytes = tape_bytes >> INDEX_BYTES_SHIFT;
    uint64_t link_count =
        bytes > chunk_ends_bytes ? (bytes - chunk_ends_bytes) / sizeof(struct index_link) : 0;
    link_count = link_count < LINK_COUNT_MIN ? LINK_COUNT_MIN : link_count;
    link_count = link_count > UINT32_MAX / 2 ? UINT32_MAX / 2 : link_count;
    *index = (struct tape_index){.link_count_max = (uint32_t)link_count};
    index->quorums = ARENA_ARRAY(arena, struct index_quorum, TAPE_INDEX_SLOTS);
    index->listed = ARENA_ARRAY(arena, uint16_t, TAPE_INDEX_QUORUMS_MAX);
    index->links = ARENA_ARRAY(arena, struct index_link, link_count);
}

void tape_index_begin(struct tape_index *index, uint64_t covered_from, uint64_t oldest_chunk)
{
    ASSERT(index->quorum_count == 0);
    index->covered_from = covered_from;
    index->oldest_chunk = oldest_chunk;
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
    index->listed[index->quorum_count++] = (uint16_t)(place - index->quorums);
    index->recent = place;
    return place;
}

/* ---- links ---- */

static struct index_link *link_at(const struct tape_index *index, uint32_t number)
{
    return number ? &index->links[number - 1] : NULL;
}

static uint64_t span_of(const struct tape_index *index, uint64_t chunk)
{
    return (chunk - 1) >> index->span_shift;
}

/* Takes a link out of its chain and frees it. */
static void link_remove(struct tape_index *index, struct index_quorum *quorum, uint32_t number)
{
    struct index_link *link = link_at(index, number);
    struct index_link *older = link_at(index, link->older);
    struct index_link *newer = link_at(index, link->newer);
    *(newer ? &newer->older : &quorum->newest) = link->older;
    *(older ? &older->newer : &quorum->oldest) = link->newer;
    link->older = index->free_link;
    index->free_link = number;
}

static uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Joins links of one quorum that fell into one span; the newer one stays. */
static void chain_join(struct tape_index *index, struct index_quorum *quorum)
{
    struct index_link *link = link_at(index, quorum->newest);
    while (link) {
        struct index_link *older = link_at(index, link->older);
        if (!older || span_of(index, older->chunk) != span_of(index, link->chunk)) {
            link = older;
            continue;
        }
        link->lowest = older->lowest;
        link->rewrite_position = max_of(link->rewrite_position, older->rewrite_position);
        link_remove(index, quorum, link->older);
    }
}

static void spans_double(struct tape_index *index)
{
    ASSERT(index->span_shift < 63);
    index->span_shift++;
    for (uint32_t i = 0; i < index->quorum_count; i++) {
        chain_join(index, &index->quorums[index->listed[i]]);
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

/* Whether the link, the newest or the oldest of its quorum, is not of the chunk's span. */
static bool link_is_due(const struct tape_index *index, uint32_t number, uint64_t chunk)
{
    return number == 0 || span_of(index, link_at(index, number)->chunk) != span_of(index, chunk);
}

/* Unlinks the links before the newest that are dead now that it reaches down to its lowest index. What they
 * rewrote is kept in mind, for the newest may be joined with links that are older still. */
static void dead_remove(struct tape_index *index, struct index_quorum *quorum)
{
    struct index_link *newest = link_at(index, quorum->newest);
    while (newest->older && link_at(index, newest->older)->lowest >= newest->lowest) {
        newest->rewrite_position =
            max_of(newest->rewrite_position, link_at(index, newest->older)->rewrite_position);
        link_remove(index, quorum, newest->older);
    }
}

static void link_note(struct tape_index *index, struct index_quorum *quorum, uint64_t entry_index,
                      uint64_t rewrite_position, uint64_t chunk)
{
    /* ends: with one span for all, a quorum has one link, and there are more links than quorums */
    while (link_is_due(index, quorum->newest, chunk) && links_are_used_up(index)) {
        spans_double(index);
    }
    struct index_link *newest = link_at(index, quorum->newest);
    if (link_is_due(index, quorum->newest, chunk)) {
        uint32_t number = link_take(index);
        *link_at(index, number) =
            (struct index_link){entry_index, rewrite_position, chunk, quorum->newest, 0};
        *(newest ? &newest->newer : &quorum->oldest) = number;
        quorum->newest = number;
        dead_remove(index, quorum);
        return;
    }
    newest->rewrite_position = rewrite_position ? rewrite_position : newest->rewrite_position;
    newest->chunk = chunk;
    if (entry_index < newest->lowest) {
        newest->lowest = entry_index;
        dead_remove(index, quorum);
    }
}

void tape_index_note(struct tape_index *index, uint64_t quorum_number, uint64_t entry_index, bool truncation,
                     uint64_t chunk, uint64_t position)
{
    struct index_quorum *quorum = quorum_take(index, quorum_number);
    if (!quorum) {
        index->unlisted_chunk = index->unlisted_chunk ? index->unlisted_chunk : chunk;
        return;
    }
    /* what is first known of a quorum may replace anything that stands in chunks not covered yet */
    bool unknown_before = quorum->newest == 0 && index->covered_from > 1 && quorum->last_index == 0;
    bool rewrites = truncation || entry_index <= quorum->last_index || unknown_before;
    if (rewrites) {
        quorum->rewrite_position = position;
    }
    if (!truncation) {
        quorum->last_index = entry_index;
    } else if (entry_index <= quorum->last_index || unknown_before) {
        quorum->last_index = entry_index > 0 ? entry_index - 1 : 0;
    }
    link_note(index, quorum, entry_index, rewrites ? position : 0, chunk);
}

/* ---- older chunks ---- */

static void older_link_note(struct tape_index *index, struct index_quorum *quorum, uint64_t entry_index,
                            uint64_t rewrite_position, uint64_t chunk)
{
    while (link_is_due(index, quorum->oldest, chunk) && links_are_used_up(index)) {
        spans_double(index);
    }
    struct index_link *oldest = link_at(index, quorum->oldest);
    if (link_is_due(index, quorum->oldest, chunk)) {
        uint32_t number = link_take(index);
        *link_at(index, number) =
            (struct index_link){entry_index, rewrite_position, chunk, 0, quorum->oldest};
        *(oldest ? &oldest->older : &quorum->newest) = number;
        quorum->oldest = number;
        return;
    }
    oldest->lowest = entry_index < oldest->lowest ? entry_index : oldest->lowest;
    oldest->rewrite_position = max_of(oldest->rewrite_position, rewrite_position);
}

/* Before the quorum's first record of that chunk. */
static void older_begin(const struct tape_index *index, struct index_quorum *quorum, uint64_t chunk)
{
    const struct index_link *oldest = link_at(index, quorum->oldest);
    quorum->older_chunk = chunk;
    quorum->older_bound = oldest ? oldest->lowest : UINT64_MAX;
    quorum->older_last = UINT64_MAX;
}

void tape_index_note_older(struct tape_index *index, uint64_t quorum_number, uint64_t entry_index,
                           bool truncation, uint64_t chunk, uint64_t position)
{
    struct index_quorum *quorum = quorum_take(index, quorum_number);
    if (!quorum) {
        index->unlisted_chunk = chunk;
        return;
    }
    if (quorum->older_chunk != chunk) {
        older_begin(index, quorum, chunk);
    }
    if (entry_index >= quorum->older_bound) {
        return; /* replaced since */
    }
    bool rewrites = truncation || entry_index <= quorum->older_last;
    uint64_t last = truncation && entry_index > 0 ? entry_index - 1 : entry_index;
    quorum->older_last = truncation && quorum->older_last < last ? quorum->older_last : last;
    if (quorum->older_bound == UINT64_MAX) {
        quorum->last_index = quorum->older_last;
        quorum->rewrite_position = rewrites ? position : quorum->rewrite_position;
    }
    older_link_note(index, quorum, entry_index, rewrites ? position : 0, chunk);
}

void tape_index_cover(struct tape_index *index, uint64_t chunk)
{
    ASSERT(index->covered_from == chunk + 1);
    index->covered_from = chunk;
}

void tape_index_drop(struct tape_index *index, uint64_t chunk)
{
    index->oldest_chunk = chunk + 1;
    if (index->unlisted_chunk != 0 && index->unlisted_chunk <= chunk) {
        index->unlisted_chunk = chunk + 1;
    }
    for (uint32_t i = 0; i < index->quorum_count; i++) {
        struct index_quorum *quorum = &index->quorums[index->listed[i]];
        while (quorum->oldest != 0 && link_at(index, quorum->oldest)->chunk <= chunk) {
            link_remove(index, quorum, quorum->oldest);
        }
    }
}

/* ---- seeking ---- */

/* The span, up to the newest chunk of it in which the quorum occurs. */
static struct chunk_range span_range(const struct tape_index *index, const struct index_link *link,
                                     uint64_t until_index)
{
    uint64_t first = (span_of(index, link->chunk) << index->span_shift) + 1;
    bool cut = first < index->oldest_chunk;
    uint64_t known = max_of(index->oldest_chunk, index->covered_from);
    return (struct chunk_range){.first = max_of(first, known),
                                .last = link->chunk,
                                .rewrite_position = link->rewrite_position,
                                .until_index = until_index,
                                .cut = cut};
}

uint64_t tape_index_first_chunk(const struct tape_index *index, const struct index_quorum *quorum)
{
    const struct index_link *oldest = link_at(index, quorum->oldest);
    return oldest ? span_range(index, oldest, 0).first : 0;
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
        until_index = link->lowest;
    }
    return (struct chunk_range){0};
}
