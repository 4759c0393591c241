/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_network.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

void fake_network_init(struct fake_network *network)
{
    memset(network, 0, sizeof(*network));
    network->tail_capacity_bytes = FAKE_FRAME_BYTES;
}

void fake_network_fini(struct fake_network *network)
{
    free(network->messages);
}

static uint8_t *network_begin(void *context, uint64_t node_id, bool bulk, uint32_t *ret_capacity_bytes)
{
    struct fake_network *network = context;
    (void)node_id;
    (void)bulk;
    *ret_capacity_bytes = network->tail_capacity_bytes;
    return network->begin_fails ? NULL : network->frame;
}

struct fake_message *fake_network_add(struct fake_network *network, const struct message *message,
                                      const uint8_t *tail, uint32_t tail_bytes)
{
    ASSERT(tail_bytes <= FAKE_FRAME_BYTES);
    if (network->count == network->capacity) {
        network->capacity = network->capacity == 0 ? 64 : 2 * network->capacity;
        network->messages = realloc(network->messages, network->capacity * sizeof(network->messages[0]));
        ASSERT(network->messages != NULL);
    }
    struct fake_message *added = &network->messages[network->count++];
    added->number = ++network->sent;
    added->message = *message;
    added->tail_bytes = tail_bytes;
    if (tail_bytes > 0) {
        memcpy(added->tail, tail, tail_bytes);
    }
    return added;
}

static void network_send(void *context, uint64_t node_id, const struct message *message, uint32_t tail_bytes)
{
    struct fake_network *network = context;
    ASSERT(node_id == message->receiver_id);
    struct fake_message *added = fake_network_add(network, message, network->frame, tail_bytes);
    if (network->sent_hook != NULL) {
        network->sent_hook(network->sent_context, added);
    }
}

struct host_network fake_network_port(struct fake_network *network)
{
    return (struct host_network){.context = network, .begin = network_begin, .send = network_send};
}

void fake_network_take(struct fake_network *network, uint32_t at, struct fake_message *ret_message)
{
    ASSERT(at < network->count);
    *ret_message = network->messages[at];
    network->count--;
    memmove(&network->messages[at], &network->messages[at + 1],
            (network->count - at) * sizeof(network->messages[0]));
}
