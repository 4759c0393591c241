/* SPDX-License-Identifier: Apache-2.0 */
#include "consensus_core.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "frame.h"

/* Descriptors taken from a lane at once. */
#define BURST        32
#define COMMANDS_MAX 16

struct consensus_core {
    struct engine *engine;
    struct consensus_end *end;
    struct routes *routes;
    unsigned index;
    uint32_t routed_count; /* quorums that the routes know */
    bool begun;
    struct frame_descriptor out;
    /* Bulk frames that the log had no room for: they stay first in their lane. */
    unsigned held_first;
    unsigned held_count;
    struct frame_descriptor held[BURST];
    struct spsc commands;
    struct engine_command *command_places[COMMANDS_MAX];
};

_Static_assert(sizeof(struct frame_channel) <= sizeof(struct engine_channel),
               "a channel fits its opaque place");

static uint64_t wall_ns(void *context)
{
    struct timespec now;
    (void)context;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint8_t *port_begin(void *context, uint64_t node_id, const struct engine_channel *channel,
                           unsigned lane, uint32_t *ret_capacity_bytes)
{
    struct consensus_core *core = context;
    struct frame_channel way = {0};
    if (core->begun) {
        frame_give(&core->out);
        core->begun = false;
    }
    if (channel) {
        memcpy(&way, channel->bytes, sizeof(way));
    }
    uint32_t frame_bytes_max = 0;
    if (!consensus_end_begin(core->end, node_id, &way, lane, &core->out, &frame_bytes_max)) {
        return NULL;
    }
    core->begun = true;
    /* What takes the bulk lane: appends to nodes, deliveries to subscribers. */
    *ret_capacity_bytes =
        frame_tail_bytes_max(frame_bytes_max, node_id != 0 ? MESSAGE_APPEND_ENTRIES : MESSAGE_DELIVER);
    return core->out.tail;
}

static void port_send(void *context, const struct message *message, uint32_t tail_bytes)
{
    struct consensus_core *core = context;
    ASSERT(core->begun);
    core->begun = false;
    memcpy(frame_message(&core->out), message, sizeof(*message));
    core->out.tail_bytes = tail_bytes;
    consensus_end_send(core->end, &core->out);
}

enum tape_verdict consensus_core_create(struct arena *arena, unsigned index, struct dataplane *dataplane,
                                        struct routes *routes, const struct engine_options *engine_options,
                                        struct consensus_core **ret_core, struct tape_report *ret_report)
{
    struct consensus_core *core = ARENA_NEW(arena, struct consensus_core);
    struct engine_options options = *engine_options;
    options.port = (struct engine_port){.context = core, .begin = port_begin, .send = port_send};
    options.wall_ns = wall_ns;
    core->index = index;
    core->routes = routes;
    core->end = dataplane_consensus_end(dataplane, index);
    spsc_init(&core->commands, core->command_places, COMMANDS_MAX, sizeof(core->command_places[0]));
    enum tape_verdict verdict = engine_create(arena, &options, lcore_now_ns(), &core->engine, ret_report);
    *ret_core = core;
    return verdict;
}

static bool offer(struct consensus_core *core, struct frame_descriptor *descriptor)
{
    struct engine_channel channel;
    memset(&channel, 0, sizeof(channel));
    memcpy(channel.bytes, &descriptor->channel, sizeof(descriptor->channel));
    if (!engine_receive(core->engine, frame_message(descriptor), descriptor->tail, descriptor->tail_bytes,
                        &channel, descriptor->arrival_ns)) {
        return false;
    }
    frame_give(descriptor);
    return true;
}

/* A control frame that finds no room is lost, like any frame may be; it is small and asked for again. */
static unsigned receive_control(struct consensus_core *core)
{
    struct frame_descriptor descriptors[BURST];
    unsigned count = consensus_end_receive(core->end, 0, descriptors, BURST);
    for (unsigned i = 0; i < count; i++) {
        if (!offer(core, &descriptors[i])) {
            frame_give(&descriptors[i]);
        }
    }
    return count;
}

static unsigned receive_bulk(struct consensus_core *core)
{
    unsigned work = 0;
    if (core->held_first == core->held_count) {
        core->held_first = 0;
        core->held_count = consensus_end_receive(core->end, 1, core->held, BURST);
    }
    while (core->held_first < core->held_count && offer(core, &core->held[core->held_first])) {
        core->held_first++;
        work++;
    }
    return work;
}

static unsigned take_commands(struct consensus_core *core, uint64_t now_ns)
{
    struct engine_command *command = NULL;
    unsigned work = 0;
    while (spsc_pop(&core->commands, &command)) {
        engine_command(core->engine, command, now_ns);
        work++;
    }
    return work;
}

static void route_new_quorums(struct consensus_core *core)
{
    char name[QUORUM_NAME_BYTES_MAX + 1];
    uint64_t number = 0;
    while (engine_quorum_at(core->engine, core->routed_count, &number, name)) {
        routes_add(core->routes, number, core->index);
        routes_add(core->routes, route_key_of_name((const uint8_t *)name, strlen(name)), core->index);
        core->routed_count++;
    }
}

static unsigned turn(void *part, uint64_t now_ns)
{
    struct consensus_core *core = part;
    unsigned work = engine_begin(core->engine, now_ns);
    work += take_commands(core, now_ns);
    work += receive_control(core);
    work += receive_bulk(core);
    work += engine_end(core->engine);
    route_new_quorums(core);
    return work;
}

static unsigned write_log(void *part, uint64_t now_ns)
{
    struct consensus_core *core = part;
    (void)now_ns;
    return engine_write_log(core->engine);
}

static uint64_t deadline(void *part)
{
    const struct consensus_core *core = part;
    return engine_deadline_ns(core->engine);
}

static bool awaits_disk(void *part)
{
    const struct consensus_core *core = part;
    return tape_is_writing(engine_tape(core->engine));
}

struct lcore_part consensus_core_part(struct consensus_core *core)
{
    return (struct lcore_part){
        .poll = turn, .deadline_ns = deadline, .awaits_kernel = awaits_disk, .part = core};
}

struct lcore_part consensus_core_log_part(struct consensus_core *core)
{
    return (struct lcore_part){.poll = write_log, .part = core};
}

int consensus_core_command(struct consensus_core *core, struct lcore *lcore, struct engine_command *command,
                           uint64_t timeout_ns)
{
    const struct timespec pause = {.tv_nsec = 100000};
    uint64_t end_ns = lcore_now_ns() + timeout_ns;
    atomic_store(&command->done, false);
    if (!spsc_push(&core->commands, &command)) {
        atomic_store(&command->done, true);
        return -EBUSY;
    }
    lcore_ring_doorbell(lcore);
    while (!atomic_load_explicit(&command->done, memory_order_acquire)) {
        if (lcore_now_ns() > end_ns) {
            return -ETIMEDOUT;
        }
        nanosleep(&pause, NULL);
    }
    return 0;
}

bool consensus_core_next_event(struct consensus_core *core, struct engine_event *ret_event)
{
    return engine_next_event(core->engine, ret_event);
}

struct tape *consensus_core_tape(struct consensus_core *core)
{
    return engine_tape(core->engine);
}
