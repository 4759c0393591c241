/* SPDX-License-Identifier: Apache-2.0 */
/* Log matching: two logs that hold an entry of equal index and term are equal up to it. By induction over
 * what was ever handed to a disk: equal (index, term) means equal bytes and an equal entry before. */
#include "sim_check.h"

#include <string.h>

#include "stream_entry.h"

static void fill_data(struct seen_entry *entry, const struct record_head *head, const uint8_t *payload)
{
    struct stream_data_head data;
    const uint8_t *blocks = payload + STREAM_DATA_HEAD_BYTES;
    if (head->length < RECORD_HEAD_BYTES + STREAM_DATA_HEAD_BYTES + BLOCK_HEAD_BYTES + sizeof(uint64_t) ||
        !stream_data_head_decode(payload, head->length - (size_t)RECORD_HEAD_BYTES, &data)) {
        return;
    }
    entry->message_count = data.message_count;
    entry->base_sequence = data.base_sequence;
    entry->source_id = data.source_id;
    entry->source_sequence = data.source_sequence;
    entry->operation = load_le64(blocks + BLOCK_HEAD_BYTES);
}

static void see_entry(struct sim *sim, uint32_t node, const struct record_head *head, const uint8_t *payload)
{
    struct truth *truth = sim_truth(sim, head->quorum_number);
    const struct stored_quorum *before = stored_find(&sim->nodes[node].disk.handed, head->quorum_number);
    struct seen_entry entry = {
        .index = head->index, .term = head->term, .crc = head->crc, .type = head->type};
    if (head->index > 1 && before && before->last_index >= head->index - 1) {
        entry.previous_term = before->entries[head->index - 2].term;
    }
    const struct seen_entry *known = truth_find(truth, head->index, head->term);
    if (!known) {
        if (head->type == RECORD_DATA) {
            fill_data(&entry, head, payload);
        }
        truth_add(truth, &entry);
    } else if (known->crc != entry.crc || known->previous_term != entry.previous_term) {
        sim_fail(sim, SIM_SAFETY,
                 "log matching: node %u has another entry %lu of term %lu, or another before it", node + 1,
                 head->index, head->term);
    }
}

void check_record_handed(struct sim *sim, uint32_t node, const struct record_head *head,
                         const uint8_t *payload)
{
    if (!sim_truth(sim, head->quorum_number)) {
        sim_fail(sim, SIM_SAFETY, "node %u writes a record of no quorum", node + 1);
        return;
    }
    if (record_type_is_entry(head->type)) {
        see_entry(sim, node, head, payload);
    }
    if (!stored_apply(&sim->nodes[node].disk.handed, head)) {
        sim_fail(sim, SIM_SAFETY, "node %u writes %s %lu, which does not follow what is on its disk",
                 node + 1, record_type_name(head->type), head->index);
    }
}

void check_leader_log(struct sim *sim, uint32_t node, uint32_t quorum, const struct replicator *replicator)
{
    const struct node_view *view = &sim->nodes[node].views[quorum];
    if (view->role != REPLICATOR_LEADER || replicator->role != REPLICATOR_LEADER ||
        view->term != replicator->term) {
        return;
    }
    if (replicator->last_index < view->last_index) {
        sim_fail(sim, SIM_SAFETY, "leader append-only: node %u cut its log of term %lu from %lu to %lu",
                 node + 1, view->term, view->last_index, replicator->last_index);
    }
    if (replicator->run_count < view->run_count ||
        memcmp(replicator->runs, view->runs, view->run_count * sizeof(view->runs[0])) != 0) {
        sim_fail(sim, SIM_SAFETY, "leader append-only: node %u changed entries while it led term %lu",
                 node + 1, view->term);
    }
}
