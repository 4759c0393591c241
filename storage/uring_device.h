/* SPDX-License-Identifier: Apache-2.0 */
/* A file or raw partition through io_uring: O_DIRECT, registered buffers. Writes that are waited for
 * (submit_write, poll) go through the ring, in the one thread that calls them first; read and write are plain
 * system calls. A device opened for writing holds the file's lock until all its requests are done, even those
 * of a process that was killed: two nodes cannot write one tape, and nothing of an earlier run lands behind a
 * later one. */
#ifndef TALLY_URING_DEVICE_H
#define TALLY_URING_DEVICE_H

#include <sched.h>
#include <stdbool.h>

#include "arena.h"
#include "device.h"
#include "tape.h"

#define URING_DEVICE_ERROR_BYTES 256

struct uring_device_options {
    const char *path;
    bool create;         /* for format: the file must not exist yet */
    bool extend;         /* for growing: a file is made as long as size_bytes, if it is shorter */
    bool exclusive;      /* a partition that anything else of this machine uses (mounted, swap) is refused */
    bool read_only;      /* readers and tools: no ring, no lock */
    uint64_t size_bytes; /* with create or extend */
    enum tape_sync sync; /* 0: as stored on the tape */
    void *memory;        /* registered with the kernel for writing, or NULL */
    size_t memory_bytes;
    int event_fd; /* signalled when poll may find something, or -1 */
    /* io_uring's kernel threads (io-wq), which carry out every fdatasync, stay on these CPUs, so that none of
     * them waits for the processor of a thread that spins. NULL: where the kernel likes. */
    const cpu_set_t *worker_cpus;
};

/* 0 or -errno; on error `error_text` (URING_DEVICE_ERROR_BYTES) has one line with the remedy: io_uring
 * forbidden, memlock too small, no O_DIRECT on this file system, no such file, in use. A file that was
 * created and could not be made ready is removed again. */
int uring_device_open(struct arena *arena, const struct uring_device_options *options,
                      struct device **ret_device, char *error_text);

/* Whether a process has the tape at `path` open for writing. */
bool uring_device_is_in_use(const char *path);

#endif
