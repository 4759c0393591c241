/* SPDX-License-Identifier: Apache-2.0 */
#include "cached_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bytes.h"
#include "check.h"

/* Moving it costs some 20 us, once in thousands of small writes; what is behind is let go of. */
#define WINDOW_BYTES (4u << 20)
#define PAGE_BYTES   4096u
/* A page is made writable before it is written, a few at once: some 2 us each. */
#define READY_BYTES (4u * PAGE_BYTES)
/* And read from the disk before that, in the background: asking takes the core some 20 us. */
#define ASK_BYTES (256u << 10)

/* From here on making pages ready takes longer than the system call. */
#define PLAIN_FROM_BYTES 8192

_Static_assert(WINDOW_BYTES >= PAGE_BYTES + PLAIN_FROM_BYTES,
               "a write fits a window that begins at its page");

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

void cached_file_init(struct cached_file *file, int fd, uint64_t size_bytes)
{
    *file = (struct cached_file){.fd = fd, .size_bytes = size_bytes};
}

void cached_file_close(struct cached_file *file)
{
    if (file->window != NULL) {
        munmap(file->window, file->to - file->from);
    }
    file->window = NULL;
}

static int window_move(struct cached_file *file, uint64_t offset)
{
    cached_file_close(file);
    file->from = offset - offset % PAGE_BYTES;
    file->to = align_up(file->size_bytes, PAGE_BYTES);
    file->to = file->to - file->from > WINDOW_BYTES ? file->from + WINDOW_BYTES : file->to;
    file->ready_to = file->from;
    void *window =
        mmap(NULL, file->to - file->from, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, (off_t)file->from);
    if (window == MAP_FAILED) {
        return -ENOTSUP; /* plain writes do without */
    }
    file->window = window;
    return 0;
}

/* A page that is written in part is read from the disk first, 80 us of waiting, unless it is in memory
 * already. */
static void pages_ask(struct cached_file *file, uint64_t offset, uint64_t end)
{
    if (offset < file->asked_from || offset > file->asked_to) {
        file->asked_from = offset - offset % ASK_BYTES;
        file->asked_to = file->asked_from;
    }
    while (file->asked_to < end + ASK_BYTES / 2) {
        (void)posix_fadvise(file->fd, (off_t)file->asked_to, ASK_BYTES, POSIX_FADV_WILLNEED);
        file->asked_to += ASK_BYTES;
    }
}

/* What a disk or file system refuses comes back as an error here; without this it would be a SIGBUS later. */
static int pages_prepare(struct cached_file *file, uint64_t offset, uint64_t end)
{
    uint64_t first = offset - offset % PAGE_BYTES;
    file->ready_to =
        file->ready_to < first ? first : file->ready_to; /* the pages between are not written here */
    if (end <= file->ready_to) {
        return 0;
    }
    uint64_t to = align_up(end, PAGE_BYTES) + READY_BYTES;
    to = to < file->to ? to : file->to;
    if (madvise(file->window + (file->ready_to - file->from), to - file->ready_to, MADV_POPULATE_WRITE) !=
        0) {
        return errno == EINVAL ? -ENOTSUP : -EIO;
    }
    file->ready_to = to;
    return 0;
}

/* -ENOTSUP: nothing was written. */
static int mapped_write(struct cached_file *file, uint64_t offset, const void *bytes, size_t byte_count)
{
    uint64_t end = offset + byte_count;
    int error = 0;
    if (file->window == NULL || offset < file->from || end > file->to) {
        error = window_move(file, offset);
    }
    if (error == 0) {
        error = pages_prepare(file, offset, end);
    }
    if (error == 0) {
        memcpy(file->window + (offset - file->from), bytes, byte_count);
    }
    return error;
}

static int plain_write(const struct cached_file *file, uint64_t offset, const void *bytes, size_t byte_count)
{
    ssize_t count = pwrite(file->fd, bytes, byte_count, (off_t)offset);
    return count < 0 ? -errno : (size_t)count == byte_count ? 0 : -EIO;
}

int cached_file_write(struct cached_file *file, uint64_t offset, const void *bytes, size_t byte_count)
{
    ASSERT(offset + byte_count <= file->size_bytes);
    pages_ask(file, offset, offset + byte_count);
    if (byte_count < PLAIN_FROM_BYTES && !file->cannot_map) {
        int error = mapped_write(file, offset, bytes, byte_count);
        if (error != -ENOTSUP) {
            return error;
        }
        file->cannot_map = true;
    }
    return plain_write(file, offset, bytes, byte_count);
}
