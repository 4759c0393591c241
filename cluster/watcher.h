/* SPDX-License-Identifier: Apache-2.0 */
/* A subscriber on a thread of its own, from log index 1 and then live. It sees to it that indexes come one
 * after the other, and sums up all records (index, term, times and payload) so that two watchers can be
 * compared. */
#ifndef TALLY_WATCHER_H
#define TALLY_WATCHER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tally.h"

struct watcher_options {
    const struct tally_endpoint *endpoints;
    unsigned endpoint_count;
    const char *quorum;
    uint64_t node_id; /* 0: any */
    /* Called on the watcher's thread for every entry; `event->blocks` only of data entries. May be NULL. */
    tally_event_fn *on_entry;
    void *context;
};

struct watcher {
    struct watcher_options options;
    struct tally_client *client;
    pthread_t thread;
    bool started;
    _Atomic bool stop;
    _Atomic uint64_t last_index;      /* delivered */
    _Atomic uint64_t message_count;   /* delivered */
    _Atomic uint64_t misplaced_count; /* entries whose index was not the next one */
    _Atomic uint32_t checksum;        /* crc32c over every record so far */
};

/* Starts the thread. False with a line in `error_text` (256 bytes). */
bool watcher_start(struct watcher *watcher, const struct watcher_options *options, char *error_text);
/* Ends the thread; the counts stay. */
void watcher_fini(struct watcher *watcher);

#endif
