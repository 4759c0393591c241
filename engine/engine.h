/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: the work of one consensus core, joined from the replicators' host, one tape, the codec's flat
 * messages and the stream rules. It knows no DPDK and no clock: the node's polling loop and the simulator
 * both drive this object.
 *
 * One thread. A turn is: engine_begin, any number of engine_receive, engine_end, then engine_write_log. */
#ifndef TALLY_ENGINE_H
#define TALLY_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "host.h"
#include "message.h"
#include "spsc.h"
#include "tape.h"

struct engine;

/* Where a client's answers go; opaque, as whoever moves the frames understands it. */
struct engine_channel {
    uint8_t bytes[24];
};

/* Frames out. Begun, filled in place, then sent, or begun anew. */
struct engine_port {
    void *context;
    /* node_id 0: down `channel`. NULL: no buffer, no room, or no way; a later turn may have one. */
    uint8_t *(*begin)(void *context, uint64_t node_id, const struct engine_channel *channel, unsigned lane,
                      uint32_t *ret_capacity_bytes);
    void (*send)(void *context, const struct message *message, uint32_t tail_bytes);
};

struct engine_options {
    uint64_t cluster_id;
    uint64_t node_id;
    uint64_t election_timeout_ns;
    uint64_t heartbeat_interval_ns;
    uint64_t retransmit_timeout_ns;
    uint64_t disk_stall_limit_ns;
    uint64_t commit_news_delay_ns; /* host.h */
    uint64_t random_seed;
    uint32_t quorum_count_max;
    uint32_t data_blocks_bytes_max; /* of one DATA entry */
    struct tape_options tape;
    struct device *device;
    struct engine_port port;
    uint64_t (*wall_ns)(void *context); /* ns since 1970 UTC */
    void *wall_context;
};

/* Opens the tape, recovers every quorum on it and starts its replicators. Only on TAPE_OPEN *ret_engine is
 * set. TAPE_DAMAGED also for records that contradict each other; TAPE_READ_ERROR with error -EUSERS when the
 * tape holds more than quorum_count_max quorums. */
enum tape_verdict engine_create(struct arena *arena, const struct engine_options *options, uint64_t now_ns,
                                struct engine **ret_engine, struct tape_report *ret_report);

/* ---- a turn ---- */

/* What the disk has finished. Work done. */
unsigned engine_begin(struct engine *engine, uint64_t now_ns);

/* One decoded frame of a node (sender_id > 0) or a client. False: no room in the log now, offer it again in a
 * later turn and nothing of its lane before it. `tail` is not kept. */
bool engine_receive(struct engine *engine, const struct message *message, const uint8_t *tail,
                    uint32_t tail_bytes, const struct engine_channel *channel, uint64_t arrival_ns);

/* Replicators, publishers, subscribers: everything but the disk. Work done. */
unsigned engine_end(struct engine *engine);

/* Starts the write of what the turn gathered. Apart, so that what was queued for others can leave first: the
 * call into the kernel takes longer than everything else in the turn. */
unsigned engine_write_log(struct engine *engine);

uint64_t engine_deadline_ns(const struct engine *engine);

/* ---- administration: on the engine's thread; the node passes these through rings ---- */

enum engine_command_kind { ENGINE_BOOTSTRAP = 1, ENGINE_STATUS, ENGINE_STOP };

struct engine_quorum_status {
    char name[QUORUM_NAME_BYTES_MAX + 1];
    uint64_t quorum_number;
    uint64_t term;
    uint64_t leader_id; /* 0: nobody known */
    uint32_t role;      /* enum replicator_role */
    uint32_t available; /* 1: leads and takes publishes */
    uint64_t last_index;
    uint64_t durable_index;
    uint64_t commit_index;
    uint64_t applied_index;
    uint64_t next_stream_sequence;
    uint32_t source_count;
    uint32_t stream_fault; /* 1: an entry contradicts the stream's rules, or cannot be read */
    struct configuration configuration;
    uint32_t peer_count;
    uint32_t zero;
    struct {
        uint64_t node_id;
        uint64_t match_index;
        uint64_t durable_index;
    } peers[PEERS_MAX]; /* as the leader knows them */
};

struct engine_status {
    struct tape_report tape; /* as opened */
    uint64_t tape_free_bytes;
    uint64_t disk_stall_ns;
    struct write_summary writes; /* of its tape */
    int tape_error;
    uint32_t quorum_count;
    uint32_t publisher_count;
    uint32_t subscriber_count;
    uint64_t entry_count;   /* published here since start */
    uint64_t busy_count;    /* frames put off because the log had no room */
    uint64_t refused_count; /* messages dropped by the host: bad records, foreign incarnation */
    uint64_t commit_p50_ns; /* arrival to commit of entries that this node published as leader */
    uint64_t commit_p99_ns;
    uint64_t commit_maximum_ns;
    struct engine_quorum_status quorum; /* of the one asked for by position */
};

struct engine_command {
    enum engine_command_kind kind;
    char name[QUORUM_NAME_BYTES_MAX + 1]; /* bootstrap */
    struct configuration voters;          /* bootstrap */
    uint32_t quorum_position;             /* status: 0 .. quorum_count - 1 */
    enum replicator_refusal refusal;      /* bootstrap's answer */
    int error;                    /* bootstrap: -ENOSPC, -EEXIST (name under another set); stop: the tape's */
    struct engine_status *status; /* status: filled in */
    _Atomic bool done;            /* set last (release) */
};

/* Carries a command out; `done` is set when it is finished: a bootstrap or a stop in a later turn, when what
 * it wrote is durable. Until then the command's memory is the engine's. */
void engine_command(struct engine *engine, struct engine_command *command, uint64_t now_ns);

struct engine_event {
    uint64_t quorum_number;
    char name[QUORUM_NAME_BYTES_MAX + 1];
    struct replicator_event event;
};

/* The next event, for the log and for those who follow events; one reading thread. False: none. Events that
 * nobody takes are dropped beyond 1,024. */
bool engine_next_event(struct engine *engine, struct engine_event *ret_event);

/* The quorum at `position` (0 ..); false beyond the last. Engine's thread. */
bool engine_quorum_at(const struct engine *engine, uint32_t position, uint64_t *ret_number,
                      char ret_name[QUORUM_NAME_BYTES_MAX + 1]);

/* For those who watch from outside (simulator, tests). */
const struct host *engine_host(const struct engine *engine);
struct tape *engine_tape(struct engine *engine);

#endif
