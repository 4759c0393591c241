/* SPDX-License-Identifier: Apache-2.0 */
#include "write_watch.h"

void write_watch_init(struct write_watch *watch, uint64_t slow_ns)
{
    *watch = (struct write_watch){.slow_ns = slow_ns ? slow_ns : WRITE_WATCH_SLOW_NS};
    histogram_init(&watch->durations);
}

static uint64_t total_ns(const struct slow_write *slow)
{
    return slow->queued_ns + slow->device_ns + slow->unseen_ns;
}

static enum write_cause cause_of(const struct slow_write *slow)
{
    if (slow->unseen_ns > slow->device_ns && slow->unseen_ns > slow->queued_ns) {
        return WRITE_CAUSE_CORE;
    }
    return slow->queued_ns > slow->device_ns ? WRITE_CAUSE_QUEUE : WRITE_CAUSE_DEVICE;
}

static void slow_note(struct write_watch *watch, uint64_t now_ns)
{
    struct slow_write slow = {
        .seen_ns = now_ns,
        .queued_ns = watch->queued_ns,
        .device_ns = watch->polled_ns - watch->submitted_ns,
        .unseen_ns = now_ns - watch->polled_ns,
    };
    slow.cause = cause_of(&slow);
    watch->slow_count++;
    watch->last = slow;
    if (total_ns(&slow) > total_ns(&watch->worst)) {
        watch->worst = slow;
    }
}

void write_watch_complete(struct write_watch *watch, uint64_t now_ns)
{
    uint64_t duration_ns = now_ns - watch->submitted_ns;
    histogram_record(&watch->durations, duration_ns);
    if (watch->queued_ns + duration_ns >= watch->slow_ns) {
        slow_note(watch, now_ns);
    }
}

struct write_summary write_watch_summary(const struct write_watch *watch, uint64_t now_ns)
{
    return (struct write_summary){
        .count = watch->durations.total_count,
        .p50_ns = histogram_percentile(&watch->durations, 50),
        .p99_ns = histogram_percentile(&watch->durations, 99),
        .maximum_ns = watch->durations.maximum,
        .slow_limit_ns = watch->slow_ns,
        .slow_count = watch->slow_count,
        .last_age_ns = watch->slow_count ? now_ns - watch->last.seen_ns : 0,
        .last = watch->last,
        .worst = watch->worst,
    };
}

const char *write_cause_name(enum write_cause cause)
{
    switch (cause) {
    case WRITE_CAUSE_QUEUE:
        return "queue";
    case WRITE_CAUSE_DEVICE:
        return "device";
    case WRITE_CAUSE_CORE:
        return "core";
    }
    return "unknown";
}
