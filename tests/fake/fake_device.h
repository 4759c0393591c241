/* SPDX-License-Identifier: Apache-2.0 */
/* A device in memory for tests and the simulator: nothing happens by itself, so that a run repeats exactly. A
 * write that was submitted is on the disk when it is completed; a crash keeps any subset of the sectors of
 * those that were not. */
#ifndef TALLY_FAKE_DEVICE_H
#define TALLY_FAKE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"
#include "prng.h"

#define FAKE_DEVICE_SECTOR_BYTES 512
#define FAKE_DEVICE_PENDING_MAX  16

struct fake_device_options {
    uint64_t size_bytes;
    uint32_t block_bytes;
    bool manual; /* writes complete only by fake_device_complete; else with the next poll */
};

struct fake_device;

/* On the heap; all zero bytes. */
struct fake_device *fake_device_create(const struct fake_device_options *options);
void fake_device_destroy(struct fake_device *fake);

/* The port to give to a tape; valid as long as the fake. */
struct device *fake_device_port(struct fake_device *fake);

/* Writes submitted and not completed. */
unsigned fake_device_pending(const struct fake_device *fake);

/* Completes the n-th oldest pending write: its bytes are durable, its completion is there for the next poll.
 * `error` not 0: none of its bytes are written, and the completion says so. */
void fake_device_complete(struct fake_device *fake, unsigned n, int error);

/* The machine stops: of each pending write any subset of sectors is on the disk, completions are lost. */
void fake_device_crash(struct fake_device *fake, struct prng *prng);

/* The n-th operation from now (0: the next one; reads, writes and submissions count) and all after it fail
 * with `error`. A submission fails by its completion. */
void fake_device_fail_from(struct fake_device *fake, uint64_t n, int error);

/* No more failures. */
void fake_device_heal(struct fake_device *fake);

/* Makes `to` hold the same bytes, with nothing pending. Both are of the same size. Only what was ever written
 * is copied. */
void fake_device_copy(struct fake_device *to, const struct fake_device *from);

/* The bytes themselves. Who changes them calls fake_device_touch. */
uint8_t *fake_device_bytes(struct fake_device *fake);
void fake_device_touch(struct fake_device *fake, uint64_t offset, uint64_t byte_count);

/* Operations so far, and device bytes submitted for writing. */
uint64_t fake_device_operations(const struct fake_device *fake);
uint64_t fake_device_submitted_bytes(const struct fake_device *fake);

#endif
