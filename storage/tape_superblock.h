/* SPDX-License-Identifier: Apache-2.0 */
/* The two copies of a tape's superblock on its device. */
#ifndef TALLY_TAPE_SUPERBLOCK_H
#define TALLY_TAPE_SUPERBLOCK_H

#include "tape_layout.h"

/* TAPE_OPEN: *ret_superblock is the newer good copy, it is of our version and the device is large enough.
 * Else TAPE_NOT_A_TAPE, TAPE_OTHER_VERSION, TAPE_TOO_SMALL, or TAPE_READ_ERROR with *ret_error -errno (only
 * when no copy could be used). */
enum tape_verdict superblock_read(struct device *device, struct superblock *ret_superblock, int *ret_error);

/* Makes `superblock` durable under the next generation: one copy, then the other. 0 or -errno. On return all
 * that was ever written to the device before is durable too, for both writes are followed by a full sync. */
int superblock_write(struct device *device, struct superblock *superblock);

/* Whether the tape is the one that is meant. */
enum tape_verdict superblock_compare(const struct superblock *superblock,
                                     const struct tape_identity *identity);

#endif
