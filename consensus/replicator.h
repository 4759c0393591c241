/* SPDX-License-Identifier: Apache-2.0 */
/* The replicator: one node's participant in one quorum, as a value and a function. State in, input in, output
 * out: no I/O, no clock, no heap, no callback, no text, no payload. The state is flat, so it can be copied,
 * compared and hashed; randomness is part of it. The host (host.h) carries the outputs out, in the order in
 * which they stand in struct replicator_output, and holds each send until its release condition is met.
 *
 * Raft thesis, Figure 3.1, with C5DB's pre-election poll; rules cited as `rule N` are listed in
 * docs/consensus.md. */
#ifndef TALLY_REPLICATOR_H
#define TALLY_REPLICATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"
#include "configuration.h"
#include "message.h"
#include "prng.h"

enum replicator_role {
    REPLICATOR_FOLLOWER = 1,
    REPLICATOR_CANDIDATE = 2,
    REPLICATOR_LEADER = 3,
    REPLICATOR_FAILED = 4, /* rule 37: takes part in nothing any more */
};

enum progress_mode {
    PROGRESS_PROBE = 0,     /* one message until the match is found */
    PROGRESS_REPLICATE = 1, /* optimistic next index */
    PROGRESS_SNAPSHOT = 2,  /* reserved: behind the boundary */
};

struct log_run {
    uint64_t first_index;
    uint64_t term;
};

struct logged_configuration {
    uint64_t index;
    struct configuration configuration;
};

/* What a leader knows of one other node. */
struct peer_progress {
    uint64_t node_id;
    uint64_t next_index;
    uint64_t match_index;    /* proved equal in this term: the highest received */
    uint64_t durable_index;  /* acknowledged; what commit counts */
    uint64_t committed_sent; /* highest commit index that was sent to it */
    uint64_t last_sent_index;
    uint64_t last_sent_ns;  /* any append but a probe with entries */
    uint64_t last_heard_ns; /* send time of the newest append of this term it answered */
    uint64_t retransmit_ns; /* when to go back to match_index + 1 if nothing arrives */
    /* Our newest message id when match_index last rose: a refusal of something older than that says nothing
     * about the peer as it is now (rule 26). */
    uint64_t acknowledged_message_id;
    uint64_t probe_message_id; /* the outstanding probe, 0 none */
    uint64_t stall_ns;
    /* Messages in flight, counted from above without remembering each: those sent up to the mark and those
     * since. */
    uint64_t window_mark_index;
    uint32_t window_older_count;
    uint32_t window_newer_count;
    uint8_t mode;    /* enum progress_mode */
    uint8_t granted; /* poll or vote: 0 no answer, 1 yes, 2 no */
    uint8_t voter;   /* of the newest configuration; a learner is sent committed entries only */
    uint8_t lost;    /* lost durable data: counts for nothing in this leadership (rule 26) */
    uint8_t zero[4];
};

/* Submissions of one leadership whose outcome is not decided. */
struct pending_range {
    uint64_t first_index;
    uint64_t last_index;
    uint64_t term;
};

struct replicator_options {
    uint64_t quorum_number;
    uint64_t node_id;
    uint64_t incarnation;
    uint64_t election_timeout_ns;   /* T0 */
    uint64_t heartbeat_interval_ns; /* < T0 / 2 */
    uint64_t retransmit_timeout_ns;
    uint64_t disk_stall_limit_ns; /* rules 14, 36 */
    uint64_t random_seed;
};

