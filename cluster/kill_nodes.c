/* SPDX-License-Identifier: Apache-2.0 */
/* Whom to kill, and when. */
#include "kill.h"

#include <inttypes.h>
#include <stdio.h>

#define NO_COMMIT_MS 30000 /* with a majority up this is a failure */
/* A tape is not filled further: what is left is for elections. */
#define FREE_BYTES_MIN (8u << 20)

static uint64_t draw(struct kill_run *run, uint64_t low, uint64_t high)
{
    return low + prng_below(&run->prng, high - low + 1);
}

static uint64_t published_now(const struct kill_run *run)
{
    uint64_t count = run->totals.published;
    for (unsigned i = 0; i < LEDGER_SOURCES; i++) {
        count += atomic_load(&run->feeders[i].published_count);
    }
    return count;
}

static uint64_t acknowledged_now(const struct kill_run *run)
{
    uint64_t count = run->totals.acknowledged;
    for (unsigned i = 0; i < LEDGER_SOURCES; i++) {
        count += atomic_load(&run->feeders[i].committed_count);
    }
    return count;
}

static void show_progress(const struct kill_run *run)
{
    static uint64_t shown_ms;
    uint64_t now_ms = feeder_now_ns() / 1000000;
    if (now_ms - shown_ms >= 5000) {
        shown_ms = now_ms;
        printf("round %" PRIu64 ": %" PRIu64 " kills, %" PRIu64 " of a leader; published %" PRIu64
               ", acknowledged %" PRIu64 "\n",
               run->totals.round_count, run->totals.kill_count, run->totals.leader_kill_count,
               published_now(run), acknowledged_now(run));
        fflush(stdout);
    }
}

/* The longest time in which a publisher heard of no commit since its leader was killed. */
static void count_gap(struct kill_run *run)
{
    uint64_t longest_ns = 0;
    for (unsigned i = 0; i < LEDGER_SOURCES; i++) {
        uint64_t gap_ns = atomic_exchange(&run->feeders[i].longest_gap_ns, 0);
        longest_ns = gap_ns > longest_ns ? gap_ns : longest_ns;
    }
    if (run->gap_open && run->totals.gap_count < KILL_GAPS_MAX) {
        run->totals.gaps_ns[run->totals.gap_count++] = longest_ns;
    }
    run->gap_open = false;
}

/* Spends `pause_ms`; false when something has gone wrong meanwhile. */
bool kill_spend(struct kill_run *run, uint64_t pause_ms)
{
    uint64_t end_ms = feeder_now_ns() / 1000000 + pause_ms;
    while (feeder_now_ns() / 1000000 < end_ms) {
        show_progress(run);
        if (!cluster_pause(run->cluster, KILL_PAUSE_MS)) {
            return kill_fail(run, cluster_error(run->cluster));
        }
        for (unsigned i = 0; i < LEDGER_SOURCES; i++) {
            uint64_t last_ns = atomic_load(&run->feeders[i].last_commit_ns);
            if (last_ns && feeder_now_ns() - last_ns > NO_COMMIT_MS * 1000000ull) {
                return kill_fail(run, "nothing is committed any more");
            }
            if (atomic_load(&run->feeders[i].refused_count) > 0) {
                return kill_fail(run,
                                 tally_status_name((enum tally_status)atomic_load(&run->feeders[i].refusal)));
            }
        }
    }
    return true;
}

/* Bits of the nodes to kill: the leader every other time, one in twelve times all three, now and then two. */
static unsigned choose_victims(struct kill_run *run, uint64_t leader)
{
    uint64_t dice = draw(run, 0, 99);
    uint64_t any = draw(run, 1, KILL_NODES);
    uint64_t second = draw(run, 1, KILL_NODES);
    if (dice < 8) {
        return (1u << 1) | (1u << 2) | (1u << 3);
    }
    unsigned victims = 1u << (dice < 58 && leader ? leader : any);
    return dice % 10 == 0 ? victims | 1u << second : victims;
}

static void kill_victims(struct kill_run *run, unsigned victims, uint64_t leader)
{
    run->totals.all_kill_count += victims == 14;
    if (leader && victims & (1u << leader)) {
        run->totals.leader_kill_count++;
        run->gap_open = victims == 1u << leader; /* with two or three gone there is no majority to commit */
    }
    for (uint64_t id = 1; id <= KILL_NODES; id++) {
        if (victims & (1u << id)) {
            cluster_kill(run->cluster, id);
            run->totals.kill_count++;
        }
    }
}

static bool kill_and_restart(struct kill_run *run)
{
    uint64_t leader = cluster_leader(run->cluster, KILL_QUORUM);
    unsigned victims = choose_victims(run, leader);
    count_gap(run);
    kill_victims(run, victims, leader);
    for (uint64_t id = 1; id <= KILL_NODES; id++) {
        if (!(victims & (1u << id))) {
            continue;
        }
        if (!kill_spend(run, draw(run, 0, 800))) {
            return false;
        }
        if (!cluster_start(run->cluster, id)) {
            return kill_fail(run, cluster_error(run->cluster));
        }
    }
    return true;
}

static bool has_space(struct kill_run *run)
{
    struct cluster_status status;
    for (uint64_t id = 1; id <= KILL_NODES; id++) {
        if (cluster_status(run->cluster, id, KILL_QUORUM, &status) && status.free_bytes < FREE_BYTES_MIN) {
            printf("round %" PRIu64 ": the tapes are full, it ends early\n", run->totals.round_count);
            return false;
        }
    }
    return true;
}

bool kill_nodes(struct kill_run *run)
{
    bool good = kill_spend(run, 300);
    while (good && feeder_now_ns() / 1000000 < run->end_ms && has_space(run)) {
        good = kill_and_restart(run) && kill_spend(run, draw(run, 300, 2500));
    }
    count_gap(run);
    return good;
}
