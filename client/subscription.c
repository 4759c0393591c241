/* SPDX-License-Identifier: Apache-2.0 */
#include "subscription.h"

#include <sys/random.h>

#include "client.h"
#include "record.h"
#include "stream_entry.h"

#define NEVER_NS UINT64_MAX

static void tell_problem(struct tally_client *client, enum tally_status status, uint64_t index)
{
    struct subscription *subscription = &client->subscription;
    client_tell_problem(client, &subscription->problem,
                        &(struct tally_event){.status = status,
                                              .node_id = client->nodes[subscription->node].node_id,
                                              .index = index});
}

/* ---- asking ---- */

static void ask_from(struct tally_client *client, uint32_t node, uint64_t due_ns)
{
    struct subscription *subscription = &client->subscription;
    subscription->state = SUBSCRIPTION_ASKING;
    subscription->node = node;
    subscription->ask_due_ns = due_ns;
    subscription->ask_count = 0;
    subscription->unacknowledged_bytes = 0;
    subscription->acknowledge_due = false;
    subscription->gap_index = 0;
}

/* Another node where that is allowed, the same one otherwise. */
static void ask_another(struct tally_client *client, uint64_t delay_ns)
{
    const struct subscription *subscription = &client->subscription;
    uint32_t node =
        subscription->any_node ? (subscription->node + 1) % client->node_count : subscription->node;
    ask_from(client, node, client->now_ns + delay_ns);
}

/* The node is silent or cannot be reached; told when that holds for every node that may serve. */
static void leave_silent(struct tally_client *client, uint64_t delay_ns)
{
    struct subscription *subscription = &client->subscription;
    uint32_t candidate_count = subscription->any_node ? client->node_count : 1;
    if (++subscription->silent_count >= candidate_count) {
        subscription->silent_count = 0;
        tell_problem(client, TALLY_UNREACHABLE, 0);
    }
    ask_another(client, delay_ns);
}

static uint64_t draw_subscriber_id(uint64_t other_than)
{
    uint64_t id = 0;
    while (id == 0 || id == other_than) {
        if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id)) {
            id = 0;
        }
        id &= INT64_MAX;
    }
    return id;
}

enum tally_status tally_subscribe(struct tally_client *client, uint64_t from_index, uint64_t node_id)
{
    struct subscription *subscription = &client->subscription;
    uint32_t node = node_id ? client_find_node(client, node_id) : 0;
    if (from_index == 0 || from_index > INT64_MAX || node == CLIENT_NO_NODE) {
        return TALLY_MALFORMED;
    }
    client->now_ns = client->hooks.now_ns(client->hooks.context);
    subscription_stop(client);
    subscription->id = draw_subscriber_id(subscription->id);
    subscription->any_node = node_id == 0;
    subscription->next_index = from_index;
    if (node_id == 0) {
        node = (uint32_t)(subscription->id % client->node_count); /* subscribers spread over the nodes */
    }
    ask_from(client, node, client->now_ns);
    return TALLY_OK;
}

static unsigned poll_asking(struct tally_client *client)
{
    struct subscription *subscription = &client->subscription;
    if (client->now_ns < subscription->ask_due_ns) {
        return 0;
    }
    if (!client_connect(client, subscription->node)) {
        leave_silent(client, client->retry_ns / 4);
        return 0;
    }
    if (subscription->ask_count == SUBSCRIPTION_ASK_COUNT) {
        leave_silent(client, 0);
        return 1;
    }
    subscription->ask_count++;
    subscription->ask_due_ns = client->now_ns + client->retry_ns;
    struct message message = {.kind = MESSAGE_SUBSCRIBE,
                              .subscribe = {.subscriber_id = subscription->id,
                                            .from_index = subscription->next_index,
                                            .window_bytes = SUBSCRIPTION_WINDOW_BYTES}};
    return client_send(client, subscription->node, &message, 0) ? 1 : 0;
}

static void begin_running(struct tally_client *client)
{
    struct subscription *subscription = &client->subscription;
    if (subscription->state == SUBSCRIPTION_ASKING) {
        subscription->state = SUBSCRIPTION_RUNNING;
        subscription->generation = client->nodes[subscription->node].transport->generation;
        subscription->acknowledged_ns = client->now_ns;
        tell_problem(client, TALLY_OK, 0);
    }
    subscription->heard_ns = client->now_ns;
    subscription->silent_count = 0;
}

