/* SPDX-License-Identifier: Apache-2.0 */
/* What the world has seen of one quorum, kept outside of every node: each entry that ever reached a disk's
 * queue, who led which term, who voted for whom, and the committed log. It only grows; the checkers compare
 * the nodes with it. */
#ifndef TALLY_SIM_TRUTH_H
#define TALLY_SIM_TRUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"
#include "record.h"

#define TRUTH_NONE UINT32_MAX

struct seen_entry {
    uint64_t index;
    uint64_t term;
    uint64_t previous_term; /* of the entry before it in the log where it was seen */
    uint32_t crc;
    uint8_t type;
    /* DATA */
    uint16_t message_count;
    uint64_t base_sequence;
    uint64_t source_id;
    uint64_t source_sequence;
    uint64_t operation; /* the client operation that its first message names */
};

struct committed_entry {
    uint32_t seen;        /* place in `seen` */
    uint64_t commit_term; /* of the leader that was first to commit it */
};

struct leadership {
    uint64_t term;
    uint64_t node_id;
};

struct vote {
    uint64_t term;
    uint64_t voter_id;
    uint64_t candidate_id;
};

struct truth {
    char name[QUORUM_NAME_BYTES_MAX + 1];
    uint64_t number;
    struct seen_entry *seen;
    uint32_t seen_count;
    uint32_t seen_capacity;
    uint32_t *places; /* open addressing by (index, term); TRUTH_NONE: free */
    uint32_t place_count;
    struct committed_entry *committed; /* [0] is index 1 */
    uint64_t committed_count;
    uint64_t committed_capacity;
    struct leadership *leaderships;
    uint32_t leadership_count;
    uint32_t leadership_capacity;
    struct vote *votes;
    uint32_t vote_count;
    uint32_t vote_capacity;
    uint64_t next_stream_sequence;
};

void truth_init(struct truth *truth, const char *name, uint64_t number);
void truth_fini(struct truth *truth);

/* NULL: nobody ever logged it. */
const struct seen_entry *truth_find(const struct truth *truth, uint64_t index, uint64_t term);
/* Adds an entry that was not seen before. */
void truth_add(struct truth *truth, const struct seen_entry *entry);
/* The committed entry at `index`, or NULL. */
const struct seen_entry *truth_committed(const struct truth *truth, uint64_t index);
void truth_commit(struct truth *truth, const struct seen_entry *entry, uint64_t commit_term);
/* Who leads `term`, or who `voter_id` voted for in it: what was said first. */
uint64_t truth_leader(struct truth *truth, uint64_t term, uint64_t node_id);
uint64_t truth_vote(struct truth *truth, uint64_t term, uint64_t voter_id, uint64_t candidate_id);

#endif
