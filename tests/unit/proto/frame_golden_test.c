/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of one frame of each kind, written down: they change only with the frame's version. Bodies hold
 * 1, 2, 3,
 * ... in the order of their u64 fields, so that two fields that change places are noticed. */
#include "frame.h"

#include "arena.h"
#include "bounds.h"
#include "message.h"
#include "test.h"

struct golden {
    uint8_t kind;
    uint8_t words; /* u64 fields of the body */
    const char *tail;
    const char *hex; /* lane to flags, lengths, protobuf part: what differs between kinds */
};

static const struct golden goldens[] = {
    {100, 4, "", "64000001001700000008ac023100ffeeddccbbaa99a206080801100218032004"},
    {101, 1, "", "65000001001700000008ac0228013100ffeeddccbbaa99aa0606080110011801"},
    {102, 8, "", "66000001001d00000008ac023100ffeeddccbbaa99b2060e0801180320043005380640074808"},
    {102, 5, "records", "66010001001700070008ac023100ffeeddccbbaa99b206080801180320043005"},
    {103, 7, "", "67000001001f00000008ac0228013100ffeeddccbbaa99ba060e0801100118032004280530063807"},
    {104, 4, "", "68000001001700000008ac023100ffeeddccbbaa99c206080801100218032004"},
    {105, 1, "", "69000001001700000008ac0228013100ffeeddccbbaa99ca0606080110011801"},
    {130, 2, "", "82000001001a00000008ac023100ffeeddccbbaa9992080b0901000000000000001002"},
    {131, 11, "",
     "83000001002e00000008ac0228013100ffeeddccbbaa999a081d090100000000000000100218032004280530063807400848095"
     "00a580b"},
    {132, 2, "", "84000001002000000008ac023100ffeeddccbbaa99a208110901000000000000001002188080042001"},
    {133, 4, "", "85000001002000000008ac0228013100ffeeddccbbaa99aa080f090100000000000000100218032004"},
    {134, 3, "", "86000001001c00000008ac023100ffeeddccbbaa99b2080d09010000000000000010021803"},
    {135, 2, "", "87000001002000000008ac0228013100ffeeddccbbaa99ba080f090100000000000000100218012001"},
    {140, 1, "text", "8c000001001800040008ac023100ffeeddccbbaa99e20809090100000000000000"},
    {141, 1, "text", "8d000001001c00040008ac0228013100ffeeddccbbaa99ea080b0901000000000000001002"},
};

static struct arena arena;
static struct frame_codec *codec;

static struct message golden_message(const struct golden *golden)
{
    struct message m = {.kind = golden->kind, .message_id = 300, .sender_id = 5, .receiver_id = 6};
    m.in_reply = golden->kind % 2;
    m.quorum_number = 0x1122334455667788;
    m.incarnation = 0x99AABBCCDDEEFF00;
    uint64_t *words = &m.request_vote.term;
    for (uint64_t i = 0; i < golden->words; i++) {
        words[i] = i + 1;
    }
    if (golden->kind == MESSAGE_APPEND_ENTRIES) {
        m.append_entries.leader_id = 5;
    } else if (golden->kind == MESSAGE_REQUEST_VOTE_REPLY || golden->kind == MESSAGE_PRE_ELECTION_REPLY) {
        m.request_vote_reply.granted = 1;
        m.request_vote_reply.removed = 1;
    } else if (golden->kind == MESSAGE_APPEND_ENTRIES_REPLY) {
        m.append_entries_reply.success = 1;
    } else if (golden->kind == MESSAGE_SUBSCRIBE) {
        m.subscribe.window_bytes = 65536;
        m.subscribe.replicated = 1;
    } else if (golden->kind == MESSAGE_DELIVER_REPLY) {
        m.deliver_reply.resend = 1;
        m.deliver_reply.stop = 1;
    } else if (golden->kind == MESSAGE_ADMIN_REPLY) {
        m.admin.status = 2;
    }
    return m;
}

static void hex_of(const uint8_t *bytes, size_t byte_count, char *ret_text)
{
    for (size_t i = 0; i < byte_count; i++) {
        sprintf(ret_text + 2 * i, "%02x", bytes[i]);
    }
}

/* magic, version; sender, receiver, quorum, sequence, key epoch: the same in all. */
static const char head_start[] = "544c01";
static const char head_middle[] = "0500000000000000060000000000000088776655443322110807060504030201"
                                  "00000000";

static void the_bytes_of_every_kind_are_fixed(void)
{
    for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++) {
        struct message m = golden_message(&goldens[i]);
        uint8_t space[400];
        char text[801];
        char expected[801];
        uint32_t tail_bytes = (uint32_t)strlen(goldens[i].tail);
        memcpy(space + 300, goldens[i].tail, tail_bytes);
        const uint8_t *frame = frame_encode_before(codec, &m, 0x0102030405060708, space + 300, tail_bytes);
        hex_of(frame, (size_t)(space + 300 - frame), text);
        snprintf(expected, sizeof(expected), "%s%.10s%s%s", head_start, goldens[i].hex, head_middle,
                 goldens[i].hex + 10);
        CHECK_STRING(text, expected);
        struct message got;
        const uint8_t *tail;
        CHECK_EQUAL(
            frame_decode(codec, frame, (size_t)(space + 300 + tail_bytes - frame), &got, &tail, &tail_bytes),
            FRAME_GOOD);
        CHECK_BYTES(&got, &m, sizeof(m));
        CHECK_BYTES(tail, goldens[i].tail, tail_bytes);
    }
}

static const struct test_case cases[] = {
    {"the bytes of every kind are fixed", the_bytes_of_every_kind_are_fixed},
};

int main(void)
{
    arena_init(&arena);
    codec = frame_codec_create(&arena);
    int status = test_main(cases, sizeof(cases) / sizeof(cases[0]));
    arena_fini(&arena);
    return status;
}
