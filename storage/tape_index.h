/* SPDX-License-Identifier: Apache-2.0 */
/* Which chunks to look in for an entry. Per quorum a chain of links (lowest index in a span of chunks): an
 * entry stands in the newest span whose lowest index is not above it, because whatever came later with a
 * lower index replaced it. So a link whose lowest index is not below a later record's is dead and leaves the
 * chain: along it, from the oldest to the newest, `lowest` rises strictly. Truncations count as entries here.
 *
 * A link takes 32 bytes; links and chunk ends together take at most 1 MiB per GiB of tape (but there are
 * always twice as many links as quorums). A span is one chunk at first; when the links are used up, spans
 * become twice as long and neighbours are joined: seeking costs more then, going on does not.
 *
 * Chunks covered_from .. newest are covered. Older ones that are still on the tape are noted on demand, the
 * newest of them first. */
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
    uint64_t rewrite_position; /* end of the newest record in the span, or before it, that replaced or
                                  truncated entries; 0: none */
    uint64_t chunk;            /* the newest of its span in which the quorum occurs */
    uint32_t older;            /* number of the link + 1; 0: none */
    uint32_t newer;
};

_Static_assert(sizeof(struct index_link) == 32, "the bound above");

struct index_quorum {
    uint64_t quorum_number;    /* 0: free place */
    uint64_t last_index;       /* valid now; 0: none */
    uint64_t rewrite_position; /* end of the newest record that replaced or truncated entries */
    uint32_t newest;           /* link + 1 */
    uint32_t oldest;           /* link + 1 */
    /* of the older chunk that is being noted: */
    uint64_t older_chunk;
    uint64_t older_bound; /* the lowest index known in newer chunks; UINT64_MAX: it is in none */
    uint64_t older_last;  /* the last index so far */
};

struct tape_index {
    struct index_quorum *quorums;
    struct index_link *links;
    struct index_quorum *recent;
    uint16_t *listed; /* the places taken, in order of arrival */
    uint32_t quorum_count;
    uint32_t link_count; /* ever used */
    uint32_t link_count_max;
    uint32_t free_link;      /* link + 1, chained by `older` */
    uint32_t span_shift;     /* a span is 2^span_shift chunks */
    uint64_t unlisted_chunk; /* the first one with a quorum that found no place in the table; 0: none */
    uint64_t oldest_chunk;   /* on the tape; 0: nothing was dropped */
    uint64_t covered_from;   /* 0: all is covered */
};

/* Chunks first .. last; first 0: nowhere. */
struct chunk_range {
    uint64_t first;
    uint64_t last;
    uint64_t rewrite_position; /* behind it, in these chunks, indexes only grow */
    uint64_t until_index;      /* entries from the wanted one to before this one stand in the same chunks */
    bool cut;                  /* its first chunks are not on the tape any more */
};

/* `chunk_ends_bytes` are taken for the ends of chunks, under the same bound. */
void tape_index_init(struct tape_index *index, struct arena *arena, uint64_t tape_bytes,
                     uint64_t chunk_ends_bytes);

/* The tape is known from that chunk on, and begins with `oldest_chunk`. Before the first note. */
void tape_index_begin(struct tape_index *index, uint64_t covered_from, uint64_t oldest_chunk);

/* Takes note of an entry, or of a truncation from `entry_index` on, whose record ends at `position`. */
void tape_index_note(struct tape_index *index, uint64_t quorum_number, uint64_t entry_index, bool truncation,
                     uint64_t chunk, uint64_t position);

/* The same of the chunk before the covered ones, in order; when all of it is noted it is covered, too. */
void tape_index_note_older(struct tape_index *index, uint64_t quorum_number, uint64_t entry_index,
                           bool truncation, uint64_t chunk, uint64_t position);
void tape_index_cover(struct tape_index *index, uint64_t chunk);

/* The chunk is written over, and all before it were. */
void tape_index_drop(struct tape_index *index, uint64_t chunk);

/* Whether a chunk before the covered ones is on the tape. */
static inline bool tape_index_has_older(const struct tape_index *index)
{
    return index->covered_from > 1 && index->covered_from > index->oldest_chunk;
}

/* NULL when nothing of it is known. */
const struct index_quorum *tape_index_find(struct tape_index *index, uint64_t quorum_number);

/* The first chunk that is covered and has anything of the quorum; 0: none has. */
uint64_t tape_index_first_chunk(const struct tape_index *index, const struct index_quorum *quorum);

/* Where the valid entry at `entry_index` stands if it is on the tape, whose newest chunk is `tail_chunk`. */
struct chunk_range tape_index_seek(struct tape_index *index, uint64_t quorum_number, uint64_t entry_index,
                                   uint64_t tail_chunk);

#endif
