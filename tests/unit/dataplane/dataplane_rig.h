/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the dataplane share: EAL without huge pages and root in a directory of the test's own, a
 * codec of a few bytes, and a client that connects from the same process. */
#ifndef TALLY_DATAPLANE_RIG_H
#define TALLY_DATAPLANE_RIG_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "bytes.h"
#include "dataplane.h"
#include "dataplane_rig_codec.h"
#include "lcore.h"
#include "shm_channel.h"
#include "test.h"

#define RIG_CLUSTER 7
#define RIG_NODE    1

static const char *const *rig_devices;
static unsigned rig_device_count;
static char rig_directory[64];
static char rig_socket[96];

/* Once in a program, before its cases. */
static inline void rig_eal_start(const struct lcore_options *lcores, unsigned lcore_count)
{
    static char name[32];
    snprintf(rig_directory, sizeof(rig_directory), "/tmp/tally-rig-XXXXXX");
    if (mkdtemp(rig_directory) == NULL) {
        exit(1);
    }
    snprintf(rig_socket, sizeof(rig_socket), "%s/socket", rig_directory);
    snprintf(name, sizeof(name), "rig%d", (int)getpid());
    struct eal_options options = {
        .name = name,
        .memory_mib = 64,
        .runtime_dir = rig_directory,
        .devices = rig_devices,
        .device_count = rig_device_count,
        .lcores = lcores,
        .lcore_count = lcore_count,
    };
    char error_text[256];
    if (eal_start(&options, error_text) != 0) {
        printf("Bail out! %s\n", error_text);
        exit(1);
    }
}

static inline void rig_eal_stop(void)
{
    eal_stop();
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", rig_directory);
    if (system(command) != 0) {
        printf("# %s stays\n", rig_directory);
    }
}

static inline struct dataplane_options rig_options(unsigned core_count, unsigned consensus_count)
{
    return (struct dataplane_options){
        .cluster_id = RIG_CLUSTER,
        .node_id = RIG_NODE,
        .core_count = core_count,
        .consensus_count = consensus_count,
        .mbuf_count = 512,
        .shm_path = rig_socket,
        .codec = rig_codec,
    };
}

static inline struct dataplane *rig_create(struct arena *arena, const struct dataplane_options *options)
{
    struct dataplane *dataplane = NULL;
    char error_text[256] = "";
    arena_init(arena);
    if (dataplane_create(arena, options, &dataplane, error_text) != 0) {
        printf("# %s\n", error_text);
    }
    CHECK(dataplane != NULL);
    return dataplane;
}

static inline void rig_destroy(struct dataplane *dataplane, struct arena *arena)
{
    dataplane_fini(dataplane);
    arena_fini(arena);
}

/* ---- a client or another node on the same host ---- */

struct rig_connect {
    struct shm_hello hello;
    struct shm_channel *channel;
    int error;
    _Atomic bool done;
};

static inline void *rig_connect_run(void *argument)
{
    struct rig_connect *connect = argument;
    connect->error = shm_connect(rig_socket, &connect->hello, 5000, connect->channel);
    atomic_store(&connect->done, true);
    return NULL;
}

static inline int rig_connect(struct dataplane *dataplane, uint64_t node_id, struct shm_channel *ret_channel)
{
    struct rig_connect connect = {.channel = ret_channel};
    connect.hello.cluster_id = node_id == 0 ? 0 : RIG_CLUSTER;
    connect.hello.node_id = node_id;
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, rig_connect_run, &connect) == 0);
    while (!atomic_load(&connect.done)) {
        dataplane_control(dataplane);
    }
    pthread_join(thread, NULL);
    return connect.error;
}

static inline bool rig_client_send(struct shm_channel *channel, const struct rig_message *message,
                                   const void *tail, uint32_t tail_bytes)
{
    uint32_t capacity;
    uint8_t *place = shm_send_begin(channel, message->lane, &capacity);
    if (place == NULL) {
        return false;
    }
    memcpy(place + RIG_HEAD_BYTES, tail, tail_bytes);
    rig_encode(NULL, message, 0, place + RIG_HEAD_BYTES, tail_bytes);
    shm_send_commit(channel, message->lane, RIG_HEAD_BYTES + tail_bytes);
    return true;
}

static inline bool rig_client_receive(struct shm_channel *channel, enum shm_lane lane,
                                      struct rig_message *ret_message, uint32_t *ret_tail_bytes)
{
    uint32_t bytes;
    const uint8_t *frame = shm_receive_begin(channel, lane, &bytes);
    if (frame == NULL) {
        return false;
    }
    const uint8_t *tail;
    uint8_t frame_lane;
    uint64_t node_id;
    unsigned consensus_core;
    unsigned verdict = rig_decode(NULL, frame, bytes, ret_message, &tail, ret_tail_bytes, &frame_lane,
                                  &node_id, &consensus_core);
    shm_receive_end(channel, lane);
    return verdict == RIG_GOOD;
}

/* Answers every frame with the same number and tail down the channel it came from; returns how many. */
static inline unsigned rig_echo(struct consensus_end *end, unsigned max)
{
    unsigned work = 0;
    for (unsigned lane = 0; lane < 2; lane++) {
        struct frame_descriptor in[32];
        unsigned count = consensus_end_receive(end, lane, in, max < 32 ? max : 32);
        for (unsigned i = 0; i < count; i++) {
            struct frame_descriptor out;
            uint32_t frame_bytes_max;
            if (consensus_end_begin(end, in[i].node_id, &in[i].channel, lane, &out, &frame_bytes_max)) {
                memcpy(frame_message(&out), frame_message(&in[i]), sizeof(struct rig_message));
                memcpy(out.tail, in[i].tail, in[i].tail_bytes);
                out.tail_bytes = in[i].tail_bytes;
                consensus_end_send(end, &out);
            }
            frame_give(&in[i]);
        }
        work += count;
    }
    return work;
}

#endif
