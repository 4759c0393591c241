/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include "arena.h"
#include "bounds.h"
#include "bytes.h"
#include "check.h"
#include "codec.h"
#include "quorum_number.h"
#include "record.h"

/* What one message may take while protobuf-c unpacks it: ours need under 500 bytes; a peer's nonsense
 * (thousands of tiny fields) meets the end of it and is refused. */
#define SCRATCH_BYTES 4096

/* Head of a DATA entry's payload, before its blocks (feed/stream.h). */
#define DATA_HEAD_BYTES 32
/* A full DATA entry as a frame's tail: records are padded to 8 bytes. */
#define DATA_RECORD_BYTES(blocks_bytes) ((RECORD_HEAD_BYTES + DATA_HEAD_BYTES + (blocks_bytes) + 7u) & ~7u)
#define FRAME_BYTES_AROUND              (FRAME_HEAD_BYTES + FRAME_APPEND_BYTES_MAX + FRAME_TAG_BYTES)

_Static_assert(FRAME_BYTES_AROUND + DATA_RECORD_BYTES(DATA_BLOCKS_BYTES_MAX) <= FRAME_BYTES_MAX_1500,
               "a full DATA entry fits one sealed frame on a 1,500-byte link");
_Static_assert(FRAME_BYTES_AROUND + DATA_RECORD_BYTES(DATA_BLOCKS_BYTES_MAX_JUMBO) <= FRAME_BYTES_MAX,
               "and one of the jumbo size on a 9,000-byte link");
_Static_assert(FRAME_BYTES_MAX <= UINT16_MAX, "the head's lengths");

struct frame_codec {
    ProtobufCAllocator allocator;
    size_t used_bytes;
    _Alignas(16) uint8_t scratch[SCRATCH_BYTES];
};

static void *scratch_take(void *context, size_t byte_count)
{
    struct frame_codec *codec = context;
    if (byte_count > SCRATCH_BYTES - codec->used_bytes) {
        return NULL;
    }
    void *taken = codec->scratch + codec->used_bytes;
    codec->used_bytes += align_up(byte_count, 16);
    return taken;
}

static void scratch_give(void *context, void *pointer)
{
    (void)context;
    (void)pointer;
}

struct frame_codec *frame_codec_create(struct arena *arena)
{
    struct frame_codec *codec = ARENA_NEW(arena, struct frame_codec);
    codec->allocator.alloc = scratch_take;
    codec->allocator.free = scratch_give;
    codec->allocator.allocator_data = codec;
    return codec;
}

static bool kind_is_consensus(uint8_t kind)
{
    return kind >= MESSAGE_REQUEST_VOTE && kind <= MESSAGE_PRE_ELECTION_REPLY;
}

static bool kind_is_known(uint8_t kind)
{
    return kind_is_consensus(kind) || (kind >= MESSAGE_PUBLISH && kind <= MESSAGE_DELIVER_REPLY) ||
           kind == MESSAGE_ADMIN || kind == MESSAGE_ADMIN_REPLY;
}

void codec_fill(struct codec_wire *wire, const struct message *message, uint32_t tail_bytes)
{
    tally__replication_wire_message__init(&wire->outer);
    wire->outer.message_id = (int64_t)message->message_id;
    wire->outer.in_reply = message->in_reply != 0;
    wire->outer.incarnation = message->incarnation;
    wire->outer.body_case = (Tally__ReplicationWireMessage__BodyCase)message->kind;
    if (kind_is_consensus(message->kind)) {
        codec_fill_consensus(wire, message, tail_bytes);
    } else {
        codec_fill_client(wire, message);
    }
}

bool codec_read(const Tally__ReplicationWireMessage *outer, struct message *message, uint32_t tail_bytes)
{
    message->message_id = (uint64_t)outer->message_id;
    message->in_reply = outer->in_reply != 0;
    message->incarnation = outer->incarnation;
    if (!codec_id_is_legal(outer->message_id)) {
        return false;
    }
    return kind_is_consensus(message->kind) ? codec_read_consensus(outer, message)
                                            : codec_read_client(outer, message, tail_bytes);
}

/* ---- decoding ---- */

