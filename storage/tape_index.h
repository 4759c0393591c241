/* SPDX-License-Identifier: Apache-2.0 */
/* Which chunk to look in for an entry. Per quorum a chain of (lowest index, chunk), newest first: an entry
 * stands in the newest chunk whose lowest index is not above it, because whatever came later with a lower
 * index replaced it. Truncations count as entries here. 16 bytes per chunk and quorum, at most 1 MiB per GiB
 * of tape; when that is used up, or the table of quorums is, the newest link of a chain covers all chunks
 * from its own on (`overflow_chunk`). */
#ifndef TALLY_TAPE_INDEX_H
#define TALLY_TAPE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"

/* Twice QUORUMS_MAX, so that removed ones have room too; and at most half of the hash table. */
#define TAPE_INDEX_QUORUMS_MAX 2048
#define TAPE_INDEX_SLOTS       4096

struct index_link {
    uint64_t lowest;
    uint32_t chunk;
    uint32_t older; /* number of the link + 1; 0: none */
};

_Static_assert(sizeof(struct index_link) == 16, "the bound above");

struct index_quorum {
    uint64_t quorum_number;    /* 0: free place */
    uint64_t last_index;       /* valid now; 0: none */
    uint64_t rewrite_position; /* of the last record that replaced or truncated entries */
    uint32_t newest;           /* link + 1 */
};

struct tape_index {
    struct index_quorum *quorums;
    struct index_link *links;
    uint32_t quorum_count;
    uint32_t link_count;
    uint32_t link_count_max;
    uint32_t overflow_chunk; /* the first chunk that has no link of its own for some quorum; 0: none */
    struct index_quorum *recent;
};

void tape_index_init(struct tape_index *index, struct arena *arena, uint64_t tape_bytes);

/* Takes note of an entry, or of a truncation from `entry_index` on, whose record ends at `position`. */
void tape_index_note(struct tape_index *index, uint64_t quorum_number, uint64_t entry_index, bool truncation,
                     uint64_t chunk, uint64_t position);

/* NULL when nothing of it is known. */
const struct index_quorum *tape_index_find(struct tape_index *index, uint64_t quorum_number);

/* The chunk in which (and in overflow: from which on) the valid entry at `entry_index` stands if it is on the
 * tape; 0: it is not. */
uint64_t tape_index_seek(struct tape_index *index, uint64_t quorum_number, uint64_t entry_index);

#endif
