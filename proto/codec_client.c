/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#define NUMBER codec_number_is_legal
/* No subscriber has more than this in flight; a larger wish is a mistake of its sender. */
#define WINDOW_BYTES_MAX (1u << 30)
/* Of one entry in a publish's tail: the two lengths before its blocks. */
#define PUBLISH_ENTRY_BYTES_MIN 4

/* ---- flat to protobuf ---- */

static void fill_publish(struct codec_wire *wire, const struct publish *from)
{
    Tally__Publish *to = &wire->body.publish;
    tally__publish__init(to);
    to->source_id = from->source_id;
    to->first_source_sequence = (int64_t)from->first_source_sequence;
    to->entry_count = from->entry_count;
    wire->outer.publish = to;
}

static void fill_publish_reply(struct codec_wire *wire, const struct publish_reply *from)
{
    Tally__PublishReply *to = &wire->body.publish_reply;
    tally__publish_reply__init(to);
    to->source_id = from->source_id;
    to->status = from->status;
    to->leader_id = (int64_t)from->leader_id;
    to->term = (int64_t)from->term;
    to->wanted_source_sequence = (int64_t)from->wanted_source_sequence;
    to->logged_source_sequence = (int64_t)from->logged_source_sequence;
    to->logged_index = (int64_t)from->logged_index;
    to->replicated_source_sequence = (int64_t)from->replicated_source_sequence;
    to->committed_source_sequence = (int64_t)from->committed_source_sequence;
    to->committed_index = (int64_t)from->committed_index;
    to->next_stream_sequence = (int64_t)from->next_stream_sequence;
    wire->outer.publish_reply = to;
}

static void fill_subscribe(struct codec_wire *wire, const struct subscribe *from)
{
    Tally__Subscribe *to = &wire->body.subscribe;
    tally__subscribe__init(to);
    to->subscriber_id = from->subscriber_id;
    to->from_index = (int64_t)from->from_index;
    to->window_bytes = from->window_bytes;
    to->replicated = from->replicated != 0;
    wire->outer.subscribe = to;
}

static void fill_subscribe_reply(struct codec_wire *wire, const struct subscribe_reply *from)
{
    Tally__SubscribeReply *to = &wire->body.subscribe_reply;
    tally__subscribe_reply__init(to);
    to->subscriber_id = from->subscriber_id;
    to->status = from->status;
    to->first_index = (int64_t)from->first_index;
    to->committed_index = (int64_t)from->committed_index;
    wire->outer.subscribe_reply = to;
}

static void fill_deliver(struct codec_wire *wire, const struct deliver *from)
{
    Tally__Deliver *to = &wire->body.deliver;
    tally__deliver__init(to);
    to->subscriber_id = from->subscriber_id;
    to->first_index = (int64_t)from->first_index;
    to->committed_index = (int64_t)from->committed_index;
    wire->outer.deliver = to;
}

static void fill_deliver_reply(struct codec_wire *wire, const struct deliver_reply *from)
{
    Tally__DeliverReply *to = &wire->body.deliver_reply;
    tally__deliver_reply__init(to);
    to->subscriber_id = from->subscriber_id;
    to->next_index = (int64_t)from->next_index;
    to->resend = from->resend != 0;
    to->stop = from->stop != 0;
    wire->outer.deliver_reply = to;
}

static void fill_admin(struct codec_wire *wire, const struct admin *from)
{
    Tally__Admin *to = &wire->body.admin;
    tally__admin__init(to);
    to->request_id = from->request_id;
    wire->outer.admin = to;
}

static void fill_admin_reply(struct codec_wire *wire, const struct admin *from)
{
    Tally__AdminReply *to = &wire->body.admin_reply;
    tally__admin_reply__init(to);
    to->request_id = from->request_id;
    to->status = from->status;
    wire->outer.admin_reply = to;
}

void codec_fill_client(struct codec_wire *wire, const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_PUBLISH:
        fill_publish(wire, &message->publish);
        break;
    case MESSAGE_PUBLISH_REPLY:
        fill_publish_reply(wire, &message->publish_reply);
        break;
    case MESSAGE_SUBSCRIBE:
        fill_subscribe(wire, &message->subscribe);
        break;
    case MESSAGE_SUBSCRIBE_REPLY:
        fill_subscribe_reply(wire, &message->subscribe_reply);
        break;
    case MESSAGE_DELIVER:
        fill_deliver(wire, &message->deliver);
        break;
    case MESSAGE_DELIVER_REPLY:
        fill_deliver_reply(wire, &message->deliver_reply);
        break;
    case MESSAGE_ADMIN:
        fill_admin(wire, &message->admin);
        break;
    case MESSAGE_ADMIN_REPLY:
        fill_admin_reply(wire, &message->admin);
        break;
    }
}

/* ---- protobuf to flat ---- */

