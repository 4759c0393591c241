/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "tape_rig.h"
#include "test.h"

static void count_visit(void *context, const struct record_head *head, const uint8_t *payload,
                        uint64_t position)
{
    uint64_t *count = context;
    (void)position;
    ++*count;
    CHECK(rig_record_is(payload - RECORD_HEAD_BYTES, RIG_QUORUM, *count, 1));
    CHECK_EQUAL(head->index, *count);
}

static void an_empty_tape_opens(void)
{
    struct rig rig;
    rig_format(&rig, false, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    CHECK_EQUAL(rig.report.open_count, 1);
    CHECK_EQUAL(rig.report.record_count, 0);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    CHECK_EQUAL(rig.report.open_count, 2);
    rig_fini(&rig);
}

static void what_is_appended_is_there_again(void)
{
    struct rig rig;
    uint64_t count = 0;
    rig_format(&rig, true, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    for (uint64_t index = 1; index <= 300; index++) {
        CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, index, 1, index % 97), 0);
        if (index % 7 == 0) {
            rig_flush(&rig);
        }
    }
    rig_flush(&rig);
    CHECK_EQUAL(tape_durable_position(rig.tape), tape_append_position(rig.tape));
    uint64_t end = tape_append_position(rig.tape);
    CHECK_EQUAL(rig_open(&rig, count_visit, &count), TAPE_OPEN);
    CHECK_EQUAL(count, 300);
    CHECK_EQUAL(rig.report.end_position, end);
    CHECK_EQUAL(rig.report.torn_bytes, 0);
    CHECK_EQUAL(tape_durable_position(rig.tape), end);
    CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, 301, 1, 5), 0);
    rig_flush(&rig);
    count = 0;
    CHECK_EQUAL(rig_open(&rig, count_visit, &count), TAPE_OPEN);
    CHECK_EQUAL(count, 301);
    rig_fini(&rig);
}

static void every_entry_is_found_in_memory_and_on_disk(void)
{
    struct rig rig;
    struct tape_cursor cursor;
    const uint8_t *record = NULL;
    struct record_head head;
    rig_format(&rig, false, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    tape_cursor_init(&cursor, RIG_QUORUM);
    for (uint64_t index = 1; index <= 220; index++) {
        CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, index, 1, 400), 0);
        CHECK_EQUAL(tape_read(rig.tape, &cursor, index, 0, &record, &head), TAPE_READ_RECORD);
        CHECK(rig_record_is(record, RIG_QUORUM, index, 1));
        CHECK_EQUAL(tape_read(rig.tape, &cursor, index + 1, 0, &record, &head), TAPE_READ_END);
        rig_flush(&rig);
    }
    for (uint64_t index = 1; index <= 220; index++) {
        CHECK_EQUAL(rig_read(&rig, &cursor, index, 1, &record, &head), TAPE_READ_RECORD);
        CHECK(rig_record_is(record, RIG_QUORUM, index, 1));
    }
    CHECK_EQUAL(tape_read(rig.tape, &cursor, 221, 1, &record, &head), TAPE_READ_END);
    rig_fini(&rig);
}

static void a_full_tape_keeps_its_reserve(void)
{
    struct rig rig;
    uint64_t index = 0;
    int error;
    rig_format(&rig, false, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    while ((error = rig_append(&rig, RIG_QUORUM, index + 1, 1, 1000)) == 0) {
        index++;
        rig_flush(&rig);
    }
    CHECK_EQUAL(error, -ENOSPC);
    CHECK(index > 60);
    uint64_t more = 0;
    while ((error = rig_append_type(&rig, RECORD_HARD_STATE, RIG_QUORUM, 1, 1, 16, true)) == 0) {
        more++;
        rig_flush(&rig);
    }
    CHECK_EQUAL(error, -ENOSPC);
    CHECK(more >= 90);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    CHECK_EQUAL(rig.report.record_count, index + more);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"an empty tape opens, and counts its openings", an_empty_tape_opens},
    {"what is appended is there again after opening, in order", what_is_appended_is_there_again},
    {"every entry is found, in memory and on disk", every_entry_is_found_in_memory_and_on_disk},
    {"a full tape says so and keeps its reserve for what must be written", a_full_tape_keeps_its_reserve},
};

TEST_MAIN(cases)
