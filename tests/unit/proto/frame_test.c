/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include "arena.h"
#include "bounds.h"
#include "bytes.h"
#include "random_message.h"
#include "test.h"

#define ROOM (FRAME_HEAD_BYTES + FRAME_MESSAGE_BYTES_MAX)

static struct arena arena;
static struct frame_codec *codec;
static uint8_t space[ROOM + FRAME_BYTES_MAX];
static uint8_t *const tail_place = space + ROOM;

static uint8_t *encode(const struct message *message, uint32_t tail_bytes, size_t *ret_frame_bytes)
{
    uint8_t *frame = frame_encode_before(codec, message, 7, tail_place, tail_bytes);
    *ret_frame_bytes = (size_t)(tail_place + tail_bytes - frame);
    return frame;
}

static enum frame_verdict decode(const uint8_t *frame, size_t frame_bytes, struct message *ret_message)
{
    const uint8_t *tail = NULL;
    uint32_t tail_bytes = 0;
    enum frame_verdict verdict = frame_decode(codec, frame, frame_bytes, ret_message, &tail, &tail_bytes);
    if (verdict == FRAME_GOOD) {
        CHECK(tail + tail_bytes == frame + frame_bytes);
        CHECK_EQUAL(load_le16(frame + 46), tail_bytes);
    }
    return verdict;
}

static void random_messages_come_back(void)
{
    struct prng prng = {1};
    for (unsigned i = 0; i < 20000; i++) {
        struct message sent;
        struct message got;
        size_t frame_bytes;
        random_message(&prng, message_kinds[i % MESSAGE_KIND_COUNT], &sent);
        const uint8_t *frame = encode(&sent, 0, &frame_bytes);
        CHECK_EQUAL(decode(frame, frame_bytes, &got), FRAME_GOOD);
        CHECK_BYTES(&got, &sent, sizeof(sent));
    }
}

static struct message largest_append(void)
{
    struct message m = {.kind = MESSAGE_APPEND_ENTRIES, .message_id = INT64_MAX, .sender_id = INT64_MAX};
    m.receiver_id = INT64_MAX;
    m.quorum_number = UINT64_MAX;
    m.incarnation = UINT64_MAX;
    memset(&m.append_entries, 0xFF, sizeof(m.append_entries));
    m.append_entries.term = NUMBER_MAX;
    m.append_entries.leader_id = m.sender_id;
    m.append_entries.prev_log_index = NUMBER_MAX;
    m.append_entries.prev_log_term = NUMBER_MAX;
    m.append_entries.commit_index = NUMBER_MAX;
    return m;
}

static void a_full_record_fits_beside_the_largest_append(void)
{
    struct message sent = largest_append();
    struct message got;
    size_t frame_bytes;
    uint32_t tail_bytes = (48 + 32 + DATA_BLOCKS_BYTES_MAX + 7) & ~7u;
    CHECK(tail_bytes <= frame_tail_bytes_max(FRAME_BYTES_MAX_1500, MESSAGE_APPEND_ENTRIES));
    const uint8_t *frame = encode(&sent, tail_bytes, &frame_bytes);
    CHECK_EQUAL(load_le16(frame + 44), 62);
    CHECK(frame_bytes + FRAME_TAG_BYTES <= FRAME_BYTES_MAX_1500);
    CHECK_EQUAL(decode(frame, frame_bytes, &got), FRAME_GOOD);
    sent.append_entries.last_sent_index = 0;
    sent.append_entries.election_timeout_ns = 0;
    sent.append_entries.disk_stall_ns = 0;
    CHECK_BYTES(&got, &sent, sizeof(sent));
}

/* All bytes of a body set is more than any field may be: each varint is then at its ten bytes. */
static void no_message_is_longer_than_the_bound(void)
{
    uint32_t longest = 0;
    for (size_t i = 0; i < MESSAGE_KIND_COUNT; i++) {
        struct message m;
        size_t frame_bytes;
        memset(&m, 0xFF, sizeof(m));
        m.kind = message_kinds[i];
        m.sender_id = 1;
        const uint8_t *frame = encode(&m, 0, &frame_bytes);
        CHECK(load_le16(frame + 44) <= FRAME_MESSAGE_BYTES_MAX);
        longest = load_le16(frame + 44) > longest ? load_le16(frame + 44) : longest;
    }
    CHECK(longest > FRAME_MESSAGE_BYTES_MAX / 2);
}

