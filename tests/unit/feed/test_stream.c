/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"
#include "test.h"

static struct stream_state state;
static struct stream_state before;
static uint64_t index_next;

/* Applies one entry; a refusal must leave every byte of the state alone. */
static enum stream_verdict apply(uint8_t type, const uint8_t *payload, size_t payload_bytes)
{
    before = state;
    enum stream_verdict verdict = stream_apply(&state, type, index_next, payload, payload_bytes);
    if (verdict == STREAM_APPLIED) {
        index_next++;
    } else {
        CHECK_BYTES(&state, &before, sizeof(state));
    }
    return verdict;
}

static enum stream_verdict apply_open(uint8_t mode, uint64_t first_sequence)
{
    struct stream_open open = {"SESSION  1", mode, first_sequence, 9};
    uint8_t payload[STREAM_OPEN_BYTES];
    return apply(RECORD_OPEN, payload, stream_open_encode(&open, payload));
}

static enum stream_verdict apply_gap(uint64_t first_sequence, uint64_t count)
{
    struct stream_gap gap = {first_sequence, count, STREAM_GAP_LOST};
    uint8_t payload[STREAM_GAP_BYTES];
    return apply(RECORD_GAP, payload, stream_gap_encode(&gap, payload));
}

static enum stream_verdict apply_end(uint64_t next_sequence)
{
    struct stream_end end = {next_sequence, STREAM_END_UPSTREAM};
    uint8_t payload[STREAM_END_BYTES];
    return apply(RECORD_END, payload, stream_end_encode(&end, payload));
}

static const uint8_t two_messages[] = {0, 1, 'a', 0, 2, 'b', 'c'};

/* A DATA entry of two messages. */
static enum stream_verdict apply_data(uint64_t base_sequence, uint64_t source_id, uint64_t source_sequence)
{
    struct stream_data_head head = {base_sequence, source_id, source_sequence, 2, 0};
    uint8_t payload[STREAM_DATA_HEAD_BYTES + sizeof(two_messages)];
    stream_data_head_encode(&head, payload);
    memcpy(payload + STREAM_DATA_HEAD_BYTES, two_messages, sizeof(two_messages));
    return apply(RECORD_DATA, payload, sizeof(payload));
}

static enum stream_verdict admit(uint64_t source_id, uint64_t source_sequence)
{
    return stream_admit(&state, source_id, source_sequence, two_messages, sizeof(two_messages), 2);
}

/* What the log holds of a source that it must know. */
static struct stream_source find(uint64_t source_id)
{
    struct stream_source source = {0};
    CHECK(stream_find_source(&state, source_id, &source));
    return source;
}

static bool knows(uint64_t source_id)
{
    struct stream_source source;
    return stream_find_source(&state, source_id, &source);
}

static void start(uint8_t mode)
{
    stream_state_init(&state);
    index_next = 1;
    CHECK_EQUAL(apply_open(mode, 1), STREAM_APPLIED);
}

static void test_session(void)
{
    stream_state_init(&state);
    index_next = 5;
    CHECK_EQUAL(apply_data(1, 7, 1), STREAM_NO_SESSION);
    CHECK_EQUAL(apply_gap(1, 1), STREAM_NO_SESSION);
    CHECK_EQUAL(apply_end(1), STREAM_NO_SESSION);
    CHECK_EQUAL(apply_open(STREAM_TRANSPARENT, 100), STREAM_APPLIED);
    CHECK_EQUAL(apply_open(STREAM_TRANSPARENT, 100), STREAM_SESSION_IS_OPEN);
    CHECK_EQUAL(state.next_sequence, 100);
    CHECK_EQUAL(apply_data(100, 7, 1), STREAM_APPLIED);
    CHECK_EQUAL(apply_gap(102, 10), STREAM_APPLIED);
    CHECK_EQUAL(apply_data(112, 7, 2), STREAM_APPLIED);
    CHECK_EQUAL(apply_end(114), STREAM_APPLIED);
    CHECK_EQUAL(apply_data(114, 7, 3), STREAM_NO_SESSION);
    CHECK_EQUAL(apply_open(STREAM_SEQUENCED, 1), STREAM_APPLIED);
    CHECK_EQUAL(state.next_sequence, 1);
    CHECK_EQUAL(state.session_source_id, 9);
    CHECK_EQUAL(state.applied_index, index_next - 1);
}

