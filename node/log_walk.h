/* SPDX-License-Identifier: Apache-2.0 */
/* The committed entries of one quorum on a tape that no node has open, in index order: for export and verify.
 */
#ifndef TALLY_LOG_WALK_H
#define TALLY_LOG_WALK_H

#include <stdio.h>

#include "recovery.h"
#include "tape.h"

struct log_walk_result {
    enum tape_verdict verdict;
    struct tape_report report;
    bool found;        /* the quorum is on the tape */
    bool contradicted; /* its records contradict each other */
    uint64_t last_index;
    uint64_t commit_index; /* durable lower bound */
    uint64_t visited_count;
};

/* Visits entries 1 .. commit bound of `quorum` (`all`: to the end of the log, committed or not). */
struct log_walk_result log_walk(struct device *device, const char *quorum, bool all, tape_visit *visit,
                                void *context);

#endif
