/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "tape_superblock.h"

/* One write of zeros; bigger ones are hardly faster, and progress stays smooth. */
#define ZERO_BYTES (1u << 20)

uint64_t tape_device_bytes(uint64_t size_bytes)
{
    return TAPE_DATA_OFFSET + size_bytes;
}

/* Really written, from the start on: an old superblock goes first, and no block is left that was only
 * allocated. */
static int zero_device(struct device *device, const struct tape_format_options *options, const void *zeros)
{
    uint64_t total = tape_device_bytes(options->size_bytes);
    for (uint64_t done = 0; done < total;) {
        size_t piece = total - done < ZERO_BYTES ? (size_t)(total - done) : ZERO_BYTES;
        int error = device->write(device, done, zeros, piece);
        if (error) {
            return error;
        }
        done += piece;
        if (options->progress) {
            options->progress(options->context, done, total);
        }
    }
    return 0;
}

static struct superblock superblock_of(const struct tape_format_options *options, uint32_t block_bytes)
{
    struct superblock superblock = {
        .version = TAPE_VERSION,
        .cluster_id = options->identity.cluster_id,
        .node_id = options->identity.node_id,
        .incarnation = options->identity.incarnation,
        .size_bytes = options->size_bytes,
        .chunk_bytes = options->chunk_bytes,
        .block_bytes = block_bytes,
        .sync = options->sync,
    };
    memcpy(superblock.log_name, options->identity.log_name,
           strnlen(options->identity.log_name, sizeof(superblock.log_name)));
    return superblock;
}

int tape_format(struct device *device, const struct tape_format_options *options)
{
    uint8_t bytes[SUPERBLOCK_BYTES];
    struct superblock superblock = superblock_of(options, device->block_bytes);
    superblock_encode(&superblock, bytes);
    if (!superblock_decode(bytes, &superblock)) {
        return -EINVAL;
    }
    if (tape_device_bytes(options->size_bytes) > device->size_bytes) {
        return -ENOSPC;
    }
    void *zeros = aligned_alloc(4096, ZERO_BYTES);
    if (!zeros) {
        return -ENOMEM;
    }
    memset(zeros, 0, ZERO_BYTES);
    int error = zero_device(device, options, zeros);
    free(zeros);
    return error ? error : superblock_write(device, &superblock);
}

const char *tape_verdict_name(enum tape_verdict verdict)
{
    switch (verdict) {
    case TAPE_OPEN:
        return "open";
    case TAPE_NOT_A_TAPE:
        return "not a tape";
    case TAPE_OTHER_VERSION:
        return "other format version";
    case TAPE_OTHER_CLUSTER:
        return "other cluster";
    case TAPE_OTHER_NODE:
        return "other node";
    case TAPE_OTHER_INCARNATION:
        return "other incarnation";
    case TAPE_OTHER_LOG:
        return "other log";
    case TAPE_TOO_SMALL:
        return "device smaller than the tape";
    case TAPE_DAMAGED:
        return "damaged";
    case TAPE_READ_ERROR:
        return "read error";
    }
    return "unknown";
}
