/* SPDX-License-Identifier: Apache-2.0 */
/* Packs messages into the block area of one DATA entry, which is one egress packet. The packer owns no
 * memory: it writes straight to where the entry is being built. */
#ifndef TALLY_PACKER_H
#define TALLY_PACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"

enum packer_verdict {
    PACKER_ADDED,
    PACKER_FULL,      /* does not fit any more: send this entry, reset, add again */
    PACKER_TOO_LARGE, /* fits no entry, however empty */
};

struct packer {
    uint8_t *blocks;
    uint32_t capacity_bytes;
    uint32_t blocks_bytes; /* <= capacity_bytes */
    uint16_t message_count;
};

/* `capacity_bytes` is DATA_BLOCKS_BYTES_MAX or, on jumbo links, DATA_BLOCKS_BYTES_MAX_JUMBO; less is allowed.
 */
void packer_init(struct packer *packer, uint8_t *blocks, size_t capacity_bytes);

/* Empties it, for the next entry at `blocks`. */
void packer_reset(struct packer *packer, uint8_t *blocks);

/* Copies the message behind the others. Nothing changes unless PACKER_ADDED. */
enum packer_verdict packer_add(struct packer *packer, const void *message, size_t message_bytes);

static inline bool packer_is_empty(const struct packer *packer)
{
    return packer->message_count == 0;
}

#endif
