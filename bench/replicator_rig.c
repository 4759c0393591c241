/* SPDX-License-Identifier: Apache-2.0 */
#include "replicator_rig.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "replicator.h"

#define RIG_NODES       3
#define RIG_QUORUM      77
#define RIG_QUEUE_COUNT 64 /* a power of two; an election needs 4, a commit 4 */
#define MS              1000000u
#define FAR_INDEX       (1u << 31) /* more than any run acknowledges or follows */

struct replicator_rig {
    struct replicator nodes[RIG_NODES];
    struct replicator_output output;
    struct entries_summary entries;
    struct message message;
    struct replicator_send queue[RIG_QUEUE_COUNT];
    uint32_t queue_head;
    uint32_t queue_tail;
    uint32_t leader;
    uint64_t now_ns;
};

static void step(struct replicator_rig *rig, uint32_t node, const struct replicator_input *input)
{
    replicator_step(&rig->nodes[node], input, &rig->output);
}

static void queue_sends(struct replicator_rig *rig)
{
    for (uint32_t i = 0; i < rig->output.send_count; i++) {
        ASSERT(rig->queue_tail - rig->queue_head < RIG_QUEUE_COUNT);
        rig->queue[rig->queue_tail++ % RIG_QUEUE_COUNT] = rig->output.sends[i];
    }
}

static uint64_t last_term(const struct replicator *node)
{
    return node->run_count > 0 ? node->runs[node->run_count - 1].term : 0;
}

/* All that the node has logged and voted is durable. */
static void persist(struct replicator_rig *rig, uint32_t at)
{
    const struct replicator *node = &rig->nodes[at];
    step(rig, at,
         &(struct replicator_input){.kind = INPUT_PERSISTED,
                                    .now_ns = rig->now_ns,
                                    .persisted = {.index = node->last_index,
                                                  .term = last_term(node),
                                                  .hard_state_number = node->hard_state_number}});
    queue_sends(rig);
}

static void input(struct replicator_rig *rig, uint32_t at, const struct replicator_input *in)
{
    step(rig, at, in);
    bool writes = rig->output.hard_state_changed || rig->output.append_source != APPEND_NONE;
    queue_sends(rig);
    if (writes) {
        persist(rig, at);
    }
}

static void deliver(struct replicator_rig *rig, const struct replicator_send *send)
{
    uint32_t at = (uint32_t)send->message.receiver_id - 1;
    const struct entries_summary *entries = NULL;
    if (send->last_index >= send->first_index) {
        rig->entries.first_index = send->first_index;
        rig->entries.entry_count = (uint32_t)(send->last_index - send->first_index + 1);
        rig->entries.run_count = 1;
        rig->entries.runs[0].first_index = send->first_index;
        rig->entries.runs[0].term = send->message.append_entries.term;
        entries = &rig->entries;
    }
    input(rig, at,
          &(struct replicator_input){.kind = INPUT_MESSAGE,
                                     .now_ns = rig->now_ns,
                                     .message = {.message = &send->message, .entries = entries}});
    if (send->message.kind == MESSAGE_APPEND_ENTRIES) {
        input(rig, at, &(struct replicator_input){.kind = INPUT_FLUSH, .now_ns = rig->now_ns});
    }
}

/* What the leader has for its peers, as the host asks for it at the end of a turn. */
static void send_entries(struct replicator_rig *rig)
{
    const struct replicator *leader = &rig->nodes[rig->leader];
    uint64_t first;
    uint64_t last;
    for (uint32_t peer = 0; peer < leader->peer_count; peer++) {
        if (replicator_wants_send(leader, peer, &first, &last)) {
            input(rig, rig->leader,
                  &(struct replicator_input){
                      .kind = INPUT_SEND,
                      .now_ns = rig->now_ns,
                      .send = {.node_id = leader->peers[peer].node_id, .last_index = last}});
        }
    }
}

static void deliver_all(struct replicator_rig *rig)
{
    while (rig->queue_head != rig->queue_tail) {
        struct replicator_send send = rig->queue[rig->queue_head++ % RIG_QUEUE_COUNT];
        deliver(rig, &send);
    }
}

static void elect(struct replicator_rig *rig)
{
    rig->leader = 0;
    while (rig->nodes[0].role != REPLICATOR_LEADER) {
        rig->now_ns += MS;
        input(rig, 0, &(struct replicator_input){.kind = INPUT_TICK, .now_ns = rig->now_ns});
        deliver_all(rig);
    }
    /* twice: the probes, then what they brought to light */
    for (int i = 0; i < 2; i++) {
        send_entries(rig);
        deliver_all(rig);
    }
    ASSERT(rig->nodes[0].commit_index == rig->nodes[0].last_index);
    ASSERT(rig->nodes[1].last_index == rig->nodes[0].last_index);
    ASSERT(rig->nodes[2].last_index == rig->nodes[0].last_index);
}

/* The message that replicator_rig_follow repeats, at its start: an append of the leader with no entries yet.
 */
