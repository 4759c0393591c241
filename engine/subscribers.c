/* SPDX-License-Identifier: Apache-2.0 */
#include "subscribers.h"

#include <string.h>

#include "engine_internal.h"

#define HEARTBEAT_NS 50000000ull
/* Sent and not acknowledged for this long: sent again from the last acknowledged entry. */
#define RESEND_NS 100000000ull
/* Silent for this long: its place is free for another. */
#define SILENCE_NS       5000000000ull
#define WINDOW_BYTES_MAX (4u << 20)

static struct subscriber *find(struct subscribers *subscribers, uint64_t subscriber_id, uint32_t slot)
{
    for (uint32_t i = 0; i < SUBSCRIBERS_MAX; i++) {
        struct subscriber *subscriber = &subscribers->places[i];
        if (subscriber->in_use && subscriber->subscriber_id == subscriber_id && subscriber->slot == slot) {
            return subscriber;
        }
    }
    return NULL;
}

static struct subscriber *find_free(struct subscribers *subscribers)
{
    for (uint32_t i = 0; i < SUBSCRIBERS_MAX; i++) {
        if (!subscribers->places[i].in_use) {
            return &subscribers->places[i];
        }
    }
    return NULL;
}

static void let_go(struct engine *engine, struct subscriber *subscriber)
{
    tape_cursor_release(engine->tape, &subscriber->cursor);
    subscriber->in_use = 0;
    engine->subscribers.count--;
}

static struct message message_to(const struct engine *engine, uint8_t kind, uint64_t quorum_number,
                                 uint64_t message_id)
{
    return (struct message){
        .kind = kind,
        .in_reply = kind == MESSAGE_SUBSCRIBE_REPLY,
        .message_id = message_id,
        .sender_id = engine->options.node_id,
        .quorum_number = quorum_number,
        .incarnation = engine->incarnation,
    };
}

static void send_reply(struct engine *engine, const struct engine_channel *channel,
                       const struct message *reply)
{
    const struct engine_port *port = &engine->options.port;
    uint32_t capacity = 0;
    if (port->begin(port->context, 0, channel, 0, &capacity)) { /* else it asks again */
        port->send(port->context, reply, 0);
    }
}

static void answer(struct engine *engine, const struct message *request, const struct engine_channel *channel,
                   const struct engine_quorum *quorum, enum subscribe_status status)
{
    struct message reply = message_to(engine, MESSAGE_SUBSCRIBE_REPLY,
                                      quorum ? quorum->number : request->quorum_number, request->message_id);
    reply.subscribe_reply = (struct subscribe_reply){
        .subscriber_id = request->subscribe.subscriber_id, .status = (uint8_t)status, .first_index = 1};
    if (quorum) {
        reply.subscribe_reply.committed_index =
            host_replicator(engine->host, engine_slot_of(engine, quorum))->commit_index;
    }
    send_reply(engine, channel, &reply);
}

/* What it waits for can never be sent to it from here: said, not waited for. */
static void fail(struct engine *engine, struct subscriber *subscriber)
{
    struct message reply = message_to(engine, MESSAGE_SUBSCRIBE_REPLY,
                                      engine->quorums[subscriber->slot].number, subscriber->message_id);
    reply.subscribe_reply = (struct subscribe_reply){
        .subscriber_id = subscriber->subscriber_id, .status = SUBSCRIBE_FAILED, .first_index = 1};
    send_reply(engine, &subscriber->channel, &reply);
    let_go(engine, subscriber);
}

/* (Re)starts delivery at `index`. */
static void start_at(struct engine *engine, struct subscriber *subscriber, uint64_t index)
{
    subscriber->next_index = index;
    subscriber->acknowledged_index = index;
    subscriber->unacknowledged_bytes = 0;
    subscriber->frame_head = 0;
    subscriber->frame_count = 0;
    subscriber->progress_ns = engine->now_ns;
}

