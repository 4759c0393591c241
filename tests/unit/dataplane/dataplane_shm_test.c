/* SPDX-License-Identifier: Apache-2.0 */
/* The dataplane polled by hand, with clients and nodes on shared memory. */
#include <poll.h>

#include "dataplane_rig.h"

static void turn(struct dataplane *dataplane, unsigned core_count)
{
    for (unsigned core = 0; core < core_count; core++) {
        dataplane_core_poll(dataplane, core, 128);
    }
}

static void a_frame_reaches_its_core_and_the_answer_its_client(void)
{
    struct arena arena;
    struct dataplane_options options = rig_options(2, 2);
    struct dataplane *dataplane = rig_create(&arena, &options);
    struct shm_channel clients[3];
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQUAL(rig_connect(dataplane, 0, &clients[i]), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        struct rig_message message = {.lane = i & 1, .consensus_core = i & 1, .number = 100 + i};
        CHECK(rig_client_send(&clients[i], &message, "hello", 5));
    }
    turn(dataplane, 2);
    CHECK_EQUAL(rig_echo(dataplane_consensus_end(dataplane, 0), 32), 2);
    CHECK_EQUAL(rig_echo(dataplane_consensus_end(dataplane, 1), 32), 1);
    turn(dataplane, 2);
    for (unsigned i = 0; i < 3; i++) {
        struct rig_message message;
        uint32_t tail_bytes;
        CHECK(rig_client_receive(&clients[i], i & 1, &message, &tail_bytes));
        CHECK_EQUAL(message.number, 100 + i);
        CHECK_EQUAL(tail_bytes, 5);
        CHECK(!rig_client_receive(&clients[i], SHM_CONTROL, &message, &tail_bytes));
        shm_close(&clients[i]);
    }
    rig_destroy(dataplane, &arena);
}

static void frames_for_the_control_thread_go_to_its_end(void)
{
    struct arena arena;
    struct dataplane_options options = rig_options(1, 1);
    struct dataplane *dataplane = rig_create(&arena, &options);
    struct shm_channel client;
    CHECK_EQUAL(rig_connect(dataplane, 0, &client), 0);
    struct rig_message message = {.consensus_core = RIG_TO_CONTROL, .number = 5};
    CHECK(rig_client_send(&client, &message, "status", 6));
    struct pollfd bell = {.fd = dataplane_control_fd(dataplane), .events = POLLIN};
    dataplane_control(dataplane);
    CHECK_EQUAL(poll(&bell, 1, 0), 0);
    turn(dataplane, 1);
    CHECK_EQUAL(poll(&bell, 1, 0), 1);
    dataplane_control(dataplane);
    CHECK_EQUAL(poll(&bell, 1, 0), 0);
    CHECK_EQUAL(rig_echo(dataplane_consensus_end(dataplane, 0), 32), 0);
    CHECK_EQUAL(rig_echo(dataplane_control_end(dataplane), 32), 1);
    turn(dataplane, 1);
    uint32_t tail_bytes;
    CHECK(rig_client_receive(&client, SHM_CONTROL, &message, &tail_bytes));
    CHECK_EQUAL(message.number, 5);
    shm_close(&client);
    rig_destroy(dataplane, &arena);
}

static void a_long_control_frame_comes_among_the_bulk_ones(void)
{
    struct arena arena;
    struct dataplane_options options = rig_options(1, 1);
    struct dataplane *dataplane = rig_create(&arena, &options);
    struct shm_channel client;
    CHECK_EQUAL(rig_connect(dataplane, 3, &client), 0);
    struct frame_descriptor frame;
    uint32_t frame_bytes_max;
    struct consensus_end *end = dataplane_consensus_end(dataplane, 0);
    CHECK(consensus_end_begin(end, 3, NULL, 0, &frame, &frame_bytes_max));
    CHECK_EQUAL(frame_bytes_max, FRAME_BYTES_MAX);
    *(struct rig_message *)frame_message(&frame) = (struct rig_message){.number = 9};
    frame.tail_bytes = FRAME_BYTES_MAX - RIG_HEAD_BYTES;
    memset(frame.tail, 'x', frame.tail_bytes);
    consensus_end_send(end, &frame);
    turn(dataplane, 1);
    struct rig_message message;
    uint32_t tail_bytes;
    CHECK(rig_client_receive(&client, SHM_BULK, &message, &tail_bytes));
    CHECK_EQUAL(message.number, 9);
    CHECK_EQUAL(tail_bytes, FRAME_BYTES_MAX - RIG_HEAD_BYTES);
    shm_close(&client);
    rig_destroy(dataplane, &arena);
}

