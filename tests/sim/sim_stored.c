/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_stored.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

void stored_init(struct stored *stored)
{
    *stored = (struct stored){0};
}

void stored_fini(struct stored *stored)
{
    for (unsigned i = 0; i < SIM_QUORUMS_MAX; i++) {
        free(stored->quorums[i].entries);
    }
    stored_init(stored);
}

static struct stored_quorum *find_or_add(struct stored *stored, uint64_t number)
{
    for (unsigned i = 0; i < SIM_QUORUMS_MAX; i++) {
        if (stored->quorums[i].number == number || stored->quorums[i].number == 0) {
            stored->quorums[i].number = number;
            return &stored->quorums[i];
        }
    }
    return NULL;
}

static bool add_entry(struct stored_quorum *quorum, const struct record_head *head)
{
    if (head->index != quorum->last_index + 1) {
        return false;
    }
    if (quorum->last_index == quorum->capacity) {
        quorum->capacity = quorum->capacity ? 2 * quorum->capacity : 256;
        quorum->entries = realloc(quorum->entries, quorum->capacity * sizeof(quorum->entries[0]));
        ASSERT(quorum->entries != NULL);
    }
    quorum->entries[quorum->last_index++] = (struct stored_entry){.term = head->term, .crc = head->crc};
    return true;
}

bool stored_apply(struct stored *stored, const struct record_head *head)
{
    struct stored_quorum *quorum = find_or_add(stored, head->quorum_number);
    stored->record_count++;
    if (!quorum || head->quorum_number == 0) {
        return false;
    }
    if (record_type_is_entry(head->type)) {
        return add_entry(quorum, head);
    }
    if (head->type == RECORD_HARD_STATE) {
        quorum->term = head->term;
        quorum->voted_for = head->index;
    } else if (head->type == RECORD_TRUNCATE) {
        if (head->index == 0 || head->index > quorum->last_index) {
            return false;
        }
        quorum->last_index = head->index - 1;
    }
    return true;
}

const struct stored_quorum *stored_find(const struct stored *stored, uint64_t number)
{
    for (unsigned i = 0; i < SIM_QUORUMS_MAX; i++) {
        if (stored->quorums[i].number == number) {
            return &stored->quorums[i];
        }
    }
    return NULL;
}

bool stored_has(const struct stored *stored, uint64_t number, uint64_t index, uint64_t term)
{
    const struct stored_quorum *quorum = stored_find(stored, number);
    return quorum && index >= 1 && index <= quorum->last_index && quorum->entries[index - 1].term == term;
}

void stored_copy(struct stored *to, const struct stored *from)
{
    *to = *from;
    for (unsigned i = 0; i < SIM_QUORUMS_MAX; i++) {
        const struct stored_quorum *quorum = &from->quorums[i];
        if (quorum->capacity > 0) {
            to->quorums[i].entries = malloc(quorum->capacity * sizeof(quorum->entries[0]));
            ASSERT(to->quorums[i].entries != NULL);
            memcpy(to->quorums[i].entries, quorum->entries, quorum->last_index * sizeof(quorum->entries[0]));
        }
    }
}
