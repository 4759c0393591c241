/* SPDX-License-Identifier: Apache-2.0 */
/* A volatile tape's way into the page cache. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cached_file.h"
#include "test.h"

#define FILE_BYTES (10u << 20)

struct rig {
    int fd;
    struct cached_file file;
    uint8_t *written; /* what the file must hold */
    uint8_t *found;
};

static struct rig rig_open(int flags)
{
    struct rig rig = {.written = calloc(1, FILE_BYTES), .found = malloc(FILE_BYTES)};
    char path[] = "mapped-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    CHECK(ftruncate(fd, FILE_BYTES) == 0);
    rig.fd = open(path, flags | O_CLOEXEC);
    CHECK(rig.fd >= 0);
    CHECK(unlink(path) == 0);
    close(fd);
    cached_file_init(&rig.file, rig.fd, FILE_BYTES);
    return rig;
}

static void rig_close(struct rig *rig)
{
    cached_file_close(&rig->file);
    close(rig->fd);
    free(rig->written);
    free(rig->found);
}

static void rig_write(struct rig *rig, uint64_t offset, size_t byte_count)
{
    for (size_t i = 0; i < byte_count; i++) {
        rig->written[offset + i] = (uint8_t)(1 + (offset + i * 7) % 255);
    }
    CHECK_EQUAL(cached_file_write(&rig->file, offset, rig->written + offset, byte_count), 0);
}

/* read(2), another process's view, sees it without any sync. */
static void rig_compare(struct rig *rig)
{
    CHECK_EQUAL(pread(rig->fd, rig->found, FILE_BYTES, 0), FILE_BYTES);
    CHECK_BYTES(rig->found, rig->written, FILE_BYTES);
}

static void onwards(void)
{
    struct rig rig = rig_open(O_RDWR);
    uint64_t offset = 1024;
    for (uint64_t i = 0; offset + 70000 < FILE_BYTES; i++) {
        size_t byte_count = 512 * (1 + i * 37 % 130);
        rig_write(&rig, offset, byte_count);
        offset += byte_count;
    }
    rig_write(&rig, FILE_BYTES - 512, 512);
    rig_compare(&rig);
    rig_close(&rig);
}

static void anywhere(void)
{
    struct rig rig = rig_open(O_RDWR);
    rig_write(&rig, 9u << 20, 1u << 20);
    rig_write(&rig, 512, 512);
    rig_write(&rig, (4u << 20) - 512, 1u << 20); /* over the end of the window */
    rig_write(&rig, 0, 4096);
    rig_compare(&rig);
    rig_close(&rig);
}

/* A file that may be written but not mapped for it. */
static void not_mappable(void)
{
    struct rig rig = rig_open(O_WRONLY);
    int write_fd = rig.fd;
    rig_write(&rig, 512, 512);
    CHECK(rig.file.cannot_map);
    rig_write(&rig, 1024, 70000);
    rig_write(&rig, 80000, 512);
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", write_fd);
    rig.fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(rig.fd >= 0);
    rig_compare(&rig);
    close(write_fd);
    rig_close(&rig);
}

/* As a disk that does not give a page: an error, not a signal. */
static void page_is_gone(void)
{
    struct rig rig = rig_open(O_RDWR);
    uint8_t bytes[512] = {1};
    rig_write(&rig, 0, 512);
    CHECK(ftruncate(rig.fd, 1u << 20) == 0);
    CHECK_EQUAL(cached_file_write(&rig.file, 2u << 20, bytes, sizeof(bytes)), -EIO);
    rig_close(&rig);
}

static const struct test_case cases[] = {
    {"what is written one after the other is in the file", onwards},
    {"what is written anywhere is in the file", anywhere},
    {"a file that cannot be mapped for writing is written all the same", not_mappable},
    {"a page that cannot be had is an error", page_is_gone},
};

int main(void)
{
    return test_main(cases, sizeof(cases) / sizeof(cases[0]));
}