static void garbage_is_counted_by_its_verdict(void)
{
    struct arena arena;
    struct dataplane_options options = rig_options(1, 1);
    struct dataplane *dataplane = rig_create(&arena, &options);
    struct shm_channel client;
    CHECK_EQUAL(rig_connect(dataplane, 0, &client), 0);
    uint32_t capacity;
    for (uint32_t bytes = 0; bytes < 40; bytes++) {
        uint8_t *place = shm_send_begin(&client, SHM_BULK, &capacity);
        CHECK(place != NULL);
        memset(place, 0, bytes);
        if (bytes >= RIG_HEAD_BYTES) {
            store_le32(place + 4, bytes - RIG_HEAD_BYTES);
        }
        shm_send_commit(&client, SHM_BULK, bytes);
    }
    /* longer than any frame */
    CHECK(shm_send_begin(&client, SHM_BULK, &capacity) != NULL);
    shm_send_commit(&client, SHM_BULK, FRAME_BYTES_MAX + 1);
    turn(dataplane, 1);
    turn(dataplane, 1);
    const struct dataplane_counters *counters = dataplane_counters_of(dataplane, 0);
    CHECK_EQUAL(counters->verdicts[RIG_SHORT], RIG_HEAD_BYTES);
    CHECK_EQUAL(counters->verdicts[RIG_BAD_MAGIC], 40 - RIG_HEAD_BYTES);
    CHECK_EQUAL(counters->not_ours, 1);
    CHECK_EQUAL(rig_echo(dataplane_consensus_end(dataplane, 0), 32), 0);
    shm_close(&client);
    rig_destroy(dataplane, &arena);
}

static void control_passes_a_full_bulk_ring(void)
{
    struct arena arena;
    struct dataplane_options options = rig_options(1, 1);
    struct dataplane *dataplane = rig_create(&arena, &options);
    struct shm_channel client;
    CHECK_EQUAL(rig_connect(dataplane, 0, &client), 0);
    struct rig_message bulk = {.lane = 1};
    uint64_t sent = 0;
    const struct dataplane_counters *counters = dataplane_counters_of(dataplane, 0);
    for (unsigned i = 0; i < 1000 && counters->stalled_ring_full == 0; i++) {
        bulk.number = ++sent;
        CHECK(rig_client_send(&client, &bulk, "", 0));
        turn(dataplane, 1);
    }
    CHECK(counters->stalled_ring_full > 0);
    struct rig_message control = {.lane = 0, .number = 2};
    CHECK(rig_client_send(&client, &control, "", 0));
    turn(dataplane, 1);
    struct frame_descriptor frame;
    CHECK_EQUAL(consensus_end_receive(dataplane_consensus_end(dataplane, 0), 0, &frame, 1), 1);
    CHECK_EQUAL(((struct rig_message *)frame_message(&frame))->number, 2);
    frame_give(&frame);
    CHECK_EQUAL(counters->stalled_no_buffer, 0);
    /* nothing of what waited is lost */
    uint64_t expected = 1;
    while (rig_echo(dataplane_consensus_end(dataplane, 0), 32) > 0) {
        turn(dataplane, 1);
    }
    uint32_t tail_bytes;
    while (rig_client_receive(&client, SHM_BULK, &bulk, &tail_bytes)) {
        CHECK_EQUAL(bulk.number, expected);
        expected++;
    }
    CHECK_EQUAL(expected, sent + 1);
    shm_close(&client);
    rig_destroy(dataplane, &arena);
}

