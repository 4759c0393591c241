/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_entry.h"
#include "test.h"

static const uint8_t golden_data[STREAM_DATA_HEAD_BYTES] = {
    0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
    0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21, 0x32, 0x31, 0x01, 0,    0,    0,    0,    0};
static const uint8_t golden_open[STREAM_OPEN_BYTES] = {
    'T',  'A',  'L',  'L',  'Y',  ' ',  '0',  '0',  '0',  '1',  0x02, 0,    0,    0,    0,    0,
    0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11};
static const uint8_t golden_gap[STREAM_GAP_BYTES] = {0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
                                                     0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
                                                     0x01, 0,    0,    0,    0,    0,    0,    0};
static const uint8_t golden_end[STREAM_END_BYTES] = {0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
                                                     0x03, 0,    0,    0,    0,    0,    0,    0};

static void test_data(void)
{
    struct stream_data_head head = {0x0102030405060708, 0x1112131415161718, 0x2122232425262728, 0x3132, 1};
    uint8_t bytes[STREAM_DATA_HEAD_BYTES];
    CHECK_EQUAL(stream_data_head_encode(&head, bytes), STREAM_DATA_HEAD_BYTES);
    CHECK_BYTES(bytes, golden_data, sizeof(bytes));
    struct stream_data_head decoded;
    CHECK(stream_data_head_decode(golden_data, sizeof(golden_data), &decoded));
    CHECK(decoded.base_sequence == head.base_sequence);
    CHECK(decoded.source_id == head.source_id);
    CHECK(decoded.source_sequence == head.source_sequence);
    CHECK_EQUAL(decoded.message_count, head.message_count);
    CHECK_EQUAL(decoded.source_line, head.source_line);
}

static void test_open(void)
{
    struct stream_open open = {"TALLY 0001", STREAM_SEQUENCED, 0x0102030405060708, 0x1112131415161718};
    uint8_t bytes[STREAM_OPEN_BYTES];
    CHECK_EQUAL(stream_open_encode(&open, bytes), STREAM_OPEN_BYTES);
    CHECK_BYTES(bytes, golden_open, sizeof(bytes));
    struct stream_open decoded;
    CHECK(stream_open_decode(golden_open, sizeof(golden_open), &decoded));
    CHECK_BYTES(decoded.session, "TALLY 0001", STREAM_SESSION_BYTES);
    CHECK_EQUAL(decoded.mode, STREAM_SEQUENCED);
    CHECK(decoded.first_sequence == open.first_sequence);
    CHECK(decoded.source_id == open.source_id);
}

static void test_gap(void)
{
    struct stream_gap gap = {0x0102030405060708, 0x1112131415161718, STREAM_GAP_LOST};
    uint8_t bytes[STREAM_GAP_BYTES];
    CHECK_EQUAL(stream_gap_encode(&gap, bytes), STREAM_GAP_BYTES);
    CHECK_BYTES(bytes, golden_gap, sizeof(bytes));
    struct stream_gap decoded;
    CHECK(stream_gap_decode(golden_gap, sizeof(golden_gap), &decoded));
    CHECK(decoded.first_sequence == gap.first_sequence);
    CHECK(decoded.count == gap.count);
    CHECK_EQUAL(decoded.reason, STREAM_GAP_LOST);
}

static void test_end(void)
{
    struct stream_end end = {0x0102030405060708, STREAM_END_DECLARED};
    uint8_t bytes[STREAM_END_BYTES];
    CHECK_EQUAL(stream_end_encode(&end, bytes), STREAM_END_BYTES);
    CHECK_BYTES(bytes, golden_end, sizeof(bytes));
    struct stream_end decoded;
    CHECK(stream_end_decode(golden_end, sizeof(golden_end), &decoded));
    CHECK(decoded.next_sequence == end.next_sequence);
    CHECK_EQUAL(decoded.reason, STREAM_END_DECLARED);
}

