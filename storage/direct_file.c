/* SPDX-License-Identifier: Apache-2.0 */
#include "direct_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int direct_file_read(int fd, uint64_t offset, void *bytes, size_t byte_count)
{
    size_t done = 0;
    while (done < byte_count) {
        ssize_t count = pread(fd, (uint8_t *)bytes + done, byte_count - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return count < 0 ? -errno : -EIO;
        }
        done += (size_t)count;
    }
    return 0;
}

int direct_file_write(int fd, uint64_t offset, const void *bytes, size_t byte_count)
{
    size_t done = 0;
    while (done < byte_count) {
        ssize_t count = pwrite(fd, (const uint8_t *)bytes + done, byte_count - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return count < 0 ? -errno : -EIO;
        }
        done += (size_t)count;
    }
    /* never tried again: after a failed sync the kernel may have dropped what it could not write */
    return fdatasync(fd) == 0 ? 0 : -errno;
}

static int open_explain(const struct uring_device_options *options, int error, char *error_text)
{
    const char *remedy = "";
    switch (error) {
    case -ENOENT:
        remedy = options->create ? ": its directory is missing" : ": make the tape with `tally format`";
        break;
    case -EEXIST:
        remedy = ": a tape is never formatted over (remove it to lose it)";
        break;
    case -EINVAL:
        remedy = ": this file system has no O_DIRECT (tmpfs?); put the tape on ext4, xfs or a partition";
        break;
    case -EACCES:
    case -EPERM:
        remedy = ": this user may not open it";
        break;
    case -EBUSY:
        remedy = ": it is mounted, or something else of this machine uses it";
        break;
    case -EWOULDBLOCK:
        remedy = ": another process has it open for writing";
        break;
    case -ENOSPC:
        remedy = ": the file system is smaller than the tape";
        break;
    default:
        break;
    }
    snprintf(error_text, URING_DEVICE_ERROR_BYTES, "%.100s: %s%s", options->path, strerror(-error), remedy);
    return error;
}

/* What O_DIRECT asks of offsets and sizes here. */
static uint32_t block_bytes_of(int fd, const struct stat *status)
{
    int block_bytes = 0;
    if (S_ISBLK(status->st_mode) && ioctl(fd, BLKSSZGET, &block_bytes) == 0) {
        return (uint32_t)block_bytes;
    }
#ifdef STATX_DIOALIGN
    struct statx extended;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &extended) == 0 &&
        (extended.stx_mask & STATX_DIOALIGN)) {
        uint32_t alignment = extended.stx_dio_offset_align;
        return alignment < 512 ? 512 : alignment;
    }
#endif
    return 512;
}

static int measure(int fd, struct direct_file *file)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return -errno;
    }
    file->size_bytes = (uint64_t)status.st_size;
    if (S_ISBLK(status.st_mode) && ioctl(fd, BLKGETSIZE64, &file->size_bytes) != 0) {
        return -errno;
    }
    file->block_bytes = block_bytes_of(fd, &status);
    return file->block_bytes <= 4096 ? 0 : -EINVAL;
}

/* The new file's name must be as durable as its bytes. */
static int directory_sync(const char *path)
{
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy)) {
        return -ENAMETOOLONG;
    }
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int error = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return error;
}

/* A process that was killed holds the lock until the kernel has finished its last requests: a moment, or as
 * long as the disk hangs. */
#define LOCK_WAIT_MS 5000
#define LOCK_STEP_MS 5

static int lock(int fd)
{
    const struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000l};
    for (unsigned waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited_ms += LOCK_STEP_MS) {
        if (errno != EWOULDBLOCK || waited_ms >= LOCK_WAIT_MS) {
            return -errno;
        }
        nanosleep(&step, NULL);
    }
    return 0;
}

/* Partitions have the length that they have. */
static int file_extend(int fd, uint64_t size_bytes)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return -errno;
    }
    if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size >= size_bytes) {
        return 0;
    }
    int error = -posix_fallocate(fd, 0, (off_t)size_bytes);
    return error == 0 && fsync(fd) != 0 ? -errno : error;
}

static int prepare(int fd, const struct uring_device_options *options, struct direct_file *ret_file)
{
    int error = options->read_only ? 0 : lock(fd);
    if (error) {
        return error;
    }
    if (options->extend) {
        error = file_extend(fd, options->size_bytes);
        if (error) {
            return error;
        }
    }
    if (options->create) {
        /* the space is taken before hours of zeros are written */
        error = -posix_fallocate(fd, 0, (off_t)options->size_bytes);
        error = error ? error : directory_sync(options->path);
        if (error) {
            return error;
        }
    }
    return measure(fd, ret_file);
}

int direct_file_open(const struct uring_device_options *options, struct direct_file *ret_file,
                     char *error_text)
{
    int flags = O_DIRECT | O_CLOEXEC | (options->read_only ? O_RDONLY : O_RDWR);
    flags |= options->create ? O_CREAT | O_EXCL : options->exclusive ? O_EXCL : 0;
    int fd = open(options->path, flags, 0600);
    if (fd < 0) {
        int error = -errno;
        if (options->create && error == -EINVAL) {
            unlink(options->path); /* open(2): it may have been created all the same */
        }
        return open_explain(options, error, error_text);
    }
    int error = prepare(fd, options, ret_file);
    if (error) {
        close(fd);
        if (options->create) {
            unlink(options->path);
        }
        return open_explain(options, error, error_text);
    }
    ret_file->fd = fd;
    return 0;
}
