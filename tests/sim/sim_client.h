/* SPDX-License-Identifier: Apache-2.0 */
/* One simulated client process: libtally itself, with the simulator's clock and transport. It publishes
 * numbered operations or follows the log. A restart forgets all but the source id, and how far a subscriber
 * got. */
#ifndef TALLY_SIM_CLIENT_H
#define TALLY_SIM_CLIENT_H

#include "client.h"
#include "sim_node.h"

enum operation_state {
    OPERATION_UNDECIDED,
    OPERATION_COMMITTED, /* as told to the client, like those below */
    OPERATION_REFUSED,
    OPERATION_UNKNOWN,
    OPERATION_ABANDONED, /* its process died first: whatever happened to it is right */
};

struct sim_operation {
    enum operation_state state;
    uint64_t source_sequence; /* 0: not known yet */
    uint64_t committed_index; /* where the log has it; 0: nowhere so far */
};

struct sim_transport {
    struct transport port; /* what the client gets */
    struct sim_client *client;
    uint32_t node;
    uint64_t node_life;
    struct sim_lane arrived;
};

struct sim_client {
    struct sim *sim;
    uint32_t index;
    uint32_t quorum;
    bool is_publisher;
    bool is_running;
    uint64_t life;
    struct tally_client *tally;
    struct sim_transport transports[SIM_NODES_MAX];
    uint64_t poll_ns; /* when the next poll is planned */
    uint64_t poll_ticket;
    /* a publisher */
    uint64_t source_id;
    struct sim_operation *operations;
    uint32_t operation_count;
    uint32_t operation_capacity;
    uint32_t operation_target;
    uint32_t *undecided; /* operations, in order of publishing */
    uint32_t undecided_count;
    uint64_t publish_ns;
    /* a subscriber */
    uint64_t next_index;
};

void sim_client_init(struct sim_client *client, struct sim *sim, uint32_t index);
void sim_client_fini(struct sim_client *client);
void sim_client_open(struct sim_client *client);
void sim_client_kill(struct sim_client *client);
void sim_client_poll(struct sim_client *client);
/* A poll at the latest then. */
void sim_client_wake(struct sim_client *client, uint64_t time_ns);
/* Takes the frame. */
void sim_client_receive(struct sim_client *client, struct sim_frame *frame);
/* At most these many more; at the end of faults. */
void sim_client_publish_more(struct sim_client *client, uint32_t operation_count);
bool sim_client_is_done(const struct sim_client *client);

/* What libtally asks the kernel for: the simulator gives it from the seed. */
void sim_random_set(struct prng *prng);

#endif