static void test_sequence(void)
{
    start(STREAM_SEQUENCED);
    CHECK_EQUAL(apply_data(2, 7, 1), STREAM_SEQUENCE_MISMATCH);
    CHECK_EQUAL(apply_data(1, 7, 1), STREAM_APPLIED);
    CHECK_EQUAL(apply_data(2, 7, 2), STREAM_SEQUENCE_MISMATCH);
    CHECK_EQUAL(apply_gap(2, 1), STREAM_SEQUENCE_MISMATCH);
    CHECK_EQUAL(apply_end(4), STREAM_SEQUENCE_MISMATCH);
    CHECK_EQUAL(apply_end(3), STREAM_APPLIED);
}

static void test_overflow(void)
{
    start(STREAM_SEQUENCED);
    CHECK_EQUAL(apply_gap(1, UINT64_MAX), STREAM_SEQUENCE_OVERFLOW);
    CHECK_EQUAL(apply_gap(1, UINT64_MAX - 2), STREAM_APPLIED);
    CHECK_EQUAL(admit(7, 1), STREAM_SEQUENCE_OVERFLOW);
    CHECK_EQUAL(apply_data(UINT64_MAX - 1, 7, 1), STREAM_SEQUENCE_OVERFLOW);
}

static void test_sources(void)
{
    start(STREAM_SEQUENCED);
    CHECK_EQUAL(apply_data(1, 7, 2),
                STREAM_SEQUENCE_GAP); /* a new source starts at 1, or its first entry is lost */
    CHECK_EQUAL(apply_data(1, 7, 1), STREAM_APPLIED);
    CHECK_EQUAL(apply_data(3, 7, 1), STREAM_DUPLICATE);
    CHECK_EQUAL(apply_data(3, 7, 3), STREAM_SEQUENCE_GAP);
    CHECK_EQUAL(apply_data(3, 7, 2), STREAM_APPLIED);
    CHECK_EQUAL(apply_data(5, 8, 1), STREAM_APPLIED);
    CHECK_EQUAL(find(7).sequence, 2);
    CHECK_EQUAL(find(7).index, 3);
    CHECK(!knows(9));
    CHECK(!knows(0));
    CHECK_EQUAL(stream_source_count(&state), 2);
}

static void test_index(void)
{
    start(STREAM_SEQUENCED);
    index_next = 1;
    CHECK_EQUAL(apply_data(1, 7, 1), STREAM_INDEX_BACKWARDS);
    index_next = 0;
    CHECK_EQUAL(apply(RECORD_LEADER_START, NULL, 0), STREAM_INDEX_BACKWARDS);
    index_next = 10;
    CHECK_EQUAL(apply(RECORD_LEADER_START, NULL, 0), STREAM_APPLIED);
    CHECK_EQUAL(apply(RECORD_CONFIGURATION, NULL, 0), STREAM_APPLIED);
    CHECK_EQUAL(state.applied_index, 11);
    CHECK_EQUAL(apply(RECORD_HARD_STATE, NULL, 0), STREAM_NOT_AN_ENTRY);
    CHECK_EQUAL(apply(0, NULL, 0), STREAM_NOT_AN_ENTRY);
    CHECK_EQUAL(apply(255, NULL, 0), STREAM_NOT_AN_ENTRY);
}

static void test_malformed(void)
{
    static const uint8_t zeros[STREAM_DATA_HEAD_BYTES];
    start(STREAM_SEQUENCED);
    CHECK_EQUAL(apply(RECORD_DATA, zeros, sizeof(zeros)), STREAM_MALFORMED);
    CHECK_EQUAL(apply(RECORD_OPEN, zeros, STREAM_OPEN_BYTES), STREAM_MALFORMED);
    CHECK_EQUAL(apply(RECORD_GAP, zeros, STREAM_GAP_BYTES), STREAM_MALFORMED);
    CHECK_EQUAL(apply(RECORD_END, zeros, STREAM_END_BYTES), STREAM_MALFORMED);
    CHECK_EQUAL(apply(RECORD_DATA, NULL, 0), STREAM_MALFORMED);
    struct stream_data_head head = {1, 7, 1, 2, 0};
    uint8_t payload[STREAM_DATA_HEAD_BYTES + sizeof(two_messages) + 1] = {0};
    stream_data_head_encode(&head, payload);
    memcpy(payload + STREAM_DATA_HEAD_BYTES, two_messages, sizeof(two_messages));
    CHECK_EQUAL(apply(RECORD_DATA, payload, sizeof(payload)), STREAM_MALFORMED); /* a trailing byte */
    CHECK_EQUAL(apply(RECORD_DATA, payload, sizeof(payload) - 2), STREAM_MALFORMED);
    CHECK_EQUAL(apply(RECORD_DATA, payload, STREAM_DATA_HEAD_BYTES), STREAM_MALFORMED);
    CHECK_EQUAL(apply(RECORD_DATA, payload, sizeof(payload) - 1), STREAM_APPLIED);
}

