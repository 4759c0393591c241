/* SPDX-License-Identifier: Apache-2.0 */
/* A node's disk: the fake device, with writes that complete when the simulator says so, and an eye on every
 * block that passes. It survives the node. */
#ifndef TALLY_SIM_DISK_H
#define TALLY_SIM_DISK_H

#include "fake_device.h"
#include "sim_stored.h"

struct sim;

struct sim_write {
    uint64_t offset;
    size_t byte_count;
};

struct sim_disk {
    struct device port; /* what the engine gets */
    struct sim *sim;
    uint32_t node;
    struct fake_device *fake;
    uint64_t free_ns; /* when the last planned write is done */
    uint64_t stall_until_ns;
    bool fails_next; /* the next write ends with an error ... */
    bool has_failed; /* ... and one of this life did: nothing is expected of the node any more */
    struct sim_write writes[FAKE_DEVICE_PENDING_MAX]; /* as pending in `fake`, oldest first */
    struct stored handed;                             /* all that was given to it */
    struct stored durable;
};

/* Formats it. */
void sim_disk_init(struct sim_disk *disk, struct sim *sim, uint32_t node);
void sim_disk_fini(struct sim_disk *disk);
/* The oldest write is done. */
void sim_disk_complete(struct sim_disk *disk);
/* Any subset of the sectors in flight stays. */
void sim_disk_crash(struct sim_disk *disk);
/* Reads again what is on it, before a start and at the end; checks that nothing durable is missing. */
void sim_disk_scan(struct sim_disk *disk);

#endif
