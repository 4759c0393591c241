/* SPDX-License-Identifier: Apache-2.0 */
/* A whole dataplane with its consensus cores' ends as echoes, running on EAL lcores, and clients that drive
 * it. */
#ifndef TALLY_DATAPLANE_LOOPS_H
#define TALLY_DATAPLANE_LOOPS_H

#include <poll.h>
#include <sched.h>

#include "dataplane_rig.h"

#define LOOPS_LCORES_MAX 4
#define LOOPS_WAIT_MS    10000

struct loops_part {
    struct dataplane *dataplane;
    struct consensus_end *end;
    unsigned core;
};

struct loops {
    struct arena arena;
    struct dataplane *dataplane;
    struct loops_part cores[2];
    struct loops_part ends[2];
    struct lcore *lcores[LOOPS_LCORES_MAX];
    unsigned lcore_count;
    _Atomic bool stop;
};

/* Called by the first thing a polling thread does. */
static void (*loops_on_thread)(void);
static void (*loops_planted)(void);

static inline unsigned loops_poll_core(void *part, uint64_t now_ns)
{
    (void)now_ns;
    struct loops_part *loop = part;
    if (loops_on_thread != NULL) {
        loops_on_thread();
    }
    return dataplane_core_poll(loop->dataplane, loop->core, 128);
}

static inline unsigned loops_poll_end(void *part, uint64_t now_ns)
{
    (void)now_ns;
    struct loops_part *loop = part;
    if (loops_on_thread != NULL) {
        loops_on_thread();
    }
    unsigned work = rig_echo(loop->end, 32);
    if (work > 0 && loops_planted != NULL) {
        loops_planted();
    }
    return work;
}

/* On as many CPUs as there are, several lcores to one. */
static inline void loops_eal_start(void)
{
    static struct lcore_options lcores[LOOPS_LCORES_MAX];
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof(cpus), &cpus);
    unsigned found[LOOPS_LCORES_MAX];
    unsigned count = 0;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE && count < LOOPS_LCORES_MAX; cpu++) {
        if (CPU_ISSET(cpu, &cpus)) {
            found[count++] = cpu;
        }
    }
    for (unsigned i = 0; i < LOOPS_LCORES_MAX; i++) {
        lcores[i] = (struct lcore_options){.cpu = found[i % count], .profile = POLL_SHARED};
    }
    rig_eal_start(lcores, LOOPS_LCORES_MAX);
}

/* Part `i` of all, dataplane cores first, runs on lcore i % lcore_count. */
static inline void loops_start(struct loops *loops, unsigned core_count, unsigned consensus_count,
                               unsigned lcore_count, enum poll_profile profile)
{
    struct dataplane_options options = rig_options(core_count, consensus_count);
    memset(loops, 0, sizeof(*loops));
    loops->dataplane = rig_create(&loops->arena, &options);
    loops->lcore_count = lcore_count;
    for (unsigned i = 0; i < lcore_count; i++) {
        loops->lcores[i] = lcore_create(&loops->arena, profile);
        CHECK(loops->lcores[i] != NULL);
    }
    unsigned part = 0;
    for (unsigned i = 0; i < core_count; i++, part++) {
        struct lcore *lcore = loops->lcores[part % lcore_count];
        loops->cores[i] = (struct loops_part){.dataplane = loops->dataplane, .core = i};
        lcore_add_part(lcore, (struct lcore_part){.poll = loops_poll_core, .part = &loops->cores[i]});
        dataplane_set_core_lcore(loops->dataplane, i, lcore);
    }
    for (unsigned i = 0; i < consensus_count; i++, part++) {
        struct lcore *lcore = loops->lcores[part % lcore_count];
        loops->ends[i] = (struct loops_part){.end = dataplane_consensus_end(loops->dataplane, i)};
        lcore_add_part(lcore, (struct lcore_part){.poll = loops_poll_end, .part = &loops->ends[i]});
        dataplane_set_consensus_lcore(loops->dataplane, i, lcore);
    }
    arena_seal(&loops->arena);
    for (unsigned i = 0; i < lcore_count; i++) {
        CHECK_EQUAL(lcore_launch(loops->lcores[i], i + 1, &loops->stop), 0);
    }
}

static inline void loops_join(struct loops *loops)
{
    atomic_store(&loops->stop, true);
    for (unsigned i = 0; i < loops->lcore_count; i++) {
        lcore_ring_doorbell(loops->lcores[i]);
        lcore_join(i + 1);
    }
}

static inline void loops_end(struct loops *loops)
{
    for (unsigned i = 0; i < loops->lcore_count; i++) {
        lcore_destroy(loops->lcores[i]);
    }
    rig_destroy(loops->dataplane, &loops->arena);
}

/* Sleeps until a frame of `lane` has come; false: none came in LOOPS_WAIT_MS. */
static inline bool loops_client_wait(struct shm_channel *client, enum shm_lane lane,
                                     struct rig_message *ret_message)
{
    uint32_t tail_bytes;
    while (!rig_client_receive(client, lane, ret_message, &tail_bytes)) {
        shm_set_sleeping(client, true);
        bool came = rig_client_receive(client, lane, ret_message, &tail_bytes);
        struct pollfd event = {.fd = client->own_event_fd, .events = POLLIN};
        int ready = came ? 1 : poll(&event, 1, LOOPS_WAIT_MS);
        shm_set_sleeping(client, false);
        if (came || ready == 0) {
            return came;
        }
    }
    return true;
}

/* Sends `count` frames, `window` at a time, to a consensus core and waits for each echo, in order. */
static inline bool loops_drive(struct shm_channel *client, uint8_t lane, uint8_t consensus_core,
                               unsigned count, unsigned window)
{
    static const char tail[256];
    unsigned sent = 0;
    for (unsigned received = 0; received < count; received++) {
        while (sent < count && sent - received < window) {
            struct rig_message message = {.lane = lane, .consensus_core = consensus_core, .number = sent};
            if (!rig_client_send(client, &message, tail, sizeof(tail))) {
                return false;
            }
            sent++;
        }
        struct rig_message echo;
        if (!loops_client_wait(client, lane, &echo) || echo.number != received) {
            return false;
        }
    }
    return true;
}

#endif
