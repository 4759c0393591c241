/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends of a channel in one process, over a socket in a directory of the test's own. */
#ifndef TALLY_SHM_PAIR_H
#define TALLY_SHM_PAIR_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm_channel.h"
#include "test.h"

#define PAIR_CLUSTER 77

struct shm_pair {
    char directory[64];
    char path[96];
    int listen_fd;
    struct shm_channel node;   /* side 0 */
    struct shm_channel client; /* side 1 */
};

struct pair_connect {
    const char *path;
    struct shm_hello hello;
    struct shm_channel *channel;
    int error;
};

static inline void *pair_connect_run(void *argument)
{
    struct pair_connect *connect = argument;
    connect->error = shm_connect(connect->path, &connect->hello, 5000, connect->channel);
    return NULL;
}

static inline void pair_listen(struct shm_pair *pair)
{
    snprintf(pair->directory, sizeof(pair->directory), "/tmp/tally-shm-XXXXXX");
    CHECK(mkdtemp(pair->directory) != NULL);
    snprintf(pair->path, sizeof(pair->path), "%s/socket", pair->directory);
    pair->listen_fd = shm_listen(pair->path);
    CHECK(pair->listen_fd >= 0);
}

/* Says `hello` from a thread of its own; the listener's verdict, and what connecting returned. */
static inline enum shm_verdict pair_try(struct shm_pair *pair, struct shm_hello hello, int *ret_connect_error)
{
    struct pair_connect connect = {.path = pair->path, .hello = hello, .channel = &pair->client};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, pair_connect_run, &connect) == 0);
    struct pollfd waiting = {.fd = pair->listen_fd, .events = POLLIN};
    poll(&waiting, 1, 5000);
    int error;
    enum shm_verdict verdict = shm_accept(pair->listen_fd, PAIR_CLUSTER, &pair->node, &error);
    pthread_join(thread, NULL);
    *ret_connect_error = connect.error;
    return verdict;
}

static inline void pair_open(struct shm_pair *pair)
{
    pair_listen(pair);
    int error;
    CHECK_EQUAL(pair_try(pair, (struct shm_hello){0}, &error), SHM_GOOD);
    CHECK_EQUAL(error, 0);
}

static inline void pair_unlisten(struct shm_pair *pair)
{
    close(pair->listen_fd);
    unlink(pair->path);
    rmdir(pair->directory);
}

static inline void pair_close(struct shm_pair *pair)
{
    shm_close(&pair->node);
    shm_close(&pair->client);
    pair_unlisten(pair);
}

static inline bool pair_send(struct shm_channel *channel, enum shm_lane lane, const void *bytes,
                             uint32_t count)
{
    uint32_t capacity;
    uint8_t *place = shm_send_begin(channel, lane, &capacity);
    if (place == NULL) {
        return false;
    }
    CHECK(count <= capacity);
    memcpy(place, bytes, count);
    shm_send_commit(channel, lane, count);
    return true;
}

#endif
