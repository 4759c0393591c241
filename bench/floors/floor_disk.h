/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOOR_DISK_H
#define FLOOR_DISK_H

/* One file whose blocks were really written before, and one durable append at a time into it, round and
 * round. */

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FLOOR_BLOCK_BYTES = 4096 };

/* Creates a file in `directory`, writes all of it with zeros, syncs it; returns a descriptor with O_DIRECT.
 * The file has a name until the program ends, because some filesystems do not log a file without one. */
int floor_disk_create_file(const char *directory, uint64_t size_bytes);

enum floor_sync {
    FLOOR_SYNC_FDATASYNC, /* a write, and an fdatasync linked to it */
    FLOOR_SYNC_DSYNC,     /* one write with RWF_DSYNC */
    FLOOR_SYNC_NONE,      /* a write only: not durable */
};

#define FLOOR_SYNC_WORDS "fdatasync|dsync|none"

enum floor_sync floor_sync_make(const char *word);

struct floor_disk {
    struct io_uring ring;
    int file;
    enum floor_sync sync;
    uint64_t size_bytes;
    uint64_t offset_bytes;
    unsigned completions_missing; /* of the append in flight; 0 when there is none */
};

/* Called in the process that appends. `worker_cpu`: the processor io_uring's workers must stay on; negative:
 * any. */
void floor_disk_open(struct floor_disk *disk, int file, uint64_t size_bytes, enum floor_sync sync,
                     int worker_cpu);

/* `buffer` is aligned to a block and stays untouched until completion; `bytes` is a multiple of a block and
 * at most the file's size. Only when nothing is in flight. */
void floor_disk_submit(struct floor_disk *disk, const void *buffer, size_t bytes);

/* True once, when the append in flight has completed. */
bool floor_disk_poll(struct floor_disk *disk);

/* Waits for the append in flight in the kernel. */
void floor_disk_wait(struct floor_disk *disk);

/* Zeroed memory, aligned to a block; the caller may free it. */
void *floor_disk_buffer(size_t bytes);

#endif
