/* SPDX-License-Identifier: Apache-2.0 */
/* What the host's files share. */
#ifndef TALLY_HOST_INTERNAL_H
#define TALLY_HOST_INTERNAL_H

#include "host.h"

/* Writes of one quorum that are not durable yet, one mark per turn; at the bound the newest mark is moved on,
 * so that a little is reported later than it could be. */
#define HOST_MARKS_MAX 64
/* Sends of all quorums that wait for a term or a vote to be durable. At the bound they are dropped, as the
 * network may drop any. */
#define HOST_HELD_MAX 2048
/* Steps of the uncommitted bytes' account; at the bound the newest step grows, and its bytes are freed
 * together. */
#define HOST_BYTE_STEPS_MAX 256
/* Messages with entries to one peer in one turn, so that a peer catching up does not keep the others waiting.
 */
#define HOST_SENDS_PER_TURN 32
/* Records read to answer one question for older terms. */
#define HOST_TERMS_READ 256

/* When the log is durable up to `position`, so are this hard state and the entries up to (index, term). */
struct host_mark {
    uint64_t position;
    uint64_t index;
    uint64_t term;
    uint64_t hard_state_number;
};

struct host_peer {
    uint64_t node_id;
    uint64_t incarnation;
    uint64_t position; /* of its RECORD_PEER */
    bool foreign_told; /* another incarnation was reported */
};

struct host_peer_cursor {
    uint64_t node_id;
    struct host_cursor cursor;
};

struct host_byte_step {
    uint64_t last_index;
    uint64_t total_bytes; /* submitted in this leadership up to last_index */
};

struct host_quorum {
    struct replicator replicator;
    uint64_t number;
    uint32_t slot;
    uint32_t heap_at;
    uint64_t deadline_ns;
    uint64_t log_time_ns;
    bool dirty;  /* in the host's list: something is to be done at the end of the turn */
    bool marked; /* in the host's list: has marks */
    uint32_t mark_first;
    uint32_t mark_count;
    uint64_t mark_turn; /* when the newest one was made */
    struct host_mark marks[HOST_MARKS_MAX];
    uint32_t peer_count;
    struct host_peer peers[NODES_MAX];
    struct host_peer_cursor cursors[PEERS_MAX];
    struct host_cursor terms_cursor;
    uint64_t need_terms_index;
    uint64_t news_due_ns;  /* when a commit index goes even without entries; 0: none waits */
    uint64_t bounds_index; /* the commit lower bound last written */
    uint64_t bounds_turn;
    uint64_t bytes_total;
    uint64_t bytes_committed;
    uint32_t byte_step_first;
    uint32_t byte_step_count;
    struct host_byte_step byte_steps[HOST_BYTE_STEPS_MAX];
};

struct host_held {
    uint32_t slot;
    struct replicator_send send;
};

/* Where the entries of a step's append come from. */
struct host_source {
    const uint8_t *tail; /* checked records, the first has index tail_first_index */
    uint64_t tail_first_index;
    const struct host_entry *entries;
    const struct configuration *configuration;
    const char *name;
};

struct host {
    struct host_options options;
    uint32_t quorum_count;
    uint32_t table_mask;
    struct host_quorum *quorums;
    uint32_t *table; /* hash of quorum numbers: slot + 1, 0 empty */
    uint32_t *heap;  /* slots by deadline */
    uint32_t *dirty;
    uint32_t dirty_count;
    uint32_t news_waiting_count; /* of those, the ones that only wait to tell a commit index */
    uint64_t news_due_ns;        /* the earliest of them */
    uint32_t marked_count;
    uint32_t *marked;
    struct host_held *held;
    uint32_t held_count;
    bool log_failed;
    bool failure_told;
    bool durable_again; /* something that became durable could not be told yet */
    bool frame_begun;   /* the next send's frame is begun and holds frame_tail_bytes */
    uint32_t frame_tail_bytes;
    uint64_t turn;
    uint64_t position; /* of the newest record appended */
    uint64_t durable_seen;
    uint64_t stall_ns; /* coarse */
    struct replicator_output output;
    struct replicator before; /* check_steps */
};

/* ---- host.c ---- */

/* Steps the replicator of `quorum` and carries out what it wants. `source` may be NULL when the input brings
 * no entries. Returns the refusal. */
enum replicator_refusal host_step(struct host *host, struct host_quorum *quorum,
                                  struct replicator_input *input, const struct host_source *source);
void host_mark_dirty(struct host *host, struct host_quorum *quorum);
/* Is there room for what a step may have to write beside entries? 0 or a negative error; at -ENOSPC and -EIO
 * the log has failed (rule 37). */
int host_room_reserve(struct host *host);

/* ---- host_write.c ---- */

void host_write_output(struct host *host, struct host_quorum *quorum, const struct host_source *source);
void host_write_peer(struct host *host, struct host_quorum *quorum, struct host_peer *peer);
/* Rule 38: entries that no bound holds back, so that a full log still gets a leader that can commit. */
static inline bool host_type_is_exempt(uint8_t type)
{
    return type == RECORD_LEADER_START || type == RECORD_CONFIGURATION;
}
/* What an append may need beside its entries: hard state, truncation, bounds. */
#define HOST_OVERHEAD_BYTES   (4 * RECORD_HEAD_BYTES + 8)
#define HOST_OVERHEAD_RECORDS 4

/* ---- host_mark.c ---- */

void host_mark_add(struct host *host, struct host_quorum *quorum);
void host_mark_truncate(struct host_quorum *quorum, uint64_t from);
unsigned host_mark_reap(struct host *host, uint64_t now_ns);

/* ---- host_heap.c ---- */

void host_heap_add(struct host *host, struct host_quorum *quorum);
void host_heap_update(struct host *host, struct host_quorum *quorum);
/* Until the next update it is due at `deadline_ns`, whatever its replicator wants. */
void host_heap_postpone(struct host *host, struct host_quorum *quorum, uint64_t deadline_ns);

/* ---- host_send.c ---- */

void host_send_or_hold(struct host *host, struct host_quorum *quorum, const struct replicator_send *send);
unsigned host_held_release(struct host *host);
/* Entries to peers. True when something could not go now. */
bool host_send_entries(struct host *host, struct host_quorum *quorum, uint64_t now_ns, unsigned *work);
/* Answers need_terms_index. True when it could not be answered now. */
bool host_supply_terms(struct host *host, struct host_quorum *quorum, uint64_t now_ns);

/* ---- host_submit.c ---- */

void host_bytes_reap(struct host_quorum *quorum);

#endif
