/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOOR_PORT_H
#define FLOOR_PORT_H

/* Frames between up to four processes: through shared memory (for each connected pair a memfd with two
 * single-producer single-consumer rte_rings, one for each direction, written and read in place) or through
 * kernel UDP on the loopback (one socket for each process). Everything is created before the processes are
 * forked. */

#include <netinet/in.h>
#include <rte_ring.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    FLOOR_NODE_MAX = 4,
    FLOOR_FRAME_MAX_BYTES = 2048,
};

#define FLOOR_PORT_WORDS "shm|udp"

struct floor_port {
    bool is_shm;
    bool blocking;        /* udp: peek waits in the kernel for a frame */
    unsigned frame_bytes; /* of a ring's element: the longest frame; a multiple of 4 */
    unsigned frame_count; /* that may wait in one direction without being lost */
    unsigned ring_slots;  /* a power of two above frame_count */
    unsigned peeked_from; /* shm: the sender of the frame being looked at */
    struct rte_ring *ring[FLOOR_NODE_MAX][FLOOR_NODE_MAX]; /* [from][to]; NULL where not connected */
    int socket[FLOOR_NODE_MAX];
    struct sockaddr_in address[FLOOR_NODE_MAX];
    _Alignas(64) unsigned char datagram[FLOOR_FRAME_MAX_BYTES];
};

/* `word` is one of FLOOR_PORT_WORDS. `frame_count` is how many frames the caller wants to have waiting in one
 * direction; the port's own field says how many it may (udp without privilege: fewer). */
void floor_port_create(struct floor_port *port, const char *word, unsigned frame_bytes, unsigned frame_count);

/* Lets `first` and `second` send to each other. */
void floor_port_connect(struct floor_port *port, unsigned first, unsigned second);

/* Sends one frame. The caller keeps within frame_count, so a full ring is its own error and ends the program.
 */
void floor_port_send(struct floor_port *port, unsigned from, unsigned to, const void *frame, size_t bytes);

/* The next frame for `self`, in place, or NULL. It must be released before the next peek. */
const void *floor_port_peek(struct floor_port *port, unsigned self);
void floor_port_release(struct floor_port *port, unsigned self);

#endif
