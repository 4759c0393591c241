/* SPDX-License-Identifier: Apache-2.0 */
/* A publisher that measures: from the time at which an entry should have been published to the time at which
 * this process learnt that it is committed. Two schedules:
 *
 * - paced (open loop): entry i is due at start + i / rate, whatever became of those before it. One that
 * cannot be published when it is due, because `in_flight` others are undecided, waits, and its wait counts: a
 * slow commit is not hidden by the entries that were not published meanwhile.
 * - unpaced (closed loop): an entry is due when one in flight is decided. That is the most that `in_flight`
 * entries can reach; the latency is then in_flight / rate, and of interest only for in_flight 1. */
#ifndef TALLY_LOAD_H
#define TALLY_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "tally.h"

#define LOAD_IN_FLIGHT_MAX     4096u
#define LOAD_MESSAGE_BYTES_MAX 1258u /* with its block head 1,260 bytes: one egress packet of 1,280 bytes */

enum load_idle {
    LOAD_IDLE_SHARED, /* 20 yields, then wait in the kernel until a frame comes or an entry is due */
    LOAD_IDLE_YIELD,  /* yield for ever */
    LOAD_IDLE_SPIN,   /* only with a processor of its own */
};

struct load_options {
    const char *quorum;
    const struct tally_endpoint *endpoints;
    unsigned endpoint_count;
    unsigned message_bytes;
    unsigned in_flight;
    uint64_t rate; /* entries a second; 0: unpaced */
    uint64_t count;
    uint64_t warm_up; /* entries published before those that count */
    uint64_t duration_ns_max;
    enum load_idle idle;
};

struct load_result {
    struct histogram latency;
    uint64_t elapsed_ns;     /* from the outcome of the last warm-up entry to the last outcome */
    uint64_t refused_count;  /* entries that are not in the log: nothing is measured by such a run */
    uint64_t problem_count;  /* what libtally reported besides */
    enum tally_status worst; /* the last problem or refusal */
    uint64_t late_count;     /* paced: entries that waited for others */
    char error[256];
};

/* False: `ret_result->error` says why nothing was measured. The result is large: not on a stack. */
bool load_run(const struct load_options *options, struct load_result *ret_result);

#endif