static enum frame_verdict check_head(const uint8_t *bytes, size_t byte_count)
{
    if (byte_count < FRAME_HEAD_BYTES) {
        return FRAME_SHORT;
    }
    if (load_le16(bytes) != FRAME_MAGIC) {
        return FRAME_BAD_MAGIC;
    }
    if (bytes[2] != FRAME_VERSION) {
        return FRAME_BAD_VERSION;
    }
    if (!kind_is_known(bytes[3])) {
        return FRAME_BAD_KIND;
    }
    if (bytes[4] > FRAME_BULK) {
        return FRAME_BAD_LANE;
    }
    if (bytes[5] != 0 || bytes[6] != 1) {
        return FRAME_BAD_PART;
    }
    if (bytes[7] != 0 || load_le32(bytes + 40) != 0) {
        return FRAME_BAD_FLAGS;
    }
    size_t wanted = FRAME_HEAD_BYTES + (size_t)load_le16(bytes + 44) + load_le16(bytes + 46);
    return byte_count == wanted && byte_count <= FRAME_BYTES_MAX ? FRAME_GOOD : FRAME_BAD_LENGTH;
}

/* What the head says of a message before its protobuf part is looked at. */
static void read_head(const uint8_t *bytes, struct message *ret_message)
{
    memset(ret_message, 0, sizeof(*ret_message));
    ret_message->kind = bytes[3];
    ret_message->sender_id = load_le64(bytes + 8);
    ret_message->receiver_id = load_le64(bytes + 16);
    ret_message->quorum_number = load_le64(bytes + 24);
}

/* Consensus is between nodes of a quorum both know; only a client may open a quorum by its name. */
static enum frame_verdict check_identity(const struct message *message, const char *tail, uint32_t tail_bytes)
{
    if ((message->sender_id | message->receiver_id) > INT64_MAX) {
        return FRAME_BAD_FIELD;
    }
    if (kind_is_consensus(message->kind)) {
        bool complete = message->sender_id != 0 && message->receiver_id != 0 && message->quorum_number != 0;
        return complete ? FRAME_GOOD : FRAME_BAD_IDENTITY;
    }
    if (message->quorum_number != 0) {
        return FRAME_GOOD;
    }
    if (message->kind == MESSAGE_DELIVER || message->kind == MESSAGE_DELIVER_REPLY) {
        return FRAME_BAD_IDENTITY;
    }
    bool opens = message->kind == MESSAGE_PUBLISH || message->kind == MESSAGE_SUBSCRIBE;
    return !opens || quorum_name_is_legal(tail, tail_bytes) ? FRAME_GOOD : FRAME_BAD_FIELD;
}

/* Identities inside are not sent by us; where they are present they must agree with the head. A name beside a
 * number cannot be checked here and is refused. */
static bool identity_agrees(const Tally__ReplicationWireMessage *outer, const struct message *message,
                            const uint8_t *tail, uint32_t tail_bytes)
{
    if (outer->sender_id != 0 && (uint64_t)outer->sender_id != message->sender_id) {
        return false;
    }
    if (outer->receiver_id != 0 && (uint64_t)outer->receiver_id != message->receiver_id) {
        return false;
    }
    size_t name_bytes = strlen(outer->quorum_id);
    if (name_bytes == 0) {
        return true;
    }
    return message->quorum_number == 0 && name_bytes == tail_bytes &&
           memcmp(outer->quorum_id, tail, name_bytes) == 0;
}

enum frame_verdict frame_decode(struct frame_codec *codec, const uint8_t *bytes, size_t byte_count,
                                struct message *ret_message, const uint8_t **ret_tail,
                                uint32_t *ret_tail_bytes)
{
    enum frame_verdict verdict = check_head(bytes, byte_count);
    if (verdict != FRAME_GOOD) {
        return verdict;
    }
    uint32_t message_bytes = load_le16(bytes + 44);
    uint32_t tail_bytes = load_le16(bytes + 46);
    const uint8_t *tail = bytes + FRAME_HEAD_BYTES + message_bytes;
    read_head(bytes, ret_message);
    if (bytes[4] != message_is_bulk(ret_message, tail_bytes)) {
        return FRAME_BAD_LANE;
    }
    verdict = check_identity(ret_message, (const char *)tail, tail_bytes);
    if (verdict != FRAME_GOOD) {
        return verdict;
    }
    codec->used_bytes = 0;
    const Tally__ReplicationWireMessage *outer =
        tally__replication_wire_message__unpack(&codec->allocator, message_bytes, bytes + FRAME_HEAD_BYTES);
    if (outer == NULL || (int)outer->body_case != ret_message->kind) {
        return FRAME_BAD_MESSAGE;
    }
    if (!identity_agrees(outer, ret_message, tail, tail_bytes)) {
        return FRAME_BAD_IDENTITY;
    }
    if (!codec_read(outer, ret_message, tail_bytes)) {
        return FRAME_BAD_FIELD;
    }
    *ret_tail = tail;
    *ret_tail_bytes = tail_bytes;
    return FRAME_GOOD;
}

