/* SPDX-License-Identifier: Apache-2.0 */
/* A tape on a device that forgets what is written behind the superblocks: each write is done at the next
 * poll. What is left is the tape's own work. For C and C++. */
#ifndef TALLY_NULL_TAPE_H
#define TALLY_NULL_TAPE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct null_tape;

struct null_tape *null_tape_create(void); /* formatted, open and empty; on the heap */
void null_tape_destroy(struct null_tape *null);

/* Whether `byte_count` bytes of records fit what is left of it. */
int null_tape_has_room(const struct null_tape *null, uint64_t byte_count);

/* Builds `record_count` records in place, submits them as one write, and sees it completed. */
void null_tape_append(struct null_tape *null, uint32_t record_count, uint32_t payload_bytes);

#ifdef __cplusplus
}
#endif

#endif
