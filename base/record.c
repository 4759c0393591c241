/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include "check.h"
#include "crc32c.h"

size_t record_finish(uint8_t *bytes, const struct record_head *head, size_t payload_bytes)
{
    ASSERT(payload_bytes <= RECORD_PAYLOAD_BYTES_MAX);
    struct record_head finished = *head;
    size_t length = RECORD_HEAD_BYTES + payload_bytes;
    size_t padded = record_padded_bytes(length);
    finished.length = (uint16_t)length;
    finished.flags = 0;
    memcpy(bytes, &finished, sizeof(finished));
    memset(bytes + length, 0, padded - length);
    store_le32(bytes, crc32c(0, bytes + 4, length - 4));
    return padded;
}

enum record_verdict record_check(const uint8_t *bytes, size_t byte_count, struct record_head *ret_head)
{
    if (byte_count < RECORD_HEAD_BYTES) {
        return RECORD_SHORT;
    }
    struct record_head head = record_head_load(bytes);
    if (head.length < RECORD_HEAD_BYTES || head.length > RECORD_BYTES_MAX) {
        return RECORD_BAD_LENGTH;
    }
    size_t padded = record_padded_bytes(head.length);
    if (padded > byte_count) {
        return RECORD_SHORT;
    }
    if (crc32c(0, bytes + 4, head.length - 4u) != head.crc) {
        return RECORD_BAD_CHECKSUM;
    }
    uint8_t stray = head.flags;
    for (size_t i = head.length; i < padded; i++) {
        stray |= bytes[i];
    }
    if (stray) {
        return RECORD_BAD_FLAGS;
    }
    *ret_head = head;
    return RECORD_GOOD;
}

const char *record_verdict_name(enum record_verdict verdict)
{
    switch (verdict) {
    case RECORD_GOOD:
        return "good";
    case RECORD_SHORT:
        return "short";
    case RECORD_BAD_LENGTH:
        return "bad length";
    case RECORD_BAD_CHECKSUM:
        return "bad checksum";
    case RECORD_BAD_FLAGS:
        return "bad flags";
    }
    return "unknown";
}

const char *record_type_name(uint8_t type)
{
    switch (type) {
    case RECORD_LEADER_START:
        return "leader-start";
    case RECORD_CONFIGURATION:
        return "configuration";
    case RECORD_DATA:
        return "data";
    case RECORD_OPEN:
        return "open";
    case RECORD_GAP:
        return "gap";
    case RECORD_END:
        return "end";
    case RECORD_QUORUM:
        return "quorum";
    case RECORD_HARD_STATE:
        return "hard-state";
    case RECORD_TRUNCATE:
        return "truncate";
    case RECORD_BOUNDS:
        return "bounds";
    case RECORD_PEER:
        return "peer";
    case RECORD_CHECKPOINT:
        return "checkpoint";
    case RECORD_BOUNDARY:
        return "boundary";
    default:
        return "unknown";
    }
}
