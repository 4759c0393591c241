/* SPDX-License-Identifier: Apache-2.0 */
#include "blocks.h"
#include "packer.h"
#include "prng.h"
#include "test.h"

static enum blocks_verdict check(const char *bytes, size_t byte_count, uint16_t message_count,
                                 bool empty_allowed)
{
    struct blocks blocks = {(const uint8_t *)bytes, (uint32_t)byte_count, message_count, empty_allowed};
    return blocks_check(&blocks);
}

static void test_good(void)
{
    CHECK_EQUAL(check("\0\3abc\0\1d", 8, 2, false), BLOCKS_GOOD);
    CHECK_EQUAL(check("", 0, 0, false), BLOCKS_GOOD);
    CHECK_EQUAL(check("\0\0\0\1x", 5, 2, true), BLOCKS_GOOD);
}

static void test_truncated(void)
{
    static const char blocks[] = "\0\3abc\0\1d";
    for (size_t bytes = 0; bytes < 8; bytes++) {
        CHECK_EQUAL(check(blocks, bytes, 2, false), BLOCKS_TRUNCATED);
    }
    CHECK_EQUAL(check(blocks, 8, 3, false), BLOCKS_TRUNCATED);
    CHECK_EQUAL(check("\377\377", 2, 1, false), BLOCKS_TRUNCATED);
}

static void test_trailing(void)
{
    CHECK_EQUAL(check("\0\3abc\0\1d", 8, 1, false), BLOCKS_TRAILING);
    CHECK_EQUAL(check("\0\3abc\0", 6, 1, false), BLOCKS_TRAILING);
    CHECK_EQUAL(check("\0", 1, 0, false), BLOCKS_TRAILING);
}

static void test_empty_message(void)
{
    CHECK_EQUAL(check("\0\0\0\1x", 5, 2, false), BLOCKS_EMPTY_MESSAGE);
}

static void test_iterator(void)
{
    static const uint8_t bytes[] = {0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd', 0, 9, 'e'};
    struct blocks_iterator iterator;
    blocks_iterator_init(&iterator, bytes, sizeof(bytes));
    CHECK(blocks_iterator_next(&iterator));
    CHECK_EQUAL(iterator.message_bytes, 3);
    CHECK_BYTES(iterator.message, "abc", 3);
    CHECK(blocks_iterator_next(&iterator));
    CHECK_EQUAL(iterator.message_bytes, 0);
    CHECK(blocks_iterator_next(&iterator));
    CHECK_BYTES(iterator.message, "d", 1);
    CHECK(!blocks_iterator_next(&iterator));
}

static void test_packer_golden(void)
{
    uint8_t area[16];
    memset(area, 0xEE, sizeof(area));
    struct packer packer;
    packer_init(&packer, area, 9);
    CHECK(packer_is_empty(&packer));
    CHECK_EQUAL(packer_add(&packer, "abc", 3), PACKER_ADDED);
    CHECK_EQUAL(packer_add(&packer, "def", 3), PACKER_FULL);
    CHECK_EQUAL(packer_add(&packer, "de", 2), PACKER_ADDED);
    CHECK_EQUAL(packer_add(&packer, "", 0), PACKER_FULL);
    CHECK_EQUAL(packer.message_count, 2);
    CHECK_EQUAL(packer.blocks_bytes, 9);
    CHECK_BYTES(area, "\0\3abc\0\2de\xEE", 10);
}

static void test_packer_too_large(void)
{
    uint8_t area[DATA_BLOCKS_BYTES_MAX];
    static const uint8_t message[DATA_BLOCKS_BYTES_MAX];
    struct packer packer;
    packer_init(&packer, area, sizeof(area));
    CHECK_EQUAL(packer_add(&packer, message, DATA_BLOCKS_BYTES_MAX - 1), PACKER_TOO_LARGE);
    CHECK_EQUAL(packer_add(&packer, message, SIZE_MAX), PACKER_TOO_LARGE);
    CHECK(packer_is_empty(&packer));
    CHECK_EQUAL(packer_add(&packer, message, DATA_BLOCKS_BYTES_MAX - 2), PACKER_ADDED);
    CHECK_EQUAL(packer_add(&packer, message, 0), PACKER_FULL);
}

/* Messages of all lengths are packed entry by entry; each entry checks, and read back in order they are the
 * input. */
static void test_packer_returns_its_input(void)
{
    static uint8_t input[200000];
    static uint8_t output[200000];
    size_t input_bytes = 0;
    size_t output_bytes = 0;
    struct prng prng = {7};
    uint8_t area[DATA_BLOCKS_BYTES_MAX];
    struct packer packer;
    packer_init(&packer, area, sizeof(area));
    bool done = false;
    while (!done) {
        uint8_t message[512];
        size_t message_bytes = prng_below(&prng, sizeof(message));
        memset(message, (int)prng_below(&prng, 256), message_bytes);
        done = input_bytes + message_bytes > sizeof(input);
        if (done || packer_add(&packer, message, message_bytes) == PACKER_FULL) {
            CHECK_EQUAL(check((char *)area, packer.blocks_bytes, packer.message_count, true), BLOCKS_GOOD);
            struct blocks_iterator iterator;
            blocks_iterator_init(&iterator, area, packer.blocks_bytes);
            while (blocks_iterator_next(&iterator)) {
                memcpy(output + output_bytes, iterator.message, iterator.message_bytes);
                output_bytes += iterator.message_bytes;
            }
            packer_reset(&packer, area);
            CHECK(done || packer_add(&packer, message, message_bytes) == PACKER_ADDED);
        }
        if (!done) {
            memcpy(input + input_bytes, message, message_bytes);
            input_bytes += message_bytes;
        }
    }
    CHECK_EQUAL(output_bytes, input_bytes);
    CHECK(input_bytes > 100000);
    CHECK_BYTES(output, input, input_bytes);
}

static void test_names(void)
{
    CHECK_STRING(blocks_verdict_name(BLOCKS_GOOD), "good");
    CHECK_STRING(blocks_verdict_name(BLOCKS_EMPTY_MESSAGE), "empty message");
}

static const struct test_case cases[] = {
    {"blocks that agree with their count are good", test_good},
    {"every cut of good blocks, and a count beyond them, is truncated", test_truncated},
    {"bytes after the last message are trailing", test_trailing},
    {"a message of zero length is refused where it is not allowed", test_empty_message},
    {"the iterator gives whole messages and stops before a cut one", test_iterator},
    {"packed blocks are the golden bytes and never pass the capacity", test_packer_golden},
    {"a message that fits no entry is too large, one that just fits is added", test_packer_too_large},
    {"what is packed into entries reads back byte for byte", test_packer_returns_its_input},
    {"verdicts have names", test_names},
};

TEST_MAIN(cases)
