/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "quorum_number.h"
#include "sim_check.h"
#include "sim_faults.h"
#include "sim_network.h"

/* Operations that each publisher adds once everything is healed. */
#define LAST_OPERATIONS 10
/* The phase with faults is at least so long, and looked at in steps. */
#define SAFETY_LEAST_NS (1500 * MILLISECOND)
#define SAFETY_STEP_NS  (100 * MILLISECOND)
/* Long enough for whoever can still lead to be elected. */
#define FULL_TAPE_NS SECOND
/* How often it is looked whether the cluster has come to rest. */
#define REST_INTERVAL_NS (5 * MILLISECOND)

void sim_plan(struct sim *sim, uint64_t time_ns, enum sim_event_kind kind, uint32_t who, uint64_t ticket)
{
    struct sim_event event = {.time_ns = time_ns, .kind = kind, .who = who, .ticket = ticket};
    sim_queue_add(&sim->queue, &event);
}

bool sim_chance(struct prng *prng, uint32_t ppm)
{
    return ppm > 0 && prng_below(prng, 1000000) < ppm;
}

struct truth *sim_truth(struct sim *sim, uint64_t quorum_number)
{
    for (uint32_t i = 0; i < sim->options.quorum_count; i++) {
        if (sim->truths[i].number == quorum_number) {
            return &sim->truths[i];
        }
    }
    return NULL;
}

void sim_fail(struct sim *sim, enum sim_result result, const char *format, ...)
{
    if (sim->result != SIM_GOOD) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sim->failure, sizeof(sim->failure), format, arguments);
    va_end(arguments);
    sim->result = result;
}

/* ---- set-up ---- */

static void init_truths(struct sim *sim)
{
    uint64_t voters[SIM_NODES_MAX];
    for (uint32_t i = 0; i < sim->options.node_count; i++) {
        voters[i] = sim_node_id(i);
    }
    for (uint32_t i = 0; i < sim->options.quorum_count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "quorum-%u", i + 1);
        truth_init(&sim->truths[i], name,
                   quorum_number(SIM_CLUSTER_ID, name, strlen(name), voters, sim->options.node_count));
    }
}

/* Bootstrap reaches a drawn set of nodes, at drawn times. */
static void plan_bootstraps(struct sim *sim)
{
    for (uint32_t quorum = 0; quorum < sim->options.quorum_count; quorum++) {
        uint32_t first = (uint32_t)prng_below(&sim->node_prng, sim->options.node_count);
        for (uint32_t i = 0; i < sim->options.bootstrap_count; i++) {
            uint64_t time_ns = prng_below(&sim->node_prng, 300 * MILLISECOND);
            sim_plan(sim, time_ns, SIM_TELL, (first + i) % sim->options.node_count, quorum);
        }
    }
}

static void init(struct sim *sim, uint64_t seed, uint32_t kept_count, bool late_clients)
{
    struct prng prng = {.state = seed};
    memset(sim, 0, sizeof(*sim));
    sim->seed = seed;
    sim_options_draw(&sim->options, seed);
    if (late_clients) {
        sim_options_make_late(&sim->options);
    }
    sim->network_prng.state = prng_next(&prng);
    sim->disk_prng.state = prng_next(&prng);
    sim->fault_prng.state = prng_next(&prng);
    sim->node_prng.state = prng_next(&prng);
    sim->client_prng.state = prng_next(&prng);
    sim_random_set(&sim->client_prng);
    sim->trace.kept_count = kept_count;
    sim->trace.kept = kept_count ? calloc(kept_count, sizeof(sim->trace.kept[0])) : NULL;
    sim_queue_init(&sim->queue);
    init_truths(sim);
    for (uint32_t i = 0; i < sim->options.node_count; i++) {
        sim_node_init(&sim->nodes[i], sim, i);
        sim_plan(sim, prng_below(&sim->node_prng, 100 * MILLISECOND), SIM_START, i, 0);
    }
    sim->client_count = sim->options.publisher_count + 1;
    for (uint32_t i = 0; i < sim->client_count; i++) {
        sim_client_init(&sim->clients[i], sim, i);
        sim_plan(sim, prng_below(&sim->client_prng, 500 * MILLISECOND), SIM_OPEN, i, 0);
    }
    plan_bootstraps(sim);
    sim_faults_begin(sim);
}

void sim_fini(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->client_count; i++) {
        sim_client_fini(&sim->clients[i]);
    }
    for (uint32_t i = 0; i < sim->options.node_count; i++) {
        sim_node_fini(&sim->nodes[i]);
    }
    for (uint32_t i = 0; i < sim->options.quorum_count; i++) {
        truth_fini(&sim->truths[i]);
    }
    sim_queue_fini(&sim->queue);
    free(sim->trace.kept);
}

/* ---- events ---- */

/* Whoever bootstraps looks again whether it is done: a crash may have taken it back. */
static void tell(struct sim *sim, uint32_t node, uint32_t quorum)
{
    if (stored_has(&sim->nodes[node].disk.durable, sim->truths[quorum].number, 1, 0)) {
        return;
    }
    if (sim->nodes[node].is_running && !sim->nodes[node].is_stopping) {
        sim_node_bootstrap(&sim->nodes[node], quorum);
    }
    sim_plan(sim, sim->now_ns + 50 * MILLISECOND, SIM_TELL, node, quorum);
}

