/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a turn. Idle quorums cost nothing: only due, marked and dirty ones are visited. */
#include "host_internal.h"

#include <errno.h>

/* The stall age is told in steps of this part of the limit, so that a healthy disk's microseconds cost no
 * steps. */
#define STALL_STEPS 8
/* A tick that has to wait for the log is tried again after this part of the heartbeat interval. */
#define BUSY_STEPS 8

static void fail_all(struct host *host, uint64_t now_ns)
{
    host->failure_told = true;
    for (uint32_t i = 0; i < host->quorum_count; i++) {
        struct replicator_input input = {.now_ns = now_ns, .kind = INPUT_DISK};
        input.disk.stall_ns = host->stall_ns;
        input.disk.failed = 1;
        host_step(host, &host->quorums[i], &input, NULL);
    }
}

/* Rules 36, 37: failed writes are fatal to all replicators of this log, and never retried. */
static void watch_log(struct host *host, uint64_t now_ns)
{
    const struct host_log *log = &host->options.log;
    uint64_t step_ns = host->options.disk_stall_limit_ns / STALL_STEPS + 1;
    uint64_t stall_ns = log->stall_ns(log->context, now_ns);
    host->stall_ns = stall_ns - stall_ns % step_ns;
    if (log->error(log->context) != 0) {
        host->log_failed = true;
    }
    if (host->log_failed && !host->failure_told) {
        fail_all(host, now_ns);
    }
}

static unsigned run_ticks(struct host *host, uint64_t now_ns)
{
    unsigned work = 0;
    for (uint32_t i = 0; i < host->quorum_count; i++) {
        struct host_quorum *quorum = &host->quorums[host->heap[0]];
        if (quorum->deadline_ns > now_ns) {
            break;
        }
        /* A leader's tick writes nothing; its heartbeats do not wait for a log that is busy, nor for the
         * quorums that do. */
        if (quorum->replicator.role != REPLICATOR_LEADER && host_room_reserve(host) != 0) {
            host_heap_postpone(host, quorum, now_ns + host->options.heartbeat_interval_ns / BUSY_STEPS + 1);
            continue;
        }
        struct replicator_input input = {.now_ns = now_ns, .kind = INPUT_TICK};
        host_step(host, quorum, &input, NULL);
        host_heap_update(host, quorum);
        work++;
    }
    return work;
}

static bool finish_quorum(struct host *host, struct host_quorum *quorum, uint64_t now_ns, unsigned *work)
{
    bool later = false;
    if (quorum->replicator.acknowledgement_owed) {
        struct replicator_input input = {.now_ns = now_ns, .kind = INPUT_FLUSH};
        host_step(host, quorum, &input, NULL);
        (*work)++;
    }
    if (quorum->need_terms_index != 0) {
        later |= host_supply_terms(host, quorum, now_ns);
    }
    if (quorum->replicator.role == REPLICATOR_LEADER) {
        later |= host_send_entries(host, quorum, now_ns, work);
    } else {
        quorum->news_due_ns = 0;
    }
    host_bytes_reap(quorum);
    host_heap_update(host, quorum);
    return later;
}

static unsigned run_dirty(struct host *host, uint64_t now_ns)
{
    unsigned work = 0;
    uint32_t kept = 0;
    uint32_t count = host->dirty_count;
    host->news_waiting_count = 0;
    host->news_due_ns = UINT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        struct host_quorum *quorum = &host->quorums[host->dirty[i]];
        /* It stays in the list while it is worked on, so the steps taken here do not add it again. */
        bool later = finish_quorum(host, quorum, now_ns, &work);
        bool waits = quorum->news_due_ns != 0;
        if (later || waits) {
            host->dirty[kept++] = quorum->slot;
            host->news_waiting_count += !later;
            host->news_due_ns =
                waits && quorum->news_due_ns < host->news_due_ns ? quorum->news_due_ns : host->news_due_ns;
        } else {
            quorum->dirty = false;
        }
    }
    host->dirty_count = kept;
    return work;
}

unsigned host_poll(struct host *host, uint64_t now_ns)
{
    watch_log(host, now_ns);
    unsigned work = host->quorum_count > 0 ? run_ticks(host, now_ns) : 0;
    work += host_mark_reap(host, now_ns);
    if (host->held_count > 0) {
        work += host_held_release(host);
    }
    work += run_dirty(host, now_ns);
    host->turn++;
    return work;
}

uint64_t host_deadline_ns(const struct host *host)
{
    if (host->dirty_count > host->news_waiting_count || host->durable_again) {
        return 0;
    }
    uint64_t tick_ns = host->quorum_count > 0 ? host->quorums[host->heap[0]].deadline_ns : UINT64_MAX;
    return tick_ns < host->news_due_ns ? tick_ns : host->news_due_ns;
}
