/* SPDX-License-Identifier: Apache-2.0 */
/* A device in memory that keeps every write and every completion in order, so that a test can put any moment
 * of its life on the disk: what was complete by then, and any sectors of what was not. */
#ifndef TALLY_RECORD_DEVICE_H
#define TALLY_RECORD_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"
#include "prng.h"

#define RECORD_SECTOR_BYTES 512u

struct record_write {
    uint64_t offset;
    size_t byte_count;
    const uint8_t *bytes;
    bool is_synced; /* by the call that wrote it, in volatile mode too: what opening writes */
};

/* The life of a write: submitted, and completed (durable, with the sync behind it). */
struct record_event {
    uint32_t write;
    bool completed;
};

struct record_device;

/* On the heap; all zero bytes. */
struct record_device *record_device_create(uint64_t size_bytes);
void record_device_destroy(struct record_device *device);

struct device *record_device_port(struct record_device *device);

/* Completes the n-th oldest of the writes that are submitted and not completed. */
void record_device_complete(struct record_device *device, unsigned n);
unsigned record_device_pending(const struct record_device *device);

uint32_t record_device_event_count(const struct record_device *device);
struct record_event record_device_event(const struct record_device *device, uint32_t event);
struct record_write record_device_write(const struct record_device *device, uint32_t write);

/* Forgets what is pending and all that was recorded; the bytes stay. */
void record_device_forget(struct record_device *device);

/* The machine stops: any sectors of what is pending are there, then it is forgotten. */
void record_device_crash(struct record_device *device, struct prng *prng);

/* The bytes; who changes them himself uses record_device_put. */
const uint8_t *record_device_bytes(const struct record_device *device);
void record_device_put(struct record_device *device, uint64_t offset, const void *bytes, size_t byte_count);

/* From `keep` on what is changed can be changed back. */
void record_device_keep(struct record_device *device);
void record_device_go_back(struct record_device *device);

/* The n-th operation from now (0: the next) fails with `error`, those after it do not. A submission fails by
 * its completion, or at once when record_device_refuse said so; nothing of it is written. `after`: a
 * synchronous write fails when all of it is written.
 */
void record_device_fail(struct record_device *device, uint64_t n, int error, bool after);
/* From now on the submission that fails is refused by the call itself, not by its completion. */
void record_device_refuse(struct record_device *device);
/* From now on a write is complete at the poll after its submission; nobody needs to call
 * record_device_complete. */
void record_device_complete_alone(struct record_device *device);
/* Whether that operation has come. */
bool record_device_has_failed(const struct record_device *device);

#endif