struct replicator {
    struct replicator_options options;
    struct prng prng;
    /* hard state (rule 6) */
    uint64_t term;
    uint64_t voted_for;
    uint64_t hard_state_number;  /* grows with every change of (term, voted_for) */
    uint64_t hard_state_durable; /* the newest number that is on stable storage */
    /* log: entries 1..last_index as runs; they ascend in index and term. The terms of entries before
     * runs[0].first_index are not known here: it need not be the first entry of its term. */
    uint64_t last_index;
    uint64_t durable_index; /* of the log as it is now; the host says so with (index, term) */
    uint64_t
        proved_index; /* equal to the leader's log, proved in this term (rule 7); 0 after a term change */
    uint64_t commit_index;
    uint64_t noticed_index;    /* commit notices were given up to here */
    uint64_t replicated_index; /* rule 39; never below commit_index */
    uint32_t run_count;
    uint32_t configuration_count;
    struct log_run runs[RUNS_MAX];
    /* terms below the oldest run, as the host last supplied them from the tape: covers [first_index of
     * runs[0] ..] */
    struct log_run older_runs[MESSAGE_RUNS_MAX];
    uint64_t older_last_index; /* 0: none supplied */
    uint32_t older_run_count;
    uint32_t zero0;
    struct logged_configuration
        configurations[CONFIGURATIONS_MAX]; /* newest last; [0] is the newest known committed */
    /* role */
    uint8_t role; /* enum replicator_role */
    uint8_t poll_current;
    uint8_t acknowledgement_owed;
    uint8_t removed; /* rule 15: polls only every 16 * T0 */
    uint8_t zero1[4];
    uint64_t leader_id;       /* 0: nobody known in this term */
    uint64_t leader_heard_ns; /* rule 14: last accepted append; not cleared by a term change */
    uint64_t timer_reset_ns;
    uint64_t timeout_ns; /* drawn from [T0, 2*T0) at every reset */
    uint64_t resend_ns;  /* when a poll or vote request is repeated to silent peers */
    uint64_t poll_or_election_message_id;
    uint64_t owed_message_id;       /* newest append not yet acknowledged */
    uint64_t last_message_id;       /* ids are send times made to grow: max(last + 1, now_ns) */
    uint64_t leadership_message_id; /* replies to this or older ids belong to no append of this leadership */
    uint64_t leader_start_index;    /* of this leadership; 0: none */
    uint64_t taken_index;           /* what a majority has received, of any term, when that last rose */
    uint64_t taken_ns;              /* or when nothing was left to be received */
    uint64_t announced_leader_id;   /* rule 22 */
    uint64_t announced_term;
    uint64_t mismatch_term; /* the term in which another T0 was last reported */
    uint64_t disk_stall_ns; /* own, as last told */
    uint64_t failure;       /* enum replicator_failure */
    uint32_t peer_count;
    uint32_t pending_count;
    struct peer_progress peers[PEERS_MAX]; /* everyone in the configurations but this node */
    struct pending_range pending[PENDING_RANGES_MAX];
};

enum replicator_failure {
    REPLICATOR_FAILURE_NONE = 0,
    REPLICATOR_FAILURE_DISK,               /* a write failed (rules 6, 36) */
    REPLICATOR_FAILURE_TRUNCATE_COMMITTED, /* rule 27 */
    REPLICATOR_FAILURE_TWO_LEADERS,        /* rule 20 */
    REPLICATOR_FAILURE_BOUND,              /* reserved */
    REPLICATOR_FAILURE_LOG,                /* the log it started with contradicts itself */
};

enum replicator_input_kind {
    INPUT_TICK = 1,  /* time has passed; also due when deadline_ns is reached */
    INPUT_MESSAGE,   /* a checked message of this quorum */
    INPUT_BOOTSTRAP, /* rules 8, 10 */
    INPUT_SUBMIT,    /* entries for the log */
    INPUT_SEND,      /* the host can send entries up to an index to a peer now (see replicator_wants_send) */
    INPUT_PERSISTED, /* what is durable */
    INPUT_TERMS,     /* runs from the tape, answering need_terms_index */
    INPUT_FLUSH,     /* the turn ends: acknowledgements owed are given */
    INPUT_DISK,      /* the disk's stall age, or its failure */
    /* reserved, no function yet: change, transfer, read */
};

