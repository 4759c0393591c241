/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include <errno.h>
#include <string.h>

#include "check.h"
#include "engine_internal.h"

/* Entries applied and frames delivered in one turn: a core that catches up still answers within ~100 us. */
#define APPLY_BUDGET   256
#define DELIVER_BUDGET 32
/* How often the commit bounds of all quorums are written even if nothing is appended, and silent clients
 * forgotten. */
#define BOUNDS_INTERVAL_NS 1000000000ull

static void on_event(void *context, uint32_t slot, const struct replicator_event *event)
{
    struct engine *engine = context;
    const struct engine_quorum *quorum = &engine->quorums[slot];
    struct engine_event told = {.quorum_number = quorum->number, .event = *event};
    strcpy(told.name, quorum->name);
    spsc_push(&engine->events, &told); /* full: nobody follows, it is dropped */
    if (event->kind == EVENT_STATE_CHANGE) {
        engine_leadership_changed(engine, slot, event->index == REPLICATOR_LEADER, event->term);
    }
}

static void create_quorums(struct engine *engine, struct arena *arena)
{
    uint32_t count = engine->options.quorum_count_max;
    engine->quorums = ARENA_ARRAY(arena, struct engine_quorum, count);
    for (uint32_t i = 0; i < count; i++) {
        engine->quorums[i].committed = ARENA_NEW(arena, struct stream_state);
        engine->quorums[i].tail = ARENA_NEW(arena, struct stream_state);
    }
}

static void create_host(struct engine *engine, struct arena *arena)
{
    const struct engine_options *options = &engine->options;
    struct host_options host_options = {
        .quorum_count_max = options->quorum_count_max,
        .node_id = options->node_id,
        .incarnation = engine->incarnation,
        .election_timeout_ns = options->election_timeout_ns,
        .heartbeat_interval_ns = options->heartbeat_interval_ns,
        .retransmit_timeout_ns = options->retransmit_timeout_ns,
        .disk_stall_limit_ns = options->disk_stall_limit_ns,
        .commit_news_delay_ns = options->commit_news_delay_ns,
        .random_seed = options->random_seed,
        .log = engine_log_port(engine),
        .network = engine_network_port(engine),
        .listener = {.context = engine, .event = on_event},
        .wall_ns = options->wall_ns,
        .wall_context = options->wall_context,
    };
    engine->host = host_create(arena, &host_options);
}

/* Left out, a quorum could be joined anew and forget what it voted for: then none of this log starts. */
static enum tape_verdict check_recovery(const struct recovery *recovery, struct tape_report *report)
{
    if (recovery->left_out_count > 0) {
        report->error = -EUSERS;
        return TAPE_READ_ERROR;
    }
    return TAPE_OPEN;
}

static void open_quorums(struct engine *engine, const struct recovery *recovery)
{
    for (uint32_t i = 0; i < recovery->quorum_count; i++) {
        const struct engine_quorum *quorum = engine_open_quorum(engine, &recovery->quorums[i]);
        ASSERT(quorum != NULL);
    }
}

enum tape_verdict engine_create(struct arena *arena, const struct engine_options *options, uint64_t now_ns,
                                struct engine **ret_engine, struct tape_report *ret_report)
{
    struct engine *engine = ARENA_NEW(arena, struct engine);
    struct arena scratch;
    struct recovery recovery;
    ASSERT(options->quorum_count_max <= QUORUMS_MAX);
    engine->options = *options;
    engine->now_ns = now_ns;
    engine->wall_ns = options->wall_ns(options->wall_context);
    arena_init(&scratch);
    recovery_init(&recovery, &scratch, options->quorum_count_max);
    enum tape_verdict verdict = tape_open(arena, options->device, &options->tape, recovery_visit, &recovery,
                                          &engine->tape, &engine->report);
    if (verdict == TAPE_OPEN) {
        verdict = check_recovery(&recovery, &engine->report);
    }
    *ret_report = engine->report;
    if (verdict == TAPE_OPEN) {
        engine->incarnation = engine->report.identity.incarnation;
        engine->commit_latency = ARENA_NEW(arena, struct histogram);
        histogram_init(engine->commit_latency);
        void *elements = ARENA_ARRAY(arena, struct engine_event, EVENT_RING_COUNT);
        spsc_init(&engine->events, elements, EVENT_RING_COUNT, sizeof(struct engine_event));
        create_quorums(engine, arena);
        create_host(engine, arena);
        open_quorums(engine, &recovery);
        *ret_engine = engine;
    }
    arena_fini(&scratch);
    return verdict;
}

