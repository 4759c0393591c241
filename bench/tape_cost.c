/* SPDX-License-Identifier: Apache-2.0 */
/* What the tape costs over the bare disk: the same appends, with and without it, alternately in one process.
 *
 * - durable: one record that fills a block of 4,096 bytes, until it is durable; bare: one write of 4,096
 * bytes and the fdatasync linked to it.
 * - sequential: batches of 512 KiB, each followed by its sync, the next one gathering meanwhile; bare: the
 * same writes out of one buffer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "floor.h"
#include "floor_disk.h"
#include "floor_options.h"
#include "floor_process.h"
#include "record.h"
#include "tape.h"
#include "tape_layout.h"
#include "uring_device.h"

#define APPEND_BYTES  4096u
#define BATCH_BYTES   (512u << 10)
#define MEMORY_CHUNKS 8u
#define RECORD_BYTES  256u /* of a payload in the sequential part */
#define STRETCH_BYTES (32u << 20)
#define STRETCHES_MAX 64u
#define DISK_MIB      128u
#define SECONDS_MAX   600u

struct settings {
    const char *directory;
    const char *wait;
    uint64_t count;
    uint64_t warm_up;
    uint64_t stretches;
};

struct rig {
    struct settings settings;
    struct floor_disk bare;
    void *bare_buffer;
    char path[256];
    struct arena arena;
    struct tape *tape;
    uint64_t index;
    struct floor_idle idle;
};

static struct settings settings_parse(int argc, char **argv)
{
    static struct settings s = {
        .directory = "/var/tmp", .wait = "yield", .count = 20000, .warm_up = 500, .stretches = 10};
    const struct floor_option options[] = {
        {.name = "dir", .help = "where the files are made, and removed", .text = &s.directory},
        {.name = "wait", .help = "for the completion", .text = &s.wait, .words = FLOOR_IDLE_WORDS},
        {.name = "count",
         .help = "durable appends of each",
         .number = &s.count,
         .minimum = 2,
         .maximum = 1000000},
        {.name = "warm-up", .help = "appends not counted", .number = &s.warm_up, .maximum = 100000},
        {.name = "stretches",
         .help = "of 32 MiB, written by each",
         .number = &s.stretches,
         .minimum = 1,
         .maximum = STRETCHES_MAX},
        {0},
    };
    floor_options_parse(options, argc, argv);
    return s;
}

/* ---- the two of them ---- */

static uint64_t tape_bytes(const struct settings *s)
{
    uint64_t bytes = (s->count + s->warm_up) * 2 * APPEND_BYTES + (s->stretches + 1) * 2ull * STRETCH_BYTES;
    return align_up(bytes, TAPE_CHUNK_BYTES_MAX);
}

static void tape_make(struct rig *rig)
{
    char error_text[URING_DEVICE_ERROR_BYTES];
    struct device *device = NULL;
    struct uring_device_options options = {.path = rig->path,
                                           .create = true,
                                           .size_bytes = tape_device_bytes(tape_bytes(&rig->settings)),
                                           .event_fd = -1};
    struct tape_format_options format = {
        .identity = {.cluster_id = 1, .node_id = 1, .incarnation = 1, .log_name = "cost"},
        .size_bytes = tape_bytes(&rig->settings),
        .chunk_bytes = TAPE_CHUNK_BYTES_MAX,
        .sync = TAPE_SYNC_FDATASYNC};
    snprintf(rig->path, sizeof(rig->path), "%.200s/tape_cost.%d", rig->settings.directory, getpid());
    floor_process_owns_file(rig->path);
    if (uring_device_open(&rig->arena, &options, &device, error_text) != 0) {
        floor_refuse(rig->path, error_text);
    }
    int error = tape_format(device, &format);
    device->close(device);
    if (error) {
        floor_refuse(rig->path, strerror(-error));
    }
}

