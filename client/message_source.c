/* SPDX-License-Identifier: Apache-2.0 */
#include "message_source.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static void begin_reading(struct message_source *source)
{
    binaryfile_reader_init_file(&source->reader, source->file, source->buffer, sizeof(source->buffer));
}

int message_source_open_file(struct message_source *source, const char *path, bool is_loop)
{
    source->file = fopen(path, "rb");
    if (!source->file) {
        return -errno;
    }
    source->is_loop = is_loop;
    begin_reading(source);
    return 0;
}

void message_source_open_lines(struct message_source *source, int fd)
{
    source->file = NULL;
    source->line_fd = fd;
    source->line_fd_ended = false;
    source->line_begin = 0;
    source->line_end = 0;
}

void message_source_close(struct message_source *source)
{
    if (source->file) {
        fclose(source->file);
    }
}

static enum message_source_verdict next_of_file(struct message_source *source, const uint8_t **ret_message,
                                                size_t *ret_message_bytes)
{
    for (;;) {
        switch (binaryfile_reader_next(&source->reader)) {
        case BINARYFILE_MESSAGE:
            *ret_message = source->reader.message;
            *ret_message_bytes = source->reader.message_bytes;
            return MESSAGE_SOURCE_MESSAGE;
        case BINARYFILE_END_MARKER:
            break;
        case BINARYFILE_END:
            if (!source->is_loop || source->reader.message_count == 0) {
                return MESSAGE_SOURCE_END;
            }
            rewind(source->file);
            begin_reading(source);
            break;
        case BINARYFILE_TRUNCATED:
            source->fault = "the file ends inside a message";
            return MESSAGE_SOURCE_BAD;
        case BINARYFILE_UNREADABLE:
            source->fault = strerror(source->reader.error_number);
            return MESSAGE_SOURCE_BAD;
        }
    }
}

/* Reads what is there, behind what is left. False: nothing is there now. */
static bool read_more(struct message_source *source)
{
    struct pollfd waiting = {.fd = source->line_fd, .events = POLLIN};
    if (poll(&waiting, 1, 0) <= 0) {
        return false;
    }
    memmove(source->buffer, source->buffer + source->line_begin, source->line_end - source->line_begin);
    source->line_end -= source->line_begin;
    source->line_begin = 0;
    ssize_t bytes =
        read(source->line_fd, source->buffer + source->line_end, sizeof(source->buffer) - source->line_end);
    if (bytes < 0) {
        return errno != EAGAIN && errno != EINTR ? (source->line_fd_ended = true) : false;
    }
    source->line_fd_ended = bytes == 0;
    source->line_end += (size_t)bytes;
    return true;
}

/* Takes the next line, or what is behind the last one at the end. False: no whole line is in the buffer. */
static bool take_line(struct message_source *source, const uint8_t **ret_line, size_t *ret_line_bytes)
{
    const uint8_t *begin = source->buffer + source->line_begin;
    size_t left_bytes = source->line_end - source->line_begin;
    const uint8_t *newline = memchr(begin, '\n', left_bytes);
    if (!newline && (!source->line_fd_ended || left_bytes == 0)) {
        return false;
    }
    *ret_line = begin;
    *ret_line_bytes = newline ? (size_t)(newline - begin) : left_bytes;
    source->line_begin += *ret_line_bytes + (newline ? 1 : 0);
    return true;
}

static enum message_source_verdict next_line(struct message_source *source, const uint8_t **ret_message,
                                             size_t *ret_message_bytes)
{
    for (;;) {
        while (take_line(source, ret_message, ret_message_bytes)) {
            if (*ret_message_bytes > 0) {
                return MESSAGE_SOURCE_MESSAGE;
            }
        }
        if (source->line_fd_ended) {
            return MESSAGE_SOURCE_END;
        }
        if (source->line_end - source->line_begin == sizeof(source->buffer)) {
            source->fault = "a line is longer than a megabyte";
            return MESSAGE_SOURCE_BAD;
        }
        if (!read_more(source)) {
            return MESSAGE_SOURCE_WAIT;
        }
    }
}

enum message_source_verdict message_source_next(struct message_source *source, const uint8_t **ret_message,
                                                size_t *ret_message_bytes)
{
    return source->file ? next_of_file(source, ret_message, ret_message_bytes)
                        : next_line(source, ret_message, ret_message_bytes);
}
