/* SPDX-License-Identifier: Apache-2.0 */
#include "tape_superblock.h"

#include <errno.h>

#include "check.h"

static const uint64_t copy_offsets[2] = {0, SUPERBLOCK_COPY_OFFSET};

enum tape_verdict superblock_read(struct device *device, struct superblock *ret_superblock, int *ret_error)
{
    _Alignas(4096) uint8_t bytes[SUPERBLOCK_BYTES];
    struct superblock newest = {0};
    bool found = false;
    int error = 0;
    for (unsigned i = 0; i < 2; i++) {
        struct superblock copy;
        if (copy_offsets[i] + SUPERBLOCK_BYTES > device->size_bytes) {
            continue;
        }
        int failed = device->read(device, copy_offsets[i], bytes, sizeof(bytes));
        error = failed ? failed : error;
        if (!failed && superblock_decode(bytes, &copy) && (!found || copy.generation > newest.generation)) {
            newest = copy;
            found = true;
        }
    }
    if (!found) {
        *ret_error = error;
        return error ? TAPE_READ_ERROR : TAPE_NOT_A_TAPE;
    }
    if (newest.version != TAPE_VERSION) {
        return TAPE_OTHER_VERSION;
    }
    if (tape_device_bytes(newest.size_bytes) > device->size_bytes) {
        return TAPE_TOO_SMALL;
    }
    if (newest.block_bytes < device->block_bytes) {
        *ret_error = -EINVAL; /* copied to a device with larger blocks: it cannot be written in its own */
        return TAPE_READ_ERROR;
    }
    *ret_superblock = newest;
    return TAPE_OPEN;
}

int superblock_write(struct device *device, struct superblock *superblock)
{
    _Alignas(4096) uint8_t bytes[SUPERBLOCK_BYTES];
    superblock->generation++;
    superblock_encode(superblock, bytes);
    for (unsigned i = 0; i < 2; i++) {
        int error = device->write(device, copy_offsets[i], bytes, sizeof(bytes));
        if (error) {
            return error;
        }
    }
    return 0;
}

enum tape_verdict superblock_compare(const struct superblock *superblock,
                                     const struct tape_identity *identity)
{
    if (superblock->cluster_id != identity->cluster_id) {
        return TAPE_OTHER_CLUSTER;
    }
    if (superblock->node_id != identity->node_id) {
        return TAPE_OTHER_NODE;
    }
    if (identity->incarnation != 0 && superblock->incarnation != identity->incarnation) {
        return TAPE_OTHER_INCARNATION;
    }
    if (strncmp(superblock->log_name, identity->log_name, sizeof(superblock->log_name)) != 0) {
        return TAPE_OTHER_LOG;
    }
    return TAPE_OPEN;
}
