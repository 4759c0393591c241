/* SPDX-License-Identifier: Apache-2.0 */
#include "hop_rig.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "check.h"
#include "shm_channel.h"

#define DESCRIPTOR_BYTES 64
#define RING_COUNT       256
/* Two spinning threads need two processors; where something else runs on one, they must let it. */
#define SPINS_BEFORE_YIELD 2000

struct hop_rig {
    enum hop_rig_kind kind;
    uint32_t frame_bytes;
    struct rte_ring *rings[2]; /* there, back */
    struct shm_channel channels[2];
    char directory[64];
    char path[96];
    int listen_fd;
    pthread_t thread;
    _Atomic bool stop;
    cpu_set_t allowed; /* processors */
    uint8_t element[SHM_BULK_BYTES];
};

/* The side that sends is 0 in the timed thread and 1 in the other. */
static bool try_send(struct hop_rig *rig, unsigned side, uint8_t *bytes)
{
    if (rig->kind == HOP_RIG_RING) {
        return rte_ring_sp_enqueue_elem(rig->rings[side], bytes, DESCRIPTOR_BYTES) == 0;
    }
    enum shm_lane lane = rig->kind == HOP_RIG_CHANNEL_BULK ? SHM_BULK : SHM_CONTROL;
    uint32_t capacity;
    uint8_t *place = shm_send_begin(&rig->channels[side], lane, &capacity);
    if (place == NULL) {
        return false;
    }
    memcpy(place, bytes, rig->frame_bytes);
    shm_send_commit(&rig->channels[side], lane, rig->frame_bytes);
    return true;
}

static bool try_receive(struct hop_rig *rig, unsigned side, uint8_t *bytes)
{
    if (rig->kind == HOP_RIG_RING) {
        return rte_ring_sc_dequeue_elem(rig->rings[1 - side], bytes, DESCRIPTOR_BYTES) == 0;
    }
    enum shm_lane lane = rig->kind == HOP_RIG_CHANNEL_BULK ? SHM_BULK : SHM_CONTROL;
    uint32_t frame_bytes;
    const uint8_t *frame = shm_receive_begin(&rig->channels[side], lane, &frame_bytes);
    if (frame == NULL) {
        return false;
    }
    memcpy(bytes, frame, frame_bytes);
    shm_receive_end(&rig->channels[side], lane);
    return true;
}

static void idle(unsigned *empty_turns)
{
    if (++*empty_turns < SPINS_BEFORE_YIELD) {
        __builtin_ia32_pause();
    } else {
        sched_yield();
    }
}

/* The n-th processor of those that the benchmark may use. A thread inherits where its creator was pinned, so
 * the set is read once, before. */
static void pin(const struct hop_rig *rig, unsigned number)
{
    cpu_set_t one;
    if (CPU_COUNT(&rig->allowed) < 2) {
        return;
    }
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &rig->allowed) && number-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
            return;
        }
    }
}

static void *echo_run(void *argument)
{
    struct hop_rig *rig = argument;
    uint8_t bytes[SHM_BULK_BYTES];
    unsigned empty_turns = 0;
    pin(rig, 1);
    while (!atomic_load_explicit(&rig->stop, memory_order_relaxed)) {
        if (try_receive(rig, 1, bytes)) {
            bool sent = try_send(rig, 1, bytes);
            ASSERT(sent); /* one element is under way at a time */
            empty_turns = 0;
        } else {
            idle(&empty_turns);
        }
    }
    return NULL;
}

static void rings_create(struct hop_rig *rig)
{
    ssize_t ring_bytes = rte_ring_get_memsize_elem(DESCRIPTOR_BYTES, RING_COUNT);
    ASSERT(ring_bytes > 0);
    for (unsigned i = 0; i < 2; i++) {
        rig->rings[i] = aligned_alloc(4096, ((size_t)ring_bytes + 4095) & ~(size_t)4095);
        ASSERT(rig->rings[i] != NULL);
        int error = rte_ring_init(rig->rings[i], "hop", RING_COUNT, RING_F_SP_ENQ | RING_F_SC_DEQ);
        ASSERT(error == 0);
    }
}

static void *connect_run(void *argument)
{
    struct hop_rig *rig = argument;
    const struct shm_hello hello = {0};
    return (void *)(intptr_t)shm_connect(rig->path, &hello, 5000, &rig->channels[1]);
}

static bool channel_create(struct hop_rig *rig)
{
    snprintf(rig->directory, sizeof(rig->directory), "/tmp/tally-hop-XXXXXX");
    if (mkdtemp(rig->directory) == NULL) {
        return false;
    }
    snprintf(rig->path, sizeof(rig->path), "%s/socket", rig->directory);
    rig->listen_fd = shm_listen(rig->path);
    if (rig->listen_fd < 0) {
        return false;
    }
    pthread_t connecting;
    void *connect_error;
    int accept_error = 0;
    pthread_create(&connecting, NULL, connect_run, rig);
    struct pollfd waiting = {.fd = rig->listen_fd, .events = POLLIN};
    poll(&waiting, 1, 5000);
    enum shm_verdict verdict = shm_accept(rig->listen_fd, 1, &rig->channels[0], &accept_error);
    pthread_join(connecting, &connect_error);
    return verdict == SHM_GOOD && connect_error == NULL;
}

static void channel_destroy(struct hop_rig *rig)
{
    shm_close(&rig->channels[0]);
    shm_close(&rig->channels[1]);
    if (rig->listen_fd >= 0) {
        close(rig->listen_fd);
    }
    unlink(rig->path);
    rmdir(rig->directory);
}

struct hop_rig *hop_rig_create(enum hop_rig_kind kind, uint32_t frame_bytes)
{
    struct hop_rig *rig = calloc(1, sizeof(*rig));
    ASSERT(rig != NULL);
    rig->kind = kind;
    rig->frame_bytes = frame_bytes;
    rig->listen_fd = -1;
    sched_getaffinity(0, sizeof(rig->allowed), &rig->allowed);
    for (unsigned i = 0; i < 2; i++) {
        rig->channels[i] = (struct shm_channel){.socket_fd = -1, .own_event_fd = -1, .other_event_fd = -1};
    }
    if (kind == HOP_RIG_RING) {
        rings_create(rig);
    } else if (!channel_create(rig)) {
        channel_destroy(rig);
        free(rig);
        return NULL;
    }
    pin(rig, 0);
    int error = pthread_create(&rig->thread, NULL, echo_run, rig);
    ASSERT(error == 0);
    return rig;
}

void hop_rig_destroy(struct hop_rig *rig)
{
    atomic_store(&rig->stop, true);
    pthread_join(rig->thread, NULL);
    sched_setaffinity(0, sizeof(rig->allowed), &rig->allowed);
    if (rig->kind != HOP_RIG_RING) {
        channel_destroy(rig);
    }
    free(rig->rings[0]);
    free(rig->rings[1]);
    free(rig);
}

void hop_rig_round_trip(struct hop_rig *rig)
{
    unsigned empty_turns = 0;
    bool sent = try_send(rig, 0, rig->element);
    ASSERT(sent);
    while (!try_receive(rig, 0, rig->element)) {
        idle(&empty_turns);
    }
}
