/* SPDX-License-Identifier: Apache-2.0 */
/* What a tape needs of its disk, and the only thing the simulator and the fault tests replace. Offsets and
 * sizes are multiples of block_bytes, buffers are aligned to 4096. */
#ifndef TALLY_DEVICE_H
#define TALLY_DEVICE_H

#include <stddef.h>
#include <stdint.h>

struct device_completion {
    uint64_t tag;
    int error; /* 0, or -errno: the bytes may be on the disk, whole, in part or not; never tried again */
};

struct device {
    /* Synchronous; any thread that has its own device. 0 or -errno; short reads are errors (-EIO). */
    int (*read)(struct device *device, uint64_t offset, void *bytes, size_t byte_count);
    /* Starts one write and, in order after it, what makes it durable (nothing in volatile mode). `bytes`
     * stays untouched until its completion. -EBUSY when its queue is full. Owning thread only. */
    int (*submit_write)(struct device *device, uint64_t offset, const void *bytes, size_t byte_count,
                        uint64_t tag);
    /* Fills up to `max` completions, in any order; returns how many. Never blocks. Owning thread only. */
    unsigned (*poll)(struct device *device, struct device_completion *completions, unsigned max);
    /* Synchronous write and sync, for format and tools. */
    int (*write)(struct device *device, uint64_t offset, const void *bytes, size_t byte_count);
    void (*close)(struct device *device);
    uint64_t size_bytes;
    uint32_t block_bytes; /* logical block: 512 or 4096 */
};

#endif