static bool decode(uint8_t type, const uint8_t *bytes, size_t byte_count)
{
    struct stream_data_head head;
    struct stream_open open;
    struct stream_gap gap;
    struct stream_end end;
    switch (type) {
    case RECORD_DATA:
        return stream_data_head_decode(bytes, byte_count, &head);
    case RECORD_OPEN:
        return stream_open_decode(bytes, byte_count, &open);
    case RECORD_GAP:
        return stream_gap_decode(bytes, byte_count, &gap);
    default:
        return stream_end_decode(bytes, byte_count, &end);
    }
}

static const struct {
    uint8_t type;
    const uint8_t *bytes;
    size_t byte_count;
    size_t zero_from; /* up to zero_until: places that must be zero */
    size_t zero_until;
} layouts[] = {{RECORD_DATA, golden_data, sizeof(golden_data), 27, 32},
               {RECORD_OPEN, golden_open, sizeof(golden_open), 11, 16},
               {RECORD_GAP, golden_gap, sizeof(golden_gap), 17, 24},
               {RECORD_END, golden_end, sizeof(golden_end), 9, 16}};

static void test_cut(void)
{
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        for (size_t bytes = 0; bytes < layouts[i].byte_count; bytes++) {
            CHECK(!decode(layouts[i].type, layouts[i].bytes, bytes));
        }
    }
}

static void test_longer(void)
{
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        uint8_t bytes[64] = {0};
        memcpy(bytes, layouts[i].bytes, layouts[i].byte_count);
        bool blocks_follow = layouts[i].type == RECORD_DATA;
        CHECK_EQUAL(decode(layouts[i].type, bytes, layouts[i].byte_count + 1), blocks_follow);
    }
}

static void test_zero_places(void)
{
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        for (size_t place = layouts[i].zero_from; place < layouts[i].zero_until; place++) {
            uint8_t bytes[64] = {0};
            memcpy(bytes, layouts[i].bytes, layouts[i].byte_count);
            CHECK(decode(layouts[i].type, bytes, layouts[i].byte_count));
            bytes[place] = 1;
            CHECK(!decode(layouts[i].type, bytes, layouts[i].byte_count));
        }
    }
}

/* Sets `width` bytes at `place` of the golden bytes to `value` and decodes. */
static bool decode_changed(size_t layout, size_t place, size_t width, int value)
{
    uint8_t bytes[64] = {0};
    memcpy(bytes, layouts[layout].bytes, layouts[layout].byte_count);
    memset(bytes + place, value, width);
    return decode(layouts[layout].type, bytes, layouts[layout].byte_count);
}

static void test_ranges(void)
{
    CHECK(!decode_changed(0, 8, 8, 0));  /* source id */
    CHECK(!decode_changed(0, 16, 8, 0)); /* source sequence */
    CHECK(!decode_changed(0, 24, 2, 0)); /* message count */
    CHECK(!decode_changed(1, 10, 1, 0)); /* mode */
    CHECK(!decode_changed(1, 10, 1, 3));
    CHECK(!decode_changed(1, 16, 8, 0)); /* first sequence */
    CHECK(!decode_changed(2, 8, 8, 0));  /* count */
    CHECK(!decode_changed(2, 16, 1, 0)); /* reason */
    CHECK(!decode_changed(2, 16, 1, 3));
    CHECK(!decode_changed(3, 8, 1, 0)); /* reason */
    CHECK(!decode_changed(3, 8, 1, 4));
}

static const struct test_case cases[] = {
    {"a DATA head is its golden bytes and reads back", test_data},
    {"OPEN is its golden bytes and reads back", test_open},
    {"GAP is its golden bytes and reads back", test_gap},
    {"END is its golden bytes and reads back", test_end},
    {"every cut of every layout is refused", test_cut},
    {"bytes behind a layout are refused, except blocks behind a DATA head", test_longer},
    {"a place that must be zero and is not is refused", test_zero_places},
    {"a value out of range is refused", test_ranges},
};

TEST_MAIN(cases)
