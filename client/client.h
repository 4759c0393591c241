/* SPDX-License-Identifier: Apache-2.0 */
/* Inside libtally: the client and what its parts ask of it. */
#ifndef TALLY_CLIENT_H
#define TALLY_CLIENT_H

#include "arena.h"
#include "frame.h"
#include "message.h"
#include "publishing.h"
#include "subscription.h"
#include "tally.h"
#include "transport.h"

#define CLIENT_NO_NODE UINT32_MAX
/* Room before the tail of an outgoing frame for head and message. */
#define CLIENT_HEAD_ROOM (FRAME_HEAD_BYTES + FRAME_MESSAGE_BYTES_MAX)

struct client_node {
    uint64_t node_id;
    uint64_t sequence; /* of frames to it */
    struct transport *transport;
};

/* What a test replaces. NULL members: the machine's own. */
struct client_hooks {
    void *context;
    uint64_t (*now_ns)(void *context);
    struct transport *(*transport_create)(void *context, struct arena *arena,
                                          const struct tally_endpoint *endpoint);
};

struct tally_client {
    struct arena arena;
    struct client_hooks hooks;
    struct frame_codec *codec;
    tally_event_fn *on_event;
    void *event_context;
    char quorum[QUORUM_NAME_BYTES_MAX + 1];
    uint64_t quorum_number; /* 0: not known yet */
    uint64_t retry_ns;
    uint64_t give_up_ns; /* 0: never */
    uint64_t now_ns;     /* at the last look at the clock */
    uint64_t message_id; /* of the last message sent */
    uint32_t blocks_bytes_max;
    uint32_t node_count;
    bool is_polling;
    uint64_t verdict_count[FRAME_VERDICT_COUNT];
    struct client_node nodes[TALLY_NODES_MAX];
    struct publishing publishing;
    struct subscription subscription;
    uint8_t frame_in[FRAME_BYTES_MAX];
    uint8_t frame_out[CLIENT_HEAD_ROOM + FRAME_BYTES_MAX];
};

struct tally_client *client_open(const struct tally_options *options, const struct client_hooks *hooks,
                                 tally_event_fn *on_event, void *context, char *error_text);

/* The position of a node, CLIENT_NO_NODE for one that is no endpoint. */
uint32_t client_find_node(const struct tally_client *client, uint64_t node_id);

/* True when frames can go to that node now. */
bool client_connect(struct tally_client *client, uint32_t node);

static inline uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static inline uint64_t later(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

/* Where the tail of the next frame goes. */
static inline uint8_t *client_tail(struct tally_client *client)
{
    return client->frame_out + CLIENT_HEAD_ROOM;
}

/* Sends `message` (kind and body; the rest is filled in) with `tail_bytes` of client_tail. While the quorum's
 * number is not known its name becomes the tail, which must be empty then. False: no room now. */
bool client_send(struct tally_client *client, uint32_t node, struct message *message, uint32_t tail_bytes);

void client_tell(struct tally_client *client, const struct tally_event *event);
/* PROBLEM, once until another one or until it is over (TALLY_OK); `last` is the last one told. */
void client_tell_problem(struct tally_client *client, enum tally_status *last,
                         const struct tally_event *problem);

#endif
