/* SPDX-License-Identifier: Apache-2.0 */
/* The checkers: they look at nodes, disks, frames and clients from outside and call sim_fail with the name of
 * the property that does not hold. Names of the first five: Raft thesis, Figure 3.2. */
#ifndef TALLY_SIM_CHECK_H
#define TALLY_SIM_CHECK_H

#include "sim.h"

/* ---- sim_check_log.c: log matching; and how a node's log may change ---- */

/* A record is on its way to `node`'s disk. */
void check_record_handed(struct sim *sim, uint32_t node, const struct record_head *head,
                         const uint8_t *payload);
/* Leader append-only. */
void check_leader_log(struct sim *sim, uint32_t node, uint32_t quorum, const struct replicator *replicator);

/* ---- sim_check_election.c: election safety, leader completeness, votes ---- */

void check_leader(struct sim *sim, uint32_t node, uint32_t quorum, const struct replicator *replicator);
/* Votes, terms and acknowledgements are on the disk before a frame shows them. */
void check_message_leaves(struct sim *sim, uint32_t node, const struct message *message);

/* ---- sim_check_commit.c: state machine safety; what was committed is on a majority of disks ---- */

void check_commit(struct sim *sim, uint32_t node, uint32_t quorum, const struct replicator *replicator);

/* ---- sim_check_disk.c: what was durable is found again ---- */

void check_scan(struct sim *sim, uint32_t node, enum tape_verdict verdict, bool is_contradicted,
                const struct stored *found);
/* After a node has started. */
void check_start(struct sim *sim, uint32_t node);
/* At the end of a run: every disk holds what was committed. */
void check_end(struct sim *sim);

/* ---- sim_check_client.c: outcomes and deliveries ---- */

void check_published(struct sim_client *client, uint64_t source_sequence);
/* A tally_event_fn; `context` is the sim_client. */
void check_client_event(void *context, const struct tally_event *event);
/* A DATA entry has become committed. */
void check_operation_committed(struct sim *sim, uint32_t quorum, const struct seen_entry *entry);

/* ---- sim_check.c ---- */

/* After each turn: all of the above that looks at a node. */
void check_turn(struct sim *sim, uint32_t node);

#endif
