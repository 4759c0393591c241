/* SPDX-License-Identifier: Apache-2.0 */
/* The host: the one driver of the pure core, in the node, in the simulator and in the scenarios. It owns the
 * replicators of one consensus core, carries their outputs out through the ports below, holds sends until
 * what they show is durable, and batches: everything that happens in one turn becomes one write of the log.
 *
 * One thread. All memory comes from the arena at creation. */
#ifndef TALLY_HOST_H
#define TALLY_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "record.h"
#include "replicator.h"

struct host;

enum host_read { HOST_READ_RECORD, HOST_READ_WAIT, HOST_READ_END, HOST_READ_GONE, HOST_READ_FAILED };

/* Place for the log port's own cursor; all zero = fresh. */
struct host_cursor {
    uint64_t words[8];
};

/* The log: a tape, or a fake of one. Functions have the meaning of their namesakes in storage/tape.h. */
struct host_log {
    void *context;
    /* Room for records of `record_bytes` in all (padded, heads included) before anything is stepped: 0,
     * -ENOSPC, -EBUSY (later) or -EIO. */
    int (*room)(void *context, size_t record_bytes, uint32_t record_count, bool use_reserve);
    uint8_t *(*reserve)(void *context, size_t payload_bytes, bool use_reserve, int *ret_error);
    uint64_t (*append)(void *context);
    uint64_t (*durable_position)(void *context);
    uint64_t (*stall_ns)(void *context, uint64_t now_ns);
    int (*error)(void *context);
    enum host_read (*read)(void *context, struct host_cursor *cursor, uint64_t quorum_number, uint64_t index,
                           uint64_t term, const uint8_t **ret_record, struct record_head *ret_head);
    void (*cursor_release)(void *context, struct host_cursor *cursor);
};

/* Frames to other nodes. A frame is begun, its tail is filled in place, then it is sent or dropped. */
struct host_network {
    void *context;
    /* Where the tail of a frame to `node_id` goes and how much fits; NULL when there is no buffer or no room
     * on the way there: try in a later turn. `bulk`: it will carry records, and must not keep heartbeats and
     * votes waiting. At most one frame is begun at a time; beginning again drops the first. */
    uint8_t *(*begin)(void *context, uint64_t node_id, bool bulk, uint32_t *ret_capacity_bytes);
    void (*send)(void *context, uint64_t node_id, const struct message *message, uint32_t tail_bytes);
};

/* What the owner hears; NULL members are not called. `slot` is the quorum's. Called inside host_* functions:
 * the listener must not call the host back, but for reading. */
struct host_listener {
    void *context;
    void (*event)(void *context, uint32_t slot, const struct replicator_event *event);
    void (*notice)(void *context, uint32_t slot, const struct commit_notice *notice);
    void (*outcome)(void *context, uint32_t slot, const struct range_outcome *outcome);
};

struct host_options {
    uint32_t quorum_count_max; /* at most QUORUMS_MAX */
    uint64_t node_id;
    uint64_t incarnation;
    uint64_t election_timeout_ns;
    uint64_t heartbeat_interval_ns;
    uint64_t retransmit_timeout_ns;
    uint64_t disk_stall_limit_ns;
    /* How long a commit index that no entries carry may wait for some that do: a message less for each commit
     * where the next entry follows at once. 0: it goes in the turn of the commit (rule 34). */
    uint64_t commit_news_delay_ns;
    uint64_t random_seed;
    struct host_log log;
    struct host_network network;
    struct host_listener listener;
    /* Wall clock for log times, ns since 1970 UTC. */
    uint64_t (*wall_ns)(void *context);
    void *wall_context;
    /* For tests: copies each state before its step and checks the invariants of the step
     * (replicator_check.c). */
    bool check_steps;
};

#define HOST_NO_SLOT UINT32_MAX

struct host *host_create(struct arena *arena, const struct host_options *options);

/* Starts the replicator of a quorum with what the tape held (all zero: new here). `last_log_time_ns` is that
 * of the newest record. Returns its slot, HOST_NO_SLOT when quorum_count_max is reached. */
uint32_t host_open_quorum(struct host *host, uint64_t quorum_number, const struct replicator_restart *restart,
                          uint64_t last_log_time_ns, uint64_t now_ns);

/* An incarnation that the log held as RECORD_PEER (rule 47); call for each, in log order, before the first
 * message. */
void host_restore_peer(struct host *host, uint32_t slot, uint64_t node_id, uint64_t incarnation);

/* The slot of a quorum, or HOST_NO_SLOT. */
uint32_t host_find(const struct host *host, uint64_t quorum_number);
const struct replicator *host_replicator(const struct host *host, uint32_t slot);

/* Rule 8; `name` stands in entry 1's payload behind the configuration, so that others can join by
 * replication. */
enum replicator_refusal host_bootstrap(struct host *host, uint32_t slot, const struct configuration *voters,
                                       const char *name, uint64_t now_ns);

enum host_verdict {
    HOST_TAKEN,
    HOST_BUSY,        /* the log has no room now: keep the message and offer it again */
    HOST_NO_SPACE,    /* the tape is full: the message was dropped */
    HOST_FAILED,      /* the log or this quorum has failed (rule 37): dropped */
    HOST_BAD_RECORDS, /* the tail is not a run of good records of this quorum: dropped */
    HOST_BAD_SENDER,  /* another incarnation than the one known (rule 47), or no place to note one: dropped */
    HOST_NEW_SENDER,  /* first contact: dropped, but noted; accepted from when that is durable on */
};

/* A message from another node for the quorum at `slot`; `tail` are records. */
enum host_verdict host_receive(struct host *host, uint32_t slot, const struct message *message,
                               const uint8_t *tail, uint32_t tail_bytes, uint64_t now_ns);

/* One entry's payload in two pieces, copied once, straight into the log. */
struct host_entry {
    uint8_t type; /* enum record_type: DATA, OPEN, GAP, END */
    const uint8_t *head;
    uint32_t head_bytes;
    const uint8_t *body;
    uint32_t body_bytes;
    uint64_t arrival_ns; /* wall clock */
};

struct host_receipt {
    uint64_t first_index;
    uint64_t term;
};

/* Appends entries at a leader: all of them or none. ACCEPTED: *ret_receipt holds. BUSY with *ret_error:
 * -EBUSY, the log has no room for anybody now; -EAGAIN, this quorum is at a bound of its own (uncommitted
 * bytes, undecided submissions), and others are not to wait for it; -ENOSPC, the tape is full; -EIO. */
enum replicator_refusal host_submit(struct host *host, uint32_t slot, const struct host_entry *entries,
                                    uint32_t entry_count, uint64_t now_ns, struct host_receipt *ret_receipt,
                                    int *ret_error);

/* The end of a turn: due ticks, what became durable, held sends, acknowledgements owed, entries to peers.
 * Call after the inputs of the turn, before tape_submit. Returns the work done. */
unsigned host_poll(struct host *host, uint64_t now_ns);

/* The earliest deadline of all quorums; 0 (now) while there is work left for the next turn. */
uint64_t host_deadline_ns(const struct host *host);

/* Writes commit lower bounds of all quorums to the log (at a clean stop, and now and then). */
void host_write_bounds(struct host *host);

#endif