static void deliver_and_publish_carry_a_full_entry(void)
{
    static const uint8_t kinds[] = {MESSAGE_DELIVER, MESSAGE_PUBLISH};
    for (size_t i = 0; i < 2; i++) {
        struct message m = {
            .kind = kinds[i], .in_reply = 1, .message_id = INT64_MAX, .incarnation = UINT64_MAX};
        size_t frame_bytes;
        m.quorum_number = 1;
        m.deliver.subscriber_id = UINT64_MAX; /* the source's id, in the same place */
        m.deliver.first_index = NUMBER_MAX;
        m.deliver.committed_index = kinds[i] == MESSAGE_DELIVER ? NUMBER_MAX : 1;
        uint32_t tail_bytes = frame_tail_bytes_max(FRAME_BYTES_MAX_1500, kinds[i]);
        CHECK(tail_bytes >= 1344);
        const uint8_t *frame = encode(&m, tail_bytes, &frame_bytes);
        CHECK(frame_bytes + FRAME_TAG_BYTES <= FRAME_BYTES_MAX_1500);
        CHECK_EQUAL(decode(frame, frame_bytes, &m), FRAME_GOOD);
    }
}

/* A frame around the given protobuf bytes. */
static enum frame_verdict judge(uint8_t kind, const char *body, size_t body_bytes, const char *tail,
                                struct message *ret_message)
{
    size_t tail_bytes = strlen(tail);
    memset(space, 0, FRAME_HEAD_BYTES);
    store_le16(space, FRAME_MAGIC);
    space[2] = FRAME_VERSION;
    space[3] = kind;
    space[4] = tail_bytes > 0 && kind < MESSAGE_ADMIN;
    space[6] = 1;
    space[8] = 2;
    space[16] = 3;
    space[24] = kind < MESSAGE_PUBLISH;
    store_le16(space + 44, (uint16_t)body_bytes);
    store_le16(space + 46, (uint16_t)tail_bytes);
    memcpy(space + FRAME_HEAD_BYTES, body, body_bytes);
    memcpy(space + FRAME_HEAD_BYTES + body_bytes, tail, tail_bytes);
    return decode(space, FRAME_HEAD_BYTES + body_bytes + tail_bytes, ret_message);
}

#define JUDGE(kind, body, tail) judge((kind), (body), sizeof(body) - 1, (tail), &m)
#define VOTE_REPLY_EMPTY        "\xaa\x06\x00" /* 101, no bytes */

static void identities_inside_must_agree_with_the_head(void)
{
    struct message m;
    CHECK_EQUAL(JUDGE(101, VOTE_REPLY_EMPTY, ""), FRAME_GOOD);
    CHECK_EQUAL(JUDGE(101, "\x10\x02\x18\x03" VOTE_REPLY_EMPTY, ""), FRAME_GOOD);
    CHECK_EQUAL(JUDGE(101, "\x10\x03\x18\x03" VOTE_REPLY_EMPTY, ""), FRAME_BAD_IDENTITY);
    CHECK_EQUAL(JUDGE(101, "\x10\x02\x18\x02" VOTE_REPLY_EMPTY, ""), FRAME_BAD_IDENTITY);
    CHECK_EQUAL(JUDGE(101, "\x22\x01q" VOTE_REPLY_EMPTY, ""), FRAME_BAD_IDENTITY);
    /* 132 subscribe: from_index 1, window 1, subscriber 1 */
#define SUBSCRIBE_ONE "\xa2\x08\x0d\x09\x01\0\0\0\0\0\0\0\x10\x01\x18\x01"
    CHECK_EQUAL(JUDGE(132, SUBSCRIBE_ONE, "itch"), FRAME_GOOD);
    CHECK_EQUAL(JUDGE(132, "\x22\x04itch" SUBSCRIBE_ONE, "itch"), FRAME_GOOD);
    CHECK_EQUAL(JUDGE(132, "\x22\x04itcg" SUBSCRIBE_ONE, "itch"), FRAME_BAD_IDENTITY);
    CHECK_EQUAL(JUDGE(132, SUBSCRIBE_ONE, "it/ch"), FRAME_BAD_FIELD);
    CHECK_EQUAL(JUDGE(132, SUBSCRIBE_ONE, ""), FRAME_BAD_FIELD);
    CHECK_EQUAL(JUDGE(134, "\xb2\x08\x00", ""), FRAME_BAD_IDENTITY);
}

