/* SPDX-License-Identifier: Apache-2.0 */
/* Publishers attached to this core: who is to hear of which source's progress. What a source has in the log
 * is the stream state's knowledge alone; an attachment may be lost and made again at any time.
 *
 * A publisher counts on what it was told of the log when it asked: which numbers are free. So entries are
 * taken only in the session that a question opens, from where that question came, and not from before it: an
 * earlier life of the publisher, or a number that it uses again, may have frames waiting somewhere. */
#ifndef TALLY_PUBLISHERS_H
#define TALLY_PUBLISHERS_H

#include "engine.h"

struct publisher {
    uint64_t source_id;
    uint32_t slot; /* quorum */
    uint8_t in_use;
    uint8_t owed;   /* a reply is due this turn */
    uint8_t status; /* enum publish_status, of the last refusal; OK again once told */
    uint8_t zero;
    uint64_t message_id; /* of its newest request */
    uint64_t opened_id;  /* of the question that opened its session: what it sent before is not taken */
    uint64_t heard_ns;
    struct engine_channel channel;
};

/* Open addressing by (slot, source id), at most half full, so a search is short. */
#define PUBLISHER_PLACES (2 * PUBLISHERS_MAX)

struct publishers {
    uint32_t count;
    uint32_t owed_count;
    uint16_t owed[PUBLISHERS_MAX]; /* places with a reply due */
    struct publisher places[PUBLISHER_PLACES];
};

/* A PUBLISH frame: a question, or entries. False: the log has no room for it now. */
bool publishers_receive(struct engine *engine, const struct message *message, const uint8_t *tail,
                        uint32_t tail_bytes, const struct engine_channel *channel, uint64_t arrival_ns);

/* An entry of this source has been committed: its publisher, if attached, hears of it. */
void publishers_note_commit(struct engine *engine, uint32_t slot, uint64_t source_id);

/* This node leads the quorum no more: everyone attached to it is told. */
void publishers_dismiss(struct engine *engine, uint32_t slot);

/* Sends the replies owed, at most one a publisher and turn. Work done. */
unsigned publishers_reply(struct engine *engine);

/* Forgets those who were silent for long. */
void publishers_expire(struct engine *engine);

#endif
