/* SPDX-License-Identifier: Apache-2.0 */
#include "crc32c.h"
#include "prng.h"
#include "record.h"
#include "test.h"

static const struct record_head sample_head = {
    .type = RECORD_DATA,
    .quorum_number = 0x1122334455667788u,
    .index = 0x0A0B0C0D,
    .term = 7,
    .arrival_ns = 0x0102030405060708u,
    .log_time_ns = 0x1112131415161718u,
};

static const uint8_t golden[56] = {
    0x76, 0xD7, 0xAC, 0xC5, 0x33, 0x00, 0x03, 0x00, /* crc, length 51, type, flags */
    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* quorum number */
    0x0D, 0x0C, 0x0B, 0x0A, 0x00, 0x00, 0x00, 0x00, /* index */
    0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* term */
    0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, /* arrival */
    0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, /* log time */
    'a',  'b',  'c',  0x00, 0x00, 0x00, 0x00, 0x00, /* payload, padding */
};

static size_t build_sample(uint8_t *bytes, size_t payload_bytes)
{
    for (size_t i = 0; i < payload_bytes; i++) {
        bytes[RECORD_HEAD_BYTES + i] = (uint8_t)('a' + i % 26);
    }
    return record_finish(bytes, &sample_head, payload_bytes);
}

static void layout_is_golden(void)
{
    uint8_t bytes[64];
    memset(bytes, 0xEE, sizeof(bytes));
    CHECK_EQUAL(build_sample(bytes, 3), 56);
    CHECK_BYTES(bytes, golden, sizeof(golden));
    CHECK_EQUAL(bytes[56], 0xEE);
}

static void golden_bytes_are_read(void)
{
    struct record_head head;
    CHECK_EQUAL(record_check(golden, sizeof(golden), &head), RECORD_GOOD);
    CHECK_EQUAL(head.length, 51);
    CHECK_EQUAL(head.type, RECORD_DATA);
    CHECK_EQUAL(head.flags, 0);
    CHECK_EQUAL(head.quorum_number, sample_head.quorum_number);
    CHECK_EQUAL(head.index, sample_head.index);
    CHECK_EQUAL(head.term, sample_head.term);
    CHECK_EQUAL(head.arrival_ns, sample_head.arrival_ns);
    CHECK_EQUAL(head.log_time_ns, sample_head.log_time_ns);
}

static void every_size_is_read_back(void)
{
    static uint8_t bytes[RECORD_BYTES_MAX + 8];
    struct record_head head;
    size_t payload_bytes = 0;
    while (payload_bytes <= RECORD_PAYLOAD_BYTES_MAX) {
        size_t padded = build_sample(bytes, payload_bytes);
        CHECK_EQUAL(padded, (RECORD_HEAD_BYTES + payload_bytes + 7) / 8 * 8);
        CHECK_EQUAL(record_check(bytes, padded, &head), RECORD_GOOD);
        CHECK_EQUAL(head.length, RECORD_HEAD_BYTES + payload_bytes);
        payload_bytes += payload_bytes < 100 ? 1 : 997;
    }
    CHECK_EQUAL(record_check(bytes, build_sample(bytes, RECORD_PAYLOAD_BYTES_MAX), &head), RECORD_GOOD);
}

static void every_bit_flip_is_refused(void)
{
    uint8_t bytes[160];
    struct record_head head = {0};
    for (size_t payload_bytes = 0; payload_bytes < 100; payload_bytes += 11) {
        memset(bytes, 0, sizeof(bytes));
        size_t padded = build_sample(bytes, payload_bytes);
        for (size_t bit = 0; bit < padded * 8; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            CHECK(record_check(bytes, sizeof(bytes), &head) != RECORD_GOOD);
            bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
        CHECK_EQUAL(head.length, 0);
    }
}

/* The bytes end where a page that may not be touched would begin, so ASan sees a read past the end. */
static void every_truncation_is_short(void)
{
    uint8_t bytes[160];
    struct record_head head = {0};
    size_t padded = build_sample(bytes, 99);
    for (size_t byte_count = 0; byte_count < padded; byte_count++) {
        uint8_t *exact = malloc(byte_count ? byte_count : 1);
        CHECK(exact != NULL);
        memcpy(exact, bytes, byte_count);
        enum record_verdict verdict = record_check(exact, byte_count, &head);
        free(exact);
        CHECK_EQUAL(verdict, RECORD_SHORT);
    }
    CHECK_EQUAL(head.length, 0);
}

static void a_length_out_of_range_has_its_verdict(void)
{
    static uint8_t bytes[65536];
    struct record_head head;
    for (unsigned length = 0; length <= UINT16_MAX; length++) {
        bool in_range = length >= RECORD_HEAD_BYTES && length <= RECORD_BYTES_MAX;
        store_le16(bytes + 4, (uint16_t)length);
        enum record_verdict verdict = record_check(bytes, RECORD_HEAD_BYTES, &head);
        if (!in_range) {
            CHECK_EQUAL(verdict, RECORD_BAD_LENGTH);
        } else {
            CHECK(verdict == RECORD_SHORT || length == RECORD_HEAD_BYTES);
        }
    }
}

static void a_wrong_byte_has_its_verdict(void)
{
    uint8_t bytes[64];
    struct record_head head;
    build_sample(bytes, 3);
    bytes[RECORD_HEAD_BYTES] ^= 1;
    CHECK_EQUAL(record_check(bytes, 56, &head), RECORD_BAD_CHECKSUM);
}

static void flags_and_padding_have_their_verdict(void)
{
    uint8_t bytes[64];
    struct record_head head;
    build_sample(bytes, 3);
    bytes[7] = 1;
    store_le32(bytes, crc32c(0, bytes + 4, 51 - 4));
    CHECK_EQUAL(record_check(bytes, 56, &head), RECORD_BAD_FLAGS);
    build_sample(bytes, 3);
    bytes[55] = 1;
    CHECK_EQUAL(record_check(bytes, 56, &head), RECORD_BAD_FLAGS);
}

static void names_are_distinct(void)
{
    static const enum record_verdict verdicts[] = {RECORD_GOOD, RECORD_SHORT, RECORD_BAD_LENGTH,
                                                   RECORD_BAD_CHECKSUM, RECORD_BAD_FLAGS};
    for (size_t i = 0; i < 5; i++) {
        CHECK(strcmp(record_verdict_name(verdicts[i]), "unknown") != 0);
        for (size_t k = 0; k < i; k++) {
            CHECK(strcmp(record_verdict_name(verdicts[i]), record_verdict_name(verdicts[k])) != 0);
        }
    }
    CHECK_STRING(record_type_name(RECORD_DATA), "data");
    CHECK_STRING(record_type_name(63), "unknown");
    CHECK(record_type_is_entry(RECORD_END));
    CHECK(!record_type_is_entry(0));
    CHECK(!record_type_is_entry(RECORD_QUORUM));
}

static const struct test_case cases[] = {
    {"a finished record is the layout's bytes, padding zero, nothing written behind", layout_is_golden},
    {"the golden bytes are read back field by field", golden_bytes_are_read},
    {"records of every size up to the maximum are read back", every_size_is_read_back},
    {"every single flipped bit is refused", every_bit_flip_is_refused},
    {"every truncation is short", every_truncation_is_short},
    {"a length below the head or above the maximum is a bad length", a_length_out_of_range_has_its_verdict},
    {"a wrong payload byte is a bad checksum", a_wrong_byte_has_its_verdict},
    {"a flag or a padding byte of a later version is bad flags", flags_and_padding_have_their_verdict},
    {"verdicts and types have their names", names_are_distinct},
};

TEST_MAIN(cases)
