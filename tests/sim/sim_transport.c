/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_transport.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sim.h"
#include "sim_network.h"

/* Entries sent and not yet logged over a way that may lose them; as over UDP. */
#define DATAGRAM_WINDOW_BYTES (64u << 10)
/* Places of a shared-memory ring. */
#define ARRIVED_COUNT_MAX 512

static struct sim_transport *transport_of(struct transport *transport)
{
    return (struct sim_transport *)transport; /* port is its first member */
}

static bool transport_connect(struct transport *transport, uint64_t now_ns)
{
    struct sim_transport *own = transport_of(transport);
    const struct sim *sim = own->client->sim;
    const struct sim_node *node = &sim->nodes[own->node];
    (void)now_ns;
    if (!sim->options.connected) {
        transport->is_open = true;
        return true;
    }
    if (node->is_running && node->life != own->node_life) {
        own->node_life = node->life;
        transport->generation++;
    }
    transport->is_open = node->is_running;
    return node->is_running;
}

static bool transport_send(struct transport *transport, enum frame_lane lane, const uint8_t *frame,
                           uint32_t frame_bytes)
{
    struct sim_transport *own = transport_of(transport);
    const struct sim_client *client = own->client;
    (void)lane;
    if (!transport->is_open) {
        return false;
    }
    struct sim_route route = {.from = sim_endpoint_of_client(client->index),
                              .to = own->node,
                              .from_life = client->life,
                              .to_life = client->sim->options.connected ? own->node_life : 0};
    sim_network_send(client->sim, &route, frame, frame_bytes);
    return true;
}

static uint32_t transport_receive(struct transport *transport, uint8_t *frame, uint32_t capacity)
{
    struct sim_lane *arrived = &transport_of(transport)->arrived;
    struct sim_frame *first = arrived->first;
    if (!first) {
        return 0;
    }
    uint32_t byte_count = first->byte_count;
    ASSERT(byte_count <= capacity);
    memcpy(frame, first->bytes, byte_count);
    arrived->first = first->next;
    arrived->count--;
    free(first);
    return byte_count;
}

static uint32_t transport_prepare_wait(struct transport *transport, struct pollfd *fds, bool *ret_ready)
{
    (void)transport;
    (void)fds;
    (void)ret_ready;
    return 0;
}

static void transport_finish_wait(struct transport *transport)
{
    (void)transport;
}

static void transport_close(struct transport *transport)
{
    transport->is_open = false;
}

static const struct transport_operations operations = {
    .connect = transport_connect,
    .send = transport_send,
    .receive = transport_receive,
    .prepare_wait = transport_prepare_wait,
    .finish_wait = transport_finish_wait,
    .close = transport_close,
};

struct transport *sim_transport_create(void *context, struct arena *arena,
                                       const struct tally_endpoint *endpoint)
{
    struct sim_client *client = context;
    const struct sim_options *options = &client->sim->options;
    struct sim_transport *transport = &client->transports[endpoint->node_id - 1];
    (void)arena;
    *transport = (struct sim_transport){
        .port = {.operations = &operations,
                 .frame_bytes_max = options->frame_bytes_max,
                 .window_bytes = options->connected ? UINT32_MAX : DATAGRAM_WINDOW_BYTES},
        .client = client,
        .node = (uint32_t)endpoint->node_id - 1,
    };
    return &transport->port;
}

void sim_transport_clear(struct sim_transport *transport)
{
    while (transport->arrived.first) {
        struct sim_frame *next = transport->arrived.first->next;
        free(transport->arrived.first);
        transport->arrived.first = next;
    }
    transport->arrived = (struct sim_lane){0};
}

void sim_client_receive(struct sim_client *client, struct sim_frame *frame)
{
    struct sim_transport *transport = &client->transports[frame->from];
    struct sim_lane *arrived = &transport->arrived;
    if (!client->is_running || frame->byte_count == 0 || arrived->count == ARRIVED_COUNT_MAX) {
        sim_trace(client->sim, TRACE_DROP, frame->to, frame->from, frame->byte_count, 3);
        free(frame);
        return;
    }
    frame->next = NULL;
    if (arrived->first) {
        arrived->last->next = frame;
    } else {
        arrived->first = frame;
    }
    arrived->last = frame;
    arrived->count++;
    sim_client_wake(client, client->sim->now_ns + MICROSECOND);
}
