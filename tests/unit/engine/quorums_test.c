/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "engine_rig.h"
#include "quorum_number.h"
#include "recovery.h"
#include "test.h"

static struct engine_rig rig;

static void a_name_stands_for_one_set(void)
{
    struct engine_command command;
    rig_start(&rig, 16, false);
    rig_bootstrap(&rig, "itch", 3, &command);
    CHECK_EQUAL(command.error, 0);
    CHECK_EQUAL(command.refusal, REPLICATOR_ACCEPTED);
    rig_bootstrap(&rig, "itch", 3, &command);
    CHECK_EQUAL(command.error, 0);
    CHECK_EQUAL(command.refusal, REPLICATOR_ALREADY_BOOTSTRAPPED);
    rig_bootstrap(&rig, "itch", 1, &command);
    CHECK_EQUAL(command.error, -EEXIST);
    rig_turns(&rig, 5);
    CHECK_EQUAL(rig_reopen(&rig), TAPE_OPEN);
    rig_bootstrap(&rig, "itch", 1, &command);
    CHECK_EQUAL(command.error, -EEXIST);
    rig_bootstrap(&rig, "itch", 3, &command);
    CHECK_EQUAL(command.refusal, REPLICATOR_ALREADY_BOOTSTRAPPED);
    rig_bootstrap(&rig, "second", 3, &command);
    CHECK_EQUAL(command.error, 0);
    rig_bootstrap(&rig, "third", 3, &command);
    CHECK_EQUAL(command.error, -EUSERS);
    rig_bootstrap(&rig, "not/legal", 3, &command);
    CHECK_EQUAL(command.error, -EINVAL);
    rig_end(&rig);
}

/* Entry 1 of a quorum `name` of nodes 1, 2, 3 as its leader, node 2, sends it. */
static void append_first(uint64_t quorum_number, const char *name, uint64_t prev_index)
{
    static const uint64_t voters[] = {1, 2, 3};
    struct configuration configuration;
    uint8_t record[256];
    CHECK(configuration_init_stable(&configuration, voters, 3));
    size_t payload_bytes = quorum_payload_encode(&configuration, name, record + RECORD_HEAD_BYTES);
    struct record_head head = {
        .type = RECORD_CONFIGURATION, .quorum_number = quorum_number, .index = 1, .term = 0};
    size_t bytes = record_finish(record, &head, payload_bytes);
    struct message message = {.kind = MESSAGE_APPEND_ENTRIES,
                              .sender_id = 2,
                              .quorum_number = quorum_number,
                              .incarnation = 4,
                              .append_entries = {.term = 1, .leader_id = 2, .prev_log_index = prev_index}};
    CHECK(rig_receive(&rig, &message, record, (uint32_t)bytes, 0));
    rig_turns(&rig, 2);
}

static void replication_brings_a_quorum_along(void)
{
    static const uint64_t voters[] = {1, 2, 3};
    rig_start(&rig, 16, false);
    uint64_t number = quorum_number(7, "itch", 4, voters, 3);
    append_first(number, "itch", 9); /* the middle: asks for the beginning */
    const struct rig_sent *sent = rig_last(&rig, MESSAGE_APPEND_ENTRIES_REPLY);
    CHECK(sent != NULL);
    CHECK_EQUAL(sent->node_id, 2);
    CHECK_EQUAL(sent->message.append_entries_reply.success, 0);
    CHECK_EQUAL(sent->message.append_entries_reply.next_index_hint, 1);
    append_first(number, "cash", 0); /* the number is not that of the name */
    CHECK_EQUAL(rig_status(&rig).quorum_number, 0);
    append_first(number + 1, "itch", 0);
    CHECK_EQUAL(rig_status(&rig).quorum_number, 0);
    append_first(number, "itch", 0); /* first contact: noted */
    append_first(number, "itch", 0);
    CHECK_EQUAL(rig_status(&rig).quorum_number, number);
    CHECK_EQUAL(rig_status(&rig).last_index, 1);
    CHECK_STRING(rig_status(&rig).name, "itch");
    rig_end(&rig);
}

static void a_name_of_another_set_does_not_join(void)
{
    static const uint64_t voters[] = {1, 2, 3};
    struct engine_command command;
    rig_start(&rig, 16, false);
    rig_bootstrap(&rig, "itch", 2, &command);
    rig_turns(&rig, 2);
    uint64_t own = rig_status(&rig).quorum_number;
    append_first(quorum_number(7, "itch", 4, voters, 3), "itch", 0);
    append_first(quorum_number(7, "itch", 4, voters, 3), "itch", 0);
    CHECK_EQUAL(rig_status(&rig).quorum_number, own);
    CHECK_EQUAL(rig_status(&rig).configuration.voter_count, 2);
    rig_end(&rig);
}

/* Records that no writer of ours leaves. The quorum must not start, and it must not be taken for one that was
 * never here either: joined anew it would forget its votes. */
