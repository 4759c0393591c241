/* SPDX-License-Identifier: Apache-2.0 */
#include "uring_device.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cached_file.h"
#include "check.h"
#include "direct_file.h"
#include "tape_superblock.h"

/* Writes in flight; a tape has at most two. */
#define SLOT_COUNT 16
/* A write and its sync for each, in the ring at once. */
#define RING_ENTRIES (2 * SLOT_COUNT)

/* user_data of a request is slot x 2 + part. */
enum slot_part { PART_WRITE = 0, PART_SYNC = 1 };

struct slot {
    uint64_t tag;
    size_t byte_count;
    uint32_t awaited; /* completions still to come; 0: free */
    bool written;     /* volatile mode: it is in the page cache, poll has not said so yet */
    int error;
};

struct uring_device {
    struct device port;
    int fd;
    enum tape_sync sync;
    bool has_ring;
    bool enabled;              /* the owning thread has used it */
    struct cached_file cached; /* volatile mode */
    const uint8_t *memory;
    size_t memory_bytes;
    bool binds_workers;
    cpu_set_t worker_cpus;
    unsigned in_flight;
    struct slot slots[SLOT_COUNT];
    struct io_uring ring;
};

static struct uring_device *uring_of(struct device *device)
{
    return (struct uring_device *)device; /* port is its first member */
}

static int uring_read(struct device *device, uint64_t offset, void *bytes, size_t byte_count)
{
    return direct_file_read(uring_of(device)->fd, offset, bytes, byte_count);
}

static int uring_write(struct device *device, uint64_t offset, const void *bytes, size_t byte_count)
{
    return direct_file_write(uring_of(device)->fd, offset, bytes, byte_count);
}

/* ---- the ring's thread ---- */

/* The kernel keeps the workers' affinity per thread, and only once the thread has submitted something: hence
 * the empty request before it. Failing to set it costs latency, not correctness. */
static void workers_bind(struct uring_device *uring)
{
    struct io_uring_cqe *cqe;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    io_uring_prep_nop(sqe);
    if (io_uring_submit_and_wait(&uring->ring, 1) < 0 || io_uring_wait_cqe(&uring->ring, &cqe) < 0) {
        return;
    }
    io_uring_cqe_seen(&uring->ring, cqe);
    (void)io_uring_register_iowq_aff(&uring->ring, sizeof(uring->worker_cpus), &uring->worker_cpus);
}

/* The ring belongs to the thread that enables it, which need not be the one that opened the device. */
static int ring_enable(struct uring_device *uring)
{
    if (uring->enabled) {
        return 0;
    }
    /* liburing 2.3 declares io_uring_enable_rings but does not export it */
    if (syscall(__NR_io_uring_register, uring->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0) {
        return -errno;
    }
    uring->enabled = true;
    if (uring->binds_workers) {
        workers_bind(uring);
    }
    return 0;
}

static bool is_registered(const struct uring_device *uring, const uint8_t *bytes, size_t byte_count)
{
    return uring->memory && bytes >= uring->memory &&
           bytes + byte_count <= uring->memory + uring->memory_bytes;
}

/* Queues the write and, linked behind it, the sync: a write that fails or is short cancels its sync. */
static void requests_queue(struct uring_device *uring, unsigned number, uint64_t offset, const void *bytes,
                           size_t byte_count)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    ASSERT(sqe != NULL);
    if (is_registered(uring, bytes, byte_count)) {
        io_uring_prep_write_fixed(sqe, uring->fd, bytes, (unsigned)byte_count, offset, 0);
    } else {
        io_uring_prep_write(sqe, uring->fd, bytes, (unsigned)byte_count, offset);
    }
    io_uring_sqe_set_data64(sqe, number * 2 + PART_WRITE);
    if (uring->sync == TAPE_SYNC_DSYNC) {
        sqe->rw_flags = RWF_DSYNC;
    }
    if (uring->sync != TAPE_SYNC_FDATASYNC) {
        return;
    }
    sqe->flags |= IOSQE_IO_LINK;
    sqe = io_uring_get_sqe(&uring->ring);
    ASSERT(sqe != NULL);
    io_uring_prep_fsync(sqe, uring->fd, IORING_FSYNC_DATASYNC);
    io_uring_sqe_set_data64(sqe, number * 2 + PART_SYNC);
}

/* What the kernel does not take now stays queued and is offered again by the next poll. */
static int ring_submit(struct uring_device *uring)
{
    int result = io_uring_submit(&uring->ring);
    bool later = result == -EAGAIN || result == -EBUSY || result == -EINTR;
    return result < 0 && !later ? result : 0;
}

