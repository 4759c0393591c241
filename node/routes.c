/* SPDX-License-Identifier: Apache-2.0 */
#include "routes.h"

#include <stdbool.h>

#include "check.h"

static uint64_t mix(uint64_t key)
{
    key *= 0x9E3779B97F4A7C15u;
    return key ^ (key >> 29);
}

uint64_t route_key_of_name(const uint8_t *name, size_t name_bytes)
{
    uint64_t key = 0xCBF29CE484222325u; /* FNV-1a */
    for (size_t i = 0; i < name_bytes; i++) {
        key = (key ^ name[i]) * 0x100000001B3u;
    }
    return key | 1;
}

void routes_add(struct routes *routes, uint64_t key, unsigned core)
{
    ASSERT(key != 0);
    for (uint32_t i = 0; i < ROUTE_PLACES; i++) {
        uint32_t place = (uint32_t)((mix(key) + i) % ROUTE_PLACES);
        uint64_t found = 0;
        /* A place is claimed by its key; a reader that sees the key before the core takes core 0 for one
         * frame, which its receiver answers as unknown and the sender repeats. */
        if (atomic_compare_exchange_strong(&routes->places[place].key, &found, key) || found == key) {
            atomic_store_explicit(&routes->places[place].core, core, memory_order_release);
            return;
        }
    }
    ASSERT(false); /* sized for every quorum of every core */
}

unsigned routes_find(const struct routes *routes, uint64_t key)
{
    for (uint32_t i = 0; i < ROUTE_PLACES; i++) {
        uint32_t place = (uint32_t)((mix(key) + i) % ROUTE_PLACES);
        uint64_t found = atomic_load_explicit(&routes->places[place].key, memory_order_acquire);
        if (found == key) {
            return atomic_load_explicit(&routes->places[place].core, memory_order_acquire);
        }
        if (found == 0) {
            break;
        }
    }
    return (unsigned)(mix(key) % routes->core_count);
}
