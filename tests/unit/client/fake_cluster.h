/* SPDX-License-Identifier: Apache-2.0 */
/* Three nodes, the network and the clock of a client under test, in one process and from one seed. Frames are
 * lost, doubled and overtake each other; leaders change, lose what was not committed, and go on believing.
 * The nodes do what docs/wire.md says of publishing and delivering, with the shipped codec; nothing else of
 * Tally is here. */
#ifndef TALLY_FAKE_CLUSTER_H
#define TALLY_FAKE_CLUSTER_H

#include "client.h"
#include "prng.h"

#define FAKE_NODE_COUNT    3
#define FAKE_QUEUE_COUNT   1024
#define FAKE_LOG_COUNT     4096
#define FAKE_QUORUM_NUMBER 77
#define FAKE_QUORUM        "prices"

struct fake_frame {
    uint64_t due_ns;
    uint32_t bytes; /* 0: no frame */
    uint8_t data[FRAME_BYTES_MAX];
};

struct fake_queue {
    struct fake_frame *frames;
    uint32_t count;
};

/* An entry has index 2 + its position: index 1 is a leader-start entry. Its one message is the value, 8
 * bytes. */
struct fake_entry {
    uint64_t sequence;
    uint64_t value;
};

struct fake_node {
    struct transport transport; /* first: the client's view */
    struct fake_cluster *cluster;
    uint64_t id;
    bool is_dead; /* silent, and refuses connections */
    bool is_unknown_quorum;
    bool leads; /* or believes so */
    uint64_t term;
    uint64_t hint; /* whom it takes for the leader */
    struct fake_entry log[FAKE_LOG_COUNT];
    uint32_t log_count;
    uint32_t committed_count; /* as far as it knows */
    struct fake_queue to_node;
    struct fake_queue to_client;
    uint64_t publish_frame_count;
    uint64_t entry_count; /* received, repetitions too */
    uint64_t last_message_id;
    uint64_t source_id; /* of its publisher */
    /* its one subscriber */
    uint64_t subscriber_id;
    uint64_t next_index;
    uint64_t acknowledged_index;
    uint64_t sent_ns;
    uint64_t resend_count;
    uint64_t acknowledge_count;
    uint64_t subscribe_count;
};

struct fake_cluster {
    uint64_t now_ns;
    struct prng prng;
    uint32_t loss_percent;
    uint32_t double_percent;
    uint64_t delay_ns;               /* of every frame, to which comes ... */
    uint64_t delay_max_ns;           /* ... up to this, drawn for each */
    uint64_t source_sequence_before; /* what the source had in the log before all this */
    uint32_t busy_count;             /* so many PUBLISH frames are answered BUSY */
    bool is_full;                    /* NO_SPACE */
    uint64_t refused_value;          /* TOO_LARGE */
    bool damage_next;                /* one bit of the next delivered records */
    uint64_t boundary_index;         /* a subscription from below is refused; 0: none */
    uint32_t drop_publish_after;     /* the n-th PUBLISH frame with entries from now on is lost; 0: none */
    struct frame_codec *codec;
    struct arena arena;
    struct fake_node nodes[FAKE_NODE_COUNT];
};

struct fake_cluster *fake_create(uint64_t seed);
void fake_destroy(struct fake_cluster *cluster);

/* Hooks for client_open; endpoints with the nodes' ids 1, 2, 3. */
struct client_hooks fake_hooks(struct fake_cluster *cluster);
extern const struct tally_endpoint fake_endpoints[FAKE_NODE_COUNT];

/* Node `id` leads in a new term (0: nobody). It keeps the first `kept_count` entries of the leader before it,
 * at least all committed ones. `old_knows`: the old leader has noticed. */
void fake_elect(struct fake_cluster *cluster, uint64_t id, uint32_t kept_count, bool old_knows);
struct fake_node *fake_leader(struct fake_cluster *cluster);
/* The leader commits its first `count` entries and says so. */
void fake_commit(struct fake_cluster *cluster, uint32_t count);

/* Time passes; nodes take what has arrived, answer, deliver. */
void fake_step(struct fake_cluster *cluster, uint64_t step_ns);

/* Puts bytes on the way to the client as they are. */
void fake_inject(struct fake_node *node, const void *bytes, uint32_t byte_count);
/* A message of that node to the client. */
void fake_say(struct fake_node *node, const struct message *message);

#endif
