/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the engine share. */
#ifndef TALLY_ENGINE_INTERNAL_H
#define TALLY_ENGINE_INTERNAL_H

#include "engine.h"
#include "histogram.h"
#include "publishers.h"
#include "recovery.h"
#include "stream.h"
#include "subscribers.h"

#define EVENT_RING_COUNT 1024

/* One quorum on this core; its position is the host's slot. */
struct engine_quorum {
    char name[QUORUM_NAME_BYTES_MAX + 1];
    uint64_t number;
    bool name_taken_told; /* rule 8: that another node names it under another number */
    /* The stream as its committed entries make it, and how far they were applied. */
    struct stream_state *committed;
    uint64_t applied_index;
    struct tape_cursor applier_cursor;
    bool stream_fault;
    /* A leader's view: committed entries and those it logged since. Built when it becomes leader, by reading
     * what of the log is not yet applied; nothing is published before `tail_ready`. */
    bool leads;
    bool tail_ready;
    struct stream_state *tail;
    uint64_t tail_index;
    uint64_t leader_term;
    struct tape_cursor tail_cursor;
};

/* A command that is done when the log is durable up to `position`. */
struct engine_waiting {
    struct engine_command *command; /* NULL: none */
    uint64_t position;
};

struct engine {
    struct engine_options options;
    struct tape *tape;
    struct tape_report report;
    struct host *host;
    uint64_t incarnation;
    uint64_t now_ns;  /* of this turn */
    uint64_t wall_ns; /* of this turn */
    uint32_t quorum_count;
    struct engine_quorum *quorums; /* quorum_count_max of them */
    struct publishers publishers;
    struct subscribers subscribers;
    struct spsc events;
    struct engine_waiting bootstrapping;
    struct engine_waiting stopping;
    uint64_t entry_count;
    uint64_t busy_count;
    uint64_t refused_count;
    uint64_t bounds_written_ns;
    struct histogram *commit_latency;
};

/* log_port.c, network_port.c: the host's ports. */
struct host_log engine_log_port(struct engine *engine);
struct host_network engine_network_port(struct engine *engine);

/* quorums.c */
struct engine_quorum *engine_open_quorum(struct engine *engine, const struct recovered_quorum *recovered);
struct engine_quorum *engine_find_by_name(struct engine *engine, const uint8_t *name, size_t name_bytes);
void engine_bootstrap(struct engine *engine, struct engine_command *command);
/* An append for a quorum that is not here: joins it when its first entry says so, else asks for that entry.
 */
bool engine_receive_unknown(struct engine *engine, const struct message *message, const uint8_t *tail,
                            uint32_t tail_bytes);

/* applier.c */
/* Applies what is newly committed to the stream; builds a leader's tail; opens the stream's session. Work
 * done. */
unsigned engine_apply(struct engine *engine, uint32_t slot, unsigned budget);
void engine_leadership_changed(struct engine *engine, uint32_t slot, bool leads, uint64_t term);

static inline uint32_t engine_slot_of(const struct engine *engine, const struct engine_quorum *quorum)
{
    return (uint32_t)(quorum - engine->quorums);
}

#endif
