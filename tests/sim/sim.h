/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator: a cluster of shipped engines on simulated disks, a simulated network and one virtual clock.
 * One 64-bit seed decides everything, so a run repeats exactly. First faults and clients' work together,
 * judged for safety; then everything is healed and must come to rest: that is judged for liveness. */
#ifndef TALLY_SIM_H
#define TALLY_SIM_H

#include "prng.h"
#include "sim_client.h"
#include "sim_node.h"
#include "sim_options.h"
#include "sim_queue.h"
#include "sim_truth.h"

enum sim_result { SIM_GOOD = 0, SIM_SAFETY = 1, SIM_LIVENESS = 2, SIM_DETERMINISM = 3 };

/* What happened, by kind; every one goes into the trace's hash. */
enum sim_trace_kind {
    TRACE_SEND,
    TRACE_DROP,
    TRACE_RECEIVE,
    TRACE_WRITE,
    TRACE_DURABLE,
    TRACE_START,
    TRACE_CRASH,
    TRACE_EVENT,
    TRACE_COMMIT,
    TRACE_FAULT,
    TRACE_HEAL,
    TRACE_OUTCOME,
    TRACE_OPEN,
    TRACE_CLOSE,
    TRACE_PHASE,
};

struct sim_trace_line {
    uint64_t time_ns;
    enum sim_trace_kind kind;
    uint32_t who;
    uint64_t words[3];
};

struct sim_trace {
    uint64_t hash;
    uint64_t count;
    uint32_t kept_count; /* the last ones are kept to be printed; 0: none */
    struct sim_trace_line *kept;
};

/* One fault at work, so that it can be healed. */
struct sim_fault {
    bool is_on;
    uint64_t serial;
    bool cut[SIM_ENDPOINTS_MAX][SIM_ENDPOINTS_MAX]; /* from, to */
};

#define SIM_FAULTS_MAX 16

struct sim_counters {
    uint64_t operations;
    uint64_t committed;
    uint64_t frames;
    uint64_t crashes;
    uint64_t elections;
    uint64_t turns;
    uint64_t delivered;
};

struct sim {
    uint64_t seed;
    struct sim_options options;
    struct prng network_prng;
    struct prng disk_prng;
    struct prng fault_prng;
    struct prng node_prng;
    struct prng client_prng;
    uint64_t now_ns;
    bool is_healed; /* the liveness phase */
    struct sim_queue queue;
    struct sim_node nodes[SIM_NODES_MAX];
    struct sim_client clients[SIM_CLIENTS_MAX];
    uint32_t client_count;
    uint64_t last_arrival_ns[SIM_ENDPOINTS_MAX][SIM_ENDPOINTS_MAX]; /* from, to */
    struct sim_fault faults[SIM_FAULTS_MAX];
    uint64_t fault_serial;
    struct truth truths[SIM_QUORUMS_MAX];
    struct sim_trace trace;
    struct sim_counters counters;
    enum sim_result result;
    char failure[256]; /* the property and what was seen */
};

/* Runs `seed` to its end. `kept_count` trace lines are kept. The caller calls sim_fini. */
void sim_run(struct sim *sim, uint64_t seed, uint32_t kept_count, bool late_clients);
void sim_fini(struct sim *sim);

/* For the parts. */
void sim_plan(struct sim *sim, uint64_t time_ns, enum sim_event_kind kind, uint32_t who, uint64_t ticket);
void sim_trace(struct sim *sim, enum sim_trace_kind kind, uint32_t who, uint64_t a, uint64_t b, uint64_t c);
void sim_trace_print(const struct sim *sim);
/* Only the first failure is kept. */
__attribute__((format(printf, 3, 4))) void sim_fail(struct sim *sim, enum sim_result result,
                                                    const char *format, ...);
struct truth *sim_truth(struct sim *sim, uint64_t quorum_number);
/* A chance of `ppm` in a million. */
bool sim_chance(struct prng *prng, uint32_t ppm);

static inline uint64_t sim_node_id(uint32_t node)
{
    return node + 1;
}

static inline uint32_t sim_endpoint_of_client(uint32_t client)
{
    return SIM_NODES_MAX + client;
}

#endif