static enum subscribe_status admit(struct engine *engine, const struct message *message, uint32_t slot,
                                   const struct engine_channel *channel)
{
    struct subscribers *subscribers = &engine->subscribers;
    struct subscriber *subscriber = find(subscribers, message->subscribe.subscriber_id, slot);
    if (!subscriber) {
        subscriber = find_free(subscribers);
        if (!subscriber) {
            return SUBSCRIBE_FULL;
        }
        subscribers->count++;
        subscriber->in_use = 1;
        subscriber->slot = slot;
        subscriber->subscriber_id = message->subscribe.subscriber_id;
        tape_cursor_init(&subscriber->cursor, engine->quorums[slot].number);
    }
    uint32_t window_bytes = message->subscribe.window_bytes;
    subscriber->window_bytes = window_bytes < WINDOW_BYTES_MAX ? window_bytes : WINDOW_BYTES_MAX;
    subscriber->message_id = message->message_id;
    subscriber->channel = *channel;
    subscriber->heard_ns = engine->now_ns;
    subscriber->sent_ns = engine->now_ns;
    start_at(engine, subscriber, message->subscribe.from_index ? message->subscribe.from_index : 1);
    return SUBSCRIBE_OK;
}

void subscribers_receive(struct engine *engine, const struct message *message, const uint8_t *tail,
                         uint32_t tail_bytes, const struct engine_channel *channel)
{
    struct engine_quorum *quorum = NULL;
    if (message->quorum_number == 0) {
        quorum = engine_find_by_name(engine, tail, tail_bytes);
    } else {
        uint32_t slot = host_find(engine->host, message->quorum_number);
        quorum = slot == HOST_NO_SLOT ? NULL : &engine->quorums[slot];
    }
    if (!quorum) {
        answer(engine, message, channel, NULL, SUBSCRIBE_UNKNOWN_QUORUM);
        return;
    }
    answer(engine, message, channel, quorum,
           message->subscribe.replicated ? SUBSCRIBE_FAILED
                                         : admit(engine, message, engine_slot_of(engine, quorum), channel));
}

static void acknowledge(struct engine *engine, struct subscriber *subscriber, uint64_t next_index)
{
    if (next_index <= subscriber->acknowledged_index) {
        return;
    }
    if (next_index > subscriber->next_index) {
        start_at(engine, subscriber, next_index); /* a SUBSCRIBE that came twice had sent us back */
        return;
    }
    subscriber->acknowledged_index = next_index;
    subscriber->progress_ns = engine->now_ns;
    while (subscriber->frame_count > 0 &&
           subscriber->frames[subscriber->frame_head % SUBSCRIBER_FRAMES_MAX].end_index <= next_index) {
        subscriber->unacknowledged_bytes -=
            subscriber->frames[subscriber->frame_head % SUBSCRIBER_FRAMES_MAX].bytes;
        subscriber->frame_head++;
        subscriber->frame_count--;
    }
}

void subscribers_receive_reply(struct engine *engine, const struct message *message)
{
    const struct deliver_reply *reply = &message->deliver_reply;
    uint32_t slot = host_find(engine->host, message->quorum_number);
    struct subscriber *subscriber =
        slot == HOST_NO_SLOT ? NULL : find(&engine->subscribers, reply->subscriber_id, slot);
    if (!subscriber) {
        return;
    }
    subscriber->heard_ns = engine->now_ns;
    if (reply->stop) {
        let_go(engine, subscriber);
        return;
    }
    if (reply->next_index > host_replicator(engine->host, slot)->commit_index + 1) {
        return; /* nobody can have what is not committed here: it speaks of another node's deliveries */
    }
    acknowledge(engine, subscriber, reply->next_index);
    if (reply->resend && reply->next_index >= subscriber->acknowledged_index &&
        reply->next_index < subscriber->next_index) {
        start_at(engine, subscriber, reply->next_index);
    }
}

static bool may_send(const struct subscriber *subscriber)
{
    return subscriber->frame_count < SUBSCRIBER_FRAMES_MAX &&
           (subscriber->unacknowledged_bytes == 0 ||
            subscriber->unacknowledged_bytes + FRAME_BYTES_MAX <= subscriber->window_bytes);
}

/* Fills the tail with committed records from next_index on; returns bytes and, in *ret_next, the index behind
 * them. None: *ret_hopeless says whether that will be so for ever (a tape that cannot be read, a record that
 * fits no frame of this way). */
