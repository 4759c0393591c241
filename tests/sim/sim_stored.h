/* SPDX-License-Identifier: Apache-2.0 */
/* What a node's disk says of its quorums, read from the records that were written to it, without the node's
 * help. Each disk has two: all that was handed to it, and what it has made durable. */
#ifndef TALLY_SIM_STORED_H
#define TALLY_SIM_STORED_H

#include <stdint.h>

#include "record.h"
#include "sim_options.h"

struct stored_entry {
    uint64_t term;
    uint32_t crc;
};

struct stored_quorum {
    uint64_t number; /* 0: none */
    uint64_t term;
    uint64_t voted_for;
    uint64_t last_index;
    uint64_t capacity;
    struct stored_entry *entries; /* [0] is index 1 */
};

struct stored {
    uint64_t record_count;
    struct stored_quorum quorums[SIM_QUORUMS_MAX];
};

void stored_init(struct stored *stored);
void stored_fini(struct stored *stored);
/* `to` is empty. */
void stored_copy(struct stored *to, const struct stored *from);
/* False: the record contradicts those before it (a hole in the log, a truncation of what is not there). */
bool stored_apply(struct stored *stored, const struct record_head *head);
/* NULL: nothing is known of it. */
const struct stored_quorum *stored_find(const struct stored *stored, uint64_t number);
/* Whether the entry (index, term) stands there now. */
bool stored_has(const struct stored *stored, uint64_t number, uint64_t index, uint64_t term);

#endif
