/* SPDX-License-Identifier: Apache-2.0 */
/* Two threads hand one frame to and fro, each sleeping without a time limit worth mentioning between its
 * turns: a single lost wake would let a wait run out. */
#include <sched.h>

#include "shm_pair.h"

#define ROUNDS      20000
#define WAIT_MAX_MS 10000

struct player {
    struct shm_channel *channel;
    bool first;
    bool lost; /* a wait ran out */
    uint32_t count;
};

/* A moment that differs from round to round, so that frames come before, at and after the flag is set. */
static void moment_pass(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    for (volatile uint32_t i = *state >> 22; i > 0; i = i - 1) {
    }
    if (*state >> 28 == 0) {
        sched_yield();
    }
}

/* Sleeps until a frame is there. */
static bool frame_wait(struct shm_channel *channel, uint32_t *random, uint32_t *ret_value)
{
    uint32_t bytes;
    const uint8_t *frame;
    while ((frame = shm_receive_begin(channel, SHM_CONTROL, &bytes)) == NULL) {
        moment_pass(random);
        shm_set_sleeping(channel, true);
        frame = shm_receive_begin(channel, SHM_CONTROL, &bytes);
        int ready = 1;
        if (frame == NULL) {
            struct pollfd event = {.fd = channel->own_event_fd, .events = POLLIN};
            ready = poll(&event, 1, WAIT_MAX_MS);
        }
        shm_set_sleeping(channel, false);
        if (ready == 0) {
            return false;
        }
    }
    memcpy(ret_value, frame, sizeof(*ret_value));
    shm_receive_end(channel, SHM_CONTROL);
    return true;
}

static void value_send(struct shm_channel *channel, uint32_t value)
{
    uint32_t capacity;
    uint8_t *place = shm_send_begin(channel, SHM_CONTROL, &capacity);
    memcpy(place, &value, sizeof(value));
    shm_send_commit(channel, SHM_CONTROL, sizeof(value));
}

static void *player_run(void *argument)
{
    struct player *player = argument;
    if (player->first) {
        value_send(player->channel, 0);
    }
    uint32_t value = 0;
    uint32_t random = player->first ? 1 : 2;
    while (value < ROUNDS) {
        if (!frame_wait(player->channel, &random, &value)) {
            player->lost = true;
            return NULL;
        }
        player->count++;
        moment_pass(&random);
        value_send(player->channel, value + 1);
    }
    return NULL;
}

static void no_wake_is_lost(void)
{
    struct shm_pair pair;
    pair_open(&pair);
    struct player node = {.channel = &pair.node, .first = true};
    struct player client = {.channel = &pair.client};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, player_run, &client) == 0);
    player_run(&node);
    pthread_join(thread, NULL);
    CHECK(!node.lost);
    CHECK(!client.lost);
    CHECK(node.count + client.count >= ROUNDS);
    pair_close(&pair);
}

static const struct test_case cases[] = {
    {"two sleepers hand a frame to and fro and no wake is lost", no_wake_is_lost},
};

TEST_MAIN(cases)
