/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format_steps.h"
#include "tape_grow.h"
#include "uring_device.h"

static int open_device(struct arena *arena, const struct config_log *log, uint64_t extend_bytes,
                       struct device **ret_device)
{
    char error_text[URING_DEVICE_ERROR_BYTES] = "";
    struct uring_device_options options = {
        .path = log->path, .extend = extend_bytes != 0, .size_bytes = extend_bytes, .event_fd = -1};
    int error = uring_device_open(arena, &options, ret_device, error_text);
    if (error) {
        fprintf(stderr, "tally: log %s: %s\n", log->name, error_text);
    }
    return error;
}

static int refuse(const struct config_log *log, enum tape_growth growth,
                  const struct tape_grow_report *report)
{
    fprintf(stderr, "tally: log %s (%s): not grown: %s", log->name, log->path, tape_growth_name(growth));
    if (growth == TAPE_GROW_NO_TAPE) {
        fprintf(stderr, ": %s", tape_verdict_name(report->verdict));
    }
    fprintf(stderr, report->error ? ": %s\n" : "\n", strerror(-report->error));
    return 1;
}

/* Twice the checks: before the file is made longer, and while the tape is held. */
int format_grow(const struct config_log *log, uint64_t size_bytes)
{
    struct arena arena;
    struct device *device = NULL;
    struct tape_grow_report report;
    struct format_progress progress = format_progress_begin("growing", log->name);
    struct tape_grow_options options = {
        .size_bytes = size_bytes, .progress = format_progress_show, .context = &progress};
    if (uring_device_is_in_use(log->path)) {
        fprintf(stderr, "tally: log %s (%s): not grown: a node has it open\n", log->name, log->path);
        return 1;
    }
    arena_init(&arena);
    if (open_device(&arena, log, 0, &device) != 0) {
        arena_fini(&arena);
        return 1;
    }
    enum tape_growth growth = tape_grow_check(device, size_bytes, &report);
    device->close(device);
    if (growth == TAPE_GROWN && open_device(&arena, log, tape_device_bytes(size_bytes), &device) != 0) {
        arena_fini(&arena);
        return 1;
    }
    if (growth == TAPE_GROWN) {
        growth = tape_grow(device, &options, &report);
        device->close(device);
    }
    arena_fini(&arena);
    if (growth != TAPE_GROWN) {
        return refuse(log, growth, &report);
    }
    printf("log %s: %s, %" PRIu64 " MiB instead of %" PRIu64 "; now set size = %" PRIu64 "K in [log %s]\n",
           log->name, log->path, size_bytes >> 20, report.tape.size_bytes >> 20, size_bytes >> 10, log->name);
    return 0;
}
