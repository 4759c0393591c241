/* SPDX-License-Identifier: Apache-2.0 */
/* Quorum arithmetic against a naive twin, exhaustively for small sets. */
#include "quorum.h"
#include "test.h"

#define VALUES 4 /* each voter has reached 0..3 */

/* The twin asks of every value whether enough voters have reached it, with no sorting. */
static uint64_t naive_agreed(const uint64_t *values, uint32_t count)
{
    uint64_t best = 0;
    for (uint64_t candidate = 0; candidate < VALUES; candidate++) {
        uint32_t reached = 0;
        for (uint32_t i = 0; i < count; i++) {
            reached += values[i] >= candidate;
        }
        if (2 * reached > count) {
            best = candidate;
        }
    }
    return best;
}

/* Counts `values` up like an odometer; 0 after the last combination. */
static int next_values(uint64_t *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (++values[i] < VALUES) {
            return 1;
        }
        values[i] = 0;
    }
    return 0;
}

static void test_sets(void)
{
    for (uint32_t count = 1; count <= VOTERS_MAX; count++) {
        uint64_t values[VOTERS_MAX] = {0};
        do {
            CHECK_EQUAL(quorum_set_agreed(values, count), naive_agreed(values, count));
        } while (next_values(values, count));
    }
}

static void test_joint(void)
{
    for (uint32_t previous = 1; previous <= 5; previous++) {
        for (uint32_t next = 1; previous + next <= 8 && next <= 5; next++) {
            uint64_t values[2 * VOTERS_MAX] = {0};
            struct configuration configuration = {.transitional = 1};
            configuration.previous_count = (uint8_t)previous;
            configuration.voter_count = (uint8_t)next;
            do {
                struct quorum_values both = {0};
                memcpy(both.previous, values, previous * sizeof(values[0]));
                memcpy(both.voters, values + previous, next * sizeof(values[0]));
                uint64_t a = naive_agreed(values, previous);
                uint64_t b = naive_agreed(values + previous, next);
                CHECK_EQUAL(quorum_agreed(&configuration, &both), a < b ? a : b);
            } while (next_values(values, previous + next));
        }
    }
}

static void test_majority(void)
{
    const uint32_t expected[] = {0, 1, 2, 2, 3, 3, 4, 4};
    for (uint32_t count = 1; count <= VOTERS_MAX; count++) {
        CHECK_EQUAL(quorum_majority(count), expected[count]);
    }
}

static void test_mixed_acknowledgements(void)
{
    const uint64_t values[3] = {3, 2, 1};
    CHECK_EQUAL(quorum_set_agreed(values, 3), 2);
}

static const struct test_case cases[] = {
    {"the majority of 1..7 voters is n/2+1", test_majority},
    {"acknowledged 3, 2 and 1, a set of three agrees on 2", test_mixed_acknowledgements},
    {"a set of up to 7 voters agrees on what the naive twin says, for every combination", test_sets},
    {"a transitional configuration agrees on the smaller of what both sets do", test_joint},
};

TEST_MAIN(cases)
