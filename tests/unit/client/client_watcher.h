/* SPDX-License-Identifier: Apache-2.0 */
/* What a client under test has been told, and the promises that hold of every history of events: each entry
 * gets one outcome, receipts come first, ranges ascend, deliveries have no holes. */
#ifndef TALLY_CLIENT_WATCHER_H
#define TALLY_CLIENT_WATCHER_H

#include "bytes.h"
#include "fake_cluster.h"
#include "test.h"

#define MS 1000000ull

struct watcher {
    uint64_t receipt;   /* all up to it */
    uint64_t committed; /* all up to it */
    uint64_t refused_count;
    uint64_t given_up_count;
    uint64_t given_up; /* the last one */
    uint64_t first_refused;
    enum tally_status refusal;
    uint64_t leader_id;
    uint32_t leader_count;
    enum tally_status problem;
    uint64_t problem_index;
    uint32_t problem_count;
    uint64_t next_index; /* to be delivered */
    uint64_t values[FAKE_LOG_COUNT];
    uint32_t value_count;
    bool is_broken; /* a promise was broken */
};

static inline void watch_range(const struct tally_event *event, uint64_t *watermark, bool *is_broken)
{
    bool continues =
        event->first_source_sequence > *watermark && event->source_sequence >= event->first_source_sequence;
    *is_broken |= !continues;
    *watermark = event->source_sequence;
}

static inline void watch_delivery(struct watcher *watcher, const struct tally_event *event)
{
    watcher->is_broken |= event->index != watcher->next_index;
    watcher->next_index = event->index + 1;
    if (event->type != 3) {
        watcher->is_broken |= event->blocks != NULL;
        return;
    }
    watcher->is_broken |= event->blocks_bytes != 10 || event->message_count != 1;
    watcher->is_broken |= event->stream_sequence != event->index - 1;
    watcher->values[watcher->value_count++] = load_le64(event->blocks + 2);
}

static inline void watch(void *context, const struct tally_event *event)
{
    struct watcher *watcher = context;
    switch (event->kind) {
    case TALLY_RECEIPT:
        watch_range(event, &watcher->receipt, &watcher->is_broken);
        break;
    case TALLY_COMMITTED:
        watch_range(event, &watcher->committed, &watcher->is_broken);
        watcher->is_broken |= watcher->committed > watcher->receipt;
        break;
    case TALLY_REFUSED:
        watcher->first_refused =
            watcher->refused_count++ == 0 ? event->source_sequence : watcher->first_refused;
        watcher->refusal = event->status;
        break;
    case TALLY_DELIVERED:
        watch_delivery(watcher, event);
        break;
    case TALLY_LEADER:
        watcher->leader_id = event->node_id;
        watcher->leader_count++;
        break;
    case TALLY_PROBLEM:
        watcher->problem = event->status;
        watcher->problem_index = event->index;
        watcher->problem_count++;
        break;
    case TALLY_GIVEN_UP:
        watcher->is_broken |= event->status != TALLY_UNKNOWN || event->source_sequence <= watcher->given_up;
        watcher->given_up = event->source_sequence;
        watcher->given_up_count++;
        break;
    }
}

static inline struct tally_client *open_client(struct fake_cluster *cluster, struct watcher *watcher,
                                               const struct tally_options *more)
{
    struct tally_options options = *more;
    options.quorum = FAKE_QUORUM;
    options.endpoints = fake_endpoints;
    options.endpoint_count = FAKE_NODE_COUNT;
    options.settle_ns =
        options.settle_ns ? options.settle_ns : 1; /* nothing of an earlier life is on its way */
    struct client_hooks hooks = fake_hooks(cluster);
    char error_text[256] = "";
    struct tally_client *client = client_open(&options, &hooks, watch, watcher, error_text);
    CHECK_STRING(error_text, "");
    return client;
}

static inline enum tally_status publish_value(struct tally_client *client, uint64_t value,
                                              uint64_t *ret_sequence)
{
    uint8_t message[8];
    store_le64(message, value);
    return tally_publish_message(client, message, sizeof(message), ret_sequence);
}

/* `count` steps of a millisecond; the leader commits what it has. */
static inline void run(struct fake_cluster *cluster, struct tally_client *client, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        tally_poll(client);
        fake_step(cluster, MS);
        struct fake_node *leader = fake_leader(cluster);
        if (leader) {
            fake_commit(cluster, leader->log_count);
        }
    }
    tally_poll(client);
}

static inline void finish(struct fake_cluster *cluster, struct tally_client *client)
{
    tally_close(client);
    fake_destroy(cluster);
}

#endif
