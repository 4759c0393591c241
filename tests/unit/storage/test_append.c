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

static void what_room_promises_reserve_keeps(void)
{
    struct prng prng = {11};
    uint64_t promised = 0;
    uint64_t refused = 0;
    for (unsigned life = 0; life < 200; life++) {
        struct rig rig;
        rig_format(&rig, true, TAPE_SYNC_FDATASYNC);
        CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
        size_t size_limit = 1 + (size_t)prng_below(&prng, 8000);
        for (unsigned turn = 0; turn < 60; turn++) {
            size_t sizes[8];
            size_t record_bytes = 0;
            uint32_t count = 1 + (uint32_t)prng_below(&prng, 8);
            bool use_reserve = prng_below(&prng, 4) == 0;
            for (uint32_t i = 0; i < count; i++) {
                sizes[i] = (size_t)prng_below(&prng, size_limit);
                record_bytes += record_padded_bytes(RECORD_HEAD_BYTES + sizes[i]);
            }
            if (tape_room(rig.tape, record_bytes, count, use_reserve) != 0) {
                refused++;
                rig_flush(&rig);
                continue;
            }
            promised++;
            for (uint32_t i = 0; i < count; i++) {
                CHECK_EQUAL(rig_append_type(&rig, RECORD_DATA, RIG_QUORUM, 1, 1, sizes[i], use_reserve), 0);
            }
            tape_submit(rig.tape, rig.now_ns);
        }
        rig_fini(&rig);
    }
    CHECK(promised > 1000);
    CHECK(refused > 100);
}

static void room_is_there_on_an_empty_tape_and_gone_on_a_full_one(void)
{
    struct rig rig;
    rig_format(&rig, false, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    CHECK_EQUAL(tape_room(rig.tape, 1000, 4, false), 0);
    CHECK_EQUAL(tape_room(rig.tape, RIG_SIZE_BYTES, 100, true), -ENOSPC);
    while (rig_append(&rig, RIG_QUORUM, 1, 1, 1000) == 0) {
        rig_flush(&rig);
    }
    CHECK_EQUAL(tape_room(rig.tape, 64, 1, false), -ENOSPC);
    CHECK_EQUAL(tape_room(rig.tape, 64, 1, true), 0);
    rig_fini(&rig);
}

static void memory_full_of_unwritten_data_is_busy_until_a_completion(void)
{
    struct rig rig;
    uint64_t index = 0;
    int error;
    rig_format(&rig, true, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    while ((error = rig_append(&rig, RIG_QUORUM, index + 1, 1, 1000)) == 0) {
        index++;
        tape_submit(rig.tape, 1);
    }
    CHECK_EQUAL(error, -EBUSY);
    CHECK_EQUAL(tape_room(rig.tape, 1048, 1, false), -EBUSY);
    rig_flush(&rig);
    CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, index + 1, 1, 1000), 0);
    rig_fini(&rig);
}

static void a_record_larger_than_a_block_is_refused(void)
{
    struct rig rig;
    rig_format(&rig, false, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    size_t most = tape_record_bytes_max(rig.tape) - RECORD_HEAD_BYTES;
    CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, 1, 1, most + 1), -EMSGSIZE);
    CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, 1, 1, most), 0);
    rig_flush(&rig);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    CHECK_EQUAL(rig.report.record_count, 1);
    rig_fini(&rig);
}

