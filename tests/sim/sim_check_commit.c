/* SPDX-License-Identifier: Apache-2.0 */
/* State machine safety: no two nodes commit different entries at one index. And the promise behind it:
 * whatever a node calls committed is on stable storage on a majority at that moment. */
#include "sim_check.h"

static uint32_t count_durable(const struct sim *sim, const struct truth *truth,
                              const struct seen_entry *entry)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < sim->options.node_count; i++) {
        count += stored_has(&sim->nodes[i].disk.durable, truth->number, entry->index, entry->term);
    }
    return count;
}

/* The stream's sequence goes on without a hole or an overlap. */
static void check_stream(struct sim *sim, struct truth *truth, const struct seen_entry *entry)
{
    if (entry->type == RECORD_OPEN) {
        truth->next_stream_sequence = 1;
    }
    if (entry->type != RECORD_DATA) {
        return;
    }
    if (entry->base_sequence != truth->next_stream_sequence) {
        sim_fail(sim, SIM_SAFETY, "stream sequence: committed entry %lu begins at %lu, expected %lu",
                 entry->index, entry->base_sequence, truth->next_stream_sequence);
    }
    truth->next_stream_sequence += entry->message_count;
}

static bool commit_first(struct sim *sim, uint32_t node, uint32_t quorum, uint64_t index, uint64_t term,
                         uint64_t commit_term)
{
    struct truth *truth = &sim->truths[quorum];
    const struct seen_entry *entry = truth_find(truth, index, term);
    if (!entry) {
        sim_fail(sim, SIM_SAFETY, "commit: node %u commits entry %lu of term %lu, which no disk has",
                 node + 1, index, term);
        return false;
    }
    uint32_t copies = count_durable(sim, truth, entry);
    if (copies < sim->options.node_count / 2 + 1) {
        sim_fail(sim, SIM_SAFETY,
                 "commit: node %u commits entry %lu of term %lu, which is durable on %u nodes", node + 1,
                 index, term, copies);
        return false;
    }
    truth_commit(truth, entry, commit_term);
    check_stream(sim, truth, entry);
    sim->counters.committed++;
    if (entry->type == RECORD_DATA) {
        check_operation_committed(sim, quorum, entry);
    }
    return true;
}

/* A leader counts copies of entries of its own term only; earlier ones are committed with them (Raft
 * thesis 3.6.2). What it would lose otherwise takes four elections in a certain order, Figure 3.7: too rare
 * to wait for. */
static void check_own_term(struct sim *sim, uint32_t node, uint32_t quorum,
                           const struct replicator *replicator)
{
    const struct node_view *view = &sim->nodes[node].views[quorum];
    bool found = false;
    uint64_t term = replicator_term_at(replicator, replicator->commit_index, &found);
    if (view->role == REPLICATOR_LEADER && view->term == replicator->term &&
        replicator->role == REPLICATOR_LEADER && replicator->commit_index > view->commit_index && found &&
        term != replicator->term) {
        sim_fail(sim, SIM_SAFETY,
                 "commit by counting: node %u leads term %lu and commits entry %lu of term %lu", node + 1,
                 replicator->term, replicator->commit_index, term);
    }
}

void check_commit(struct sim *sim, uint32_t node, uint32_t quorum, const struct replicator *replicator)
{
    const struct truth *truth = &sim->truths[quorum];
    const struct node_view *view = &sim->nodes[node].views[quorum];
    if (replicator->commit_index < view->commit_index) {
        sim_fail(sim, SIM_SAFETY, "commit: node %u fell from %lu to %lu", node + 1, view->commit_index,
                 replicator->commit_index);
    }
    if (replicator->commit_index > replicator->last_index) {
        sim_fail(sim, SIM_SAFETY, "commit: node %u commits %lu of a log that ends at %lu", node + 1,
                 replicator->commit_index, replicator->last_index);
        return;
    }
    check_own_term(sim, node, quorum, replicator);
    for (uint64_t index = view->commit_index + 1; index <= replicator->commit_index; index++) {
        bool found = false;
        uint64_t term = replicator_term_at(replicator, index, &found);
        const struct seen_entry *committed = truth_committed(truth, index);
        if (!committed) {
            if (!found || !commit_first(sim, node, quorum, index, term, replicator->term)) {
                return;
            }
        } else if (found && term != committed->term) {
            sim_fail(sim, SIM_SAFETY,
                     "state machine safety: at index %lu node %u commits term %lu, others %lu", index,
                     node + 1, term, committed->term);
            return;
        }
    }
}
