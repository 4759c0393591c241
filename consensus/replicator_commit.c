/* SPDX-License-Identifier: Apache-2.0 */
/* What a majority agrees on, what is committed, and who is told (rules 2, 23, 33-35, 39). */
#include "replicator_internal.h"

#include <string.h>

#include "check.h"
#include "quorum.h"

static inline uint64_t peer_value(const struct replicator *self, const struct peer_progress *peer,
                                  enum voter_value value)
{
    switch (value) {
    case VALUE_GRANTED:
        return peer->granted == 1;
    case VALUE_DURABLE:
        return peer->durable_index;
    case VALUE_RECEIVED:
        return peer->match_index;
    case VALUE_HEARD:
        return peer->last_heard_ns;
    case VALUE_HEARD_HEALTHY:
        return peer->stall_ns <= self->options.disk_stall_limit_ns ? peer->last_heard_ns : 0;
    }
    return 0;
}

/* Who is not among the peers has been heard of nothing. */
static void values_collect(const struct replicator *self, const uint64_t *ids, uint32_t count,
                           enum voter_value value, uint64_t own, uint64_t *ret_values)
{
    for (uint32_t i = 0; i < count; i++) {
        ret_values[i] = ids[i] == self->options.node_id ? own : 0;
        for (uint32_t j = 0; j < self->peer_count; j++) {
            if (self->peers[j].node_id == ids[i]) {
                ret_values[i] = self->peers[j].lost ? 0 : peer_value(self, &self->peers[j], value);
                break;
            }
        }
    }
}

uint64_t set_agreed(const struct replicator *self, const uint64_t *ids, uint32_t count,
                    enum voter_value value, uint64_t own)
{
    uint64_t values[VOTERS_MAX];
    values_collect(self, ids, count, value, own, values);
    return quorum_set_agreed(values, count);
}

/* The hot case needs no search: the peers that vote are those of the one set, and who is missing is this
 * node. */
static inline uint64_t stable_agreed(const struct replicator *self, uint32_t voter_count,
                                     enum voter_value value, uint64_t own)
{
    uint64_t values[VOTERS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->peer_count && count < voter_count; i++) {
        if (self->peers[i].voter) {
            values[count++] = self->peers[i].lost ? 0 : peer_value(self, &self->peers[i], value);
        }
    }
    if (count < voter_count) {
        values[count++] = own;
    }
    ASSERT(count == voter_count);
    return quorum_set_agreed(values, count);
}

static inline uint64_t agreed(const struct replicator *self, enum voter_value value, uint64_t own)
{
    const struct configuration *configuration = log_configuration(self);
    if (configuration == NULL) {
        return 0;
    }
    if (!configuration->transitional) {
        return stable_agreed(self, configuration->voter_count, value, own);
    }
    struct quorum_values values;
    values_collect(self, configuration->voters, configuration->voter_count, value, own, values.voters);
    values_collect(self, configuration->previous, configuration->previous_count, value, own, values.previous);
    return quorum_agreed(configuration, &values);
}

uint64_t voters_agreed(const struct replicator *self, enum voter_value value, uint64_t own)
{
    return agreed(self, value, own);
}

/* Rule 33: an entry of an earlier term is never committed by counting (Raft thesis, Figure 3.7), only by an
 * entry of this term after it. The entries of this leadership are those from its leader-start entry on. */
void commit_advance(struct replicator *self)
{
#ifdef TALLY_MUTANT_COMMIT_PRIOR_TERM_BY_COUNTING
    self->leader_start_index = 0;
#endif
#ifdef TALLY_MUTANT_LEADER_COUNTS_RECEIVED
    uint64_t durable = agreed(self, VALUE_DURABLE, self->last_index);
#else
    uint64_t durable = agreed(self, VALUE_DURABLE, self->durable_index);
#endif
    if (durable > self->commit_index && durable >= self->leader_start_index) {
        self->commit_index = durable;
    }
    if (self->replicated_index < self->commit_index) {
        self->replicated_index = self->commit_index;
    }
}

void replicated_advance(struct replicator *self)
{
    uint64_t received = agreed(self, VALUE_RECEIVED, self->last_index);
    if (received > self->replicated_index && received >= self->leader_start_index) {
        self->replicated_index = received;
    }
}