static void tape_begin(struct rig *rig)
{
    char error_text[URING_DEVICE_ERROR_BYTES];
    struct device *device = NULL;
    struct tape_report report;
    struct tape_options tape = {.identity = {.cluster_id = 1, .node_id = 1, .log_name = "cost"},
                                .memory_chunks = MEMORY_CHUNKS,
                                .reader_chunks = 2,
                                .write_bytes_max = BATCH_BYTES};
    tape.memory_bytes = tape_memory_bytes(&tape, TAPE_CHUNK_BYTES_MAX);
    tape.memory = arena_take(&rig->arena, tape.memory_bytes, 4096);
    struct uring_device_options options = {
        .path = rig->path, .memory = tape.memory, .memory_bytes = tape.memory_bytes, .event_fd = -1};
    if (uring_device_open(&rig->arena, &options, &device, error_text) != 0) {
        floor_refuse(rig->path, error_text);
    }
    enum tape_verdict verdict = tape_open(&rig->arena, device, &tape, NULL, NULL, &rig->tape, &report);
    if (verdict != TAPE_OPEN) {
        floor_refuse(rig->path, tape_verdict_name(verdict));
    }
}

static bool record_append(struct rig *rig, size_t payload_bytes)
{
    int error = 0;
    uint8_t *record = tape_reserve(rig->tape, payload_bytes, false, &error);
    if (record == NULL) {
        ASSERT(error == -EBUSY);
        return false;
    }
    memset(record + RECORD_HEAD_BYTES, (int)rig->index, payload_bytes);
    struct record_head head = {.type = RECORD_DATA, .quorum_number = 1, .index = ++rig->index, .term = 1};
    record_finish(record, &head, payload_bytes);
    tape_append(rig->tape);
    return true;
}

/* ---- durable appends ---- */

static uint64_t bare_append(struct rig *rig)
{
    uint64_t start_ns = floor_now_ns();
    floor_disk_submit(&rig->bare, rig->bare_buffer, APPEND_BYTES);
    while (!floor_disk_poll(&rig->bare)) {
        floor_idle_turn(&rig->idle, 0);
    }
    floor_idle_turn(&rig->idle, 1);
    return floor_now_ns() - start_ns;
}

static uint64_t tape_append_durably(struct rig *rig)
{
    uint64_t start_ns = floor_now_ns();
    bool appended = record_append(rig, APPEND_BYTES - BLOCK_HEAD_BYTES - RECORD_HEAD_BYTES);
    ASSERT(appended);
    tape_submit(rig->tape, start_ns);
    while (tape_durable_position(rig->tape) != tape_append_position(rig->tape)) {
        tape_poll(rig->tape, start_ns);
        ASSERT(tape_error(rig->tape) == 0);
        floor_idle_turn(&rig->idle, 0);
    }
    floor_idle_turn(&rig->idle, 1);
    return floor_now_ns() - start_ns;
}

static int ns_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double microseconds_at(struct floor_samples *samples, double part)
{
    qsort(samples->ns, samples->count, sizeof(samples->ns[0]), ns_compare);
    return (double)samples->ns[(size_t)((double)(samples->count - 1) * part)] / 1e3;
}

static void durable_compare(struct rig *rig)
{
    struct floor_samples bare[2]; /* every second one: how far the bare disk is from itself */
    struct floor_samples both;
    struct floor_samples tape;
    floor_samples_create(&bare[0], rig->settings.count);
    floor_samples_create(&bare[1], rig->settings.count);
    floor_samples_create(&both, rig->settings.count);
    floor_samples_create(&tape, rig->settings.count);
    for (uint64_t i = 0; i < rig->settings.warm_up + rig->settings.count; i++) {
        uint64_t bare_ns = bare_append(rig);
        uint64_t tape_ns = tape_append_durably(rig);
        if (i >= rig->settings.warm_up) {
            floor_samples_add(&bare[i % 2], bare_ns);
            floor_samples_add(&both, bare_ns);
            floor_samples_add(&tape, tape_ns);
        }
    }
    static const double parts[] = {0.5, 0.9, 0.99, 0.999};
    static const char *const names[] = {"p50", "p90", "p99", "p99.9"};
    printf("durable append of 4,096 bytes, %llu of each alternately, wait %s\n",
           (unsigned long long)rig->settings.count, rig->settings.wait);
    printf("%8s %12s %12s %10s %8s %12s\n", "", "bare us", "tape us", "more us", "ratio", "bare/bare");
    for (unsigned i = 0; i < 4; i++) {
        double floor_us = microseconds_at(&both, parts[i]);
        double tape_us = microseconds_at(&tape, parts[i]);
        double one = microseconds_at(&bare[0], parts[i]);
        double other = microseconds_at(&bare[1], parts[i]);
        printf("%8s %12.2f %12.2f %10.2f %8.3f %12.3f\n", names[i], floor_us, tape_us, tape_us - floor_us,
               tape_us / floor_us, one > other ? one / other : other / one);
    }
}

