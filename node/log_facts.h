/* SPDX-License-Identifier: Apache-2.0 */
/* What one walk over a tape tells, for tools: its report, its quorums, and which entries were taken back
 * later. On the heap; nothing of it runs in a node. */
#ifndef TALLY_LOG_FACTS_H
#define TALLY_LOG_FACTS_H

#include "recovery.h"
#include "tape.h"

struct log_truncation {
    uint64_t quorum_number;
    uint64_t position;
    uint64_t from; /* the lowest index that this or a later truncation of the quorum takes back */
};

struct log_facts {
    enum tape_verdict verdict;
    struct tape_report report;
    uint64_t first_chunk; /* sequence of the oldest one; 0: the tape is empty */
    struct recovery recovery;
    struct log_truncation *truncations; /* by quorum, then position */
    size_t truncation_count;
    size_t truncation_room;
    struct arena arena;
};

/* `in_use`: a node writes meanwhile. A walk that it outran sees a gap where there is none, and is repeated.
 */
void log_facts_gather(struct log_facts *facts, struct device *device, bool in_use);
void log_facts_fini(struct log_facts *facts);

/* NULL: not on this tape. */
const struct recovered_quorum *log_facts_by_name(const struct log_facts *facts, const char *name);
const struct recovered_quorum *log_facts_by_number(const struct log_facts *facts, uint64_t number);

/* Whether a later record takes the entry at `position` back. */
bool log_facts_is_taken_back(const struct log_facts *facts, uint64_t quorum_number, uint64_t index,
                             uint64_t position);

#endif
