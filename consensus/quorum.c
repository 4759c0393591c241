/* SPDX-License-Identifier: Apache-2.0 */
#include "quorum.h"

#include "check.h"

uint64_t quorum_set_agreed(const uint64_t *values, uint32_t count)
{
    uint64_t descending[VOTERS_MAX];
    ASSERT(count > 0);
    ASSERT(count <= VOTERS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && descending[at - 1] < values[i]; at--) {
            descending[at] = descending[at - 1];
        }
        descending[at] = values[i];
    }
#ifdef TALLY_MUTANT_HALF_IS_A_MAJORITY
    return descending[count / 2 - (count > 1)];
#endif
    return descending[quorum_majority(count) - 1];
}

uint64_t quorum_agreed(const struct configuration *configuration, const struct quorum_values *values)
{
    uint64_t next = quorum_set_agreed(values->voters, configuration->voter_count);
    if (!configuration->transitional) {
        return next;
    }
    uint64_t previous = quorum_set_agreed(values->previous, configuration->previous_count);
    return previous < next ? previous : next;
}