unsigned engine_begin(struct engine *engine, uint64_t now_ns)
{
    engine->now_ns = now_ns;
    engine->wall_ns = engine->options.wall_ns(engine->options.wall_context);
    return tape_poll(engine->tape, now_ns);
}

static bool receive_for_replicator(struct engine *engine, const struct message *message, const uint8_t *tail,
                                   uint32_t tail_bytes)
{
    uint32_t slot = host_find(engine->host, message->quorum_number);
    if (slot == HOST_NO_SLOT) {
        return engine_receive_unknown(engine, message, tail, tail_bytes);
    }
    switch (host_receive(engine->host, slot, message, tail, tail_bytes, engine->now_ns)) {
    case HOST_TAKEN:
        return true;
    case HOST_BUSY:
        engine->busy_count++;
        return false;
    case HOST_NO_SPACE:
    case HOST_BAD_RECORDS:
    case HOST_BAD_SENDER:
    case HOST_NEW_SENDER:
    case HOST_FAILED:
        engine->refused_count++;
        return true;
    }
    return true;
}

bool engine_receive(struct engine *engine, const struct message *message, const uint8_t *tail,
                    uint32_t tail_bytes, const struct engine_channel *channel, uint64_t arrival_ns)
{
    switch ((enum message_kind)message->kind) {
    case MESSAGE_REQUEST_VOTE:
    case MESSAGE_REQUEST_VOTE_REPLY:
    case MESSAGE_APPEND_ENTRIES:
    case MESSAGE_APPEND_ENTRIES_REPLY:
    case MESSAGE_PRE_ELECTION_POLL:
    case MESSAGE_PRE_ELECTION_REPLY:
        return message->sender_id == 0 || receive_for_replicator(engine, message, tail, tail_bytes);
    case MESSAGE_PUBLISH:
        if (!publishers_receive(engine, message, tail, tail_bytes, channel, arrival_ns)) {
            engine->busy_count++;
            return false;
        }
        return true;
    case MESSAGE_SUBSCRIBE:
        subscribers_receive(engine, message, tail, tail_bytes, channel);
        return true;
    case MESSAGE_DELIVER_REPLY:
        subscribers_receive_reply(engine, message);
        return true;
    case MESSAGE_PUBLISH_REPLY: /* for clients, not for nodes */
    case MESSAGE_SUBSCRIBE_REPLY:
    case MESSAGE_DELIVER:
    case MESSAGE_ADMIN: /* for the control thread */
    case MESSAGE_ADMIN_REPLY:
        break;
    }
    return true;
}

/* A bootstrap or a stop is done when what it wrote is on the disk, or never will be. */
static void finish_command(struct engine *engine, struct engine_waiting *waiting)
{
    struct engine_command *command = waiting->command;
    if (!command ||
        (tape_durable_position(engine->tape) < waiting->position && tape_error(engine->tape) == 0)) {
        return;
    }
    command->error = tape_error(engine->tape);
    waiting->command = NULL;
    atomic_store_explicit(&command->done, true, memory_order_release);
}

/* A write into the page cache is done when it returns: what a follower took in this turn is acknowledged
 * once, as received and as written, instead of twice. */
static unsigned write_at_once(struct engine *engine)
{
    if (engine->report.sync != TAPE_SYNC_NONE) {
        return 0;
    }
    return tape_submit(engine->tape, engine->now_ns) + tape_poll(engine->tape, engine->now_ns);
}

unsigned engine_end(struct engine *engine)
{
    unsigned work = write_at_once(engine);
    work += host_poll(engine->host, engine->now_ns);
    for (uint32_t slot = 0; slot < engine->quorum_count; slot++) {
        work += engine_apply(engine, slot, APPLY_BUDGET);
    }
    work += publishers_reply(engine);
    work += subscribers_deliver(engine, DELIVER_BUDGET);
    if (engine->now_ns - engine->bounds_written_ns >= BOUNDS_INTERVAL_NS) {
        engine->bounds_written_ns = engine->now_ns;
        host_write_bounds(engine->host);
        publishers_expire(engine);
    }
    finish_command(engine, &engine->bootstrapping);
    finish_command(engine, &engine->stopping);
    return work;
}

unsigned engine_write_log(struct engine *engine)
{
    return tape_submit(engine->tape, engine->now_ns);
}

