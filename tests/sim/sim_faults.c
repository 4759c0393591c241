/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_faults.h"

#include <string.h>

enum fault_kind {
    FAULT_CRASH,
    FAULT_POWER_CUT, /* several machines at once */
    FAULT_PARTITION,
    FAULT_ONE_WAY,
    FAULT_ISOLATE_LEADER,
    FAULT_DISK_STALL,
    FAULT_DISK_ERROR,
    FAULT_PAUSE,
    FAULT_CLIENT_RESTART,
    FAULT_KIND_COUNT
};

static uint64_t interval_of(const struct sim *sim, enum fault_kind kind)
{
    const struct sim_options *options = &sim->options;
    switch (kind) {
    case FAULT_CRASH:
        return options->crash_interval_ns;
    case FAULT_POWER_CUT:
        return options->power_cut_interval_ns;
    case FAULT_PARTITION:
        return options->partition_interval_ns;
    case FAULT_ONE_WAY:
        return options->one_way_interval_ns;
    case FAULT_ISOLATE_LEADER:
        return options->isolate_leader_interval_ns;
    case FAULT_DISK_STALL:
        return options->disk_stall_interval_ns;
    case FAULT_DISK_ERROR:
        return options->disk_error_interval_ns;
    case FAULT_PAUSE:
        return options->pause_interval_ns;
    case FAULT_CLIENT_RESTART:
        return options->client_restart_interval_ns;
    case FAULT_KIND_COUNT:
        break;
    }
    return 0;
}

static uint64_t draw(struct sim *sim, uint64_t bound)
{
    return prng_below(&sim->fault_prng, bound);
}

static uint32_t draw_node(struct sim *sim)
{
    return (uint32_t)draw(sim, sim->options.node_count);
}

static void plan_strike(struct sim *sim, enum fault_kind kind)
{
    uint64_t interval_ns = interval_of(sim, kind);
    if (interval_ns > 0) {
        sim_plan(sim, sim->now_ns + draw(sim, 2 * interval_ns), SIM_FAULT, kind, 0);
    }
}

void sim_faults_begin(struct sim *sim)
{
    for (enum fault_kind kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        plan_strike(sim, kind);
    }
}

/* A free place, with nothing cut; it heals by itself. NULL: enough is broken. */
static struct sim_fault *begin_cut(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_FAULTS_MAX; i++) {
        struct sim_fault *fault = &sim->faults[i];
        if (!fault->is_on) {
            memset(fault->cut, 0, sizeof(fault->cut));
            fault->is_on = true;
            fault->serial = ++sim->fault_serial;
            sim_plan(sim, sim->now_ns + draw(sim, sim->options.fault_ns), SIM_HEAL, i, fault->serial);
            return fault;
        }
    }
    return NULL;
}

/* Halves that hear nothing of each other. Clients fall to a side, too. */
static void strike_partition(struct sim *sim)
{
    struct sim_fault *fault = begin_cut(sim);
    uint64_t sides = draw(sim, 1u << SIM_ENDPOINTS_MAX);
    if (!fault) {
        return;
    }
    for (uint32_t from = 0; from < SIM_ENDPOINTS_MAX; from++) {
        for (uint32_t to = 0; to < SIM_ENDPOINTS_MAX; to++) {
            fault->cut[from][to] = ((sides >> from) & 1) != ((sides >> to) & 1);
        }
    }
}

static void strike_one_way(struct sim *sim)
{
    struct sim_fault *fault = begin_cut(sim);
    uint32_t from = draw_node(sim);
    uint32_t to = draw_node(sim);
    if (fault) {
        fault->cut[from][to] = true;
    }
}

/* The leader of one quorum is heard by nobody, hears nobody, or both. */
static void strike_leader(struct sim *sim)
{
    uint32_t quorum = (uint32_t)draw(sim, sim->options.quorum_count);
    uint64_t way = draw(sim, 3);
    for (uint32_t node = 0; node < sim->options.node_count; node++) {
        const struct replicator *replicator = sim_node_replicator(&sim->nodes[node], quorum);
        if (!replicator || replicator->role != REPLICATOR_LEADER) {
            continue;
        }
        struct sim_fault *fault = begin_cut(sim);
        for (uint32_t other = 0; fault && other < SIM_NODES_MAX; other++) {
            fault->cut[node][other] = way != 0;
            fault->cut[other][node] = way != 1;
        }
        return;
    }
}

static void crash(struct sim *sim, uint32_t node, bool loses_power)
{
    if (sim->nodes[node].is_running) {
        sim_node_crash(&sim->nodes[node], loses_power);
        sim_plan(sim, sim->now_ns + draw(sim, sim->options.down_ns), SIM_START, node, 0);
    }
}

