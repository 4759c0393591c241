/* SPDX-License-Identifier: Apache-2.0 */
/* Clients on shared memory die by SIGKILL while a running dataplane answers them; others notice nothing. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "dataplane_loops.h"

#define KILLS 20

/* Sends and receives, up to 16 frames ahead, until it is killed. Runs in a forked child: no locks, no heap.
 */
static void victim_run(_Atomic uint32_t *steps)
{
    struct shm_channel channel;
    struct shm_hello hello = {0};
    if (shm_connect(rig_socket, &hello, 5000, &channel) != 0) {
        _exit(1);
    }
    static const char tail[512];
    uint64_t sent = 0;
    for (uint64_t received = 0;;) {
        struct rig_message message = {.lane = sent & 1, .number = sent};
        struct rig_message echo;
        uint32_t tail_bytes;
        if (sent - received < 16 && rig_client_send(&channel, &message, tail, sizeof(tail))) {
            sent++;
        }
        received += rig_client_receive(&channel, SHM_CONTROL, &echo, &tail_bytes);
        received += rig_client_receive(&channel, SHM_BULK, &echo, &tail_bytes);
        atomic_fetch_add(steps, 1);
    }
}

static void kills_leave_the_others_alone(void)
{
    static struct loops loops;
    _Atomic uint32_t *steps = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK((void *)steps != MAP_FAILED);
    loops_start(&loops, 2, 1, 2, POLL_SHARED);
    struct shm_channel bystander;
    CHECK_EQUAL(rig_connect(loops.dataplane, 0, &bystander), 0);
    for (unsigned round = 0; round < KILLS; round++) {
        atomic_store(steps, 0);
        pid_t child = fork();
        if (child == 0) {
            victim_run(steps);
        }
        while (atomic_load(steps) < 1 + round * 50 && waitpid(child, NULL, WNOHANG) == 0) {
            dataplane_control(loops.dataplane);
        }
        CHECK(loops_drive(&bystander, SHM_BULK, 0, 20, 4));
        kill(child, SIGKILL);
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFSIGNALED(status));
        CHECK(loops_drive(&bystander, SHM_CONTROL, 0, 20, 4));
        dataplane_control(loops.dataplane);
    }
    loops_join(&loops);
    shm_close(&bystander);
    loops_end(&loops);
    munmap((void *)steps, 4096);
}

/* ---- the other way round: the dataplane calls a node that dies and comes back ---- */

static void a_node_that_died_is_called_again(void)
{
    static struct loops loops;
    char path[128];
    snprintf(path, sizeof(path), "%s/peer", rig_directory);
    const char *const paths[] = {path};
    static const uint64_t ids[] = {9};
    struct dataplane_options options = rig_options(1, 1);
    options.node_id = 12;
    options.shm_peer_paths = paths;
    options.shm_peer_ids = ids;
    options.shm_peer_count = 1;
    loops.dataplane = rig_create(&loops.arena, &options);
    struct consensus_end *end = dataplane_consensus_end(loops.dataplane, 0);
    for (unsigned round = 0; round < 3; round++) {
        pid_t child = fork();
        if (child == 0) {
            struct shm_channel channel;
            int listen_fd = shm_listen(path);
            struct pollfd waiting = {.fd = listen_fd, .events = POLLIN};
            int error;
            poll(&waiting, 1, 5000);
            if (shm_accept(listen_fd, RIG_CLUSTER, &channel, &error) != SHM_GOOD ||
                channel.peer.node_id != 12) {
                _exit(1);
            }
            struct rig_message message;
            _exit(loops_client_wait(&channel, SHM_CONTROL, &message) && message.number == round ? 0 : 2);
        }
        struct frame_descriptor frame;
        uint32_t frame_bytes_max;
        while (!consensus_end_begin(end, 9, NULL, 0, &frame, &frame_bytes_max)) {
            dataplane_control(loops.dataplane);
            dataplane_core_poll(loops.dataplane, 0, 128);
            sched_yield();
        }
        *(struct rig_message *)frame_message(&frame) = (struct rig_message){.number = round};
        consensus_end_send(end, &frame);
        dataplane_core_poll(loops.dataplane, 0, 128);
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK_EQUAL(status, 0);
        dataplane_control(loops.dataplane);
        dataplane_core_poll(loops.dataplane, 0, 128);
        CHECK(!consensus_end_begin(end, 9, NULL, 0, &frame, &frame_bytes_max));
    }
    rig_destroy(loops.dataplane, &loops.arena);
}

static const struct test_case cases[] = {
    {"clients killed under traffic leave the others alone", kills_leave_the_others_alone},
    {"a node that died is called again", a_node_that_died_is_called_again},
};

int main(void)
{
    loops_eal_start();
    int status = test_main(cases, sizeof(cases) / sizeof(cases[0]));
    rig_eal_stop();
    return status;
}
