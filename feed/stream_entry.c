/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_entry.h"

#include <string.h>

#include "bytes.h"

static bool bytes_are_zero(const uint8_t *bytes, size_t byte_count)
{
    for (size_t i = 0; i < byte_count; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

size_t stream_data_head_encode(const struct stream_data_head *head, uint8_t *payload)
{
    store_le64(payload, head->base_sequence);
    store_le64(payload + 8, head->source_id);
    store_le64(payload + 16, head->source_sequence);
    store_le16(payload + 24, head->message_count);
    payload[26] = head->source_line;
    payload[27] = 0;
    store_le32(payload + 28, 0);
    return STREAM_DATA_HEAD_BYTES;
}

bool stream_data_head_decode(const uint8_t *payload, size_t byte_count, struct stream_data_head *ret_head)
{
    if (byte_count < STREAM_DATA_HEAD_BYTES || !bytes_are_zero(payload + 27, 5)) {
        return false;
    }
    struct stream_data_head head = {
        .base_sequence = load_le64(payload),
        .source_id = load_le64(payload + 8),
        .source_sequence = load_le64(payload + 16),
        .message_count = load_le16(payload + 24),
        .source_line = payload[26],
    };
    if (head.source_id == 0 || head.source_sequence == 0 || head.message_count == 0) {
        return false;
    }
    *ret_head = head;
    return true;
}

size_t stream_open_encode(const struct stream_open *open, uint8_t *payload)
{
    memcpy(payload, open->session, STREAM_SESSION_BYTES);
    payload[10] = open->mode;
    memset(payload + 11, 0, 5);
    store_le64(payload + 16, open->first_sequence);
    store_le64(payload + 24, open->source_id);
    return STREAM_OPEN_BYTES;
}

bool stream_open_decode(const uint8_t *payload, size_t byte_count, struct stream_open *ret_open)
{
    if (byte_count != STREAM_OPEN_BYTES || !bytes_are_zero(payload + 11, 5)) {
        return false;
    }
    struct stream_open open = {
        .mode = payload[10], .first_sequence = load_le64(payload + 16), .source_id = load_le64(payload + 24)};
    if (open.mode != STREAM_TRANSPARENT && open.mode != STREAM_SEQUENCED) {
        return false;
    }
    if (open.first_sequence == 0) {
        return false;
    }
    memcpy(open.session, payload, STREAM_SESSION_BYTES);
    *ret_open = open;
    return true;
}

size_t stream_gap_encode(const struct stream_gap *gap, uint8_t *payload)
{
    store_le64(payload, gap->first_sequence);
    store_le64(payload + 8, gap->count);
    payload[16] = gap->reason;
    memset(payload + 17, 0, 7);
    return STREAM_GAP_BYTES;
}

bool stream_gap_decode(const uint8_t *payload, size_t byte_count, struct stream_gap *ret_gap)
{
    if (byte_count != STREAM_GAP_BYTES || !bytes_are_zero(payload + 17, 7)) {
        return false;
    }
    struct stream_gap gap = {
        .first_sequence = load_le64(payload), .count = load_le64(payload + 8), .reason = payload[16]};
    if (gap.count == 0 || gap.reason < STREAM_GAP_LOST || gap.reason > STREAM_GAP_DECLARED) {
        return false;
    }
    *ret_gap = gap;
    return true;
}

size_t stream_end_encode(const struct stream_end *end, uint8_t *payload)
{
    store_le64(payload, end->next_sequence);
    payload[8] = end->reason;
    memset(payload + 9, 0, 7);
    return STREAM_END_BYTES;
}

bool stream_end_decode(const uint8_t *payload, size_t byte_count, struct stream_end *ret_end)
{
    if (byte_count != STREAM_END_BYTES || !bytes_are_zero(payload + 9, 7)) {
        return false;
    }
    struct stream_end end = {.next_sequence = load_le64(payload), .reason = payload[8]};
    if (end.reason < STREAM_END_UPSTREAM || end.reason > STREAM_END_DECLARED) {
        return false;
    }
    *ret_end = end;
    return true;
}
