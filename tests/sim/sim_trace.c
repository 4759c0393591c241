/* SPDX-License-Identifier: Apache-2.0 */
/* The trace: a hash over everything that happened, so that two runs of one seed can be compared, and the last
 * lines. */
#include <stdio.h>

#include "sim.h"

static const char *const names[] = {
    [TRACE_SEND] = "send (to, bytes, crc)",
    [TRACE_DROP] = "drop (from, bytes, why)",
    [TRACE_RECEIVE] = "receive (from, kind, taken)",
    [TRACE_WRITE] = "write (offset, bytes, done at)",
    [TRACE_DURABLE] = "durable (offset, bytes, records)",
    [TRACE_START] = "start (life, verdict, records)",
    [TRACE_CRASH] = "crash (life, power, writes in flight)",
    [TRACE_EVENT] = "event (kind, term, index)",
    [TRACE_COMMIT] = "commit (quorum, index, term)",
    [TRACE_FAULT] = "fault",
    [TRACE_HEAL] = "heal (serial)",
    [TRACE_OUTCOME] = "client is told (event, source sequence, index)",
    [TRACE_OPEN] = "client opens (life)",
    [TRACE_CLOSE] = "client ends (life, undecided)",
    [TRACE_PHASE] = "faults end (operations, committed)",
};

void sim_trace(struct sim *sim, enum sim_trace_kind kind, uint32_t who, uint64_t a, uint64_t b, uint64_t c)
{
    struct sim_trace *trace = &sim->trace;
    const uint64_t words[] = {sim->now_ns, kind, who, a, b, c};
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        trace->hash = (trace->hash ^ words[i]) * 0x9E3779B97F4A7C15u;
        trace->hash ^= trace->hash >> 29;
    }
    if (trace->kept_count > 0) {
        trace->kept[trace->count % trace->kept_count] =
            (struct sim_trace_line){.time_ns = sim->now_ns, .kind = kind, .who = who, .words = {a, b, c}};
    }
    trace->count++;
}

void sim_trace_print(const struct sim *sim)
{
    const struct sim_trace *trace = &sim->trace;
    uint64_t first = trace->count > trace->kept_count ? trace->count - trace->kept_count : 0;
    for (uint64_t i = first; i < trace->count; i++) {
        const struct sim_trace_line *line = &trace->kept[i % trace->kept_count];
        printf("%12.6f ms  %u  %s %lu %lu %lu\n", (double)line->time_ns / 1e6, line->who, names[line->kind],
               line->words[0], line->words[1], line->words[2]);
    }
}
