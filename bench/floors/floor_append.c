/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of a log on disk: one durable append after the other, by one process or by several at once on the
 * same disk, each into a file of its own. */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "floor.h"
#include "floor_disk.h"
#include "floor_options.h"
#include "floor_process.h"

enum { WRITERS_MAX = 8 };

struct settings {
    const char *directory;
    const char *sync;
    const char *wait;
    const char *cpus;
    uint64_t writers;
    uint64_t block_bytes;
    uint64_t worker_cpu; /* one past the last processor: any */
    uint64_t count;
    uint64_t warm_up;
    uint64_t size_mib;
    uint64_t seconds;
    bool json;
};

enum { ANY_CPU = 1024 };

/* Between the writers and the parent. A writer's samples have a capacity of `count`. */
struct shared {
    _Atomic unsigned ready; /* writers whose first append is about to start */
    struct floor_samples samples[WRITERS_MAX];
    uint64_t elapsed_ns[WRITERS_MAX];
};

static struct settings parse_settings(int argc, char **argv)
{
    static struct settings s = {.directory = ".",
                                .sync = "fdatasync",
                                .wait = "kernel",
                                .cpus = "none",
                                .writers = 1,
                                .block_bytes = FLOOR_BLOCK_BYTES,
                                .worker_cpu = ANY_CPU,
                                .count = 10000,
                                .warm_up = 100,
                                .size_mib = 64,
                                .seconds = 10};
    const struct floor_option options[] = {
        {.name = "dir", .help = "where the files are made, and removed", .text = &s.directory},
        {.name = "sync", .help = "what makes a write durable", .text = &s.sync, .words = FLOOR_SYNC_WORDS},
        {.name = "wait", .help = "for the completion", .text = &s.wait, .words = "kernel|" FLOOR_IDLE_WORDS},
        {.name = "cpus", .help = "all, none, or a list: processors of the writers", .text = &s.cpus},
        {.name = "writers", .help = "at once", .number = &s.writers, .minimum = 1, .maximum = WRITERS_MAX},
        {.name = "bytes",
         .help = "of an append",
         .number = &s.block_bytes,
         .minimum = 512,
         .maximum = 1 << 20},
        {.name = "worker-cpu",
         .help = "processor of io_uring's workers",
         .number = &s.worker_cpu,
         .maximum = ANY_CPU},
        {.name = "count", .help = "appends", .number = &s.count, .minimum = 1, .maximum = 10000000},
        {.name = "warm-up", .help = "appends not counted", .number = &s.warm_up, .maximum = 1000000},
        {.name = "size", .help = "of a file, in MiB", .number = &s.size_mib, .minimum = 1, .maximum = 65536},
        {.name = "seconds", .help = "at most", .number = &s.seconds, .minimum = 1, .maximum = 600},
        {.name = "json", .help = "print one machine line", .flag = &s.json},
        {0},
    };

    floor_options_parse(options, argc, argv);
    if (s.block_bytes % 512 != 0) {
        floor_refuse("--bytes", "is not a multiple of 512");
    }
    return s;
}

static void append_once(struct floor_disk *disk, const void *buffer, const struct settings *s,
                        struct floor_idle *idle)
{
    floor_disk_submit(disk, buffer, s->block_bytes);
    if (strcmp(s->wait, "kernel") == 0) {
        floor_disk_wait(disk);
        return;
    }
    while (!floor_disk_poll(disk)) {
        floor_idle_turn(idle, 0);
    }
    floor_idle_turn(idle, 1);
}

/* All writers start together, so that each append of one meets the appends of the others. */
static void wait_for_others(struct shared *shared, const struct settings *s)
{
    atomic_fetch_add(&shared->ready, 1);
    while (atomic_load(&shared->ready) < s->writers) {
        sched_yield();
    }
}

static void write_appends(struct shared *shared, unsigned writer, int file, const struct settings *s)
{
    struct floor_disk disk;
    struct floor_idle idle = floor_idle_make(s->wait);
    void *buffer = floor_disk_buffer(s->block_bytes);

    floor_disk_open(&disk, file, s->size_mib << 20, floor_sync_make(s->sync),
                    s->worker_cpu == ANY_CPU ? -1 : (int)s->worker_cpu);
    wait_for_others(shared, s);
    uint64_t first_ns = floor_now_ns();
    uint64_t end_ns = first_ns;
    uint64_t deadline_ns = first_ns + s->seconds * 1000000000U;
    for (uint64_t i = 0; i < s->warm_up + s->count && end_ns < deadline_ns; i++) {
        uint64_t start_ns = floor_now_ns();
        append_once(&disk, buffer, s, &idle);
        end_ns = floor_now_ns();
        if (i >= s->warm_up) {
            floor_samples_add(&shared->samples[writer], end_ns - start_ns);
        } else {
            first_ns = end_ns;
        }
    }
    shared->elapsed_ns[writer] = end_ns - first_ns;
}

static struct shared *create_shared(const struct settings *s)
{
    struct shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (shared == MAP_FAILED) {
        floor_die("mmap");
    }
    for (unsigned i = 0; i < s->writers; i++) {
        floor_samples_create(&shared->samples[i], s->count);
    }
    return shared;
}

static void run_writers(struct shared *shared, const struct settings *s)
{
    int files[WRITERS_MAX];
    struct floor_cpus cpus;

    floor_cpus_parse(s->cpus, &cpus);
    for (unsigned i = 0; i < s->writers; i++) {
        files[i] = floor_disk_create_file(s->directory, s->size_mib << 20);
    }
    for (unsigned i = 0; i < s->writers; i++) {
        if (floor_process_fork() == 0) {
            floor_cpus_pin(&cpus, i);
            write_appends(shared, i, files[i], s);
            _Exit(0);
        }
    }
    floor_process_wait_children();
    floor_process_finish();
}

static void print_report(const struct shared *shared, const struct settings *s)
{
    struct floor_samples all;
    char detail[128];
    uint64_t longest_ns = 0;

    floor_samples_create(&all, s->count * s->writers);
    for (unsigned writer = 0; writer < s->writers; writer++) {
        for (size_t i = 0; i < shared->samples[writer].count; i++) {
            floor_samples_add(&all, shared->samples[writer].ns[i]);
        }
        longest_ns = shared->elapsed_ns[writer] > longest_ns ? shared->elapsed_ns[writer] : longest_ns;
    }
    snprintf(detail, sizeof(detail), "%u writers, %u bytes, sync %s, wait %s", (unsigned)s->writers,
             (unsigned)s->block_bytes, s->sync, s->wait);
    floor_report_print(&(struct floor_report){.floor = "append",
                                              .mode = s->sync,
                                              .detail = detail,
                                              .elapsed_ns = longest_ns,
                                              .block_bytes = s->block_bytes,
                                              .json = s->json},
                       &all);
}

int main(int argc, char **argv)
{
    struct settings s = parse_settings(argc, argv);

    floor_process_start((unsigned)s.seconds + 60);
    struct shared *shared = create_shared(&s);
    run_writers(shared, &s);
    print_report(shared, &s);
    return 0;
}
