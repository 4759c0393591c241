/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

struct arena_block {
    struct arena_block *older;
};

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

void arena_fini(struct arena *arena)
{
    while (arena->newest) {
        struct arena_block *older = arena->newest->older;
        free(arena->newest);
        arena->newest = older;
    }
    *arena = (struct arena){0};
}

void *arena_take(struct arena *arena, size_t byte_count, size_t alignment)
{
    ASSERT(!arena->sealed);
    ASSERT(alignment > 0 && alignment <= 4096);
    ASSERT((alignment & (alignment - 1)) == 0);
    ASSERT(byte_count < SIZE_MAX / 2);
    size_t head = alignment > sizeof(struct arena_block) ? alignment : sizeof(struct arena_block);
    size_t total = (head + byte_count + alignment - 1) & ~(alignment - 1);
    if (alignment < sizeof(void *)) {
        alignment = sizeof(void *);
        total = (total + alignment - 1) & ~(alignment - 1);
    }
    struct arena_block *block = aligned_alloc(alignment, total);
    ASSERT(block != NULL);
    memset(block, 0, total);
    block->older = arena->newest;
    arena->newest = block;
    arena->total_bytes += total;
    return (char *)block + head;
}

void arena_seal(struct arena *arena)
{
    arena->sealed = true;
}
