/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_cluster.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "record.h"
#include "stream_entry.h"

#define HEARTBEAT_NS    50000000ull
#define RECORDS_A_FRAME 8

const struct tally_endpoint fake_endpoints[FAKE_NODE_COUNT] = {{1, "fake"}, {2, "fake"}, {3, "fake"}};

/* ---- the network ---- */

static bool happens(struct fake_cluster *cluster, uint32_t percent)
{
    return percent > 0 && prng_below(&cluster->prng, 100) < percent;
}

static void put_frame(struct fake_cluster *cluster, struct fake_queue *queue, const void *bytes,
                      uint32_t byte_count)
{
    ASSERT(queue->count < FAKE_QUEUE_COUNT);
    ASSERT(byte_count <= FRAME_BYTES_MAX);
    struct fake_frame *frame = &queue->frames[queue->count++];
    frame->due_ns = cluster->now_ns + cluster->delay_ns +
                    (cluster->delay_max_ns ? prng_below(&cluster->prng, cluster->delay_max_ns) : 0);
    frame->bytes = byte_count;
    memcpy(frame->data, bytes, byte_count);
}

static void carry(struct fake_cluster *cluster, struct fake_queue *queue, const void *bytes,
                  uint32_t byte_count)
{
    if (happens(cluster, cluster->loss_percent)) {
        return;
    }
    put_frame(cluster, queue, bytes, byte_count);
    if (happens(cluster, cluster->double_percent)) {
        put_frame(cluster, queue, bytes, byte_count);
    }
}

/* The frame that is due first; its size, 0: none. */
static uint32_t take_frame(struct fake_cluster *cluster, struct fake_queue *queue, uint8_t *bytes)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < queue->count; i++) {
        bool is_due = queue->frames[i].due_ns <= cluster->now_ns;
        if (is_due && (best == UINT32_MAX || queue->frames[i].due_ns < queue->frames[best].due_ns)) {
            best = i;
        }
    }
    if (best == UINT32_MAX) {
        return 0;
    }
    uint32_t byte_count = queue->frames[best].bytes;
    memcpy(bytes, queue->frames[best].data, byte_count);
    queue->count--;
    for (uint32_t i = best; i < queue->count; i++) {
        queue->frames[i].due_ns = queue->frames[i + 1].due_ns;
        queue->frames[i].bytes = queue->frames[i + 1].bytes;
        memcpy(queue->frames[i].data, queue->frames[i + 1].data, queue->frames[i].bytes);
    }
    return byte_count;
}

static bool fake_transport_connect(struct transport *transport, uint64_t now_ns)
{
    (void)now_ns;
    struct fake_node *node = (struct fake_node *)transport;
    if (node->is_dead) {
        transport->is_open = false;
        return false;
    }
    if (!transport->is_open) {
        transport->is_open = true;
        transport->generation++;
    }
    return true;
}

static bool fake_transport_send(struct transport *transport, enum frame_lane lane, const uint8_t *frame,
                                uint32_t frame_bytes)
{
    struct fake_node *node = (struct fake_node *)transport;
    struct fake_cluster *cluster = node->cluster;
    if (!transport->is_open || node->to_node.count > FAKE_QUEUE_COUNT / 4) {
        return false;
    }
    if (lane == FRAME_BULK && cluster->drop_publish_after > 0 && --cluster->drop_publish_after == 0) {
        return true;
    }
    carry(cluster, &node->to_node, frame, frame_bytes);
    return true;
}

static uint32_t fake_transport_receive(struct transport *transport, uint8_t *frame, uint32_t capacity)
{
    struct fake_node *node = (struct fake_node *)transport;
    ASSERT(capacity >= FRAME_BYTES_MAX);
    return transport->is_open ? take_frame(node->cluster, &node->to_client, frame) : 0;
}

static uint32_t fake_transport_prepare_wait(struct transport *transport, struct pollfd *fds, bool *ret_ready)
{
    (void)transport;
    (void)fds;
    (void)ret_ready;
    return 0;
}

static void fake_transport_nothing(struct transport *transport)
{
    (void)transport;
}

static const struct transport_operations fake_operations = {
    .connect = fake_transport_connect,
    .send = fake_transport_send,
    .receive = fake_transport_receive,
    .prepare_wait = fake_transport_prepare_wait,
    .finish_wait = fake_transport_nothing,
    .close = fake_transport_nothing,
};

static struct transport *fake_transport_create(void *context, struct arena *arena,
                                               const struct tally_endpoint *endpoint)
{
    (void)arena;
    struct fake_cluster *cluster = context;
    return &cluster->nodes[endpoint->node_id - 1].transport;
}

