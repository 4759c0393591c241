/* SPDX-License-Identifier: Apache-2.0 */
/* A file or partition without the page cache: opening it with a clear word when it cannot be, whole reads and
 * durable writes. */
#ifndef TALLY_DIRECT_FILE_H
#define TALLY_DIRECT_FILE_H

#include "uring_device.h"

struct direct_file {
    int fd;
    uint64_t size_bytes;
    uint32_t block_bytes; /* 512 .. 4096: what offsets and sizes must be multiples of */
};

/* As uring_device_open. */
int direct_file_open(const struct uring_device_options *options, struct direct_file *ret_file,
                     char *error_text);

/* All bytes or an error: 0, -errno, -EIO behind the end. */
int direct_file_read(int fd, uint64_t offset, void *bytes, size_t byte_count);

/* On return these bytes and all written before are durable. */
int direct_file_write(int fd, uint64_t offset, const void *bytes, size_t byte_count);

#endif
