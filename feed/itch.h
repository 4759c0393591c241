/* SPDX-License-Identifier: Apache-2.0 */
/* ITCH 5.0, as far as statistics and the generator need it: which types there are and how long each is. The
 * log itself never looks inside a message. Integers are big-endian; the head of every message is 0 type u8, 1
 * stock locate u16, 3 tracking u16, 5 timestamp u48 (ns since midnight). */
#ifndef TALLY_ITCH_H
#define TALLY_ITCH_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define ITCH_HEAD_BYTES        11
#define ITCH_MESSAGE_BYTES_MAX 50

enum itch_verdict {
    ITCH_GOOD,
    ITCH_EMPTY,        /* no byte at all */
    ITCH_UNKNOWN_TYPE, /* the first byte names no message */
    ITCH_WRONG_LENGTH, /* not the length of its type */
};

/* Length of a message of this type, 0 when there is no such type. */
size_t itch_message_bytes(uint8_t type);

/* Total: any bytes give a verdict. On ITCH_GOOD bytes[0] is the type and the head can be read. */
enum itch_verdict itch_classify(const uint8_t *bytes, size_t byte_count);

/* The type in words ("add order"), "unknown" when there is no such type. */
const char *itch_type_name(uint8_t type);

const char *itch_verdict_name(enum itch_verdict verdict);

/* Of a message that itch_classify called good. */
static inline uint64_t itch_timestamp_ns(const uint8_t *message)
{
    return ((uint64_t)load_be16(message + 5) << 32) | load_be32(message + 7);
}

static inline void itch_timestamp_store(uint8_t *message, uint64_t timestamp_ns)
{
    store_be16(message + 5, (uint16_t)(timestamp_ns >> 32));
    store_be32(message + 7, (uint32_t)timestamp_ns);
}

#endif
