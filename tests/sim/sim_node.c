/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_node.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sim.h"
#include "sim_check.h"
#include "sim_network.h"

/* The longest sleep of a real loop; what has no deadline (clients' time-outs) is looked at this often. */
#define IDLE_NS (4 * MILLISECOND)
/* The shortest turn. */
#define TURN_MIN_NS 1000ull
/* Frames of one lane offered in one turn, and waiting at most. */
#define LANE_BUDGET    64
#define LANE_COUNT_MAX 1024
/* Seconds between 1970 and the start of every simulation. */
#define WALL_START_NS (1700000000ull * SECOND)

static uint64_t node_now_ns(const struct sim_node *node)
{
    return node->sim->now_ns + node->clock_offset_ns;
}

static uint64_t wall_ns(void *context)
{
    const struct sim_node *node = context;
    return WALL_START_NS + node->sim->now_ns + node->wall_offset_ns;
}

/* ---- frames out ---- */

struct channel {
    uint32_t client;
    uint32_t zero;
    uint64_t life;
};

static uint8_t *port_begin(void *context, uint64_t node_id, const struct engine_channel *channel,
                           unsigned lane, uint32_t *ret_capacity_bytes)
{
    struct sim_node *node = context;
    struct sim *sim = node->sim;
    (void)lane;
    if (!sim->is_healed && sim_chance(&sim->network_prng, sim->options.no_room_ppm)) {
        return NULL;
    }
    if (node_id != 0) {
        node->send_to = (uint32_t)node_id - 1;
        node->send_to_life = 0;
        ASSERT(node->send_to < sim->options.node_count);
    } else {
        struct channel own;
        memcpy(&own, channel, sizeof(own));
        node->send_to = sim_endpoint_of_client(own.client);
        node->send_to_life = own.life;
    }
    *ret_capacity_bytes = frame_tail_bytes_max(sim->options.frame_bytes_max, MESSAGE_APPEND_ENTRIES);
    return node->frame + FRAME_HEAD_BYTES + FRAME_MESSAGE_BYTES_MAX;
}

static void port_send(void *context, const struct message *message, uint32_t tail_bytes)
{
    struct sim_node *node = context;
    struct sim *sim = node->sim;
    uint8_t *tail = node->frame + FRAME_HEAD_BYTES + FRAME_MESSAGE_BYTES_MAX;
    check_message_leaves(sim, node->index, message);
    uint8_t *begin = frame_encode_before(node->codec, message, ++node->sequence, tail, tail_bytes);
    uint32_t byte_count = (uint32_t)(tail + tail_bytes - begin);
    ASSERT(byte_count + FRAME_TAG_BYTES <= sim->options.frame_bytes_max);
    struct sim_route route = {
        .from = node->index, .to = node->send_to, .from_life = node->life, .to_life = node->send_to_life};
    sim_network_send(sim, &route, begin, byte_count);
}

/* ---- life ---- */

void sim_node_init(struct sim_node *node, struct sim *sim, uint32_t index)
{
    *node = (struct sim_node){.sim = sim, .index = index};
    node->boot_id = prng_next(&sim->node_prng);
    node->clock_offset_ns = SECOND + prng_below(&sim->node_prng, 1000 * SECOND);
    node->wall_offset_ns = prng_below(&sim->node_prng, SECOND);
    sim_disk_init(&node->disk, sim, index);
}

static void lane_clear(struct sim_lane *lane)
{
    while (lane->first) {
        struct sim_frame *next = lane->first->next;
        free(lane->first);
        lane->first = next;
    }
    *lane = (struct sim_lane){0};
}

static void end_life(struct sim_node *node)
{
    lane_clear(&node->lanes[0]);
    lane_clear(&node->lanes[1]);
    arena_fini(&node->arena);
    node->engine = NULL;
    node->is_running = false;
    node->is_stopping = false;
    memset(node->bootstraps, 0, sizeof(node->bootstraps));
    node->turn_ticket++;
}

void sim_node_fini(struct sim_node *node)
{
    if (node->is_running) {
        end_life(node);
    }
    sim_disk_fini(&node->disk);
}

