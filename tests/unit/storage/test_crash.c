/* SPDX-License-Identifier: Apache-2.0 */
/* Crashes: whatever subset of sectors the disk kept, what was called durable comes back, and what comes back
 * is a prefix of what was appended. */
#include <errno.h>

#include "tape_rig.h"
#include "test.h"

/* What was appended, in order: entry i has term history[i - 1]; after a crash it is cut to what came back. */
#define HISTORY_MAX 4096

struct history {
    uint64_t terms[HISTORY_MAX];
    size_t payload_bytes[HISTORY_MAX];
    uint64_t count;
    uint64_t durable_count;
};

struct check_context {
    const struct history *history;
    uint64_t count;
    bool wrong;
};

static void check_visit(void *context, const struct record_head *head, const uint8_t *payload,
                        uint64_t position)
{
    struct check_context *check = context;
    (void)position;
    check->count++;
    if (check->count > check->history->count) {
        check->wrong = true;
        return;
    }
    uint64_t term = check->history->terms[check->count - 1];
    check->wrong |= !rig_record_is(payload - RECORD_HEAD_BYTES, RIG_QUORUM, check->count, term);
    check->wrong |= head->length != RECORD_HEAD_BYTES + check->history->payload_bytes[check->count - 1];
}

static void history_append(struct rig *rig, struct history *history, uint64_t term, size_t payload_bytes)
{
    if (rig_append(rig, RIG_QUORUM, history->count + 1, term, payload_bytes) == 0) {
        history->terms[history->count] = term;
        history->payload_bytes[history->count] = payload_bytes;
        history->count++;
    }
}

/* Opens after a crash: all that was durable is there and nothing else than what was appended. What came back
 * is the new history. */
static void reopen_check(struct rig *rig, struct history *history)
{
    struct check_context check = {.history = history};
    CHECK_EQUAL(rig_open(rig, check_visit, &check), TAPE_OPEN);
    CHECK(!check.wrong);
    CHECK(check.count >= history->durable_count);
    CHECK(check.count <= history->count);
    history->count = check.count;
    history->durable_count = check.count;
}

static void durable_note(struct rig *rig, struct history *history, const uint64_t *positions)
{
    while (history->durable_count < history->count &&
           positions[history->durable_count] <= tape_durable_position(rig->tape)) {
        history->durable_count++;
    }
}

/* A random stretch of work with batches in flight, ended anywhere. */
static void work_randomly(struct rig *rig, struct history *history, uint64_t term, struct prng *prng)
{
    static uint64_t positions[HISTORY_MAX];
    uint64_t steps = 1 + prng_below(prng, 24);
    size_t size_limit = prng_below(prng, 8) == 0 ? 7000 : 1 + (size_t)prng_below(prng, 900);
    for (uint64_t i = 0; i < steps && history->count < HISTORY_MAX; i++) {
        uint64_t count = history->count;
        switch (prng_below(prng, 4)) {
        case 0:
        case 1:
            history_append(rig, history, term, (size_t)prng_below(prng, size_limit));
            if (history->count > count) {
                positions[count] = tape_append_position(rig->tape);
            }
            break;
        case 2:
            tape_submit(rig->tape, rig->now_ns);
            break;
        default:
            if (fake_device_pending(rig->fake) > 0) {
                fake_device_complete(rig->fake, (unsigned)prng_below(prng, fake_device_pending(rig->fake)),
                                     0);
            }
            rig->now_ns += prng_below(prng, 2) * 30000000;
            tape_poll(rig->tape, rig->now_ns);
            durable_note(rig, history, positions);
            break;
        }
    }
}

static void a_life_of_crashes(uint64_t seed, uint64_t *states, uint64_t *torn)
{
    static struct history history;
    struct prng prng = {seed};
    struct rig rig;
    rig_format(&rig, true, TAPE_SYNC_FDATASYNC);
    history.count = 0;
    history.durable_count = 0;
    reopen_check(&rig, &history);
    for (uint64_t run = 1; run <= 25; run++) {
        work_randomly(&rig, &history, run, &prng);
        fake_device_crash(rig.fake, &prng);
        reopen_check(&rig, &history);
        *states += 1;
        *torn += rig.report.torn_bytes > 0;
    }
    rig_fini(&rig);
}

