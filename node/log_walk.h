/* SPDX-License-Identifier: Apache-2.0 */
/* The entries of one quorum on a tape that stand, in index order: for export and verify. */
#ifndef TALLY_LOG_WALK_H
#define TALLY_LOG_WALK_H

#include "log_facts.h"

struct log_walk_result {
    enum tape_verdict verdict;
    struct tape_report report;
    bool found;           /* the quorum is on the tape */
    bool contradicted;    /* its records contradict each other */
    bool has_hole;        /* entries are missing between the first and the last of those asked for */
    uint64_t first_index; /* the oldest on the tape: 1, unless the tape has gone round; 0: none */
    uint64_t last_index;
    uint64_t commit_index; /* durable lower bound */
    uint64_t visited_count;
};

/* Visits the entries of `quorum` up to its commit bound (`all`: to the end of the log, committed or not). */
struct log_walk_result log_walk(struct device *device, const char *quorum, bool all, tape_visit *visit,
                                void *context);

/* The same with what is known of the tape already. */
struct log_walk_result log_walk_with(const struct log_facts *facts, struct device *device, const char *quorum,
                                     bool all, tape_visit *visit, void *context);

#endif