static void a_contradicted_log_starts_failed(void)
{
    rig_start(&rig, 16, false);
    uint64_t number = rig_lead(&rig, "itch");
    int error = 0;
    uint8_t *place = tape_reserve(engine_tape(rig.engine), 0, false, &error);
    CHECK(place != NULL);
    struct record_head head = {
        .type = RECORD_LEADER_START, .quorum_number = number, .index = 1000, .term = 90};
    record_finish(place, &head, 0);
    tape_append(engine_tape(rig.engine));
    rig_turns(&rig, 3);
    CHECK_EQUAL(rig_reopen(&rig), TAPE_OPEN);
    rig_turns(&rig, 3);
    CHECK_EQUAL(rig_status(&rig).role, REPLICATOR_FAILED);
    rig_end(&rig);
}

/* A node with a smaller bound than before would silently not vote in what it left out. */
static void a_log_of_more_quorums_than_allowed_does_not_start(void)
{
    struct engine_command command;
    rig_start(&rig, 16, false);
    rig_bootstrap(&rig, "one", 3, &command);
    rig_bootstrap(&rig, "two", 3, &command);
    rig_turns(&rig, 3);
    rig.quorum_count_max = 1;
    CHECK(rig_reopen(&rig) != TAPE_OPEN);
    CHECK_EQUAL(rig.report.error, -EUSERS);
    rig.quorum_count_max = 2;
    CHECK_EQUAL(rig_reopen(&rig), TAPE_OPEN);
    rig_end(&rig);
}

/* The stop waits for what was there when it was asked for, not for a log that goes on growing. */
static void a_stop_ends_though_the_log_grows(void)
{
    rig_start(&rig, 32, true);
    struct engine_command command;
    rig_bootstrap(&rig, "itch", 1, &command);
    for (uint32_t i = 0; i < 200; i++) {
        if (fake_device_pending(rig.fake) > 0) {
            fake_device_complete(rig.fake, 0, 0);
        }
        rig_turn(&rig);
    }
    uint64_t number = rig_status(&rig).quorum_number;
    CHECK(rig_status(&rig).available);
    rig_open_source(&rig, number, 5, 1);
    command = (struct engine_command){.kind = ENGINE_STOP};
    bool asked = false;
    for (uint32_t i = 0; i < 40 && !command.done; i++) {
        CHECK(rig_publish(&rig, number, 5, i + 1, 1, 100, 1));
        rig_turn(&rig);
        if (i == 5) {
            engine_command(rig.engine, &command, rig.now_ns);
            asked = true;
        }
        if (fake_device_pending(rig.fake) > 0) {
            fake_device_complete(rig.fake, 0, 0);
        }
        rig.sent_count = 0;
    }
    CHECK(asked);
    CHECK(command.done);
    CHECK_EQUAL(command.error, 0);
    rig_end(&rig);
}

/* What the stream is made of comes from a disk that has gone bad since it was opened. */
static void a_log_that_cannot_be_read_is_said(void)
{
    rig_start(&rig, 32, false);
    uint64_t number = rig_lead(&rig, "itch");
    rig_open_source(&rig, number, 5, 1);
    for (uint32_t i = 0; i < 200; i++) {
        CHECK(rig_publish(&rig, number, 5, i + 1, 1, 500, 1));
        rig_turn(&rig);
    }
    CHECK_EQUAL(rig_reopen(&rig), TAPE_OPEN);
    uint64_t offset = tape_device_bytes(0) + RIG_CHUNK_BYTES;
    memset(fake_device_bytes(rig.fake) + offset, 7, RIG_CHUNK_BYTES);
    fake_device_touch(rig.fake, offset, RIG_CHUNK_BYTES);
    rig_turns(&rig, 200);
    CHECK_EQUAL(rig_status(&rig).stream_fault, 1);
    CHECK_EQUAL(rig_status(&rig).available, 0);
    bool is_told = false;
    struct engine_event event;
    while (engine_next_event(rig.engine, &event)) {
        is_told |= event.event.kind == EVENT_QUORUM_FAILURE;
    }
    CHECK(is_told);
    rig_open_source(&rig, number, 5, 1);
    CHECK_EQUAL(rig_reply(&rig).status, PUBLISH_FAILED);
    rig_end(&rig);
}

static const struct test_case cases[] = {
    {"a name stands for one set of voters, over a restart too", a_name_stands_for_one_set},
    {"replication brings a quorum along, by its first entry and under its own number only",
     replication_brings_a_quorum_along},
    {"a quorum of a known name and another set does not join", a_name_of_another_set_does_not_join},
    {"a quorum with records that no writer leaves starts failed", a_contradicted_log_starts_failed},
    {"a log of more quorums than allowed does not start", a_log_of_more_quorums_than_allowed_does_not_start},
    {"a log that cannot be read is said, and its publishers are refused", a_log_that_cannot_be_read_is_said},
    {"a stop ends though the log goes on growing", a_stop_ends_though_the_log_grows},
};

TEST_MAIN(cases)
