/* SPDX-License-Identifier: Apache-2.0 */
/* Two threads, each on a processor of its own where there are two, and what lies between two cores of a node
 * (rte_ring, descriptors of 64 bytes) or between two processes (a shared-memory channel, frames). The second
 * thread sends back whatever arrives. For C and C++. */
#ifndef TALLY_HOP_RIG_H
#define TALLY_HOP_RIG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hop_rig;

enum hop_rig_kind { HOP_RIG_RING, HOP_RIG_CHANNEL_CONTROL, HOP_RIG_CHANNEL_BULK };

/* NULL when the channel cannot be made. `frame_bytes`: of a frame; a descriptor has always 64. */
struct hop_rig *hop_rig_create(enum hop_rig_kind kind, uint32_t frame_bytes);
void hop_rig_destroy(struct hop_rig *rig);

/* One element there and back: two hops. */
void hop_rig_round_trip(struct hop_rig *rig);

#ifdef __cplusplus
}
#endif

#endif
