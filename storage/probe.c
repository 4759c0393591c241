/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "uring_device.h"

#define APPEND_BYTES  4096
#define WARM_COUNT    8
#define FILE_BYTES    ((WARM_COUNT + PROBE_APPEND_COUNT) * (uint64_t)APPEND_BYTES)
#define YIELD_COUNT   200
#define SLEEP_NS      50000
#define GIVE_UP_NS    2000000000u /* one append that takes this long ends the probe of its method */
#define NS_PER_SECOND 1000000000u

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static void wait_a_little(const struct probe_options *options, unsigned turn)
{
    const struct timespec pause = {0, SLEEP_NS};
    if (options->spins) {
        return;
    }
    if (turn < YIELD_COUNT) {
        sched_yield();
    } else {
        nanosleep(&pause, NULL);
    }
}

/* One append; 0 with its duration, or -errno. */
static int append(struct device *device, const struct probe_options *options, uint64_t number,
                  const void *bytes, uint64_t *ret_duration_ns)
{
    struct device_completion completion;
    uint64_t start_ns = clock_ns();
    int error = device->submit_write(device, number * APPEND_BYTES, bytes, APPEND_BYTES, number);
    if (error) {
        return error;
    }
    for (unsigned turn = 0; device->poll(device, &completion, 1) == 0; turn++) {
        if (clock_ns() - start_ns > GIVE_UP_NS) {
            return -ETIMEDOUT;
        }
        wait_a_little(options, turn);
    }
    *ret_duration_ns = clock_ns() - start_ns;
    return completion.error;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static struct probe_figures measure(struct device *device, const struct probe_options *options,
                                    const void *bytes)
{
    uint64_t durations[PROBE_APPEND_COUNT];
    uint64_t duration_ns = 0;
    for (unsigned i = 0; i < WARM_COUNT + PROBE_APPEND_COUNT; i++) {
        if (append(device, options, i, bytes, &duration_ns) != 0) {
            return (struct probe_figures){0};
        }
        if (i >= WARM_COUNT) {
            durations[i - WARM_COUNT] = duration_ns;
        }
    }
    qsort(durations, PROBE_APPEND_COUNT, sizeof(durations[0]), compare);
    return (struct probe_figures){true, durations[PROBE_APPEND_COUNT / 2], durations[PROBE_APPEND_COUNT - 2]};
}

/* Really written, so that the appends meet blocks that exist. */
static int zero_file(struct arena *arena, const struct probe_options *probe, const char *path, void *bytes,
                     char *error_text)
{
    struct device *device;
    struct uring_device_options options = {.path = path,
                                           .create = !probe->in_place,
                                           .exclusive = probe->in_place,
                                           .size_bytes = FILE_BYTES,
                                           .event_fd = -1};
    int error = uring_device_open(arena, &options, &device, error_text);
    if (error) {
        return error;
    }
    for (uint64_t i = 0; i < WARM_COUNT + PROBE_APPEND_COUNT && !error; i++) {
        error = device->write(device, i * APPEND_BYTES, bytes, APPEND_BYTES);
    }
    device->close(device);
    if (error) {
        snprintf(error_text, URING_DEVICE_ERROR_BYTES, "%.100s: %s", path, strerror(-error));
    }
    return error;
}

static int probe_method(struct arena *arena, const struct probe_options *options, const char *path,
                        void *bytes, enum tape_sync sync, struct probe_figures *ret_figures, char *error_text)
{
    struct device *device;
    struct uring_device_options device_options = {.path = path,
                                                  .sync = sync,
                                                  .memory = bytes,
                                                  .memory_bytes = APPEND_BYTES,
                                                  .event_fd = -1,
                                                  .worker_cpus = options->worker_cpus};
    int error = uring_device_open(arena, &device_options, &device, error_text);
    if (error) {
        return error;
    }
    *ret_figures = measure(device, options, bytes);
    device->close(device);
    return 0;
}

enum tape_sync probe_choose(const struct probe_figures *fdatasync, const struct probe_figures *dsync)
{
    if (!fdatasync->works || !dsync->works) {
        return fdatasync->works ? TAPE_SYNC_FDATASYNC : TAPE_SYNC_DSYNC;
    }
    uint64_t lower = fdatasync->p99_ns < dsync->p99_ns ? fdatasync->p99_ns : dsync->p99_ns;
    uint64_t higher = fdatasync->p99_ns < dsync->p99_ns ? dsync->p99_ns : fdatasync->p99_ns;
    bool near = higher - lower <= lower / 10;
    bool takes_dsync = near ? dsync->p50_ns < fdatasync->p50_ns : dsync->p99_ns < fdatasync->p99_ns;
    return takes_dsync ? TAPE_SYNC_DSYNC : TAPE_SYNC_FDATASYNC;
}

static int probe_file(struct arena *arena, const struct probe_options *options, const char *path,
                      struct probe_result *ret_result, char *error_text)
{
    void *bytes = arena_take(arena, APPEND_BYTES, 4096);
    int error = zero_file(arena, options, path, bytes, error_text);
    if (!error) {
        error = probe_method(arena, options, path, bytes, TAPE_SYNC_FDATASYNC, &ret_result->fdatasync,
                             error_text);
    }
    if (!error) {
        error = probe_method(arena, options, path, bytes, TAPE_SYNC_DSYNC, &ret_result->dsync, error_text);
    }
    if (!error && !ret_result->fdatasync.works && !ret_result->dsync.works) {
        snprintf(error_text, URING_DEVICE_ERROR_BYTES, "%.100s: no way to write durably works here", path);
        error = -EIO;
    }
    return error;
}

int probe_sync(const struct probe_options *options, struct probe_result *ret_result, char *error_text)
{
    char path[PATH_MAX];
    struct arena arena;
    if (snprintf(path, sizeof(path), options->in_place ? "%s" : "%s.probe", options->path) >=
        (int)sizeof(path)) {
        snprintf(error_text, URING_DEVICE_ERROR_BYTES, "the path is too long");
        return -ENAMETOOLONG;
    }
    if (!options->in_place) {
        unlink(path); /* of a probe that was killed */
    }
    *ret_result = (struct probe_result){0};
    arena_init(&arena);
    int error = probe_file(&arena, options, path, ret_result, error_text);
    if (!options->in_place) {
        unlink(path);
    }
    arena_fini(&arena);
    if (!error) {
        ret_result->choice = probe_choose(&ret_result->fdatasync, &ret_result->dsync);
    }
    return error;
}
