/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_check.h"

#include <string.h>

static void note_view(struct sim *sim, uint32_t node, uint32_t quorum, const struct replicator *replicator)
{
    struct node_view *view = &sim->nodes[node].views[quorum];
    if (replicator->commit_index != view->commit_index) {
        sim_trace(sim, TRACE_COMMIT, node, quorum, replicator->commit_index, replicator->term);
    }
    view->term = replicator->term;
    view->role = replicator->role;
    view->last_index = replicator->last_index;
    view->commit_index = replicator->commit_index;
    view->durable_index = replicator->durable_index;
    view->run_count = 0;
    if (replicator->role == REPLICATOR_LEADER) {
        view->run_count = replicator->run_count;
        memcpy(view->runs, replicator->runs, replicator->run_count * sizeof(view->runs[0]));
    }
}

/* What a node calls durable is on its disk. */
static void check_durable(struct sim *sim, uint32_t node, uint32_t quorum,
                          const struct replicator *replicator)
{
    bool found = false;
    uint64_t index = replicator->durable_index;
    uint64_t term = replicator_term_at(replicator, index, &found);
    if (index > replicator->last_index) {
        sim_fail(sim, SIM_SAFETY, "durable index: node %u has %lu durable of a log that ends at %lu",
                 node + 1, index, replicator->last_index);
    }
    if (index > 0 && found &&
        !stored_has(&sim->nodes[node].disk.durable, sim->truths[quorum].number, index, term)) {
        sim_fail(sim, SIM_SAFETY,
                 "durable index: node %u says entry %lu of term %lu is durable, its disk does not", node + 1,
                 index, term);
    }
}

void check_turn(struct sim *sim, uint32_t node)
{
    for (uint32_t quorum = 0; quorum < sim->options.quorum_count; quorum++) {
        const struct replicator *replicator = sim_node_replicator(&sim->nodes[node], quorum);
        if (!replicator) {
            continue;
        }
        if (replicator->role == REPLICATOR_FAILED && sim->nodes[node].disk.has_failed) {
            /* Rule 37. What it committed in the turn that it failed in counts, and was told. */
            check_commit(sim, node, quorum, replicator);
            note_view(sim, node, quorum, replicator);
            continue;
        }
        if (replicator->role == REPLICATOR_FAILED) {
            sim_fail(sim, SIM_SAFETY, "replicator of node %u failed with cause %lu", node + 1,
                     replicator->failure);
            return;
        }
        check_leader(sim, node, quorum, replicator);
        check_leader_log(sim, node, quorum, replicator);
        check_durable(sim, node, quorum, replicator);
        check_commit(sim, node, quorum, replicator);
        note_view(sim, node, quorum, replicator);
    }
}