static void test_empty_message(void)
{
    static const uint8_t blocks[] = {0, 0, 0, 1, 'x'};
    start(STREAM_SEQUENCED);
    CHECK_EQUAL(stream_admit(&state, 7, 1, blocks, sizeof(blocks), 2), STREAM_MALFORMED);
    start(STREAM_TRANSPARENT);
    CHECK_EQUAL(stream_admit(&state, 7, 1, blocks, sizeof(blocks), 2), STREAM_FRESH);
}

static void test_too_large(void)
{
    static uint8_t payload[STREAM_DATA_HEAD_BYTES + DATA_BLOCKS_BYTES_MAX_JUMBO + 1];
    start(STREAM_SEQUENCED);
    struct stream_data_head head = {1, 7, 1, 1, 0};
    uint8_t *blocks = payload + stream_data_head_encode(&head, payload);
    store_be16(blocks, DATA_BLOCKS_BYTES_MAX_JUMBO + 1 - BLOCK_HEAD_BYTES);
    CHECK_EQUAL(apply(RECORD_DATA, payload, sizeof(payload)), STREAM_TOO_LARGE);
    CHECK_EQUAL(stream_admit(&state, 7, 1, blocks, DATA_BLOCKS_BYTES_MAX_JUMBO + 1, 1), STREAM_TOO_LARGE);
    store_be16(blocks, DATA_BLOCKS_BYTES_MAX_JUMBO - BLOCK_HEAD_BYTES);
    CHECK_EQUAL(apply(RECORD_DATA, payload, sizeof(payload) - 1), STREAM_APPLIED);
}

static void test_admit(void)
{
    stream_state_init(&state);
    index_next = 1;
    CHECK_EQUAL(admit(7, 1), STREAM_NO_SESSION);
    start(STREAM_SEQUENCED);
    CHECK_EQUAL(admit(0, 1), STREAM_MALFORMED);
    CHECK_EQUAL(admit(7, 0), STREAM_MALFORMED);
    CHECK_EQUAL(admit(7, 2), STREAM_SEQUENCE_GAP);
    CHECK_EQUAL(admit(7, 1), STREAM_FRESH);
    CHECK(!knows(7));
    CHECK_EQUAL(apply_data(1, 7, 1), STREAM_APPLIED);
    CHECK_EQUAL(admit(7, 3), STREAM_SEQUENCE_GAP);
    CHECK_EQUAL(find(7).sequence + 1, 2);
    CHECK_EQUAL(admit(7, 1), STREAM_DUPLICATE);
    CHECK_EQUAL(find(7).index, 2);
    CHECK_EQUAL(admit(7, 2), STREAM_FRESH);
    CHECK_EQUAL(apply_end(3), STREAM_APPLIED);
    CHECK_EQUAL(admit(7, 1), STREAM_DUPLICATE);
    CHECK_EQUAL(admit(7, 2), STREAM_NO_SESSION);
}

static void test_admit_blocks(void)
{
    start(STREAM_SEQUENCED);
    static const uint32_t wrong_counts[] = {0, 1, 3, UINT16_MAX, UINT16_MAX + 1 + 2, UINT32_MAX};
    for (size_t i = 0; i < sizeof(wrong_counts) / sizeof(wrong_counts[0]); i++) {
        CHECK_EQUAL(stream_admit(&state, 7, 1, two_messages, sizeof(two_messages), wrong_counts[i]),
                    STREAM_MALFORMED);
    }
    CHECK_EQUAL(stream_admit(&state, 7, 1, NULL, 0, 0), STREAM_MALFORMED);
    CHECK_EQUAL(stream_admit(&state, 7, 1, NULL, 0, 1), STREAM_MALFORMED);
    CHECK_EQUAL(admit(7, 1), STREAM_FRESH);
}

