/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOOR_H
#define FLOOR_H

/* What every floor program needs: a clock, processors, an idle shape, samples and one way to print them.
 * Nothing in this folder shares code with Tally, so that an error in Tally cannot hide in its yardstick. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint64_t floor_now_ns(void);

/* The processors that thread or process 0, 1, 2... is pinned to, in turn. An empty list pins nothing. */
struct floor_cpus {
    unsigned count;
    unsigned cpu[64];
};

/* `text` is "all" (those this process may use), "none", or numbers separated by commas. */
void floor_cpus_parse(const char *text, struct floor_cpus *ret_cpus);
void floor_cpus_pin(const struct floor_cpus *cpus, unsigned number);

/* What a polling loop does when it found no work. */
enum floor_idle_shape {
    FLOOR_IDLE_SPIN,   /* pause; only where each loop has a processor of its own */
    FLOOR_IDLE_YIELD,  /* sched_yield for ever */
    FLOOR_IDLE_NAP,    /* 200 yields, then sleeps of 50 us */
    FLOOR_IDLE_SHARED, /* 200 yields, then sleeps doubling from 50 us to 2 ms */
};

#define FLOOR_IDLE_WORDS "spin|yield|nap|shared"

struct floor_idle {
    enum floor_idle_shape shape;
    unsigned empty_turns;
    uint64_t sleep_ns;
};

struct floor_idle floor_idle_make(const char *word);

/* Call once a turn with the work that was found; waits only when there was none. */
void floor_idle_turn(struct floor_idle *idle, unsigned work);

/* Durations in memory that survives a fork: a child's samples are the parent's. Samples past the capacity are
 * not kept. */
struct floor_samples {
    uint64_t *ns;
    size_t count;
    size_t capacity;
};

void floor_samples_create(struct floor_samples *samples, size_t capacity);
void floor_samples_add(struct floor_samples *samples, uint64_t duration_ns);

struct floor_report {
    const char *floor;
    const char *mode;
    const char *detail;   /* what was run, in words */
    uint64_t elapsed_ns;  /* from the first sample's start to the last one's end */
    uint64_t block_bytes; /* bytes moved by one operation, when their rate is of interest; else 0 */
    bool json;            /* one machine line instead of the table */
};

/* Sorts the samples. */
void floor_report_print(const struct floor_report *report, struct floor_samples *samples);

#endif
