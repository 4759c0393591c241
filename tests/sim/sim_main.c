/* SPDX-License-Identifier: Apache-2.0 */
/* sim --seed S | --seeds N [--from S] | --seconds N | --minutes N, [--trace [LINES]] [--until-caught]
 * [--late-clients]
 *
 * Exit status: 0 good, 1 safety, 2 liveness, 3 not deterministic, 64 usage.
 *
 * --until-caught, for programs with a deliberate defect: 0 when a seed found it, 1 when none did.
 *
 * --late-clients: publishers come back within the delay of what they sent in an earlier life. A source's
 * numbers do not say which life gave them, so an outcome can be told to the wrong one: a known limit, not in
 * the ordinary runs. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

/* One seed in so many is run twice. */
#define TWICE_INTERVAL 16

struct arguments {
    uint64_t first_seed;
    bool has_seed;
    uint64_t seed_count; /* 0: by time */
    double seconds;
    uint32_t trace_count;
    bool until_caught;
    bool late_clients;
};

static struct sim sim;
static const char *program;
/* What the command that repeats a run has beside the seed. */
static const char *repeat_options = "";
static uint64_t present_seed;
static uint64_t seed_count;
static bool is_until_caught;
static bool late_clients;

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* An assertion or a bad access inside a node: which seed it was must still be told. */
static void on_signal(int signal_number)
{
    char text[256];
    int length = snprintf(text, sizeof(text),
                          "safety: signal %d in a node (seed %" PRIu64
                          " of this run); repeat with: %s --seed 0x%" PRIx64 "%s\n",
                          signal_number, seed_count, program, present_seed, repeat_options);
    if (sim.trace.kept_count > 0) {
        sim_trace_print(&sim);
        fflush(stdout);
    }
    if (write(STDOUT_FILENO, text, (size_t)length) != length) {
        _exit(SIM_DETERMINISM);
    }
    _exit(is_until_caught ? SIM_GOOD : SIM_SAFETY);
}

static enum sim_result run_seed(uint64_t seed, uint32_t trace_count)
{
    present_seed = seed;
    sim_run(&sim, seed, trace_count, late_clients);
    if (trace_count > 0) {
        sim_trace_print(&sim);
    }
    if (sim.result != SIM_GOOD) {
        printf("%s\nseed 0x%" PRIx64 " at %.3f ms; repeat with: %s --seed 0x%" PRIx64 "%s\n", sim.failure,
               seed, (double)sim.now_ns / 1e6, program, seed, repeat_options);
    }
    return sim.result;
}

static enum sim_result run_twice(uint64_t seed, uint64_t hash)
{
    run_seed(seed, 0);
    enum sim_result result = sim.trace.hash == hash ? SIM_GOOD : SIM_DETERMINISM;
    if (result != SIM_GOOD) {
        printf("determinism: seed 0x%" PRIx64 " went two ways; repeat with: %s --seed 0x%" PRIx64 "%s\n",
               seed, program, seed, repeat_options);
    }
    return result;
}

static void add(struct sim_counters *total, uint64_t *virtual_ns)
{
    const struct sim_counters *counters = &sim.counters;
    total->operations += counters->operations;
    total->committed += counters->committed;
    total->frames += counters->frames;
    total->crashes += counters->crashes;
    total->elections += counters->elections;
    total->turns += counters->turns;
    total->delivered += counters->delivered;
    *virtual_ns += sim.now_ns;
}

static enum sim_result run_seeds(const struct arguments *arguments)
{
    struct sim_counters total = {0};
    uint64_t virtual_ns = 0;
    uint64_t count = 0;
    double start = now_seconds();
    enum sim_result result = SIM_GOOD;
    while (result == SIM_GOOD && (arguments->seed_count ? count < arguments->seed_count
                                                        : now_seconds() - start < arguments->seconds)) {
        struct prng prng = {.state = arguments->first_seed + count};
        uint64_t seed = arguments->has_seed ? arguments->first_seed : prng_next(&prng);
        seed_count = count + 1;
        result = run_seed(seed, arguments->trace_count);
        add(&total, &virtual_ns);
        uint64_t hash = sim.trace.hash;
        sim_fini(&sim);
        if (result == SIM_GOOD && count % TWICE_INTERVAL == 0) {
            result = run_twice(seed, hash);
            sim_fini(&sim);
        }
        count++;
    }
    if (arguments->has_seed) {
        printf("trace of %" PRIu64 " lines, hash %016" PRIx64 "\n", sim.trace.count, sim.trace.hash);
    }
    double seconds = now_seconds() - start;
    printf("%" PRIu64 " seeds from 0x%" PRIx64 ", %.0f s virtual: %" PRIu64 " operations, %" PRIu64
           " entries committed, %" PRIu64 " delivered, %" PRIu64 " crashes, %" PRIu64 " elections, %" PRIu64
           " frames, %" PRIu64 " turns; %.0f seeds a minute\n",
           count, arguments->first_seed, (double)virtual_ns / 1e9, total.operations, total.committed,
           total.delivered, total.crashes, total.elections, total.frames, total.turns,
           (double)count * 60 / seconds);
    return result;
}

static int print_usage(void)
{
    fprintf(stderr,
            "usage: %s --seed S | --seeds N [--from S] | --seconds N | --minutes N, [--trace [LINES]]\n",
            program);
    return 64;
}

static bool parse(int count, char **texts, struct arguments *arguments)
{
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? texts[i + 1] : NULL;
        bool has_value = value && value[0] != '-';
        if (strcmp(texts[i], "--until-caught") == 0) {
            arguments->until_caught = true;
            continue;
        }
        if (strcmp(texts[i], "--late-clients") == 0) {
            arguments->late_clients = true;
            continue;
        }
        if (strcmp(texts[i], "--trace") == 0) {
            arguments->trace_count = has_value ? (uint32_t)strtoul(value, NULL, 0) : 200;
            i += has_value;
            continue;
        }
        if (!has_value) {
            return false;
        }
        if (strcmp(texts[i], "--seed") == 0) {
            arguments->first_seed = strtoull(value, NULL, 0);
            arguments->has_seed = true;
            arguments->seed_count = 1;
        } else if (strcmp(texts[i], "--seeds") == 0) {
            arguments->seed_count = strtoull(value, NULL, 0);
        } else if (strcmp(texts[i], "--from") == 0) {
            arguments->first_seed = strtoull(value, NULL, 0);
        } else if (strcmp(texts[i], "--seconds") == 0) {
            arguments->seconds = strtod(value, NULL);
        } else if (strcmp(texts[i], "--minutes") == 0) {
            arguments->seconds = 60 * strtod(value, NULL);
        } else {
            return false;
        }
        i++;
    }
    return arguments->seed_count > 0 || arguments->seconds > 0;
}

int main(int count, char **texts)
{
    struct arguments arguments = {.first_seed = (uint64_t)time(NULL) * 1000003u};
    program = texts[0];
    if (!parse(count, texts, &arguments)) {
        return print_usage();
    }
    signal(SIGABRT, on_signal);
    signal(SIGSEGV, on_signal);
    signal(SIGBUS, on_signal);
    signal(SIGFPE, on_signal);
    setvbuf(stdout, NULL, _IOLBF, 0);
    is_until_caught = arguments.until_caught;
    late_clients = arguments.late_clients;
    repeat_options = late_clients ? " --late-clients" : "";
    enum sim_result result = run_seeds(&arguments);
    return arguments.until_caught ? result == SIM_GOOD : (int)result;
}
