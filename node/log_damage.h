/* SPDX-License-Identifier: Apache-2.0 */
/* The unreadable ranges of a damaged tape, and what they held, as far as it can be told. It goes on where the
 * walk stops: from block to block by their checksums and places alone. */
#ifndef TALLY_LOG_DAMAGE_H
#define TALLY_LOG_DAMAGE_H

#include "tape.h"

/* One range, within one chunk. */
struct log_damage {
    uint64_t device_offset;
    uint64_t byte_count;
    uint64_t chunk_sequence;
    uint64_t first_block;       /* the blocks that are missing; 0: not known */
    uint64_t last_block;        /* 0: not known, the next chunk is bad, too */
    uint32_t readable_records;  /* records in it whose own checksums are good */
    uint32_t announced_records; /* what the first bad block says that it holds, if it still says so; else 0 */
};

/* `records` of a range are visited before the range itself, with their device offsets for positions. Ranges
 * in the order of the tape. 0, or -errno: memory, or a superblock that cannot be read. */
typedef void log_damage_visit(void *context, const struct log_damage *damage);
int log_damage_survey(struct device *device, uint64_t damage_offset, tape_visit *visit_record,
                      log_damage_visit *visit, void *context);

#endif
