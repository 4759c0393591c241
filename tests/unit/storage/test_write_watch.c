/* SPDX-License-Identifier: Apache-2.0 */
#include "write_watch.h"

#include "tape_rig.h"
#include "test.h"

#define MS 1000000u

static struct write_watch watch;
static struct rig rig;

static void fast_writes(void)
{
    write_watch_init(&watch, 10 * MS);
    for (uint64_t at = 0; at < 100; at++) {
        write_watch_submit(&watch, at * MS);
        write_watch_complete(&watch, at * MS + 500000);
    }
    struct write_summary summary = write_watch_summary(&watch, 200 * MS);
    CHECK_EQUAL(summary.count, 100);
    CHECK_EQUAL(summary.maximum_ns, 500000);
    CHECK(summary.p50_ns >= 500000 && summary.p50_ns < 501000);
    CHECK(summary.p99_ns >= 500000 && summary.p99_ns < 501000);
    CHECK_EQUAL(summary.slow_count, 0);
    CHECK_EQUAL(summary.last_age_ns, 0);
}

static void slow_device(void)
{
    write_watch_init(&watch, 10 * MS);
    write_watch_submit(&watch, 100 * MS);
    write_watch_miss(&watch, 101 * MS);
    write_watch_miss(&watch, 129 * MS);
    write_watch_complete(&watch, 130 * MS);
    struct write_summary summary = write_watch_summary(&watch, 150 * MS);
    CHECK_EQUAL(summary.slow_count, 1);
    CHECK_EQUAL(summary.last.cause, WRITE_CAUSE_DEVICE);
    CHECK_EQUAL(summary.last.device_ns, 29 * MS);
    CHECK_EQUAL(summary.last.unseen_ns, MS);
    CHECK_EQUAL(summary.last.queued_ns, 0);
    CHECK_EQUAL(summary.last_age_ns, 20 * MS);
}

static void core_away(void)
{
    write_watch_init(&watch, 10 * MS);
    write_watch_submit(&watch, 100 * MS);
    write_watch_miss(&watch, 101 * MS);
    write_watch_complete(&watch, 130 * MS);
    struct write_summary summary = write_watch_summary(&watch, 130 * MS);
    CHECK_EQUAL(summary.last.cause, WRITE_CAUSE_CORE);
    CHECK_EQUAL(summary.last.device_ns, MS);
    CHECK_EQUAL(summary.last.unseen_ns, 29 * MS);
}

static void queued(void)
{
    write_watch_init(&watch, 10 * MS);
    write_watch_submit(&watch, 100 * MS);
    write_watch_want(&watch, 102 * MS); /* the first that waits counts */
    write_watch_want(&watch, 110 * MS);
    write_watch_complete(&watch, 109 * MS);
    write_watch_submit(&watch, 112 * MS);
    write_watch_complete(&watch, 113 * MS);
    struct write_summary summary = write_watch_summary(&watch, 113 * MS);
    CHECK_EQUAL(summary.slow_count, 1);
    CHECK_EQUAL(summary.last.cause, WRITE_CAUSE_QUEUE);
    CHECK_EQUAL(summary.last.queued_ns, 10 * MS);
    write_watch_submit(&watch, 120 * MS); /* nothing waited for this one */
    write_watch_complete(&watch, 121 * MS);
    CHECK_EQUAL(write_watch_summary(&watch, 121 * MS).slow_count, 1);
}

static void threshold(void)
{
    write_watch_init(&watch, 0);
    CHECK_EQUAL(watch.slow_ns, 10 * MS);
    write_watch_init(&watch, 2 * MS);
    write_watch_submit(&watch, 0);
    write_watch_complete(&watch, 2 * MS - 1);
    CHECK_EQUAL(watch.slow_count, 0);
    write_watch_submit(&watch, 0);
    write_watch_complete(&watch, 2 * MS);
    CHECK_EQUAL(watch.slow_count, 1);
}

static void worst_stays(void)
{
    static const uint64_t durations_ms[] = {20, 50, 30};
    write_watch_init(&watch, 10 * MS);
    for (unsigned i = 0; i < 3; i++) {
        write_watch_submit(&watch, 1000 * MS * i);
        write_watch_miss(&watch, 1000 * MS * i + durations_ms[i] * MS);
        write_watch_complete(&watch, 1000 * MS * i + durations_ms[i] * MS);
    }
    struct write_summary summary = write_watch_summary(&watch, 3000 * MS);
    CHECK_EQUAL(summary.slow_count, 3);
    CHECK_EQUAL(summary.last.device_ns, 30 * MS);
    CHECK_EQUAL(summary.worst.device_ns, 50 * MS);
    CHECK_EQUAL(summary.last_age_ns, 970 * MS);
}

/* One write that the device holds for 30 ms, while an entry comes that has to wait for it. */
static void tape_tells(void)
{
    rig_format(&rig, true, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, 1, 1, 100), 0);
    CHECK_EQUAL(tape_submit(rig.tape, 100 * MS), 1);
    CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, 2, 1, 100), 0);
    CHECK_EQUAL(tape_submit(rig.tape, 105 * MS), 0);
    tape_poll(rig.tape, 129 * MS);
    while (fake_device_pending(rig.fake) > 0) {
        fake_device_complete(rig.fake, 0, 0);
    }
    tape_poll(rig.tape, 130 * MS);
    struct write_summary first = tape_writes(rig.tape, 130 * MS);
    CHECK_EQUAL(first.count, 1);
    CHECK_EQUAL(first.slow_count, 1);
    CHECK_EQUAL(first.last.device_ns, 29 * MS);
    CHECK_EQUAL(first.last.cause, WRITE_CAUSE_DEVICE);
    CHECK_EQUAL(tape_submit(rig.tape, 130 * MS), 1);
    fake_device_complete(rig.fake, 0, 0);
    tape_poll(rig.tape, 131 * MS);
    struct write_summary second = tape_writes(rig.tape, 131 * MS);
    CHECK_EQUAL(second.count, 2);
    CHECK_EQUAL(second.slow_count, 2);
    CHECK_EQUAL(second.last.queued_ns, 25 * MS);
    CHECK_EQUAL(second.last.cause, WRITE_CAUSE_QUEUE);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"fast writes are counted, and none is slow", fast_writes},
    {"a write that polls long did not find complete is the device's", slow_device},
    {"a completion found by the first poll for long is the core's", core_away},
    {"a write that waited for the one before it says so, and only that one", queued},
    {"slow begins at the threshold", threshold},
    {"the worst slow write outlives later ones", worst_stays},
    {"a tape tells its slow writes and what waited for them", tape_tells},
};

TEST_MAIN(cases)
