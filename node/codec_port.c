/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_port.h"

#include "frame.h"

struct codec_port {
    struct frame_codec *codec;
    uint64_t node_id;
    const struct routes *routes;
};

_Static_assert(FRAME_VERDICT_COUNT <= 32, "the dataplane counts 32 verdicts");

struct codec_port *codec_port_create(struct arena *arena, uint64_t node_id, const struct routes *routes)
{
    struct codec_port *port = ARENA_NEW(arena, struct codec_port);
    port->codec = frame_codec_create(arena);
    port->node_id = node_id;
    port->routes = routes;
    return port;
}

static unsigned route(const struct codec_port *port, const struct message *message, const uint8_t *tail,
                      uint32_t tail_bytes)
{
    if (message->kind == MESSAGE_ADMIN || message->kind == MESSAGE_ADMIN_REPLY) {
        return CONSENSUS_CORES_MAX;
    }
    uint64_t key = message->quorum_number ? message->quorum_number : route_key_of_name(tail, tail_bytes);
    return routes_find(port->routes, key);
}

static unsigned decode(void *context, const uint8_t *bytes, uint32_t byte_count, void *ret_message,
                       const uint8_t **ret_tail, uint32_t *ret_tail_bytes, uint8_t *ret_lane,
                       uint64_t *ret_node_id, unsigned *ret_consensus_core)
{
    struct codec_port *port = context;
    struct message *message = ret_message;
    enum frame_verdict verdict =
        frame_decode(port->codec, bytes, byte_count, message, ret_tail, ret_tail_bytes);
    if (verdict != FRAME_GOOD) {
        return verdict;
    }
    if (message->receiver_id != 0 && message->receiver_id != port->node_id) {
        return FRAME_WRONG_RECEIVER;
    }
    *ret_lane = message_is_bulk(message, *ret_tail_bytes) ? FRAME_BULK : FRAME_CONTROL;
    *ret_node_id = message->sender_id;
    *ret_consensus_core = route(port, message, *ret_tail, *ret_tail_bytes);
    return FRAME_GOOD;
}

static uint8_t *encode(void *context, const void *message, uint64_t sequence, uint8_t *tail,
                       uint32_t tail_bytes)
{
    struct codec_port *port = context;
    return frame_encode_before(port->codec, message, sequence, tail, tail_bytes);
}

static const char *verdict_name(unsigned verdict)
{
    return frame_verdict_name((enum frame_verdict)verdict);
}

struct frame_codec_port codec_port_functions(void)
{
    return (struct frame_codec_port){
        .private_bytes = sizeof(struct message),
        .head_bytes_max = FRAME_HEAD_BYTES + FRAME_MESSAGE_BYTES_MAX,
        .decode = decode,
        .encode = encode,
        .verdict_count = FRAME_VERDICT_COUNT,
        .verdict_name = verdict_name,
    };
}
