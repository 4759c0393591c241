/* SPDX-License-Identifier: Apache-2.0 */
#include "engine_rig.h"
#include "test.h"

#define SUBSCRIBER 70

static struct engine_rig rig;
static uint64_t number;

/* `entry_count` entries of 100 bytes, committed; index of the last entry of the log. */
static uint64_t lead_with(uint32_t entry_count)
{
    rig_start(&rig, 32, false);
    number = rig_lead(&rig, "itch");
    rig_open_source(&rig, number, 5, 1);
    for (uint32_t i = 0; i < entry_count; i++) {
        CHECK(rig_publish(&rig, number, 5, i + 1, 1, 100, 1));
        rig_turn(&rig);
    }
    rig_turns(&rig, 5);
    rig.sent_count = 0;
    struct engine_quorum_status status = rig_status(&rig);
    CHECK_EQUAL(status.applied_index, status.last_index);
    return status.last_index;
}

static void subscribe(uint64_t subscriber_id, uint64_t from_index, uint32_t window_bytes, uint64_t message_id)
{
    struct message message = {.kind = MESSAGE_SUBSCRIBE,
                              .message_id = message_id,
                              .quorum_number = number,
                              .subscribe = {.subscriber_id = subscriber_id,
                                            .from_index = from_index,
                                            .window_bytes = window_bytes}};
    CHECK(rig_receive(&rig, &message, NULL, 0, 3));
}

static enum subscribe_status answer(void)
{
    const struct rig_sent *sent = rig_last(&rig, MESSAGE_SUBSCRIBE_REPLY);
    CHECK(sent != NULL);
    return (enum subscribe_status)sent->message.subscribe_reply.status;
}

static void say(uint64_t next_index, bool resend, bool stop)
{
    struct message message = {
        .kind = MESSAGE_DELIVER_REPLY,
        .quorum_number = number,
        .deliver_reply = {
            .subscriber_id = SUBSCRIBER, .next_index = next_index, .resend = resend, .stop = stop}};
    CHECK(rig_receive(&rig, &message, NULL, 0, 3));
}

/* Reads all frames sent and forgets them: they must continue from `next`; the index behind the last one. */
static uint64_t read_from(uint64_t next)
{
    for (uint32_t i = 0; i < rig.sent_count; i++) {
        const struct rig_sent *sent = &rig.sent[i];
        if (sent->message.kind != MESSAGE_DELIVER || sent->tail_bytes == 0) {
            continue;
        }
        CHECK_EQUAL(sent->message.deliver.first_index, next);
        CHECK_EQUAL(sent->channel.bytes[0], 3);
        for (uint32_t at = 0; at < sent->tail_bytes; next++) {
            struct record_head head;
            CHECK_EQUAL(record_check(sent->tail + at, sent->tail_bytes - at, &head), RECORD_GOOD);
            CHECK_EQUAL(head.index, next);
            at += (uint32_t)record_padded_bytes(head.length);
        }
    }
    rig.sent_count = 0;
    return next;
}

static void everything_committed_arrives_in_order(void)
{
    uint64_t last = lead_with(30);
    subscribe(SUBSCRIBER, 1, 1u << 20, 0);
    CHECK_EQUAL(answer(), SUBSCRIBE_OK);
    rig_turns(&rig, 2);
    CHECK_EQUAL(read_from(1), last + 1);
    say(last + 1, false, false);
    CHECK(rig_publish(&rig, number, 5, 31, 1, 100, 1)); /* then live */
    rig_turns(&rig, 4);
    CHECK_EQUAL(read_from(last + 1), last + 2);
    rig_end(&rig);
}

static void the_window_bounds_what_is_on_its_way(void)
{
    uint64_t last = lead_with(60);
    subscribe(SUBSCRIBER, 1, 1, 0); /* one frame at a time */
    rig_turns(&rig, 3);
    CHECK_EQUAL(rig_last(&rig, MESSAGE_DELIVER) != NULL, true);
    uint64_t next = read_from(1);
    CHECK(next < 12);
    while (next <= last) {
        say(next, false, false);
        rig_turn(&rig);
        uint64_t after = read_from(next);
        CHECK(after > next);
        next = after;
    }
    CHECK_EQUAL(next, last + 1);
    rig_end(&rig);
}

static void what_was_lost_is_sent_again(void)
{
    uint64_t last = lead_with(30);
    subscribe(SUBSCRIBER, 1, 1u << 20, 0);
    rig_turns(&rig, 2);
    CHECK_EQUAL(read_from(1), last + 1);
    say(5, true, false);
    rig_turns(&rig, 2);
    CHECK_EQUAL(read_from(5), last + 1);
    rig_turns(&rig, 110); /* silence: from the last acknowledged one */
    CHECK_EQUAL(read_from(5), last + 1);
    say(9, false, true);
    rig_turns(&rig, 200);
    CHECK(rig_last(&rig, MESSAGE_DELIVER) == NULL);
    rig_end(&rig);
}

