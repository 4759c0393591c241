/* SPDX-License-Identifier: Apache-2.0 */
/* How long a log's writes take, and whose the slow ones are. One thread, the tape's owner, calls all of it; a
 * batch costs some additions and one count in a histogram, a record nothing.
 *
 * A write's time has three parts:
 *   queued    from the first turn that had something to write to the submission: the write before it was
 *             still under way
 *   device    from the submission to the last poll that did not find it complete: surely the device's, and
 * the kernel's on the way to it unseen    from that poll to the one that found it: it was complete for some
 * of that time and nobody looked
 *
 * A loop that turns every few microseconds, or wakes for a completion, leaves next to nothing unseen. When
 * the greatest part of a slow write is unseen, the core was away: held up by other work, not scheduled, or
 * held in the submission itself. */
#ifndef TALLY_WRITE_WATCH_H
#define TALLY_WRITE_WATCH_H

#include <stdbool.h>

#include "histogram.h"

#define WRITE_WATCH_SLOW_NS 10000000u /* unless told otherwise */

enum write_cause { WRITE_CAUSE_QUEUE = 1, WRITE_CAUSE_DEVICE, WRITE_CAUSE_CORE };

/* One slow write. */
struct slow_write {
    uint64_t seen_ns; /* when its completion was seen; the caller's clock */
    uint64_t queued_ns;
    uint64_t device_ns;
    uint64_t unseen_ns;
    enum write_cause cause; /* whose part is the greatest */
};

struct write_watch {
    uint64_t slow_ns;
    bool is_wanted; /* something waits for the write under way to end */
    uint64_t wanted_since_ns;
    uint64_t queued_ns; /* of the write under way */
    uint64_t submitted_ns;
    uint64_t polled_ns; /* of the newest poll that did not find it complete; at first, the submission */
    uint64_t slow_count;
    struct slow_write last;
    struct slow_write worst;
    struct histogram durations; /* submission to seen; every write, slow or not */
};

/* What status shows; a copy, so that any thread may keep it. */
struct write_summary {
    uint64_t count;
    uint64_t p50_ns;
    uint64_t p99_ns;
    uint64_t maximum_ns;
    uint64_t slow_limit_ns;
    uint64_t slow_count;
    uint64_t last_age_ns; /* of the last slow one, since it was seen */
    struct slow_write last;
    struct slow_write worst;
};

/* `slow_ns` 0: WRITE_WATCH_SLOW_NS. */
void write_watch_init(struct write_watch *watch, uint64_t slow_ns);

/* A turn has something to write and cannot submit it yet. */
static inline void write_watch_want(struct write_watch *watch, uint64_t now_ns)
{
    if (!watch->is_wanted) {
        watch->is_wanted = true;
        watch->wanted_since_ns = now_ns;
    }
}

static inline void write_watch_submit(struct write_watch *watch, uint64_t now_ns)
{
    watch->queued_ns = watch->is_wanted ? now_ns - watch->wanted_since_ns : 0;
    watch->is_wanted = false;
    watch->submitted_ns = now_ns;
    watch->polled_ns = now_ns;
}

/* A poll that did not find the write complete. */
static inline void write_watch_miss(struct write_watch *watch, uint64_t now_ns)
{
    watch->polled_ns = now_ns;
}

/* The poll that did. */
void write_watch_complete(struct write_watch *watch, uint64_t now_ns);

struct write_summary write_watch_summary(const struct write_watch *watch, uint64_t now_ns);

const char *write_cause_name(enum write_cause cause);

#endif