static uint64_t fake_now_ns(void *context)
{
    const struct fake_cluster *cluster = context;
    return cluster->now_ns;
}

struct client_hooks fake_hooks(struct fake_cluster *cluster)
{
    return (struct client_hooks){
        .context = cluster, .now_ns = fake_now_ns, .transport_create = fake_transport_create};
}

void fake_inject(struct fake_node *node, const void *bytes, uint32_t byte_count)
{
    put_frame(node->cluster, &node->to_client, bytes, byte_count);
}

static void say_with_tail(struct fake_node *node, const struct message *message, const uint8_t *records,
                          uint32_t record_bytes)
{
    uint8_t buffer[CLIENT_HEAD_ROOM + FRAME_BYTES_MAX];
    uint8_t *tail = buffer + CLIENT_HEAD_ROOM;
    if (record_bytes > 0) {
        memcpy(tail, records, record_bytes);
    }
    uint8_t *frame = frame_encode_before(node->cluster->codec, message, 1, tail, record_bytes);
    carry(node->cluster, &node->to_client, frame, (uint32_t)(tail + record_bytes - frame));
}

void fake_say(struct fake_node *node, const struct message *message)
{
    struct message full = *message;
    full.in_reply = 1;
    full.sender_id = node->id;
    full.incarnation = 1;
    if (full.quorum_number == 0 && !node->is_unknown_quorum) {
        full.quorum_number = FAKE_QUORUM_NUMBER;
    }
    say_with_tail(node, &full, NULL, 0);
}

/* ---- publishing ---- */

static uint64_t logged_sequence(const struct fake_node *node)
{
    return node->cluster->source_sequence_before + node->log_count;
}

static void answer_publish(struct fake_node *node, uint64_t source_id, enum publish_status status)
{
    uint64_t before = node->cluster->source_sequence_before;
    struct message message = {.kind = MESSAGE_PUBLISH_REPLY, .message_id = node->last_message_id};
    message.publish_reply =
        (struct publish_reply){.source_id = source_id,
                               .status = (uint8_t)status,
                               .leader_id = node->leads ? node->id : node->hint,
                               .term = node->term,
                               .committed_source_sequence = before + node->committed_count,
                               .committed_index = 1 + node->committed_count};
    if (node->leads) {
        message.publish_reply.wanted_source_sequence = logged_sequence(node) + 1;
        message.publish_reply.logged_source_sequence = logged_sequence(node);
        message.publish_reply.logged_index = 1 + node->log_count;
    }
    fake_say(node, &message);
}

static enum publish_status take_entries(struct fake_node *node, const struct publish *publish,
                                        const uint8_t *tail, uint32_t tail_bytes)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < publish->entry_count; i++) {
        ASSERT(tail_bytes - at >= 4);
        uint32_t blocks_bytes = load_le16(tail + at);
        ASSERT(blocks_bytes == 10);
        ASSERT(load_le16(tail + at + 2) == 1);
        uint64_t value = load_le64(tail + at + 6);
        uint64_t sequence = publish->first_source_sequence + i;
        at += 4 + blocks_bytes;
        node->entry_count++;
        if (sequence > logged_sequence(node) + 1) {
            return PUBLISH_SEQUENCE_GAP;
        }
        if (sequence == logged_sequence(node) + 1) {
            if (value == node->cluster->refused_value) {
                return PUBLISH_TOO_LARGE;
            }
            if (node->cluster->is_full) {
                return PUBLISH_NO_SPACE;
            }
            ASSERT(node->log_count < FAKE_LOG_COUNT);
            node->log[node->log_count++] = (struct fake_entry){.sequence = sequence, .value = value};
        }
    }
    ASSERT(at == tail_bytes);
    return PUBLISH_OK;
}

static void receive_publish(struct fake_node *node, const struct message *message, const uint8_t *tail,
                            uint32_t tail_bytes)
{
    const struct publish *publish = &message->publish;
    struct fake_cluster *cluster = node->cluster;
    enum publish_status status = PUBLISH_OK;
    node->last_message_id = message->message_id;
    node->source_id = publish->source_id;
    node->publish_frame_count++;
    if (node->is_unknown_quorum) {
        status = PUBLISH_UNKNOWN_QUORUM;
    } else if (!node->leads) {
        status = PUBLISH_NOT_LEADER;
    } else if (publish->entry_count > 0 && cluster->busy_count > 0) {
        cluster->busy_count--;
        status = PUBLISH_BUSY;
    } else if (message->quorum_number != 0) {
        status = take_entries(node, publish, tail, tail_bytes);
    } else {
        ASSERT(tail_bytes == strlen(FAKE_QUORUM));
        ASSERT(memcmp(tail, FAKE_QUORUM, tail_bytes) == 0);
    }
    answer_publish(node, publish->source_id, status);
}

