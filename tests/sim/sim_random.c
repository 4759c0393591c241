/* SPDX-License-Identifier: Apache-2.0 */
/* libtally draws ids with getrandom(2); in this program they come from the seed. */
#include <string.h>
#include <sys/random.h>

#include "check.h"
#include "sim_client.h"

static struct prng *source;

void sim_random_set(struct prng *prng)
{
    source = prng;
}

ssize_t getrandom(void *buffer, size_t byte_count, unsigned flags)
{
    uint64_t value = 0;
    (void)flags;
    ASSERT(source != NULL);
    ASSERT(byte_count <= sizeof(value));
    value = prng_next(source);
    memcpy(buffer, &value, byte_count);
    return (ssize_t)byte_count;
}