static uint32_t configurations_between(const struct replicator *self, uint64_t first, uint64_t last)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->configuration_count; i++) {
        count += self->configurations[i].index >= first && self->configurations[i].index <= last;
    }
    return count;
}

/* Rule 35. */
static void configuration_events(const struct replicator *self, uint64_t first, uint64_t last, uint64_t term,
                                 struct replicator_output *out)
{
    for (uint32_t i = 0; i < self->configuration_count; i++) {
        uint64_t index = self->configurations[i].index;
        if (index >= first && index <= last) {
            output_event(out, EVENT_QUORUM_CONFIGURATION_COMMITTED, self->options.node_id, term, index);
        }
    }
}

_Static_assert(CONFIGURATIONS_MAX <= EVENTS_MAX, "the events of one notice fit an empty output");

/* One notice per run of equal term, in index order (rule 34). */
static bool notice_next(struct replicator *self, struct replicator_output *out)
{
    uint64_t first = self->noticed_index + 1;
    uint64_t term;
    uint64_t last;
    if (!log_run_at(self, first, &term, &last)) {
        out->need_terms_index = first;
        return false;
    }
    if (last > self->commit_index) {
        last = self->commit_index;
    }
    if (out->notice_count == NOTICES_MAX ||
        out->event_count + configurations_between(self, first, last) > EVENTS_MAX) {
        out->again = 1;
        return false;
    }
    configuration_events(self, first, last, term, out);
    out->notices[out->notice_count++] = (struct commit_notice){first, last, term};
    self->noticed_index = last;
    return true;
}

/* Rule 23: decided by what is committed at the receipt's index, never by a truncation. */
static bool outcome_next(struct replicator *self, struct pending_range *range, struct replicator_output *out)
{
    uint64_t term;
    uint64_t last;
    if (!log_run_at(self, range->first_index, &term, &last)) {
        out->need_terms_index = range->first_index;
        return false;
    }
    if (out->outcome_count == OUTCOMES_MAX) {
        out->again = 1;
        return false;
    }
    last = last < self->commit_index ? last : self->commit_index;
    last = last < range->last_index ? last : range->last_index;
    out->outcomes[out->outcome_count++] = (struct range_outcome){
        .first_index = range->first_index,
        .last_index = last,
        .term = range->term,
        .outcome = term == range->term ? OUTCOME_COMMITTED : OUTCOME_SUPERSEDED,
    };
    range->first_index = last + 1;
    return true;
}

static void pending_drop(struct replicator *self, uint32_t at)
{
    self->pending_count--;
    memmove(&self->pending[at], &self->pending[at + 1],
            (self->pending_count - at) * sizeof(self->pending[0]));
    memset(&self->pending[self->pending_count], 0, sizeof(self->pending[0]));
}

static void outcomes_decide(struct replicator *self, struct replicator_output *out)
{
    uint32_t i = 0;
    while (i < self->pending_count) {
        struct pending_range *range = &self->pending[i];
        if (range->first_index > range->last_index) {
            pending_drop(self, i);
        } else if (range->first_index > self->commit_index) {
            i++;
        } else if (!outcome_next(self, range, out)) {
            return;
        }
    }
}

void commit_deliver(struct replicator *self, struct replicator_output *out)
{
    if (self->noticed_index < self->commit_index) {
        log_prune_configurations(self);
        while (self->noticed_index < self->commit_index && notice_next(self, out)) {
        }
    }
    if (self->pending_count > 0) {
        outcomes_decide(self, out);
    }
}

void outcomes_abandon(struct replicator *self, struct replicator_output *out)
{
    while (self->pending_count > 0) {
        if (out->outcome_count == OUTCOMES_MAX) {
            out->again = 1;
            return;
        }
        const struct pending_range *range = &self->pending[0];
        out->outcomes[out->outcome_count++] = (struct range_outcome){
            .first_index = range->first_index,
            .last_index = range->last_index,
            .term = range->term,
            .outcome = OUTCOME_UNKNOWN,
        };
        pending_drop(self, 0);
    }
}