static void messages_of_another_kind_or_none_are_bad(void)
{
    struct message m;
    char many[4000];
    CHECK_EQUAL(JUDGE(100, VOTE_REPLY_EMPTY, ""), FRAME_BAD_MESSAGE);
    CHECK_EQUAL(JUDGE(101, "", ""), FRAME_BAD_MESSAGE);
    CHECK_EQUAL(JUDGE(101, "\xaa\x06\x05", ""), FRAME_BAD_MESSAGE);
    CHECK_EQUAL(JUDGE(101, "\xff\xff\xff", ""), FRAME_BAD_MESSAGE);
    CHECK_EQUAL(JUDGE(101, "\xf2\x06\x00", ""), FRAME_BAD_MESSAGE); /* 110, reserved */
    for (size_t i = 0; i < sizeof(many); i += 2) {
        memcpy(many + i, "\x38\x01", 2); /* an unknown field, 2,000 times: the scratch area ends first */
    }
    CHECK_EQUAL(judge(101, many, sizeof(many), "", &m), FRAME_BAD_MESSAGE);
}

static void fields_out_of_range_are_bad(void)
{
    struct message m;
#define NEGATIVE "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
#define TWO_62   "\x80\x80\x80\x80\x80\x80\x80\x80\x40"
    CHECK_EQUAL(JUDGE(101, "\xaa\x06\x0b\x08" NEGATIVE, ""), FRAME_BAD_FIELD);
    CHECK_EQUAL(JUDGE(101, "\xaa\x06\x0a\x08" TWO_62, ""), FRAME_BAD_FIELD);
    CHECK_EQUAL(JUDGE(101, "\x08" NEGATIVE VOTE_REPLY_EMPTY, ""), FRAME_BAD_FIELD);
    CHECK_EQUAL(JUDGE(101, "\x08" TWO_62 VOTE_REPLY_EMPTY, ""), FRAME_GOOD);
    CHECK_EQUAL(JUDGE(100, "\xa2\x06\x00", ""), FRAME_BAD_FIELD);         /* candidate 0 */
    CHECK_EQUAL(JUDGE(102, "\xb2\x06\x02\x2a\x00", ""), FRAME_BAD_FIELD); /* an entry outside the tail */
    CHECK_EQUAL(JUDGE(131, "\x9a\x08\x0b\x09\x01\0\0\0\0\0\0\0\x10\x09", ""), FRAME_GOOD);
    CHECK_EQUAL(JUDGE(131, "\x9a\x08\x0b\x09\x01\0\0\0\0\0\0\0\x10\x0a", ""), FRAME_BAD_FIELD); /* status */
    CHECK_EQUAL(JUDGE(131, "\x9a\x08\x0c\x09\x01\0\0\0\0\0\0\0\x10\x80\x02", ""), FRAME_BAD_FIELD);
    CHECK_EQUAL(JUDGE(133, "\xaa\x08\x0b\x09\x01\0\0\0\0\0\0\0\x10\x05", ""), FRAME_BAD_FIELD);
    CHECK_EQUAL(JUDGE(132, "\xa2\x08\x0b\x09\x01\0\0\0\0\0\0\0\x10\x01", "itch"),
                FRAME_BAD_FIELD); /* window */
    CHECK_EQUAL(JUDGE(130, "\x92\x08\x0b\x09\x01\0\0\0\0\0\0\0\x18\x01", "itch"),
                FRAME_BAD_FIELD);                                     /* entries */
    CHECK_EQUAL(JUDGE(130, "\x92\x08\x00", "itch"), FRAME_BAD_FIELD); /* source 0 */
}

struct head_fault {
    uint8_t offset;
    uint8_t value;
    uint8_t verdict; /* enum frame_verdict */
};

