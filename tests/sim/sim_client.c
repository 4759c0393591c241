/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_client.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sim.h"
#include "sim_check.h"
#include "sim_transport.h"

/* The longest sleep of a client that nothing wakes. */
#define POLL_NS (20 * MILLISECOND)
/* With less room on any tape the publishers stop: a run is about the log, not about its end. */
#define TAPE_ROOM_BYTES (5u << 19)

static uint64_t client_now_ns(void *context)
{
    const struct sim_client *client = context;
    return client->sim->now_ns;
}

void sim_client_init(struct sim_client *client, struct sim *sim, uint32_t index)
{
    const struct sim_options *options = &sim->options;
    *client = (struct sim_client){.sim = sim, .index = index, .next_index = 1};
    client->is_publisher = index < options->publisher_count;
    client->quorum = client->is_publisher ? index % options->quorum_count
                                          : (uint32_t)prng_below(&sim->client_prng, options->quorum_count);
    client->source_id = 100 + index;
    client->operation_target = client->is_publisher ? options->operation_count / options->publisher_count : 0;
    client->undecided = malloc((options->in_flight_max + 1) * sizeof(client->undecided[0]));
    ASSERT(client->undecided != NULL);
    client->publish_ns = prng_below(&sim->client_prng, 500 * MILLISECOND);
}

void sim_client_open(struct sim_client *client)
{
    struct sim *sim = client->sim;
    struct tally_endpoint endpoints[SIM_NODES_MAX];
    for (uint32_t i = 0; i < sim->options.node_count; i++) {
        endpoints[i] = (struct tally_endpoint){.node_id = sim_node_id(i), .address = "sim"};
    }
    struct tally_options options = {.quorum = sim->truths[client->quorum].name,
                                    .endpoints = endpoints,
                                    .endpoint_count = sim->options.node_count,
                                    .source_id = client->source_id,
                                    .settle_ns =
                                        2 * SECOND, /* more than a frame can be late and a node paused */
                                    .in_flight_max = sim->options.in_flight_max,
                                    .retry_ns = sim->options.retry_ns,
                                    .give_up_ns = sim->options.give_up_ns};
    struct client_hooks hooks = {
        .context = client, .now_ns = client_now_ns, .transport_create = sim_transport_create};
    char error_text[256];
    ASSERT(!client->is_running);
    client->life++;
    client->tally = client_open(&options, &hooks, check_client_event, client, error_text);
    ASSERT(client->tally != NULL);
    client->is_running = true;
    client->poll_ns = UINT64_MAX;
    sim_trace(sim, TRACE_OPEN, client->index, client->life, 0, 0);
    if (!client->is_publisher) {
        ASSERT(tally_subscribe(client->tally, client->next_index, 0) == TALLY_OK);
    }
    sim_client_wake(client, sim->now_ns);
}

/* The process is gone at once: libtally says no goodbye. */
void sim_client_kill(struct sim_client *client)
{
    if (!client->is_running) {
        return;
    }
    sim_trace(client->sim, TRACE_CLOSE, client->index, client->life, client->undecided_count, 0);
    for (uint32_t i = 0; i < client->undecided_count; i++) {
        client->operations[client->undecided[i]].state = OPERATION_ABANDONED;
    }
    client->undecided_count = 0;
    client->is_running = false;
    client->poll_ticket++;
    for (uint32_t i = 0; i < client->sim->options.node_count; i++) {
        sim_transport_clear(&client->transports[i]);
        client->transports[i].port.is_open = false;
    }
    tally_close(client->tally);
    client->tally = NULL;
}

void sim_client_fini(struct sim_client *client)
{
    sim_client_kill(client);
    free(client->operations);
    free(client->undecided);
}

void sim_client_wake(struct sim_client *client, uint64_t time_ns)
{
    if (client->is_running && time_ns < client->poll_ns) {
        client->poll_ns = time_ns;
        sim_plan(client->sim, time_ns, SIM_CLIENT, client->index, ++client->poll_ticket);
    }
}

static bool tapes_have_room(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->options.node_count && !sim->options.fills_tape; i++) {
        const struct sim_node *node = &sim->nodes[i];
        if (node->is_running && tape_free_bytes(engine_tape(node->engine)) < TAPE_ROOM_BYTES) {
            return false;
        }
    }
    return true;
}

/* One operation: its first message names it, the rest is filler. */
static bool publish_one(struct sim_client *client)
{
    struct sim *sim = client->sim;
    const struct sim_options *options = &sim->options;
    uint8_t blocks[DATA_BLOCKS_BYTES_MAX];
    uint64_t operation = ((uint64_t)client->index << 32) | client->operation_count;
    size_t used = 0;
    unsigned count = (unsigned)(1 + prng_below(&sim->client_prng, 3));
    for (unsigned i = 0; i < count; i++) {
        uint16_t bytes = (uint16_t)(8 + prng_below(&sim->client_prng, options->message_bytes_max - 7));
        if (used + 2 + bytes > sizeof(blocks) - 64) {
            count = i;
            break;
        }
        store_be16(blocks + used, bytes);
        memset(blocks + used + 2, (int)(operation + i), bytes);
        memcpy(blocks + used + 2, &operation, sizeof(operation));
        used += 2u + bytes;
    }
    uint64_t source_sequence = 0;
    if (tally_publish(client->tally, blocks, used, count, &source_sequence) != TALLY_OK) {
        return false;
    }
    check_published(client, source_sequence);
    sim->counters.operations++;
    return true;
}

static void publish_burst(struct sim_client *client)
{
    struct sim *sim = client->sim;
    uint64_t burst = 1 + prng_below(&sim->client_prng, sim->options.burst_max);
    if (!tapes_have_room(sim)) {
        client->operation_target = client->operation_count;
    }
    while (burst-- > 0 && client->operation_count < client->operation_target && publish_one(client)) {
    }
    client->publish_ns = sim->now_ns + prng_below(&sim->client_prng, 2 * sim->options.publish_interval_ns);
}

void sim_client_poll(struct sim_client *client)
{
    struct sim *sim = client->sim;
    client->poll_ns = UINT64_MAX;
    unsigned work = tally_poll(client->tally);
    bool may_publish = client->is_publisher && client->operation_count < client->operation_target;
    if (may_publish && sim->now_ns >= client->publish_ns) {
        publish_burst(client);
        work += tally_poll(client->tally);
    }
    uint64_t due_ns = earlier(publishing_deadline_ns(client->tally), subscription_deadline_ns(client->tally));
    due_ns = earlier(due_ns, sim->now_ns + POLL_NS);
    if (may_publish) {
        due_ns = earlier(due_ns, client->publish_ns);
    }
    uint64_t least_ns = sim->now_ns + (work > 0 ? MICROSECOND : 10 * MICROSECOND);
    sim_client_wake(client, later(due_ns, least_ns));
}

void sim_client_publish_more(struct sim_client *client, uint32_t operation_count)
{
    if (client->is_publisher && tapes_have_room(client->sim)) {
        client->operation_target = client->operation_count + operation_count;
        client->publish_ns = client->sim->now_ns;
        sim_client_wake(client, client->sim->now_ns);
    }
}

bool sim_client_is_done(const struct sim_client *client)
{
    const struct truth *truth = &client->sim->truths[client->quorum];
    if (!client->is_running) {
        return false;
    }
    if (client->is_publisher) {
        return client->undecided_count == 0 && client->operation_count >= client->operation_target;
    }
    return client->next_index == truth->committed_count + 1;
}
