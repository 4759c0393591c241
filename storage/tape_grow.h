/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a tape that no node has open larger. Only while it has never gone round: a chunk's place follows from
 * its sequence and the number of chunks, so the chunks of a later lap would have to move. */
#ifndef TALLY_TAPE_GROW_H
#define TALLY_TAPE_GROW_H

#include "tape.h"

enum tape_growth {
    TAPE_GROWN,
    TAPE_GROW_NO_TAPE,     /* it cannot be read as a whole tape: `verdict` says why */
    TAPE_GROW_NOT_LARGER,  /* not more than it has */
    TAPE_GROW_NOT_CHUNKS,  /* not a multiple of its chunks */
    TAPE_GROW_NO_ROOM,     /* the device is too small for it */
    TAPE_GROW_HAS_WRAPPED, /* chunk 1 is not in its place any more */
    TAPE_GROW_FAILED, /* read or write: `error` says why; the tape is good, of its old size or the new one */
};

struct tape_grow_options {
    uint64_t size_bytes;                                                        /* of data, from now on */
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes); /* or NULL */
    void *context;
};

struct tape_grow_report {
    enum tape_verdict verdict;
    int error;
    struct tape_report tape; /* as it was before */
};

/* The new room is written with zeros and durable before the superblock names it, copy A before copy B: a
 * crash anywhere leaves a good tape of the old size or of the new one. */
enum tape_growth tape_grow(struct device *device, const struct tape_grow_options *options,
                           struct tape_grow_report *ret_report);

/* The checks alone: TAPE_GROWN means that it may be done. NO_ROOM is not looked for. */
enum tape_growth tape_grow_check(struct device *device, uint64_t size_bytes,
                                 struct tape_grow_report *ret_report);

const char *tape_growth_name(enum tape_growth growth);

#endif
