/* SPDX-License-Identifier: Apache-2.0 */
/* libtally's transport over the simulated network. */
#ifndef TALLY_SIM_TRANSPORT_H
#define TALLY_SIM_TRANSPORT_H

#include "sim_client.h"

/* client_hooks' transport_create; `context` is the sim_client. */
struct transport *sim_transport_create(void *context, struct arena *arena,
                                       const struct tally_endpoint *endpoint);
void sim_transport_clear(struct sim_transport *transport);

#endif
