/* SPDX-License-Identifier: Apache-2.0 */
/* A codec of a few lines for the dataplane's tests. */
#ifndef TALLY_DATAPLANE_RIG_CODEC_H
#define TALLY_DATAPLANE_RIG_CODEC_H

#include <string.h>

#include "bytes.h"
#include "dataplane.h"

#define RIG_HEAD_BYTES 24
#define RIG_TO_CONTROL CONSENSUS_CORES_MAX

enum rig_verdict { RIG_GOOD, RIG_SHORT, RIG_BAD_MAGIC, RIG_VERDICT_COUNT };

/* Frame: 'R', lane, consensus core, 0, u32 tail bytes, u64 node id, u64 number, tail. */
struct rig_message {
    uint8_t lane;
    uint8_t consensus_core;
    uint64_t node_id;
    uint64_t number;
};

static inline unsigned rig_decode(void *context, const uint8_t *bytes, uint32_t byte_count, void *ret_message,
                                  const uint8_t **ret_tail, uint32_t *ret_tail_bytes, uint8_t *ret_lane,
                                  uint64_t *ret_node_id, unsigned *ret_consensus_core)
{
    (void)context;
    if (byte_count < RIG_HEAD_BYTES || load_le32(bytes + 4) != byte_count - RIG_HEAD_BYTES) {
        return RIG_SHORT;
    }
    if (bytes[0] != 'R' || bytes[1] > 1) {
        return RIG_BAD_MAGIC;
    }
    struct rig_message message = {.lane = bytes[1],
                                  .consensus_core = bytes[2],
                                  .node_id = load_le64(bytes + 8),
                                  .number = load_le64(bytes + 16)};
    memcpy(ret_message, &message, sizeof(message));
    *ret_tail = bytes + RIG_HEAD_BYTES;
    *ret_tail_bytes = byte_count - RIG_HEAD_BYTES;
    *ret_lane = message.lane;
    *ret_node_id = message.node_id;
    *ret_consensus_core = message.consensus_core;
    return RIG_GOOD;
}

static inline uint8_t *rig_encode(void *context, const void *message, uint64_t sequence, uint8_t *tail,
                                  uint32_t tail_bytes)
{
    (void)context;
    (void)sequence;
    const struct rig_message *fields = message;
    uint8_t *frame = tail - RIG_HEAD_BYTES;
    frame[0] = 'R';
    frame[1] = fields->lane;
    frame[2] = fields->consensus_core;
    frame[3] = 0;
    store_le32(frame + 4, tail_bytes);
    store_le64(frame + 8, fields->node_id);
    store_le64(frame + 16, fields->number);
    return frame;
}

static inline const char *rig_verdict_name(unsigned verdict)
{
    static const char *const names[RIG_VERDICT_COUNT] = {"good", "short", "bad magic"};
    return names[verdict];
}

static const struct frame_codec_port rig_codec = {
    .private_bytes = sizeof(struct rig_message),
    .head_bytes_max = RIG_HEAD_BYTES,
    .decode = rig_decode,
    .encode = rig_encode,
    .verdict_count = RIG_VERDICT_COUNT,
    .verdict_name = rig_verdict_name,
};

#endif
