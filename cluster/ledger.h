/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that say who sent them and as which of his, and the account of what came out. */
#ifndef TALLY_LEDGER_H
#define TALLY_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "tally.h"

#define LEDGER_SOURCES       2
#define LEDGER_MESSAGE_BYTES 64

/* A publisher's messages: {source u64, sequence u64, words that follow from both}. */
struct ledger_source {
    uint64_t id; /* 1 .. LEDGER_SOURCES */
    uint64_t next;
    uint8_t message[LEDGER_MESSAGE_BYTES];
};

/* A feeder_next_fn; there is always one more. */
uint32_t ledger_source_next(void *context, const uint8_t **ret_message);

/* Entered in the order of a log: each source's messages must come as 1, 2, 3, ... */
struct ledger {
    uint64_t entered_count;            /* of known sources, doubled ones too */
    uint64_t next[LEDGER_SOURCES + 1]; /* 0 stands for 1 */
    uint64_t doubled_count;            /* came again, or too late */
    uint64_t missing_count;            /* were skipped */
    uint64_t foreign_count;            /* were never sent */
};

void ledger_enter(struct ledger *ledger, const uint8_t *message, uint32_t message_bytes);
/* A tally_event_fn for a watcher, whose context is the ledger. */
void ledger_watch(void *context, const struct tally_event *event);
uint64_t ledger_count(const struct ledger *ledger, uint64_t source_id);
bool ledger_is_good(const struct ledger *ledger);
/* Enters an exported file. False: it cannot be read, or ends inside a message. */
bool ledger_read(struct ledger *ledger, const char *path);

#endif
