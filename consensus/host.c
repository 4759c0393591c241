/* SPDX-License-Identifier: Apache-2.0 */
/* Creation, the table of quorums, and the step: outputs carried out in their order. */
#include "host_internal.h"

#include <errno.h>
#include <string.h>

#include "check.h"

struct host *host_create(struct arena *arena, const struct host_options *options)
{
    ASSERT(options->quorum_count_max > 0);
    ASSERT(options->quorum_count_max <= QUORUMS_MAX);
    struct host *host = ARENA_NEW(arena, struct host);
    uint32_t table_size = 4;
    while (table_size < 2 * options->quorum_count_max) {
        table_size *= 2;
    }
    host->options = *options;
    host->news_due_ns = UINT64_MAX;
    host->table_mask = table_size - 1;
    host->quorums = ARENA_ARRAY(arena, struct host_quorum, options->quorum_count_max);
    host->table = ARENA_ARRAY(arena, uint32_t, table_size);
    host->heap = ARENA_ARRAY(arena, uint32_t, options->quorum_count_max);
    host->dirty = ARENA_ARRAY(arena, uint32_t, options->quorum_count_max);
    host->marked = ARENA_ARRAY(arena, uint32_t, options->quorum_count_max);
    host->held = ARENA_ARRAY(arena, struct host_held, HOST_HELD_MAX);
    host->turn = 1;
    return host;
}

/* The place of `quorum_number` in the table, or the empty one where it would go. Numbers are hashes already.
 */
static uint32_t table_find(const struct host *host, uint64_t quorum_number)
{
    uint32_t at = (uint32_t)quorum_number & host->table_mask;
    while (host->table[at] != 0 && host->quorums[host->table[at] - 1].number != quorum_number) {
        at = (at + 1) & host->table_mask;
    }
    return at;
}

uint32_t host_find(const struct host *host, uint64_t quorum_number)
{
    return host->table[table_find(host, quorum_number)] - 1; /* empty: 0 - 1 is HOST_NO_SLOT */
}

const struct replicator *host_replicator(const struct host *host, uint32_t slot)
{
    ASSERT(slot < host->quorum_count);
    return &host->quorums[slot].replicator;
}

void host_mark_dirty(struct host *host, struct host_quorum *quorum)
{
    if (!quorum->dirty) {
        quorum->dirty = true;
        host->dirty[host->dirty_count++] = quorum->slot;
    }
}

static void tell_listener(struct host *host, struct host_quorum *quorum)
{
    const struct host_listener *listener = &host->options.listener;
    const struct replicator_output *out = &host->output;
    for (uint32_t i = 0; i < out->event_count && listener->event != NULL; i++) {
        listener->event(listener->context, quorum->slot, &out->events[i]);
    }
    for (uint32_t i = 0; i < out->notice_count && listener->notice != NULL; i++) {
        listener->notice(listener->context, quorum->slot, &out->notices[i]);
    }
    for (uint32_t i = 0; i < out->outcome_count && listener->outcome != NULL; i++) {
        listener->outcome(listener->context, quorum->slot, &out->outcomes[i]);
    }
}

static void carry_out(struct host *host, struct host_quorum *quorum, const struct host_source *source)
{
    const struct replicator_output *out = &host->output;
    host_write_output(host, quorum, source);
    if (!host->log_failed) {
        /* What was to be written before a send is in the log, in order; a log that failed shows nothing more.
         */
        for (uint32_t i = 0; i < out->send_count; i++) {
            host_send_or_hold(host, quorum, &out->sends[i]);
        }
    }
    if (out->need_terms_index != 0) {
        quorum->need_terms_index = out->need_terms_index;
    }
    tell_listener(host, quorum);
}

static void step_once(struct host *host, struct host_quorum *quorum, const struct replicator_input *input,
                      const struct host_source *source)
{
    if (host->options.check_steps) {
        host->before = quorum->replicator;
    }
    replicator_step(&quorum->replicator, input, &host->output);
    if (host->options.check_steps) {
        replicator_check(&quorum->replicator);
        replicator_check_step(&host->before, &quorum->replicator);
    }
    carry_out(host, quorum, source);
}

