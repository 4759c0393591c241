/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#define NUMBER codec_number_is_legal

/* ---- flat to protobuf ---- */

static void fill_request_vote(struct codec_wire *wire, const struct request_vote *from)
{
    Tally__RequestVote *to = &wire->body.request_vote;
    tally__request_vote__init(to);
    to->term = (int64_t)from->term;
    to->candidate_id = (int64_t)from->candidate_id;
    to->last_log_index = (int64_t)from->last_log_index;
    to->last_log_term = (int64_t)from->last_log_term;
    wire->outer.request_vote = to;
}

static void fill_poll(struct codec_wire *wire, const struct request_vote *from)
{
    Tally__PreElectionPoll *to = &wire->body.pre_election_poll;
    tally__pre_election_poll__init(to);
    to->term = (int64_t)from->term;
    to->candidate_id = (int64_t)from->candidate_id;
    to->last_log_index = (int64_t)from->last_log_index;
    to->last_log_term = (int64_t)from->last_log_term;
    wire->outer.pre_election_poll = to;
}

static void fill_request_vote_reply(struct codec_wire *wire, const struct request_vote_reply *from)
{
    Tally__RequestVoteReply *to = &wire->body.request_vote_reply;
    tally__request_vote_reply__init(to);
    to->term = (int64_t)from->term;
    to->vote_granted = from->granted != 0;
    to->removed = from->removed != 0;
    wire->outer.request_vote_reply = to;
}

static void fill_poll_reply(struct codec_wire *wire, const struct request_vote_reply *from)
{
    Tally__PreElectionReply *to = &wire->body.pre_election_reply;
    tally__pre_election_reply__init(to);
    to->term = (int64_t)from->term;
    to->would_vote = from->granted != 0;
    to->removed = from->removed != 0;
    wire->outer.pre_election_reply = to;
}

/* Beside records go only the fields that the record rules need; so a full record always fits its frame. */
static void fill_append(struct codec_wire *wire, const struct append_entries *from, uint64_t sender_id,
                        uint32_t tail_bytes)
{
    Tally__AppendEntries *to = &wire->body.append_entries;
    tally__append_entries__init(to);
    to->term = (int64_t)from->term;
    to->leader_id = from->leader_id == sender_id ? 0 : (int64_t)from->leader_id;
    to->prev_log_index = (int64_t)from->prev_log_index;
    to->prev_log_term = (int64_t)from->prev_log_term;
    to->commit_index = (int64_t)from->commit_index;
    if (tail_bytes == 0) {
        to->last_sent_index = (int64_t)from->last_sent_index;
        to->election_timeout_ns = (int64_t)from->election_timeout_ns;
        to->disk_stall_ns = (int64_t)from->disk_stall_ns;
    }
    wire->outer.append_entries = to;
}

static void fill_append_reply(struct codec_wire *wire, const struct append_entries_reply *from)
{
    Tally__AppendEntriesReply *to = &wire->body.append_entries_reply;
    tally__append_entries_reply__init(to);
    to->term = (int64_t)from->term;
    to->success = from->success != 0;
    to->my_next_log_entry = (int64_t)from->next_index_hint;
    to->refused_prev_index = (int64_t)from->refused_prev_index;
    to->received_index = (int64_t)from->received_index;
    to->durable_index = (int64_t)from->durable_index;
    to->disk_stall_ns = (int64_t)from->disk_stall_ns;
    wire->outer.append_entries_reply = to;
}

void codec_fill_consensus(struct codec_wire *wire, const struct message *message, uint32_t tail_bytes)
{
    switch (message->kind) {
    case MESSAGE_REQUEST_VOTE:
        fill_request_vote(wire, &message->request_vote);
        break;
    case MESSAGE_REQUEST_VOTE_REPLY:
        fill_request_vote_reply(wire, &message->request_vote_reply);
        break;
    case MESSAGE_APPEND_ENTRIES:
        fill_append(wire, &message->append_entries, message->sender_id, tail_bytes);
        break;
    case MESSAGE_APPEND_ENTRIES_REPLY:
        fill_append_reply(wire, &message->append_entries_reply);
        break;
    case MESSAGE_PRE_ELECTION_POLL:
        fill_poll(wire, &message->request_vote);
        break;
    case MESSAGE_PRE_ELECTION_REPLY:
        fill_poll_reply(wire, &message->request_vote_reply);
        break;
    }
}

