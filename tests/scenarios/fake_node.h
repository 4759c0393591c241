/* SPDX-License-Identifier: Apache-2.0 */
/* A node of a test: the shipped host with one quorum, on a fake log and a fake network. */
#ifndef TALLY_FAKE_NODE_H
#define TALLY_FAKE_NODE_H

#include "arena.h"
#include "fake_log.h"
#include "fake_network.h"

#define FAKE_QUORUM        0x51u
#define FAKE_LOG_BYTES     (8u << 20)
#define FAKE_TIMEOUT_NS    150000000u
#define FAKE_HEARTBEAT_NS  30000000u
#define FAKE_RETRANSMIT_NS 20000000u

struct fake_node {
    uint64_t node_id;
    uint64_t incarnation;
    bool up;
    struct arena arena;
    struct host *host;
    uint32_t slot;
    struct fake_log log;
    struct fake_network *network;
    struct host_listener listener;
};

void fake_node_init(struct fake_node *node, uint64_t node_id, struct fake_network *network,
                    const struct host_listener *listener);
void fake_node_fini(struct fake_node *node);
/* Recovers from its log and starts. */
void fake_node_start(struct fake_node *node, uint64_t now_ns);
void fake_node_stop(struct fake_node *node);
enum host_verdict fake_node_deliver(struct fake_node *node, const struct fake_message *message,
                                    uint64_t now_ns);
const struct replicator *fake_node_replicator(const struct fake_node *node);
/* Submits `count` DATA entries with a text of their own. */
enum replicator_refusal fake_node_submit(struct fake_node *node, uint32_t count, uint64_t now_ns,
                                         struct host_receipt *ret_receipt, int *ret_error);

#endif
