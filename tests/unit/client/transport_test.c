/* SPDX-License-Identifier: Apache-2.0 */
/* The two real transports, against a node played by this process. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shm_channel.h"
#include "watcher.h"

#define SECOND 1000000000ull

/* A node that leads and commits at once what it is sent. */
struct echo {
    struct frame_codec *codec;
    uint64_t sequence;
};

/* The answer to a frame, in `buffer`; its size, 0: no answer. */
static uint32_t answer(struct echo *echo, const uint8_t *frame, uint32_t frame_bytes, uint8_t *ret_frame)
{
    struct message message;
    const uint8_t *tail;
    uint32_t tail_bytes;
    if (frame_decode(echo->codec, frame, frame_bytes, &message, &tail, &tail_bytes) != FRAME_GOOD ||
        message.kind != MESSAGE_PUBLISH) {
        return 0;
    }
    if (message.publish.first_source_sequence == echo->sequence + 1) {
        echo->sequence += message.publish.entry_count;
    }
    struct message reply = {.kind = MESSAGE_PUBLISH_REPLY,
                            .in_reply = 1,
                            .message_id = message.message_id,
                            .sender_id = 1,
                            .quorum_number = FAKE_QUORUM_NUMBER};
    reply.publish_reply = (struct publish_reply){.source_id = message.publish.source_id,
                                                 .leader_id = 1,
                                                 .term = 1,
                                                 .wanted_source_sequence = echo->sequence + 1,
                                                 .logged_source_sequence = echo->sequence,
                                                 .logged_index = echo->sequence,
                                                 .committed_source_sequence = echo->sequence,
                                                 .committed_index = echo->sequence};
    uint8_t buffer[CLIENT_HEAD_ROOM];
    uint8_t *begin = frame_encode_before(echo->codec, &reply, 1, buffer + sizeof(buffer), 0);
    uint32_t bytes = (uint32_t)(buffer + sizeof(buffer) - begin);
    memcpy(ret_frame, begin, bytes);
    return bytes;
}

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
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t address_bytes = sizeof(address);
    CHECK_EQUAL(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_EQUAL(getsockname(fd, (struct sockaddr *)&address, &address_bytes), 0);
    char text[64];
    snprintf(text, sizeof(text), "udp:127.0.0.1:%u", ntohs(address.sin_port));
    struct arena arena;
    arena_init(&arena);
    struct echo echo = {.codec = frame_codec_create(&arena)};
    struct watcher watcher = {0};
    struct tally_client *client = open_at(text, &watcher);
    uint64_t sequence;
    for (uint64_t value = 1; value <= 500; value++) {
        CHECK_EQUAL(publish_value(client, value, &sequence), TALLY_OK);
    }
    while (tally_in_flight(client) > 0) {
        uint8_t frame[FRAME_BYTES_MAX];
        struct sockaddr_in from;
        socklen_t from_bytes = sizeof(from);
        tally_poll(client);
        ssize_t bytes;
        while ((bytes = recvfrom(fd, frame, sizeof(frame), MSG_DONTWAIT, (struct sockaddr *)&from,
                                 &from_bytes)) > 0) {
            CHECK(bytes <= 1472);
            uint8_t reply[CLIENT_HEAD_ROOM];
            uint32_t reply_bytes = answer(&echo, frame, (uint32_t)bytes, reply);
            CHECK(reply_bytes > 0);
            sendto(fd, reply, reply_bytes, 0, (struct sockaddr *)&from, from_bytes);
        }
        tally_wait(client, MS);
    }
    CHECK_EQUAL(watcher.committed, 500);
    CHECK(!watcher.is_broken);
    tally_close(client);
    arena_fini(&arena);
    close(fd);
}

/* A node's process: takes `connection_count` clients one after the other; closes on the first after one
 * commit. */
struct shm_node {
    int listen_fd;
    uint32_t connection_count;
    struct frame_codec *codec;
    _Atomic bool stop;
};

static void serve(struct shm_node *node, struct shm_channel *channel, struct echo *echo,
                  uint64_t last_sequence)
{
    while (!atomic_load(&node->stop) && !shm_is_closed(channel)) {
        uint32_t frame_bytes;
        bool worked = false;
        for (unsigned lane = 0; lane < 2; lane++) {
            const uint8_t *frame = shm_receive_begin(channel, (enum shm_lane)lane, &frame_bytes);
            if (!frame) {
                continue;
            }
            uint8_t reply[CLIENT_HEAD_ROOM];
            uint32_t reply_bytes = answer(echo, frame, frame_bytes, reply);
            shm_receive_end(channel, (enum shm_lane)lane);
            uint32_t capacity;
            uint8_t *place = reply_bytes ? shm_send_begin(channel, SHM_CONTROL, &capacity) : NULL;
            if (place) {
                memcpy(place, reply, reply_bytes);
                shm_send_commit(channel, SHM_CONTROL, reply_bytes);
            }
            worked = true;
        }
        if (echo->sequence >= last_sequence) {
            return;
        }
        if (!worked) {
            sched_yield();
        }
    }
}

static void *run_node(void *argument)
{
    struct shm_node *node = argument;
    struct echo echo = {.codec = node->codec};
    while (!atomic_load(&node->stop)) {
        struct shm_channel channel;
        int error;
        struct pollfd waiting = {.fd = node->listen_fd, .events = POLLIN};
        poll(&waiting, 1, 10);
        if (shm_accept(node->listen_fd, 77, &channel, &error) != SHM_GOOD) {
            continue;
        }
        serve(node, &channel, &echo, node->connection_count++ == 0 ? 1 : UINT64_MAX);
        shm_close(&channel);
    }
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
    struct arena arena;
    arena_init(&arena);
    struct shm_node node = {.codec = frame_codec_create(&arena), .listen_fd = shm_listen(path)};
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
    arena_fini(&arena);
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