enum replicator_refusal host_step(struct host *host, struct host_quorum *quorum,
                                  struct replicator_input *input, const struct host_source *source)
{
    if (quorum->replicator.disk_stall_ns != host->stall_ns) {
        struct replicator_input disk = {.now_ns = input->now_ns, .kind = INPUT_DISK};
        disk.disk.stall_ns = host->stall_ns;
        step_once(host, quorum, &disk, NULL);
    }
    step_once(host, quorum, input, source);
    enum replicator_refusal refusal = (enum replicator_refusal)host->output.refusal;
    while (host->output.again) {
        struct replicator_input more = {.now_ns = input->now_ns, .kind = INPUT_FLUSH};
        step_once(host, quorum, &more, NULL);
    }
    host_mark_dirty(host, quorum);
    return refusal;
}

uint32_t host_open_quorum(struct host *host, uint64_t quorum_number, const struct replicator_restart *restart,
                          uint64_t last_log_time_ns, uint64_t now_ns)
{
    uint32_t at = table_find(host, quorum_number);
    ASSERT(host->table[at] == 0); /* the same quorum twice */
    if (host->quorum_count == host->options.quorum_count_max) {
        return HOST_NO_SLOT;
    }
    struct host_quorum *quorum = &host->quorums[host->quorum_count];
    quorum->slot = host->quorum_count++;
    quorum->number = quorum_number;
    quorum->log_time_ns = last_log_time_ns;
    quorum->bounds_index = restart->commit_index;
    host->table[at] = quorum->slot + 1;
    const struct replicator_options options = {
        .quorum_number = quorum_number,
        .node_id = host->options.node_id,
        .incarnation = host->options.incarnation,
        .election_timeout_ns = host->options.election_timeout_ns,
        .heartbeat_interval_ns = host->options.heartbeat_interval_ns,
        .retransmit_timeout_ns = host->options.retransmit_timeout_ns,
        .disk_stall_limit_ns = host->options.disk_stall_limit_ns,
        .random_seed = host->options.random_seed,
    };
    replicator_init(&quorum->replicator, &options, restart, now_ns, &host->output);
    tell_listener(host, quorum);
    host_heap_add(host, quorum);
    host_mark_dirty(host, quorum);
    return quorum->slot;
}

void host_restore_peer(struct host *host, uint32_t slot, uint64_t node_id, uint64_t incarnation)
{
    ASSERT(slot < host->quorum_count);
    struct host_quorum *quorum = &host->quorums[slot];
    for (uint32_t i = 0; i < quorum->peer_count; i++) {
        if (quorum->peers[i].node_id == node_id) {
            return; /* the first one stands */
        }
    }
    if (quorum->peer_count < NODES_MAX) {
        quorum->peers[quorum->peer_count++] =
            (struct host_peer){.node_id = node_id, .incarnation = incarnation};
    }
}

int host_room_reserve(struct host *host)
{
    int error = host->log_failed ? -EIO
                                 : host->options.log.room(host->options.log.context, HOST_OVERHEAD_BYTES,
                                                          HOST_OVERHEAD_RECORDS, true);
    if (error != 0 && error != -EBUSY) {
        host->log_failed = true;
    }
    return error;
}

enum replicator_refusal host_bootstrap(struct host *host, uint32_t slot, const struct configuration *voters,
                                       const char *name, uint64_t now_ns)
{
    ASSERT(slot < host->quorum_count);
    ASSERT(strlen(name) <= QUORUM_NAME_BYTES_MAX);
    size_t record_bytes = HOST_OVERHEAD_BYTES + CONFIGURATION_BYTES_MAX + QUORUM_NAME_BYTES_MAX + 8;
    if (host->options.log.room(host->options.log.context, record_bytes, HOST_OVERHEAD_RECORDS, false) != 0) {
        return REPLICATOR_BUSY;
    }
    struct replicator_input input = {.now_ns = now_ns, .kind = INPUT_BOOTSTRAP, .bootstrap = *voters};
    const struct host_source source = {.configuration = voters, .name = name};
    return host_step(host, &host->quorums[slot], &input, &source);
}
