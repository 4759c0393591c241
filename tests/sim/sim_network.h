/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated network: loses, doubles, delays and cuts frames short as the run's options say, and loses all
 * of them where a fault has cut the way. */
#ifndef TALLY_SIM_NETWORK_H
#define TALLY_SIM_NETWORK_H

#include "sim_node.h"

struct sim_route {
    uint32_t from;
    uint32_t to;
    uint64_t from_life;
    uint64_t to_life; /* 0: whoever lives there */
};

/* Copies the bytes. */
void sim_network_send(struct sim *sim, const struct sim_route *route, const uint8_t *bytes,
                      uint32_t byte_count);
/* Takes the frame. */
void sim_network_arrive(struct sim *sim, struct sim_frame *frame);
bool sim_network_is_cut(const struct sim *sim, uint32_t from, uint32_t to);

#endif
