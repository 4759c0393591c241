/* SPDX-License-Identifier: Apache-2.0 */
/* Which consensus core serves a quorum, by its number or by its name. Written by consensus cores when they
 * open a quorum, read by dataplane cores for every frame; entries are only added. */
#ifndef TALLY_ROUTES_H
#define TALLY_ROUTES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"

/* A number and a name for each quorum of each core, half full. */
#define ROUTE_PLACES (4 * QUORUMS_MAX * CONSENSUS_CORES_MAX)

struct routes {
    unsigned core_count;
    struct {
        _Atomic uint64_t key; /* 0: free; set last */
        _Atomic uint32_t core;
    } places[ROUTE_PLACES];
};

uint64_t route_key_of_name(const uint8_t *name, size_t name_bytes);

void routes_add(struct routes *routes, uint64_t key, unsigned core);

/* The core that serves `key`; for an unknown one the core on which a quorum of this number would be opened.
 */
unsigned routes_find(const struct routes *routes, uint64_t key);

#endif
