/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants as code: of a state, and of the step between two states. For tests and the simulator. */
#include "replicator_internal.h"

#include "check.h"

static void check_log(const struct replicator *self)
{
    ASSERT(self->commit_index <= self->last_index);
    ASSERT(self->noticed_index <= self->commit_index);
    ASSERT(self->durable_index <= self->last_index);
    ASSERT(self->proved_index <= self->last_index);
    ASSERT(self->replicated_index >= self->commit_index);
    ASSERT(self->replicated_index <= self->last_index);
    ASSERT(self->run_count <= RUNS_MAX);
    ASSERT((self->run_count == 0) == (self->last_index == 0));
    for (uint32_t i = 0; i < self->run_count; i++) {
        uint64_t next = i + 1 < self->run_count ? self->runs[i + 1].first_index : self->last_index + 1;
        ASSERT(self->runs[i].first_index >= 1);
        ASSERT(self->runs[i].first_index < next);
        ASSERT(i == 0 || self->runs[i - 1].term < self->runs[i].term);
        ASSERT(self->runs[i].term > 0 || next <= 2); /* rule 10: term 0 is entry 1's alone */
    }
    ASSERT(log_last_term(self) <= self->term);
}

static void check_configurations(const struct replicator *self)
{
    ASSERT(self->configuration_count <= CONFIGURATIONS_MAX);
    for (uint32_t i = 0; i < self->configuration_count; i++) {
        ASSERT(self->configurations[i].index >= 1);
        ASSERT(self->configurations[i].index <= self->last_index);
        ASSERT(self->configurations[i].configuration.voter_count >= 1);
        ASSERT(i == 0 || self->configurations[i - 1].index < self->configurations[i].index);
    }
}

static void check_progress(const struct replicator *self, const struct peer_progress *peer)
{
    ASSERT(peer->durable_index <= peer->match_index);
    ASSERT(peer->match_index < peer->next_index);
    ASSERT(peer->next_index <= self->last_index + 1);
    ASSERT(peer->last_sent_index <= self->last_index);
    ASSERT(peer->probe_message_id == 0 || peer->mode == PROGRESS_PROBE);
}

static void check_peers(const struct replicator *self)
{
    ASSERT(self->peer_count <= PEERS_MAX);
    for (uint32_t i = 0; i < self->peer_count; i++) {
        ASSERT(self->peers[i].node_id != 0);
        ASSERT(self->peers[i].node_id != self->options.node_id);
        for (uint32_t j = 0; j < i; j++) {
            ASSERT(self->peers[j].node_id != self->peers[i].node_id);
        }
        if (self->role == REPLICATOR_LEADER) {
            check_progress(self, &self->peers[i]);
        }
    }
}

static void check_role(const struct replicator *self)
{
    ASSERT(self->role >= REPLICATOR_FOLLOWER);
    ASSERT(self->role <= REPLICATOR_FAILED);
    ASSERT((self->role == REPLICATOR_FAILED) == (self->failure != REPLICATOR_FAILURE_NONE));
    ASSERT(self->hard_state_durable <= self->hard_state_number);
    if (self->role == REPLICATOR_LEADER) {
        ASSERT(self->leader_id == self->options.node_id);
        ASSERT(self->voted_for == self->options.node_id);
        ASSERT(self->hard_state_durable == self->hard_state_number); /* rules 6, 17 */
        ASSERT(self->leader_start_index >= 1);
        ASSERT(self->leader_start_index <= self->last_index);
        ASSERT(log_last_term(self) == self->term);
    } else {
        ASSERT(self->leader_start_index == 0);
        ASSERT(self->leader_id != self->options.node_id);
    }
    ASSERT(self->role != REPLICATOR_CANDIDATE || self->voted_for == self->options.node_id);
    ASSERT(self->role == REPLICATOR_FOLLOWER || !self->poll_current);
    ASSERT(self->role == REPLICATOR_FOLLOWER || !self->acknowledgement_owed);
}

static void check_pending(const struct replicator *self)
{
    ASSERT(self->pending_count <= PENDING_RANGES_MAX);
    for (uint32_t i = 0; i < self->pending_count; i++) {
        ASSERT(self->pending[i].first_index <= self->pending[i].last_index);
        ASSERT(self->pending[i].term <= self->term);
    }
}

void replicator_check(const struct replicator *self)
{
    check_log(self);
    check_configurations(self);
    check_peers(self);
    check_role(self);
    check_pending(self);
}

static void check_kept(const struct replicator *before, const struct replicator *after)
{
    ASSERT(after->last_index >= before->commit_index);
    bool known_before;
    bool known_after;
    uint64_t term_before = replicator_term_at(before, before->commit_index, &known_before);
    uint64_t term_after = replicator_term_at(after, before->commit_index, &known_after);
    ASSERT(!known_before || !known_after || term_before == term_after);
}

static void check_same_term(const struct replicator *before, const struct replicator *after)
{
    ASSERT(before->voted_for == 0 || after->voted_for == before->voted_for);
    ASSERT(before->leader_id == 0 || after->leader_id == 0 || after->leader_id == before->leader_id);
    /* An office of this term, once left, is not taken again in it. */
    ASSERT(after->role != REPLICATOR_CANDIDATE || before->role == REPLICATOR_CANDIDATE);
    ASSERT(after->role != REPLICATOR_LEADER || before->role != REPLICATOR_FOLLOWER);
    if (before->role == REPLICATOR_LEADER && after->role == REPLICATOR_LEADER) {
        ASSERT(after->last_index >= before->last_index); /* leader append-only (Raft thesis 3.5) */
        ASSERT(after->leader_start_index == before->leader_start_index);
    }
}

void replicator_check_step(const struct replicator *before, const struct replicator *after)
{
    ASSERT(after->term >= before->term);
    ASSERT(after->commit_index >= before->commit_index);
    ASSERT(after->noticed_index >= before->noticed_index);
    ASSERT(after->hard_state_number >= before->hard_state_number);
    ASSERT(after->hard_state_durable >= before->hard_state_durable);
    ASSERT(after->hard_state_number > before->hard_state_number ||
           (after->term == before->term && after->voted_for == before->voted_for));
    ASSERT(after->role != before->role || after->failure == before->failure);
    ASSERT(before->role != REPLICATOR_FAILED || after->role == REPLICATOR_FAILED);
    check_kept(before, after);
    if (after->term == before->term) {
        check_same_term(before, after);
    }
}
