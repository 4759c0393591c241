/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "engine_rig.h"
#include "test.h"

#define SOURCE 50

static struct engine_rig rig;
static uint64_t number;

static void lead(uint32_t chunk_count)
{
    rig_start(&rig, chunk_count, false);
    number = rig_lead(&rig, "itch");
}

static void open_and_forget(uint64_t source_id, uint8_t channel)
{
    rig_open_source(&rig, number, source_id, channel);
    rig_turn(&rig);
    rig.sent_count = 0;
}

static void entries_are_committed_once(void)
{
    lead(16);
    rig_open_source(&rig, number, SOURCE, 1);
    struct publish_reply reply = rig_reply(&rig);
    CHECK_EQUAL(reply.status, PUBLISH_OK);
    CHECK_EQUAL(reply.wanted_source_sequence, 1);
    CHECK(rig_publish(&rig, number, SOURCE, 1, 3, 20, 1));
    uint64_t message_id = rig.message_id;
    reply = rig_reply(&rig);
    CHECK_EQUAL(reply.status, PUBLISH_OK);
    CHECK_EQUAL(reply.logged_source_sequence, 3);
    CHECK_EQUAL(reply.wanted_source_sequence, 4);
    CHECK_EQUAL(rig_last(&rig, MESSAGE_PUBLISH_REPLY)->message.message_id, message_id);
    CHECK_EQUAL(rig_last(&rig, MESSAGE_PUBLISH_REPLY)->message.in_reply, 1);
    rig_turns(&rig, 3);
    reply = rig_last(&rig, MESSAGE_PUBLISH_REPLY)->message.publish_reply;
    CHECK_EQUAL(reply.committed_source_sequence, 3);
    uint64_t last_index = rig_status(&rig).last_index;
    CHECK(rig_publish(&rig, number, SOURCE, 2, 2, 20, 1)); /* after the commit: nothing new */
    reply = rig_reply(&rig);
    CHECK_EQUAL(reply.status, PUBLISH_OK);
    CHECK_EQUAL(reply.committed_source_sequence, 3);
    CHECK_EQUAL(rig_status(&rig).last_index, last_index);
    CHECK_EQUAL(rig_status(&rig).next_stream_sequence, 4);
    rig_end(&rig);
}

static void who_does_not_lead_says_who_may(void)
{
    struct engine_command command;
    rig_start(&rig, 16, false);
    rig_bootstrap(&rig, "itch", 3, &command); /* two others, silent: nobody leads */
    rig_open_source(&rig, rig_status(&rig).quorum_number, SOURCE, 1);
    struct publish_reply reply = rig_reply(&rig);
    CHECK_EQUAL(reply.status, PUBLISH_NOT_LEADER);
    CHECK_EQUAL(reply.leader_id, 0);
    CHECK_EQUAL(reply.wanted_source_sequence, 0);
    rig_open_source(&rig, 12345, SOURCE, 1);
    CHECK_EQUAL(rig_reply(&rig).status, PUBLISH_UNKNOWN_QUORUM);
    struct message message = {.kind = MESSAGE_PUBLISH, .publish = {.source_id = SOURCE}};
    CHECK(rig_receive(&rig, &message, "cash", 4, 1));
    CHECK_EQUAL(rig_reply(&rig).status, PUBLISH_UNKNOWN_QUORUM);
    CHECK_EQUAL(rig_last(&rig, MESSAGE_PUBLISH_REPLY)->message.quorum_number, 0);
    rig_end(&rig);
}

static void what_breaks_a_rule_is_refused(void)
{
    lead(16);
    open_and_forget(SOURCE, 1);
    CHECK(rig_publish(&rig, number, SOURCE, 2, 1, 20, 1));
    struct publish_reply reply = rig_reply(&rig);
    CHECK_EQUAL(reply.status, PUBLISH_SEQUENCE_GAP);
    CHECK_EQUAL(reply.wanted_source_sequence, 1);
    CHECK(rig_publish(&rig, number, SOURCE, 1, 1, RIG_BLOCKS_MAX - 1, 1));
    CHECK_EQUAL(rig_reply(&rig).status, PUBLISH_TOO_LARGE);
    CHECK(rig_publish(&rig, number, SOURCE, 1, 1, 0, 1)); /* an empty message */
    CHECK_EQUAL(rig_reply(&rig).status, PUBLISH_MALFORMED);
    static const uint8_t two[] = {5, 0, 1, 0, 0, 3, 'a', 'b', 'c', 9, 0, 1, 0, 0, 7, 'c', 'u', 't'};
    struct message message = {.kind = MESSAGE_PUBLISH,
                              .quorum_number = number,
                              .publish = {.source_id = SOURCE, .first_source_sequence = 1, .entry_count = 2}};
    CHECK(rig_receive(&rig, &message, two, sizeof(two), 1)); /* the second one is cut off */
    reply = rig_reply(&rig);
    CHECK_EQUAL(reply.status, PUBLISH_MALFORMED);
    CHECK_EQUAL(reply.logged_source_sequence, 1);
    CHECK_EQUAL(reply.wanted_source_sequence, 2);
    rig_end(&rig);
}

