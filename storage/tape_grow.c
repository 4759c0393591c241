/* SPDX-License-Identifier: Apache-2.0 */
#include "tape_grow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tape_slots.h"
#include "tape_superblock.h"

#define ZERO_BYTES (1u << 20)

/* The first chunk is the first to be written over. When nothing readable stands in its place, nothing may
 * stand in that of the second either, or it was being written over. */
static enum tape_growth laps_check(struct device *device, const struct superblock *superblock,
                                   struct tape_grow_report *report)
{
    uint64_t first = slot_head_read(device, superblock, 0, &report->error).chunk_sequence;
    uint64_t second = slot_head_read(device, superblock, 1, &report->error).chunk_sequence;
    if (report->error) {
        return TAPE_GROW_FAILED;
    }
    return first == 1 || (first == 0 && second == 0) ? TAPE_GROWN : TAPE_GROW_HAS_WRAPPED;
}

static enum tape_growth check(struct device *device, uint64_t size_bytes, struct superblock *ret_superblock,
                              struct tape_grow_report *report)
{
    *report = (struct tape_grow_report){0};
    report->verdict = superblock_read(device, ret_superblock, &report->error);
    if (report->verdict != TAPE_OPEN) {
        return TAPE_GROW_NO_TAPE;
    }
    enum tape_growth laps = laps_check(device, ret_superblock, report);
    if (laps != TAPE_GROWN) {
        return laps;
    }
    report->verdict = tape_scan(device, NULL, NULL, &report->tape);
    if (report->verdict != TAPE_OPEN) {
        report->error = report->tape.error;
        return TAPE_GROW_NO_TAPE;
    }
    if (size_bytes <= ret_superblock->size_bytes) {
        return TAPE_GROW_NOT_LARGER;
    }
    return size_bytes % ret_superblock->chunk_bytes == 0 ? TAPE_GROWN : TAPE_GROW_NOT_CHUNKS;
}

enum tape_growth tape_grow_check(struct device *device, uint64_t size_bytes,
                                 struct tape_grow_report *ret_report)
{
    struct superblock superblock;
    return check(device, size_bytes, &superblock, ret_report);
}

static int zeros_write(struct device *device, uint64_t from, const struct tape_grow_options *options)
{
    uint64_t end = tape_device_bytes(options->size_bytes);
    void *zeros = aligned_alloc(4096, ZERO_BYTES);
    if (!zeros) {
        return -ENOMEM;
    }
    memset(zeros, 0, ZERO_BYTES);
    int error = 0;
    for (uint64_t at = from; at < end && !error;) {
        size_t piece = end - at < ZERO_BYTES ? (size_t)(end - at) : ZERO_BYTES;
        error = device->write(device, at, zeros, piece);
        at += piece;
        if (options->progress && !error) {
            options->progress(options->context, at - from, end - from);
        }
    }
    free(zeros);
    return error;
}

enum tape_growth tape_grow(struct device *device, const struct tape_grow_options *options,
                           struct tape_grow_report *ret_report)
{
    struct superblock superblock;
    enum tape_growth growth = check(device, options->size_bytes, &superblock, ret_report);
    if (growth != TAPE_GROWN) {
        return growth;
    }
    if (tape_device_bytes(options->size_bytes) > device->size_bytes) {
        return TAPE_GROW_NO_ROOM;
    }
    int error = zeros_write(device, tape_device_bytes(superblock.size_bytes), options);
    superblock.size_bytes = options->size_bytes;
    ret_report->error = error ? error : superblock_write(device, &superblock);
    return ret_report->error ? TAPE_GROW_FAILED : TAPE_GROWN;
}

const char *tape_growth_name(enum tape_growth growth)
{
    switch (growth) {
    case TAPE_GROWN:
        return "grown";
    case TAPE_GROW_NO_TAPE:
        return "it is not a whole tape";
    case TAPE_GROW_NOT_LARGER:
        return "that is not larger than it is";
    case TAPE_GROW_NOT_CHUNKS:
        return "the size must be a multiple of its chunks";
    case TAPE_GROW_NO_ROOM:
        return "the device is too small";
    case TAPE_GROW_HAS_WRAPPED:
        return "it has gone round: its chunks cannot be moved, make a new tape";
    case TAPE_GROW_FAILED:
        return "reading or writing failed";
    }
    return "unknown";
}
