/* SPDX-License-Identifier: Apache-2.0 */
/* One engine on a disk in memory, a clock that only the test moves, and a port that keeps what is sent. The
 * engine is node 1; a quorum whose only voter it is elects it by itself. */
#ifndef TALLY_ENGINE_RIG_H
#define TALLY_ENGINE_RIG_H

#include "engine.h"
#include "fake_device.h"

#define RIG_MS          1000000ull
#define RIG_SENT_MAX    512
#define RIG_FRAME_BYTES 1472
#define RIG_CHUNK_BYTES (16u << 10)
#define RIG_BLOCKS_MAX  600 /* data_blocks_bytes_max */

struct rig_sent {
    uint64_t node_id; /* 0: down `channel` */
    struct engine_channel channel;
    struct message message;
    uint32_t tail_bytes;
    uint8_t tail[RIG_FRAME_BYTES];
};

struct engine_rig {
    struct arena arena;
    struct fake_device *fake;
    struct engine *engine;
    struct tape_report report;
    uint32_t quorum_count_max;
    uint64_t now_ns;
    uint64_t message_id;
    bool is_port_shut; /* no buffers */
    uint64_t begin_node_id;
    struct engine_channel begin_channel;
    uint32_t capacity_bytes; /* of a frame's tail */
    uint32_t sent_count;
    struct rig_sent sent[RIG_SENT_MAX];
};

/* A formatted tape of `chunk_count` chunks and an engine on it. */
void rig_start(struct engine_rig *rig, uint32_t chunk_count, bool manual_disk);
/* The process ends without a word and another one opens the same tape. */
enum tape_verdict rig_reopen(struct engine_rig *rig);
void rig_end(struct engine_rig *rig);

/* One turn, a millisecond later. */
void rig_turn(struct engine_rig *rig);
void rig_turns(struct engine_rig *rig, uint32_t count);

/* Bootstraps `name` with voters 1 .. voter_count; the command's error or refusal is in *ret_command. */
void rig_bootstrap(struct engine_rig *rig, const char *name, uint64_t voter_count,
                   struct engine_command *ret_command);
/* Bootstraps a quorum of node 1 alone and waits until it takes publishes. Its number. */
uint64_t rig_lead(struct engine_rig *rig, const char *name);
struct engine_quorum_status rig_status(struct engine_rig *rig);

/* From a client or a node; `channel` 1 .. is which client. The next message id is given out where
 * `message->message_id` is 0. What was sent before is forgotten. */
bool rig_receive(struct engine_rig *rig, struct message *message, const void *tail, uint32_t tail_bytes,
                 uint8_t channel);
/* The question that opens a source's session. */
void rig_open_source(struct engine_rig *rig, uint64_t quorum_number, uint64_t source_id, uint8_t channel);
/* `entry_count` entries of one message of `message_bytes` each, numbered from `first` on. */
bool rig_publish(struct engine_rig *rig, uint64_t quorum_number, uint64_t source_id, uint64_t first,
                 uint32_t entry_count, uint16_t message_bytes, uint8_t channel);
/* The newest message of that kind that is not forgotten; NULL: none. */
const struct rig_sent *rig_last(const struct engine_rig *rig, uint8_t kind);
/* After a turn: returns the newest PUBLISH_REPLY; a zero reply when there is none. */
struct publish_reply rig_reply(struct engine_rig *rig);

#endif
