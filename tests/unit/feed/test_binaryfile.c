/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "binaryfile.h"
#include "prng.h"
#include "test.h"

static uint8_t buffer[BINARYFILE_BUFFER_BYTES_MIN];

static void test_bytes(void)
{
    static const uint8_t bytes[] = {0, 2, 'a', 'b', 0, 1, 'c'};
    struct binaryfile_reader reader;
    binaryfile_reader_init_bytes(&reader, bytes, sizeof(bytes));
    CHECK_EQUAL(binaryfile_reader_next(&reader), BINARYFILE_MESSAGE);
    CHECK_EQUAL(reader.message_bytes, 2);
    CHECK_BYTES(reader.message, "ab", 2);
    CHECK_EQUAL(binaryfile_reader_next(&reader), BINARYFILE_MESSAGE);
    CHECK_BYTES(reader.message, "c", 1);
    CHECK_EQUAL(binaryfile_reader_next(&reader), BINARYFILE_END);
    CHECK_EQUAL(binaryfile_reader_next(&reader), BINARYFILE_END);
    CHECK_EQUAL(reader.message_count, 2);
    CHECK_EQUAL(reader.offset, sizeof(bytes));
}

static void test_end_marker(void)
{
    static const uint8_t bytes[] = {0, 1, 'a', 0, 0, 0, 1, 'b'};
    struct binaryfile_reader reader;
    binaryfile_reader_init_bytes(&reader, bytes, sizeof(bytes));
    CHECK_EQUAL(binaryfile_reader_next(&reader), BINARYFILE_MESSAGE);
    CHECK_EQUAL(binaryfile_reader_next(&reader), BINARYFILE_END_MARKER);
    CHECK_EQUAL(binaryfile_reader_next(&reader), BINARYFILE_MESSAGE);
    CHECK_BYTES(reader.message, "b", 1);
    CHECK_EQUAL(binaryfile_reader_next(&reader), BINARYFILE_END);
}

static void test_truncated(void)
{
    static const uint8_t bytes[] = {0, 3, 'a', 'b', 'c'};
    for (size_t byte_count = 1; byte_count < sizeof(bytes); byte_count++) {
        struct binaryfile_reader reader;
        binaryfile_reader_init_bytes(&reader, bytes, byte_count);
        CHECK_EQUAL(binaryfile_reader_next(&reader), BINARYFILE_TRUNCATED);
        CHECK_EQUAL(binaryfile_reader_next(&reader), BINARYFILE_TRUNCATED);
        CHECK(reader.message == NULL);
        CHECK_EQUAL(reader.offset, 0);
    }
}

static void test_unreadable(void)
{
    FILE *file = fopen("/", "r"); /* a directory opens and cannot be read */
    CHECK(file != NULL);
    struct binaryfile_reader reader;
    binaryfile_reader_init_file(&reader, file, buffer, sizeof(buffer));
    CHECK_EQUAL(binaryfile_reader_next(&reader), BINARYFILE_UNREADABLE);
    CHECK_EQUAL(reader.error_number, EISDIR);
    fclose(file);
}

/* Lengths up to the largest, so that messages lie across every refill of the smallest buffer. */
static void test_file_round_trip(void)
{
    static uint8_t message[BINARYFILE_MESSAGE_BYTES_MAX];
    FILE *file = tmpfile();
    CHECK(file != NULL);
    struct binaryfile_writer writer;
    binaryfile_writer_init(&writer, file, true);
    struct prng prng = {3};
    for (unsigned i = 0; i < 300; i++) {
        size_t message_bytes = i % 50 == 0 ? sizeof(message) : 1 + prng_below(&prng, 9000);
        memset(message, (int)(i & 255), message_bytes);
        CHECK_EQUAL(binaryfile_writer_add(&writer, message, message_bytes), 0);
    }
    CHECK_EQUAL(binaryfile_writer_finish(&writer), 0);
    CHECK_EQUAL(writer.message_count, 300);
    rewind(file);
    struct binaryfile_reader reader;
    binaryfile_reader_init_file(&reader, file, buffer, sizeof(buffer));
    prng = (struct prng){3};
    for (unsigned i = 0; i < 300; i++) {
        size_t message_bytes = i % 50 == 0 ? sizeof(message) : 1 + prng_below(&prng, 9000);
        memset(message, (int)(i & 255), message_bytes);
        CHECK_EQUAL(binaryfile_reader_next(&reader), BINARYFILE_MESSAGE);
        CHECK_EQUAL(reader.message_bytes, message_bytes);
        CHECK_BYTES(reader.message, message, message_bytes);
    }
    CHECK_EQUAL(binaryfile_reader_next(&reader), BINARYFILE_END_MARKER);
    CHECK_EQUAL(binaryfile_reader_next(&reader), BINARYFILE_END);
    fclose(file);
}

static void test_writer_golden(void)
{
    char *bytes = NULL;
    size_t byte_count = 0;
    FILE *file = open_memstream(&bytes, &byte_count);
    struct binaryfile_writer writer;
    binaryfile_writer_init(&writer, file, true);
    CHECK_EQUAL(binaryfile_writer_add(&writer, "abc", 3), 0);
    CHECK_EQUAL(binaryfile_writer_add(&writer, "", 0), -EINVAL);
    CHECK_EQUAL(binaryfile_writer_add(&writer, "", 65536), -EMSGSIZE);
    CHECK_EQUAL(binaryfile_writer_finish(&writer), 0);
    CHECK_EQUAL(byte_count, 7);
    CHECK_BYTES(bytes, "\0\3abc\0\0", 7);
    fclose(file);
    free(bytes);
}

static void test_writer_empty_message(void)
{
    char *bytes = NULL;
    size_t byte_count = 0;
    FILE *file = open_memstream(&bytes, &byte_count);
    struct binaryfile_writer writer;
    binaryfile_writer_init(&writer, file, false);
    CHECK_EQUAL(binaryfile_writer_add(&writer, NULL, 0), 0);
    CHECK_EQUAL(binaryfile_writer_add(&writer, "x", 1), 0);
    CHECK_EQUAL(binaryfile_writer_finish(&writer), 0);
    CHECK_EQUAL(byte_count, 5);
    CHECK_BYTES(bytes, "\0\0\0\1x", 5);
    fclose(file);
    free(bytes);
}

static void test_writer_full_disk(void)
{
    FILE *file = fopen("/dev/full", "w");
    CHECK(file != NULL);
    struct binaryfile_writer writer;
    binaryfile_writer_init(&writer, file, false);
    CHECK_EQUAL(binaryfile_writer_add(&writer, "abc", 3), 0);
    CHECK_EQUAL(binaryfile_writer_finish(&writer), -ENOSPC);
    fclose(file);
}

static const struct test_case cases[] = {
    {"messages in memory are read to the end, which stays the end", test_bytes},
    {"a zero length is an end marker, and reading on is possible", test_end_marker},
    {"every cut inside a message is truncated and stays so", test_truncated},
    {"an error of the file is told from its end", test_unreadable},
    {"a file reads back byte for byte through the smallest buffer", test_file_round_trip},
    {"the writer's bytes are golden, and it refuses what the format cannot say", test_writer_golden},
    {"without an end marker an empty message is written", test_writer_empty_message},
    {"a full disk is reported at the latest by finish", test_writer_full_disk},
};

TEST_MAIN(cases)