/* Volatile mode: into the page cache, at once. That outlives this process, which is all that is promised, and
 * takes less time than handing the write to anybody. */
static void page_cache_write(struct uring_device *uring, struct slot *slot, uint64_t offset,
                             const void *bytes)
{
    slot->error = cached_file_write(&uring->cached, offset, bytes, slot->byte_count);
    slot->written = true;
}

static int uring_submit_write(struct device *device, uint64_t offset, const void *bytes, size_t byte_count,
                              uint64_t tag)
{
    struct uring_device *uring = uring_of(device);
    ASSERT(uring->has_ring);
    ASSERT(byte_count <= INT_MAX);
    unsigned number = 0;
    while (number < SLOT_COUNT && uring->slots[number].awaited > 0) {
        number++;
    }
    if (number == SLOT_COUNT) {
        return -EBUSY;
    }
    int error = uring->sync == TAPE_SYNC_NONE ? 0 : ring_enable(uring);
    if (error) {
        return error;
    }
    uint32_t awaited = uring->sync == TAPE_SYNC_FDATASYNC ? 2 : 1;
    uring->slots[number] = (struct slot){.tag = tag, .byte_count = byte_count, .awaited = awaited};
    uring->in_flight++;
    if (uring->sync == TAPE_SYNC_NONE) {
        page_cache_write(uring, &uring->slots[number], offset, bytes);
        return 0;
    }
    requests_queue(uring, number, offset, bytes, byte_count);
    return ring_submit(uring);
}

/* One completion of a request; true when it was the slot's last. The write's own error says more than the
 * cancellation of its sync. */
static bool slot_complete(struct slot *slot, const struct io_uring_cqe *cqe)
{
    int error = cqe->res < 0 ? cqe->res : 0;
    if (cqe->user_data % 2 == PART_WRITE) {
        bool is_short = cqe->res >= 0 && (size_t)cqe->res != slot->byte_count;
        slot->error = is_short ? -EIO : error ? error : slot->error;
    } else if (!slot->error) {
        slot->error = error;
    }
    ASSERT(slot->awaited > 0);
    return --slot->awaited == 0;
}

static unsigned completions_take(struct uring_device *uring, struct device_completion *completions,
                                 unsigned max)
{
    struct io_uring_cqe *cqe;
    unsigned head;
    unsigned seen = 0;
    unsigned count = 0;
    io_uring_for_each_cqe(&uring->ring, head, cqe)
    {
        if (count == max) {
            break;
        }
        struct slot *slot = &uring->slots[cqe->user_data / 2];
        seen++;
        if (slot_complete(slot, cqe)) {
            completions[count++] = (struct device_completion){slot->tag, slot->error};
            uring->in_flight--;
        }
    }
    io_uring_cq_advance(&uring->ring, seen);
    return count;
}

static unsigned page_cache_take(struct uring_device *uring, struct device_completion *completions,
                                unsigned max)
{
    unsigned count = 0;
    for (unsigned number = 0; number < SLOT_COUNT && count < max; number++) {
        struct slot *slot = &uring->slots[number];
        if (slot->written) {
            completions[count++] = (struct device_completion){slot->tag, slot->error};
            slot->written = false;
            slot->awaited = 0;
            uring->in_flight--;
        }
    }
    return count;
}

static unsigned uring_poll(struct device *device, struct device_completion *completions, unsigned max)
{
    struct uring_device *uring = uring_of(device);
    if (uring->in_flight == 0) {
        return 0;
    }
    if (uring->sync == TAPE_SYNC_NONE) {
        return page_cache_take(uring, completions, max);
    }
    if (io_uring_sq_ready(&uring->ring) > 0) {
        (void)ring_submit(uring);
    }
    return completions_take(uring, completions, max);
}

static void uring_close(struct device *device)
{
    struct uring_device *uring = uring_of(device);
    if (uring->has_ring) {
        io_uring_queue_exit(&uring->ring);
    }
    cached_file_close(&uring->cached);
    close(uring->fd);
    uring->fd = -1;
}

/* ---- opening ---- */

