/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_truth.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

static void *grow(void *array, size_t element_bytes, uint64_t *capacity)
{
    *capacity = *capacity ? 2 * *capacity : 256;
    array = realloc(array, element_bytes * *capacity);
    ASSERT(array != NULL);
    return array;
}

static void *grow32(void *array, size_t element_bytes, uint32_t *capacity)
{
    uint64_t wide = *capacity;
    array = grow(array, element_bytes, &wide);
    *capacity = (uint32_t)wide;
    return array;
}

void truth_init(struct truth *truth, const char *name, uint64_t number)
{
    *truth = (struct truth){.number = number, .place_count = 1u << 14};
    strcpy(truth->name, name);
    truth->places = malloc(truth->place_count * sizeof(truth->places[0]));
    ASSERT(truth->places != NULL);
    memset(truth->places, 0xFF, truth->place_count * sizeof(truth->places[0]));
}

void truth_fini(struct truth *truth)
{
    free(truth->seen);
    free(truth->places);
    free(truth->committed);
    free(truth->leaderships);
    free(truth->votes);
}

static uint32_t find_place(const struct truth *truth, uint64_t index, uint64_t term)
{
    uint64_t mixed = (index * 0x9E3779B97F4A7C15u) ^ (term * 0xBF58476D1CE4E5B9u);
    uint32_t place = (uint32_t)(mixed >> 32) & (truth->place_count - 1);
    while (truth->places[place] != TRUTH_NONE) {
        const struct seen_entry *entry = &truth->seen[truth->places[place]];
        if (entry->index == index && entry->term == term) {
            break;
        }
        place = (place + 1) & (truth->place_count - 1);
    }
    return place;
}

const struct seen_entry *truth_find(const struct truth *truth, uint64_t index, uint64_t term)
{
    uint32_t place = find_place(truth, index, term);
    return truth->places[place] == TRUTH_NONE ? NULL : &truth->seen[truth->places[place]];
}

static void rehash(struct truth *truth)
{
    truth->place_count *= 2;
    truth->places = realloc(truth->places, truth->place_count * sizeof(truth->places[0]));
    ASSERT(truth->places != NULL);
    memset(truth->places, 0xFF, truth->place_count * sizeof(truth->places[0]));
    for (uint32_t i = 0; i < truth->seen_count; i++) {
        truth->places[find_place(truth, truth->seen[i].index, truth->seen[i].term)] = i;
    }
}

void truth_add(struct truth *truth, const struct seen_entry *entry)
{
    if (2 * truth->seen_count >= truth->place_count) {
        rehash(truth);
    }
    if (truth->seen_count == truth->seen_capacity) {
        truth->seen = grow32(truth->seen, sizeof(truth->seen[0]), &truth->seen_capacity);
    }
    truth->places[find_place(truth, entry->index, entry->term)] = truth->seen_count;
    truth->seen[truth->seen_count++] = *entry;
}

const struct seen_entry *truth_committed(const struct truth *truth, uint64_t index)
{
    if (index == 0 || index > truth->committed_count) {
        return NULL;
    }
    return &truth->seen[truth->committed[index - 1].seen];
}

void truth_commit(struct truth *truth, const struct seen_entry *entry, uint64_t commit_term)
{
    ASSERT(entry->index == truth->committed_count + 1);
    if (truth->committed_count == truth->committed_capacity) {
        truth->committed = grow(truth->committed, sizeof(truth->committed[0]), &truth->committed_capacity);
    }
    truth->committed[truth->committed_count++] =
        (struct committed_entry){.seen = (uint32_t)(entry - truth->seen), .commit_term = commit_term};
}

uint64_t truth_leader(struct truth *truth, uint64_t term, uint64_t node_id)
{
    for (uint32_t i = truth->leadership_count; i > 0; i--) {
        if (truth->leaderships[i - 1].term == term) {
            return truth->leaderships[i - 1].node_id;
        }
    }
    if (truth->leadership_count == truth->leadership_capacity) {
        truth->leaderships =
            grow32(truth->leaderships, sizeof(truth->leaderships[0]), &truth->leadership_capacity);
    }
    truth->leaderships[truth->leadership_count++] = (struct leadership){term, node_id};
    return node_id;
}

uint64_t truth_vote(struct truth *truth, uint64_t term, uint64_t voter_id, uint64_t candidate_id)
{
    for (uint32_t i = truth->vote_count; i > 0; i--) {
        const struct vote *vote = &truth->votes[i - 1];
        if (vote->term == term && vote->voter_id == voter_id) {
            return vote->candidate_id;
        }
    }
    if (truth->vote_count == truth->vote_capacity) {
        truth->votes = grow32(truth->votes, sizeof(truth->votes[0]), &truth->vote_capacity);
    }
    truth->votes[truth->vote_count++] = (struct vote){term, voter_id, candidate_id};
    return candidate_id;
}
