/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <rte_ring.h>

#include "bounds.h"
#include "shm_memory.h"
#include "shm_pair.h"

static void frames_pass_both_ways(void)
{
    struct shm_pair pair;
    pair_open(&pair);
    uint32_t bytes;
    CHECK(shm_receive_begin(&pair.node, SHM_BULK, &bytes) == NULL);
    CHECK(pair_send(&pair.client, SHM_BULK, "to the node", 12));
    CHECK(pair_send(&pair.node, SHM_CONTROL, "to the client", 14));
    const uint8_t *frame = shm_receive_begin(&pair.node, SHM_BULK, &bytes);
    CHECK(frame != NULL);
    CHECK_EQUAL(bytes, 12);
    CHECK_STRING((const char *)frame, "to the node");
    shm_receive_end(&pair.node, SHM_BULK);
    CHECK(shm_receive_begin(&pair.node, SHM_BULK, &bytes) == NULL);
    CHECK(shm_receive_begin(&pair.client, SHM_BULK, &bytes) == NULL);
    frame = shm_receive_begin(&pair.client, SHM_CONTROL, &bytes);
    CHECK(frame != NULL);
    CHECK_EQUAL(bytes, 14);
    CHECK_STRING((const char *)frame, "to the client");
    shm_receive_end(&pair.client, SHM_CONTROL);
    pair_close(&pair);
}

static void the_largest_frame_arrives_whole(void)
{
    struct shm_pair pair;
    pair_open(&pair);
    static uint8_t large[FRAME_BYTES_MAX];
    for (uint32_t i = 0; i < sizeof(large); i++) {
        large[i] = (uint8_t)(i * 31);
    }
    CHECK(pair_send(&pair.client, SHM_BULK, large, sizeof(large)));
    uint32_t bytes;
    const uint8_t *frame = shm_receive_begin(&pair.node, SHM_BULK, &bytes);
    CHECK(frame != NULL);
    CHECK_EQUAL(bytes, sizeof(large));
    CHECK_BYTES(frame, large, sizeof(large));
    pair_close(&pair);
}

static void a_begun_frame_is_not_seen_before_its_commit(void)
{
    struct shm_pair pair;
    pair_open(&pair);
    uint32_t capacity;
    uint32_t bytes;
    uint8_t *place = shm_send_begin(&pair.client, SHM_CONTROL, &capacity);
    CHECK(place != NULL);
    CHECK_EQUAL(capacity, SHM_CONTROL_BYTES - 4);
    CHECK(shm_send_begin(&pair.client, SHM_CONTROL, &capacity) == place);
    CHECK(shm_receive_begin(&pair.node, SHM_CONTROL, &bytes) == NULL);
    shm_send_commit(&pair.client, SHM_CONTROL, 0);
    CHECK(shm_receive_begin(&pair.node, SHM_CONTROL, &bytes) != NULL);
    CHECK_EQUAL(bytes, 0);
    pair_close(&pair);
}

static void a_full_ring_refuses_and_keeps_order_round_and_round(void)
{
    struct shm_pair pair;
    pair_open(&pair);
    uint32_t sent = 0;
    uint32_t received = 0;
    for (int round = 0; round < 5; round++) {
        uint32_t in_ring = 0;
        while (pair_send(&pair.client, SHM_CONTROL, &sent, sizeof(sent))) {
            sent++;
            in_ring++;
        }
        CHECK_EQUAL(in_ring, SHM_CONTROL_COUNT - 1);
        CHECK(pair_send(&pair.client, SHM_BULK, "x", 1));
        uint32_t bytes;
        const uint8_t *frame;
        while ((frame = shm_receive_begin(&pair.node, SHM_CONTROL, &bytes)) != NULL) {
            uint32_t value;
            memcpy(&value, frame, sizeof(value));
            CHECK_EQUAL(value, received);
            received++;
            shm_receive_end(&pair.node, SHM_CONTROL);
        }
        CHECK(shm_receive_begin(&pair.node, SHM_BULK, &bytes) != NULL);
        shm_receive_end(&pair.node, SHM_BULK);
    }
    CHECK_EQUAL(received, sent);
    pair_close(&pair);
}

static void a_length_out_of_the_place_is_clamped(void)
{
    struct shm_pair pair;
    pair_open(&pair);
    CHECK(pair_send(&pair.client, SHM_CONTROL, "x", 1));
    uint32_t bytes;
    const uint8_t *frame = shm_receive_begin(&pair.node, SHM_CONTROL, &bytes);
    CHECK(frame != NULL);
    uint32_t wrong = 0xFFFFFFFFu;
    memcpy(pair.client.send[SHM_CONTROL].places, &wrong, sizeof(wrong));
    CHECK(shm_receive_begin(&pair.node, SHM_CONTROL, &bytes) == frame);
    CHECK_EQUAL(bytes, SHM_CONTROL_BYTES - 4);
    pair_close(&pair);
}

