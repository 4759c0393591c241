/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <string.h>

#include "check.h"

_Static_assert((STREAM_SLOTS & (STREAM_SLOTS - 1)) == 0, "slots wrap by a mask");
_Static_assert(STREAM_SLOTS > SOURCES_MAX, "a search ends at a free slot");
_Static_assert(SOURCES_MAX < UINT16_MAX, "a place fits a slot");

void stream_state_init(struct stream_state *state)
{
    memset(state, 0, sizeof(*state));
}

/* The slot that holds the id, or the free one where it belongs. Publishers choose their ids freely, so all
 * bits are mixed (Fibonacci hashing: Knuth, volume 3, 6.4). */
static size_t slot_find(const struct stream_state *state, uint64_t source_id)
{
    uint64_t hash = (source_id ^ (source_id >> 32)) * 0x9E3779B97F4A7C15u;
    size_t slot = (size_t)(hash >> 32) & (STREAM_SLOTS - 1);
    while (state->slots[slot] != 0 && state->sources[state->slots[slot] - 1].id != source_id) {
        slot = (slot + 1) & (STREAM_SLOTS - 1);
    }
    return slot;
}

bool stream_find_source(const struct stream_state *state, uint64_t source_id,
                        struct stream_source *ret_source)
{
    uint16_t place = state->slots[slot_find(state, source_id)];
    if (place == 0) {
        return false;
    }
    *ret_source = state->sources[place - 1];
    return true;
}

static void source_record(struct stream_state *state, const struct stream_source *source)
{
    size_t slot = slot_find(state, source->id);
    if (state->slots[slot] == 0) {
        ASSERT(state->source_count < SOURCES_MAX);
        state->source_count++;
        state->slots[slot] = (uint16_t)state->source_count;
    }
    state->sources[state->slots[slot] - 1] = *source;
}

/* A source's numbers begin at 1 and grow by one from entry to entry. Were any first number taken, an entry
 * that overtook a lost first one would make that one look logged. */
static enum stream_verdict source_check(const struct stream_state *state, uint64_t source_id,
                                        uint64_t source_sequence)
{
    if (source_id == 0 || source_sequence == 0) {
        return STREAM_MALFORMED;
    }
    struct stream_source known;
    if (!stream_find_source(state, source_id, &known)) {
        if (source_sequence != 1) {
            return STREAM_SEQUENCE_GAP;
        }
        return state->source_count < SOURCES_MAX ? STREAM_FRESH : STREAM_SOURCES_FULL;
    }
    if (source_sequence <= known.sequence) {
        return STREAM_DUPLICATE;
    }
    return source_sequence - known.sequence == 1 ? STREAM_FRESH : STREAM_SEQUENCE_GAP;
}

static enum stream_verdict content_check(const struct stream_state *state, const uint8_t *bytes,
                                         size_t byte_count, uint32_t message_count)
{
    if (byte_count > DATA_BLOCKS_BYTES_MAX_JUMBO) {
        return STREAM_TOO_LARGE;
    }
    if (message_count == 0 || message_count > UINT16_MAX) {
        return STREAM_MALFORMED;
    }
    struct blocks blocks = {
        .bytes = bytes,
        .byte_count = (uint32_t)byte_count,
        .message_count = (uint16_t)message_count,
        .empty_allowed = state->mode == STREAM_TRANSPARENT,
    };
    if (blocks_check(&blocks) != BLOCKS_GOOD) {
        return STREAM_MALFORMED;
    }
    return message_count > UINT64_MAX - state->next_sequence ? STREAM_SEQUENCE_OVERFLOW : STREAM_FRESH;
}

enum stream_verdict stream_admit(const struct stream_state *state, uint64_t source_id,
                                 uint64_t source_sequence, const uint8_t *blocks, size_t blocks_bytes,
                                 uint32_t message_count)
{
    enum stream_verdict verdict = source_check(state, source_id, source_sequence);
    if (verdict == STREAM_DUPLICATE || verdict == STREAM_MALFORMED) {
        return verdict;
    }
    if (!state->is_open) {
        return STREAM_NO_SESSION;
    }
    return verdict == STREAM_FRESH ? content_check(state, blocks, blocks_bytes, message_count) : verdict;
}

static void data_record(struct stream_state *state, uint64_t index, const struct stream_data_head *head)
{
    struct stream_source source = {head->source_id, head->source_sequence, index};
    source_record(state, &source);
    state->next_sequence += head->message_count;
}

void stream_note_data(struct stream_state *state, uint64_t index, const uint8_t *head_bytes)
{
    struct stream_data_head head;
    bool decoded = stream_data_head_decode(head_bytes, STREAM_DATA_HEAD_BYTES, &head);
    ASSERT(decoded);
    ASSERT(state->is_open);
    ASSERT(index > state->applied_index);
    ASSERT(head.base_sequence == state->next_sequence);
    ASSERT(source_check(state, head.source_id, head.source_sequence) == STREAM_FRESH);
    data_record(state, index, &head);
    state->applied_index = index;
}

