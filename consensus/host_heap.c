/* SPDX-License-Identifier: Apache-2.0 */
/* Quorums by deadline: a binary heap, so that idle ones cost nothing in a turn. */
#include "host_internal.h"

static uint64_t key(const struct host *host, uint32_t at)
{
    return host->quorums[host->heap[at]].deadline_ns;
}

static void place(struct host *host, uint32_t at, uint32_t slot)
{
    host->heap[at] = slot;
    host->quorums[slot].heap_at = at;
}

static void swap(struct host *host, uint32_t a, uint32_t b)
{
    uint32_t slot = host->heap[a];
    place(host, a, host->heap[b]);
    place(host, b, slot);
}

static void sift_up(struct host *host, uint32_t at)
{
    while (at > 0 && key(host, at) < key(host, (at - 1) / 2)) {
        swap(host, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct host *host, uint32_t at)
{
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < host->quorum_count; child++) {
            if (key(host, child) < key(host, least)) {
                least = child;
            }
        }
        if (least == at) {
            return;
        }
        swap(host, at, least);
        at = least;
    }
}

void host_heap_add(struct host *host, struct host_quorum *quorum)
{
    quorum->deadline_ns = replicator_deadline_ns(&quorum->replicator);
    place(host, quorum->slot, quorum->slot);
    sift_up(host, quorum->slot);
}

void host_heap_postpone(struct host *host, struct host_quorum *quorum, uint64_t deadline_ns)
{
    quorum->deadline_ns = deadline_ns;
    sift_up(host, quorum->heap_at);
    sift_down(host, quorum->heap_at);
}

void host_heap_update(struct host *host, struct host_quorum *quorum)
{
    uint64_t deadline_ns = replicator_deadline_ns(&quorum->replicator);
    if (deadline_ns != quorum->deadline_ns) {
        host_heap_postpone(host, quorum, deadline_ns);
    }
}