/* A node that is asked to stop may not have ended yet. */
static void start(struct sim *sim, struct sim_node *node)
{
    if (node->is_stopping) {
        sim_plan(sim, sim->now_ns + 5 * MILLISECOND, SIM_START, node->index, 0);
    } else if (!node->is_running) {
        sim_node_start(node);
    }
}

static void happen(struct sim *sim, const struct sim_event *event)
{
    struct sim_node *node = event->who < SIM_NODES_MAX ? &sim->nodes[event->who] : NULL;
    switch (event->kind) {
    case SIM_FRAME:
        sim_network_arrive(sim, event->frame);
        break;
    case SIM_DISK:
        if (node->is_running && node->life == event->ticket) {
            sim_disk_complete(&node->disk);
            sim_node_wake(node, sim->now_ns + MICROSECOND);
        }
        break;
    case SIM_TURN:
        if (node->is_running && node->turn_ticket == event->ticket) {
            sim_node_turn(node);
        }
        break;
    case SIM_CLIENT:
        if (sim->clients[event->who].is_running && sim->clients[event->who].poll_ticket == event->ticket) {
            sim_client_poll(&sim->clients[event->who]);
        }
        break;
    case SIM_START:
        start(sim, node);
        break;
    case SIM_RESTART:
        if (node->is_running && node->life == event->ticket) {
            sim_node_crash(node, false);
            sim_node_start(node);
        }
        break;
    case SIM_OPEN:
        if (!sim->clients[event->who].is_running) {
            sim_client_open(&sim->clients[event->who]);
        }
        break;
    case SIM_TELL:
        tell(sim, event->who, (uint32_t)event->ticket);
        break;
    case SIM_FAULT:
        sim_faults_strike(sim, event->who);
        break;
    case SIM_HEAL:
        sim_faults_heal(sim, event->who, event->ticket);
        break;
    }
}

static void run_until(struct sim *sim, uint64_t time_ns)
{
    struct sim_event event;
    while (sim->result == SIM_GOOD && sim->queue.count > 0 && sim->queue.events[0].time_ns <= time_ns) {
        sim_queue_take(&sim->queue, &event);
        ASSERT(event.time_ns >= sim->now_ns);
        sim->now_ns = event.time_ns;
        happen(sim, &event);
    }
    sim->now_ns = time_ns;
}

/* ---- safety ---- */

static bool all_is_published(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->options.publisher_count; i++) {
        if (sim->clients[i].operation_count < sim->clients[i].operation_target) {
            return false;
        }
    }
    return true;
}

/* With nothing left to publish, faults soon find nothing new. */
static void run_safety(struct sim *sim)
{
    uint64_t end_ns = sim->options.safety_ns;
    while (sim->result == SIM_GOOD && sim->now_ns < end_ns) {
        run_until(sim, sim->now_ns + SAFETY_STEP_NS);
        if (all_is_published(sim) && sim->now_ns >= SAFETY_LEAST_NS) {
            end_ns = sim->now_ns;
        }
    }
}

/* ---- liveness ---- */

/* NULL when the cluster has come to rest with everything decided; else what is missing. */
static const char *find_unrest(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->client_count; i++) {
        if (!sim_client_is_done(&sim->clients[i])) {
            return sim->clients[i].is_publisher ? "a publisher waits for outcomes"
                                                : "the subscriber lacks entries";
        }
    }
    for (uint32_t quorum = 0; quorum < sim->options.quorum_count; quorum++) {
        uint32_t leader_count = 0;
        for (uint32_t node = 0; node < sim->options.node_count; node++) {
            const struct replicator *replicator = sim_node_replicator(&sim->nodes[node], quorum);
            if (!replicator) {
                return "a node does not have the quorum";
            }
            leader_count += replicator->role == REPLICATOR_LEADER;
            if (replicator->commit_index != sim->truths[quorum].committed_count ||
                replicator->last_index != replicator->commit_index ||
                replicator->durable_index != replicator->commit_index) {
                return "a node lacks committed entries, or has others";
            }
        }
        if (leader_count != 1) {
            return leader_count == 0 ? "nobody leads" : "more than one node leads";
        }
    }
    return NULL;
}

static void run_liveness(struct sim *sim)
{
    uint64_t end_ns = sim->now_ns + sim->options.liveness_ns;
    const char *unrest = "";
    sim_trace(sim, TRACE_PHASE, 0, sim->counters.operations, sim->counters.committed, 0);
    sim_faults_end(sim);
    for (uint32_t i = 0; i < sim->client_count; i++) {
        sim_client_publish_more(&sim->clients[i], LAST_OPERATIONS);
    }
    if (sim->options.fills_tape) {
        run_until(sim, sim->now_ns + FULL_TAPE_NS);
        return;
    }
    while (sim->result == SIM_GOOD && unrest && sim->now_ns < end_ns) {
        run_until(sim, sim->now_ns + REST_INTERVAL_NS);
        unrest = find_unrest(sim);
    }
    if (unrest) {
        sim_fail(sim, SIM_LIVENESS, "liveness: %s after %lu ms without faults", unrest,
                 sim->options.liveness_ns / MILLISECOND);
    }
}

void sim_run(struct sim *sim, uint64_t seed, uint32_t kept_count, bool late_clients)
{
    init(sim, seed, kept_count, late_clients);
    run_safety(sim);
    if (sim->result == SIM_GOOD) {
        run_liveness(sim);
    }
    if (sim->result == SIM_GOOD) {
        check_end(sim);
    }
}
