/* SPDX-License-Identifier: Apache-2.0 */
/* One simulated node: the shipped engine, its disk, and what stands for its dataplane: two lanes of frames
 * that wait for a turn. A crash takes all of it but the disk. */
#ifndef TALLY_SIM_NODE_H
#define TALLY_SIM_NODE_H

#include "engine.h"
#include "frame.h"
#include "sim_disk.h"

#define SIM_CLUSTER_ID 7

struct sim_frame {
    uint32_t from; /* endpoints */
    uint32_t to;
    uint64_t from_life; /* a connection ends with the process at either end */
    uint64_t to_life;
    uint32_t byte_count;
    struct sim_frame *next; /* in a lane */
    uint8_t bytes[];
};

struct sim_lane {
    struct sim_frame *first;
    struct sim_frame *last;
    uint32_t count;
};

/* What a node said of a quorum after its last turn. */
struct node_view {
    uint64_t term;
    uint64_t last_index;
    uint64_t commit_index;
    uint64_t durable_index;
    uint8_t role;
    uint32_t run_count; /* of a leader's log */
    struct log_run runs[RUNS_MAX];
};

struct sim_node {
    struct sim *sim;
    uint32_t index;
    bool is_running;
    uint64_t life; /* counts starts */
    struct sim_disk disk;
    uint64_t boot_id;
    uint64_t clock_offset_ns; /* monotonic */
    uint64_t wall_offset_ns;
    uint64_t paused_until_ns;
    /* of one life */
    struct arena arena;
    struct engine *engine;
    struct frame_codec *codec;
    struct sim_lane lanes[2];
    struct engine_command stop;                        /* a clean end */
    struct engine_command bootstraps[SIM_QUORUMS_MAX]; /* the engine's until they are durable */
    bool is_stopping;
    uint64_t turn_ns; /* when the next one is planned */
    uint64_t turn_ticket;
    uint64_t sequence; /* of frames */
    uint32_t send_to;  /* of the frame that is begun */
    uint64_t send_to_life;
    struct node_view views[SIM_QUORUMS_MAX];
    uint8_t frame[FRAME_HEAD_BYTES + FRAME_MESSAGE_BYTES_MAX + FRAME_BYTES_MAX];
};

void sim_node_init(struct sim_node *node, struct sim *sim, uint32_t index);
void sim_node_fini(struct sim_node *node);
void sim_node_start(struct sim_node *node);
/* `loses_power`: the next start is of another boot. */
void sim_node_crash(struct sim_node *node, bool loses_power);
/* Ends when everything is durable, as the program does when it is asked to. */
void sim_node_stop(struct sim_node *node);
void sim_node_turn(struct sim_node *node);
/* A turn at the latest then. */
void sim_node_wake(struct sim_node *node, uint64_t time_ns);
/* Takes the frame. */
void sim_node_receive(struct sim_node *node, struct sim_frame *frame);
void sim_node_bootstrap(struct sim_node *node, uint32_t quorum);
/* The replicator of truth `quorum`, NULL when it does not run here. */
const struct replicator *sim_node_replicator(const struct sim_node *node, uint32_t quorum);

#endif