unsigned subscription_receive_reply(struct tally_client *client, uint32_t node, const struct message *message)
{
    struct subscription *subscription = &client->subscription;
    const struct subscribe_reply *reply = &message->subscribe_reply;
    if (subscription->state == SUBSCRIPTION_NONE || node != subscription->node ||
        reply->subscriber_id != subscription->id) {
        return 0;
    }
    switch ((enum subscribe_status)reply->status) {
    case SUBSCRIBE_OK:
        if (client->quorum_number != 0) {
            begin_running(client);
        }
        return 1;
    case SUBSCRIBE_UNKNOWN_QUORUM:
        if (client->publishing.state != PUBLISHING_ATTACHED) {
            client->quorum_number = 0; /* it may have been made anew: ask by name */
        }
        tell_problem(client, TALLY_UNKNOWN_QUORUM, 0);
        ask_another(client, client->retry_ns);
        return 1;
    case SUBSCRIBE_FULL:
        tell_problem(client, TALLY_SUBSCRIBERS_FULL, 0);
        ask_another(client, client->retry_ns);
        return 1;
    case SUBSCRIBE_FAILED:
        tell_problem(client, TALLY_FAILED, 0);
        ask_another(client, client->retry_ns);
        return 1;
    case SUBSCRIBE_BEHIND_BOUNDARY: /* the caller decides whether to go on at first_index */
        subscription->state = SUBSCRIPTION_NONE;
        tell_problem(client, TALLY_BEHIND_BOUNDARY, reply->first_index);
        return 1;
    }
    return 0;
}

/* ---- records ---- */

static bool send_reply(struct tally_client *client, bool resend, bool stop)
{
    const struct subscription *subscription = &client->subscription;
    struct message message = {.kind = MESSAGE_DELIVER_REPLY,
                              .in_reply = 1,
                              .deliver_reply = {.subscriber_id = subscription->id,
                                                .next_index = subscription->next_index,
                                                .resend = resend,
                                                .stop = stop}};
    return client_send(client, subscription->node, &message, 0);
}

static void acknowledge(struct tally_client *client)
{
    struct subscription *subscription = &client->subscription;
    if (send_reply(client, false, false)) {
        subscription->unacknowledged_bytes = 0;
        subscription->acknowledge_due = false;
        subscription->acknowledged_ns = client->now_ns;
    }
}

/* Once for one gap; again when nothing came of it for retry_ns. */
static void ask_again(struct tally_client *client)
{
    struct subscription *subscription = &client->subscription;
    if (subscription->gap_index == subscription->next_index &&
        client->now_ns - subscription->gap_ns < client->retry_ns) {
        return;
    }
    if (send_reply(client, true, false)) {
        subscription->gap_index = subscription->next_index;
        subscription->gap_ns = client->now_ns;
    }
}

static void tell_record(struct tally_client *client, const uint8_t *record, const struct record_head *head)
{
    struct tally_event event = {
        .kind = TALLY_DELIVERED,
        .node_id = client->nodes[client->subscription.node].node_id,
        .index = head->index,
        .term = head->term,
        .type = head->type,
        .arrival_ns = head->arrival_ns,
        .log_time_ns = head->log_time_ns,
        .record = record,
        .record_bytes = head->length,
    };
    const uint8_t *payload = record + RECORD_HEAD_BYTES;
    size_t payload_bytes = head->length - (size_t)RECORD_HEAD_BYTES;
    struct stream_data_head data;
    if (head->type == RECORD_DATA && stream_data_head_decode(payload, payload_bytes, &data)) {
        event.stream_sequence = data.base_sequence;
        event.message_count = data.message_count;
        event.blocks = payload + STREAM_DATA_HEAD_BYTES;
        event.blocks_bytes = (uint32_t)(payload_bytes - STREAM_DATA_HEAD_BYTES);
    }
    client_tell(client, &event);
}

