/* SPDX-License-Identifier: Apache-2.0 */
/* What the kill program sends, and what it holds against what comes out. */
#ifndef TALLY_KILL_H
#define TALLY_KILL_H

#include "cluster.h"
#include "feeder.h"
#include "prng.h"
#include "watcher.h"

#define KILL_QUORUM        "kill"
#define KILL_SOURCES       2
#define KILL_MESSAGE_BYTES 64

/* A publisher's messages: {source u64, sequence u64, words that follow from both}. */
struct kill_source {
    uint64_t id; /* 1 .. KILL_SOURCES */
    uint64_t next;
    uint8_t message[KILL_MESSAGE_BYTES];
};

/* A feeder_next_fn; there is always one more. */
uint32_t kill_source_next(void *context, const uint8_t **ret_message);

/* Entered in the order of a log: each source's messages must come as 1, 2, 3, ... */
struct kill_ledger {
    uint64_t next[KILL_SOURCES + 1]; /* 0 stands for 1 */
    uint64_t doubled_count;          /* came again, or too late */
    uint64_t missing_count;          /* were skipped */
    uint64_t foreign_count;          /* were never sent */
};

void kill_ledger_enter(struct kill_ledger *ledger, const uint8_t *message, uint32_t message_bytes);
/* A tally_event_fn for a watcher, whose context is the ledger. */
void kill_ledger_watch(void *context, const struct tally_event *event);
uint64_t kill_ledger_count(const struct kill_ledger *ledger, uint64_t source_id);
bool kill_ledger_is_good(const struct kill_ledger *ledger);
/* Enters an exported file. False: it cannot be read, or ends inside a message. */
bool kill_ledger_read(struct kill_ledger *ledger, const char *path);

#endif