static void an_idle_tape_attests_its_last_block_once(void)
{
    struct rig rig;
    rig_format(&rig, false, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    CHECK_EQUAL(tape_deadline_ns(rig.tape), UINT64_MAX);
    CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, 1, 1, 10), 0);
    rig_flush(&rig);
    uint64_t written = fake_device_submitted_bytes(rig.fake);
    uint64_t durable = tape_durable_position(rig.tape);
    CHECK_EQUAL(tape_deadline_ns(rig.tape), rig.now_ns + 20000000);
    CHECK_EQUAL(tape_poll(rig.tape, rig.now_ns + 19999999), 0);
    CHECK_EQUAL(fake_device_submitted_bytes(rig.fake), written);
    CHECK_EQUAL(tape_poll(rig.tape, rig.now_ns + 20000000), 1);
    CHECK_EQUAL(fake_device_submitted_bytes(rig.fake), written + 512);
    CHECK_EQUAL(tape_poll(rig.tape, rig.now_ns + 30000000), 1);
    CHECK_EQUAL(tape_poll(rig.tape, rig.now_ns + 90000000), 0);
    CHECK_EQUAL(tape_deadline_ns(rig.tape), UINT64_MAX);
    CHECK_EQUAL(fake_device_submitted_bytes(rig.fake), written + 512);
    CHECK_EQUAL(tape_durable_position(rig.tape), durable);
    rig_fini(&rig);
}

static int busy_submit(struct device *device, uint64_t offset, const void *bytes, size_t byte_count,
                       uint64_t tag)
{
    (void)device;
    (void)offset;
    (void)bytes;
    (void)byte_count;
    (void)tag;
    return -EBUSY;
}

static void a_busy_device_is_asked_again(void)
{
    struct rig rig;
    rig_format(&rig, true, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    struct device *device = fake_device_port(rig.fake);
    int (*submit_write)(struct device *, uint64_t, const void *, size_t, uint64_t) = device->submit_write;
    CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, 1, 1, 10), 0);
    device->submit_write = busy_submit;
    CHECK_EQUAL(tape_submit(rig.tape, 1000), 1);
    tape_poll(rig.tape, 1000);
    CHECK_EQUAL(fake_device_pending(rig.fake), 0);
    CHECK_EQUAL(tape_error(rig.tape), 0);
    CHECK_EQUAL(tape_stall_ns(rig.tape, 1500), 500);
    device->submit_write = submit_write;
    tape_poll(rig.tape, 2000);
    CHECK_EQUAL(fake_device_pending(rig.fake), 1);
    rig_flush(&rig);
    CHECK_EQUAL(tape_durable_position(rig.tape), tape_append_position(rig.tape));
    rig_fini(&rig);
}

static void the_age_of_the_oldest_write_is_told(void)
{
    struct rig rig;
    rig_format(&rig, true, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    CHECK_EQUAL(tape_stall_ns(rig.tape, 500), 0);
    CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, 1, 1, 10), 0);
    CHECK_EQUAL(tape_submit(rig.tape, 1000), 1);
    CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, 2, 1, 10), 0);
    CHECK_EQUAL(tape_submit(rig.tape, 2000), 0);
    CHECK_EQUAL(tape_stall_ns(rig.tape, 5000), 4000);
    fake_device_complete(rig.fake, 0, 0);
    tape_poll(rig.tape, 6000);
    CHECK_EQUAL(tape_stall_ns(rig.tape, 6000), 0);
    CHECK_EQUAL(tape_submit(rig.tape, 6000), 1);
    CHECK_EQUAL(tape_stall_ns(rig.tape, 6500), 500);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"an empty tape opens, and counts its openings", an_empty_tape_opens},
    {"what is appended is there again after opening, in order", what_is_appended_is_there_again},
    {"every entry is found, in memory and on disk", every_entry_is_found_in_memory_and_on_disk},
    {"a full tape says so and keeps its reserve for what must be written", a_full_tape_keeps_its_reserve},
    {"what tape_room promises, tape_reserve keeps", what_room_promises_reserve_keeps},
    {"there is room on an empty tape, and only the reserve on a full one",
     room_is_there_on_an_empty_tape_and_gone_on_a_full_one},
    {"memory full of unwritten data is busy until a completion",
     memory_full_of_unwritten_data_is_busy_until_a_completion},
    {"a record larger than a block is refused", a_record_larger_than_a_block_is_refused},
    {"an idle tape attests its last block once, after 20 ms", an_idle_tape_attests_its_last_block_once},
    {"a busy device is asked again", a_busy_device_is_asked_again},
    {"the age of the oldest unfinished write is told", the_age_of_the_oldest_write_is_told},
};

TEST_MAIN(cases)
