/* SPDX-License-Identifier: Apache-2.0 */
#include "packer.h"

#include <string.h>

#include "blocks.h"
#include "bytes.h"
#include "check.h"

/* MoldUDP64 keeps 0xFFFF for the end of session; even empty messages cannot reach it. */
_Static_assert(DATA_BLOCKS_BYTES_MAX_JUMBO / BLOCK_HEAD_BYTES < 0xFFFF, "a packet's message count");
_Static_assert(DATA_BLOCKS_BYTES_MAX <= DATA_BLOCKS_BYTES_MAX_JUMBO, "the larger one bounds both");

void packer_init(struct packer *packer, uint8_t *blocks, size_t capacity_bytes)
{
    ASSERT(capacity_bytes >= BLOCK_HEAD_BYTES);
    ASSERT(capacity_bytes <= DATA_BLOCKS_BYTES_MAX_JUMBO);
    packer->capacity_bytes = (uint32_t)capacity_bytes;
    packer_reset(packer, blocks);
}

void packer_reset(struct packer *packer, uint8_t *blocks)
{
    ASSERT(blocks != NULL);
    packer->blocks = blocks;
    packer->blocks_bytes = 0;
    packer->message_count = 0;
}

enum packer_verdict packer_add(struct packer *packer, const void *message, size_t message_bytes)
{
    if (message_bytes > packer->capacity_bytes - BLOCK_HEAD_BYTES) {
        return PACKER_TOO_LARGE;
    }
    if (BLOCK_HEAD_BYTES + message_bytes > packer->capacity_bytes - packer->blocks_bytes) {
        return PACKER_FULL;
    }
    uint8_t *block = packer->blocks + packer->blocks_bytes;
    store_be16(block, (uint16_t)message_bytes);
    if (message_bytes > 0) {
        memcpy(block + BLOCK_HEAD_BYTES, message, message_bytes);
    }
    packer->blocks_bytes += (uint32_t)(BLOCK_HEAD_BYTES + message_bytes);
    packer->message_count++;
    return PACKER_ADDED;
}
