/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of handing over: a number walks through seven polling threads in eight hand-overs, as one commit
 * walks through the cores of a small cluster. Thread 1 is passed twice, as the leader's dataplane core is:
 *
 *     0 -> 1 -> 2 -> 3 -> 4 -> 5 -> 6 -> 1 -> 0
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "floor.h"
#include "floor_options.h"
#include "floor_process.h"

enum {
    THREAD_COUNT = 7,
    HOP_COUNT = 8,
};

/* Hop h leads from thread route[h] to thread route[h + 1]. */
static const unsigned route[HOP_COUNT + 1] = {0, 1, 2, 3, 4, 5, 6, 1, 0};

/* One cache line for each hop, written by one thread and read by one. */
struct mailbox {
    _Alignas(64) _Atomic uint64_t number;
};

struct settings {
    const char *idle;
    const char *cpus;
    uint64_t count;
    uint64_t warm_up;
    uint64_t seconds;
    bool json;
};

struct walker {
    unsigned thread;
    const struct settings *settings;
    const struct floor_cpus *cpus;
};

static struct mailbox mailboxes[HOP_COUNT];
static atomic_bool is_over;

static struct settings parse_settings(int argc, char **argv)
{
    static struct settings s = {.idle = "nap", .cpus = "all", .count = 50000, .warm_up = 1000, .seconds = 10};
    const struct floor_option options[] = {
        {.name = "idle", .help = "how the threads wait", .text = &s.idle, .words = FLOOR_IDLE_WORDS},
        {.name = "cpus", .help = "all, none, or a list: processors of the threads", .text = &s.cpus},
        {.name = "count", .help = "walks", .number = &s.count, .minimum = 1, .maximum = 10000000},
        {.name = "warm-up", .help = "walks not counted", .number = &s.warm_up, .maximum = 1000000},
        {.name = "seconds", .help = "at most", .number = &s.seconds, .minimum = 1, .maximum = 600},
        {.name = "json", .help = "print one machine line", .flag = &s.json},
        {0},
    };

    floor_options_parse(options, argc, argv);
    return s;
}

static void hand_over(unsigned hop, uint64_t number)
{
    /* Release: pairs with the acquire in `arrived`. */
    atomic_store_explicit(&mailboxes[hop].number, number, memory_order_release);
}

static uint64_t arrived(unsigned hop)
{
    return atomic_load_explicit(&mailboxes[hop].number, memory_order_acquire);
}

/* Passes on what has come in for `thread`; `passed` holds the last number passed on, for each hop. */
static unsigned walk_turn(unsigned thread, uint64_t *passed)
{
    unsigned work = 0;

    for (unsigned hop = 0; hop + 1 < HOP_COUNT; hop++) {
        if (route[hop + 1] != thread) {
            continue;
        }
        uint64_t number = arrived(hop);
        if (number != passed[hop]) {
            passed[hop] = number;
            hand_over(hop + 1, number);
            work++;
        }
    }
    return work;
}

static void *walk(void *argument)
{
    const struct walker *walker = argument;
    struct floor_idle idle = floor_idle_make(walker->settings->idle);
    uint64_t passed[HOP_COUNT] = {0};

    floor_cpus_pin(walker->cpus, walker->thread);
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        floor_idle_turn(&idle, walk_turn(walker->thread, passed));
    }
    return NULL;
}

static uint64_t send_walks(const struct settings *s, struct floor_samples *samples)
{
    struct floor_idle idle = floor_idle_make(s->idle);
    uint64_t first_ns = floor_now_ns();
    uint64_t deadline_ns = first_ns + s->seconds * 1000000000U;
    uint64_t end_ns = first_ns;

    for (uint64_t number = 1; number <= s->warm_up + s->count && end_ns < deadline_ns; number++) {
        uint64_t start_ns = floor_now_ns();
        hand_over(0, number);
        while (arrived(HOP_COUNT - 1) != number) {
            floor_idle_turn(&idle, 0);
        }
        floor_idle_turn(&idle, 1);
        end_ns = floor_now_ns();
        if (number > s->warm_up) {
            floor_samples_add(samples, end_ns - start_ns);
        } else {
            first_ns = end_ns;
        }
    }
    return end_ns - first_ns;
}

int main(int argc, char **argv)
{
    struct settings s = parse_settings(argc, argv);
    struct floor_cpus cpus;
    struct floor_samples samples;
    struct walker walkers[THREAD_COUNT];
    pthread_t threads[THREAD_COUNT];
    char detail[128];

    floor_process_start((unsigned)s.seconds + 20);
    floor_cpus_parse(s.cpus, &cpus);
    floor_samples_create(&samples, s.count);
    for (unsigned i = 1; i < THREAD_COUNT; i++) {
        walkers[i] = (struct walker){.thread = i, .settings = &s, .cpus = &cpus};
        if (pthread_create(&threads[i], NULL, walk, &walkers[i]) != 0) {
            floor_die("pthread_create");
        }
    }
    floor_cpus_pin(&cpus, 0);
    uint64_t elapsed_ns = send_walks(&s, &samples);
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
    for (unsigned i = 1; i < THREAD_COUNT; i++) {
        pthread_join(threads[i], NULL);
    }
    snprintf(detail, sizeof(detail), "8 hand-overs, 7 threads, idle %s, cpus %s", s.idle, s.cpus);
    floor_report_print(
        &(struct floor_report){
            .floor = "chain", .mode = s.idle, .detail = detail, .elapsed_ns = elapsed_ns, .json = s.json},
        &samples);
    return 0;
}