/* A SUBSCRIBE that was doubled and comes late restarts delivery where the subscriber has long been; what it
 * says then must bring it back, or the same window would go round for ever. */
static void a_subscriber_that_is_ahead_is_caught_up_with(void)
{
    uint64_t last = lead_with(60);
    subscribe(SUBSCRIBER, 1, 2000, 40);
    rig.message_id = 60;
    for (uint64_t next = 1; next <= last; next = read_from(next)) {
        say(next, false, false);
        rig_turn(&rig);
    }
    say(last + 1, false, false);
    subscribe(SUBSCRIBER, 1, 2000, 40);
    rig_turns(&rig, 3);
    rig.sent_count = 0;
    say(last + 1, false, false);
    CHECK(rig_publish(&rig, number, 5, 61, 1, 100, 1));
    rig_turns(&rig, 300);
    uint64_t first = 0;
    for (uint32_t i = 0; i < rig.sent_count && first == 0; i++) {
        first = rig.sent[i].tail_bytes > 0 ? rig.sent[i].message.deliver.first_index : 0;
    }
    CHECK_EQUAL(first, last + 1);
    rig_end(&rig);
}

static void a_subscriber_too_many_is_refused(void)
{
    lead_with(1);
    for (uint64_t id = 1; id <= SUBSCRIBERS_MAX; id++) {
        subscribe(id, 1, 1000, 0);
        CHECK_EQUAL(answer(), SUBSCRIBE_OK);
    }
    subscribe(SUBSCRIBERS_MAX + 1, 1, 1000, 0);
    CHECK_EQUAL(answer(), SUBSCRIBE_FULL);
    subscribe(1, 1, 1000, 0); /* the same one again replaces itself */
    CHECK_EQUAL(answer(), SUBSCRIBE_OK);
    rig_turns(&rig, 100);
    rig.now_ns += 6000 * RIG_MS;
    rig_turns(&rig, 100);
    rig.sent_count = 0;
    subscribe(SUBSCRIBERS_MAX + 1, 1, 1000, 0);
    CHECK_EQUAL(answer(), SUBSCRIBE_OK);
    rig_end(&rig);
}

static void what_cannot_be_served_is_refused(void)
{
    lead_with(1);
    uint64_t known = number;
    number = 12345;
    subscribe(SUBSCRIBER, 1, 1000, 0);
    CHECK_EQUAL(answer(), SUBSCRIBE_UNKNOWN_QUORUM);
    number = known;
    struct message message = {
        .kind = MESSAGE_SUBSCRIBE,
        .quorum_number = number,
        .subscribe = {.subscriber_id = SUBSCRIBER, .from_index = 1, .window_bytes = 1000, .replicated = 1}};
    CHECK(rig_receive(&rig, &message, NULL, 0, 3));
    CHECK_EQUAL(answer(), SUBSCRIBE_FAILED);
    rig_end(&rig);
}

/* The way to it carries no frame that a record fits: heartbeats alone would let it wait for ever. */
static void a_record_that_fits_no_frame_ends_the_subscription(void)
{
    lead_with(2);
    rig.capacity_bytes = 150;
    subscribe(SUBSCRIBER, 1, 1u << 20, 0);
    rig_turns(&rig, 100);
    CHECK_EQUAL(answer(), SUBSCRIBE_FAILED);
    rig.sent_count = 0;
    rig_turns(&rig, 100);
    CHECK(rig_last(&rig, MESSAGE_DELIVER) == NULL);
    rig_end(&rig);
}

static const struct test_case cases[] = {
    {"everything committed arrives in order, first what is there, then live",
     everything_committed_arrives_in_order},
    {"the window bounds what is on its way", the_window_bounds_what_is_on_its_way},
    {"what was lost is sent again, when told and after silence; a stop ends it", what_was_lost_is_sent_again},
    {"a subscriber that is ahead of its node is caught up with",
     a_subscriber_that_is_ahead_is_caught_up_with},
    {"a subscriber too many is refused until a silent one is forgotten", a_subscriber_too_many_is_refused},
    {"an unknown quorum and replicated entries are refused", what_cannot_be_served_is_refused},
    {"a record that fits no frame ends the subscription", a_record_that_fits_no_frame_ends_the_subscription},
};

TEST_MAIN(cases)