/* The log may hold entries larger than what is taken now, and a gap is missing whatever is behind it. */
static void an_entry_is_judged_by_its_number_first(void)
{
    lead(16);
    open_and_forget(SOURCE, 1);
    CHECK(rig_publish(&rig, number, SOURCE, 1, 1, 20, 1));
    CHECK_EQUAL(rig_reply(&rig).status, PUBLISH_OK);
    CHECK(rig_publish(&rig, number, SOURCE, 1, 1, RIG_BLOCKS_MAX + 1, 1));
    CHECK_EQUAL(rig_reply(&rig).status, PUBLISH_OK);
    CHECK(rig_publish(&rig, number, SOURCE, 3, 1, RIG_BLOCKS_MAX + 1, 1));
    struct publish_reply reply = rig_reply(&rig);
    CHECK_EQUAL(reply.status, PUBLISH_SEQUENCE_GAP);
    CHECK_EQUAL(reply.wanted_source_sequence, 2);
    rig_end(&rig);
}

/* The count and the bytes must say the same: a tail that holds more than it should is no entry of ours. */
static void a_tail_longer_than_its_count_is_malformed(void)
{
    lead(16);
    open_and_forget(SOURCE, 1);
    static const uint8_t two[] = {5, 0, 1, 0, 0, 3, 'a', 'b', 'c', 5, 0, 1, 0, 0, 3, 'd', 'e', 'f'};
    struct message message = {.kind = MESSAGE_PUBLISH,
                              .quorum_number = number,
                              .publish = {.source_id = SOURCE, .first_source_sequence = 1, .entry_count = 1}};
    CHECK(rig_receive(&rig, &message, two, sizeof(two), 1));
    struct publish_reply reply = rig_reply(&rig);
    CHECK_EQUAL(reply.status, PUBLISH_MALFORMED);
    rig_end(&rig);
}

/* Frames of an earlier life of the publisher, or from before it was told how the log stood, wait in queues
 * that questions overtake. Were they taken afterwards, entries of another content would have the numbers that
 * the publisher gives to its next ones, and those would be dropped as duplicates. */
static void frames_from_before_the_question_are_not_taken(void)
{
    lead(16);
    open_and_forget(SOURCE, 1);
    rig.message_id = 100;
    rig_open_source(&rig, number, SOURCE, 2); /* its next life */
    CHECK_EQUAL(rig_reply(&rig).wanted_source_sequence, 1);
    rig.message_id = 20;
    CHECK(rig_publish(&rig, number, SOURCE, 1, 2, 20, 1)); /* of the life before */
    rig_turn(&rig);
    rig.message_id = 30;
    rig_open_source(&rig, number, SOURCE, 1); /* its question, later still */
    CHECK(rig_publish(&rig, number, SOURCE, 1, 2, 20, 1));
    CHECK_EQUAL(rig_status(&rig).next_stream_sequence, 1);
    rig.message_id = 101;
    CHECK(rig_publish(&rig, number, SOURCE, 1, 1, 20, 2));
    struct publish_reply reply = rig_reply(&rig);
    CHECK_EQUAL(reply.status, PUBLISH_OK);
    CHECK_EQUAL(reply.logged_source_sequence, 1);
    rig.message_id = 200;
    rig_open_source(&rig, number, SOURCE, 2); /* the same life asks anew */
    rig_turn(&rig);
    rig.message_id = 150;
    CHECK(rig_publish(&rig, number, SOURCE, 2, 1, 20, 2));
    rig.message_id = 200;
    rig_open_source(&rig, number, SOURCE, 2);
    CHECK_EQUAL(rig_reply(&rig).logged_source_sequence, 1);
    rig_end(&rig);
}

/* A question while entries are on the way (where does the source stand?) takes none of them back. */
static void a_question_with_a_number_leaves_frames_valid(void)
{
    lead(16);
    open_and_forget(SOURCE, 1);
    rig.message_id = 50;
    struct message message = {.kind = MESSAGE_PUBLISH,
                              .quorum_number = number,
                              .publish = {.source_id = SOURCE, .first_source_sequence = 2}};
    CHECK(rig_receive(&rig, &message, NULL, 0, 1));
    rig.message_id = 40;
    CHECK(rig_publish(&rig, number, SOURCE, 1, 1, 20, 1));
    CHECK_EQUAL(rig_reply(&rig).logged_source_sequence, 1);
    rig_end(&rig);
}

/* Who was silent for long, or comes to a process that has just started, has to ask first. */
static void a_publisher_unknown_here_has_to_ask(void)
{
    lead(16);
    CHECK(rig_publish(&rig, number, SOURCE, 1, 1, 20, 1));
    struct publish_reply reply = rig_reply(&rig);
    CHECK_EQUAL(reply.status, PUBLISH_BUSY);
    CHECK_EQUAL(reply.wanted_source_sequence, 0);
    CHECK_EQUAL(rig_status(&rig).next_stream_sequence, 1);
    open_and_forget(SOURCE, 1);
    rig.now_ns += 11000 * RIG_MS;
    rig_turns(&rig, 100);
    CHECK(rig_publish(&rig, number, SOURCE, 1, 1, 20, 1));
    CHECK_EQUAL(rig_reply(&rig).wanted_source_sequence, 0);
    rig_end(&rig);
}