static void a_damaged_ring_gives_no_frame_and_counts_as_closed(void)
{
    for (int damage = 0; damage < 2; damage++) {
        struct shm_pair pair;
        pair_open(&pair);
        CHECK(pair_send(&pair.client, SHM_BULK, "x", 1));
        CHECK(!shm_is_closed(&pair.node));
        struct rte_ring *ring = pair.client.send[SHM_BULK].ring;
        if (damage == 0) {
            ring->mask = 0xFFFFFFFFu;
            ring->prod.tail = 0x1001u;
            ring->cons.head = 0x1000u;
        } else {
            ring->cons.sync_type = RTE_RING_SYNC_MT_HTS;
        }
        uint32_t bytes;
        CHECK(shm_receive_begin(&pair.node, SHM_BULK, &bytes) == NULL);
        CHECK(shm_is_closed(&pair.node));
        pair_close(&pair);
    }
}

static void the_end_of_the_other_side_is_seen(void)
{
    struct shm_pair pair;
    pair_open(&pair);
    CHECK(pair_send(&pair.client, SHM_BULK, "last words", 11));
    CHECK(!shm_is_closed(&pair.node));
    CHECK(!shm_is_closed(&pair.client));
    shm_close(&pair.client);
    CHECK(shm_is_closed(&pair.node));
    uint32_t bytes;
    CHECK(shm_receive_begin(&pair.node, SHM_BULK, &bytes) != NULL);
    shm_receive_end(&pair.node, SHM_BULK);
    CHECK(pair_send(&pair.node, SHM_BULK, "into the void", 14));
    pair_close(&pair);
}

static void a_hello_is_judged(void)
{
    struct shm_pair pair;
    pair_listen(&pair);
    int error;
    CHECK_EQUAL(pair_try(&pair, (struct shm_hello){.cluster_id = 1, .node_id = 3}, &error),
                SHM_OTHER_CLUSTER);
    CHECK_EQUAL(error, -EPROTO);
    CHECK_EQUAL(pair_try(&pair, (struct shm_hello){.node_id = 3}, &error), SHM_OTHER_CLUSTER);
    CHECK_EQUAL(error, -EPROTO);
    CHECK_EQUAL(pair_try(&pair, (struct shm_hello){.cluster_id = PAIR_CLUSTER, .node_id = 3}, &error),
                SHM_GOOD);
    CHECK_EQUAL(error, 0);
    CHECK_EQUAL(pair.node.peer.node_id, 3);
    CHECK_EQUAL(pair.client.peer.cluster_id, PAIR_CLUSTER);
    pair_close(&pair);
}

/* A stranger that sends `bytes` (none: says nothing and leaves). */
static enum shm_verdict stranger_judge(struct shm_pair *pair, const void *bytes, size_t byte_count)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", pair->path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    if (byte_count > 0) {
        CHECK(send(fd, bytes, byte_count, 0) == (ssize_t)byte_count);
    } else {
        close(fd);
    }
    int error;
    enum shm_verdict verdict = shm_accept(pair->listen_fd, PAIR_CLUSTER, &pair->node, &error);
    if (byte_count > 0) {
        close(fd);
    }
    return verdict;
}

static void strangers_are_refused(void)
{
    struct shm_pair pair;
    pair_listen(&pair);
    int error;
    CHECK_EQUAL(shm_accept(pair.listen_fd, PAIR_CLUSTER, &pair.node, &error), SHM_ERROR);
    CHECK_EQUAL(error, -EAGAIN);
    CHECK_EQUAL(stranger_judge(&pair, "", 0), SHM_BAD_HELLO);
    CHECK_EQUAL(stranger_judge(&pair, "GET / HTTP/1.1", 14), SHM_BAD_HELLO);
    struct shm_hello hello = {.magic = SHM_MAGIC, .version = SHM_VERSION + 1};
    CHECK_EQUAL(stranger_judge(&pair, &hello, sizeof(hello)), SHM_OTHER_VERSION);
    hello.version = SHM_VERSION;
    hello.zero = 1;
    CHECK_EQUAL(stranger_judge(&pair, &hello, sizeof(hello)), SHM_BAD_HELLO);
    pair_unlisten(&pair);
}

static void a_listener_without_room_says_so(void)
{
    struct shm_pair pair;
    pair_listen(&pair);
    struct pair_connect connect = {.path = pair.path, .channel = &pair.client};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, pair_connect_run, &connect) == 0);
    struct pollfd waiting = {.fd = pair.listen_fd, .events = POLLIN};
    poll(&waiting, 1, 5000);
    shm_refuse(pair.listen_fd);
    pthread_join(thread, NULL);
    CHECK_EQUAL(connect.error, -EBUSY);
    pair_unlisten(&pair);
}

