/* SPDX-License-Identifier: Apache-2.0 */
#include "floor_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "floor_process.h"

enum {
    ZERO_BYTES = 1 << 20,
    RING_ENTRIES = 8,
};

static void write_zeros(int file, uint64_t size_bytes)
{
    void *zeros = floor_disk_buffer(ZERO_BYTES);

    for (uint64_t offset = 0; offset < size_bytes;) {
        uint64_t left = size_bytes - offset;
        ssize_t written = pwrite(file, zeros, left < ZERO_BYTES ? left : ZERO_BYTES, (off_t)offset);
        if (written <= 0) {
            floor_die("writing zeros");
        }
        offset += (uint64_t)written;
    }
    if (fsync(file) != 0) {
        floor_die("fsync");
    }
    free(zeros);
}

int floor_disk_create_file(const char *directory, uint64_t size_bytes)
{
    char *path = NULL;

    if (asprintf(&path, "%s/tally-floor-XXXXXX", directory) < 0) {
        floor_die("asprintf");
    }
    int file = mkostemp(path, O_DIRECT | O_CLOEXEC);
    if (file < 0) {
        floor_die(path);
    }
    floor_process_owns_file(path);
    write_zeros(file, size_bytes);
    return file;
}

enum floor_sync floor_sync_make(const char *word)
{
    if (strcmp(word, "dsync") == 0) {
        return FLOOR_SYNC_DSYNC;
    }
    return strcmp(word, "none") == 0 ? FLOOR_SYNC_NONE : FLOOR_SYNC_FDATASYNC;
}

static void keep_workers_on(struct io_uring *ring, int cpu)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    errno = -io_uring_register_iowq_aff(ring, sizeof(one), &one);
    if (errno != 0) {
        floor_die("io_uring_register_iowq_aff");
    }
}

void floor_disk_open(struct floor_disk *disk, int file, uint64_t size_bytes, enum floor_sync sync,
                     int worker_cpu)
{
    *disk = (struct floor_disk){.file = file, .size_bytes = size_bytes, .sync = sync};
    errno = -io_uring_queue_init(RING_ENTRIES, &disk->ring, 0);
    if (errno != 0) {
        floor_die("io_uring_queue_init");
    }
    if (worker_cpu >= 0) {
        keep_workers_on(&disk->ring, worker_cpu);
    }
}

/* A completion's user data is the result it must have, so that a short write is caught like a failed one. */
static void queue_write(struct floor_disk *disk, const void *buffer, size_t bytes)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&disk->ring);

    io_uring_prep_write(sqe, disk->file, buffer, (unsigned)bytes, disk->offset_bytes);
    io_uring_sqe_set_data64(sqe, bytes);
    disk->completions_missing = 1;
    if (disk->sync == FLOOR_SYNC_DSYNC) {
        sqe->rw_flags = RWF_DSYNC;
    } else if (disk->sync == FLOOR_SYNC_FDATASYNC) {
        sqe->flags |= IOSQE_IO_LINK;
        sqe = io_uring_get_sqe(&disk->ring);
        io_uring_prep_fsync(sqe, disk->file, IORING_FSYNC_DATASYNC);
        io_uring_sqe_set_data64(sqe, 0);
        disk->completions_missing = 2;
    }
}

void floor_disk_submit(struct floor_disk *disk, const void *buffer, size_t bytes)
{
    if (disk->offset_bytes + bytes > disk->size_bytes) {
        disk->offset_bytes = 0;
    }
    queue_write(disk, buffer, bytes);
    disk->offset_bytes += bytes;
    int submitted = io_uring_submit(&disk->ring);
    if (submitted < 0) {
        errno = -submitted;
        floor_die("io_uring_submit");
    }
}

static void take_completion(struct floor_disk *disk, struct io_uring_cqe *cqe)
{
    if (cqe->res < 0 || (uint64_t)cqe->res != cqe->user_data) {
        errno = cqe->res < 0 ? -cqe->res : EIO;
        floor_die("append");
    }
    io_uring_cqe_seen(&disk->ring, cqe);
    disk->completions_missing--;
}

bool floor_disk_poll(struct floor_disk *disk)
{
    struct io_uring_cqe *cqe = NULL;
    bool busy = disk->completions_missing > 0;

    while (disk->completions_missing > 0 && io_uring_peek_cqe(&disk->ring, &cqe) == 0) {
        take_completion(disk, cqe);
    }
    return busy && disk->completions_missing == 0;
}

void floor_disk_wait(struct floor_disk *disk)
{
    struct io_uring_cqe *cqe = NULL;

    while (disk->completions_missing > 0) {
        int result = io_uring_wait_cqe(&disk->ring, &cqe);
        if (result == -EINTR) {
            continue;
        }
        if (result != 0) {
            errno = -result;
            floor_die("io_uring_wait_cqe");
        }
        take_completion(disk, cqe);
    }
}

void *floor_disk_buffer(size_t bytes)
{
    void *memory = NULL;

    errno = posix_memalign(&memory, FLOOR_BLOCK_BYTES, bytes);
    if (errno != 0) {
        floor_die("posix_memalign");
    }
    memset(memory, 0, bytes);
    return memory;
}