struct replicator_input {
    uint64_t now_ns; /* monotonic, also through suspend */
    uint32_t kind;   /* enum replicator_input_kind */
    uint32_t zero;
    union {
        struct {
            const struct message *message;
            const struct entries_summary *entries; /* NULL unless AppendEntries */
        } message;
        struct configuration bootstrap; /* stable, contains this node */
        struct {
            uint32_t entry_count;
        } submit;
        struct {
            uint64_t node_id;
            uint64_t last_index; /* >= next_index - 1; next_index - 1 sends no entries */
        } send;
        struct {
            uint64_t index; /* the log up to here is durable ... */
            uint64_t term;  /* ... where this is the term of the entry at `index` */
            uint64_t hard_state_number;
        } persisted;
        struct {
            struct log_run runs[MESSAGE_RUNS_MAX];
            uint32_t run_count;
            uint64_t last_index;
        } terms;
        struct {
            uint64_t stall_ns;
            uint32_t failed;
        } disk;
    };
};

enum replicator_refusal {
    REPLICATOR_ACCEPTED = 0,
    REPLICATOR_NOT_LEADER,
    REPLICATOR_BUSY,                 /* a bound is reached; later */
    REPLICATOR_STOPPED,              /* failed (rule 37) */
    REPLICATOR_ALREADY_BOOTSTRAPPED, /* harmless: nothing changed */
    REPLICATOR_NOT_IN_SET,           /* bootstrap without this node */
};

/* A message to send, and what must be durable before it may leave. */
struct replicator_send {
    struct message message;
    uint64_t release_hard_state; /* leaves when hard_state_durable >= this; 0: at once */
    uint64_t first_index;        /* entries to carry: [first_index, last_index]; last < first: none */
    uint64_t last_index;
};

enum replicator_event_kind {
    EVENT_QUORUM_START = 1,
    EVENT_ELECTION_TIMEOUT,
    EVENT_ELECTION_STARTED,
    EVENT_LEADER_ELECTED,                 /* node_id, term */
    EVENT_LEADER_DEPOSED,                 /* node_id, term: by the leader that steps down */
    EVENT_QUORUM_CONFIGURATION_COMMITTED, /* index; replicator_configuration_at gives it */
    EVENT_QUORUM_FAILURE,                 /* index: enum replicator_failure */
    EVENT_STATE_CHANGE,                   /* index: enum replicator_role */
    EVENT_PEER_LOST_DATA,                 /* node_id, index (rule 26) */
    EVENT_TIMEOUT_MISMATCH,               /* node_id has another T0 (rule 45) */
    EVENT_IN_DOUBT, /* rule 23: submissions up to index of term are logged, their outcome is not known yet */
    /* By those above the core, once a start for each: */
    EVENT_FOREIGN_INCARNATION, /* by the host: node_id comes with incarnation `index`, not the one known (rule
                                  47) */
    EVENT_NAME_TAKEN,          /* by the engine: node_id names this quorum under number `index` (rule 8) */
};

struct replicator_event {
    uint32_t kind; /* enum replicator_event_kind */
    uint32_t zero;
    uint64_t node_id;
    uint64_t term;
    uint64_t index;
};

struct commit_notice {
    uint64_t first_index;
    uint64_t last_index;
    uint64_t term;
};

enum submission_outcome { OUTCOME_COMMITTED = 1, OUTCOME_SUPERSEDED = 2, OUTCOME_UNKNOWN = 3 };

struct range_outcome { /* for submissions with receipts (term, first_index..last_index) */
    uint64_t first_index;
    uint64_t last_index;
    uint64_t term;
    uint32_t outcome; /* enum submission_outcome */
    uint32_t zero;
};

enum append_source {
    APPEND_NONE = 0,
    APPEND_FROM_MESSAGE, /* entries [first_index, last_index] of the message of this step */
    APPEND_FROM_SUBMIT,  /* the submission's entries */
    APPEND_LEADER_START, /* one entry without payload */
    APPEND_BOOTSTRAP,    /* entry 1, term 0, times 0 (rule 8) */
};

#define SENDS_MAX    (PEERS_MAX + 2)
#define EVENTS_MAX   8
#define NOTICES_MAX  8
#define OUTCOMES_MAX 8

