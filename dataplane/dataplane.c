/* SPDX-License-Identifier: Apache-2.0 */
/* The turn of a dataplane core. */
#include <string.h>
#include <time.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "check.h"
#include "dataplane_core.h"
#include "frame_buffer.h"

static uint64_t wall_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- in ---- */

static unsigned end_of(const struct dataplane *dataplane, unsigned consensus_core)
{
    if (consensus_core >= CONSENSUS_CORES_MAX) {
        return dataplane->options.consensus_count;
    }
    ASSERT(consensus_core < dataplane->options.consensus_count);
    return consensus_core;
}

static void frame_count(struct dataplane_core *core, uint32_t byte_count)
{
    counter_add(&core->counters.received_frames, 1);
    counter_add(&core->counters.received_bytes, byte_count);
}

bool core_take_frame(struct dataplane_core *core, struct rte_mbuf *mbuf, const uint8_t *bytes,
                     uint32_t byte_count, const struct frame_channel *channel)
{
    struct dataplane *dataplane = core->dataplane;
    struct frame_descriptor descriptor = {.mbuf = mbuf, .channel = *channel};
    struct frame_private *private = rte_mbuf_to_priv(mbuf);
    const uint8_t *tail = NULL;
    unsigned consensus_core = 0;
    unsigned verdict = dataplane->codec.decode(core->codec_context, bytes, byte_count, private + 1, &tail,
                                               &descriptor.tail_bytes, &descriptor.lane, &descriptor.node_id,
                                               &consensus_core);
    if (verdict != 0) {
        ASSERT(verdict < dataplane->codec.verdict_count);
        frame_count(core, byte_count);
        counter_add(&core->counters.verdicts[verdict], 1);
        frame_buffer_give(mbuf);
        return true;
    }
    ASSERT(descriptor.lane < LANE_COUNT);
    private->begun_by = NULL;
    descriptor.tail = (uint8_t *)(uintptr_t)tail;
    descriptor.arrival_ns = wall_now_ns();
    unsigned end = end_of(dataplane, consensus_core);
    if (rte_ring_enqueue_elem(core->to_end[end][descriptor.lane], &descriptor, sizeof(descriptor)) != 0) {
        return false;
    }
    frame_count(core, byte_count);
    core->ends_rung |= 1u << end;
    return true;
}

/* One doorbell an end and turn, after everything of the turn is in its rings. */
static void ends_ring(struct dataplane_core *core)
{
    for (unsigned end = 0; core->ends_rung != 0; end++, core->ends_rung >>= 1) {
        struct dataplane *dataplane = core->dataplane;
        if ((core->ends_rung & 1u) == 0) {
            continue;
        }
        if (end == dataplane->options.consensus_count) {
            control_thread_ring(dataplane);
        } else if (dataplane->ends[end].lcore != NULL) {
            lcore_ring_doorbell(dataplane->ends[end].lcore);
        }
    }
}

/* ---- out ---- */

static void frame_send(struct dataplane_core *core, struct frame_descriptor *descriptor)
{
    struct dataplane *dataplane = core->dataplane;
    struct frame_private *private = rte_mbuf_to_priv(descriptor->mbuf);
    uint8_t *frame = dataplane->codec.encode(core->codec_context, private + 1, core->sequence++,
                                             descriptor->tail, descriptor->tail_bytes);
    ASSERT(frame <= descriptor->tail);
    ASSERT((size_t)(descriptor->tail - frame) <= dataplane->codec.head_bytes_max);
    uint32_t frame_bytes = (uint32_t)(descriptor->tail - frame) + descriptor->tail_bytes;
    if (frame_bytes > dataplane->frame_bytes_max) {
        counter_add(&core->counters.dropped_too_large, 1);
        frame_buffer_give(descriptor->mbuf);
    } else if (descriptor->channel.port == DATAPLANE_PORT_SHM) {
        shm_slots_send(core, descriptor, frame, frame_bytes);
    } else {
        ethdev_port_send(core, descriptor, frame, frame_bytes);
    }
}

/* Ends take turns in being first. */
static unsigned lane_send(struct dataplane_core *core, unsigned lane, unsigned budget)
{
    unsigned end_count = core->dataplane->end_count;
    unsigned first = core->next_end;
    unsigned work = 0;
    for (unsigned i = 0; i < end_count && work < budget; i++) {
        struct frame_descriptor burst[BURST_MAX];
        unsigned left = budget - work;
        unsigned count =
            rte_ring_dequeue_burst_elem(core->from_end[(first + i) % end_count][lane], burst,
                                        sizeof(burst[0]), left < BURST_MAX ? left : BURST_MAX, NULL);
        for (unsigned k = 0; k < count; k++) {
            frame_send(core, &burst[k]);
        }
        work += count;
    }
    return work;
}

static void ports_flush(struct dataplane_core *core)
{
    for (unsigned i = 0; i < core->port_count; i++) {
        ethdev_port_flush(core, core->ports[i]);
    }
}

/* Each of the four streams has its quarter of the budget, control before bulk in both directions; a device's
 * packets show their lane only when decoded and have the control lane's turn. */
unsigned dataplane_core_poll(struct dataplane *dataplane, unsigned core_index, unsigned budget)
{
    struct dataplane_core *core = &dataplane->cores[core_index];
    unsigned share = budget < 4 ? 1 : budget / 4;
    unsigned work = shm_slots_take_commands(core);
    work += shm_slots_receive(core, SHM_CONTROL, share);
    for (unsigned i = 0; i < core->port_count; i++) {
        work += ethdev_port_receive(core, core->ports[i], share);
    }
    ends_ring(core);
    work += lane_send(core, 0, share);
    ports_flush(core);
    work += shm_slots_receive(core, SHM_BULK, share);
    ends_ring(core);
    work += lane_send(core, 1, share);
    ports_flush(core);
    core->next_end++;
    return work;
}

const struct dataplane_counters *dataplane_counters_of(const struct dataplane *dataplane, unsigned core)
{
    return &dataplane->cores[core].counters;
}
