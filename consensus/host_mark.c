/* SPDX-License-Identifier: Apache-2.0 */
/* Marks: which entries and which hard state are durable when the log is durable up to a position. */
#include "host_internal.h"

#include "check.h"

static struct host_mark *mark_at(struct host_quorum *quorum, uint32_t i)
{
    return &quorum->marks[(quorum->mark_first + i) % HOST_MARKS_MAX];
}

void host_mark_add(struct host *host, struct host_quorum *quorum)
{
    const struct replicator *replicator = &quorum->replicator;
    bool found;
    const struct host_mark mark = {
        .position = host->position,
        .index = replicator->last_index,
        .term = replicator_term_at(replicator, replicator->last_index, &found),
        .hard_state_number = replicator->hard_state_number,
    };
    ASSERT(found);
    /* Everything of one turn is one write. */
    bool moves_newest =
        quorum->mark_count > 0 && (quorum->mark_turn == host->turn || quorum->mark_count == HOST_MARKS_MAX);
    if (!moves_newest) {
        quorum->mark_count++;
    }
    *mark_at(quorum, quorum->mark_count - 1) = mark;
    quorum->mark_turn = host->turn;
    if (!quorum->marked) {
        quorum->marked = true;
        host->marked[host->marked_count++] = quorum->slot;
    }
}

/* Rule 29: entries that a truncation took away do not become durable any more, though their bytes do; the
 * same indexes can be there again with another term. The core has truncated and appended already, so what a
 * mark may still say is what the log had in common before and after. */
void host_mark_truncate(struct host_quorum *quorum, uint64_t from)
{
    const struct replicator *replicator = &quorum->replicator;
    for (uint32_t i = 0; i < quorum->mark_count; i++) {
        struct host_mark *mark = mark_at(quorum, i);
        if (mark->index >= from) {
            bool found;
            mark->index = from - 1;
            mark->term = replicator_term_at(replicator, from - 1, &found);
        }
    }
}

/* The newest mark that `durable` covers; false when there is none. Older ones go with it. */
static bool marks_take(struct host_quorum *quorum, uint64_t durable, struct host_mark *ret_mark)
{
    bool any = false;
    while (quorum->mark_count > 0 && mark_at(quorum, 0)->position <= durable) {
        *ret_mark = *mark_at(quorum, 0);
        quorum->mark_first = (quorum->mark_first + 1) % HOST_MARKS_MAX;
        quorum->mark_count--;
        any = true;
    }
    return any;
}

static unsigned quorum_reap(struct host *host, struct host_quorum *quorum, uint64_t durable, uint64_t now_ns)
{
    /* Its own vote may be the last one a candidate needs, and then it writes a leader-start entry. */
    if (quorum->replicator.role == REPLICATOR_CANDIDATE && host_room_reserve(host) != 0) {
        host->durable_again = true;
        return 0;
    }
    struct host_mark mark = {0};
    if (!marks_take(quorum, durable, &mark)) {
        return 0;
    }
    struct replicator_input input = {.now_ns = now_ns, .kind = INPUT_PERSISTED};
    input.persisted.index = mark.index;
    input.persisted.term = mark.term;
    input.persisted.hard_state_number = mark.hard_state_number;
    host_step(host, quorum, &input, NULL);
    return 1;
}

unsigned host_mark_reap(struct host *host, uint64_t now_ns)
{
    uint64_t durable = host->options.log.durable_position(host->options.log.context);
    if (durable == host->durable_seen && !host->durable_again) {
        return 0;
    }
    host->durable_seen = durable;
    host->durable_again = false;
    unsigned work = 0;
    uint32_t count = host->marked_count;
    for (uint32_t i = 0; i < count; i++) {
        work += quorum_reap(host, &host->quorums[host->marked[i]], durable, now_ns);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < host->marked_count; i++) {
        struct host_quorum *quorum = &host->quorums[host->marked[i]];
        quorum->marked = quorum->mark_count > 0;
        if (quorum->marked) {
            host->marked[kept++] = quorum->slot;
        }
    }
    host->marked_count = kept;
    return work;
}
