/* SPDX-License-Identifier: Apache-2.0 */
/* A frame: what one datagram, or one place of a shared-memory ring, carries. docs/wire.md is its description.
 *
 * Head, little-endian, FRAME_HEAD_BYTES = 48:
 *   0  magic          u16  0x4C54 ("TL")
 *   2  version        u8   1
 *   3  kind           u8   enum message_kind
 *   4  lane           u8   0 control, 1 bulk
 *   5  part           u8   of a message longer than a frame: this part, from 0; 0 for now
 *   6  part count     u8   1 for now
 *   7  flags          u8   bit 0: sealed (a 16-byte tag follows); others zero
 *   8  sender         u64  node id; 0 a client
 *  16  receiver       u64  node id; 0 whoever serves the quorum
 *  24  quorum number  u64  0 where the sender does not know it yet: the tail is the quorum's name
 *  32  sequence       u64  per sending core; the nonce's counter once frames are sealed
 *  40  key epoch      u32  0 while insecure
 *  44  message bytes  u16  protobuf part
 *  46  tail bytes     u16  records, publish entries, or text
 *  48  protobuf message, then the tail, then the tag if sealed */
#ifndef TALLY_FRAME_H
#define TALLY_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

#define FRAME_MAGIC      0x4C54
#define FRAME_VERSION    1
#define FRAME_HEAD_BYTES 48
#define FRAME_TAG_BYTES  16
#define FRAME_PORT       26480 /* UDP, unless configured */
/* The protobuf part of any message, at its largest values; of an append, a delivery or a publish that has a
 * tail. */
#define FRAME_MESSAGE_BYTES_MAX 192
#define FRAME_APPEND_BYTES_MAX  64

enum frame_lane { FRAME_CONTROL = 0, FRAME_BULK = 1 };

/* One verdict per cause; each has a counter. */
enum frame_verdict {
    FRAME_GOOD,
    FRAME_SHORT,
    FRAME_BAD_MAGIC,
    FRAME_BAD_VERSION,
    FRAME_BAD_KIND,
    FRAME_BAD_LANE,
    FRAME_BAD_PART,
    FRAME_BAD_FLAGS,      /* sealed without a key, or a flag of a later version */
    FRAME_BAD_LENGTH,     /* lengths and frame size disagree */
    FRAME_BAD_MESSAGE,    /* not a ReplicationWireMessage, or not of the head's kind */
    FRAME_BAD_FIELD,      /* a field out of range: negative id, unknown status, ... */
    FRAME_BAD_IDENTITY,   /* sender, receiver or quorum in the head differ from those inside */
    FRAME_WRONG_RECEIVER, /* not for this node; judged by the caller */
    FRAME_VERDICT_COUNT
};

/* The codec of one core: scratch memory for protobuf, so that nothing comes from the heap. */
struct frame_codec;
struct arena;

struct frame_codec *frame_codec_create(struct arena *arena);

/* Total: any bytes give a verdict. On FRAME_GOOD *ret_message is filled (sender, receiver and quorum from the
 * head) and *ret_tail points into `bytes`; on another verdict *ret_message is undefined and the tail is not
 * set. Let through: terms, indexes, sequences and durations below 2^62, node and message ids below 2^63,
 * known statuses; consensus only between two named nodes in a numbered quorum; a legal name where a client
 * opens with quorum number 0. */
enum frame_verdict frame_decode(struct frame_codec *codec, const uint8_t *bytes, size_t byte_count,
                                struct message *ret_message, const uint8_t **ret_tail,
                                uint32_t *ret_tail_bytes);

/* Writes head and protobuf part so that they END at `tail` (FRAME_HEAD_BYTES + FRAME_MESSAGE_BYTES_MAX of
 * room before it are enough): the tail is already in place, nothing is moved. Returns where the frame begins.
 * The frame is insecure; its size is (tail + tail_bytes) - result. Beside records an append goes without
 * last_sent_index, election_timeout_ns and disk_stall_ns, and its leader is its sender. */
uint8_t *frame_encode_before(struct frame_codec *codec, const struct message *message, uint64_t sequence,
                             uint8_t *tail, uint32_t tail_bytes);

/* Tail bytes that always fit a frame of `frame_bytes_max` beside a message of this kind and a tag. */
uint32_t frame_tail_bytes_max(uint32_t frame_bytes_max, uint8_t kind);

const char *frame_verdict_name(enum frame_verdict verdict);

#endif
