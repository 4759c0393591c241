/* SPDX-License-Identifier: Apache-2.0 */
/* Against RFC 3720 B.4 and against a twin that divides bit by bit. */
#include "crc32c.h"
#include "prng.h"
#include "test.h"

#define LENGTH_MAX 2000

static uint32_t crc32c_bit_by_bit(uint32_t crc, const uint8_t *bytes, size_t byte_count)
{
    crc = ~crc;
    for (size_t i = 0; i < byte_count; i++) {
        crc ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78u : 0u);
        }
    }
    return ~crc;
}

static void fill(struct prng *prng, uint8_t *bytes, size_t byte_count)
{
    for (size_t i = 0; i < byte_count; i++) {
        bytes[i] = (uint8_t)prng_next(prng);
    }
}

static void rfc_patterns(void)
{
    uint8_t bytes[32];
    memset(bytes, 0, sizeof(bytes));
    CHECK_EQUAL(crc32c(0, bytes, 32), 0x8A9136AAu);
    memset(bytes, 0xFF, sizeof(bytes));
    CHECK_EQUAL(crc32c(0, bytes, 32), 0x62A8AB43u);
    for (uint8_t i = 0; i < 32; i++) {
        bytes[i] = i;
    }
    CHECK_EQUAL(crc32c(0, bytes, 32), 0x46DD794Eu);
    for (uint8_t i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)(31 - i);
    }
    CHECK_EQUAL(crc32c(0, bytes, 32), 0x113FDB5Cu);
}

static void rfc_scsi_read_command(void)
{
    static const uint8_t command[48] = {
        0x01, 0xC0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
        0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0,    0,
    };
    CHECK_EQUAL(crc32c(0, command, sizeof(command)), 0xD9963A56u);
    CHECK_EQUAL(crc32c(0, "123456789", 9), 0xE3069283u);
    CHECK_EQUAL(crc32c(0, "", 0), 0);
}

static void every_length_equals_the_twin(void)
{
    static uint8_t bytes[LENGTH_MAX + 64];
    struct prng prng = {2};
    fill(&prng, bytes, sizeof(bytes));
    for (size_t length = 0; length <= LENGTH_MAX; length++) {
        size_t offset = prng_below(&prng, 64);
        uint32_t start = (uint32_t)prng_next(&prng);
        CHECK_EQUAL(crc32c(0, bytes + offset, length), crc32c_bit_by_bit(0, bytes + offset, length));
        CHECK_EQUAL(crc32c(start, bytes + offset, length), crc32c_bit_by_bit(start, bytes + offset, length));
    }
}

static void long_inputs_equal_the_twin(void)
{
    static uint8_t bytes[70000];
    struct prng prng = {3};
    fill(&prng, bytes, sizeof(bytes));
    for (unsigned round = 0; round < 20; round++) {
        size_t offset = prng_below(&prng, 64);
        size_t length = 60000 + prng_below(&prng, 9000);
        CHECK_EQUAL(crc32c(0, bytes + offset, length), crc32c_bit_by_bit(0, bytes + offset, length));
    }
}

static void pieces_chain(void)
{
    static uint8_t bytes[LENGTH_MAX];
    struct prng prng = {4};
    fill(&prng, bytes, sizeof(bytes));
    uint32_t whole = crc32c(0, bytes, sizeof(bytes));
    for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
        CHECK_EQUAL(crc32c(crc32c(0, bytes, cut), bytes + cut, sizeof(bytes) - cut), whole);
    }
}

static const struct test_case cases[] = {
    {"zeros, ones, rising and falling bytes give RFC 3720's values", rfc_patterns},
    {"RFC 3720's SCSI command, the usual check string and nothing give their values", rfc_scsi_read_command},
    {"every length from 0 to 2000 at any alignment and start equals bit by bit",
     every_length_equals_the_twin},
    {"inputs of record size equal bit by bit", long_inputs_equal_the_twin},
    {"a checksum continued over a second piece is that of the whole", pieces_chain},
};

TEST_MAIN(cases)
