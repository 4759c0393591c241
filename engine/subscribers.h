/* SPDX-License-Identifier: Apache-2.0 */
/* Subscribers on this core: each is a cursor over committed entries with a window. Nobody waits for one. */
#ifndef TALLY_SUBSCRIBERS_H
#define TALLY_SUBSCRIBERS_H

#include "engine.h"

#define SUBSCRIBER_FRAMES_MAX 256

struct subscriber {
    uint64_t subscriber_id;
    uint64_t message_id; /* of its SUBSCRIBE */
    uint32_t slot;
    uint8_t in_use;
    uint8_t zero[3];
    uint64_t next_index;         /* next to be sent */
    uint64_t acknowledged_index; /* all before it have arrived */
    uint64_t heard_ns;
    uint64_t sent_ns;
    uint64_t progress_ns; /* when acknowledged_index last moved, or sending began */
    uint32_t window_bytes;
    uint32_t unacknowledged_bytes;
    /* frames on their way: where each ends and its bytes, so that an acknowledgement frees its share */
    uint32_t frame_head;
    uint32_t frame_count;
    struct {
        uint64_t end_index;
        uint32_t bytes;
        uint32_t zero;
    } frames[SUBSCRIBER_FRAMES_MAX];
    struct tape_cursor cursor;
    struct engine_channel channel;
};

struct subscribers {
    uint32_t count;
    uint32_t first; /* whose turn it is to be served first */
    struct subscriber places[SUBSCRIBERS_MAX];
};

void subscribers_receive(struct engine *engine, const struct message *message, const uint8_t *tail,
                         uint32_t tail_bytes, const struct engine_channel *channel);
void subscribers_receive_reply(struct engine *engine, const struct message *message);

/* Sends what is committed and fits the windows, heartbeats otherwise; at most `budget` frames. Work done. */
unsigned subscribers_deliver(struct engine *engine, unsigned budget);

#endif