/* The records from the next wanted one on; false at one that is damaged or not of this place. */
static bool take_records(struct tally_client *client, uint64_t index, const uint8_t *tail,
                         uint32_t tail_bytes)
{
    struct subscription *subscription = &client->subscription;
    uint64_t id = subscription->id;
    for (uint32_t at = 0; at < tail_bytes; index++) {
        struct record_head head;
        if (record_check(tail + at, tail_bytes - at, &head) != RECORD_GOOD || head.index != index ||
            head.quorum_number != client->quorum_number || !record_type_is_entry(head.type)) {
            return false;
        }
        if (index == subscription->next_index) {
            subscription->next_index++;
            tell_record(client, tail + at, &head);
            if (subscription->id != id) {
                return true; /* the caller has subscribed anew */
            }
        }
        at += (uint32_t)record_padded_bytes(head.length);
    }
    return true;
}

unsigned subscription_receive_records(struct tally_client *client, uint32_t node,
                                      const struct message *message, const uint8_t *tail, uint32_t tail_bytes)
{
    struct subscription *subscription = &client->subscription;
    const struct deliver *deliver = &message->deliver;
    if (subscription->state == SUBSCRIPTION_NONE || node != subscription->node ||
        deliver->subscriber_id != subscription->id || client->quorum_number == 0) {
        return 0;
    }
    begin_running(client);
    uint64_t before = subscription->next_index;
    if (deliver->first_index > before) {
        ask_again(client);
        return 1;
    }
    if (!take_records(client, deliver->first_index, tail, tail_bytes)) {
        ask_again(client);
        return 1;
    }
    if (subscription->id != deliver->subscriber_id) {
        return 1;
    }
    if (subscription->next_index == before) {
        subscription->acknowledge_due = true; /* a heartbeat, or a repetition: our last word may be lost */
        return 1;
    }
    subscription->unacknowledged_bytes += tail_bytes;
    if (subscription->unacknowledged_bytes >= SUBSCRIPTION_WINDOW_BYTES / 4) {
        acknowledge(client);
    }
    return 1;
}

static unsigned poll_running(struct tally_client *client)
{
    struct subscription *subscription = &client->subscription;
    if (!client_connect(client, subscription->node) ||
        client->nodes[subscription->node].transport->generation != subscription->generation) {
        ask_from(client, subscription->node, client->now_ns);
        return 1;
    }
    if (client->now_ns - subscription->heard_ns >= SUBSCRIPTION_SILENT_RETRIES * client->retry_ns) {
        leave_silent(client, 0);
        return 1;
    }
    if (subscription->gap_index == subscription->next_index &&
        client->now_ns - subscription->gap_ns >= client->retry_ns) {
        ask_again(client);
    }
    bool is_due = subscription->unacknowledged_bytes > 0 &&
                  client->now_ns - subscription->acknowledged_ns >= SUBSCRIPTION_ACKNOWLEDGE_NS;
    if (subscription->acknowledge_due || is_due) {
        acknowledge(client);
        return 1;
    }
    return 0;
}

unsigned subscription_poll(struct tally_client *client)
{
    switch (client->subscription.state) {
    case SUBSCRIPTION_NONE:
        return 0;
    case SUBSCRIPTION_ASKING:
        return poll_asking(client);
    case SUBSCRIPTION_RUNNING:
        return poll_running(client);
    }
    return 0;
}

uint64_t subscription_deadline_ns(const struct tally_client *client)
{
    const struct subscription *subscription = &client->subscription;
    uint64_t due_ns = NEVER_NS;
    switch (subscription->state) {
    case SUBSCRIPTION_NONE:
        break;
    case SUBSCRIPTION_ASKING:
        due_ns = subscription->ask_due_ns;
        break;
    case SUBSCRIPTION_RUNNING:
        due_ns = subscription->heard_ns + SUBSCRIPTION_SILENT_RETRIES * client->retry_ns;
        if (subscription->gap_index == subscription->next_index) {
            due_ns = earlier(due_ns, subscription->gap_ns + client->retry_ns);
        }
        if (subscription->unacknowledged_bytes > 0) {
            due_ns = earlier(due_ns, subscription->acknowledged_ns + SUBSCRIPTION_ACKNOWLEDGE_NS);
        }
        break;
    }
    return due_ns;
}

void subscription_stop(struct tally_client *client)
{
    struct subscription *subscription = &client->subscription;
    if (subscription->state == SUBSCRIPTION_RUNNING) {
        send_reply(client, false, true);
    }
    subscription->state = SUBSCRIPTION_NONE;
}
