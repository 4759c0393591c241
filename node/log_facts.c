/* SPDX-License-Identifier: Apache-2.0 */
#include "log_facts.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

#define ATTEMPTS 10

static void note_block(void *context, const struct tape_block_view *block)
{
    struct log_facts *facts = context;
    if (facts->first_chunk == 0) {
        facts->first_chunk = block->chunk_sequence;
    }
}

static void note_truncation(struct log_facts *facts, const struct record_head *head, uint64_t position)
{
    if (facts->truncation_count == facts->truncation_room) {
        size_t room = facts->truncation_room ? 2 * facts->truncation_room : 64;
        struct log_truncation *grown = realloc(facts->truncations, room * sizeof(*grown));
        ASSERT(grown != NULL);
        facts->truncations = grown;
        facts->truncation_room = room;
    }
    facts->truncations[facts->truncation_count++] = (struct log_truncation){
        .quorum_number = head->quorum_number, .position = position, .from = head->index};
}

static void note_record(void *context, const struct record_head *head, const uint8_t *payload,
                        uint64_t position)
{
    struct log_facts *facts = context;
    recovery_visit(&facts->recovery, head, payload, position);
    if (head->type == RECORD_TRUNCATE) {
        note_truncation(facts, head, position);
    }
}

static int compare(const void *a, const void *b)
{
    const struct log_truncation *left = a;
    const struct log_truncation *right = b;
    if (left->quorum_number != right->quorum_number) {
        return left->quorum_number < right->quorum_number ? -1 : 1;
    }
    return (left->position > right->position) - (left->position < right->position);
}

/* Sorted, and each with the lowest index that any from it on takes back. */
static void truncations_order(struct log_facts *facts)
{
    struct log_truncation *all = facts->truncations;
    if (facts->truncation_count > 0) {
        qsort(all, facts->truncation_count, sizeof(*all), compare);
    }
    for (size_t i = facts->truncation_count; i > 1; i--) {
        if (all[i - 2].quorum_number == all[i - 1].quorum_number && all[i - 1].from < all[i - 2].from) {
            all[i - 2].from = all[i - 1].from;
        }
    }
}

static void gather(struct log_facts *facts, struct device *device)
{
    *facts = (struct log_facts){0};
    arena_init(&facts->arena);
    recovery_init(&facts->recovery, &facts->arena, QUORUMS_MAX);
    facts->verdict = tape_scan_blocks(device, note_block, note_record, facts, &facts->report);
    truncations_order(facts);
}

void log_facts_fini(struct log_facts *facts)
{
    free(facts->truncations);
    arena_fini(&facts->arena);
}

void log_facts_gather(struct log_facts *facts, struct device *device, bool in_use)
{
    gather(facts, device);
    for (unsigned i = 1; in_use && facts->verdict == TAPE_DAMAGED && i < ATTEMPTS; i++) {
        log_facts_fini(facts);
        gather(facts, device);
    }
}

const struct recovered_quorum *log_facts_by_name(const struct log_facts *facts, const char *name)
{
    for (uint32_t i = 0; i < facts->recovery.quorum_count; i++) {
        if (strcmp(facts->recovery.quorums[i].name, name) == 0) {
            return &facts->recovery.quorums[i];
        }
    }
    return NULL;
}

const struct recovered_quorum *log_facts_by_number(const struct log_facts *facts, uint64_t number)
{
    for (uint32_t i = 0; i < facts->recovery.quorum_count; i++) {
        if (facts->recovery.quorums[i].number == number) {
            return &facts->recovery.quorums[i];
        }
    }
    return NULL;
}

bool log_facts_is_taken_back(const struct log_facts *facts, uint64_t quorum_number, uint64_t index,
                             uint64_t position)
{
    struct log_truncation key = {.quorum_number = quorum_number, .position = position};
    size_t low = 0;
    size_t high = facts->truncation_count;
    while (low < high) { /* the first of the quorum that is later */
        size_t middle = low + (high - low) / 2;
        if (compare(&facts->truncations[middle], &key) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < facts->truncation_count && facts->truncations[low].quorum_number == quorum_number &&
           facts->truncations[low].from <= index;
}
