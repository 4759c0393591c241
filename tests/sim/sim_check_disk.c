/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_check.h"

void check_scan(struct sim *sim, uint32_t node, enum tape_verdict verdict, bool is_contradicted,
                const struct stored *found)
{
    const struct sim_disk *disk = &sim->nodes[node].disk;
    if (verdict != TAPE_OPEN) {
        sim_fail(sim, SIM_SAFETY, "recovery: the tape of node %u is %s", node + 1,
                 tape_verdict_name(verdict));
    } else if (is_contradicted) {
        sim_fail(sim, SIM_SAFETY, "recovery: the records of node %u are damaged or contradict each other",
                 node + 1);
    } else if (found->record_count < disk->durable.record_count) {
        sim_fail(sim, SIM_SAFETY, "recovery: node %u has %lu records, %lu were durable", node + 1,
                 found->record_count, disk->durable.record_count);
    } else if (found->record_count > disk->handed.record_count) {
        sim_fail(sim, SIM_SAFETY, "recovery: node %u has %lu records, %lu were written", node + 1,
                 found->record_count, disk->handed.record_count);
    }
}

void check_start(struct sim *sim, uint32_t node)
{
    for (uint32_t quorum = 0; quorum < sim->options.quorum_count; quorum++) {
        const struct replicator *replicator = sim_node_replicator(&sim->nodes[node], quorum);
        const struct stored_quorum *stored =
            stored_find(&sim->nodes[node].disk.durable, sim->truths[quorum].number);
        uint64_t last_index = stored ? stored->last_index : 0;
        if (!stored && !replicator) {
            continue;
        }
        if (!replicator || !stored || replicator->term != stored->term ||
            replicator->voted_for != stored->voted_for || replicator->last_index != last_index) {
            sim_fail(sim, SIM_SAFETY, "recovery: node %u starts quorum %u not as its disk says", node + 1,
                     quorum);
        }
    }
    check_turn(sim, node);
}

static void check_end_of(struct sim *sim, uint32_t node, uint32_t quorum)
{
    const struct truth *truth = &sim->truths[quorum];
    const struct stored_quorum *stored = stored_find(&sim->nodes[node].disk.durable, truth->number);
    for (uint64_t index = 1; index <= truth->committed_count; index++) {
        const struct seen_entry *entry = truth_committed(truth, index);
        if (!stored || index > stored->last_index || stored->entries[index - 1].term != entry->term ||
            stored->entries[index - 1].crc != entry->crc) {
            sim_fail(sim, SIM_SAFETY, "committed entry lost: node %u has no entry %lu of term %lu", node + 1,
                     index, entry->term);
            return;
        }
    }
}

void check_end(struct sim *sim)
{
    for (uint32_t node = 0; node < sim->options.node_count; node++) {
        sim_disk_scan(&sim->nodes[node].disk);
        for (uint32_t quorum = 0; quorum < sim->options.quorum_count; quorum++) {
            check_end_of(sim, node, quorum);
        }
    }
}