/* ---- full batches ---- */

static double bare_stretch(struct rig *rig)
{
    uint64_t start_ns = floor_now_ns();
    for (uint64_t done = 0; done < STRETCH_BYTES; done += BATCH_BYTES) {
        floor_disk_submit(&rig->bare, rig->bare_buffer, BATCH_BYTES);
        while (!floor_disk_poll(&rig->bare)) {
            floor_idle_turn(&rig->idle, 0);
        }
        floor_idle_turn(&rig->idle, 1);
    }
    return (double)STRETCH_BYTES / (double)(floor_now_ns() - start_ns) * 1e3;
}

/* As the engine does it: what fits is gathered, then a turn submits and polls. */
static double tape_stretch(struct rig *rig)
{
    uint64_t start_ns = floor_now_ns();
    uint64_t end = tape_append_position(rig->tape) + STRETCH_BYTES;
    uint64_t gathered = tape_append_position(rig->tape);
    while (tape_durable_position(rig->tape) < end) {
        unsigned work = 0;
        while (tape_append_position(rig->tape) < end &&
               tape_append_position(rig->tape) - gathered < BATCH_BYTES - RECORD_BYTES * 4 &&
               record_append(rig, RECORD_BYTES)) {
            work++;
        }
        if (tape_submit(rig->tape, start_ns) > 0) {
            gathered = tape_append_position(rig->tape);
            work++;
        }
        work += tape_poll(rig->tape, start_ns);
        ASSERT(tape_error(rig->tape) == 0);
        if (tape_append_position(rig->tape) >= end &&
            tape_durable_position(rig->tape) == tape_append_position(rig->tape)) {
            break;
        }
        floor_idle_turn(&rig->idle, work);
    }
    return (double)(tape_append_position(rig->tape) + STRETCH_BYTES - end) /
           (double)(floor_now_ns() - start_ns) * 1e3;
}

static int rate_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void sequential_compare(struct rig *rig)
{
    double bare[STRETCHES_MAX];
    double tape[STRETCHES_MAX];
    double ratio[STRETCHES_MAX];
    size_t count = rig->settings.stretches;
    tape_stretch(rig);
    for (size_t i = 0; i < count; i++) {
        bare[i] = bare_stretch(rig);
        tape[i] = tape_stretch(rig);
        ratio[i] = tape[i] / bare[i];
    }
    qsort(bare, count, sizeof(bare[0]), rate_compare);
    qsort(tape, count, sizeof(tape[0]), rate_compare);
    qsort(ratio, count, sizeof(ratio[0]), rate_compare);
    printf("\nsequential, batches of 512 KiB, a sync each, records of %u bytes, %zu stretches of 32 MiB "
           "alternately\n",
           RECORD_BYTES, count);
    printf(
        "bare %.0f MB/s [%.0f .. %.0f], tape %.0f MB/s [%.0f .. %.0f], ratio in pairs %.3f [%.3f .. %.3f]\n",
        bare[count / 2], bare[0], bare[count - 1], tape[count / 2], tape[0], tape[count - 1],
        ratio[count / 2], ratio[0], ratio[count - 1]);
}

int main(int argc, char **argv)
{
    static struct rig rig;
    rig.settings = settings_parse(argc, argv);
    rig.idle = floor_idle_make(rig.settings.wait);
    arena_init(&rig.arena);
    floor_process_start(SECONDS_MAX);
    int file = floor_disk_create_file(rig.settings.directory, (uint64_t)DISK_MIB << 20);
    floor_disk_open(&rig.bare, file, (uint64_t)DISK_MIB << 20, FLOOR_SYNC_FDATASYNC, -1);
    rig.bare_buffer = floor_disk_buffer(BATCH_BYTES);
    memset(rig.bare_buffer, 1, BATCH_BYTES);
    tape_make(&rig);
    tape_begin(&rig);
    durable_compare(&rig);
    sequential_compare(&rig);
    tape_close(rig.tape);
    floor_process_finish();
    return 0;
}
