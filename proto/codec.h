/* SPDX-License-Identifier: Apache-2.0 */
/* Inside proto/ only: the two directions between a flat message and its protobuf-c form. */
#ifndef TALLY_CODEC_H
#define TALLY_CODEC_H

#include <stdbool.h>

#include "frame.h"
#include "message.h"
#include "tally.pb-c.h"

/* Whole on the stack of the encoder: the outer message and the one body it points to. */
struct codec_wire {
    Tally__ReplicationWireMessage outer;
    union {
        Tally__RequestVote request_vote;
        Tally__RequestVoteReply request_vote_reply;
        Tally__AppendEntries append_entries;
        Tally__AppendEntriesReply append_entries_reply;
        Tally__PreElectionPoll pre_election_poll;
        Tally__PreElectionReply pre_election_reply;
        Tally__Publish publish;
        Tally__PublishReply publish_reply;
        Tally__Subscribe subscribe;
        Tally__SubscribeReply subscribe_reply;
        Tally__Deliver deliver;
        Tally__DeliverReply deliver_reply;
        Tally__Admin admin;
        Tally__AdminReply admin_reply;
    } body;
};

/* Sets wire->body and points wire->outer at it; message->kind is known. */
void codec_fill(struct codec_wire *wire, const struct message *message, uint32_t tail_bytes);
void codec_fill_consensus(struct codec_wire *wire, const struct message *message, uint32_t tail_bytes);
void codec_fill_client(struct codec_wire *wire, const struct message *message);

/* Copies the body, which is of message->kind, into the flat message, whose head fields are set and whose body
 * is zero. False: a field is out of range. */
bool codec_read(const Tally__ReplicationWireMessage *outer, struct message *message, uint32_t tail_bytes);
bool codec_read_consensus(const Tally__ReplicationWireMessage *outer, struct message *message);
bool codec_read_client(const Tally__ReplicationWireMessage *outer, struct message *message,
                       uint32_t tail_bytes);

/* A term, an index, a sequence, a duration: below 2^62, so that sums of a few of them never wrap. */
static inline bool codec_number_is_legal(int64_t value)
{
    return ((uint64_t)value >> 62) == 0;
}

static inline bool codec_id_is_legal(int64_t value)
{
    return value >= 0;
}

#endif
