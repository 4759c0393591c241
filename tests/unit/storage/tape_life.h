/* SPDX-License-Identifier: Apache-2.0 */
/* A tape that is used at random on a recording device, and what must come back of it. */
#ifndef TALLY_TAPE_LIFE_H
#define TALLY_TAPE_LIFE_H

#include "prng.h"
#include "record_device.h"
#include "tape_rig.h"

#define LIFE_CHUNK_COUNT 8u
#define LIFE_SIZE_BYTES  (LIFE_CHUNK_COUNT * RIG_CHUNK_BYTES)
#define LIFE_QUORUMS     3u
#define LIFE_RECORDS_MAX 1024u
#define LIFE_EVENTS_MAX  2048u

struct life_record {
    uint64_t position;
    uint64_t quorum;
    uint64_t index;
    uint64_t term;
    uint32_t payload_bytes;
    uint8_t type;
};

struct life {
    struct record_device *device;
    struct arena arena;
    struct tape *tape; /* NULL: not open */
    struct tape_report report;
    struct prng prng;
    uint64_t now_ns;
    uint64_t term;
    /* All that was appended, in order. */
    struct life_record records[LIFE_RECORDS_MAX];
    uint32_t count;
    uint32_t durable_count;      /* of them the tape has said that they are durable */
    uint32_t opened_event_count; /* of the device, when opening was done */
    /* How many were durable when that many of the device's events had happened. */
    uint32_t durable_at[LIFE_EVENTS_MAX];
    uint32_t event_count;
};

/* A formatted tape. False: the device failed. */
bool life_begin(struct life *life, uint64_t seed, enum tape_sync sync);
void life_end(struct life *life);

/* Opens it; what comes back must be a prefix of what was appended, with at least what was durable, and is all
 * that was appended from now on. The tape's verdict; *ret_good: what came back is right. */
enum tape_verdict life_open(struct life *life, bool *ret_good);

/* Appends, submits, completes, idles: any of it. */
void life_step(struct life *life);

/* Completes all that is pending; everything appended is durable then, unless the device fails. */
void life_flush(struct life *life);

/* Whether what `device` holds opens, and gives the first records of `life`, at least `durable_count` of them,
 * in their order. It is written to as by any opening. *ret_count: how many came back. */
bool life_comes_back(const struct life *life, struct record_device *device, uint32_t durable_count,
                     uint32_t *ret_count, struct tape_report *ret_report, enum tape_verdict *ret_verdict);

#endif