static int ring_create(struct uring_device *uring, char *error_text)
{
    /* Not IORING_SETUP_DEFER_TASKRUN: a write's completion starts its sync, and would wait for this thread to
     * ask. */
    struct io_uring_params params = {.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER};
    int error = io_uring_queue_init_params(RING_ENTRIES, &uring->ring, &params);
    if (error == -EINVAL) { /* before Linux 6.0 */
        params = (struct io_uring_params){.flags = IORING_SETUP_R_DISABLED};
        error = io_uring_queue_init_params(RING_ENTRIES, &uring->ring, &params);
    }
    if (error == -ENOMEM) {
        snprintf(error_text, URING_DEVICE_ERROR_BYTES,
                 "no memory for an io_uring: raise the memlock limit (ulimit -l, LimitMEMLOCK=)");
    } else if (error < 0) {
        snprintf(
            error_text, URING_DEVICE_ERROR_BYTES,
            "io_uring is refused here (%s): set sysctl kernel.io_uring_disabled to 0, and allow io_uring in "
            "the container's seccomp profile",
            strerror(-error));
    }
    uring->has_ring = error == 0;
    return error;
}

static int ring_register(struct uring_device *uring, const struct uring_device_options *options,
                         char *error_text)
{
    struct iovec memory = {options->memory, options->memory_bytes};
    int error = options->memory ? io_uring_register_buffers(&uring->ring, &memory, 1) : 0;
    if (error) {
        snprintf(
            error_text, URING_DEVICE_ERROR_BYTES,
            "cannot register %zu KiB of buffers (%s): raise the memlock limit (ulimit -l, LimitMEMLOCK=) or "
            "keep fewer chunks in memory",
            options->memory_bytes >> 10, strerror(-error));
        return error;
    }
    uring->memory = options->memory;
    uring->memory_bytes = options->memory_bytes;
    error = options->event_fd >= 0 ? io_uring_register_eventfd(&uring->ring, options->event_fd) : 0;
    if (error) {
        snprintf(error_text, URING_DEVICE_ERROR_BYTES, "cannot have completions signalled (%s)",
                 strerror(-error));
    }
    return error;
}

static int writer_prepare(struct uring_device *uring, const struct uring_device_options *options,
                          char *error_text)
{
    int error = ring_create(uring, error_text);
    if (!error) {
        error = ring_register(uring, options, error_text);
    }
    if (error || uring->sync != 0) {
        return error;
    }
    struct superblock superblock;
    int ignored = 0;
    bool known = !options->create && superblock_read(&uring->port, &superblock, &ignored) == TAPE_OPEN;
    /* a file that is no tape is told by tape_open */
    uring->sync = known ? (enum tape_sync)superblock.sync : TAPE_SYNC_FDATASYNC;
    return 0;
}

/* A volatile tape is written and read through the page cache; anybody else would see its file as it was
 * before. */
static void page_cache_use(struct uring_device *uring)
{
    struct superblock superblock;
    int ignored = 0;
    bool known = superblock_read(&uring->port, &superblock, &ignored) == TAPE_OPEN;
    int flags = fcntl(uring->fd, F_GETFL);
    if (flags >= 0 && (uring->sync == TAPE_SYNC_NONE || (known && superblock.sync == TAPE_SYNC_NONE))) {
        uring->sync = TAPE_SYNC_NONE;
        (void)fcntl(uring->fd, F_SETFL, flags & ~O_DIRECT); /* refused: slower, and as right as before */
    }
}

int uring_device_open(struct arena *arena, const struct uring_device_options *options,
                      struct device **ret_device, char *error_text)
{
    struct direct_file file;
    int error = direct_file_open(options, &file, error_text);
    if (error) {
        return error;
    }
    struct uring_device *uring = ARENA_NEW(arena, struct uring_device);
    uring->port = (struct device){
        .read = uring_read,
        .submit_write = uring_submit_write,
        .poll = uring_poll,
        .write = uring_write,
        .close = uring_close,
        .size_bytes = file.size_bytes,
        .block_bytes = file.block_bytes,
    };
    uring->fd = file.fd;
    cached_file_init(&uring->cached, file.fd, file.size_bytes);
    uring->sync = options->sync;
    uring->binds_workers = options->worker_cpus != NULL;
    if (options->worker_cpus) {
        uring->worker_cpus = *options->worker_cpus;
    }
    error = options->read_only ? 0 : writer_prepare(uring, options, error_text);
    if (!error && !options->create) {
        page_cache_use(uring);
    }
    if (error) {
        uring_close(&uring->port);
        if (options->create) {
            unlink(options->path);
        }
        return error;
    }
    *ret_device = &uring->port;
    return 0;
}

bool uring_device_is_in_use(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool in_use = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd); /* and with it the lock */
    return in_use;
}
