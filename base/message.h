/* SPDX-License-Identifier: Apache-2.0 */
/* The flat form of every message: what the codec decodes into and encodes from, and what the pure core reads
 * and writes. No pointers, no payload: the records of an append, a delivery or a publish travel beside it, as
 * bytes. Values are what proto/tally.proto says; zero means absent. Node ids are never 0. */
#ifndef TALLY_MESSAGE_H
#define TALLY_MESSAGE_H

#include <stdint.h>

#include "bounds.h"
#include "configuration.h"

/* The oneof's field numbers in tally.proto and the kind byte of a frame: kept for ever, never given twice. */
enum message_kind {
    MESSAGE_REQUEST_VOTE = 100,
    MESSAGE_REQUEST_VOTE_REPLY = 101,
    MESSAGE_APPEND_ENTRIES = 102,
    MESSAGE_APPEND_ENTRIES_REPLY = 103,
    MESSAGE_PRE_ELECTION_POLL = 104,
    MESSAGE_PRE_ELECTION_REPLY = 105,
    /* reserved, no function yet: 110 timeout-now, 111 install, 112 install reply, 113 read confirmation,
     * 114 read confirmation reply */
    MESSAGE_PUBLISH = 130,
    MESSAGE_PUBLISH_REPLY = 131,
    MESSAGE_SUBSCRIBE = 132,
    MESSAGE_SUBSCRIBE_REPLY = 133,
    MESSAGE_DELIVER = 134,
    MESSAGE_DELIVER_REPLY = 135,
    MESSAGE_ADMIN = 140,
    MESSAGE_ADMIN_REPLY = 141,
};

struct request_vote { /* PreElectionPoll has the same fields */
    uint64_t term;
    uint64_t candidate_id;
    uint64_t last_log_index;
    uint64_t last_log_term;
};

struct request_vote_reply { /* PreElectionReply: granted is would_vote */
    uint64_t term;
    uint8_t granted;
    uint8_t removed;
    uint8_t zero[6];
};

struct append_entries {
    uint64_t term;
    uint64_t leader_id;
    uint64_t prev_log_index;
    uint64_t prev_log_term;
    uint64_t commit_index;
    uint64_t last_sent_index;     /* highest index sent to this peer so far; in messages without entries */
    uint64_t election_timeout_ns; /* the sender's T0; in messages without entries */
    uint64_t disk_stall_ns; /* age of the sender's oldest unfinished write; in messages without entries */
};

struct append_entries_reply {
    uint64_t term;
    uint8_t success;
    uint8_t zero[7];
    uint64_t next_index_hint;    /* my_next_log_entry; 0 = no hint */
    uint64_t refused_prev_index; /* of a refusal: the prev it refuses */
    uint64_t received_index;     /* proved equal to the leader's log in this term, in memory here */
    uint64_t durable_index;      /* the same, on stable storage here */
    uint64_t disk_stall_ns;
};

/* A publisher's entries; the tail holds `entry_count` x { u16 blocks bytes, u16 message count, blocks },
 * little-endian. Entry i has source sequence first_source_sequence + i. entry_count 0 asks for the source's
 * state; with first_source_sequence 0 it opens a session: nothing sent before (by message id) is taken. */
struct publish {
    uint64_t source_id; /* the publisher's own, kept over restarts; not 0 */
    uint64_t first_source_sequence;
    uint32_t entry_count;
    uint32_t zero;
};

enum publish_status {
    PUBLISH_OK = 0,             /* the watermarks say how far */
    PUBLISH_NOT_LEADER = 1,     /* leader_id says who, 0 = nobody known */
    PUBLISH_BUSY = 2,           /* a queue is full; nothing from wanted_source_sequence on was taken */
    PUBLISH_NO_SPACE = 3,       /* the tape is full */
    PUBLISH_TOO_LARGE = 4,      /* blocks exceed the entry payload; that entry can never be taken */
    PUBLISH_MALFORMED = 5,      /* blocks and counts disagree */
    PUBLISH_SEQUENCE_GAP = 6,   /* entries are missing before this one: send from wanted_source_sequence */
    PUBLISH_SOURCES_FULL = 7,   /* no place for another source in this quorum */
    PUBLISH_UNKNOWN_QUORUM = 8, /* no such quorum here */
    PUBLISH_FAILED = 9,         /* the quorum stopped on this node (rule 37) */
};

