/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a log, as entries of {record type u8, step of the index u8, payload length u16 little-endian,
 * payload}. A refusal changes no byte of the state; admission and application agree; an accepted entry is
 * exactly what the encoders write; the session's sequence never goes back. */
#include "check.h"
#include "fuzz.h"
#include "stream.h"

#define ENTRY_HEAD_BYTES 4

static struct stream_state state;
static struct stream_state before;
static struct stream_state noted;

static void check_encoding(uint8_t type, const uint8_t *payload)
{
    uint8_t again[STREAM_DATA_HEAD_BYTES];
    size_t bytes = 0;
    struct stream_data_head head;
    struct stream_open open;
    struct stream_gap gap;
    struct stream_end end;
    if (type == RECORD_DATA && stream_data_head_decode(payload, STREAM_DATA_HEAD_BYTES, &head)) {
        bytes = stream_data_head_encode(&head, again);
    } else if (type == RECORD_OPEN && stream_open_decode(payload, STREAM_OPEN_BYTES, &open)) {
        bytes = stream_open_encode(&open, again);
    } else if (type == RECORD_GAP && stream_gap_decode(payload, STREAM_GAP_BYTES, &gap)) {
        bytes = stream_gap_encode(&gap, again);
    } else if (type == RECORD_END && stream_end_decode(payload, STREAM_END_BYTES, &end)) {
        bytes = stream_end_encode(&end, again);
    }
    ASSERT((bytes > 0) == (type >= RECORD_DATA && type <= RECORD_END));
    ASSERT(memcmp(payload, again, bytes) == 0);
}

/* A DATA entry that was applied had been admissible, and noting its head does the same. */
static void check_data(const uint8_t *payload, size_t payload_bytes, uint64_t index)
{
    struct stream_data_head head;
    bool decoded = stream_data_head_decode(payload, payload_bytes, &head);
    ASSERT(decoded);
    ASSERT(stream_admit(&before, head.source_id, head.source_sequence, payload + STREAM_DATA_HEAD_BYTES,
                        payload_bytes - STREAM_DATA_HEAD_BYTES, head.message_count) == STREAM_FRESH);
    ASSERT(stream_admit(&state, head.source_id, head.source_sequence, NULL, 0, 0) == STREAM_DUPLICATE);
    noted = before;
    stream_note_data(&noted, index, payload);
    ASSERT(memcmp(&noted, &state, sizeof(state)) == 0);
}

static void apply(uint8_t type, uint64_t index, const uint8_t *payload, size_t payload_bytes)
{
    before = state;
    enum stream_verdict verdict = stream_apply(&state, type, index, payload, payload_bytes);
    ASSERT(stream_verdict_name(verdict)[0] != '?');
    if (verdict != STREAM_APPLIED) {
        ASSERT(memcmp(&state, &before, sizeof(state)) == 0);
        return;
    }
    ASSERT(record_type_is_entry(type));
    ASSERT(state.applied_index == index);
    ASSERT(type == RECORD_OPEN || state.next_sequence >= before.next_sequence);
    check_encoding(type, payload);
    if (type == RECORD_DATA) {
        check_data(payload, payload_bytes, index);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count)
{
    uint64_t index = 0;
    stream_state_init(&state);
    while (byte_count >= ENTRY_HEAD_BYTES) {
        uint8_t type = bytes[0];
        index += bytes[1];
        size_t payload_bytes = load_le16(bytes + 2);
        bytes += ENTRY_HEAD_BYTES;
        byte_count -= ENTRY_HEAD_BYTES;
        if (payload_bytes > byte_count) {
            payload_bytes = byte_count; /* a cut payload is an input, too */
        }
        apply(type, index, bytes, payload_bytes);
        bytes += payload_bytes;
        byte_count -= payload_bytes;
    }
    return 0;
}