static void a_source_too_many_is_refused(void)
{
    lead(160);
    for (uint64_t source = 1; source <= SOURCES_MAX; source++) {
        if (source % 100 == 0) { /* places for publishers are fewer than for sources */
            rig.now_ns += 11000 * RIG_MS;
            rig_turns(&rig, 100);
        }
        rig_open_source(&rig, number, source, 1);
        CHECK(rig_publish(&rig, number, source, 1, 1, 1, 1));
        CHECK_EQUAL(rig_reply(&rig).logged_source_sequence, 1);
    }
    rig_turns(&rig, 3);
    rig_open_source(&rig, number, SOURCES_MAX + 1, 1);
    CHECK(rig_publish(&rig, number, SOURCES_MAX + 1, 1, 1, 1, 1));
    CHECK_EQUAL(rig_reply(&rig).status, PUBLISH_SOURCES_FULL);
    CHECK_EQUAL(rig_status(&rig).source_count, SOURCES_MAX);
    rig_end(&rig);
}

static void a_publisher_too_many_waits(void)
{
    lead(16);
    for (uint64_t source = 1; source <= PUBLISHERS_MAX; source++) {
        rig_open_source(&rig, number, source, 1);
    }
    rig_turn(&rig);
    rig_open_source(&rig, number, PUBLISHERS_MAX + 1, 2);
    struct publish_reply reply = rig_reply(&rig);
    CHECK_EQUAL(reply.status, PUBLISH_BUSY);
    CHECK_EQUAL(reply.wanted_source_sequence, 0);
    rig.now_ns += 11000 * RIG_MS;
    rig_turns(&rig, 100);
    rig_open_source(&rig, number, PUBLISHERS_MAX + 1, 2);
    CHECK_EQUAL(rig_reply(&rig).wanted_source_sequence, 1);
    rig_end(&rig);
}

static void a_full_tape_is_said_and_loses_nothing(void)
{
    lead(8);
    open_and_forget(SOURCE, 1);
    uint64_t sequence = 1;
    struct publish_reply reply = {0};
    do {
        CHECK(rig_publish(&rig, number, SOURCE, sequence++, 1, 500, 1));
        reply = rig_reply(&rig);
        rig_turn(&rig);
    } while (reply.status == PUBLISH_OK && sequence < 1000);
    CHECK_EQUAL(reply.status, PUBLISH_NO_SPACE);
    uint64_t logged = reply.logged_source_sequence;
    CHECK(logged > 20);
    rig_turns(&rig, 5);
    rig.sent_count = 0;
    rig_open_source(&rig, number, SOURCE, 1);
    CHECK_EQUAL(rig_reply(&rig).committed_source_sequence, logged);
    CHECK_EQUAL(rig_reopen(&rig), TAPE_OPEN);
    rig_turns(&rig, 200);
    CHECK_EQUAL(rig_status(&rig).next_stream_sequence, logged + 1);
    rig_end(&rig);
}

static void a_failed_disk_is_said(void)
{
    lead(16);
    open_and_forget(SOURCE, 1);
    fake_device_fail_from(rig.fake, 0, -EIO);
    CHECK(rig_publish(&rig, number, SOURCE, 1, 1, 20, 1));
    rig_turns(&rig, 4);
    rig_open_source(&rig, number, SOURCE, 1);
    struct publish_reply reply = rig_reply(&rig);
    CHECK_EQUAL(reply.status, PUBLISH_FAILED);
    CHECK_EQUAL(reply.committed_source_sequence, 0);
    rig_end(&rig);
}

static const struct test_case cases[] = {
    {"entries are logged, committed and told; a repetition after the commit adds nothing",
     entries_are_committed_once},
    {"a node that does not lead, or does not know the quorum, says so", who_does_not_lead_says_who_may},
    {"a gap, a too large entry and malformed ones are refused, what is good before them is taken",
     what_breaks_a_rule_is_refused},
    {"an entry is judged by its number before its size", an_entry_is_judged_by_its_number_first},
    {"a tail longer than its count is malformed", a_tail_longer_than_its_count_is_malformed},
    {"frames from before the question that opened the session are not taken",
     frames_from_before_the_question_are_not_taken},
    {"a question with a number leaves the frames on their way valid",
     a_question_with_a_number_leaves_frames_valid},
    {"a publisher that this process does not know has to ask first", a_publisher_unknown_here_has_to_ask},
    {"a source too many is refused", a_source_too_many_is_refused},
    {"a publisher too many waits until another is forgotten", a_publisher_too_many_waits},
    {"a full tape is said, and what was taken before is committed and kept",
     a_full_tape_is_said_and_loses_nothing},
    {"a failed disk is said", a_failed_disk_is_said},
};

TEST_MAIN(cases)