/* A publish that opens a quorum by its name has that name for a tail, hence no entries. */
static bool read_publish(const Tally__Publish *from, struct message *message, uint32_t tail_bytes)
{
    struct publish *to = &message->publish;
    to->source_id = from->source_id;
    to->first_source_sequence = (uint64_t)from->first_source_sequence;
    to->entry_count = from->entry_count;
    uint32_t entry_count_max = message->quorum_number == 0 ? 0 : tail_bytes / PUBLISH_ENTRY_BYTES_MIN;
    return from->source_id != 0 && NUMBER(from->first_source_sequence) &&
           from->entry_count <= entry_count_max;
}

static bool read_publish_reply(const Tally__PublishReply *from, struct publish_reply *to)
{
    to->source_id = from->source_id;
    to->status = (uint8_t)from->status;
    to->leader_id = (uint64_t)from->leader_id;
    to->term = (uint64_t)from->term;
    to->wanted_source_sequence = (uint64_t)from->wanted_source_sequence;
    to->logged_source_sequence = (uint64_t)from->logged_source_sequence;
    to->logged_index = (uint64_t)from->logged_index;
    to->replicated_source_sequence = (uint64_t)from->replicated_source_sequence;
    to->committed_source_sequence = (uint64_t)from->committed_source_sequence;
    to->committed_index = (uint64_t)from->committed_index;
    to->next_stream_sequence = (uint64_t)from->next_stream_sequence;
    return from->source_id != 0 && from->status <= PUBLISH_FAILED && codec_id_is_legal(from->leader_id) &&
           NUMBER(from->term) && NUMBER(from->wanted_source_sequence) &&
           NUMBER(from->logged_source_sequence) && NUMBER(from->logged_index) &&
           NUMBER(from->replicated_source_sequence) && NUMBER(from->committed_source_sequence) &&
           NUMBER(from->committed_index) && NUMBER(from->next_stream_sequence);
}

static bool read_subscribe(const Tally__Subscribe *from, struct subscribe *to)
{
    to->subscriber_id = from->subscriber_id;
    to->from_index = (uint64_t)from->from_index;
    to->window_bytes = from->window_bytes;
    to->replicated = from->replicated != 0;
    return from->subscriber_id != 0 && from->from_index != 0 && NUMBER(from->from_index) &&
           from->window_bytes != 0 && from->window_bytes <= WINDOW_BYTES_MAX;
}

static bool read_subscribe_reply(const Tally__SubscribeReply *from, struct subscribe_reply *to)
{
    to->subscriber_id = from->subscriber_id;
    to->status = (uint8_t)from->status;
    to->first_index = (uint64_t)from->first_index;
    to->committed_index = (uint64_t)from->committed_index;
    return from->subscriber_id != 0 && from->status <= SUBSCRIBE_FAILED && NUMBER(from->first_index) &&
           NUMBER(from->committed_index);
}

static bool read_deliver(const Tally__Deliver *from, struct deliver *to)
{
    to->subscriber_id = from->subscriber_id;
    to->first_index = (uint64_t)from->first_index;
    to->committed_index = (uint64_t)from->committed_index;
    return from->subscriber_id != 0 && from->first_index != 0 && NUMBER(from->first_index) &&
           NUMBER(from->committed_index);
}

static bool read_deliver_reply(const Tally__DeliverReply *from, struct deliver_reply *to)
{
    to->subscriber_id = from->subscriber_id;
    to->next_index = (uint64_t)from->next_index;
    to->resend = from->resend != 0;
    to->stop = from->stop != 0;
    return from->subscriber_id != 0 && NUMBER(from->next_index);
}

bool codec_read_client(const Tally__ReplicationWireMessage *outer, struct message *message,
                       uint32_t tail_bytes)
{
    switch (message->kind) {
    case MESSAGE_PUBLISH:
        return read_publish(outer->publish, message, tail_bytes);
    case MESSAGE_PUBLISH_REPLY:
        return read_publish_reply(outer->publish_reply, &message->publish_reply);
    case MESSAGE_SUBSCRIBE:
        return read_subscribe(outer->subscribe, &message->subscribe);
    case MESSAGE_SUBSCRIBE_REPLY:
        return read_subscribe_reply(outer->subscribe_reply, &message->subscribe_reply);
    case MESSAGE_DELIVER:
        return read_deliver(outer->deliver, &message->deliver);
    case MESSAGE_DELIVER_REPLY:
        return read_deliver_reply(outer->deliver_reply, &message->deliver_reply);
    case MESSAGE_ADMIN:
        message->admin.request_id = outer->admin->request_id;
        return true;
    case MESSAGE_ADMIN_REPLY:
        message->admin.request_id = outer->admin_reply->request_id;
        message->admin.status = outer->admin_reply->status;
        return true;
    }
    return false;
}
