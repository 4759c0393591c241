/* SPDX-License-Identifier: Apache-2.0 */
/* The two real transports, against a node played by this process. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "client_watcher.h"
#include "echo_node.h"
#include "shm_channel.h"

#define SECOND 1000000000ull

static struct tally_client *open_at(const char *address, struct watcher *watcher)
{
    struct tally_endpoint endpoint = {1, address};
    struct tally_options options = {.quorum = FAKE_QUORUM, .endpoints = &endpoint, .endpoint_count = 1};
    char error_text[256] = "";
    struct tally_client *client = tally_open(&options, watch, watcher, error_text);
    CHECK_STRING(error_text, "");
    return client;
}

static void udp_carries_frames(void)
{
    static struct echo_node node;
    echo_start_udp(&node);
    struct watcher watcher = {.next_index = 1};
    struct tally_client *client = open_at(node.address, &watcher);
    uint64_t sequence;
    for (uint64_t value = 1; value <= 500; value++) {
        CHECK_EQUAL(publish_value(client, value, &sequence), TALLY_OK);
    }
    while (tally_in_flight(client) > 0) {
        tally_poll(client);
        tally_wait(client, SECOND);
    }
    CHECK_EQUAL(watcher.committed, 500);
    CHECK(!watcher.is_broken);
    tally_close(client);
    echo_stop_udp(&node);
}

/* A node's process: takes `connection_count` clients one after the other; closes on the first after one
 * commit. */
struct shm_node {
    int listen_fd;
    uint32_t connection_count;
    _Atomic bool stop;
};

static struct shm_channel channel;

static void send_shm(struct echo_node *echo, const uint8_t *frame, uint32_t frame_bytes)
{
    (void)echo;
    uint32_t capacity;
    uint8_t *place = shm_send_begin(&channel, SHM_CONTROL, &capacity);
    if (place) {
        memcpy(place, frame, frame_bytes);
        shm_send_commit(&channel, SHM_CONTROL, frame_bytes);
    }
}

static void serve(struct shm_node *node, struct echo_node *echo, uint64_t last_sequence)
{
    while (!atomic_load(&node->stop) && !shm_is_closed(&channel) && echo->sequence < last_sequence) {
        bool worked = false;
        for (unsigned lane = 0; lane < 2; lane++) {
            uint32_t frame_bytes;
            const uint8_t *frame = shm_receive_begin(&channel, (enum shm_lane)lane, &frame_bytes);
            if (frame) {
                echo_receive(echo, frame, frame_bytes);
                shm_receive_end(&channel, (enum shm_lane)lane);
                worked = true;
            }
        }
        if (!worked) {
            sched_yield();
        }
    }
}

static void *run_node(void *argument)
{
    struct shm_node *node = argument;
    static struct echo_node echo;
    echo_init(&echo);
    echo.send = send_shm;
    while (!atomic_load(&node->stop)) {
        int error;
        struct pollfd waiting = {.fd = node->listen_fd, .events = POLLIN};
        poll(&waiting, 1, 10);
        if (shm_accept(node->listen_fd, 77, &channel, &error) != SHM_GOOD) {
            continue;
        }
        serve(node, &echo, node->connection_count++ == 0 ? 1 : UINT64_MAX);
        shm_close(&channel);
    }
    echo_fini(&echo);
    return NULL;
}

static void shm_carries_frames_and_comes_back(void)
{
    char directory[] = "/tmp/tally-client-XXXXXX";
    CHECK(mkdtemp(directory) != NULL);
    char path[64];
    char text[80];
    snprintf(path, sizeof(path), "%s/1.sock", directory);
    snprintf(text, sizeof(text), "shm:%s", path);
    struct shm_node node = {.listen_fd = shm_listen(path)};
    CHECK(node.listen_fd >= 0);
    pthread_t thread;
    CHECK_EQUAL(pthread_create(&thread, NULL, run_node, &node), 0);
    struct watcher watcher = {0};
    struct tally_client *client = open_at(text, &watcher);
    uint64_t sequence;
    for (uint64_t value = 1; value <= 500; value++) { /* the node hangs up on us after the first frame */
        CHECK_EQUAL(publish_value(client, value, &sequence), TALLY_OK);
        while (value == 1 && tally_in_flight(client) > 0) {
            tally_poll(client);
            tally_wait(client, SECOND);
        }
    }
    while (tally_in_flight(client) > 0) {
        tally_poll(client);
        tally_wait(client, SECOND);
    }
    atomic_store(&node.stop, true);
    pthread_join(thread, NULL);
    CHECK_EQUAL(watcher.committed, 500);
    CHECK_EQUAL(node.connection_count, 2);
    CHECK(!watcher.is_broken);
    tally_close(client);
    close(node.listen_fd);
    unlink(path);
    rmdir(directory);
}

static void check_refused(const struct tally_options *options, const char *expected)
{
    char error_text[256] = "";
    CHECK(tally_open(options, watch, NULL, error_text) == NULL);
    CHECK(strstr(error_text, expected) != NULL);
}

static void bad_options_are_explained(void)
{
    struct tally_endpoint good = {1, "shm:/tmp/x"};
    struct tally_endpoint twice[2] = {good, good};
    check_refused(&(struct tally_options){.endpoints = &good, .endpoint_count = 1}, "name");
    check_refused(&(struct tally_options){.quorum = "a/b", .endpoints = &good, .endpoint_count = 1}, "name");
    check_refused(&(struct tally_options){.quorum = "a", .endpoints = &good}, "endpoints");
    check_refused(&(struct tally_options){.quorum = "a", .endpoints = twice, .endpoint_count = 2},
                  "endpoint 2");
    static const char *const bad[] = {"",
                                      "tcp:1.2.3.4:5",
                                      "shm:",
                                      "udp:",
                                      "udp:1.2.3",
                                      "udp:1.2.3.4:",
                                      "udp:1.2.3.4:0",
                                      "udp:1.2.3.4:65536",
                                      "udp:1.2.3.4:80x",
                                      "udp:1.2.3.4.5.6.7.8.9.10"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct tally_endpoint endpoint = {1, bad[i]};
        check_refused(&(struct tally_options){.quorum = "a", .endpoints = &endpoint, .endpoint_count = 1},
                      "endpoint 1");
    }
}

static void nobody_there_is_told(void)
{
    struct watcher watcher = {0};
    struct tally_client *client = open_at("shm:/nonexistent/1.sock", &watcher);
    uint64_t sequence;
    CHECK_EQUAL(publish_value(client, 1, &sequence), TALLY_OK);
    while (watcher.problem_count == 0) {
        tally_poll(client);
        tally_wait(client, SECOND);
    }
    CHECK_EQUAL(watcher.problem, TALLY_UNREACHABLE);
    CHECK_EQUAL(tally_in_flight(client), 1);
    tally_close(client);
}

static const struct test_case cases[] = {
    {"UDP carries frames, both ways", udp_carries_frames},
    {"shared memory carries frames, and a client comes back when the node hung up",
     shm_carries_frames_and_comes_back},
    {"bad options are explained", bad_options_are_explained},
    {"that nobody is there is told", nobody_there_is_told},
};

TEST_MAIN(cases)
