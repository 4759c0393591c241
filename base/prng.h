/* SPDX-License-Identifier: Apache-2.0 */
/* A small deterministic generator (splitmix64: Steele, Lea, Flood 2014): one word of state, so that it can
 * live inside a value that is copied, compared and hashed. Not for secrets. */
#ifndef TALLY_PRNG_H
#define TALLY_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t state;
};

static inline uint64_t prng_next(struct prng *prng)
{
    uint64_t z = (prng->state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* A value in [0, bound); bound > 0. By multiplication (Lemire 2019); the bias, under bound / 2^64, is left
 * in. */
static inline uint64_t prng_below(struct prng *prng, uint64_t bound)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)(((wide)prng_next(prng) * bound) >> 64);
}

#endif
