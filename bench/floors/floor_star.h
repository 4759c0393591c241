/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOOR_STAR_H
#define FLOOR_STAR_H

/* What the four processes of the star have in common. */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "floor_port.h"

enum star_node {
    STAR_FOLLOWER_1,
    STAR_FOLLOWER_2,
    STAR_LEADER,
    STAR_CLIENT,
};

enum {
    STAR_HEAD_BYTES = 32,
    STAR_PAYLOAD_MAX_BYTES = FLOOR_FRAME_MAX_BYTES - STAR_HEAD_BYTES,
};

struct star_frame {
    uint64_t sender;
    uint64_t sequence;      /* of the entry; in an answer: all entries up to this one */
    uint64_t slowest;       /* to the client: what the slower follower has */
    uint64_t payload_bytes; /* 0 in an answer */
    unsigned char payload[STAR_PAYLOAD_MAX_BYTES];
};

static_assert(offsetof(struct star_frame, payload) == STAR_HEAD_BYTES, "an answer is sent as the head alone");

/* Made before the processes are forked. */
struct star {
    struct floor_port port;
    const char *idle;
    uint64_t payload_bytes;
    uint64_t in_flight;
    uint64_t size_bytes; /* of a file */
    /* Entries the client may be ahead of the slower follower: bounds what waits in any ring, socket, log. */
    unsigned window;
};

/* The life of a leader or a follower, until it is killed. `file` negative: in memory. */
_Noreturn void star_lead(struct star *star, int file);
_Noreturn void star_follow(struct star *star, unsigned self, int file);

#endif
