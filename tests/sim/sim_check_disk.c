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

static uint32_t count_copies(const struct sim *sim, const struct truth *truth, const struct seen_entry *entry)
{
    uint32_t count = 0;
    for (uint32_t node = 0; node < sim->options.node_count; node++) {
        const struct stored *durable = &sim->nodes[node].disk.durable;
        count += stored_has(durable, truth->number, entry->index, entry->term) &&
                 stored_find(durable, truth->number)->entries[entry->index - 1].crc == entry->crc;
    }
    return count;
}

/* Copies of each committed entry: on every node after a rest, on a majority where a full tape stopped some.
 */
static void check_end_of(struct sim *sim, uint32_t quorum)
{
    const struct truth *truth = &sim->truths[quorum];
    uint32_t least = sim->options.fills_tape ? sim->options.node_count / 2 + 1 : sim->options.node_count;
    for (uint64_t index = 1; index <= truth->committed_count; index++) {
        const struct seen_entry *entry = truth_committed(truth, index);
        uint32_t copies = count_copies(sim, truth, entry);
        if (copies < least) {
            sim_fail(sim, SIM_SAFETY, "committed entry lost: entry %lu of term %lu is on %u nodes", index,
                     entry->term, copies);
            return;
        }
    }
}

void check_end(struct sim *sim)
{
    for (uint32_t node = 0; node < sim->options.node_count; node++) {
        sim_disk_scan(&sim->nodes[node].disk);
    }
    for (uint32_t quorum = 0; quorum < sim->options.quorum_count; quorum++) {
        check_end_of(sim, quorum);
    }
}
