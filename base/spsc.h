/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded ring of fixed-size elements between two threads of one process that may not know DPDK: one thread
 * pushes, one pops. Capacity is a power of two. Each index has its own cache line and one writer. */
#ifndef TALLY_SPSC_H
#define TALLY_SPSC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct spsc {
    _Alignas(64) _Atomic uint32_t pushed; /* written by the pushing thread */
    _Alignas(64) _Atomic uint32_t popped; /* written by the popping thread */
    _Alignas(64) uint32_t capacity;
    uint32_t element_bytes;
    uint8_t *elements; /* capacity x element_bytes, the caller's memory */
};

static inline void spsc_init(struct spsc *ring, void *elements, uint32_t capacity, uint32_t element_bytes)
{
    atomic_init(&ring->pushed, 0);
    atomic_init(&ring->popped, 0);
    ring->capacity = capacity;
    ring->element_bytes = element_bytes;
    ring->elements = elements;
}

/* False when full: back-pressure, the caller says busy. */
static inline bool spsc_push(struct spsc *ring, const void *element)
{
    uint32_t pushed = atomic_load_explicit(&ring->pushed, memory_order_relaxed);
    /* acquire: pairs with the release in spsc_pop, the slot has been read before it is written again */
    if (pushed - atomic_load_explicit(&ring->popped, memory_order_acquire) == ring->capacity) {
        return false;
    }
    size_t slot = pushed & (ring->capacity - 1);
    memcpy(ring->elements + slot * ring->element_bytes, element, ring->element_bytes);
    /* release: pairs with the acquire in spsc_pop, the element is whole before it is seen */
    atomic_store_explicit(&ring->pushed, pushed + 1, memory_order_release);
    return true;
}

/* False when empty. */
static inline bool spsc_pop(struct spsc *ring, void *ret_element)
{
    uint32_t popped = atomic_load_explicit(&ring->popped, memory_order_relaxed);
    if (atomic_load_explicit(&ring->pushed, memory_order_acquire) == popped) {
        return false;
    }
    size_t slot = popped & (ring->capacity - 1);
    memcpy(ret_element, ring->elements + slot * ring->element_bytes, ring->element_bytes);
    atomic_store_explicit(&ring->popped, popped + 1, memory_order_release);
    return true;
}

#endif
