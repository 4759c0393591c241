/* SPDX-License-Identifier: Apache-2.0 */
/* The codec as the dataplane wants it: frames are judged and routed here, on the dataplane core that received
 * them. */
#ifndef TALLY_CODEC_PORT_H
#define TALLY_CODEC_PORT_H

#include "arena.h"
#include "dataplane.h"
#include "routes.h"

/* One for each dataplane core: the context of its codec calls. */
struct codec_port *codec_port_create(struct arena *arena, uint64_t node_id, const struct routes *routes);

struct frame_codec_port codec_port_functions(void);

#endif
