/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "floor_process.h"

enum {
    YIELDS_BEFORE_SLEEP = 200,
    SLEEP_FIRST_NS = 50 * 1000,
    SLEEP_LAST_NS = 2 * 1000 * 1000,
};

uint64_t floor_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void cpus_take_allowed(struct floor_cpus *cpus)
{
    cpu_set_t allowed;

    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
        floor_die("sched_getaffinity");
    }
    for (unsigned cpu = 0; cpu < CPU_SETSIZE && cpus->count < 64; cpu++) {
        if (CPU_ISSET(cpu, &allowed)) {
            cpus->cpu[cpus->count++] = cpu;
        }
    }
}

void floor_cpus_parse(const char *text, struct floor_cpus *ret_cpus)
{
    struct floor_cpus cpus = {0};

    if (strcmp(text, "all") == 0) {
        cpus_take_allowed(&cpus);
    } else if (strcmp(text, "none") != 0) {
        const char *at = text;
        char *end = NULL;
        do {
            cpus.cpu[cpus.count++] = (unsigned)strtoul(at, &end, 10);
            if (end == at || (*end != ',' && *end != '\0')) {
                floor_refuse("--cpus", text);
            }
            at = end + 1;
        } while (*end == ',' && cpus.count < 64);
    }
    *ret_cpus = cpus;
}

void floor_cpus_pin(const struct floor_cpus *cpus, unsigned number)
{
    cpu_set_t one;

    if (cpus->count == 0) {
        return;
    }
    CPU_ZERO(&one);
    CPU_SET(cpus->cpu[number % cpus->count], &one);
    if (sched_setaffinity(0, sizeof(one), &one) != 0) {
        floor_die("sched_setaffinity");
    }
}

struct floor_idle floor_idle_make(const char *word)
{
    struct floor_idle idle = {.shape = FLOOR_IDLE_SHARED, .sleep_ns = SLEEP_FIRST_NS};

    if (strcmp(word, "spin") == 0) {
        idle.shape = FLOOR_IDLE_SPIN;
    } else if (strcmp(word, "yield") == 0) {
        idle.shape = FLOOR_IDLE_YIELD;
    } else if (strcmp(word, "nap") == 0) {
        idle.shape = FLOOR_IDLE_NAP;
    }
    return idle;
}

static void idle_sleep(struct floor_idle *idle)
{
    struct timespec pause = {.tv_nsec = (long)idle->sleep_ns};

    nanosleep(&pause, NULL);
    if (idle->shape == FLOOR_IDLE_SHARED && idle->sleep_ns < SLEEP_LAST_NS) {
        idle->sleep_ns *= 2;
        idle->sleep_ns = idle->sleep_ns > SLEEP_LAST_NS ? SLEEP_LAST_NS : idle->sleep_ns;
    }
}

void floor_idle_turn(struct floor_idle *idle, unsigned work)
{
    if (work > 0) {
        idle->empty_turns = 0;
        idle->sleep_ns = SLEEP_FIRST_NS;
    } else if (idle->shape == FLOOR_IDLE_SPIN) {
        __builtin_ia32_pause();
    } else if (idle->shape == FLOOR_IDLE_YIELD || idle->empty_turns < YIELDS_BEFORE_SLEEP) {
        idle->empty_turns++;
        sched_yield();
    } else {
        idle_sleep(idle);
    }
}

void floor_samples_create(struct floor_samples *samples, size_t capacity)
{
    void *memory = mmap(NULL, capacity * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (memory == MAP_FAILED) {
        floor_die("mmap of samples");
    }
    *samples = (struct floor_samples){.ns = memory, .capacity = capacity};
}

void floor_samples_add(struct floor_samples *samples, uint64_t duration_ns)
{
    if (samples->count < samples->capacity) {
        samples->ns[samples->count++] = duration_ns;
    }
}

static int compare_ns(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* The smallest sample that at least `per_mille` of a thousand samples do not exceed. */
static double percentile_us(const struct floor_samples *samples, size_t per_mille)
{
    size_t rank = (samples->count * per_mille + 999) / 1000;

    return (double)samples->ns[rank > 0 ? rank - 1 : 0] / 1000.0;
}

static void print_json(const struct floor_report *report, const struct floor_samples *samples, double rate)
{
    printf("{\"floor\":\"%s\",\"mode\":\"%s\",\"detail\":\"%s\",", report->floor, report->mode,
           report->detail);
    printf("\"p50_us\":%.3f,\"p90_us\":%.3f,\"p99_us\":%.3f,\"p999_us\":%.3f,\"max_us\":%.3f,",
           percentile_us(samples, 500), percentile_us(samples, 900), percentile_us(samples, 990),
           percentile_us(samples, 999), percentile_us(samples, 1000));
    printf("\"rate\":%.1f,", rate);
    if (report->block_bytes > 0) {
        printf("\"mb_s\":%.1f,", rate * (double)report->block_bytes / 1e6);
    }
    printf("\"count\":%zu}\n", samples->count);
}

static void print_table(const struct floor_report *report, const struct floor_samples *samples, double rate)
{
    printf("%s, %s: %s\n", report->floor, report->mode, report->detail);
    printf("%10s %10s %10s %10s %10s %12s %10s\n", "p50 us", "p90 us", "p99 us", "p99.9 us", "max us",
           "per second", "count");
    printf("%10.2f %10.2f %10.2f %10.2f %10.2f %12.0f %10zu\n", percentile_us(samples, 500),
           percentile_us(samples, 900), percentile_us(samples, 990), percentile_us(samples, 999),
           percentile_us(samples, 1000), rate, samples->count);
    if (report->block_bytes > 0) {
        printf("%.1f MB/s\n", rate * (double)report->block_bytes / 1e6);
    }
}

void floor_report_print(const struct floor_report *report, struct floor_samples *samples)
{
    if (samples->count == 0) {
        floor_refuse(report->floor, "no sample was taken in the time allowed");
    }
    qsort(samples->ns, samples->count, sizeof(uint64_t), compare_ns);
    double rate = (double)samples->count * 1e9 / (double)(report->elapsed_ns > 0 ? report->elapsed_ns : 1);
    if (report->json) {
        print_json(report, samples, rate);
    } else {
        print_table(report, samples, rate);
    }
}