static enum stream_verdict data_apply(struct stream_state *state, uint64_t index, const uint8_t *payload,
                                      size_t payload_bytes)
{
    struct stream_data_head head;
    if (!stream_data_head_decode(payload, payload_bytes, &head)) {
        return STREAM_MALFORMED;
    }
    enum stream_verdict verdict =
        stream_admit(state, head.source_id, head.source_sequence, payload + STREAM_DATA_HEAD_BYTES,
                     payload_bytes - STREAM_DATA_HEAD_BYTES, head.message_count);
    if (verdict != STREAM_FRESH) {
        return verdict;
    }
    if (head.base_sequence != state->next_sequence) {
        return STREAM_SEQUENCE_MISMATCH;
    }
    data_record(state, index, &head);
    return STREAM_APPLIED;
}

static enum stream_verdict open_apply(struct stream_state *state, const uint8_t *payload,
                                      size_t payload_bytes)
{
    struct stream_open open;
    if (!stream_open_decode(payload, payload_bytes, &open)) {
        return STREAM_MALFORMED;
    }
    if (state->is_open) {
        return STREAM_SESSION_IS_OPEN;
    }
    memcpy(state->session, open.session, STREAM_SESSION_BYTES);
    state->mode = open.mode;
    state->is_open = 1;
    state->first_sequence = open.first_sequence;
    state->next_sequence = open.first_sequence;
    state->session_source_id = open.source_id;
    return STREAM_APPLIED;
}

static enum stream_verdict gap_apply(struct stream_state *state, const uint8_t *payload, size_t payload_bytes)
{
    struct stream_gap gap;
    if (!stream_gap_decode(payload, payload_bytes, &gap)) {
        return STREAM_MALFORMED;
    }
    if (!state->is_open) {
        return STREAM_NO_SESSION;
    }
    if (gap.first_sequence != state->next_sequence) {
        return STREAM_SEQUENCE_MISMATCH;
    }
    if (gap.count > UINT64_MAX - state->next_sequence) {
        return STREAM_SEQUENCE_OVERFLOW;
    }
    state->next_sequence += gap.count;
    return STREAM_APPLIED;
}

static enum stream_verdict end_apply(struct stream_state *state, const uint8_t *payload, size_t payload_bytes)
{
    struct stream_end end;
    if (!stream_end_decode(payload, payload_bytes, &end)) {
        return STREAM_MALFORMED;
    }
    if (!state->is_open) {
        return STREAM_NO_SESSION;
    }
    if (end.next_sequence != state->next_sequence) {
        return STREAM_SEQUENCE_MISMATCH;
    }
    state->is_open = 0;
    return STREAM_APPLIED;
}

/* The type comes from a record that somebody else wrote, so it may be any byte. */
static enum stream_verdict entry_apply(struct stream_state *state, uint8_t record_type, uint64_t index,
                                       const uint8_t *payload, size_t payload_bytes)
{
    if (record_type == RECORD_DATA) {
        return data_apply(state, index, payload, payload_bytes);
    }
    if (record_type == RECORD_OPEN) {
        return open_apply(state, payload, payload_bytes);
    }
    if (record_type == RECORD_GAP) {
        return gap_apply(state, payload, payload_bytes);
    }
    if (record_type == RECORD_END) {
        return end_apply(state, payload, payload_bytes);
    }
    bool without_sequence = record_type == RECORD_LEADER_START || record_type == RECORD_CONFIGURATION;
    return without_sequence ? STREAM_APPLIED : STREAM_NOT_AN_ENTRY;
}

enum stream_verdict stream_apply(struct stream_state *state, uint8_t record_type, uint64_t index,
                                 const uint8_t *payload, size_t payload_bytes)
{
    if (index <= state->applied_index) {
        return STREAM_INDEX_BACKWARDS;
    }
    enum stream_verdict verdict = entry_apply(state, record_type, index, payload, payload_bytes);
    if (verdict == STREAM_APPLIED) {
        state->applied_index = index;
    }
    ASSERT(state->next_sequence >= state->first_sequence);
    ASSERT(state->source_count <= SOURCES_MAX);
    return verdict;
}

const char *stream_verdict_name(enum stream_verdict verdict)
{
    switch (verdict) {
    case STREAM_APPLIED:
        return "applied";
    case STREAM_FRESH:
        return "fresh";
    case STREAM_DUPLICATE:
        return "duplicate";
    case STREAM_SEQUENCE_GAP:
        return "sequence gap";
    case STREAM_SOURCES_FULL:
        return "sources full";
    case STREAM_MALFORMED:
        return "malformed";
    case STREAM_TOO_LARGE:
        return "too large";
    case STREAM_NO_SESSION:
        return "no session";
    case STREAM_SESSION_IS_OPEN:
        return "session is open";
    case STREAM_SEQUENCE_MISMATCH:
        return "sequence mismatch";
    case STREAM_SEQUENCE_OVERFLOW:
        return "sequence overflow";
    case STREAM_INDEX_BACKWARDS:
        return "index backwards";
    case STREAM_NOT_AN_ENTRY:
        return "not an entry";
    }
    return "?";
}
