/* SPDX-License-Identifier: Apache-2.0 */
#include "log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "binaryfile.h"
#include "itch_generator.h"

int log_file_open(const char *path, struct log_file *ret_file)
{
    struct stat status;
    void *bytes = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        return -errno;
    }
    if (status.st_size > 0) {
        bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    }
    int error = bytes == MAP_FAILED ? -errno : 0;
    close(fd);
    if (error == 0) {
        *ret_file = (struct log_file){.bytes = bytes, .byte_count = (size_t)status.st_size};
    }
    return error;
}

void log_file_close(struct log_file *file)
{
    if (file->byte_count > 0) {
        munmap((void *)(uintptr_t)file->bytes, file->byte_count);
    }
    *file = (struct log_file){0};
}

bool log_file_equal(const struct log_file *a, const struct log_file *b)
{
    return a->byte_count == b->byte_count &&
           (a->byte_count == 0 || memcmp(a->bytes, b->bytes, a->byte_count) == 0);
}

void log_file_hash(const char *path, char text[65])
{
    char command[512];
    snprintf(command, sizeof(command), "sha256sum '%s'", path);
    FILE *output = popen(command, "r");
    if (!output || fscanf(output, "%64s", text) != 1) {
        snprintf(text, 65, "unknown");
    }
    if (output) {
        pclose(output);
    }
}

static int write_messages(struct itch_generator *generator, FILE *file)
{
    struct binaryfile_writer writer;
    uint8_t message[ITCH_MESSAGE_BYTES_MAX];
    size_t message_bytes = 0;
    int error = 0;
    binaryfile_writer_init(&writer, file, false);
    while (error == 0 && (message_bytes = itch_generator_next(generator, message)) > 0) {
        error = binaryfile_writer_add(&writer, message, message_bytes);
    }
    return error ? error : binaryfile_writer_finish(&writer);
}

int log_file_write_itch(const char *path, uint64_t seed, uint64_t message_count)
{
    struct itch_generator generator;
    struct itch_generator_options options = {.seed = seed, .message_count = message_count};
    struct arena arena;
    int error = -EINVAL;
    FILE *file = fopen(path, "w");
    if (!file) {
        return -errno;
    }
    arena_init(&arena);
    if (itch_generator_init(&generator, &options, &arena)) {
        error = write_messages(&generator, file);
    }
    arena_fini(&arena);
    return fclose(file) != 0 && error == 0 ? -errno : error;
}
