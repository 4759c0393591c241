/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOOR_LOG_H
#define FLOOR_LOG_H

/* What one node of the star has: entries numbered from 1, in memory or on disk. On disk one write is in
 * flight, and what arrives meanwhile is gathered for the next. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "floor_disk.h"

struct floor_log {
    struct floor_disk disk;
    bool is_durable;
    bool is_writing;
    uint64_t received;        /* the last entry that came in */
    uint64_t writing;         /* the last entry in the write in flight */
    uint64_t held;            /* the last entry written and synced; in memory: received */
    unsigned char *gathering; /* entries of the next write */
    unsigned char *flying;    /* entries of the write in flight */
    size_t gathered_bytes;
};

/* `file` negative: in memory. At most `gather_bytes` may come in while one write is in flight. */
void floor_log_open(struct floor_log *log, int file, uint64_t size_bytes, size_t gather_bytes);

/* Entries come in order; a gap ends the program. */
void floor_log_append(struct floor_log *log, uint64_t number, const void *payload, size_t bytes);

/* Completes and starts writes; returns how many. */
unsigned floor_log_poll(struct floor_log *log);

#endif
