/* SPDX-License-Identifier: Apache-2.0 */
/* The core's side of shm connections: what it uses, receives and sends. Nothing here blocks or trusts a
 * length. */
#include <string.h>

#include "check.h"
#include "dataplane_core.h"
#include "frame_buffer.h"

static void slot_use(struct dataplane_core *core, struct shm_slot *slot)
{
    ASSERT(core->slot_count < DATAPLANE_CHANNELS_MAX);
    core->slots[core->slot_count++] = slot;
    slot->used_generation = slot->next_generation;
    if (core->lcore != NULL) {
        /* Without descriptors left the core still wakes by time. */
        lcore_watch_fd(core->lcore, slot->channel.own_event_fd);
    }
}

static void slot_let_go(struct dataplane_core *core, struct shm_slot *slot)
{
    unsigned i = 0;
    while (i < core->slot_count && core->slots[i] != slot) {
        i++;
    }
    ASSERT(i < core->slot_count);
    core->slots[i] = core->slots[--core->slot_count];
    slot->used_generation = 0;
    if (core->lcore != NULL) {
        lcore_unwatch_fd(core->lcore, slot->channel.own_event_fd);
    }
    /* release: pairs with the control thread's acquire before it unmaps */
    atomic_store_explicit(&slot->released, 1, memory_order_release);
}

unsigned shm_slots_take_commands(struct dataplane_core *core)
{
    unsigned work = 0;
    struct slot_command command;
    while (spsc_pop(&core->commands, &command)) {
        struct shm_slot *slot = &core->dataplane->slots[command.slot];
        if (command.add != 0) {
            slot_use(core, slot);
        } else {
            slot_let_go(core, slot);
        }
        work++;
    }
    return work;
}

static struct frame_channel slot_channel(const struct dataplane_core *core, const struct shm_slot *slot)
{
    return (struct frame_channel){
        .core = (uint8_t)core->index,
        .port = DATAPLANE_PORT_SHM,
        .slot = slot->index,
        .generation = slot->used_generation,
    };
}

/* The other process can still write into the place: the frame is copied first and judged then. False: it
 * stays where it is until there is a buffer and room in the ring; its sender sees its own ring fill. */
static bool frame_copy_in(struct dataplane_core *core, struct shm_slot *slot, const uint8_t *place,
                          uint32_t frame_bytes)
{
    struct rte_mbuf *mbuf = frame_buffer_take(core->pool);
    if (mbuf == NULL) {
        counter_add(&core->counters.stalled_no_buffer, 1);
        return false;
    }
    uint8_t *bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);
    memcpy(bytes, place, frame_bytes);
    struct frame_channel channel = slot_channel(core, slot);
    if (!core_take_frame(core, mbuf, bytes, frame_bytes, &channel)) {
        counter_add(&core->counters.stalled_ring_full, 1);
        frame_buffer_give(mbuf);
        return false;
    }
    return true;
}

/* Up to `budget` frames of one connection. A stall is work: it asks for another turn soon. */
static unsigned slot_receive(struct dataplane_core *core, struct shm_slot *slot, enum shm_lane lane,
                             unsigned budget)
{
    for (unsigned work = 0; work < budget; work++) {
        uint32_t frame_bytes;
        const uint8_t *place = shm_receive_begin(&slot->channel, lane, &frame_bytes);
        if (place == NULL) {
            return work;
        }
        if (frame_bytes > core->dataplane->frame_bytes_max) {
            counter_add(&core->counters.not_ours, 1);
        } else if (!frame_copy_in(core, slot, place, frame_bytes)) {
            return work + 1;
        }
        shm_receive_end(&slot->channel, lane);
    }
    return budget;
}

unsigned shm_slots_receive(struct dataplane_core *core, enum shm_lane lane, unsigned budget)
{
    unsigned work = 0;
    unsigned first = core->next_slot++;
    for (unsigned i = 0; i < core->slot_count && work < budget; i++) {
        struct shm_slot *slot = core->slots[(first + i) % core->slot_count];
        unsigned left = budget - work;
        work += slot_receive(core, slot, lane, left < BURST_MAX ? left : BURST_MAX);
    }
    return work;
}

/* NULL: that connection is gone. */
static struct shm_slot *slot_find(const struct dataplane_core *core, const struct frame_channel *channel)
{
    ASSERT(channel->slot < DATAPLANE_CHANNELS_MAX);
    struct shm_slot *slot = &core->dataplane->slots[channel->slot];
    ASSERT(slot->core == core->index);
    return channel->generation != 0 && slot->used_generation == channel->generation ? slot : NULL;
}

void shm_slots_send(struct dataplane_core *core, struct frame_descriptor *descriptor, const uint8_t *frame,
                    uint32_t frame_bytes)
{
    struct shm_slot *slot = slot_find(core, &descriptor->channel);
    if (slot == NULL) {
        counter_add(&core->counters.dropped_no_way, 1);
        frame_buffer_give(descriptor->mbuf);
        return;
    }
    /* A long text of the control lane has room only among the bulk frames. */
    uint32_t capacity;
    enum shm_lane lane =
        descriptor->lane == 0 && frame_bytes <= SHM_CONTROL_FRAME_BYTES ? SHM_CONTROL : SHM_BULK;
    uint8_t *place = shm_send_begin(&slot->channel, lane, &capacity);
    if (place == NULL) {
        counter_add(&core->counters.dropped_port_full, 1);
    } else {
        memcpy(place, frame, frame_bytes);
        shm_send_commit(&slot->channel, lane, frame_bytes);
        counter_add(&core->counters.sent_frames, 1);
        counter_add(&core->counters.sent_bytes, frame_bytes);
    }
    frame_buffer_give(descriptor->mbuf);
}

void shm_slots_set_sleeping(void *context, bool sleeping)
{
    struct dataplane_core *core = context;
    for (unsigned i = 0; i < core->slot_count; i++) {
        shm_set_sleeping(&core->slots[i]->channel, sleeping);
    }
}
