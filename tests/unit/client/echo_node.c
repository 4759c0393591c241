/* SPDX-License-Identifier: Apache-2.0 */
#include "echo_node.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "record.h"
#include "stream_entry.h"

#define DELIVER_BYTES_MAX 1300

void echo_init(struct echo_node *node)
{
    memset(node, 0, sizeof(*node));
    arena_init(&node->arena);
    node->codec = frame_codec_create(&node->arena);
    node->stream_sequence = 1;
}

void echo_fini(struct echo_node *node)
{
    arena_fini(&node->arena);
}

static void say(struct echo_node *node, struct message *message, const uint8_t *tail_bytes,
                uint32_t tail_byte_count)
{
    uint8_t buffer[CLIENT_HEAD_ROOM + FRAME_BYTES_MAX_1500];
    uint8_t *tail = buffer + CLIENT_HEAD_ROOM;
    if (tail_byte_count > 0) {
        memcpy(tail, tail_bytes, tail_byte_count);
    }
    message->sender_id = 1;
    message->quorum_number = ECHO_QUORUM_NUMBER;
    uint8_t *frame = frame_encode_before(node->codec, message, 1, tail, tail_byte_count);
    node->send(node, frame, (uint32_t)(tail + tail_byte_count - frame));
}

static void append(struct echo_node *node, uint64_t source_id, const uint8_t *entry)
{
    uint32_t blocks_bytes = load_le16(entry);
    struct stream_data_head data = {.base_sequence = node->stream_sequence,
                                    .source_id = source_id,
                                    .source_sequence = ++node->sequence,
                                    .message_count = load_le16(entry + 2)};
    struct record_head head = {
        .type = RECORD_DATA, .quorum_number = ECHO_QUORUM_NUMBER, .index = node->sequence, .term = 1};
    uint8_t *record = node->log + node->log_bytes;
    ASSERT(node->log_bytes + 2048 < ECHO_LOG_BYTES);
    stream_data_head_encode(&data, record + RECORD_HEAD_BYTES);
    memcpy(record + RECORD_HEAD_BYTES + STREAM_DATA_HEAD_BYTES, entry + 4, blocks_bytes);
    node->log_bytes += (uint32_t)record_finish(record, &head, STREAM_DATA_HEAD_BYTES + blocks_bytes);
    node->stream_sequence += data.message_count;
}

static void receive_publish(struct echo_node *node, const struct message *message, const uint8_t *tail)
{
    const struct publish *publish = &message->publish;
    for (uint32_t i = 0; i < publish->entry_count; i++) {
        if (publish->first_source_sequence + i == node->sequence + 1) {
            append(node, publish->source_id, tail);
        }
        tail += 4 + load_le16(tail);
    }
    struct message reply = {.kind = MESSAGE_PUBLISH_REPLY, .in_reply = 1, .message_id = message->message_id};
    reply.publish_reply = (struct publish_reply){.source_id = publish->source_id,
                                                 .leader_id = 1,
                                                 .term = 1,
                                                 .wanted_source_sequence = node->sequence + 1,
                                                 .logged_source_sequence = node->sequence,
                                                 .logged_index = node->sequence,
                                                 .committed_source_sequence = node->sequence,
                                                 .committed_index = node->sequence};
    say(node, &reply, NULL, 0);
}

/* All records from `from_index` on, as many a frame as fit. */
static void deliver(struct echo_node *node, uint64_t subscriber_id, uint64_t from_index)
{
    uint32_t begin = 0;
    uint32_t end = 0;
    uint64_t first_index = 0;
    while (end < node->log_bytes) {
        struct record_head head = record_head_load(node->log + end);
        uint32_t record_bytes = (uint32_t)record_padded_bytes(head.length);
        if (head.index < from_index) {
            end += record_bytes;
            begin = end;
            continue;
        }
        first_index = first_index ? first_index : head.index;
        end += record_bytes;
        uint32_t next_bytes = end < node->log_bytes
                                  ? (uint32_t)record_padded_bytes(record_head_load(node->log + end).length)
                                  : 0;
        if (end == node->log_bytes || end - begin + next_bytes > DELIVER_BYTES_MAX) {
            struct message message = {.kind = MESSAGE_DELIVER};
            message.deliver = (struct deliver){.subscriber_id = subscriber_id,
                                               .first_index = first_index,
                                               .committed_index = node->sequence};
            say(node, &message, node->log + begin, end - begin);
            begin = end;
            first_index = 0;
        }
    }
}

bool echo_receive(struct echo_node *node, const uint8_t *frame, uint32_t frame_bytes)
{
    struct message message;
    const uint8_t *tail;
    uint32_t tail_bytes;
    if (frame_decode(node->codec, frame, frame_bytes, &message, &tail, &tail_bytes) != FRAME_GOOD) {
        return false;
    }
    if (message.kind == MESSAGE_PUBLISH) {
        receive_publish(node, &message, tail);
    } else if (message.kind == MESSAGE_SUBSCRIBE) {
        struct message reply = {
            .kind = MESSAGE_SUBSCRIBE_REPLY, .in_reply = 1, .message_id = message.message_id};
        reply.subscribe_reply = (struct subscribe_reply){.subscriber_id = message.subscribe.subscriber_id};
        say(node, &reply, NULL, 0);
        deliver(node, message.subscribe.subscriber_id, message.subscribe.from_index);
    } else if (message.kind == MESSAGE_DELIVER_REPLY && message.deliver_reply.resend) {
        deliver(node, message.deliver_reply.subscriber_id, message.deliver_reply.next_index);
    }
    return message.kind == MESSAGE_PUBLISH || message.kind == MESSAGE_SUBSCRIBE ||
           message.kind == MESSAGE_DELIVER_REPLY;
}

/* ---- UDP ---- */

static void send_udp(struct echo_node *node, const uint8_t *frame, uint32_t frame_bytes)
{
    sendto(node->fd, frame, frame_bytes, 0, (const struct sockaddr *)node->peer, node->peer_bytes);
}

static void *serve_udp(void *argument)
{
    struct echo_node *node = argument;
    uint8_t frame[FRAME_BYTES_MAX];
    while (!atomic_load(&node->stop)) {
        struct pollfd waiting = {.fd = node->fd, .events = POLLIN};
        poll(&waiting, 1, 10);
        for (;;) {
            node->peer_bytes = sizeof(node->peer);
            ssize_t bytes = recvfrom(node->fd, frame, sizeof(frame), MSG_DONTWAIT,
                                     (struct sockaddr *)node->peer, &node->peer_bytes);
            if (bytes <= 0) {
                break;
            }
            ASSERT(bytes <= FRAME_BYTES_MAX_1500);
            bool is_good = echo_receive(node, frame, (uint32_t)bytes);
            ASSERT(is_good);
        }
    }
    return NULL;
}

void echo_start_udp(struct echo_node *node)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t address_bytes = sizeof(address);
    echo_init(node);
    node->send = send_udp;
    node->fd = socket(AF_INET, SOCK_DGRAM, 0);
    int failed = bind(node->fd, (struct sockaddr *)&address, sizeof(address));
    failed |= getsockname(node->fd, (struct sockaddr *)&address, &address_bytes);
    ASSERT(failed == 0);
    snprintf(node->address, sizeof(node->address), "udp:127.0.0.1:%u", ntohs(address.sin_port));
    failed = pthread_create(&node->thread, NULL, serve_udp, node);
    ASSERT(failed == 0);
}

void echo_stop_udp(struct echo_node *node)
{
    atomic_store(&node->stop, true);
    pthread_join(node->thread, NULL);
    close(node->fd);
    echo_fini(node);
}
