/* SPDX-License-Identifier: Apache-2.0 */
#include "binaryfile.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "check.h"

#define LENGTH_BYTES 2

void binaryfile_reader_init_file(struct binaryfile_reader *reader, FILE *file, uint8_t *buffer,
                                 size_t buffer_bytes)
{
    ASSERT(file != NULL);
    ASSERT(buffer_bytes >= BINARYFILE_BUFFER_BYTES_MIN);
    *reader = (struct binaryfile_reader){
        .file = file, .buffer = buffer, .buffer_bytes = buffer_bytes, .at = buffer, .end = buffer};
}

void binaryfile_reader_init_bytes(struct binaryfile_reader *reader, const uint8_t *bytes, size_t byte_count)
{
    ASSERT(bytes != NULL);
    *reader = (struct binaryfile_reader){.at = bytes, .end = bytes + byte_count, .file_ended = true};
}

static size_t reader_left_bytes(const struct binaryfile_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* Moves what is left to the buffer's start and fills up behind it. */
static void reader_refill(struct binaryfile_reader *reader)
{
    size_t left_bytes = reader_left_bytes(reader);
    memmove(reader->buffer, reader->at, left_bytes);
    errno = 0;
    size_t read_bytes =
        fread(reader->buffer + left_bytes, 1, reader->buffer_bytes - left_bytes, reader->file);
    if (read_bytes < reader->buffer_bytes - left_bytes) {
        reader->file_ended = true;
        if (ferror(reader->file)) {
            reader->error_number = errno != 0 ? errno : EIO;
        }
    }
    reader->at = reader->buffer;
    reader->end = reader->buffer + left_bytes + read_bytes;
}

/* True when `wanted_bytes` bytes stand at `at`, after a refill where one is possible. */
static bool reader_has_bytes(struct binaryfile_reader *reader, size_t wanted_bytes)
{
    if (reader_left_bytes(reader) < wanted_bytes && !reader->file_ended) {
        reader_refill(reader);
    }
    return reader_left_bytes(reader) >= wanted_bytes;
}

static enum binaryfile_verdict reader_end_verdict(const struct binaryfile_reader *reader)
{
    if (reader->error_number != 0) {
        return BINARYFILE_UNREADABLE;
    }
    return reader_left_bytes(reader) == 0 ? BINARYFILE_END : BINARYFILE_TRUNCATED;
}

enum binaryfile_verdict binaryfile_reader_next(struct binaryfile_reader *reader)
{
    reader->message = NULL;
    reader->message_bytes = 0;
    if (!reader_has_bytes(reader, LENGTH_BYTES)) {
        return reader_end_verdict(reader);
    }
    uint16_t message_bytes = load_be16(reader->at);
    if (!reader_has_bytes(reader, LENGTH_BYTES + (size_t)message_bytes)) {
        return reader_end_verdict(reader);
    }
    const uint8_t *message = reader->at + LENGTH_BYTES;
    reader->at = message + message_bytes;
    reader->offset += LENGTH_BYTES + (uint64_t)message_bytes;
    if (message_bytes == 0) {
        return BINARYFILE_END_MARKER;
    }
    reader->message = message;
    reader->message_bytes = message_bytes;
    reader->message_count++;
    return BINARYFILE_MESSAGE;
}

void binaryfile_writer_init(struct binaryfile_writer *writer, FILE *file, bool end_marker)
{
    ASSERT(file != NULL);
    *writer = (struct binaryfile_writer){.file = file, .end_marker = end_marker};
}

static int writer_put(struct binaryfile_writer *writer, const void *bytes, size_t byte_count)
{
    errno = 0;
    if (fwrite(bytes, 1, byte_count, writer->file) != byte_count) {
        return errno != 0 ? -errno : -EIO;
    }
    return 0;
}

int binaryfile_writer_add(struct binaryfile_writer *writer, const void *message, size_t message_bytes)
{
    if (message_bytes == 0 && writer->end_marker) {
        return -EINVAL;
    }
    if (message_bytes > BINARYFILE_MESSAGE_BYTES_MAX) {
        return -EMSGSIZE;
    }
    uint8_t length[LENGTH_BYTES];
    store_be16(length, (uint16_t)message_bytes);
    int status = writer_put(writer, length, LENGTH_BYTES);
    if (status == 0 && message_bytes > 0) {
        status = writer_put(writer, message, message_bytes);
    }
    writer->message_count += status == 0;
    return status;
}

int binaryfile_writer_finish(struct binaryfile_writer *writer)
{
    static const uint8_t marker[LENGTH_BYTES] = {0, 0};
    int status = writer->end_marker ? writer_put(writer, marker, LENGTH_BYTES) : 0;
    if (status != 0) {
        return status;
    }
    errno = 0;
    if (fflush(writer->file) != 0) {
        return errno != 0 ? -errno : -EIO;
    }
    return 0;
}
