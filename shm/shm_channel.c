/* SPDX-License-Identifier: Apache-2.0 */
#include "shm_channel.h"

#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_atomic.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>

#include "check.h"
#include "shm_memory.h"

static struct shm_memory_head *channel_head(const struct shm_channel *channel)
{
    return (struct shm_memory_head *)(void *)channel->memory;
}

static _Atomic uint32_t *sleeping_flag(const struct shm_channel *channel, uint32_t side)
{
    struct shm_memory_head *head = channel_head(channel);
    return side == 0 ? &head->sleeping_0 : &head->sleeping_1;
}

/* The address was computed from the ring's mask, which the other process can overwrite: judged here, in our
 * own memory, it can no longer change. */
static bool place_is_ours(const struct shm_lane_ring *lane, const uint8_t *place)
{
    uintptr_t offset = (uintptr_t)place - (uintptr_t)lane->places;
    return offset < (uintptr_t)lane->place_bytes * lane->place_count && offset % lane->place_bytes == 0;
}

static uint8_t *place_or_broken(struct shm_channel *channel, struct shm_lane_ring *lane, uint8_t *place)
{
    if (!place_is_ours(lane, place)) {
        atomic_store_explicit(&channel->broken, true, memory_order_relaxed);
        return NULL;
    }
    lane->begun = place;
    return place;
}

/* Another kind of synchronisation than single producer, single consumer would let rte_ring wait for the other
 * side. */
static bool ring_is_single(struct shm_channel *channel, const struct rte_ring *ring)
{
    if (ring->prod.sync_type == RTE_RING_SYNC_ST && ring->cons.sync_type == RTE_RING_SYNC_ST) {
        return true;
    }
    atomic_store_explicit(&channel->broken, true, memory_order_relaxed);
    return false;
}

uint8_t *shm_send_begin(struct shm_channel *channel, enum shm_lane lane, uint32_t *ret_capacity)
{
    struct shm_lane_ring *to = &channel->send[lane];
    if (to->begun == NULL) {
        struct rte_ring_zc_data data;
        if (!ring_is_single(channel, to->ring) ||
            rte_ring_enqueue_zc_bulk_elem_start(to->ring, to->place_bytes, 1, &data, NULL) == 0 ||
            place_or_broken(channel, to, data.ptr1) == NULL) {
            return NULL;
        }
    }
    *ret_capacity = to->place_bytes - SHM_PLACE_HEAD;
    return to->begun + SHM_PLACE_HEAD;
}

/* Partner of shm_set_sleeping: either we see its flag here, or it sees our frame when it looks once more. */
static void other_side_wake(struct shm_channel *channel)
{
    _Atomic uint32_t *sleeping = sleeping_flag(channel, 1 - channel->side);
    rte_smp_mb();
    if (atomic_load_explicit(sleeping, memory_order_relaxed) != 0 && atomic_exchange(sleeping, 0) != 0) {
        uint64_t one = 1;
        /* A full counter (EAGAIN) means that it is awake already. */
        ssize_t ignored = write(channel->other_event_fd, &one, sizeof(one));
        (void)ignored;
    }
}

void shm_send_commit(struct shm_channel *channel, enum shm_lane lane, uint32_t frame_bytes)
{
    struct shm_lane_ring *to = &channel->send[lane];
    ASSERT(to->begun != NULL);
    ASSERT(frame_bytes <= to->place_bytes - SHM_PLACE_HEAD);
    memcpy(to->begun, &frame_bytes, sizeof(frame_bytes));
    to->begun = NULL;
    if (ring_is_single(channel, to->ring)) {
        rte_ring_enqueue_zc_elem_finish(to->ring, 1);
        other_side_wake(channel);
    }
}

const uint8_t *shm_receive_begin(struct shm_channel *channel, enum shm_lane lane, uint32_t *ret_frame_bytes)
{
    struct shm_lane_ring *from = &channel->receive[lane];
    if (from->begun == NULL) {
        struct rte_ring_zc_data data;
        if (!ring_is_single(channel, from->ring) ||
            rte_ring_dequeue_zc_bulk_elem_start(from->ring, from->place_bytes, 1, &data, NULL) == 0 ||
            place_or_broken(channel, from, data.ptr1) == NULL) {
            return NULL;
        }
    }
    uint32_t frame_bytes;
    memcpy(&frame_bytes, from->begun, sizeof(frame_bytes));
    uint32_t capacity = from->place_bytes - SHM_PLACE_HEAD;
    *ret_frame_bytes = frame_bytes < capacity ? frame_bytes : capacity;
    return from->begun + SHM_PLACE_HEAD;
}

void shm_receive_end(struct shm_channel *channel, enum shm_lane lane)
{
    struct shm_lane_ring *from = &channel->receive[lane];
    ASSERT(from->begun != NULL);
    from->begun = NULL;
    if (ring_is_single(channel, from->ring)) {
        rte_ring_dequeue_zc_elem_finish(from->ring, 1);
    }
}

void shm_set_sleeping(struct shm_channel *channel, bool sleeping)
{
    _Atomic uint32_t *flag = sleeping_flag(channel, channel->side);
    if (sleeping) {
        atomic_store(flag, 1);
        /* Partner of other_side_wake. */
        rte_smp_mb();
    } else {
        atomic_store(flag, 0);
        /* Always: whoever clears the flag may write much later, for a sleep that has long ended. */
        uint64_t count;
        ssize_t ignored = read(channel->own_event_fd, &count, sizeof(count));
        (void)ignored;
    }
}

bool shm_is_closed(const struct shm_channel *channel)
{
    if (atomic_load_explicit(&channel->broken, memory_order_relaxed)) {
        return true;
    }
    struct pollfd socket = {.fd = channel->socket_fd, .events = POLLRDHUP};
    return poll(&socket, 1, 0) > 0;
}

static void fd_close(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

void shm_close(struct shm_channel *channel)
{
    if (channel->memory != NULL) {
        munmap(channel->memory, channel->memory_bytes);
    }
    channel->memory = NULL;
    fd_close(&channel->socket_fd);
    fd_close(&channel->own_event_fd);
    fd_close(&channel->other_event_fd);
}
