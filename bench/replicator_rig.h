/* SPDX-License-Identifier: Apache-2.0 */
/* Three replicators of one quorum in one process. Nothing lies between them: a send is copied into a queue, a
 * write is durable at once, payloads do not exist. What is left is the pure core. For C and C++. */
#ifndef TALLY_REPLICATOR_RIG_H
#define TALLY_REPLICATOR_RIG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct replicator_rig;

/* Bootstrapped, with a leader elected; on the heap. */
struct replicator_rig *replicator_rig_create(void);
void replicator_rig_destroy(struct replicator_rig *rig);

/* Each makes the next input from the last one, so that it may be called for ever; one step each. After the
 * first of them the three are no cluster any more: create another rig for another operation. */
void replicator_rig_follow(struct replicator_rig *rig, uint32_t entry_count); /* a follower takes an append */
void replicator_rig_acknowledge(struct replicator_rig *rig,
                                uint32_t entry_count); /* the leader commits by one */
void replicator_rig_submit(struct replicator_rig *rig, uint32_t entry_count);
void replicator_rig_tick_leader(struct replicator_rig *rig); /* nothing is due */
void replicator_rig_tick_follower(struct replicator_rig *rig);

/* All it takes to commit a batch, on all three: submit, appends, durable notices, acknowledgements. */
void replicator_rig_commit(struct replicator_rig *rig, uint32_t entry_count);

/* Of the leader. */
uint64_t replicator_rig_commit_index(const struct replicator_rig *rig);

#ifdef __cplusplus
}
#endif

#endif
