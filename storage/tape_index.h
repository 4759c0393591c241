/* SPDX-License-Identifier: Apache-2.0 */
/* Which chunks to look in for an entry. Per quorum a chain of links (lowest index in a span of chunks),
 * newest first: an entry stands in the newest span whose lowest index is not above it, because whatever came
 * later with a lower index replaced it. Truncations count as entries here.
 *
 * A link takes 24 bytes and there is at most 1.5 MiB of them per GiB of tape. A span is one chunk at first;
 * when the links are used up (more than 64 quorums in each MiB of tape), spans become twice as long and
 * neighbours are joined: seeking costs more then, going on does not. */
#ifndef TALLY_TAPE_INDEX_H
#define TALLY_TAPE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"

/* Twice QUORUMS_MAX, so that removed ones have room too, and half of the hash table. Of a quorum beyond,
 * nothing is known but the chunk from which on there are such quorums. */
#define TAPE_INDEX_QUORUMS_MAX 2048
#define TAPE_INDEX_SLOTS       4096

struct index_link {
    uint64_t lowest;
    uint64_t rewrite_position; /* end of the newest record in the span that replaced or truncated entries; 0:
                                  none */
    uint32_t chunk;            /* the newest of its span in which the quorum occurs */
    uint32_t older;            /* number of the link + 1; 0: none */
};

_Static_assert(sizeof(struct index_link) == 24, "the bound above");

struct index_quorum {
    uint64_t quorum_number;    /* 0: free place */
    uint64_t last_index;       /* valid now; 0: none */
    uint64_t rewrite_position; /* end of the newest record that replaced or truncated entries */
    uint32_t newest;           /* link + 1 */
};

struct tape_index {
    struct index_quorum *quorums;
    struct index_link *links;
    struct index_quorum *recent;
    uint32_t quorum_count;
    uint32_t link_count; /* ever used */
    uint32_t link_count_max;
    uint32_t free_link;      /* link + 1, chained by `older` */
    uint32_t span_shift;     /* a span is 2^span_shift chunks */
    uint64_t unlisted_chunk; /* the first one with a quorum that found no place in the table; 0: none */
};

/* Chunks first .. last; first 0: nowhere. */
struct chunk_range {
    uint64_t first;
    uint64_t last;
    uint64_t rewrite_position; /* behind it, in these chunks, indexes only grow */
    uint64_t until_index;      /* entries from the wanted one to before this one stand in the same chunks */
};

void tape_index_init(struct tape_index *index, struct arena *arena, uint64_t tape_bytes);

/* Takes note of an entry, or of a truncation from `entry_index` on, whose record ends at `position`. */
void tape_index_note(struct tape_index *index, uint64_t quorum_number, uint64_t entry_index, bool truncation,
                     uint64_t chunk, uint64_t position);

/* NULL when nothing of it is known. */
const struct index_quorum *tape_index_find(struct tape_index *index, uint64_t quorum_number);

/* Where the valid entry at `entry_index` stands if it is on the tape, whose newest chunk is `tail_chunk`. */
struct chunk_range tape_index_seek(struct tape_index *index, uint64_t quorum_number, uint64_t entry_index,
                                   uint64_t tail_chunk);

#endif
