/* SPDX-License-Identifier: Apache-2.0 */
/* A kill run: rounds of a fresh cluster each, under load from publishers that keep count of what they were
 * told. */
#ifndef TALLY_KILL_H
#define TALLY_KILL_H

#include "cluster.h"
#include "feeder.h"
#include "ledger.h"
#include "prng.h"
#include "watcher.h"

#define KILL_QUORUM     "kill"
#define KILL_NODES      3
#define KILL_TIMEOUT_MS 60000
#define KILL_PAUSE_MS   5
/* Leader kills whose time without commits is kept. */
#define KILL_GAPS_MAX 65536

struct kill_totals {
    uint64_t round_count;
    uint64_t kill_count;
    uint64_t leader_kill_count;
    uint64_t all_kill_count;
    uint64_t published;
    uint64_t acknowledged;
    uint64_t lost;
    uint64_t doubled;
    uint64_t misordered;
    uint64_t gap_count;
    uint64_t gaps_ns[KILL_GAPS_MAX];
};

struct kill_run {
    struct cluster_options options;
    uint64_t seed;
    unsigned seconds;
    unsigned round_seconds;
    unsigned rate; /* messages a second, of all publishers */
    bool keep;
    struct prng prng;
    struct cluster *cluster;
    struct ledger_source sources[LEDGER_SOURCES];
    struct feeder feeders[LEDGER_SOURCES];
    struct watcher watchers[KILL_NODES];
    struct ledger watched[KILL_NODES];
    uint64_t end_ms; /* of the round */
    bool gap_open;   /* a leader was killed, its gap is not counted yet */
    struct kill_totals totals;
};

/* Says so on standard error, with the state of every node; returns false. */
bool kill_fail(const struct kill_run *run, const char *text);

/* A round of that many seconds, with all its checks. False: one failed, and its files are kept. */
bool kill_play_round(struct kill_run *run, unsigned seconds);

/* Kills and restarts nodes until the round's time is over or its tapes are full. */
bool kill_nodes(struct kill_run *run);
/* Spends `pause_ms`; false when something has gone wrong meanwhile: a survivor ended, nothing commits, a
 * refusal. */
bool kill_spend(struct kill_run *run, uint64_t pause_ms);

#endif
