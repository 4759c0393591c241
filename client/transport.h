/* SPDX-License-Identifier: Apache-2.0 */
/* The way to one node: frames out, frames in, never waiting. Two kinds carry the same frames: a shared-memory
 * channel on the node's own host, and a kernel UDP socket from anywhere. Tests bring a third. */
#ifndef TALLY_TRANSPORT_H
#define TALLY_TRANSPORT_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "frame.h"

/* A lost connection is tried again after this ... */
#define TRANSPORT_RECONNECT_NS 50000000ull
/* ... and after this when the node's process took the connection but did not answer: it is stopped or stuck.
 */
#define TRANSPORT_STUCK_NS 1000000000ull
#define TRANSPORT_FDS_MAX  2

struct transport;

struct transport_operations {
    /* True when frames can be sent; tries to connect if it is time to. Forgets a connection that has died. */
    bool (*connect)(struct transport *transport, uint64_t now_ns);
    /* False: no room now, or not connected. True says nothing about arrival. */
    bool (*send)(struct transport *transport, enum frame_lane lane, const uint8_t *frame,
                 uint32_t frame_bytes);
    /* The next frame, copied: nobody else can change it. Its size; 0: none. Larger than `capacity`: cut, so
     * that decoding refuses it. */
    uint32_t (*receive)(struct transport *transport, uint8_t *frame, uint32_t capacity);
    /* Before sleeping: fills in what to wait for and returns how many; *ret_ready when frames are here
     * already. */
    uint32_t (*prepare_wait)(struct transport *transport, struct pollfd *fds, bool *ret_ready);
    void (*finish_wait)(struct transport *transport);
    void (*close)(struct transport *transport);
};

struct transport {
    const struct transport_operations *operations;
    uint32_t frame_bytes_max;
    uint32_t window_bytes; /* entries sent and not yet logged at most; UINT32_MAX: the ring is the bound */
    uint32_t generation;   /* grows with every new connection: what was sent before it may be lost */
    bool is_open;
};

/* `path` of at most 107 bytes, kept by the caller. NULL: too long. */
struct transport *transport_shm_create(struct arena *arena, const char *path);

/* `address` is "192.0.2.1" or "192.0.2.1:26480". NULL: not an address. */
struct transport *transport_udp_create(struct arena *arena, const char *address);

#endif
