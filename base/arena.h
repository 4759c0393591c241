/* SPDX-License-Identifier: Apache-2.0 */
/* Memory is taken once, at start: everything that lives as long as the process comes from an arena, which is
 * sealed when wiring is done. Nothing is given back one by one. One thread only. */
#ifndef TALLY_ARENA_H
#define TALLY_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena {
    struct arena_block *newest;
    size_t total_bytes;
    bool sealed;
};

void arena_init(struct arena *arena);

/* Gives everything back. */
void arena_fini(struct arena *arena);

/* `byte_count` zeroed bytes at a multiple of `alignment` (a power of two, at most 4096). Stops the process
 * when the arena is sealed (our bug) or when the machine has no memory left (nothing can be done at start).
 */
void *arena_take(struct arena *arena, size_t byte_count, size_t alignment);

/* From now on arena_take is a bug. */
void arena_seal(struct arena *arena);

#define ARENA_NEW(arena, type)          ((type *)arena_take((arena), sizeof(type), 64))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_take((arena), sizeof(type) * (count), 64))

#endif