/* Cumulative, so a lost or doubled reply does no harm; sent at most once a turn to a publisher. */
struct publish_reply {
    uint64_t source_id;
    uint8_t status; /* enum publish_status */
    uint8_t zero[7];
    uint64_t leader_id;
    uint64_t term;
    uint64_t wanted_source_sequence; /* the next one that this leader takes */
    uint64_t logged_source_sequence; /* receipt: all up to this have an index (log_index, term) */
    uint64_t logged_index;
    uint64_t replicated_source_sequence; /* received by a majority */
    uint64_t committed_source_sequence;  /* outcome: all up to this are committed */
    uint64_t committed_index;            /* index of the entry of committed_source_sequence */
    uint64_t next_stream_sequence;       /* the stream's next message sequence after it; 0 when not known */
};

enum subscribe_status {
    SUBSCRIBE_OK = 0,
    SUBSCRIBE_UNKNOWN_QUORUM = 1,
    SUBSCRIBE_FULL = 2,            /* SUBSCRIBERS_MAX reached */
    SUBSCRIBE_BEHIND_BOUNDARY = 3, /* first_index says where the log begins */
    SUBSCRIBE_FAILED = 4,
};

struct subscribe {
    uint64_t subscriber_id; /* chosen by the subscriber, at random; the same one again replaces the older */
    uint64_t from_index;    /* first wanted log index, from 1 */
    uint32_t window_bytes;  /* unacknowledged record bytes it takes at most; bounded by the node */
    uint32_t replicated;    /* reserved: 1 asks for replicated, not committed entries; refused for now */
};

struct subscribe_reply {
    uint64_t subscriber_id;
    uint8_t status; /* enum subscribe_status */
    uint8_t zero[7];
    uint64_t first_index;
    uint64_t committed_index;
};

/* Committed records in the tail, contiguous by index; an empty tail is a heartbeat. */
struct deliver {
    uint64_t subscriber_id;
    uint64_t first_index; /* index of the first record of the tail, or of the next one when there is none */
    uint64_t committed_index; /* the node's */
};

struct deliver_reply {
    uint64_t subscriber_id;
    uint64_t next_index; /* all before it have arrived; delivery goes on or is repeated from here */
    uint8_t resend;      /* 1: what was sent from next_index on was lost */
    uint8_t stop;        /* 1: the subscriber leaves */
    uint8_t zero[6];
};

/* A line of administration on its way to another node; the tail is text. */
struct admin {
    uint64_t request_id;
    uint32_t status; /* reply: 0, or the exit status for the command line */
    uint32_t zero;
};

struct message {
    uint8_t kind; /* enum message_kind */
    uint8_t in_reply;
    uint8_t zero[6];
    uint64_t message_id; /* echoed in every reply; grows with every send of one sender in one quorum */
    uint64_t sender_id;  /* node id; 0: a client */
    uint64_t receiver_id;
    uint64_t quorum_number;
    uint64_t incarnation; /* the sender's */
    union {
        struct request_vote request_vote;
        struct request_vote_reply request_vote_reply;
        struct append_entries append_entries;
        struct append_entries_reply append_entries_reply;
        struct publish publish;
        struct publish_reply publish_reply;
        struct subscribe subscribe;
        struct subscribe_reply subscribe_reply;
        struct deliver deliver;
        struct deliver_reply deliver_reply;
        struct admin admin;
    };
};

/* It rides in the private area of a packet buffer. */
_Static_assert(sizeof(struct message) <= 192, "three cache lines");

/* Control messages (lane 0) pass bulk ones on every core and every port. */
static inline int message_is_bulk(const struct message *message, uint32_t tail_bytes)
{
    return tail_bytes > 0 && message->kind != MESSAGE_ADMIN && message->kind != MESSAGE_ADMIN_REPLY;
}

/* What the entries of one append are, as far as the pure core needs to know. The host fills it from the
 * records, which it has checked: one quorum, contiguous indexes, terms not falling. */
struct entries_summary {
    uint64_t first_index; /* 0 when there are none */
    uint32_t entry_count;
    uint32_t run_count;
    struct {
        uint64_t first_index;
        uint64_t term;
    } runs[MESSAGE_RUNS_MAX];
    uint64_t configuration_index; /* 0: no configuration entry among them; at most one is let through */
    struct configuration configuration;
};

#endif
