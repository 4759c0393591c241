/* SPDX-License-Identifier: Apache-2.0 */
/* The host's network is the engine's port; heartbeats, votes and acknowledgements take the control lane. */
#include "engine_internal.h"

static uint8_t *network_begin(void *context, uint64_t node_id, bool bulk, uint32_t *ret_capacity_bytes)
{
    struct engine *engine = context;
    const struct engine_port *port = &engine->options.port;
    return port->begin(port->context, node_id, NULL, bulk, ret_capacity_bytes);
}

static void network_send(void *context, uint64_t node_id, const struct message *message, uint32_t tail_bytes)
{
    struct engine *engine = context;
    const struct engine_port *port = &engine->options.port;
    (void)node_id; /* it is the message's receiver */
    port->send(port->context, message, tail_bytes);
}

struct host_network engine_network_port(struct engine *engine)
{
    return (struct host_network){.context = engine, .begin = network_begin, .send = network_send};
}
