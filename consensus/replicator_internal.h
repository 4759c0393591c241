/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the pure core share. Everywhere: `self` the state, `now_ns` the input's time, `out` what
 * the step wants done. */
#ifndef TALLY_REPLICATOR_INTERNAL_H
#define TALLY_REPLICATOR_INTERNAL_H

#include "replicator.h"

#define NO_DEADLINE UINT64_MAX

/* ---- replicator.c: outputs, roles, terms ---- */

void output_event(struct replicator_output *out, enum replicator_event_kind kind, uint64_t node_id,
                  uint64_t term, uint64_t index);
/* A message with its envelope filled in; the caller fills the rest. It shows our term, so it is not released
 * before that is durable (rule 6). */
struct message *output_message(struct replicator *self, struct replicator_output *out, uint64_t receiver_id,
                               enum message_kind kind, uint64_t message_id);
uint64_t next_message_id(struct replicator *self, uint64_t now_ns);
void timer_reset(struct replicator *self, uint64_t now_ns);
void role_become(struct replicator *self, enum replicator_role role, struct replicator_output *out);
void hard_state_change(struct replicator *self, uint64_t term, uint64_t voted_for,
                       struct replicator_output *out);
/* A leader or candidate becomes follower in its own term. */
void step_down(struct replicator *self, uint64_t now_ns, struct replicator_output *out);
/* `term` is higher than ours (rule 20). */
void term_adopt(struct replicator *self, uint64_t term, uint64_t now_ns, struct replicator_output *out);
void leader_announce(struct replicator *self, uint64_t leader_id, struct replicator_output *out);
/* Rule 37. What the step had wanted done is forgotten. */
void replicator_fail(struct replicator *self, enum replicator_failure failure, struct replicator_output *out);
struct peer_progress *peer_find(struct replicator *self, uint64_t node_id);

/* ---- replicator_log.c ---- */

/* The run that holds `index`: its term and its last index. False when the term is not known here. */
bool log_run_at(const struct replicator *self, uint64_t index, uint64_t *ret_term, uint64_t *ret_run_last);
uint64_t log_run_first(const struct replicator *self, uint64_t index);
uint64_t log_last_term(const struct replicator *self);
/* Is a log that ends in (index, term) ahead of ours (positive), equal (0) or behind (negative)? */
int log_compare(const struct replicator *self, uint64_t last_index, uint64_t last_term);
void log_append(struct replicator *self, uint64_t last_index, uint64_t term);
/* Entries from `from` on go; `term_before` is the term of entry from - 1. */
void log_truncate(struct replicator *self, uint64_t from, uint64_t term_before);
/* False when there is no place for it. */
bool log_add_configuration(struct replicator *self, uint64_t index,
                           const struct configuration *configuration);
/* Forgets configurations that a newer committed one replaces. */
void log_prune_configurations(struct replicator *self);
const struct configuration *log_configuration(const struct replicator *self);
void peers_update(struct replicator *self);

/* ---- replicator_election.c ---- */

bool election_is_due(const struct replicator *self, uint64_t now_ns);
uint64_t election_deadline_ns(const struct replicator *self);
void election_tick(struct replicator *self, uint64_t now_ns, struct replicator_output *out);
void election_check_won(struct replicator *self, uint64_t now_ns, struct replicator_output *out);
void poll_receive(struct replicator *self, const struct message *message, uint64_t now_ns,
                  struct replicator_output *out);
void poll_receive_reply(struct replicator *self, const struct message *message, uint64_t now_ns,
                        struct replicator_output *out);
void vote_receive(struct replicator *self, const struct message *message, uint64_t now_ns,
                  struct replicator_output *out);
void vote_receive_reply(struct replicator *self, const struct message *message, uint64_t now_ns,
                        struct replicator_output *out);

/* ---- replicator_follower.c ---- */

void follower_receive_append(struct replicator *self, const struct message *message,
                             const struct entries_summary *entries, uint64_t now_ns,
                             struct replicator_output *out);
/* The turn ends, or an owed acknowledgement must go for another reason. */
void follower_acknowledge(struct replicator *self, struct replicator_output *out);

/* ---- replicator_leader.c ---- */

void leader_start(struct replicator *self, uint64_t now_ns, struct replicator_output *out);
void leader_tick(struct replicator *self, uint64_t now_ns, struct replicator_output *out);
uint64_t leader_deadline_ns(const struct replicator *self);
/* Has a majority answered appends sent within `window_ns`? */
bool leader_has_contact(const struct replicator *self, uint64_t window_ns, uint64_t now_ns);
void leader_submit(struct replicator *self, uint32_t entry_count, struct replicator_output *out);
void leader_send(struct replicator *self, uint64_t node_id, uint64_t last_index, uint64_t now_ns,
                 struct replicator_output *out);
void leader_receive_reply(struct replicator *self, const struct message *message, uint64_t now_ns,
                          struct replicator_output *out);

/* ---- replicator_commit.c ---- */

enum voter_value { VALUE_GRANTED, VALUE_DURABLE, VALUE_RECEIVED, VALUE_HEARD, VALUE_HEARD_HEALTHY };

/* What a majority (of both sets, if joint) of the newest configuration agrees on; `own` is this node's value,
 * used where it is a voter. 0 without a configuration. */
uint64_t voters_agreed(const struct replicator *self, enum voter_value value, uint64_t own);
/* The same for one set of a configuration. */
uint64_t set_agreed(const struct replicator *self, const uint64_t *ids, uint32_t count,
                    enum voter_value value, uint64_t own);
/* Rules 33 and 39, at a leader: after a durable index rose, and after a received one did. */
void commit_advance(struct replicator *self);
void replicated_advance(struct replicator *self);
/* Notices, configuration events and outcomes that are due and fit. */
void commit_deliver(struct replicator *self, struct replicator_output *out);
/* Rule 23: whatever is not decided stays unknown. */
void outcomes_abandon(struct replicator *self, struct replicator_output *out);

#endif
