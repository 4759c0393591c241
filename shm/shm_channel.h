/* SPDX-License-Identifier: Apache-2.0 */
/* A channel between two processes of one host: a sealed memfd with four SPSC rte_rings of frames (two
 * directions x two lanes) and one eventfd a side, handed over a Unix socket. Neither side needs EAL. Either
 * side may be killed at any moment: the other sees its socket close, goes on, and unmaps when its own owner
 * says so.
 *
 * The side that listens (the node) is side 0 and creates the memory; the side that connects is side 1.
 * Control places are SHM_CONTROL_BYTES large, bulk places SHM_BULK_BYTES; a frame is written where it will be
 * read.
 *
 * Trust: whoever may open the socket file (its mode and directory say who) is trusted not to attack, but not
 * to be free of bugs, and may die anywhere. The memory cannot shrink under us (seals). Whatever is written
 * into it later, a length is clamped to its place and a place is used only if it is one of ours; a ring whose
 * head is damaged gives no frame any more and counts as closed. What remains is that a hostile process may
 * fill its own channel with old frames or stop it; frames are judged like those from the wire. */
#ifndef TALLY_SHM_CHANNEL_H
#define TALLY_SHM_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"

#define SHM_CONTROL_BYTES 1024
#define SHM_BULK_BYTES    9216 /* a frame of FRAME_BYTES_MAX and its length */
/* Places of a ring; one of them always stays empty. */
#define SHM_CONTROL_COUNT 512
#define SHM_BULK_COUNT    512 /* twice WINDOW_MESSAGES_MAX: a full window and nearly all of it once more */
/* Largest control frame: a place without its length. A longer one goes by the bulk lane. */
#define SHM_CONTROL_FRAME_BYTES (SHM_CONTROL_BYTES - 4)

enum shm_lane { SHM_CONTROL = 0, SHM_BULK = 1 };

/* What the connecting side says of itself; checked by the listener before anything is mapped. */
struct shm_hello {
    uint32_t magic;
    uint16_t version;
    uint16_t zero;
    uint64_t cluster_id; /* 0: a client that does not know it */
    uint64_t node_id;    /* 0: a client */
};

enum shm_verdict { SHM_GOOD, SHM_BAD_HELLO, SHM_OTHER_VERSION, SHM_OTHER_CLUSTER, SHM_FULL, SHM_ERROR };

struct rte_ring;

/* One direction of one lane. Private to its process: nothing in it can be changed by the other one. */
struct shm_lane_ring {
    struct rte_ring *ring; /* in the shared memory */
    uint8_t *places;
    uint8_t *begun; /* the place between begin and commit or end; NULL: none */
    uint32_t place_bytes;
    uint32_t place_count;
};

/* One side's view. The caller's memory. */
struct shm_channel {
    uint8_t *memory; /* NULL: closed */
    size_t memory_bytes;
    int socket_fd;      /* closes when the other side dies; poll it for HUP */
    int own_event_fd;   /* wakes this side */
    int other_event_fd; /* wakes the other side */
    uint32_t side;
    struct shm_hello peer; /* listener: the hello it got; connecting side: the listener's cluster_id */
    struct shm_lane_ring send[2];
    struct shm_lane_ring receive[2];
    _Atomic bool broken; /* a ring's head is damaged */
};

/* Listens at `path` (a stale socket file of a dead process is replaced, a live one is refused with
 * -EADDRINUSE). Returns a non-blocking fd or -errno. */
int shm_listen(const char *path);

/* Takes one waiting connection, checks its hello (cluster_id 0 admits any client), makes memory and hands it
 * over. SHM_ERROR with *ret_error -EAGAIN when none is ready. Never blocks longer than 100 ms on a peer that
 * sends nothing. */
enum shm_verdict shm_accept(int listen_fd, uint64_t cluster_id, struct shm_channel *ret_channel,
                            int *ret_error);

/* Takes one waiting connection, if there is one, only to tell it that there is no room (SHM_FULL). */
void shm_refuse(int listen_fd);

/* Connects to a listener; blocks at most `timeout_ms`. 0 or -errno (-ECONNREFUSED, -ENOENT: nobody listens;
 * -EBUSY: the listener has no room; -EPROTO: refused; -ETIMEDOUT). */
int shm_connect(const char *path, const struct shm_hello *hello, int timeout_ms,
                struct shm_channel *ret_channel);

/* Unmaps and closes everything. */
void shm_close(struct shm_channel *channel);

/* The other side has gone (its socket is closed), or has damaged a ring. Does not block. */
bool shm_is_closed(const struct shm_channel *channel);

/* ---- frames; the thread that owns the side ---- */

/* A place for a frame of at most `*ret_capacity` bytes to the other side; NULL: the ring is full. Nothing is
 * visible until shm_send_commit; begun again, it is the same place. */
uint8_t *shm_send_begin(struct shm_channel *channel, enum shm_lane lane, uint32_t *ret_capacity);
/* The frame of `frame_bytes` in the place is on its way; wakes the other side if it sleeps. */
void shm_send_commit(struct shm_channel *channel, enum shm_lane lane, uint32_t frame_bytes);

/* The next frame, in place and still writable by the other process: copy before judging it. Its length is
 * clamped to the place. NULL: none. shm_receive_end gives the place back; until then it is the next frame. */
const uint8_t *shm_receive_begin(struct shm_channel *channel, enum shm_lane lane, uint32_t *ret_frame_bytes);
void shm_receive_end(struct shm_channel *channel, enum shm_lane lane);

/* Sleeping: say so, look once more for frames, then wait on own_event_fd; say awake after, which drains it
 * too. */
void shm_set_sleeping(struct shm_channel *channel, bool sleeping);

#endif