uint64_t engine_deadline_ns(const struct engine *engine)
{
    uint64_t host_deadline = host_deadline_ns(engine->host);
    uint64_t tape_deadline = tape_deadline_ns(engine->tape);
    return host_deadline < tape_deadline ? host_deadline : tape_deadline;
}

static void fill_quorum_status(const struct engine *engine, uint32_t slot,
                               struct engine_quorum_status *status)
{
    const struct engine_quorum *quorum = &engine->quorums[slot];
    const struct replicator *replicator = host_replicator(engine->host, slot);
    const struct logged_configuration *logged = replicator_configuration(replicator);
    memset(status, 0, sizeof(*status));
    strcpy(status->name, quorum->name);
    status->quorum_number = quorum->number;
    status->term = replicator->term;
    status->leader_id = replicator->leader_id;
    status->role = replicator->role;
    status->available = quorum->leads && quorum->tail_ready;
    status->last_index = replicator->last_index;
    status->durable_index = replicator->durable_index;
    status->commit_index = replicator->commit_index;
    status->applied_index = quorum->applied_index;
    status->next_stream_sequence = stream_next_sequence(quorum->committed);
    status->source_count = stream_source_count(quorum->committed);
    status->stream_fault = quorum->stream_fault;
    if (logged) {
        status->configuration = logged->configuration;
    }
    status->peer_count = replicator->peer_count;
    for (uint32_t i = 0; i < replicator->peer_count; i++) {
        status->peers[i].node_id = replicator->peers[i].node_id;
        status->peers[i].match_index = replicator->peers[i].match_index;
        status->peers[i].durable_index = replicator->peers[i].durable_index;
    }
}

static void fill_status(const struct engine *engine, struct engine_command *command, uint64_t now_ns)
{
    struct engine_status *status = command->status;
    status->tape = engine->report;
    status->tape_free_bytes = tape_free_bytes(engine->tape);
    status->disk_stall_ns = tape_stall_ns(engine->tape, now_ns);
    status->writes = tape_writes(engine->tape, now_ns);
    status->tape_error = tape_error(engine->tape);
    status->quorum_count = engine->quorum_count;
    status->publisher_count = engine->publishers.count;
    status->subscriber_count = engine->subscribers.count;
    status->entry_count = engine->entry_count;
    status->busy_count = engine->busy_count;
    status->refused_count = engine->refused_count;
    status->commit_p50_ns = histogram_percentile(engine->commit_latency, 50);
    status->commit_p99_ns = histogram_percentile(engine->commit_latency, 99);
    status->commit_maximum_ns = engine->commit_latency->maximum;
    if (command->quorum_position < engine->quorum_count) {
        fill_quorum_status(engine, command->quorum_position, &status->quorum);
    }
}

static void wait_until_durable(struct engine *engine, struct engine_waiting *waiting,
                               struct engine_command *command)
{
    *waiting = (struct engine_waiting){.command = command, .position = tape_append_position(engine->tape)};
}

void engine_command(struct engine *engine, struct engine_command *command, uint64_t now_ns)
{
    switch (command->kind) {
    case ENGINE_BOOTSTRAP:
        if (engine->bootstrapping.command) {
            command->error = -EBUSY;
            break;
        }
        engine_bootstrap(engine, command);
        if (command->error == 0) {
            wait_until_durable(engine, &engine->bootstrapping, command);
            return;
        }
        break;
    case ENGINE_STATUS:
        fill_status(engine, command, now_ns);
        break;
    case ENGINE_STOP:
        host_write_bounds(engine->host);
        wait_until_durable(engine, &engine->stopping, command);
        return;
    }
    atomic_store_explicit(&command->done, true, memory_order_release);
}

bool engine_next_event(struct engine *engine, struct engine_event *ret_event)
{
    return spsc_pop(&engine->events, ret_event);
}

const struct host *engine_host(const struct engine *engine)
{
    return engine->host;
}

struct tape *engine_tape(struct engine *engine)
{
    return engine->tape;
}

bool engine_quorum_at(const struct engine *engine, uint32_t position, uint64_t *ret_number,
                      char ret_name[QUORUM_NAME_BYTES_MAX + 1])
{
    if (position >= engine->quorum_count) {
        return false;
    }
    *ret_number = engine->quorums[position].number;
    strcpy(ret_name, engine->quorums[position].name);
    return true;
}