void fake_elect(struct fake_cluster *cluster, uint64_t id, uint32_t kept_count, bool old_knows)
{
    struct fake_node *old = fake_leader(cluster);
    uint64_t term = old ? old->term + 1 : cluster->nodes[0].term + 1;
    if (id == 0) {
        old->leads = false;
        old->hint = 0;
        return;
    }
    struct fake_node *leader = &cluster->nodes[id - 1];
    if (old && old != leader) {
        kept_count = kept_count < old->committed_count ? old->committed_count : kept_count;
        leader->log_count = kept_count < old->log_count ? kept_count : old->log_count;
        leader->committed_count = old->committed_count;
        memcpy(leader->log, old->log, sizeof(leader->log));
        old->leads = !old_knows;
    }
    leader->leads = true;
    for (uint32_t i = 0; i < FAKE_NODE_COUNT; i++) {
        struct fake_node *node = &cluster->nodes[i];
        if (node == leader || !node->leads) {
            node->term = term;
            node->hint = id;
        }
    }
}

/* The one of the highest term. */
struct fake_node *fake_leader(struct fake_cluster *cluster)
{
    struct fake_node *leader = NULL;
    for (uint32_t i = 0; i < FAKE_NODE_COUNT; i++) {
        struct fake_node *node = &cluster->nodes[i];
        if (node->leads && (!leader || node->term > leader->term)) {
            leader = node;
        }
    }
    return leader;
}

void fake_commit(struct fake_cluster *cluster, uint32_t count)
{
    struct fake_node *leader = fake_leader(cluster);
    if (leader && count > leader->committed_count) {
        ASSERT(count <= leader->log_count);
        leader->committed_count = count;
        answer_publish(leader, leader->source_id, PUBLISH_OK);
    }
}

/* ---- delivering, from the newest leader's committed entries, whichever node it is ---- */

static uint32_t build_record(const struct fake_cluster *cluster, const struct fake_node *leader,
                             uint64_t index, uint8_t *bytes)
{
    struct record_head head = {.type = RECORD_LEADER_START,
                               .quorum_number = FAKE_QUORUM_NUMBER,
                               .index = index,
                               .term = 1,
                               .arrival_ns = 1000 + index,
                               .log_time_ns = 2000 + index};
    if (index == 1) {
        return (uint32_t)record_finish(bytes, &head, 0);
    }
    const struct fake_entry *entry = &leader->log[index - 2];
    uint8_t *payload = bytes + RECORD_HEAD_BYTES;
    head.type = RECORD_DATA;
    stream_data_head_encode(&(struct stream_data_head){.base_sequence = index - 1,
                                                       .source_id = 5,
                                                       .source_sequence = entry->sequence,
                                                       .message_count = 1},
                            payload);
    store_be16(payload + STREAM_DATA_HEAD_BYTES, 8);
    store_le64(payload + STREAM_DATA_HEAD_BYTES + 2, entry->value);
    (void)cluster;
    return (uint32_t)record_finish(bytes, &head, STREAM_DATA_HEAD_BYTES + 10);
}

static void deliver(struct fake_node *node)
{
    struct fake_cluster *cluster = node->cluster;
    const struct fake_node *leader = fake_leader(cluster);
    if (node->subscriber_id == 0 || !leader) {
        return;
    }
    uint64_t last_index = 1 + leader->committed_count;
    bool is_heartbeat = cluster->now_ns - node->sent_ns >= HEARTBEAT_NS;
    bool has_records =
        node->next_index <= last_index && node->next_index - node->acknowledged_index < 8 * RECORDS_A_FRAME;
    if (!is_heartbeat && !has_records) {
        return;
    }
    uint8_t records[RECORDS_A_FRAME * 128];
    uint32_t bytes = 0;
    struct message message = {
        .kind = MESSAGE_DELIVER, .sender_id = node->id, .quorum_number = FAKE_QUORUM_NUMBER};
    message.deliver = (struct deliver){
        .subscriber_id = node->subscriber_id, .first_index = node->next_index, .committed_index = last_index};
    for (uint32_t i = 0; has_records && i < RECORDS_A_FRAME && node->next_index <= last_index; i++) {
        bytes += build_record(cluster, leader, node->next_index++, records + bytes);
    }
    if (bytes > 0 && cluster->damage_next) {
        records[bytes / 2] ^= 4;
        cluster->damage_next = false;
    }
    node->sent_ns = cluster->now_ns;
    say_with_tail(node, &message, records, bytes);
}

