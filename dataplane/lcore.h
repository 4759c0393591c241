/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of a polling thread: calls its parts, counts busy and idle time, and idles as its profile says.
 * The parts of one thread may be of any kind: on a small machine one thread polls a dataplane core and a
 * consensus core. */
#ifndef TALLY_LCORE_H
#define TALLY_LCORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane.h"

/* Every core of a node on one thread; a consensus core may bring two parts. */
#define LCORE_PARTS_MAX (DATAPLANE_CORES_MAX + 2 * CONSENSUS_CORES_MAX)

struct lcore_part {
    unsigned (*poll)(void *part, uint64_t now_ns); /* returns work done */
    /* When it wants to be polled at the latest, UINT64_MAX never; may be NULL. */
    uint64_t (*deadline_ns)(void *part);
    /* It waits for threads of the kernel (a write of its own), which need a processor that this one may hold:
     * profile `shared` then sleeps after LCORE_YIELDS_AWAITING idle turns already. May be NULL. */
    bool (*awaits_kernel)(void *part);
    void *part;
};

struct lcore_counters { /* relaxed; one writer */
    uint64_t busy_turns;
    uint64_t idle_turns;
    uint64_t busy_ns;
    uint64_t idle_ns;
    uint64_t sleeps;
    uint64_t wakes; /* sleeps that a doorbell or a partner ended; the others ended by time */
};

struct lcore;

/* Makes the thread's state; its doorbell is an eventfd that other threads ring only while it sleeps. NULL: no
 * descriptors left. */
struct lcore *lcore_create(struct arena *arena, enum poll_profile profile);
void lcore_destroy(struct lcore *lcore); /* closes; the memory is the arena's */
void lcore_add_part(struct lcore *lcore, struct lcore_part part);
/* Sleep ends when `fd` becomes readable (a non-blocking eventfd; its owner drains it). Called before the loop
 * runs or by its thread. Unwatch before closing: an eventfd that another process holds too would stay
 * watched. 0 or -errno. */
int lcore_watch_fd(struct lcore *lcore, int fd);
void lcore_unwatch_fd(struct lcore *lcore, int fd);
/* At most LCORE_PARTS_MAX of them. Called just before sleeping and after waking, so that partners in other
 * processes know to wake us. Nobody wakes a loop for a device: it sleeps by time there. */
void lcore_on_sleep(struct lcore *lcore, void (*set_sleeping)(void *context, bool sleeping), void *context);

#define LCORE_YIELDS          200
#define LCORE_YIELDS_AWAITING 20
#define LCORE_SLEEP_MIN_NS    50000
#define LCORE_SLEEP_MAX_NS    2000000

/* Runs until `*stop` is set; a sleeping one sees it within LCORE_SLEEP_MAX_NS. */
void lcore_run(struct lcore *lcore, const _Atomic bool *stop);

/* Wakes it if it sleeps; any thread. */
void lcore_ring_doorbell(struct lcore *lcore);

/* Ties ends and dataplane cores to the lcores that poll them, so that a push rings the right doorbell. Before
 * they run and before the first dataplane_control. */
void dataplane_set_core_lcore(struct dataplane *dataplane, unsigned core, struct lcore *lcore);
void dataplane_set_consensus_lcore(struct dataplane *dataplane, unsigned consensus_core, struct lcore *lcore);

/* Starts the loop on EAL lcore `lcore_id` (1..), 0 or -errno; waits for its end. */
int lcore_launch(struct lcore *lcore, unsigned lcore_id, const _Atomic bool *stop);
void lcore_join(unsigned lcore_id);

const struct lcore_counters *lcore_counters_of(const struct lcore *lcore);

uint64_t lcore_now_ns(void); /* CLOCK_BOOTTIME */

#endif
