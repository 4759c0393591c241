/* SPDX-License-Identifier: Apache-2.0 */
/* A node played by this process for the real transports: it leads, commits at once what it is sent, and
 * delivers it. */
#ifndef TALLY_ECHO_NODE_H
#define TALLY_ECHO_NODE_H

#include <pthread.h>
#include <stdatomic.h>

#include "client.h"

#define ECHO_QUORUM        "prices"
#define ECHO_QUORUM_NUMBER 77
#define ECHO_LOG_BYTES     (1u << 20)

struct echo_node {
    struct arena arena;
    struct frame_codec *codec;
    uint64_t sequence; /* of the source's last entry; its index is the same */
    uint64_t stream_sequence;
    uint32_t log_bytes;
    uint8_t log[ECHO_LOG_BYTES]; /* records */
    /* sends one frame to the client that was heard last */
    void (*send)(struct echo_node *node, const uint8_t *frame, uint32_t frame_bytes);
    /* UDP */
    int fd;
    char address[64]; /* udp:127.0.0.1:PORT */
    uint8_t peer[32]; /* its socket address */
    uint32_t peer_bytes;
    _Atomic bool stop;
    pthread_t thread;
};

void echo_init(struct echo_node *node);
void echo_fini(struct echo_node *node);
/* False: not a frame of a client's. */
bool echo_receive(struct echo_node *node, const uint8_t *frame, uint32_t frame_bytes);

/* On a loopback port of its own, served by a thread. */
void echo_start_udp(struct echo_node *node);
void echo_stop_udp(struct echo_node *node);

#endif
