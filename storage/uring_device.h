/* SPDX-License-Identifier: Apache-2.0 */
/* A file or raw partition through io_uring: O_DIRECT, registered buffers. */
#ifndef TALLY_URING_DEVICE_H
#define TALLY_URING_DEVICE_H

#include <stdbool.h>

#include "arena.h"
#include "device.h"
#include "tape.h"

struct uring_device_options {
    const char *path;
    bool create;         /* for format: the file must not exist yet */
    bool read_only;      /* readers and tools */
    uint64_t size_bytes; /* with create */
    enum tape_sync sync; /* 0: as stored on the tape (tools, reader) */
    void *memory;        /* registered with the kernel for writing, or NULL */
    size_t memory_bytes;
    int event_fd;        /* signalled at each completion, or -1 */
    unsigned worker_cpu; /* io-wq workers stay on this CPU; UINT_MAX: anywhere */
};

/* 0 or -errno; on error `error_text` (256 bytes) has one line with the remedy: io_uring forbidden, memlock
 * too small, no O_DIRECT on this file system, no such file, too short. */
int uring_device_open(struct arena *arena, const struct uring_device_options *options,
                      struct device **ret_device, char *error_text);

#endif