static void a_receiver_that_stands_still_stops_nobody_else(void)
{
    struct arena arena;
    struct dataplane_options options = rig_options(1, 1);
    struct dataplane *dataplane = rig_create(&arena, &options);
    struct shm_channel still;
    struct shm_channel lively;
    CHECK_EQUAL(rig_connect(dataplane, 2, &still), 0);
    CHECK_EQUAL(rig_connect(dataplane, 3, &lively), 0);
    struct consensus_end *end = dataplane_consensus_end(dataplane, 0);
    for (unsigned i = 0; i < 1200; i++) {
        for (uint64_t node_id = 2; node_id <= 3; node_id++) {
            struct frame_descriptor frame;
            uint32_t frame_bytes_max;
            CHECK(consensus_end_begin(end, node_id, NULL, 1, &frame, &frame_bytes_max));
            *(struct rig_message *)frame_message(&frame) = (struct rig_message){.lane = 1, .number = i};
            consensus_end_send(end, &frame);
        }
        turn(dataplane, 1);
        struct rig_message message;
        uint32_t tail_bytes;
        CHECK(rig_client_receive(&lively, SHM_BULK, &message, &tail_bytes));
        CHECK_EQUAL(message.number, i);
    }
    CHECK_EQUAL(dataplane_counters_of(dataplane, 0)->dropped_port_full, 1200 - (SHM_BULK_COUNT - 1));
    shm_close(&still);
    shm_close(&lively);
    rig_destroy(dataplane, &arena);
}

static void a_node_that_comes_again_replaces_its_connection(void)
{
    struct arena arena;
    struct dataplane_options options = rig_options(2, 1);
    struct dataplane *dataplane = rig_create(&arena, &options);
    struct shm_channel older;
    struct shm_channel newer;
    struct frame_descriptor frame;
    uint32_t frame_bytes_max;
    struct consensus_end *end = dataplane_consensus_end(dataplane, 0);
    CHECK(!consensus_end_begin(end, 2, NULL, 0, &frame, &frame_bytes_max));
    CHECK_EQUAL(rig_connect(dataplane, 2, &older), 0);
    turn(dataplane, 2);
    CHECK_EQUAL(rig_connect(dataplane, 2, &newer), 0);
    turn(dataplane, 2);
    dataplane_control(dataplane);
    CHECK(shm_is_closed(&older));
    CHECK(!shm_is_closed(&newer));
    CHECK(consensus_end_begin(end, 2, NULL, 0, &frame, &frame_bytes_max));
    *(struct rig_message *)frame_message(&frame) = (struct rig_message){.number = 1};
    consensus_end_send(end, &frame);
    turn(dataplane, 2);
    struct rig_message message;
    uint32_t tail_bytes;
    CHECK(rig_client_receive(&newer, SHM_CONTROL, &message, &tail_bytes));
    shm_close(&newer);
    dataplane_control(dataplane);
    CHECK(!consensus_end_begin(end, 2, NULL, 0, &frame, &frame_bytes_max));
    shm_close(&older);
    rig_destroy(dataplane, &arena);
}

static void an_answer_to_a_client_that_left_goes_nowhere(void)
{
    struct arena arena;
    struct dataplane_options options = rig_options(1, 1);
    struct dataplane *dataplane = rig_create(&arena, &options);
    struct shm_channel client;
    CHECK_EQUAL(rig_connect(dataplane, 0, &client), 0);
    struct rig_message message = {.number = 1};
    CHECK(rig_client_send(&client, &message, "", 0));
    turn(dataplane, 1);
    struct consensus_end *end = dataplane_consensus_end(dataplane, 0);
    struct frame_descriptor in;
    struct frame_descriptor late;
    uint32_t frame_bytes_max;
    CHECK_EQUAL(consensus_end_receive(end, 0, &in, 1), 1);
    CHECK(consensus_end_begin(end, 0, &in.channel, 0, &late, &frame_bytes_max));
    shm_close(&client);
    dataplane_control(dataplane);
    turn(dataplane, 1);
    dataplane_control(dataplane);
    /* the next one gets the same slot and must not hear what was meant for the one before */
    CHECK_EQUAL(rig_connect(dataplane, 0, &client), 0);
    turn(dataplane, 1);
    *(struct rig_message *)frame_message(&late) = (struct rig_message){.number = 2};
    consensus_end_send(end, &late);
    turn(dataplane, 1);
    uint32_t tail_bytes;
    CHECK(!rig_client_receive(&client, SHM_CONTROL, &message, &tail_bytes));
    CHECK_EQUAL(dataplane_counters_of(dataplane, 0)->dropped_no_way, 1);
    CHECK(!consensus_end_begin(end, 0, &in.channel, 0, &late, &frame_bytes_max));
    frame_give(&in);
    shm_close(&client);
    rig_destroy(dataplane, &arena);
}

