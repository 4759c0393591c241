/* SPDX-License-Identifier: Apache-2.0 */
/* Two passes: the first finds the bounds and every truncation, the second visits what no later truncation
 * took back. */
#include "log_walk.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

struct truncation {
    uint64_t position;
    uint64_t from; /* after the first pass: the lowest index that this or any later truncation takes back */
};

struct walk {
    struct recovery recovery;
    const char *name;
    uint64_t number;
    struct truncation *truncations;
    size_t truncation_count;
    size_t truncation_next;
    uint64_t end_index;
    uint64_t visited_count;
    tape_visit *visit;
    void *context;
};

static const struct recovered_quorum *find(const struct walk *walk)
{
    for (uint32_t i = 0; i < walk->recovery.quorum_count; i++) {
        if (strcmp(walk->recovery.quorums[i].name, walk->name) == 0) {
            return &walk->recovery.quorums[i];
        }
    }
    return NULL;
}

static void note(void *context, const struct record_head *head, const uint8_t *payload, uint64_t position)
{
    struct walk *walk = context;
    recovery_visit(&walk->recovery, head, payload, position);
    if (walk->number == 0) {
        const struct recovered_quorum *quorum = find(walk);
        walk->number = quorum ? quorum->number : 0;
    }
    if (head->type != RECORD_TRUNCATE || head->quorum_number != walk->number) {
        return;
    }
    struct truncation *grown =
        realloc(walk->truncations, (walk->truncation_count + 1) * sizeof(*walk->truncations));
    ASSERT(grown != NULL);
    walk->truncations = grown;
    walk->truncations[walk->truncation_count++] =
        (struct truncation){.position = position, .from = head->index};
}

static void visit_valid(void *context, const struct record_head *head, const uint8_t *payload,
                        uint64_t position)
{
    struct walk *walk = context;
    while (walk->truncation_next < walk->truncation_count &&
           walk->truncations[walk->truncation_next].position <= position) {
        walk->truncation_next++;
    }
    uint64_t taken_back = walk->truncation_next < walk->truncation_count
                              ? walk->truncations[walk->truncation_next].from
                              : UINT64_MAX;
    if (head->quorum_number == walk->number && record_type_is_entry(head->type) && head->index < taken_back &&
        head->index <= walk->end_index) {
        walk->visited_count++;
        walk->visit(walk->context, head, payload, position);
    }
}

struct log_walk_result log_walk(struct device *device, const char *quorum, bool all, tape_visit *visit,
                                void *context)
{
    struct walk walk = {.name = quorum, .visit = visit, .context = context};
    struct log_walk_result result = {0};
    struct arena arena;
    arena_init(&arena);
    recovery_init(&walk.recovery, &arena, QUORUMS_MAX);
    result.verdict = tape_scan(device, note, &walk, &result.report);
    const struct recovered_quorum *found = find(&walk);
    if (found) {
        struct replicator_restart restart = recovery_restart(found);
        result.found = true;
        result.contradicted = recovery_contradicts(found);
        result.last_index = restart.last_index;
        result.commit_index = restart.commit_index;
        walk.end_index = all ? restart.last_index : restart.commit_index;
        for (size_t i = walk.truncation_count; i > 1; i--) {
            if (walk.truncations[i - 1].from < walk.truncations[i - 2].from) {
                walk.truncations[i - 2].from = walk.truncations[i - 1].from;
            }
        }
        struct tape_report second;
        if (result.verdict == TAPE_OPEN) {
            result.verdict = tape_scan(device, visit_valid, &walk, &second);
        }
        result.visited_count = walk.visited_count;
    }
    free(walk.truncations);
    arena_fini(&arena);
    return result;
}