/* One of three ends is a clean one. */
static void strike_crash(struct sim *sim)
{
    uint32_t node = draw_node(sim);
    uint64_t way = draw(sim, 3);
    if (way == 0 && sim->nodes[node].is_running) {
        sim_node_stop(&sim->nodes[node]);
        sim_plan(sim, sim->now_ns + sim->options.down_ns, SIM_START, node, 0);
    } else {
        crash(sim, node, way == 1);
    }
}

static void strike_power_cut(struct sim *sim)
{
    uint64_t which = draw(sim, 2) == 0 ? UINT64_MAX : draw(sim, 1u << SIM_NODES_MAX);
    for (uint32_t node = 0; node < sim->options.node_count; node++) {
        if ((which >> node) & 1) {
            crash(sim, node, true);
        }
    }
}

static void strike_disk_stall(struct sim *sim)
{
    struct sim_disk *disk = &sim->nodes[draw_node(sim)].disk;
    disk->stall_until_ns = sim->now_ns + draw(sim, sim->options.fault_ns);
}

/* Failed writes are final for a process; somebody starts it again. */
static void strike_disk_error(struct sim *sim)
{
    struct sim_node *node = &sim->nodes[draw_node(sim)];
    if (node->is_running && !node->is_stopping) {
        node->disk.fails_next = true;
        sim_plan(sim, sim->now_ns + draw(sim, sim->options.fault_ns), SIM_RESTART, node->index, node->life);
    }
}

static void strike_pause(struct sim *sim)
{
    struct sim_node *node = &sim->nodes[draw_node(sim)];
    if (node->is_running) {
        node->paused_until_ns = sim->now_ns + draw(sim, sim->options.fault_ns);
        node->turn_ns = UINT64_MAX;
        sim_node_wake(node, node->paused_until_ns);
    }
}

static void strike_client(struct sim *sim)
{
    uint32_t client = (uint32_t)draw(sim, sim->client_count);
    if (sim->clients[client].is_running) {
        sim_client_kill(&sim->clients[client]);
        sim_plan(sim, sim->now_ns + draw(sim, sim->options.down_ns), SIM_OPEN, client, 0);
    }
}

void sim_faults_strike(struct sim *sim, uint32_t kind)
{
    if (sim->is_healed) {
        return;
    }
    sim_trace(sim, TRACE_FAULT, kind, 0, 0, 0);
    switch ((enum fault_kind)kind) {
    case FAULT_CRASH:
        strike_crash(sim);
        break;
    case FAULT_POWER_CUT:
        strike_power_cut(sim);
        break;
    case FAULT_PARTITION:
        strike_partition(sim);
        break;
    case FAULT_ONE_WAY:
        strike_one_way(sim);
        break;
    case FAULT_ISOLATE_LEADER:
        strike_leader(sim);
        break;
    case FAULT_DISK_STALL:
        strike_disk_stall(sim);
        break;
    case FAULT_DISK_ERROR:
        strike_disk_error(sim);
        break;
    case FAULT_PAUSE:
        strike_pause(sim);
        break;
    case FAULT_CLIENT_RESTART:
        strike_client(sim);
        break;
    case FAULT_KIND_COUNT:
        break;
    }
    plan_strike(sim, kind);
}

void sim_faults_heal(struct sim *sim, uint32_t place, uint64_t serial)
{
    struct sim_fault *fault = &sim->faults[place];
    if (fault->is_on && fault->serial == serial) {
        fault->is_on = false;
        sim_trace(sim, TRACE_HEAL, place, serial, 0, 0);
    }
}

void sim_faults_end(struct sim *sim)
{
    sim->is_healed = true;
    for (uint32_t i = 0; i < SIM_FAULTS_MAX; i++) {
        sim->faults[i].is_on = false;
    }
    for (uint32_t i = 0; i < sim->options.node_count; i++) {
        sim->nodes[i].paused_until_ns = 0;
        sim->nodes[i].disk.stall_until_ns = 0;
        sim->nodes[i].disk.fails_next = false;
        if (sim->nodes[i].disk.has_failed) {
            sim_plan(sim, sim->now_ns, SIM_RESTART, i, sim->nodes[i].life);
        }
        sim_node_wake(&sim->nodes[i], sim->now_ns);
        sim_plan(sim, sim->now_ns, SIM_START, i, 0);
    }
    for (uint32_t i = 0; i < sim->client_count; i++) {
        sim_plan(sim, sim->now_ns, SIM_OPEN, i, 0);
    }
}