/* What a step wants done, in this order: hard state, truncation, append (all three to the tape, in order,
 * without waiting), then sends, events, notices, outcomes. The step clears it first. What does not fit
 * (notices, outcomes) comes with the next step; `again` is then set. */
struct replicator_output {
    uint32_t refusal;           /* enum replicator_refusal, of a submit or bootstrap */
    uint8_t hard_state_changed; /* write (term, voted_for) of the state; it has number hard_state_number */
    uint8_t append_source;      /* enum append_source */
    uint8_t again;
    uint8_t zero;
    uint64_t truncate_from; /* 0: nothing; entries from here on are gone */
    uint64_t append_first_index;
    uint64_t append_last_index;
    uint64_t append_term;      /* of a submission: the receipt's; of own entries */
    uint64_t need_terms_index; /* 0, or: supply the runs from the tape that cover this index (INPUT_TERMS) */
    uint32_t send_count;
    uint32_t event_count;
    uint32_t notice_count;
    uint32_t outcome_count;
    struct replicator_send sends[SENDS_MAX];
    struct replicator_event events[EVENTS_MAX];
    struct commit_notice notices[NOTICES_MAX];
    struct range_outcome outcomes[OUTCOMES_MAX];
};

/* What the tape held when the node started. Runs ascend; the newest RUNS_MAX of them. */
struct replicator_restart {
    uint64_t term;
    uint64_t voted_for;
    uint64_t commit_index; /* durable lower bound */
    uint64_t last_index;
    const struct log_run *runs;
    uint32_t run_count;
    const struct logged_configuration *configurations; /* the newest ones, ascending */
    uint32_t configuration_count;
    /* The log contradicts itself, so that neither vote nor acknowledgement could be kept: the replicator is
     * there, failed (rule 37), and nobody starts it anew under the same number. */
    bool contradicted;
};

/* Rule 5. An empty restart (all zero) is a new quorum. Publishes QUORUM_START and the state in `output`. */
void replicator_init(struct replicator *replicator, const struct replicator_options *options,
                     const struct replicator_restart *restart, uint64_t now_ns,
                     struct replicator_output *output);

void replicator_step(struct replicator *replicator, const struct replicator_input *input,
                     struct replicator_output *output);

/* When it wants a tick at the latest. */
uint64_t replicator_deadline_ns(const struct replicator *replicator);

/* As a leader: may a message with entries go to peers[peer] now? True with *ret_first <= *ret_last for
 * entries (the host sends as many of them as fit and are at hand, through INPUT_SEND), true with *ret_last ==
 * *ret_first - 1 when only the commit index is news to it; false when there is nothing to send or its window
 * is full. */
bool replicator_wants_send(const struct replicator *replicator, uint32_t peer, uint64_t *ret_first,
                           uint64_t *ret_last);

/* Leads, and a majority answered an append that was sent within the last T0: nobody else can have been
 * elected since (rule 14), so what this node says of its log is not that of a leader deposed without knowing.
 */
bool replicator_is_in_office(const struct replicator *replicator, uint64_t now_ns);

/* The term at `index`: 0 for index 0 and for bootstrap's entry 1; found false when the core does not know it
 * (beyond the log, or older than its runs). */
uint64_t replicator_term_at(const struct replicator *replicator, uint64_t index, bool *ret_found);

/* The configuration logged at `index`, as long as the core knows it (until the next commit at least); or
 * NULL. */
const struct logged_configuration *replicator_configuration_at(const struct replicator *replicator,
                                                               uint64_t index);

/* The newest configuration in the log, committed or not, and its index; NULL while there is none. */
const struct logged_configuration *replicator_configuration(const struct replicator *replicator);

/* Stops the process when the state contradicts itself, or the step from `before` to `after` was not allowed
 * (replicator_check.c: the invariants as code). */
void replicator_check(const struct replicator *replicator);
void replicator_check_step(const struct replicator *before, const struct replicator *after);

#endif
