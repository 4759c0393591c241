/* SPDX-License-Identifier: Apache-2.0 */
/* The shared memory of a channel, as both sides see it. Not for users of the channel.
 *
 *      0  magic u32, layout version u16, zero u16, control place bytes, control places, bulk place bytes,
 * bulk places 64  side 0 sleeps (u32: 0 no, 1 yes) 128  side 1 sleeps 4096  four rte_rings, each at a
 * multiple of 4096: control to side 0, bulk to side 0, control to side 1, bulk to side 1. A place is {frame
 * bytes u32, frame}. Integers are of the host: both sides run on it. */
#ifndef TALLY_SHM_MEMORY_H
#define TALLY_SHM_MEMORY_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm_channel.h"

#define SHM_MAGIC       0x53594C54u /* "TLYS" */
#define SHM_VERSION     1
#define SHM_HEAD_BYTES  4096
#define SHM_PLACE_HEAD  4 /* the frame's length */
#define SHM_RING_COUNT  4
#define SHM_EVENT_COUNT 2
/* What the listener hands over: memory, its own eventfd, the connecting side's. */
#define SHM_FD_COUNT 3

struct shm_memory_head {
    uint32_t magic;
    uint16_t version;
    uint16_t zero;
    uint32_t control_bytes;
    uint32_t control_count;
    uint32_t bulk_bytes;
    uint32_t bulk_count;
    _Alignas(64) _Atomic uint32_t sleeping_0; /* set by side 0, cleared by whoever wakes it */
    _Alignas(64) _Atomic uint32_t sleeping_1;
};

_Static_assert(sizeof(struct shm_memory_head) <= SHM_HEAD_BYTES, "the head has its page");

/* The listener's answer to a hello; the descriptors ride on it when the verdict is SHM_GOOD. */
struct shm_answer {
    uint32_t magic;
    uint16_t version;
    uint16_t verdict;    /* enum shm_verdict */
    uint64_t cluster_id; /* the listener's */
};

/* Bytes of the whole memory. */
size_t shm_memory_bytes(void);

/* A sealed memfd with empty rings; the fd or -errno. */
int shm_memory_create(void);

/* Maps `fd` and points the channel's rings into it, seen from `side`. 0, -errno, or -EPROTO: wrong size,
 * seals or layout. The fd is not needed afterwards. */
int shm_memory_map(int fd, uint32_t side, struct shm_channel *channel);

#endif
