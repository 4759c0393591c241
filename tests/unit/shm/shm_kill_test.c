/* SPDX-License-Identifier: Apache-2.0 */
/* One side dies by SIGKILL while frames fly both ways; the other one goes on, sees it, and talks to the next
 * one. */
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "shm_pair.h"

#define KILLS 40

/* Sends numbered frames of changing length and checks what comes: each frame is filled with its own length.
 */
static bool traffic_step(struct shm_channel *channel, uint32_t *sequence)
{
    for (unsigned lane = 0; lane < 2; lane++) {
        uint32_t capacity;
        uint8_t *place = shm_send_begin(channel, lane, &capacity);
        if (place != NULL) {
            uint32_t bytes = 1 + (*sequence)++ % capacity;
            memset(place, (int)(bytes & 0xFF), bytes);
            shm_send_commit(channel, lane, bytes);
        }
        uint32_t bytes;
        const uint8_t *frame = shm_receive_begin(channel, lane, &bytes);
        if (frame != NULL) {
            if (frame[0] != (bytes & 0xFF) || frame[bytes - 1] != (bytes & 0xFF)) {
                return false;
            }
            shm_receive_end(channel, lane);
        }
    }
    return true;
}

/* Runs until killed; counts its steps where the parent sees them. */
static void victim_run(struct shm_channel *channel, _Atomic uint32_t *steps)
{
    for (uint32_t sequence = 0;;) {
        if (!traffic_step(channel, &sequence)) {
            _exit(1);
        }
        atomic_fetch_add(steps, 1);
    }
}

/* The parent takes steps until the child has taken `steps_min`, kills it, and goes on until it sees the end.
 */
static bool survivor_run(struct shm_channel *channel, pid_t child, _Atomic uint32_t *steps,
                         uint32_t steps_min)
{
    uint32_t sequence = 0;
    bool good = true;
    while (good && atomic_load(steps) < steps_min && waitpid(child, NULL, WNOHANG) == 0) {
        good = traffic_step(channel, &sequence);
    }
    kill(child, SIGKILL);
    while (good && !shm_is_closed(channel)) {
        good = traffic_step(channel, &sequence);
    }
    int status;
    waitpid(child, &status, 0);
    return good;
}

static _Atomic uint32_t *steps_map(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    return page;
}

static void a_node_survives_its_clients(void)
{
    struct shm_pair pair;
    pair_listen(&pair);
    _Atomic uint32_t *steps = steps_map();
    for (uint32_t round = 0; round < KILLS; round++) {
        atomic_store(steps, 0);
        pid_t child = fork();
        if (child == 0) {
            struct shm_channel channel;
            if (shm_connect(pair.path, &(struct shm_hello){0}, 5000, &channel) == 0) {
                victim_run(&channel, steps);
            }
            _exit(1);
        }
        struct pollfd waiting = {.fd = pair.listen_fd, .events = POLLIN};
        CHECK_EQUAL(poll(&waiting, 1, 5000), 1);
        int error;
        CHECK_EQUAL(shm_accept(pair.listen_fd, PAIR_CLUSTER, &pair.node, &error), SHM_GOOD);
        CHECK(survivor_run(&pair.node, child, steps, 1 + round * 7));
        shm_close(&pair.node);
    }
    munmap((void *)steps, 4096);
    pair_unlisten(&pair);
}

static void node_run(const struct shm_pair *pair, _Atomic uint32_t *steps)
{
    struct shm_channel channel;
    int listen_fd = shm_listen(pair->path);
    atomic_fetch_add(steps, 1);
    struct pollfd waiting = {.fd = listen_fd, .events = POLLIN};
    int error;
    if (listen_fd >= 0 && poll(&waiting, 1, 5000) == 1 &&
        shm_accept(listen_fd, PAIR_CLUSTER, &channel, &error) == SHM_GOOD) {
        victim_run(&channel, steps);
    }
    _exit(1);
}

static void a_client_survives_its_nodes(void)
{
    struct shm_pair pair;
    pair_listen(&pair);
    close(pair.listen_fd);
    _Atomic uint32_t *steps = steps_map();
    for (uint32_t round = 0; round < KILLS; round++) {
        atomic_store(steps, 0);
        pid_t child = fork();
        if (child == 0) {
            node_run(&pair, steps);
        }
        /* each node finds the socket file of the one that was killed */
        while (atomic_load(steps) == 0 && waitpid(child, NULL, WNOHANG) == 0) {
            sched_yield();
        }
        CHECK_EQUAL(shm_connect(pair.path, &(struct shm_hello){0}, 5000, &pair.client), 0);
        CHECK(survivor_run(&pair.client, child, steps, 2 + round * 7));
        shm_close(&pair.client);
    }
    munmap((void *)steps, 4096);
    unlink(pair.path);
    rmdir(pair.directory);
}

static const struct test_case cases[] = {
    {"a node survives clients killed under traffic", a_node_survives_its_clients},
    {"a client survives nodes killed under traffic, and the next node takes the socket over",
     a_client_survives_its_nodes},
};

TEST_MAIN(cases)
