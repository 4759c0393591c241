/* SPDX-License-Identifier: Apache-2.0 */
/* BinaryFILE: u16 big-endian length, message, repeated. A zero length may mark the end: the format allows it,
 * the sample files of the exchange have none. Cold path (import, export): it may block on the file. */
#ifndef TALLY_BINARYFILE_H
#define TALLY_BINARYFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BINARYFILE_MESSAGE_BYTES_MAX 65535u
/* The least a reader's buffer must hold: one message with its length. A megabyte is a good size. */
#define BINARYFILE_BUFFER_BYTES_MIN (2u + BINARYFILE_MESSAGE_BYTES_MAX)

enum binaryfile_verdict {
    BINARYFILE_MESSAGE,
    BINARYFILE_END,        /* the bytes end after a whole message */
    BINARYFILE_END_MARKER, /* a zero length; the caller may read on, an import then stores an empty message */
    BINARYFILE_TRUNCATED,  /* the bytes end inside a message; nothing further can be read */
    BINARYFILE_UNREADABLE, /* the file gave an error: error_number says which */
};

struct binaryfile_reader {
    FILE *file;      /* the caller's; NULL when reading from memory */
    uint8_t *buffer; /* the caller's; NULL when reading from memory */
    size_t buffer_bytes;
    const uint8_t *at; /* not yet read: [at, end) */
    const uint8_t *end;
    bool file_ended;
    int error_number;       /* errno of a failed read, else 0 */
    uint64_t offset;        /* bytes of whole messages read so far */
    uint64_t message_count; /* messages read so far, markers not counted */
    const uint8_t *message; /* the current one, valid until the next call */
    uint16_t message_bytes;
};

/* Reads `file` (a pipe is as good) through `buffer`, of at least BINARYFILE_BUFFER_BYTES_MIN bytes. Both stay
 * the caller's and must outlive the reader. */
void binaryfile_reader_init_file(struct binaryfile_reader *reader, FILE *file, uint8_t *buffer,
                                 size_t buffer_bytes);

/* Reads bytes in memory, for instance a mapped file. */
void binaryfile_reader_init_bytes(struct binaryfile_reader *reader, const uint8_t *bytes, size_t byte_count);

/* Total: any bytes give a verdict. */
enum binaryfile_verdict binaryfile_reader_next(struct binaryfile_reader *reader);

struct binaryfile_writer {
    FILE *file; /* the caller's */
    bool end_marker;
    uint64_t message_count;
};

/* With `end_marker` binaryfile_writer_finish adds a zero length, and empty messages are refused. */
void binaryfile_writer_init(struct binaryfile_writer *writer, FILE *file, bool end_marker);

/* 0; -EINVAL for an empty message in a file with an end marker, -EMSGSIZE for one above
 * BINARYFILE_MESSAGE_BYTES_MAX (nothing written in both), or the file's error. */
__attribute__((warn_unused_result)) int binaryfile_writer_add(struct binaryfile_writer *writer,
                                                              const void *message, size_t message_bytes);

/* Writes the end marker, if wanted, and flushes. The file stays open; nothing is synced. 0 or the file's
 * error. */
__attribute__((warn_unused_result)) int binaryfile_writer_finish(struct binaryfile_writer *writer);

#endif
