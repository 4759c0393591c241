/* SPDX-License-Identifier: Apache-2.0 */
/* The log as the core sees it: runs of equal term, and the configurations in it. */
#include "replicator_internal.h"

#include <string.h>

#include "check.h"

static bool run_find(const struct log_run *runs, uint32_t run_count, uint64_t last_index, uint64_t index,
                     uint64_t *ret_term, uint64_t *ret_run_last)
{
    if (run_count == 0 || index > last_index || index < runs[0].first_index) {
        return false;
    }
    /* From the newest: nearly every question is about the end of the log. */
    uint32_t i = run_count - 1;
    while (index < runs[i].first_index) {
        i--;
    }
    *ret_term = runs[i].term;
    *ret_run_last = i + 1 < run_count ? runs[i + 1].first_index - 1 : last_index;
    return true;
}

bool log_run_at(const struct replicator *self, uint64_t index, uint64_t *ret_term, uint64_t *ret_run_last)
{
    if (index == 0) {
        *ret_term = 0;
        *ret_run_last = 0;
        return true;
    }
    return run_find(self->runs, self->run_count, self->last_index, index, ret_term, ret_run_last) ||
           run_find(self->older_runs, self->older_run_count, self->older_last_index, index, ret_term,
                    ret_run_last);
}

uint64_t log_run_first(const struct replicator *self, uint64_t index)
{
    for (uint32_t i = self->run_count; i > 0; i--) {
        if (index >= self->runs[i - 1].first_index) {
            return self->runs[i - 1].first_index;
        }
    }
    return index;
}

uint64_t log_last_term(const struct replicator *self)
{
    return self->run_count > 0 ? self->runs[self->run_count - 1].term : 0;
}

int log_compare(const struct replicator *self, uint64_t last_index, uint64_t last_term)
{
    uint64_t own_term = log_last_term(self);
    if (last_term != own_term) {
        return last_term > own_term ? 1 : -1;
    }
    if (last_index != self->last_index) {
        return last_index > self->last_index ? 1 : -1;
    }
    return 0;
}

void log_append(struct replicator *self, uint64_t last_index, uint64_t term)
{
    ASSERT(last_index > self->last_index);
    if (self->run_count == 0 || log_last_term(self) != term) {
        ASSERT(self->run_count == 0 || log_last_term(self) < term);
        if (self->run_count == RUNS_MAX) {
            /* The host looks older terms up when they are asked for. */
            memmove(&self->runs[0], &self->runs[1], (RUNS_MAX - 1) * sizeof(self->runs[0]));
            self->run_count--;
        }
        self->runs[self->run_count++] = (struct log_run){self->last_index + 1, term};
    }
    self->last_index = last_index;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void truncate_configurations(struct replicator *self, uint64_t from)
{
    uint32_t count = self->configuration_count;
    while (count > 0 && self->configurations[count - 1].index >= from) {
        count--;
        memset(&self->configurations[count], 0, sizeof(self->configurations[count]));
    }
    if (count != self->configuration_count) {
        self->configuration_count = count; /* rule 28: the newest that is left is in force */
        peers_update(self);
    }
}

void log_truncate(struct replicator *self, uint64_t from, uint64_t term_before)
{
    ASSERT(from > self->commit_index);
    ASSERT(from <= self->last_index);
    while (self->run_count > 0 && self->runs[self->run_count - 1].first_index >= from) {
        self->run_count--;
    }
    self->last_index = from - 1;
    if (self->run_count == 0 && from > 1) {
        /* Below all that was known: the message that made us truncate says what stands before. */
        self->runs[self->run_count++] = (struct log_run){from - 1, term_before};
    }
    if (self->older_last_index >= from) {
        self->older_last_index = 0;
        self->older_run_count = 0;
    }
    self->durable_index = smaller(self->durable_index, from - 1);
    self->proved_index = smaller(self->proved_index, from - 1);
    self->replicated_index = smaller(self->replicated_index, from - 1);
    truncate_configurations(self, from);
}

void log_prune_configurations(struct replicator *self)
{
    uint32_t drop = 0;
    while (drop + 1 < self->configuration_count &&
           self->configurations[drop + 1].index <= self->noticed_index) {
        drop++;
    }
    if (drop == 0) {
        return;
    }
    uint32_t left = self->configuration_count - drop;
    memmove(&self->configurations[0], &self->configurations[drop], left * sizeof(self->configurations[0]));
    memset(&self->configurations[left], 0, drop * sizeof(self->configurations[0]));
    self->configuration_count = left;
    peers_update(self);
}

bool log_add_configuration(struct replicator *self, uint64_t index, const struct configuration *configuration)
{
    if (self->configuration_count == CONFIGURATIONS_MAX) {
        log_prune_configurations(self);
    }
    if (self->configuration_count == CONFIGURATIONS_MAX) {
        return false;
    }
    struct logged_configuration *added = &self->configurations[self->configuration_count++];
    added->index = index;
    added->configuration = *configuration;
    peers_update(self);
    return true;
}

const struct configuration *log_configuration(const struct replicator *self)
{
    return self->configuration_count == 0
               ? NULL
               : &self->configurations[self->configuration_count - 1].configuration;
}

static void peer_add(struct replicator *self, const struct peer_progress *old, uint32_t old_count,
                     uint64_t node_id)
{
    if (node_id == self->options.node_id || peer_find(self, node_id) != NULL ||
        self->peer_count == PEERS_MAX) {
        return;
    }
    struct peer_progress *peer = &self->peers[self->peer_count++];
    for (uint32_t i = 0; i < old_count; i++) {
        if (old[i].node_id == node_id) {
            *peer = old[i];
            return;
        }
    }
    memset(peer, 0, sizeof(*peer));
    peer->node_id = node_id;
    peer->next_index = self->last_index + 1;
}

static void peers_add(struct replicator *self, const struct peer_progress *old, uint32_t old_count,
                      const uint64_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        peer_add(self, old, old_count, ids[i]);
    }
}

/* Rare: only when the configurations change. Keeps what is known of those who stay. */
void peers_update(struct replicator *self)
{
    struct peer_progress old[PEERS_MAX];
    uint32_t old_count = self->peer_count;
    memcpy(old, self->peers, sizeof(old));
    memset(self->peers, 0, sizeof(self->peers));
    self->peer_count = 0;
    for (uint32_t i = self->configuration_count; i > 0; i--) {
        const struct configuration *configuration = &self->configurations[i - 1].configuration;
        peers_add(self, old, old_count, configuration->voters, configuration->voter_count);
        peers_add(self, old, old_count, configuration->previous, configuration->previous_count);
        peers_add(self, old, old_count, configuration->learners, configuration->learner_count);
    }
    for (uint32_t i = 0; i < self->peer_count; i++) {
        self->peers[i].voter = configuration_has_voter(log_configuration(self), self->peers[i].node_id);
    }
}

uint64_t replicator_term_at(const struct replicator *self, uint64_t index, bool *ret_found)
{
    uint64_t term = 0;
    uint64_t run_last;
    *ret_found = log_run_at(self, index, &term, &run_last);
    return *ret_found ? term : 0;
}

const struct logged_configuration *replicator_configuration(const struct replicator *self)
{
    return self->configuration_count == 0 ? NULL : &self->configurations[self->configuration_count - 1];
}

const struct logged_configuration *replicator_configuration_at(const struct replicator *self, uint64_t index)
{
    for (uint32_t i = 0; i < self->configuration_count; i++) {
        if (self->configurations[i].index == index) {
            return &self->configurations[i];
        }
    }
    return NULL;
}
