/* SPDX-License-Identifier: Apache-2.0 */
/* A quorum configuration (rules 1-4): who votes, who learns. A flat value, the same in the core, in messages
 * and, in the layout below, in a CONFIGURATION record's payload.
 *
 * Payload, little-endian: 0 flags u8 (1 = transitional), 1 previous count u8, 2 voter count u8, 3 learner
 * count u8, 4 zero u32, 8 node ids u64[previous + voters + learners]. */
#ifndef TALLY_CONFIGURATION_H
#define TALLY_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"

#define CONFIGURATION_HEAD_BYTES 8
#define CONFIGURATION_BYTES_MAX  (CONFIGURATION_HEAD_BYTES + 8 * (2 * VOTERS_MAX + LEARNERS_MAX))

/* Unused places are 0, so that two equal configurations are equal bytes. */
struct configuration {
    uint8_t
        transitional; /* 1: elections, polls, commits and reads need a majority of previous AND of voters */
    uint8_t previous_count; /* 0 when stable */
    uint8_t voter_count;    /* stable: the voters; transitional: the next set */
    uint8_t learner_count;
    uint32_t zero;
    uint64_t previous[VOTERS_MAX];
    uint64_t voters[VOTERS_MAX];
    uint64_t learners[LEARNERS_MAX];
};

/* A stable configuration of `voters`, sorted, so that nodes which are told the same set in another order log
 * equal bytes (rule 8). False (and nothing written) when the set is empty, too large, holds 0
 * or holds an id twice. */
bool configuration_init_stable(struct configuration *ret_configuration, const uint64_t *voters,
                               size_t voter_count);

/* In the voters or, in transition, in the previous set. */
bool configuration_has_voter(const struct configuration *configuration, uint64_t node_id);

bool configuration_has_learner(const struct configuration *configuration, uint64_t node_id);

bool configuration_equal(const struct configuration *a, const struct configuration *b);

/* Returns the number of bytes written to `bytes` (CONFIGURATION_BYTES_MAX are enough). */
size_t configuration_encode(const struct configuration *configuration, uint8_t *bytes);

/* The length that the head of a configuration says (entry 1 has the quorum's name behind it), or 0 when
 * `byte_count` bytes are fewer than that. */
size_t configuration_peek_bytes(const uint8_t *bytes, size_t byte_count);

/* Total: any bytes give an answer. False when they are no legal configuration. */
bool configuration_decode(const uint8_t *bytes, size_t byte_count, struct configuration *ret_configuration);

#endif