static uint32_t fill(struct engine *engine, struct subscriber *subscriber, uint64_t commit_index,
                     uint8_t *tail, uint32_t capacity, uint64_t *ret_next, bool *ret_hopeless)
{
    uint32_t used = 0;
    uint64_t index = subscriber->next_index;
#ifdef TALLY_MUTANT_DELIVERY_BEFORE_COMMIT
    commit_index = UINT64_MAX;
#endif
    while (index <= commit_index) {
        const uint8_t *record = NULL;
        struct record_head head;
        enum tape_read read = tape_read(engine->tape, &subscriber->cursor, index, 0, &record, &head);
        if (read != TAPE_READ_RECORD) {
            *ret_hopeless = read == TAPE_READ_FAILED && used == 0;
            break;
        }
        uint32_t padded = (uint32_t)record_padded_bytes(head.length);
        if (used + padded > capacity) {
            *ret_hopeless = used == 0;
            break;
        }
        memcpy(tail + used, record, padded);
        used += padded;
        index++;
    }
    *ret_next = index;
    return used;
}

static void note_sent(struct engine *engine, struct subscriber *subscriber, uint32_t bytes,
                      uint64_t next_index)
{
    uint32_t place = (subscriber->frame_head + subscriber->frame_count) % SUBSCRIBER_FRAMES_MAX;
    if (subscriber->frame_count == 0) {
        subscriber->progress_ns = engine->now_ns;
    }
    subscriber->frames[place].end_index = next_index;
    subscriber->frames[place].bytes = bytes;
    subscriber->frame_count++;
    subscriber->unacknowledged_bytes += bytes;
    subscriber->next_index = next_index;
}

/* One frame of entries, or a heartbeat. True when it was sent. */
static bool send_frame(struct engine *engine, struct subscriber *subscriber, uint64_t commit_index,
                       bool entries)
{
    const struct engine_port *port = &engine->options.port;
    uint32_t capacity = 0;
    uint8_t *tail = port->begin(port->context, 0, &subscriber->channel, entries, &capacity);
    if (!tail) {
        return false;
    }
    uint64_t next_index = subscriber->next_index;
    bool is_hopeless = false;
    uint32_t used =
        entries ? fill(engine, subscriber, commit_index, tail, capacity, &next_index, &is_hopeless) : 0;
    if (entries && used == 0) {
        if (is_hopeless) {
            fail(engine, subscriber);
        }
        return false; /* it comes from disk: a later turn has it */
    }
    struct message message =
        message_to(engine, MESSAGE_DELIVER, engine->quorums[subscriber->slot].number, subscriber->message_id);
    message.deliver = (struct deliver){.subscriber_id = subscriber->subscriber_id,
                                       .first_index = subscriber->next_index,
                                       .committed_index = commit_index};
    port->send(port->context, &message, used);
    subscriber->sent_ns = engine->now_ns;
    if (used > 0) {
        note_sent(engine, subscriber, used, next_index);
    }
    return true;
}

static unsigned serve(struct engine *engine, struct subscriber *subscriber, unsigned budget)
{
    uint64_t now_ns = engine->now_ns;
    uint64_t commit_index = host_replicator(engine->host, subscriber->slot)->commit_index;
    unsigned work = 0;
    if (now_ns - subscriber->heard_ns > SILENCE_NS) {
        let_go(engine, subscriber);
        return 1;
    }
    if (subscriber->frame_count > 0 && now_ns - subscriber->progress_ns > RESEND_NS) {
        start_at(engine, subscriber, subscriber->acknowledged_index);
    }
    while (work < budget && subscriber->next_index <= commit_index && may_send(subscriber)) {
        if (!send_frame(engine, subscriber, commit_index, true)) {
            break;
        }
        work++;
    }
    if (subscriber->in_use && work == 0 && now_ns - subscriber->sent_ns > HEARTBEAT_NS) {
        work += send_frame(engine, subscriber, commit_index, false);
        subscriber->sent_ns = now_ns;
    }
    return work;
}

unsigned subscribers_deliver(struct engine *engine, unsigned budget)
{
    struct subscribers *subscribers = &engine->subscribers;
    unsigned work = 0;
    if (subscribers->count == 0) {
        return 0;
    }
    /* The one that was served first comes last in the next turn: a budget used up by one starves nobody. */
    subscribers->first = (subscribers->first + 1) % SUBSCRIBERS_MAX;
    for (uint32_t i = 0; i < SUBSCRIBERS_MAX && work < budget; i++) {
        struct subscriber *subscriber = &subscribers->places[(subscribers->first + i) % SUBSCRIBERS_MAX];
        if (subscriber->in_use) {
            work += serve(engine, subscriber, budget - work);
        }
    }
    return work;
}
