/* SPDX-License-Identifier: Apache-2.0 */
/* The heads of the chunks in their slots: which chunk is the newest, which checkpoint a head names. */
#ifndef TALLY_TAPE_SLOTS_H
#define TALLY_TAPE_SLOTS_H

#include "tape_layout.h"

struct slot_head {
    uint64_t chunk_sequence; /* 0: no good head stands there */
    uint64_t checkpoint_position;
};

/* A head that cannot be read must not count as none: what it would have led to may prove damage. So the first
 * error of the device stays in *ret_error, and no answer counts with one. */

/* Reads the head in that slot, whichever lap it is of. */
struct slot_head slot_head_read(struct device *device, const struct superblock *superblock, uint64_t slot,
                                int *ret_error);

/* The newest chunk that has a head, 0 for none, found by halves. Chunks are begun in order, so the slots hold
 * one lap up to the newest chunk and the lap before behind it. Where a head is bad the next few tell; more
 * damage than that can only make the answer lower. */
uint64_t slots_newest_find(struct device *device, const struct superblock *superblock, int *ret_error);

/* The checkpoint that the newest head before chunk `before` names and that is not at `but_position`; 0: there
 * is none. */
uint64_t slots_checkpoint_find(struct device *device, const struct superblock *superblock, uint64_t before,
                               uint64_t but_position, int *ret_error);

#endif
