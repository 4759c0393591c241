/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher.h"

#include <string.h>

#include "check.h"
#include "child.h"
#include "crc32c.h"

#define WAIT_NS 10000000u

static void on_event(void *context, const struct tally_event *event)
{
    struct watcher *watcher = context;
    if (event->kind != TALLY_DELIVERED) {
        return;
    }
    if (event->index != atomic_load(&watcher->last_index) + 1) {
        atomic_fetch_add(&watcher->misplaced_count, 1);
    }
    uint32_t checksum = crc32c(atomic_load(&watcher->checksum), event->record, event->record_bytes);
    atomic_store(&watcher->checksum, checksum);
    if (watcher->options.on_entry) {
        watcher->options.on_entry(watcher->options.context, event);
    }
    atomic_fetch_add(&watcher->message_count, event->message_count);
    atomic_store(&watcher->last_index, event->index); /* last: who sees it sees the rest */
}

static void *run(void *context)
{
    struct watcher *watcher = context;
    while (!atomic_load(&watcher->stop)) {
        if (tally_poll(watcher->client) == 0) {
            tally_wait(watcher->client, WAIT_NS);
        }
    }
    tally_close(watcher->client);
    watcher->client = NULL;
    return NULL;
}

bool watcher_start(struct watcher *watcher, const struct watcher_options *options, char *error_text)
{
    struct tally_options client_options = {.quorum = options->quorum,
                                           .endpoints = options->endpoints,
                                           .endpoint_count = options->endpoint_count};
    memset(watcher, 0, sizeof(*watcher));
    watcher->options = *options;
    watcher->client = tally_open(&client_options, on_event, watcher, error_text);
    if (!watcher->client) {
        return false;
    }
    ASSERT(tally_subscribe(watcher->client, 1, options->node_id) == TALLY_OK);
    ASSERT(child_thread_start(&watcher->thread, run, watcher) == 0);
    watcher->started = true;
    return true;
}

void watcher_fini(struct watcher *watcher)
{
    if (watcher->started) {
        atomic_store(&watcher->stop, true);
        pthread_join(watcher->thread, NULL);
        watcher->started = false;
    }
}
