/* SPDX-License-Identifier: Apache-2.0 */
/* Where `tally publish` takes its messages from: a BinaryFILE, once or for ever, or lines. */
#ifndef TALLY_MESSAGE_SOURCE_H
#define TALLY_MESSAGE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "binaryfile.h"

#define MESSAGE_SOURCE_BUFFER_BYTES (1u << 20)

enum message_source_verdict {
    MESSAGE_SOURCE_MESSAGE,
    MESSAGE_SOURCE_WAIT, /* none yet, later perhaps */
    MESSAGE_SOURCE_END,
    MESSAGE_SOURCE_BAD, /* unreadable, cut short, or a line that no buffer holds; `fault` says which */
};

struct message_source {
    FILE *file; /* a BinaryFILE; NULL: lines of `line_fd` */
    bool is_loop;
    int line_fd;
    bool line_fd_ended;
    const char *fault;
    size_t line_begin; /* in the buffer: not handed out yet ... */
    size_t line_end;   /* ... to here */
    struct binaryfile_reader reader;
    uint8_t buffer[MESSAGE_SOURCE_BUFFER_BYTES];
};

/* 0 or -errno. */
int message_source_open_file(struct message_source *source, const char *path, bool is_loop);
void message_source_open_lines(struct message_source *source, int fd);
void message_source_close(struct message_source *source);

/* Never waits for lines. The message is valid until the next call. Empty ones are passed over. */
enum message_source_verdict message_source_next(struct message_source *source, const uint8_t **ret_message,
                                                size_t *ret_message_bytes);

#endif
