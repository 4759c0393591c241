/* SPDX-License-Identifier: Apache-2.0 */
/* Messages with every field in its range, for the tests of the codec. */
#ifndef TALLY_RANDOM_MESSAGE_H
#define TALLY_RANDOM_MESSAGE_H

#include <string.h>

#include "message.h"
#include "prng.h"

#define NUMBER_MAX ((1ull << 62) - 1)

static const uint8_t message_kinds[] = {MESSAGE_REQUEST_VOTE,
                                        MESSAGE_REQUEST_VOTE_REPLY,
                                        MESSAGE_APPEND_ENTRIES,
                                        MESSAGE_APPEND_ENTRIES_REPLY,
                                        MESSAGE_PRE_ELECTION_POLL,
                                        MESSAGE_PRE_ELECTION_REPLY,
                                        MESSAGE_PUBLISH,
                                        MESSAGE_PUBLISH_REPLY,
                                        MESSAGE_SUBSCRIBE,
                                        MESSAGE_SUBSCRIBE_REPLY,
                                        MESSAGE_DELIVER,
                                        MESSAGE_DELIVER_REPLY,
                                        MESSAGE_ADMIN,
                                        MESSAGE_ADMIN_REPLY};
#define MESSAGE_KIND_COUNT (sizeof(message_kinds) / sizeof(message_kinds[0]))

/* Every length of a varint is as likely as any other. */
static uint64_t random_number(struct prng *prng)
{
    return (prng_next(prng) >> 2) >> prng_below(prng, 62);
}

static uint64_t random_positive(struct prng *prng)
{
    return random_number(prng) | 1;
}

static uint8_t random_flag(struct prng *prng)
{
    return (uint8_t)prng_below(prng, 2);
}

/* The first `count` u64 fields of a body. */
static void random_fields(struct prng *prng, void *body, size_t count)
{
    uint64_t *fields = body;
    for (size_t i = 0; i < count; i++) {
        fields[i] = random_number(prng);
    }
}

static void random_consensus_body(struct prng *prng, struct message *m)
{
    switch (m->kind) {
    case MESSAGE_REQUEST_VOTE:
    case MESSAGE_PRE_ELECTION_POLL:
        random_fields(prng, &m->request_vote, sizeof(m->request_vote) / 8);
        m->request_vote.candidate_id |= 1;
        break;
    case MESSAGE_REQUEST_VOTE_REPLY:
    case MESSAGE_PRE_ELECTION_REPLY:
        m->request_vote_reply.term = random_number(prng);
        m->request_vote_reply.granted = random_flag(prng);
        m->request_vote_reply.removed = random_flag(prng);
        break;
    case MESSAGE_APPEND_ENTRIES:
        random_fields(prng, &m->append_entries, sizeof(m->append_entries) / 8);
        m->append_entries.leader_id = random_flag(prng) ? m->sender_id : random_positive(prng);
        break;
    case MESSAGE_APPEND_ENTRIES_REPLY:
        m->append_entries_reply.term = random_number(prng);
        m->append_entries_reply.success = random_flag(prng);
        random_fields(prng, &m->append_entries_reply.next_index_hint, 5);
        break;
    }
}

static void random_client_body(struct prng *prng, struct message *m)
{
    switch (m->kind) {
    case MESSAGE_PUBLISH:
        m->publish.source_id = prng_next(prng) | 1;
        m->publish.first_source_sequence = random_number(prng);
        break;
    case MESSAGE_PUBLISH_REPLY:
        m->publish_reply.source_id = prng_next(prng) | 1;
        m->publish_reply.status = (uint8_t)prng_below(prng, PUBLISH_FAILED + 1);
        random_fields(prng, &m->publish_reply.leader_id, 9);
        break;
    case MESSAGE_SUBSCRIBE:
        m->subscribe.subscriber_id = prng_next(prng) | 1;
        m->subscribe.from_index = random_positive(prng);
        m->subscribe.window_bytes = 1 + (uint32_t)prng_below(prng, 1u << 30);
        m->subscribe.replicated = random_flag(prng);
        break;
    case MESSAGE_SUBSCRIBE_REPLY:
        m->subscribe_reply.subscriber_id = prng_next(prng) | 1;
        m->subscribe_reply.status = (uint8_t)prng_below(prng, SUBSCRIBE_FAILED + 1);
        random_fields(prng, &m->subscribe_reply.first_index, 2);
        break;
    case MESSAGE_DELIVER:
        m->deliver.subscriber_id = prng_next(prng) | 1;
        m->deliver.first_index = random_positive(prng);
        m->deliver.committed_index = random_number(prng);
        break;
    case MESSAGE_DELIVER_REPLY:
        m->deliver_reply.subscriber_id = prng_next(prng) | 1;
        m->deliver_reply.next_index = random_number(prng);
        m->deliver_reply.resend = random_flag(prng);
        m->deliver_reply.stop = random_flag(prng);
        break;
    case MESSAGE_ADMIN:
    case MESSAGE_ADMIN_REPLY:
        m->admin.request_id = prng_next(prng);
        m->admin.status = m->kind == MESSAGE_ADMIN_REPLY ? (uint32_t)prng_next(prng) : 0;
        break;
    }
}

static void random_message(struct prng *prng, uint8_t kind, struct message *ret_message)
{
    memset(ret_message, 0, sizeof(*ret_message));
    ret_message->kind = kind;
    ret_message->in_reply = random_flag(prng);
    ret_message->message_id = prng_next(prng) >> 1;
    ret_message->sender_id = random_positive(prng);
    ret_message->receiver_id = random_positive(prng);
    ret_message->quorum_number = prng_next(prng) | 1;
    ret_message->incarnation = prng_next(prng);
    if (kind < MESSAGE_PUBLISH) {
        random_consensus_body(prng, ret_message);
    } else {
        random_client_body(prng, ret_message);
    }
}

#endif