/* ---- protobuf to flat ---- */

static bool read_request_vote(const Tally__RequestVote *from, struct request_vote *to)
{
    to->term = (uint64_t)from->term;
    to->candidate_id = (uint64_t)from->candidate_id;
    to->last_log_index = (uint64_t)from->last_log_index;
    to->last_log_term = (uint64_t)from->last_log_term;
    return NUMBER(from->term) && from->candidate_id > 0 && NUMBER(from->last_log_index) &&
           NUMBER(from->last_log_term);
}

static bool read_poll(const Tally__PreElectionPoll *from, struct request_vote *to)
{
    to->term = (uint64_t)from->term;
    to->candidate_id = (uint64_t)from->candidate_id;
    to->last_log_index = (uint64_t)from->last_log_index;
    to->last_log_term = (uint64_t)from->last_log_term;
    return NUMBER(from->term) && from->candidate_id > 0 && NUMBER(from->last_log_index) &&
           NUMBER(from->last_log_term);
}

static bool read_request_vote_reply(const Tally__RequestVoteReply *from, struct request_vote_reply *to)
{
    to->term = (uint64_t)from->term;
    to->granted = from->vote_granted != 0;
    to->removed = from->removed != 0;
    return NUMBER(from->term);
}

static bool read_poll_reply(const Tally__PreElectionReply *from, struct request_vote_reply *to)
{
    to->term = (uint64_t)from->term;
    to->granted = from->would_vote != 0;
    to->removed = from->removed != 0;
    return NUMBER(from->term);
}

static bool read_append(const Tally__AppendEntries *from, struct append_entries *to, uint64_t sender_id)
{
    to->term = (uint64_t)from->term;
    to->leader_id = from->leader_id == 0 ? sender_id : (uint64_t)from->leader_id;
    to->prev_log_index = (uint64_t)from->prev_log_index;
    to->prev_log_term = (uint64_t)from->prev_log_term;
    to->commit_index = (uint64_t)from->commit_index;
    to->last_sent_index = (uint64_t)from->last_sent_index;
    to->election_timeout_ns = (uint64_t)from->election_timeout_ns;
    to->disk_stall_ns = (uint64_t)from->disk_stall_ns;
    return from->n_entries == 0 && codec_id_is_legal(from->leader_id) && NUMBER(from->term) &&
           NUMBER(from->prev_log_index) && NUMBER(from->prev_log_term) && NUMBER(from->commit_index) &&
           NUMBER(from->last_sent_index) && NUMBER(from->election_timeout_ns) && NUMBER(from->disk_stall_ns);
}

static bool read_append_reply(const Tally__AppendEntriesReply *from, struct append_entries_reply *to)
{
    to->term = (uint64_t)from->term;
    to->success = from->success != 0;
    to->next_index_hint = (uint64_t)from->my_next_log_entry;
    to->refused_prev_index = (uint64_t)from->refused_prev_index;
    to->received_index = (uint64_t)from->received_index;
    to->durable_index = (uint64_t)from->durable_index;
    to->disk_stall_ns = (uint64_t)from->disk_stall_ns;
    return NUMBER(from->term) && NUMBER(from->my_next_log_entry) && NUMBER(from->refused_prev_index) &&
           NUMBER(from->received_index) && NUMBER(from->durable_index) && NUMBER(from->disk_stall_ns);
}

bool codec_read_consensus(const Tally__ReplicationWireMessage *outer, struct message *message)
{
    switch (message->kind) {
    case MESSAGE_REQUEST_VOTE:
        return read_request_vote(outer->request_vote, &message->request_vote);
    case MESSAGE_REQUEST_VOTE_REPLY:
        return read_request_vote_reply(outer->request_vote_reply, &message->request_vote_reply);
    case MESSAGE_APPEND_ENTRIES:
        return read_append(outer->append_entries, &message->append_entries, message->sender_id);
    case MESSAGE_APPEND_ENTRIES_REPLY:
        return read_append_reply(outer->append_entries_reply, &message->append_entries_reply);
    case MESSAGE_PRE_ELECTION_POLL:
        return read_poll(outer->pre_election_poll, &message->request_vote);
    case MESSAGE_PRE_ELECTION_REPLY:
        return read_poll_reply(outer->pre_election_reply, &message->request_vote_reply);
    }
    return false;
}