/* Noting an admitted entry by its head gives the same bytes as applying it whole. */
static void test_note_data(void)
{
    start(STREAM_SEQUENCED);
    CHECK_EQUAL(apply_data(1, 7, 1), STREAM_APPLIED);
    struct stream_state noted = state;
    struct stream_data_head head = {stream_next_sequence(&state), 8, 1, 2, 0};
    uint8_t head_bytes[STREAM_DATA_HEAD_BYTES];
    stream_data_head_encode(&head, head_bytes);
    CHECK_EQUAL(stream_data_source(head_bytes), 8);
    CHECK_EQUAL(admit(8, 1), STREAM_FRESH);
    stream_note_data(&noted, index_next, head_bytes);
    CHECK_EQUAL(apply_data(3, 8, 1), STREAM_APPLIED);
    CHECK_BYTES(&noted, &state, sizeof(state));
}

/* Ids that a naive table would put into one place. */
static uint64_t source_id_of(uint64_t number)
{
    return (number + 1) << (number % 2 == 0 ? 48 : 12);
}

static void test_sources_full(void)
{
    start(STREAM_SEQUENCED);
    for (uint64_t number = 0; number < SOURCES_MAX; number++) {
        CHECK_EQUAL(apply_data(1 + 2 * number, source_id_of(number), 1), STREAM_APPLIED);
    }
    CHECK_EQUAL(stream_source_count(&state), SOURCES_MAX);
    CHECK_EQUAL(apply_data(1 + 2 * SOURCES_MAX, 3, 1), STREAM_SOURCES_FULL);
    CHECK_EQUAL(admit(3, 1), STREAM_SOURCES_FULL);
    for (uint64_t number = 0; number < SOURCES_MAX; number++) {
        CHECK_EQUAL(admit(source_id_of(number), 1), STREAM_DUPLICATE);
        CHECK_EQUAL(find(source_id_of(number)).index, 2 + number);
        CHECK_EQUAL(admit(source_id_of(number), 2), STREAM_FRESH);
    }
}

static void test_copy(void)
{
    start(STREAM_SEQUENCED);
    CHECK_EQUAL(apply_data(1, 7, 1), STREAM_APPLIED);
    struct stream_state committed = state;
    uint64_t committed_next = index_next;
    CHECK_EQUAL(apply_data(3, 8, 1), STREAM_APPLIED);
    struct stream_state tail = state;
    state = committed; /* the tail is truncated, and the same entry comes again */
    index_next = committed_next;
    CHECK(!knows(8));
    CHECK_EQUAL(apply_data(3, 8, 1), STREAM_APPLIED);
    CHECK_BYTES(&state, &tail, sizeof(state));
}

static void test_names(void)
{
    for (unsigned i = STREAM_APPLIED; i <= STREAM_NOT_AN_ENTRY; i++) {
        CHECK(strcmp(stream_verdict_name((enum stream_verdict)i), "?") != 0);
    }
}

static const struct test_case cases[] = {
    {"entries need an open session, and a session opens once", test_session},
    {"only the next stream sequence is taken", test_sequence},
    {"a stream sequence beyond 64 bits is refused", test_overflow},
    {"a source's numbers grow by one from wherever it started", test_sources},
    {"indexes only grow, and entries without a sequence move nothing else", test_index},
    {"a payload that is not its layout is malformed and changes nothing", test_malformed},
    {"messages of zero length pass in transparent mode only", test_empty_message},
    {"blocks above the largest packet are refused, the largest is taken", test_too_large},
    {"admission tells fresh, duplicate and gap, and what the log holds", test_admit},
    {"admission refuses blocks that disagree with their count", test_admit_blocks},
    {"an admitted entry noted by its head moves the state as applying it does", test_note_data},
    {"at the bound a new source is refused and every known one is found", test_sources_full},
    {"a copy of the state takes a truncated tail back", test_copy},
    {"every verdict has a name", test_names},
};

TEST_MAIN(cases)
