/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "client.h"

#define ERROR_TEXT_BYTES       256
#define IN_FLIGHT_DEFAULT      1024
#define IN_FLIGHT_MAX          65536
#define RETRY_DEFAULT_NS       20000000ull
#define SETTLE_DEFAULT_NS      1000000000u
#define RETRY_NS_MAX           60000000000ull
#define SHM_PREFIX             "shm:"
#define UDP_PREFIX             "udp:"
#define QUORUM_NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static uint64_t monotonic_ns(void *context)
{
    (void)context;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Message ids go on from here, above those of an earlier process with the same source: nodes take nothing of
 * before its question. Were the clock set back, they would in ten seconds, when they forget the earlier one.
 */
static uint64_t wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct transport *create_transport(void *context, struct arena *arena,
                                          const struct tally_endpoint *endpoint)
{
    (void)context;
    size_t address_bytes = strlen(endpoint->address) + 1;
    char *address = ARENA_ARRAY(arena, char, address_bytes);
    memcpy(address, endpoint->address, address_bytes);
    if (strncmp(address, SHM_PREFIX, strlen(SHM_PREFIX)) == 0) {
        return transport_shm_create(arena, address + strlen(SHM_PREFIX));
    }
    if (strncmp(address, UDP_PREFIX, strlen(UDP_PREFIX)) == 0) {
        return transport_udp_create(arena, address + strlen(UDP_PREFIX));
    }
    return NULL;
}

/* NULL when the options are good; what is wrong with them otherwise. */
static const char *find_fault(const struct tally_options *options, tally_event_fn *on_event)
{
    if (!on_event) {
        return "no function for events";
    }
    size_t name_bytes = options->quorum ? strlen(options->quorum) : 0;
    if (name_bytes == 0 || name_bytes > QUORUM_NAME_BYTES_MAX ||
        strspn(options->quorum, QUORUM_NAME_CHARACTERS) != name_bytes) {
        return "the quorum's name is not 1 to 64 of a-z A-Z 0-9 . _ -";
    }
    if (options->endpoint_count == 0 || options->endpoint_count > TALLY_NODES_MAX || !options->endpoints) {
        return "not between 1 and 32 endpoints";
    }
    if (options->in_flight_max > IN_FLIGHT_MAX) {
        return "in_flight_max is above 65,536";
    }
    if (options->retry_ns > RETRY_NS_MAX) {
        return "retry_ns is above a minute";
    }
    return NULL;
}

static bool add_nodes(struct tally_client *client, const struct tally_options *options, char *error_text)
{
    client->blocks_bytes_max = DATA_BLOCKS_BYTES_MAX_JUMBO;
    for (size_t i = 0; i < options->endpoint_count; i++) {
        const struct tally_endpoint *endpoint = &options->endpoints[i];
        if (endpoint->node_id == 0 || endpoint->node_id > INT64_MAX ||
            client_find_node(client, endpoint->node_id) != CLIENT_NO_NODE) {
            snprintf(error_text, ERROR_TEXT_BYTES,
                     "endpoint %zu: its node id is 0, too large or there already", i + 1);
            return false;
        }
        struct transport *transport =
            endpoint->address
                ? client->hooks.transport_create(client->hooks.context, &client->arena, endpoint)
                : NULL;
        if (!transport) {
            snprintf(error_text, ERROR_TEXT_BYTES,
                     "endpoint %zu: \"%.150s\" is not shm:/PATH or udp:ADDRESS[:PORT]", i + 1,
                     endpoint->address ? endpoint->address : "");
            return false;
        }
        uint32_t room = frame_tail_bytes_max(transport->frame_bytes_max, MESSAGE_PUBLISH);
        if (transport->frame_bytes_max <= FRAME_BYTES_MAX_1500 &&
            client->blocks_bytes_max > DATA_BLOCKS_BYTES_MAX) {
            client->blocks_bytes_max = DATA_BLOCKS_BYTES_MAX;
        }
        if (client->blocks_bytes_max > room - PUBLISHING_ENTRY_HEAD_BYTES) {
            client->blocks_bytes_max = room - PUBLISHING_ENTRY_HEAD_BYTES;
        }
        client->nodes[client->node_count++] =
            (struct client_node){.node_id = endpoint->node_id, .transport = transport};
    }
    return true;
}

/* A source that was never used before: not 0, and in the range of protobuf's int64. */
static uint64_t draw_source_id(void)
{
    uint64_t source_id = 0;
    while (source_id == 0) {
        if (getrandom(&source_id, sizeof(source_id), 0) != (ssize_t)sizeof(source_id)) {
            source_id = 0;
        }
        source_id &= INT64_MAX;
    }
    return source_id;
}

static struct tally_client *create_client(const struct client_hooks *hooks)
{
    struct arena arena;
    arena_init(&arena);
    struct tally_client *client = ARENA_NEW(&arena, struct tally_client);
    client->arena = arena;
    client->hooks = *hooks;
    if (!client->hooks.now_ns) {
        client->hooks.now_ns = monotonic_ns;
    }
    if (!client->hooks.transport_create) {
        client->hooks.transport_create = create_transport;
    }
    return client;
}

struct tally_client *client_open(const struct tally_options *options, const struct client_hooks *hooks,
                                 tally_event_fn *on_event, void *context, char *error_text)
{
    const char *fault = find_fault(options, on_event);
    if (fault) {
        snprintf(error_text, ERROR_TEXT_BYTES, "%s", fault);
        return NULL;
    }
    struct tally_client *client = create_client(hooks);
    client->codec = frame_codec_create(&client->arena);
    client->on_event = on_event;
    client->event_context = context;
    strcpy(client->quorum, options->quorum);
    client->retry_ns = options->retry_ns ? options->retry_ns : RETRY_DEFAULT_NS;
    client->give_up_ns = options->give_up_ns;
    client->now_ns = client->hooks.now_ns(client->hooks.context);
    client->message_id = hooks->now_ns ? client->now_ns : wall_ns();
    if (!add_nodes(client, options, error_text)) {
        tally_close(client);
        return NULL;
    }
    publishing_init(client, options->source_id,
                    options->in_flight_max ? options->in_flight_max : IN_FLIGHT_DEFAULT);
    if (client->publishing.source_id == 0) {
        client->publishing.source_id = draw_source_id();
    }
    client->publishing.settle_end_ns =
        client->now_ns + (options->settle_ns ? options->settle_ns : SETTLE_DEFAULT_NS);
    arena_seal(&client->arena);
    return client;
}

struct tally_client *tally_open(const struct tally_options *options, tally_event_fn *on_event, void *context,
                                char *error_text)
{
    return client_open(options, &(struct client_hooks){0}, on_event, context, error_text);
}

const char *tally_status_name(enum tally_status status)
{
    switch (status) {
    case TALLY_OK:
        return "ok";
    case TALLY_BUSY:
        return "busy";
    case TALLY_TOO_LARGE:
        return "too large";
    case TALLY_MALFORMED:
        return "malformed";
    case TALLY_NO_LEADER:
        return "no leader";
    case TALLY_NO_SPACE:
        return "no space";
    case TALLY_SOURCES_FULL:
        return "no place for another source";
    case TALLY_UNKNOWN_QUORUM:
        return "unknown quorum";
    case TALLY_UNREACHABLE:
        return "unreachable";
    case TALLY_BEHIND_BOUNDARY:
        return "behind the boundary";
    case TALLY_SUBSCRIBERS_FULL:
        return "no place for another subscriber";
    case TALLY_FAILED:
        return "failed";
    case TALLY_UNKNOWN:
        return "unknown";
    }
    return "unknown";
}
