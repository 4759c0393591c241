/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads of the four entries that make a stream (record types DATA, OPEN, GAP, END), little-endian.
 *
 * DATA, 32 bytes and the message blocks (blocks.h), exactly one egress packet:
 *   0  base sequence    u64  stream sequence of the first message
 *   8  source id        u64  who published it; not 0
 *  16  source sequence  u64  the publisher's number of this ENTRY, from 1; not 0
 *  24  message count    u16  not 0
 *  26  source line      u8   which of redundant lines it came by; 0 for publishers
 *  27  flags            u8   zero
 *  28  zero             u32
 * OPEN, 32 bytes:
 *   0  session   10 bytes, opaque     10  mode            u8   enum stream_mode
 *  11  zero      5 bytes              16  first sequence  u64  not 0
 *  24  source id u64
 * GAP, 24 bytes: messages that nobody could supply are declared lost
 *   0  first sequence u64   8  count u64, not 0   16  reason u8, enum stream_gap_reason   17  zero, 7 bytes
 * END, 16 bytes:
 *   0  next sequence  u64   8  reason u8, enum stream_end_reason                           9  zero, 7 bytes
 *
 * When an entry arrived stands in its record's head (base/record.h). */
#ifndef TALLY_STREAM_ENTRY_H
#define TALLY_STREAM_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blocks.h"
#include "bounds.h"
#include "record.h"

#define STREAM_SESSION_BYTES   10
#define STREAM_DATA_HEAD_BYTES 32
#define STREAM_OPEN_BYTES      32
#define STREAM_GAP_BYTES       24
#define STREAM_END_BYTES       16

_Static_assert(STREAM_DATA_HEAD_BYTES + DATA_BLOCKS_BYTES_MAX_JUMBO <= RECORD_PAYLOAD_BYTES_MAX,
               "a full DATA entry fits a record");

enum stream_mode {
    STREAM_TRANSPARENT = 1, /* the upstream's session and sequence are kept */
    STREAM_SEQUENCED = 2,   /* own session, contiguous; messages of zero length are refused */
};

enum stream_gap_reason {
    STREAM_GAP_LOST = 1,     /* no line, no peer and no request server had them */
    STREAM_GAP_DECLARED = 2, /* an operator said so */
};

enum stream_end_reason {
    STREAM_END_UPSTREAM = 1, /* the upstream said end of session */
    STREAM_END_FORCED = 2,   /* another session took its place */
    STREAM_END_DECLARED = 3, /* an operator said so */
};

struct stream_data_head {
    uint64_t base_sequence;
    uint64_t source_id;
    uint64_t source_sequence;
    uint16_t message_count;
    uint8_t source_line;
};

struct stream_open {
    uint8_t session[STREAM_SESSION_BYTES];
    uint8_t mode; /* enum stream_mode */
    uint64_t first_sequence;
    uint64_t source_id;
};

struct stream_gap {
    uint64_t first_sequence;
    uint64_t count;
    uint8_t reason; /* enum stream_gap_reason */
};

struct stream_end {
    uint64_t next_sequence;
    uint8_t reason; /* enum stream_end_reason */
};

/* Encoders write in place, at the payload of the record being built, and return how many bytes. */
size_t stream_data_head_encode(const struct stream_data_head *head, uint8_t *payload);
size_t stream_open_encode(const struct stream_open *open, uint8_t *payload);
size_t stream_gap_encode(const struct stream_gap *gap, uint8_t *payload);
size_t stream_end_encode(const struct stream_end *end, uint8_t *payload);

/* The source id of a DATA payload that was decoded before. */
static inline uint64_t stream_data_source(const uint8_t *payload)
{
    return load_le64(payload + 8);
}

/* Decoders are total: false when the bytes are not exactly the layout above (length, a zero place that is not
 * zero, a value out of range). Blocks of a DATA entry, from STREAM_DATA_HEAD_BYTES on, are not looked at. */
bool stream_data_head_decode(const uint8_t *payload, size_t byte_count, struct stream_data_head *ret_head);
bool stream_open_decode(const uint8_t *payload, size_t byte_count, struct stream_open *ret_open);
bool stream_gap_decode(const uint8_t *payload, size_t byte_count, struct stream_gap *ret_gap);
bool stream_end_decode(const uint8_t *payload, size_t byte_count, struct stream_end *ret_end);

#endif