/* ---- encoding ---- */

/* Kinds that carry whole records or entries leave room for the largest one. */
static uint32_t message_bytes_max(uint8_t kind, uint32_t tail_bytes)
{
    bool carries = kind == MESSAGE_APPEND_ENTRIES || kind == MESSAGE_DELIVER || kind == MESSAGE_PUBLISH;
    return carries && tail_bytes > 0 ? FRAME_APPEND_BYTES_MAX : FRAME_MESSAGE_BYTES_MAX;
}

static void write_head(uint8_t *bytes, const struct message *message, uint64_t sequence, size_t message_bytes,
                       uint32_t tail_bytes)
{
    store_le16(bytes, FRAME_MAGIC);
    bytes[2] = FRAME_VERSION;
    bytes[3] = message->kind;
    bytes[4] = message_is_bulk(message, tail_bytes) ? FRAME_BULK : FRAME_CONTROL;
    bytes[5] = 0;
    bytes[6] = 1;
    bytes[7] = 0;
    store_le64(bytes + 8, message->sender_id);
    store_le64(bytes + 16, message->receiver_id);
    store_le64(bytes + 24, message->quorum_number);
    store_le64(bytes + 32, sequence);
    store_le32(bytes + 40, 0);
    store_le16(bytes + 44, (uint16_t)message_bytes);
    store_le16(bytes + 46, (uint16_t)tail_bytes);
}

uint8_t *frame_encode_before(struct frame_codec *codec, const struct message *message, uint64_t sequence,
                             uint8_t *tail, uint32_t tail_bytes)
{
    (void)codec;
    ASSERT(kind_is_known(message->kind));
    ASSERT(tail_bytes <= frame_tail_bytes_max(FRAME_BYTES_MAX, message->kind));
    struct codec_wire wire;
    codec_fill(&wire, message, tail_bytes);
    size_t message_bytes = tally__replication_wire_message__get_packed_size(&wire.outer);
    ASSERT(message_bytes <= message_bytes_max(message->kind, tail_bytes));
    uint8_t *body = tail - message_bytes;
    tally__replication_wire_message__pack(&wire.outer, body);
    uint8_t *frame = body - FRAME_HEAD_BYTES;
    write_head(frame, message, sequence, message_bytes, tail_bytes);
    return frame;
}

uint32_t frame_tail_bytes_max(uint32_t frame_bytes_max, uint8_t kind)
{
    uint32_t around = FRAME_HEAD_BYTES + message_bytes_max(kind, 1) + FRAME_TAG_BYTES;
    return frame_bytes_max > around ? frame_bytes_max - around : 0;
}

const char *frame_verdict_name(enum frame_verdict verdict)
{
    switch (verdict) {
    case FRAME_GOOD:
        return "good";
    case FRAME_SHORT:
        return "short";
    case FRAME_BAD_MAGIC:
        return "bad magic";
    case FRAME_BAD_VERSION:
        return "bad version";
    case FRAME_BAD_KIND:
        return "bad kind";
    case FRAME_BAD_LANE:
        return "bad lane";
    case FRAME_BAD_PART:
        return "bad part";
    case FRAME_BAD_FLAGS:
        return "bad flags";
    case FRAME_BAD_LENGTH:
        return "bad length";
    case FRAME_BAD_MESSAGE:
        return "bad message";
    case FRAME_BAD_FIELD:
        return "bad field";
    case FRAME_BAD_IDENTITY:
        return "bad identity";
    case FRAME_WRONG_RECEIVER:
        return "wrong receiver";
    case FRAME_VERDICT_COUNT:
        break;
    }
    return "unknown";
}