static void a_stale_socket_is_replaced_and_a_live_one_is_not(void)
{
    struct shm_pair pair;
    pair_listen(&pair);
    CHECK_EQUAL(shm_listen(pair.path), -EADDRINUSE);
    close(pair.listen_fd);
    struct shm_channel channel;
    CHECK_EQUAL(shm_connect(pair.path, &(struct shm_hello){0}, 100, &channel), -ECONNREFUSED);
    pair.listen_fd = shm_listen(pair.path);
    CHECK(pair.listen_fd >= 0);
    pair_unlisten(&pair);
    CHECK_EQUAL(shm_connect(pair.path, &(struct shm_hello){0}, 100, &channel), -ENOENT);
}

/* Descriptors the connecting side must not map. */
static void memory_that_could_shrink_is_refused(void)
{
    struct shm_channel channel = {0};
    int fd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(ftruncate(fd, (off_t)shm_memory_bytes()) == 0);
    CHECK_EQUAL(shm_memory_map(fd, 1, &channel), -EPROTO);
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
    /* sealed, but all zeros: not our layout */
    CHECK_EQUAL(shm_memory_map(fd, 1, &channel), -EPROTO);
    close(fd);
    fd = memfd_create("small", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(ftruncate(fd, 4096) == 0);
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
    CHECK_EQUAL(shm_memory_map(fd, 1, &channel), -EPROTO);
    close(fd);
    fd = shm_memory_create();
    CHECK(fd >= 0);
    CHECK(ftruncate(fd, 4096) != 0);
    CHECK_EQUAL(shm_memory_map(fd, 1, &channel), 0);
    munmap(channel.memory, channel.memory_bytes);
    close(fd);
}

static bool event_is_rung(const struct shm_channel *channel)
{
    struct pollfd event = {.fd = channel->own_event_fd, .events = POLLIN};
    return poll(&event, 1, 0) == 1;
}

static void only_a_sleeper_is_woken_and_once(void)
{
    struct shm_pair pair;
    pair_open(&pair);
    CHECK(pair_send(&pair.client, SHM_CONTROL, "x", 1));
    CHECK(!event_is_rung(&pair.node));
    shm_set_sleeping(&pair.node, true);
    CHECK(!event_is_rung(&pair.node));
    CHECK(pair_send(&pair.client, SHM_CONTROL, "x", 1));
    CHECK(event_is_rung(&pair.node));
    shm_set_sleeping(&pair.node, false);
    CHECK(!event_is_rung(&pair.node));
    CHECK(pair_send(&pair.client, SHM_CONTROL, "x", 1));
    CHECK(!event_is_rung(&pair.node));
    /* a ring that comes late, for a sleep that time has ended, spoils one sleep and not all that follow */
    uint64_t one = 1;
    CHECK(write(pair.client.other_event_fd, &one, sizeof(one)) == sizeof(one));
    shm_set_sleeping(&pair.node, true);
    CHECK(event_is_rung(&pair.node));
    shm_set_sleeping(&pair.node, false);
    shm_set_sleeping(&pair.node, true);
    CHECK(!event_is_rung(&pair.node));
    pair_close(&pair);
}

static const struct test_case cases[] = {
    {"frames pass both ways, each lane for itself", frames_pass_both_ways},
    {"the largest frame arrives whole", the_largest_frame_arrives_whole},
    {"a begun frame is not seen before its commit", a_begun_frame_is_not_seen_before_its_commit},
    {"a full ring refuses, leaves the other lane alone and keeps order",
     a_full_ring_refuses_and_keeps_order_round_and_round},
    {"a length out of the place is clamped", a_length_out_of_the_place_is_clamped},
    {"a damaged ring gives no frame and counts as closed",
     a_damaged_ring_gives_no_frame_and_counts_as_closed},
    {"the end of the other side is seen, its last frames stay readable", the_end_of_the_other_side_is_seen},
    {"a hello of another cluster is refused, one of ours is taken", a_hello_is_judged},
    {"a silent stranger, garbage and another version are refused", strangers_are_refused},
    {"a listener without room says so", a_listener_without_room_says_so},
    {"a stale socket is replaced and a live one is not", a_stale_socket_is_replaced_and_a_live_one_is_not},
    {"memory of the wrong size, seals or layout is not mapped", memory_that_could_shrink_is_refused},
    {"only a sleeper is woken, and once", only_a_sleeper_is_woken_and_once},
};

TEST_MAIN(cases)