static struct engine_options engine_options_of(struct sim_node *node)
{
    const struct sim_options *options = &node->sim->options;
    struct engine_options of_engine = {
        .cluster_id = SIM_CLUSTER_ID,
        .node_id = sim_node_id(node->index),
        .election_timeout_ns = options->election_timeout_ns,
        .heartbeat_interval_ns = options->heartbeat_interval_ns,
        .retransmit_timeout_ns = options->retransmit_timeout_ns,
        .disk_stall_limit_ns = options->disk_stall_limit_ns,
        .commit_news_delay_ns = options->commit_news_delay_ns,
        .random_seed = prng_next(&node->sim->node_prng),
        .quorum_count_max = SIM_QUORUMS_MAX,
        .data_blocks_bytes_max = options->frame_bytes_max > FRAME_BYTES_MAX_1500 ? DATA_BLOCKS_BYTES_MAX_JUMBO
                                                                                 : DATA_BLOCKS_BYTES_MAX,
        .tape = {.identity = {.cluster_id = SIM_CLUSTER_ID,
                              .node_id = sim_node_id(node->index),
                              .log_name = "main"},
                 .memory_chunks = options->memory_chunks,
                 .reader_chunks = 2,
                 .write_bytes_max = options->chunk_bytes / 2,
                 .boot_id = node->boot_id},
        .device = &node->disk.port,
        .port = {.context = node, .begin = port_begin, .send = port_send},
        .wall_ns = wall_ns,
        .wall_context = node,
    };
    return of_engine;
}

void sim_node_start(struct sim_node *node)
{
    struct engine_options options = engine_options_of(node);
    struct tape_report report;
    ASSERT(!node->is_running);
    sim_disk_scan(&node->disk);
    node->life++;
    arena_init(&node->arena);
    memset(node->views, 0, sizeof(node->views));
    node->codec = frame_codec_create(&node->arena);
    enum tape_verdict verdict =
        engine_create(&node->arena, &options, node_now_ns(node), &node->engine, &report);
    sim_trace(node->sim, TRACE_START, node->index, node->life, verdict, report.record_count);
    if (verdict != TAPE_OPEN) {
        sim_fail(node->sim, SIM_SAFETY, "recovery: node %u finds its tape %s", node->index + 1,
                 tape_verdict_name(verdict));
        arena_fini(&node->arena);
        return;
    }
    node->is_running = true;
    node->turn_ns = UINT64_MAX;
    check_start(node->sim, node->index);
    sim_node_wake(node, node->sim->now_ns);
}

void sim_node_crash(struct sim_node *node, bool loses_power)
{
    ASSERT(node->is_running);
    node->sim->counters.crashes++;
    sim_trace(node->sim, TRACE_CRASH, node->index, node->life, loses_power,
              fake_device_pending(node->disk.fake));
    if (loses_power) {
        node->boot_id = prng_next(&node->sim->node_prng);
    }
    end_life(node);
    sim_disk_crash(&node->disk);
}

void sim_node_stop(struct sim_node *node)
{
    ASSERT(node->is_running);
    if (!node->is_stopping) {
        node->is_stopping = true;
        node->stop = (struct engine_command){.kind = ENGINE_STOP};
        engine_command(node->engine, &node->stop, node_now_ns(node));
        sim_node_wake(node, node->sim->now_ns);
    }
}

/* ---- turns ---- */

void sim_node_wake(struct sim_node *node, uint64_t time_ns)
{
    struct sim *sim = node->sim;
    uint64_t at_ns = time_ns > node->paused_until_ns ? time_ns : node->paused_until_ns;
    if (node->is_running && at_ns < node->turn_ns) {
        node->turn_ns = at_ns;
        sim_plan(sim, at_ns, SIM_TURN, node->index, ++node->turn_ticket);
    }
}

void sim_node_receive(struct sim_node *node, struct sim_frame *frame)
{
    uint8_t lane_number = frame->byte_count > 4 && frame->bytes[4] == FRAME_BULK;
    struct sim_lane *lane = &node->lanes[lane_number];
    if (!node->is_running || lane->count == LANE_COUNT_MAX) {
        sim_trace(node->sim, TRACE_DROP, node->index, frame->from, frame->byte_count, 0);
        free(frame);
        return;
    }
    frame->next = NULL;
    if (lane->first) {
        lane->last->next = frame;
    } else {
        lane->first = frame;
    }
    lane->last = frame;
    lane->count++;
    sim_node_wake(node, node->sim->now_ns + prng_below(&node->sim->node_prng, node->sim->options.turn_ns));
}

