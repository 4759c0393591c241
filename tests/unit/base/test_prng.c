/* SPDX-License-Identifier: Apache-2.0 */
#include "prng.h"
#include "test.h"

/* The first values of the published splitmix64.c from these seeds. */
static void golden_values(void)
{
    struct prng zero = {0};
    CHECK(prng_next(&zero) == 0xE220A8397B1DCDAFu);
    CHECK(prng_next(&zero) == 0x6E789E6AA1B965F4u);
    CHECK(prng_next(&zero) == 0x06C45D188009454Fu);
    struct prng seeded = {1234567};
    CHECK(prng_next(&seeded) == 6457827717110365317u);
    CHECK(prng_next(&seeded) == 3203168211198807973u);
    CHECK(prng_next(&seeded) == 9817491932198370423u);
}

static void below_stays_below(void)
{
    static const uint64_t bounds[] = {1, 2, 3, 7, 100, 1ull << 32, (1ull << 63) + 1, UINT64_MAX};
    struct prng prng = {5};
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        for (unsigned round = 0; round < 1000; round++) {
            CHECK(prng_below(&prng, bounds[i]) < bounds[i]);
        }
    }
}

/* 60,000 draws of 6: each about 10,000; 500 is more than five standard deviations, and the seed is fixed. */
static void below_is_even(void)
{
    unsigned counts[6] = {0};
    struct prng prng = {6};
    for (unsigned round = 0; round < 60000; round++) {
        counts[prng_below(&prng, 6)]++;
    }
    for (unsigned face = 0; face < 6; face++) {
        CHECK(counts[face] > 9500);
        CHECK(counts[face] < 10500);
    }
}

static void a_copy_goes_the_same_way(void)
{
    struct prng first = {7};
    prng_next(&first);
    struct prng second = first;
    for (unsigned round = 0; round < 100; round++) {
        CHECK(prng_next(&first) == prng_next(&second));
    }
}

static const struct test_case cases[] = {
    {"the values are those of splitmix64", golden_values},
    {"a bounded value is below its bound", below_stays_below},
    {"bounded values are spread evenly", below_is_even},
    {"a copied state gives the same values", a_copy_goes_the_same_way},
};

TEST_MAIN(cases)