static void crash_after_crash_keeps_what_was_durable(void)
{
    uint64_t states = 0;
    uint64_t torn = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        a_life_of_crashes(seed, &states, &torn);
    }
    printf("# %llu states, %llu with a torn tail\n", (unsigned long long)states, (unsigned long long)torn);
    CHECK(torn > states / 10);
}

/* From one state with a batch in flight: every subset of up to 2^10 of its sectors, and then a second crash
 * of what is written after the cut, again in every subset. */
static void batch_of(struct rig *rig, struct history *history, uint64_t term, unsigned blocks)
{
    for (unsigned i = 0; i < blocks; i++) {
        history_append(rig, history, term, 8000);
        history_append(rig, history, term, 20);
    }
    tape_submit(rig->tape, rig->now_ns);
}

static void every_truncation_of_a_tail_is_a_torn_tail(void)
{
    static struct history history;
    struct rig rig;
    struct rig cut;
    rig_format(&rig, true, TAPE_SYNC_FDATASYNC);
    rig_format(&cut, true, TAPE_SYNC_FDATASYNC);
    history = (struct history){0};
    reopen_check(&rig, &history);
    for (unsigned i = 0; i < 9; i++) {
        history_append(&rig, &history, 1, 700);
        rig_flush(&rig);
    }
    history.durable_count = history.count;
    uint64_t from = TAPE_DATA_OFFSET + (tape_durable_position(rig.tape) - RIG_CHUNK_BYTES);
    history_append(&rig, &history, 1, 900);
    history_append(&rig, &history, 1, 600);
    rig_flush(&rig);
    uint64_t to = TAPE_DATA_OFFSET + (tape_durable_position(rig.tape) - RIG_CHUNK_BYTES);
    uint64_t recovered_all = 0;
    for (uint64_t end = from; end <= to; end++) {
        struct history copy = history;
        fake_device_copy(cut.fake, rig.fake);
        memset(fake_device_bytes(cut.fake) + end, 0, to - end);
        reopen_check(&cut, &copy);
        recovered_all += copy.count == 11;
        CHECK(copy.count == 9 || copy.count == 11);
        history_append(&cut, &copy, 2, 40);
        rig_flush(&cut);
        copy.durable_count = copy.count;
        reopen_check(&cut, &copy);
    }
    CHECK(recovered_all >= 1);
    rig_fini(&rig);
    rig_fini(&cut);
}

static void a_second_torn_tail_at_the_same_place_is_cut_again(void)
{
    static struct history first;
    struct rig base;
    struct rig rig;
    struct prng prng = {7};
    uint64_t states = 0;
    rig_format(&base, true, TAPE_SYNC_FDATASYNC);
    rig_format(&rig, true, TAPE_SYNC_FDATASYNC);
    for (unsigned round = 0; round < 300; round++) {
        fake_device_copy(rig.fake, base.fake);
        first = (struct history){0};
        reopen_check(&rig, &first);
        history_append(&rig, &first, 1, 100);
        rig_flush(&rig);
        first.durable_count = first.count;
        for (uint64_t term = 2; term <= 6; term++) {
            /* blocks of the same sizes each time: what lies behind a cut begins just where the next block is
             * due */
            batch_of(&rig, &first, term, 2);
            fake_device_crash(rig.fake, &prng);
            reopen_check(&rig, &first);
            states++;
        }
    }
    CHECK_EQUAL(states, 1500);
    rig_fini(&base);
    rig_fini(&rig);
}

static void nothing_is_durable_before_the_whole_batch_is(void)
{
    static struct history history;
    struct rig rig;
    rig_format(&rig, true, TAPE_SYNC_FDATASYNC);
    history = (struct history){0};
    reopen_check(&rig, &history);
    history_append(&rig, &history, 1, 3000);
    rig_flush(&rig);
    uint64_t before = tape_durable_position(rig.tape);
    while (tape_append_position(rig.tape) < 2u * RIG_CHUNK_BYTES) {
        history_append(&rig, &history, 1, 3000);
    }
    tape_submit(rig.tape, 1);
    CHECK_EQUAL(fake_device_pending(rig.fake), 2);
    fake_device_complete(rig.fake, 1, 0);
    tape_poll(rig.tape, 1);
    CHECK_EQUAL(tape_durable_position(rig.tape), before);
    CHECK_EQUAL(tape_submit(rig.tape, 1), 0);
    fake_device_complete(rig.fake, 0, 0);
    tape_poll(rig.tape, 1);
    CHECK(tape_durable_position(rig.tape) > before);
    rig_fini(&rig);
}

