/* SPDX-License-Identifier: Apache-2.0 */
/* Writes into the page cache: a volatile tape's. Small writes are copied into the file's pages, mapped
 * through a window that moves with them, without a system call for most; for large ones one system call is
 * cheaper. Owning thread only. */
#ifndef TALLY_CACHED_FILE_H
#define TALLY_CACHED_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cached_file {
    int fd;
    uint64_t size_bytes;
    bool cannot_map; /* this kernel or file: plain writes, then */
    uint8_t *window; /* NULL: none */
    uint64_t from;   /* the window's place in the file, whole pages */
    uint64_t to;
    uint64_t ready_to;   /* pages before it are in memory and may be written */
    uint64_t asked_from; /* pages from here .. */
    uint64_t asked_to;   /* to before here are read from the disk, or will be */
};

/* `fd` stays the caller's. Maps nothing yet. */
void cached_file_init(struct cached_file *file, int fd, uint64_t size_bytes);

/* 0: the bytes are in the page cache; or -errno: they may be there in part. Inside the file. */
int cached_file_write(struct cached_file *file, uint64_t offset, const void *bytes, size_t byte_count);

void cached_file_close(struct cached_file *file);

#endif
