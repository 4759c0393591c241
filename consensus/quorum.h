/* SPDX-License-Identifier: Apache-2.0 */
/* Quorum arithmetic (rules 1, 2): what a majority agrees on. The same question decides an election (values 1
 * and 0), the commit index (durable indexes), the replicated watermark (received indexes) and check quorum
 * (times). */
#ifndef TALLY_QUORUM_H
#define TALLY_QUORUM_H

#include <stdint.h>

#include "configuration.h"

/* What each voter has reached, in the order in which the configuration lists them; nothing heard = 0. */
struct quorum_values {
    uint64_t voters[VOTERS_MAX];
    uint64_t previous[VOTERS_MAX]; /* read in transition only */
};

static inline uint32_t quorum_majority(uint32_t voter_count)
{
    return voter_count / 2 + 1;
}

/* The largest value that a majority of the `count` voters of one set has reached; count is 1..VOTERS_MAX. */
uint64_t quorum_set_agreed(const uint64_t *values, uint32_t count);

/* The same for a configuration: in transition the smaller of what both sets agree on. */
uint64_t quorum_agreed(const struct configuration *configuration, const struct quorum_values *values);

#endif
