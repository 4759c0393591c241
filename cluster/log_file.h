/* SPDX-License-Identifier: Apache-2.0 */
/* Files of messages (BinaryFILE) in memory, made, compared and named by their hash. */
#ifndef TALLY_LOG_FILE_H
#define TALLY_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_file {
    const uint8_t *bytes; /* mapped */
    size_t byte_count;
};

/* 0 or -errno. */
int log_file_open(const char *path, struct log_file *ret_file);
void log_file_close(struct log_file *file);

bool log_file_equal(const struct log_file *a, const struct log_file *b);

/* As sha256sum(1) says it; "unknown" when there is none. */
void log_file_hash(const char *path, char text[65]);

/* A synthetic ITCH day of `message_count` messages. 0 or -errno; -EINVAL: too few for a day. */
int log_file_write_itch(const char *path, uint64_t seed, uint64_t message_count);

#endif
