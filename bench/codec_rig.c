/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_rig.h"

#include <stdlib.h>

#include "arena.h"
#include "check.h"
#include "frame.h"

#define RIG_QUORUM   0x1234567890abcdefu
#define RIG_INDEX    123456789u
#define HEAD_ROOM    (FRAME_HEAD_BYTES + FRAME_MESSAGE_BYTES_MAX)
#define RECORD_BYTES 312 /* a record of 256 bytes of payload and its heads */

struct codec_rig {
    struct arena arena;
    struct frame_codec *codec;
    struct message messages[CODEC_RIG_KIND_COUNT];
    struct message decoded;
    uint8_t *frames[CODEC_RIG_KIND_COUNT];
    uint32_t tail_bytes[CODEC_RIG_KIND_COUNT];
    uint8_t buffers[CODEC_RIG_KIND_COUNT][HEAD_ROOM + FRAME_BYTES_MAX];
    uint8_t scratch[HEAD_ROOM + FRAME_BYTES_MAX];
    uint64_t sequence;
};

static struct message message_between(uint8_t kind, uint64_t sender_id, uint64_t receiver_id)
{
    return (struct message){.kind = kind,
                            .message_id = 1700000000000000000u,
                            .sender_id = sender_id,
                            .receiver_id = receiver_id,
                            .quorum_number = RIG_QUORUM,
                            .incarnation = 0xfedcba987654321u};
}

static void fill_messages(struct codec_rig *rig)
{
    struct message append = message_between(MESSAGE_APPEND_ENTRIES, 1, 2);
    append.append_entries = (struct append_entries){.term = 7,
                                                    .leader_id = 1,
                                                    .prev_log_index = RIG_INDEX,
                                                    .prev_log_term = 7,
                                                    .commit_index = RIG_INDEX - 64};
    struct message reply = message_between(MESSAGE_APPEND_ENTRIES_REPLY, 2, 1);
    reply.in_reply = 1;
    reply.append_entries_reply = (struct append_entries_reply){
        .term = 7, .success = 1, .received_index = RIG_INDEX + 4, .durable_index = RIG_INDEX};
    struct message publish = message_between(MESSAGE_PUBLISH, 0, 1);
    publish.incarnation = 0;
    publish.publish = (struct publish){.source_id = 99, .first_source_sequence = RIG_INDEX, .entry_count = 4};
    rig->messages[CODEC_RIG_APPEND] = append;
    rig->messages[CODEC_RIG_APPEND_REPLY] = reply;
    rig->messages[CODEC_RIG_PUBLISH] = publish;
    rig->tail_bytes[CODEC_RIG_APPEND] = 4 * RECORD_BYTES;
    rig->tail_bytes[CODEC_RIG_PUBLISH] = 4 * (4 + 256);
}

struct codec_rig *codec_rig_create(void)
{
    struct codec_rig *rig = calloc(1, sizeof(*rig));
    ASSERT(rig != NULL);
    arena_init(&rig->arena);
    rig->codec = frame_codec_create(&rig->arena);
    fill_messages(rig);
    for (int kind = 0; kind < CODEC_RIG_KIND_COUNT; kind++) {
        rig->frames[kind] = frame_encode_before(rig->codec, &rig->messages[kind], ++rig->sequence,
                                                rig->buffers[kind] + HEAD_ROOM, rig->tail_bytes[kind]);
        codec_rig_decode(rig, (enum codec_rig_kind)kind);
    }
    return rig;
}

void codec_rig_destroy(struct codec_rig *rig)
{
    arena_fini(&rig->arena);
    free(rig);
}

void codec_rig_encode(struct codec_rig *rig, enum codec_rig_kind kind)
{
    frame_encode_before(rig->codec, &rig->messages[kind], ++rig->sequence, rig->scratch + HEAD_ROOM,
                        rig->tail_bytes[kind]);
}

void codec_rig_decode(struct codec_rig *rig, enum codec_rig_kind kind)
{
    const uint8_t *tail;
    uint32_t tail_bytes;
    const uint8_t *end = rig->buffers[kind] + HEAD_ROOM + rig->tail_bytes[kind];
    enum frame_verdict verdict = frame_decode(
        rig->codec, rig->frames[kind], (size_t)(end - rig->frames[kind]), &rig->decoded, &tail, &tail_bytes);
    ASSERT(verdict == FRAME_GOOD);
    ASSERT(tail_bytes == rig->tail_bytes[kind]);
}
