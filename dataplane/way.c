/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "check.h"
#include "dataplane_core.h"

_Static_assert(sizeof(struct way) == sizeof(uint64_t), "a way is read and written as one word");

static uint64_t way_pack(struct way way)
{
    uint64_t word;
    memcpy(&word, &way, sizeof(word));
    return word;
}

static struct way way_unpack(uint64_t word)
{
    struct way way;
    memcpy(&way, &word, sizeof(way));
    return way;
}

static struct way_row *row_find(struct dataplane *dataplane, uint64_t node_id)
{
    for (unsigned i = 0; i < NODES_MAX; i++) {
        uint64_t row_id = atomic_load_explicit(&dataplane->ways[i].node_id, memory_order_acquire);
        if (row_id == node_id) {
            return &dataplane->ways[i];
        }
        if (row_id == 0) {
            return NULL;
        }
    }
    return NULL;
}

/* Shared memory before the network. */
struct way way_find(struct dataplane *dataplane, uint64_t node_id)
{
    struct way_row *row = row_find(dataplane, node_id);
    if (row == NULL) {
        return (struct way){.kind = WAY_NONE};
    }
    uint64_t word = atomic_load_explicit(&row->shm, memory_order_acquire);
    if (word == 0) {
        word = atomic_load_explicit(&row->ethdev, memory_order_acquire);
    }
    return way_unpack(word);
}

static struct way_row *row_take(struct dataplane *dataplane, uint64_t node_id)
{
    struct way_row *row = row_find(dataplane, node_id);
    for (unsigned i = 0; i < NODES_MAX && row == NULL; i++) {
        if (atomic_load_explicit(&dataplane->ways[i].node_id, memory_order_relaxed) == 0) {
            row = &dataplane->ways[i];
            atomic_store_explicit(&row->node_id, node_id, memory_order_release);
        }
    }
    return row;
}

bool way_set(struct dataplane *dataplane, uint64_t node_id, struct way way)
{
    ASSERT(node_id != 0);
    struct way_row *row = row_take(dataplane, node_id);
    if (row == NULL) {
        return false;
    }
    atomic_store_explicit(way.kind == WAY_SHM ? &row->shm : &row->ethdev, way_pack(way),
                          memory_order_release);
    return true;
}

void way_clear_shm(struct dataplane *dataplane, uint64_t node_id, struct way way)
{
    struct way_row *row = row_find(dataplane, node_id);
    uint64_t word = way_pack(way);
    if (row != NULL) {
        atomic_compare_exchange_strong(&row->shm, &word, 0);
    }
}
