/* SPDX-License-Identifier: Apache-2.0 */
/* The subscribing half of a client: one subscription, committed records in order, each once. A frame that
 * does not continue what arrived is not kept: the node is told from where to send again. */
#ifndef TALLY_SUBSCRIPTION_H
#define TALLY_SUBSCRIPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "message.h"
#include "tally.h"

/* Unacknowledged record bytes a node may have on the way; an acknowledgement leaves every quarter. */
#define SUBSCRIPTION_WINDOW_BYTES (256u << 10)
/* An acknowledgement owed waits at most this long for more to acknowledge. */
#define SUBSCRIPTION_ACKNOWLEDGE_NS 1000000ull
/* A node is taken for lost after so many retry times without a frame (it sends one every 50 ms at least). */
#define SUBSCRIPTION_SILENT_RETRIES 10
/* SUBSCRIBE unanswered so many times: another node. */
#define SUBSCRIPTION_ASK_COUNT 3

enum subscription_state { SUBSCRIPTION_NONE, SUBSCRIPTION_ASKING, SUBSCRIPTION_RUNNING };

struct subscription {
    enum subscription_state state;
    bool any_node; /* may move */
    bool acknowledge_due;
    enum tally_status problem; /* the last one told; OK: it is over */
    uint64_t id;
    uint32_t node;
    uint32_t generation; /* of its connection */
    uint32_t ask_count;
    uint32_t silent_count; /* nodes in a row that could not be reached or gave no answer */
    uint32_t unacknowledged_bytes;
    uint64_t ask_due_ns;
    uint64_t heard_ns;
    uint64_t acknowledged_ns;
    uint64_t next_index;
    uint64_t gap_index; /* the node was told that this is missing ... */
    uint64_t gap_ns;    /* ... then */
};

struct tally_client;

unsigned subscription_poll(struct tally_client *client);
unsigned subscription_receive_reply(struct tally_client *client, uint32_t node,
                                    const struct message *message);
unsigned subscription_receive_records(struct tally_client *client, uint32_t node,
                                      const struct message *message, const uint8_t *tail,
                                      uint32_t tail_bytes);
uint64_t subscription_deadline_ns(const struct tally_client *client);
/* Says goodbye, so that the node need not find out. */
void subscription_stop(struct tally_client *client);

#endif
