/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between hosts, kept in the order of sending until the test delivers or drops them. */
#ifndef TALLY_FAKE_NETWORK_H
#define TALLY_FAKE_NETWORK_H

#include "host.h"

#define FAKE_FRAME_BYTES 4096

struct fake_message {
    uint64_t number; /* of the send, from 1 */
    struct message message;
    uint32_t tail_bytes;
    uint8_t tail[FAKE_FRAME_BYTES];
};

struct fake_network {
    struct fake_message *messages; /* not yet delivered */
    uint32_t count;
    uint32_t capacity;
    uint64_t sent; /* in all */
    uint32_t tail_capacity_bytes;
    bool begin_fails;
    uint8_t frame[FAKE_FRAME_BYTES];
    /* Called at each send, or NULL. */
    void (*sent_hook)(void *context, const struct fake_message *message);
    void *sent_context;
};

void fake_network_init(struct fake_network *network);
void fake_network_fini(struct fake_network *network);
struct host_network fake_network_port(struct fake_network *network);
/* Takes messages[at] out. */
void fake_network_take(struct fake_network *network, uint32_t at, struct fake_message *ret_message);
/* Adds one as if it had been sent. */
struct fake_message *fake_network_add(struct fake_network *network, const struct message *message,
                                      const uint8_t *tail, uint32_t tail_bytes);

#endif
