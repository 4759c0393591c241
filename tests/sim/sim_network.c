/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_network.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "crc32c.h"
#include "sim.h"

/* A connection is reliable and in order; it ends with the process at either end. */
static bool is_connection(const struct sim *sim, uint32_t from, uint32_t to)
{
    return sim->options.connected && (from >= SIM_NODES_MAX || to >= SIM_NODES_MAX);
}

bool sim_network_is_cut(const struct sim *sim, uint32_t from, uint32_t to)
{
    if (is_connection(sim, from, to)) {
        return false;
    }
    for (unsigned i = 0; i < SIM_FAULTS_MAX; i++) {
        if (sim->faults[i].is_on && sim->faults[i].cut[from][to]) {
            return true;
        }
    }
    return false;
}

static uint64_t draw_arrival_ns(struct sim *sim, const struct sim_route *route, bool is_connected)
{
    const struct sim_options *options = &sim->options;
    uint64_t *last_ns = &sim->last_arrival_ns[route->from][route->to];
    uint64_t arrival_ns =
        sim->now_ns + options->delay_min_ns + prng_below(&sim->network_prng, options->delay_spread_ns + 1);
    if (!is_connected && !sim->is_healed && sim_chance(&sim->network_prng, options->late_ppm)) {
        return arrival_ns + prng_below(&sim->network_prng, options->late_ns);
    }
    if ((is_connected || options->keeps_order) && arrival_ns < *last_ns) {
        arrival_ns = *last_ns;
    }
    *last_ns = arrival_ns;
    return arrival_ns;
}

static void plan_frame(struct sim *sim, const struct sim_route *route, const uint8_t *bytes,
                       uint32_t byte_count)
{
    bool is_connected = is_connection(sim, route->from, route->to);
    struct sim_frame *frame = malloc(sizeof(*frame) + byte_count);
    ASSERT(frame != NULL);
    *frame = (struct sim_frame){.from = route->from,
                                .to = route->to,
                                .from_life = route->from_life,
                                .to_life = route->to_life,
                                .byte_count = byte_count};
    memcpy(frame->bytes, bytes, byte_count);
    if (!is_connected && !sim->is_healed && sim_chance(&sim->network_prng, sim->options.cut_short_ppm)) {
        frame->byte_count = (uint32_t)prng_below(&sim->network_prng, byte_count);
    }
    struct sim_event event = {.time_ns = draw_arrival_ns(sim, route, is_connected),
                              .kind = SIM_FRAME,
                              .who = route->to,
                              .frame = frame};
    sim_queue_add(&sim->queue, &event);
}

void sim_network_send(struct sim *sim, const struct sim_route *route, const uint8_t *bytes,
                      uint32_t byte_count)
{
    bool may_lose = !is_connection(sim, route->from, route->to) && !sim->is_healed;
    sim->counters.frames++;
    sim_trace(sim, TRACE_SEND, route->from, route->to, byte_count, crc32c(0, bytes, byte_count));
    if (sim_network_is_cut(sim, route->from, route->to) ||
        (may_lose && sim_chance(&sim->network_prng, sim->options.loss_ppm))) {
        sim_trace(sim, TRACE_DROP, route->to, route->from, byte_count, 1);
        return;
    }
    plan_frame(sim, route, bytes, byte_count);
    if (may_lose && sim_chance(&sim->network_prng, sim->options.duplicate_ppm)) {
        plan_frame(sim, route, bytes, byte_count);
    }
}

/* Frames do not outlive a client's process: a process that came back within their delay could find an earlier
 * life's entries logged under its own numbers (the numbers of a source say nothing of the life that gave
 * them). */
static bool is_stale(const struct sim *sim, const struct sim_frame *frame)
{
    if (frame->from >= SIM_NODES_MAX) {
        return (!sim->options.late_clients &&
                frame->from_life != sim->clients[frame->from - SIM_NODES_MAX].life) ||
               (sim->options.connected && frame->to_life != sim->nodes[frame->to].life);
    }
    if (frame->to >= SIM_NODES_MAX) {
        return frame->to_life != sim->clients[frame->to - SIM_NODES_MAX].life ||
               (sim->options.connected && frame->from_life != sim->nodes[frame->from].life);
    }
    return false;
}

void sim_network_arrive(struct sim *sim, struct sim_frame *frame)
{
    if (sim_network_is_cut(sim, frame->from, frame->to) || is_stale(sim, frame)) {
        sim_trace(sim, TRACE_DROP, frame->to, frame->from, frame->byte_count, 2);
        free(frame);
    } else if (frame->to < SIM_NODES_MAX) {
        sim_node_receive(&sim->nodes[frame->to], frame);
    } else {
        sim_client_receive(&sim->clients[frame->to - SIM_NODES_MAX], frame);
    }
}
