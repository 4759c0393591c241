/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a frame: a verdict, or a message that encodes to a frame that decodes to the same message. */
#include <string.h>

#include "arena.h"
#include "bounds.h"
#include "check.h"
#include "frame.h"
#include "message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count);

static struct frame_codec *codec_of_process(void)
{
    static struct arena arena;
    static struct frame_codec *codec;
    if (codec == NULL) {
        arena_init(&arena);
        codec = frame_codec_create(&arena);
    }
    return codec;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count)
{
    static uint8_t space[FRAME_HEAD_BYTES + FRAME_MESSAGE_BYTES_MAX + FRAME_BYTES_MAX];
    struct frame_codec *codec = codec_of_process();
    struct message message;
    struct message again;
    const uint8_t *tail;
    uint32_t tail_bytes;
    if (frame_decode(codec, bytes, byte_count, &message, &tail, &tail_bytes) != FRAME_GOOD) {
        return 0;
    }
    ASSERT(tail + tail_bytes == bytes + byte_count);
    /* An append that comes with records and more than we put beside them is not one we would send. */
    if (message.kind == MESSAGE_APPEND_ENTRIES && tail_bytes > 0) {
        message.append_entries.leader_id = message.sender_id;
        message.append_entries.last_sent_index = 0;
        message.append_entries.election_timeout_ns = 0;
        message.append_entries.disk_stall_ns = 0;
    }
    if (tail_bytes > frame_tail_bytes_max(FRAME_BYTES_MAX, message.kind)) {
        return 0;
    }
    uint8_t *place = space + FRAME_HEAD_BYTES + FRAME_MESSAGE_BYTES_MAX;
    memcpy(place, tail, tail_bytes);
    uint8_t *frame = frame_encode_before(codec, &message, 1, place, tail_bytes);
    size_t frame_bytes = (size_t)(place + tail_bytes - frame);
    ASSERT(frame_decode(codec, frame, frame_bytes, &again, &tail, &tail_bytes) == FRAME_GOOD);
    ASSERT(memcmp(&again, &message, sizeof(message)) == 0);
    return 0;
}