static void begun_frames_keep_their_places(void)
{
    struct arena arena;
    struct dataplane_options options = rig_options(1, 1);
    struct dataplane *dataplane = rig_create(&arena, &options);
    struct shm_channel client;
    CHECK_EQUAL(rig_connect(dataplane, 2, &client), 0);
    turn(dataplane, 1);
    static struct frame_descriptor frames[512];
    struct consensus_end *end = dataplane_consensus_end(dataplane, 0);
    uint32_t frame_bytes_max;
    unsigned count = 0;
    while (count < 512 && consensus_end_begin(end, 2, NULL, 1, &frames[count], &frame_bytes_max)) {
        count++;
    }
    CHECK(count < 512);
    /* the other lane has places of its own */
    struct frame_descriptor control;
    CHECK(consensus_end_begin(end, 2, NULL, 0, &control, &frame_bytes_max));
    frame_give(&control);
    frame_give(&frames[--count]);
    CHECK(consensus_end_begin(end, 2, NULL, 1, &frames[count++], &frame_bytes_max));
    for (unsigned i = 0; i < count; i++) {
        *(struct rig_message *)frame_message(&frames[i]) = (struct rig_message){.lane = 1, .number = i};
        consensus_end_send(end, &frames[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        turn(dataplane, 1);
        struct rig_message message;
        uint32_t tail_bytes;
        CHECK(rig_client_receive(&client, SHM_BULK, &message, &tail_bytes));
        CHECK_EQUAL(message.number, i);
    }
    shm_close(&client);
    rig_destroy(dataplane, &arena);
}

static void the_last_slot_taken_means_no_room(void)
{
    struct arena arena;
    struct dataplane_options options = rig_options(2, 1);
    struct dataplane *dataplane = rig_create(&arena, &options);
    static struct shm_channel clients[DATAPLANE_CHANNELS_MAX + 1];
    for (unsigned i = 0; i < DATAPLANE_CHANNELS_MAX; i++) {
        CHECK_EQUAL(rig_connect(dataplane, 0, &clients[i]), 0);
    }
    CHECK_EQUAL(rig_connect(dataplane, 0, &clients[DATAPLANE_CHANNELS_MAX]), -EBUSY);
    shm_close(&clients[17]);
    dataplane_control(dataplane);
    /* the core has not let it go yet */
    CHECK_EQUAL(rig_connect(dataplane, 0, &clients[17]), -EBUSY);
    turn(dataplane, 2);
    dataplane_control(dataplane);
    CHECK_EQUAL(rig_connect(dataplane, 0, &clients[17]), 0);
    for (unsigned i = 0; i < DATAPLANE_CHANNELS_MAX; i++) {
        shm_close(&clients[i]);
    }
    rig_destroy(dataplane, &arena);
}

static const struct test_case cases[] = {
    {"a frame reaches its consensus core, the answer its client (2+2)",
     a_frame_reaches_its_core_and_the_answer_its_client},
    {"frames for the control thread go to its end and wake it", frames_for_the_control_thread_go_to_its_end},
    {"a control frame too long for its lane comes among the bulk ones",
     a_long_control_frame_comes_among_the_bulk_ones},
    {"garbage is dropped and counted by its verdict", garbage_is_counted_by_its_verdict},
    {"control passes a full bulk ring, and what waits behind that is not lost",
     control_passes_a_full_bulk_ring},
    {"a receiver that stands still stops nobody else", a_receiver_that_stands_still_stops_nobody_else},
    {"a node that comes again replaces its older connection",
     a_node_that_comes_again_replaces_its_connection},
    {"an answer to a client that left goes nowhere", an_answer_to_a_client_that_left_goes_nowhere},
    {"begun frames keep their places in the ring", begun_frames_keep_their_places},
    {"65 connections are one too many, and a slot is free only when its core let it go",
     the_last_slot_taken_means_no_room},
};

int main(void)
{
    rig_eal_start(NULL, 0);
    int status = test_main(cases, sizeof(cases) / sizeof(cases[0]));
    rig_eal_stop();
    return status;
}