static void every_fault_of_the_head_has_its_verdict(void)
{
    static const struct head_fault faults[] = {
        {0, 0, FRAME_BAD_MAGIC},    {2, 2, FRAME_BAD_VERSION},   {3, 99, FRAME_BAD_KIND},
        {3, 110, FRAME_BAD_KIND},   {3, 255, FRAME_BAD_KIND},    {4, 2, FRAME_BAD_LANE},
        {4, 1, FRAME_BAD_LANE},     {5, 1, FRAME_BAD_PART},      {6, 2, FRAME_BAD_PART},
        {7, 1, FRAME_BAD_FLAGS},    {7, 0x80, FRAME_BAD_FLAGS},  {43, 1, FRAME_BAD_FLAGS},
        {45, 1, FRAME_BAD_LENGTH},  {46, 1, FRAME_BAD_LENGTH},   {15, 0x80, FRAME_BAD_FIELD},
        {8, 0, FRAME_BAD_IDENTITY}, {16, 0, FRAME_BAD_IDENTITY}, {24, 0, FRAME_BAD_IDENTITY},
    };
    struct message m;
    size_t frame_bytes = FRAME_HEAD_BYTES + sizeof(VOTE_REPLY_EMPTY) - 1;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        CHECK_EQUAL(JUDGE(101, VOTE_REPLY_EMPTY, ""), FRAME_GOOD);
        space[faults[i].offset] = faults[i].value;
        CHECK_EQUAL(decode(space, frame_bytes, &m), faults[i].verdict);
    }
    CHECK_EQUAL(decode(space, FRAME_HEAD_BYTES - 1, &m), FRAME_SHORT);
    CHECK_EQUAL(decode(space, 0, &m), FRAME_SHORT);
}

/* In a block of exactly the frame's size, so that a sanitizer sees a read past its end. */
static enum frame_verdict decode_copy(const uint8_t *frame, size_t frame_bytes)
{
    struct message m;
    uint8_t *copy = malloc(frame_bytes + (frame_bytes == 0));
    memcpy(copy, frame, frame_bytes);
    enum frame_verdict verdict = decode(copy, frame_bytes, &m);
    free(copy);
    return verdict;
}

static void cut_frames_are_refused(void)
{
    struct prng prng = {2};
    for (size_t i = 0; i < MESSAGE_KIND_COUNT; i++) {
        struct message m;
        size_t frame_bytes;
        random_message(&prng, message_kinds[i], &m);
        const uint8_t *frame = encode(&m, 0, &frame_bytes);
        CHECK_EQUAL(decode_copy(frame, frame_bytes), FRAME_GOOD);
        for (size_t cut = 0; cut < frame_bytes; cut++) {
            CHECK_EQUAL(decode_copy(frame, cut), cut < FRAME_HEAD_BYTES ? FRAME_SHORT : FRAME_BAD_LENGTH);
        }
    }
}

static void flipped_bits_give_a_verdict(void)
{
    struct prng prng = {3};
    unsigned refused = 0;
    for (size_t i = 0; i < MESSAGE_KIND_COUNT; i++) {
        struct message m;
        size_t frame_bytes;
        random_message(&prng, message_kinds[i], &m);
        uint8_t *frame = encode(&m, 0, &frame_bytes);
        for (size_t bit = 0; bit < 8 * frame_bytes; bit++) {
            frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
            enum frame_verdict verdict = decode_copy(frame, frame_bytes);
            CHECK((unsigned)verdict < FRAME_WRONG_RECEIVER);
            CHECK(verdict != FRAME_GOOD || bit >= 24);
            refused += verdict != FRAME_GOOD;
            frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    CHECK(refused > 0);
}

static void verdicts_have_names_of_their_own(void)
{
    for (unsigned i = 0; i < FRAME_VERDICT_COUNT; i++) {
        CHECK(strcmp(frame_verdict_name(i), "unknown") != 0);
        for (unsigned k = 0; k < i; k++) {
            CHECK(strcmp(frame_verdict_name(i), frame_verdict_name(k)) != 0);
        }
    }
}

static const struct test_case cases[] = {
    {"random messages of every kind come back", random_messages_come_back},
    {"a full record fits beside the largest append", a_full_record_fits_beside_the_largest_append},
    {"no message is longer than the bound", no_message_is_longer_than_the_bound},
    {"deliver and publish carry a full entry", deliver_and_publish_carry_a_full_entry},
    {"identities inside must agree with the head", identities_inside_must_agree_with_the_head},
    {"messages of another kind, or none, are bad", messages_of_another_kind_or_none_are_bad},
    {"fields out of range are bad", fields_out_of_range_are_bad},
    {"every fault of the head has its verdict", every_fault_of_the_head_has_its_verdict},
    {"cut frames are refused", cut_frames_are_refused},
    {"flipped bits give a verdict", flipped_bits_give_a_verdict},
    {"verdicts have names of their own", verdicts_have_names_of_their_own},
};

int main(void)
{
    arena_init(&arena);
    codec = frame_codec_create(&arena);
    arena_seal(&arena);
    int status = test_main(cases, sizeof(cases) / sizeof(cases[0]));
    arena_fini(&arena);
    return status;
}
