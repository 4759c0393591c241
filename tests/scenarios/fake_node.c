/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_node.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

void fake_node_init(struct fake_node *node, uint64_t node_id, struct fake_network *network,
                    const struct host_listener *listener)
{
    memset(node, 0, sizeof(*node));
    node->node_id = node_id;
    node->incarnation = 100 + node_id;
    node->network = network;
    node->listener = *listener;
    fake_log_init(&node->log, FAKE_LOG_BYTES);
}

void fake_node_fini(struct fake_node *node)
{
    fake_node_stop(node);
    fake_log_fini(&node->log);
}

static uint64_t wall_ns(void *context)
{
    (void)context;
    return 1000;
}

void fake_node_start(struct fake_node *node, uint64_t now_ns)
{
    static struct fake_recovery recovery;
    ASSERT(!node->up);
    const struct host_options options = {
        .quorum_count_max = 1,
        .node_id = node->node_id,
        .incarnation = node->incarnation,
        .election_timeout_ns = FAKE_TIMEOUT_NS,
        .heartbeat_interval_ns = FAKE_HEARTBEAT_NS,
        .retransmit_timeout_ns = FAKE_RETRANSMIT_NS,
        .disk_stall_limit_ns = 2 * FAKE_TIMEOUT_NS,
        .random_seed = 1,
        .log = fake_log_port(&node->log),
        .network = fake_network_port(node->network),
        .listener = node->listener,
        .wall_ns = wall_ns,
        .check_steps = true,
    };
    arena_init(&node->arena);
    node->log.error = 0;
    node->host = host_create(&node->arena, &options);
    fake_log_recover(&node->log, FAKE_QUORUM, &recovery);
    node->slot =
        host_open_quorum(node->host, FAKE_QUORUM, &recovery.restart, recovery.last_log_time_ns, now_ns);
    for (uint32_t i = 0; i < recovery.peer_count; i++) {
        host_restore_peer(node->host, node->slot, recovery.peers[i].node_id, recovery.peers[i].incarnation);
    }
    node->up = true;
}

void fake_node_stop(struct fake_node *node)
{
    if (node->up) {
        arena_fini(&node->arena);
        node->host = NULL;
        node->up = false;
    }
}

enum host_verdict fake_node_deliver(struct fake_node *node, const struct fake_message *message,
                                    uint64_t now_ns)
{
    return host_receive(node->host, node->slot, &message->message, message->tail, message->tail_bytes,
                        now_ns);
}

const struct replicator *fake_node_replicator(const struct fake_node *node)
{
    return host_replicator(node->host, node->slot);
}

enum replicator_refusal fake_node_submit(struct fake_node *node, uint32_t count, uint64_t now_ns,
                                         struct host_receipt *ret_receipt, int *ret_error)
{
    struct host_entry entries[64];
    char texts[64][32];
    ASSERT(count <= 64);
    for (uint32_t i = 0; i < count; i++) {
        int bytes = snprintf(texts[i], sizeof(texts[i]), "from %u", (unsigned)node->node_id);
        entries[i] = (struct host_entry){.type = RECORD_DATA,
                                         .body = (const uint8_t *)texts[i],
                                         .body_bytes = (uint32_t)bytes,
                                         .arrival_ns = 1};
    }
    return host_submit(node->host, node->slot, entries, count, now_ns, ret_receipt, ret_error);
}
