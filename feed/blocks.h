/* SPDX-License-Identifier: Apache-2.0 */
/* Message blocks, as MoldUDP64 1.00 carries them and as a DATA entry keeps them: u16 big-endian length (not
 * counting itself), that many bytes, repeated. How many there are stands elsewhere, in the packet's or the
 * entry's head. */
#ifndef TALLY_BLOCKS_H
#define TALLY_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define BLOCK_HEAD_BYTES 2

enum blocks_verdict {
    BLOCKS_GOOD,
    BLOCKS_TRUNCATED,     /* the bytes end before the last of `count` messages does */
    BLOCKS_TRAILING,      /* bytes are left after the last message */
    BLOCKS_EMPTY_MESSAGE, /* a message of zero length, where those are not allowed */
};

/* A view into somebody's bytes. */
struct blocks {
    const uint8_t *bytes;
    uint32_t byte_count;
    uint16_t message_count;
    bool empty_allowed; /* messages of zero length are legal */
};

/* Total: any bytes give a verdict. No bytes and no messages are good. */
enum blocks_verdict blocks_check(const struct blocks *blocks);

const char *blocks_verdict_name(enum blocks_verdict verdict);

/* Walks over blocks that blocks_check called good, or over anything: it never leaves the bytes. */
struct blocks_iterator {
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *message; /* the current message, valid as long as the bytes are */
    uint16_t message_bytes;
};

static inline void blocks_iterator_init(struct blocks_iterator *iterator, const uint8_t *bytes,
                                        size_t byte_count)
{
    *iterator = (struct blocks_iterator){.at = bytes, .end = bytes + byte_count};
}

/* Moves to the next message; false when no whole one is left. */
static inline bool blocks_iterator_next(struct blocks_iterator *iterator)
{
    size_t left_bytes = (size_t)(iterator->end - iterator->at);
    if (left_bytes < BLOCK_HEAD_BYTES) {
        return false;
    }
    uint16_t message_bytes = load_be16(iterator->at);
    if (left_bytes - BLOCK_HEAD_BYTES < message_bytes) {
        return false;
    }
    iterator->message = iterator->at + BLOCK_HEAD_BYTES;
    iterator->message_bytes = message_bytes;
    iterator->at = iterator->message + message_bytes;
    return true;
}

#endif