static void prepare_append(struct replicator_rig *rig)
{
    const struct replicator *leader = &rig->nodes[0];
    rig->message = (struct message){.kind = MESSAGE_APPEND_ENTRIES,
                                    .sender_id = 1,
                                    .receiver_id = 2,
                                    .quorum_number = RIG_QUORUM,
                                    .incarnation = 1,
                                    .message_id = leader->last_message_id};
    rig->message.append_entries.term = leader->term;
    rig->message.append_entries.leader_id = 1;
    rig->message.append_entries.prev_log_term = leader->term;
}

struct replicator_rig *replicator_rig_create(void)
{
    struct replicator_rig *rig = calloc(1, sizeof(*rig));
    ASSERT(rig != NULL);
    const uint64_t ids[RIG_NODES] = {1, 2, 3};
    struct replicator_input bootstrap = {.kind = INPUT_BOOTSTRAP, .now_ns = MS};
    bool stable = configuration_init_stable(&bootstrap.bootstrap, ids, RIG_NODES);
    ASSERT(stable);
    rig->now_ns = MS;
    for (uint32_t i = 0; i < RIG_NODES; i++) {
        const struct replicator_options options = {.quorum_number = RIG_QUORUM,
                                                   .node_id = i + 1,
                                                   .incarnation = 1,
                                                   .election_timeout_ns = 1000 * MS,
                                                   .heartbeat_interval_ns = 300 * MS,
                                                   .retransmit_timeout_ns = 100 * MS,
                                                   .disk_stall_limit_ns = 1000 * MS};
        const struct replicator_restart restart = {0};
        replicator_init(&rig->nodes[i], &options, &restart, rig->now_ns, &rig->output);
        input(rig, i, &bootstrap);
    }
    elect(rig);
    prepare_append(rig);
    return rig;
}

void replicator_rig_destroy(struct replicator_rig *rig)
{
    free(rig);
}

void replicator_rig_follow(struct replicator_rig *rig, uint32_t entry_count)
{
    struct append_entries *append = &rig->message.append_entries;
    append->prev_log_index = rig->nodes[1].last_index;
    append->commit_index = append->prev_log_index;
    rig->message.message_id++;
    rig->entries.first_index = append->prev_log_index + 1;
    rig->entries.entry_count = entry_count;
    rig->entries.run_count = 1;
    rig->entries.runs[0].first_index = rig->entries.first_index;
    rig->entries.runs[0].term = append->term;
    step(rig, 1,
         &(struct replicator_input){.kind = INPUT_MESSAGE,
                                    .now_ns = rig->now_ns,
                                    .message = {.message = &rig->message, .entries = &rig->entries}});
}

/* The log grows far beyond what is acknowledged once, so that each acknowledgement finds its entries. */
static void submit_far(struct replicator_rig *rig)
{
    step(rig, 0,
         &(struct replicator_input){
             .kind = INPUT_SUBMIT, .now_ns = rig->now_ns, .submit = {.entry_count = FAR_INDEX}});
    ASSERT(rig->output.refusal == REPLICATOR_ACCEPTED);
    persist(rig, 0);
    rig->message.kind = MESSAGE_APPEND_ENTRIES_REPLY;
    rig->message.in_reply = 1;
    rig->message.sender_id = 2;
    rig->message.receiver_id = 1;
    rig->message.message_id = rig->nodes[0].last_message_id;
    rig->message.append_entries_reply =
        (struct append_entries_reply){.term = rig->nodes[0].term, .success = 1};
}

void replicator_rig_acknowledge(struct replicator_rig *rig, uint32_t entry_count)
{
    if (rig->nodes[0].last_index - rig->nodes[0].commit_index < entry_count) {
        submit_far(rig);
    }
    struct append_entries_reply *reply = &rig->message.append_entries_reply;
    reply->received_index = rig->nodes[0].commit_index + entry_count;
    reply->durable_index = reply->received_index;
    step(rig, 0,
         &(struct replicator_input){.kind = INPUT_MESSAGE,
                                    .now_ns = rig->now_ns,
                                    .message = {.message = &rig->message, .entries = NULL}});
}

void replicator_rig_submit(struct replicator_rig *rig, uint32_t entry_count)
{
    step(rig, 0,
         &(struct replicator_input){
             .kind = INPUT_SUBMIT, .now_ns = rig->now_ns, .submit = {.entry_count = entry_count}});
}

void replicator_rig_tick_leader(struct replicator_rig *rig)
{
    step(rig, 0, &(struct replicator_input){.kind = INPUT_TICK, .now_ns = rig->now_ns});
}

void replicator_rig_tick_follower(struct replicator_rig *rig)
{
    step(rig, 1, &(struct replicator_input){.kind = INPUT_TICK, .now_ns = rig->now_ns});
}

void replicator_rig_commit(struct replicator_rig *rig, uint32_t entry_count)
{
    rig->now_ns += 1000;
    if (rig->now_ns >= replicator_deadline_ns(&rig->nodes[0])) {
        input(rig, 0, &(struct replicator_input){.kind = INPUT_TICK, .now_ns = rig->now_ns});
    }
    input(rig, 0,
          &(struct replicator_input){
              .kind = INPUT_SUBMIT, .now_ns = rig->now_ns, .submit = {.entry_count = entry_count}});
    send_entries(rig);
    deliver_all(rig);
}

uint64_t replicator_rig_commit_index(const struct replicator_rig *rig)
{
    return rig->nodes[0].commit_index;
}
