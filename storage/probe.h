/* SPDX-License-Identifier: Apache-2.0 */
/* Which way of making a write durable suits this disk, this kernel and this way of polling: measured, because
 * it cannot be known. A thread that spins can hold up the very kernel worker whose completion it waits for.
 */
#ifndef TALLY_PROBE_H
#define TALLY_PROBE_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "tape.h"

/* Appends per method; enough to see a completion that waits for a timer tick, done in a fraction of a second.
 */
#define PROBE_APPEND_COUNT 100

struct probe_options {
    const char *path; /* of the tape to be: a file beside it, PATH.probe, is written and removed */
    bool in_place; /* the path is a partition: its first bytes are written over, nothing is made beside it */
    bool spins;    /* the owner spins while it waits; else it yields 200 times, then sleeps 50 us at a time */
    const cpu_set_t *worker_cpus; /* as in uring_device.h */
};

/* Of 4 KiB appends, from submission to durable. */
struct probe_figures {
    bool works;
    uint64_t p50_ns;
    uint64_t p99_ns; /* the second longest of 100 */
};

struct probe_result {
    struct probe_figures fdatasync;
    struct probe_figures dsync;
    enum tape_sync choice; /* the lower p99; when they are within a tenth, the lower p50 */
};

/* 0 or -errno with one line in `error_text` (URING_DEVICE_ERROR_BYTES). The calling thread does the polling.
 */
int probe_sync(const struct probe_options *options, struct probe_result *ret_result, char *error_text);

/* The rule of choice by itself; at least one works. */
enum tape_sync probe_choose(const struct probe_figures *fdatasync, const struct probe_figures *dsync);

#endif
