/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "check.h"
#include "dataplane_core.h"

struct consensus_end *dataplane_consensus_end(struct dataplane *dataplane, unsigned consensus_core)
{
    ASSERT(consensus_core < dataplane->options.consensus_count);
    return &dataplane->ends[consensus_core];
}

struct consensus_end *dataplane_control_end(struct dataplane *dataplane)
{
    return &dataplane->ends[dataplane->options.consensus_count];
}

unsigned consensus_end_receive(struct consensus_end *end, unsigned lane,
                               struct frame_descriptor *ret_descriptors, unsigned max)
{
    ASSERT(lane < LANE_COUNT);
    struct dataplane *dataplane = end->dataplane;
    unsigned core_count = dataplane->options.core_count;
    unsigned count = 0;
    unsigned first = end->next_core++;
    for (unsigned i = 0; i < core_count && count < max; i++) {
        struct rte_ring *ring = dataplane->cores[(first + i) % core_count].to_end[end->index][lane];
        count += rte_ring_dequeue_burst_elem(ring, ret_descriptors + count, sizeof(*ret_descriptors),
                                             max - count, NULL);
    }
    return count;
}

static struct frame_private *frame_private_of(const struct frame_descriptor *descriptor)
{
    return rte_mbuf_to_priv(descriptor->mbuf);
}

void *frame_message(const struct frame_descriptor *descriptor)
{
    return frame_private_of(descriptor) + 1;
}

/* The place kept in the ring is free again, or about to be filled. */
static void begun_release(struct frame_descriptor *descriptor)
{
    struct frame_private *private = frame_private_of(descriptor);
    if (private->begun_by != NULL) {
        private->begun_by->begun[descriptor->channel.core][descriptor->lane]--;
        private->begun_by = NULL;
    }
}

void frame_give(struct frame_descriptor *descriptor)
{
    begun_release(descriptor);
    rte_pktmbuf_free(descriptor->mbuf);
    descriptor->mbuf = NULL;
}

/* Where a frame to a node goes now. */
static bool channel_to_node(struct dataplane *dataplane, uint64_t node_id, struct frame_channel *ret_channel)
{
    struct way way = way_find(dataplane, node_id);
    switch ((enum way_kind)way.kind) {
    case WAY_NONE:
        return false;
    case WAY_SHM:
        *ret_channel = (struct frame_channel){
            .core = way.core, .port = DATAPLANE_PORT_SHM, .slot = way.slot, .generation = way.generation};
        return true;
    case WAY_ETHDEV:
        *ret_channel = (struct frame_channel){
            .core = way.core, .port = dataplane->neighbours[way.slot].options.port, .slot = way.slot};
        return true;
    }
    return false;
}

/* The channel may be as old as its holder likes: the connection may be gone. */
static bool channel_is_open(struct dataplane *dataplane, const struct frame_channel *channel)
{
    if (channel->port != DATAPLANE_PORT_SHM) {
        return channel->ipv4 != 0;
    }
    const struct shm_slot *slot = &dataplane->slots[channel->slot];
    return channel->generation != 0 &&
           atomic_load_explicit(&slot->generation, memory_order_relaxed) == channel->generation;
}

static uint32_t channel_frame_bytes_max(const struct dataplane *dataplane,
                                        const struct frame_channel *channel)
{
    return channel->port == DATAPLANE_PORT_SHM ? dataplane->frame_bytes_max
                                               : dataplane->ports[channel->port].frame_bytes_max;
}

static bool ring_has_room(const struct consensus_end *end, const struct frame_channel *channel, unsigned lane)
{
    ASSERT(channel->core < end->dataplane->options.core_count);
    const struct rte_ring *ring = end->dataplane->cores[channel->core].from_end[end->index][lane];
    return rte_ring_free_count(ring) > end->begun[channel->core][lane];
}

bool consensus_end_begin(struct consensus_end *end, uint64_t node_id, const struct frame_channel *channel,
                         unsigned lane, struct frame_descriptor *ret_descriptor,
                         uint32_t *ret_frame_bytes_max)
{
    ASSERT(lane < LANE_COUNT);
    struct frame_descriptor descriptor = {.lane = (uint8_t)lane, .node_id = node_id};
    if (node_id != 0) {
        if (!channel_to_node(end->dataplane, node_id, &descriptor.channel)) {
            return false;
        }
    } else {
        if (channel == NULL || !channel_is_open(end->dataplane, channel)) {
            return false;
        }
        descriptor.channel = *channel;
    }
    if (!ring_has_room(end, &descriptor.channel, lane)) {
        return false;
    }
    descriptor.mbuf = rte_pktmbuf_alloc(end->pool);
    if (descriptor.mbuf == NULL) {
        return false;
    }
    descriptor.tail = (uint8_t *)descriptor.mbuf->buf_addr + end->dataplane->tail_offset;
    frame_private_of(&descriptor)->begun_by = end;
    end->begun[descriptor.channel.core][lane]++;
    *ret_descriptor = descriptor;
    *ret_frame_bytes_max = channel_frame_bytes_max(end->dataplane, &descriptor.channel);
    return true;
}

void consensus_end_send(struct consensus_end *end, struct frame_descriptor *descriptor)
{
    struct dataplane_core *core = &end->dataplane->cores[descriptor->channel.core];
    ASSERT(frame_private_of(descriptor)->begun_by == end);
    ASSERT(descriptor->tail_bytes <= end->dataplane->frame_bytes_max);
    begun_release(descriptor);
    int error =
        rte_ring_enqueue_elem(core->from_end[end->index][descriptor->lane], descriptor, sizeof(*descriptor));
    ASSERT(error == 0);
    descriptor->mbuf = NULL;
    if (core->lcore != NULL) {
        lcore_ring_doorbell(core->lcore);
    }
}