static void a_failed_write_stops_the_tape_for_good(void)
{
    for (uint64_t n = 0; n < 40; n++) {
        static struct history history;
        struct rig rig;
        rig_format(&rig, true, TAPE_SYNC_FDATASYNC);
        history = (struct history){0};
        fake_device_fail_from(rig.fake, n, -EIO);
        struct check_context check = {.history = &history};
        enum tape_verdict verdict = rig_open(&rig, check_visit, &check);
        if (verdict == TAPE_OPEN) {
            while (tape_error(rig.tape) == 0) {
                history_append(&rig, &history, 1, 300);
                rig_flush(&rig);
                history.durable_count += tape_error(rig.tape) == 0;
            }
            int error = 0;
            CHECK_EQUAL(tape_error(rig.tape), -EIO);
            CHECK(tape_reserve(rig.tape, 10, true, &error) == NULL);
            CHECK_EQUAL(error, -EIO);
            CHECK_EQUAL(tape_submit(rig.tape, 1), 0);
        } else {
            CHECK_EQUAL(verdict, TAPE_READ_ERROR);
            CHECK_EQUAL(rig.report.error, -EIO);
        }
        fake_device_heal(rig.fake);
        reopen_check(&rig, &history);
        rig_fini(&rig);
    }
}

/* Formats a device whose operation `fail_at` and all after it fail, and looks at what is there. The number of
 * operations begun. */
static uint64_t format_until(uint64_t fail_at, enum tape_verdict *ret_verdict)
{
    struct fake_device_options device = {tape_device_bytes(RIG_SIZE_BYTES), 512, false};
    struct tape_format_options format = {.identity = rig_identity(),
                                         .size_bytes = RIG_SIZE_BYTES,
                                         .chunk_bytes = RIG_CHUNK_BYTES,
                                         .sync = TAPE_SYNC_FDATASYNC};
    struct tape_report report;
    struct fake_device *fake = fake_device_create(&device);
    fake_device_fail_from(fake, fail_at, -EIO);
    int error = tape_format(fake_device_port(fake), &format);
    uint64_t operation_count = fake_device_operations(fake);
    CHECK_EQUAL(error, operation_count > fail_at ? -EIO : 0);
    fake_device_heal(fake);
    *ret_verdict = tape_scan(fake_device_port(fake), NULL, NULL, &report);
    CHECK_EQUAL(report.record_count, 0);
    fake_device_destroy(fake);
    return operation_count;
}

/* Both copies of the superblock are written last: before the first of them is there, nobody takes it for a
 * tape. */
static void an_interrupted_format_is_no_tape(void)
{
    enum tape_verdict verdict;
    uint64_t operation_count = format_until(1000, &verdict);
    CHECK_EQUAL(verdict, TAPE_OPEN);
    CHECK(operation_count > 2);
    for (uint64_t n = 0; n + 1 < operation_count; n++) {
        format_until(n, &verdict);
        CHECK_EQUAL(verdict, TAPE_NOT_A_TAPE);
    }
    format_until(operation_count - 1, &verdict);
    CHECK_EQUAL(verdict, TAPE_OPEN); /* one copy is enough, and all else was there before */
}

static const struct test_case cases[] = {
    {"a format that was interrupted leaves no tape", an_interrupted_format_is_no_tape},
    {"every truncation of an unattested tail is a torn tail, and writing goes on at the cut",
     every_truncation_of_a_tail_is_a_torn_tail},
    {"a second torn tail at the same place is cut again", a_second_torn_tail_at_the_same_place_is_cut_again},
    {"crash after crash keeps what was durable", crash_after_crash_keeps_what_was_durable},
    {"nothing of a batch is durable before all of it is", nothing_is_durable_before_the_whole_batch_is},
    {"a failed operation, whichever, stops the tape for good", a_failed_write_stops_the_tape_for_good},
};

TEST_MAIN(cases)