/* True when the frame is done with. */
static bool offer(struct sim_node *node, const struct sim_frame *frame)
{
    struct message message;
    const uint8_t *tail = NULL;
    uint32_t tail_bytes = 0;
    enum frame_verdict verdict =
        frame_decode(node->codec, frame->bytes, frame->byte_count, &message, &tail, &tail_bytes);
    if (verdict != FRAME_GOOD ||
        (message.receiver_id != 0 && message.receiver_id != sim_node_id(node->index))) {
        return true;
    }
    struct engine_channel channel = {0};
    if (frame->from >= SIM_NODES_MAX) {
        struct channel own = {.client = frame->from - SIM_NODES_MAX, .life = frame->from_life};
        memcpy(&channel, &own, sizeof(own));
    }
    bool taken = engine_receive(node->engine, &message, tail, tail_bytes, &channel, wall_ns(node));
    sim_trace(node->sim, TRACE_RECEIVE, node->index, frame->from, message.kind, taken);
    return taken;
}

/* What is refused stays first in its lane. */
static unsigned offer_lane(struct sim_node *node, struct sim_lane *lane)
{
    unsigned work = 0;
    while (lane->first && work < LANE_BUDGET && offer(node, lane->first)) {
        struct sim_frame *frame = lane->first;
        lane->first = frame->next;
        lane->count--;
        free(frame);
        work++;
    }
    return work;
}

static void note_events(struct sim_node *node)
{
    struct engine_event event;
    while (engine_next_event(node->engine, &event)) {
        if (event.event.kind == EVENT_LEADER_ELECTED && event.event.node_id == sim_node_id(node->index)) {
            node->sim->counters.elections++;
        }
        sim_trace(node->sim, TRACE_EVENT, node->index, event.event.kind, event.event.term, event.event.index);
    }
}

/* The engine's own reads, which a thread of its own serves in the node, happen here at once. */
static unsigned read_back(struct sim_node *node)
{
    return tape_reader_poll(tape_reader_of(engine_tape(node->engine)), &node->disk.port, 4);
}

void sim_node_turn(struct sim_node *node)
{
    struct sim *sim = node->sim;
    unsigned work = read_back(node);
    node->turn_ns = UINT64_MAX;
    sim->counters.turns++;
    work += engine_begin(node->engine, node_now_ns(node));
    work += offer_lane(node, &node->lanes[FRAME_CONTROL]);
    work += offer_lane(node, &node->lanes[FRAME_BULK]);
    work += engine_end(node->engine);
    work += engine_write_log(node->engine);
    note_events(node);
    check_turn(sim, node->index);
    if (node->is_stopping && node->stop.done) {
        sim_trace(sim, TRACE_CRASH, node->index, node->life, 2, 0);
        end_life(node);
        sim_disk_crash(&node->disk);
        return;
    }
    uint64_t deadline_ns = engine_deadline_ns(node->engine);
    uint64_t wake_ns = sim->now_ns + IDLE_NS;
    if (work > 0) {
        wake_ns = sim->now_ns + TURN_MIN_NS;
    } else if (deadline_ns < wake_ns + node->clock_offset_ns) {
        wake_ns = deadline_ns > node_now_ns(node) ? deadline_ns - node->clock_offset_ns : sim->now_ns;
        wake_ns = wake_ns < sim->now_ns + 10 * TURN_MIN_NS ? sim->now_ns + 10 * TURN_MIN_NS : wake_ns;
    }
    sim_node_wake(node, wake_ns);
}

void sim_node_bootstrap(struct sim_node *node, uint32_t quorum)
{
    struct engine_command *command = &node->bootstraps[quorum];
    if (command->kind != 0 && !command->done) {
        return; /* asked for, not durable yet */
    }
    uint64_t voters[SIM_NODES_MAX];
    uint32_t count = node->sim->options.node_count;
    for (uint32_t i = 0; i < count; i++) {
        voters[i] = sim_node_id(i);
    }
    memset(command, 0, sizeof(*command));
    command->kind = ENGINE_BOOTSTRAP;
    strcpy(command->name, node->sim->truths[quorum].name);
    ASSERT(configuration_init_stable(&command->voters, voters, count));
    engine_command(node->engine, command, node_now_ns(node));
    sim_node_wake(node, node->sim->now_ns);
}

const struct replicator *sim_node_replicator(const struct sim_node *node, uint32_t quorum)
{
    if (!node->is_running) {
        return NULL;
    }
    const struct host *host = engine_host(node->engine);
    uint32_t slot = host_find(host, node->sim->truths[quorum].number);
    return slot == HOST_NO_SLOT ? NULL : host_replicator(host, slot);
}
