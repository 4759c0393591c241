/* SPDX-License-Identifier: Apache-2.0 */
#include "tape_slots.h"

/* A crash can harm the heads of two chunks; one more may be damaged. */
#define HEADS_LOOKED_AT 4

struct slot_head slot_head_read(struct device *device, const struct superblock *superblock, uint64_t slot,
                                int *ret_error)
{
    _Alignas(4096) uint8_t bytes[CHUNK_HEAD_SPACE_BYTES];
    struct block_head head;
    struct chunk_fields fields;
    uint64_t offset = TAPE_DATA_OFFSET + slot * superblock->chunk_bytes;
    int error = device->read(device, offset, bytes, sizeof(bytes));
    if (error) {
        *ret_error = *ret_error ? *ret_error : error;
        return (struct slot_head){0};
    }
    uint64_t sequence = block_head_load(bytes).chunk_sequence;
    if (sequence == 0 || chunk_slot_of(superblock, sequence) != slot ||
        !block_check(bytes, sizeof(bytes), 0, sequence, superblock->incarnation, &head)) {
        return (struct slot_head){0};
    }
    memcpy(&fields, bytes + BLOCK_HEAD_BYTES, sizeof(fields));
    return (struct slot_head){sequence, fields.checkpoint_position};
}

/* The first good head at or behind the slot, within a few; 0: none. */
static uint64_t chunk_near(struct device *device, const struct superblock *superblock, uint64_t slot,
                           uint64_t slot_last, int *ret_error)
{
    uint64_t last = slot + HEADS_LOOKED_AT - 1 < slot_last ? slot + HEADS_LOOKED_AT - 1 : slot_last;
    for (; slot <= last; slot++) {
        struct slot_head head = slot_head_read(device, superblock, slot, ret_error);
        if (head.chunk_sequence != 0) {
            return head.chunk_sequence;
        }
    }
    return 0;
}

uint64_t slots_newest_find(struct device *device, const struct superblock *superblock, int *ret_error)
{
    uint64_t count = chunk_count_of(superblock);
    uint64_t newest = chunk_near(device, superblock, 0, count - 1, ret_error);
    uint64_t low = newest ? chunk_slot_of(superblock, newest) : 0;
    uint64_t high = count - 1;
    while (low < high) {
        uint64_t middle = high - (high - low) / 2;
        uint64_t found = chunk_near(device, superblock, middle, high, ret_error);
        if (found > newest) {
            newest = found;
            low = chunk_slot_of(superblock, found);
        } else {
            high = middle - 1;
        }
    }
    return newest;
}

uint64_t slots_checkpoint_find(struct device *device, const struct superblock *superblock, uint64_t before,
                               uint64_t but_position, int *ret_error)
{
    uint64_t count = chunk_count_of(superblock);
    for (uint64_t sequence = before - 1; sequence > 0 && sequence + count >= before; sequence--) {
        struct slot_head head =
            slot_head_read(device, superblock, chunk_slot_of(superblock, sequence), ret_error);
        if (head.chunk_sequence == sequence && head.checkpoint_position != but_position) {
            return head.checkpoint_position;
        }
    }
    return 0;
}
