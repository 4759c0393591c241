/* SPDX-License-Identifier: Apache-2.0 */
/* Two passes: the first (log_facts) finds the bounds and every truncation, the second visits what no later
 * truncation took back. */
#include "log_walk.h"

struct walk {
    const struct log_facts *facts;
    uint64_t number;
    uint64_t end_index;
    tape_visit *visit;
    void *context;
    uint64_t next_index;
    struct log_walk_result *result;
};

static void visit_valid(void *context, const struct record_head *head, const uint8_t *payload,
                        uint64_t position)
{
    struct walk *walk = context;
    struct log_walk_result *result = walk->result;
    if (head->quorum_number != walk->number || !record_type_is_entry(head->type) ||
        head->index > walk->end_index ||
        log_facts_is_taken_back(walk->facts, head->quorum_number, head->index, position)) {
        return;
    }
    if (result->visited_count == 0) {
        result->first_index = head->index;
    } else {
        result->has_hole |= head->index != walk->next_index;
    }
    walk->next_index = head->index + 1;
    result->visited_count++;
    walk->visit(walk->context, head, payload, position);
}

/* Only a tape that has gone round may begin later than with entry 1. */
static bool ends_are_right(const struct walk *walk)
{
    const struct log_walk_result *result = walk->result;
    if (result->visited_count == 0) {
        return walk->end_index == 0 || walk->facts->first_chunk > 1;
    }
    return walk->next_index == walk->end_index + 1 &&
           (result->first_index == 1 || walk->facts->first_chunk > 1);
}

struct log_walk_result log_walk_with(const struct log_facts *facts, struct device *device, const char *quorum,
                                     bool all, tape_visit *visit, void *context)
{
    struct log_walk_result result = {.verdict = facts->verdict, .report = facts->report};
    const struct recovered_quorum *found = log_facts_by_name(facts, quorum);
    if (!found) {
        return result;
    }
    struct replicator_restart restart = recovery_restart(found);
    result.found = true;
    result.contradicted = recovery_contradicts(found);
    result.last_index = restart.last_index;
    result.commit_index = restart.commit_index;
    struct walk walk = {.facts = facts,
                        .number = found->number,
                        .end_index = all ? restart.last_index : restart.commit_index,
                        .visit = visit,
                        .context = context,
                        .result = &result};
    struct tape_report second;
    if (result.verdict == TAPE_OPEN) {
        enum tape_verdict verdict = tape_scan(device, visit_valid, &walk, &second);
        /* damage that the first pass did not see is a node that outran this one: what is missing is a hole */
        result.verdict = verdict == TAPE_DAMAGED ? TAPE_OPEN : verdict;
        result.has_hole |= !ends_are_right(&walk);
    }
    return result;
}

struct log_walk_result log_walk(struct device *device, const char *quorum, bool all, tape_visit *visit,
                                void *context)
{
    struct log_facts facts;
    log_facts_gather(&facts, device, false);
    struct log_walk_result result = log_walk_with(&facts, device, quorum, all, visit, context);
    log_facts_fini(&facts);
    return result;
}
