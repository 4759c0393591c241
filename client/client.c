/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <string.h>

#include "check.h"

/* Frames taken from one node in one poll: a full shared-memory ring would hold the caller up for long. */
#define RECEIVE_BUDGET 64

uint32_t client_find_node(const struct tally_client *client, uint64_t node_id)
{
    for (uint32_t i = 0; i < client->node_count; i++) {
        if (client->nodes[i].node_id == node_id) {
            return i;
        }
    }
    return CLIENT_NO_NODE;
}

bool client_connect(struct tally_client *client, uint32_t node)
{
    struct transport *transport = client->nodes[node].transport;
    return transport->operations->connect(transport, client->now_ns);
}

bool client_send(struct tally_client *client, uint32_t node, struct message *message, uint32_t tail_bytes)
{
    struct client_node *to = &client->nodes[node];
    uint8_t *tail = client_tail(client);
    if (client->quorum_number == 0) {
        ASSERT(tail_bytes == 0);
        tail_bytes = (uint32_t)strlen(client->quorum);
        memcpy(tail, client->quorum, tail_bytes);
    }
    message->message_id = client->message_id + 1;
    message->receiver_id = to->node_id;
    message->quorum_number = client->quorum_number;
    uint8_t *frame = frame_encode_before(client->codec, message, to->sequence + 1, tail, tail_bytes);
    uint32_t frame_bytes = (uint32_t)(tail + tail_bytes - frame);
    enum frame_lane lane = message_is_bulk(message, tail_bytes) ? FRAME_BULK : FRAME_CONTROL;
    if (!to->transport->operations->send(to->transport, lane, frame, frame_bytes)) {
        return false;
    }
    client->message_id++;
    to->sequence++;
    return true;
}

void client_tell(struct tally_client *client, const struct tally_event *event)
{
    client->on_event(client->event_context, event);
}

void client_tell_problem(struct tally_client *client, enum tally_status *last,
                         const struct tally_event *problem)
{
    if (*last == problem->status) {
        return;
    }
    *last = problem->status;
    if (problem->status != TALLY_OK) {
        struct tally_event event = *problem;
        event.kind = TALLY_PROBLEM;
        client_tell(client, &event);
    }
}

/* The quorum number comes from the first node that knows the name; from then on no other one is listened to.
 */
static bool accept_quorum(struct tally_client *client, const struct message *message)
{
    if (client->quorum_number == 0) {
        client->quorum_number = message->quorum_number;
    }
    return message->quorum_number == client->quorum_number;
}

static unsigned dispatch(struct tally_client *client, uint32_t node, const struct message *message,
                         const uint8_t *tail, uint32_t tail_bytes)
{
    if (message->sender_id != client->nodes[node].node_id || message->receiver_id != 0) {
        client->verdict_count[FRAME_BAD_IDENTITY]++;
        return 0;
    }
    if (!accept_quorum(client, message)) {
        client->verdict_count[FRAME_BAD_IDENTITY]++;
        return 0;
    }
    switch (message->kind) {
    case MESSAGE_PUBLISH_REPLY:
        return publishing_receive(client, node, message);
    case MESSAGE_SUBSCRIBE_REPLY:
        return subscription_receive_reply(client, node, message);
    case MESSAGE_DELIVER:
        return subscription_receive_records(client, node, message, tail, tail_bytes);
    default:
        client->verdict_count[FRAME_BAD_KIND]++;
        return 0;
    }
}

static unsigned receive(struct tally_client *client, uint32_t node)
{
    struct transport *transport = client->nodes[node].transport;
    unsigned work = 0;
    for (unsigned i = 0; i < RECEIVE_BUDGET; i++) {
        uint32_t frame_bytes =
            transport->operations->receive(transport, client->frame_in, sizeof(client->frame_in));
        if (frame_bytes == 0) {
            break;
        }
        struct message message;
        const uint8_t *tail = NULL;
        uint32_t tail_bytes = 0;
        enum frame_verdict verdict =
            frame_decode(client->codec, client->frame_in, frame_bytes, &message, &tail, &tail_bytes);
        client->verdict_count[verdict]++;
        if (verdict == FRAME_GOOD) {
            dispatch(client, node, &message, tail, tail_bytes);
        }
        work++;
    }
    return work;
}

unsigned tally_poll(struct tally_client *client)
{
    if (client->is_polling) {
        return 0; /* called from inside an event */
    }
    client->is_polling = true;
    client->now_ns = client->hooks.now_ns(client->hooks.context);
    unsigned work = 0;
    for (uint32_t node = 0; node < client->node_count; node++) {
        work += receive(client, node);
    }
    work += publishing_poll(client);
    work += subscription_poll(client);
    client->is_polling = false;
    return work;
}

void tally_flush(struct tally_client *client)
{
    client->now_ns = client->hooks.now_ns(client->hooks.context);
    publishing_send(client);
}

void tally_close(struct tally_client *client)
{
    if (!client) {
        return;
    }
    subscription_stop(client);
    for (uint32_t i = 0; i < client->node_count; i++) {
        struct transport *transport = client->nodes[i].transport;
        transport->operations->close(transport);
    }
    struct arena arena = client->arena; /* the client itself lies in it */
    arena_fini(&arena);
}