static void receive_subscribe(struct fake_node *node, const struct message *message)
{
    struct message reply = {.kind = MESSAGE_SUBSCRIBE_REPLY, .message_id = message->message_id};
    reply.subscribe_reply = (struct subscribe_reply){.subscriber_id = message->subscribe.subscriber_id,
                                                     .first_index = node->cluster->boundary_index};
    node->subscribe_count++;
    if (node->is_unknown_quorum) {
        reply.subscribe_reply.status = SUBSCRIBE_UNKNOWN_QUORUM;
    } else if (message->subscribe.from_index < node->cluster->boundary_index) {
        reply.subscribe_reply.status = SUBSCRIBE_BEHIND_BOUNDARY;
    } else {
        node->subscriber_id = message->subscribe.subscriber_id;
        node->next_index = message->subscribe.from_index;
        node->acknowledged_index = node->next_index;
    }
    fake_say(node, &reply);
}

static void receive_deliver_reply(struct fake_node *node, const struct deliver_reply *reply)
{
    if (reply->subscriber_id != node->subscriber_id) {
        return;
    }
    if (reply->stop) {
        node->subscriber_id = 0;
        return;
    }
    node->acknowledge_count += !reply->resend;
    node->resend_count += reply->resend;
    if (reply->next_index > node->acknowledged_index) {
        node->acknowledged_index = reply->next_index;
    }
    if (reply->resend ||
        (node->next_index > reply->next_index && node->cluster->now_ns - node->sent_ns >= HEARTBEAT_NS / 2)) {
        node->next_index = reply->next_index;
    }
}

/* ---- time ---- */

static void receive_frames(struct fake_node *node)
{
    uint8_t bytes[FRAME_BYTES_MAX];
    uint32_t byte_count;
    while ((byte_count = take_frame(node->cluster, &node->to_node, bytes)) > 0) {
        struct message message;
        const uint8_t *tail;
        uint32_t tail_bytes;
        enum frame_verdict verdict =
            frame_decode(node->cluster->codec, bytes, byte_count, &message, &tail, &tail_bytes);
        ASSERT(verdict == FRAME_GOOD);
        ASSERT(message.sender_id == 0);
        ASSERT(message.receiver_id == node->id);
        if (node->is_dead) {
            continue;
        }
        if (message.kind == MESSAGE_PUBLISH) {
            receive_publish(node, &message, tail, tail_bytes);
        } else if (message.kind == MESSAGE_SUBSCRIBE) {
            receive_subscribe(node, &message);
        } else {
            ASSERT(message.kind == MESSAGE_DELIVER_REPLY);
            receive_deliver_reply(node, &message.deliver_reply);
        }
    }
}

void fake_step(struct fake_cluster *cluster, uint64_t step_ns)
{
    cluster->now_ns += step_ns;
    for (uint32_t i = 0; i < FAKE_NODE_COUNT; i++) {
        receive_frames(&cluster->nodes[i]);
        if (!cluster->nodes[i].is_dead) {
            deliver(&cluster->nodes[i]);
        }
    }
}

struct fake_cluster *fake_create(uint64_t seed)
{
    struct fake_cluster *cluster = calloc(1, sizeof(*cluster));
    ASSERT(cluster != NULL);
    cluster->now_ns = 1000000000;
    cluster->prng.state = seed;
    arena_init(&cluster->arena);
    cluster->codec = frame_codec_create(&cluster->arena);
    for (uint32_t i = 0; i < FAKE_NODE_COUNT; i++) {
        struct fake_node *node = &cluster->nodes[i];
        node->cluster = cluster;
        node->id = i + 1;
        node->term = 1;
        node->transport = (struct transport){
            .operations = &fake_operations, .frame_bytes_max = 1472, .window_bytes = UINT32_MAX};
        node->to_node.frames = calloc(FAKE_QUEUE_COUNT, sizeof(struct fake_frame));
        node->to_client.frames = calloc(FAKE_QUEUE_COUNT, sizeof(struct fake_frame));
        ASSERT(node->to_node.frames != NULL);
        ASSERT(node->to_client.frames != NULL);
    }
    return cluster;
}

void fake_destroy(struct fake_cluster *cluster)
{
    for (uint32_t i = 0; i < FAKE_NODE_COUNT; i++) {
        free(cluster->nodes[i].to_node.frames);
        free(cluster->nodes[i].to_client.frames);
    }
    arena_fini(&cluster->arena);
    free(cluster);
}
