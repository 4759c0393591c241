/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a node's tapes, each written whole, and with them the node's identity: one incarnation for all of
 * them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "boot_id.h"
#include "commands.h"
#include "config.h"
#include "probe.h"
#include "uring_device.h"

struct progress {
    const char *name;
    bool shown; /* standard error is a terminal */
    unsigned last_percent;
};

static void show_progress(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    struct progress *progress = context;
    unsigned percent = total_bytes ? (unsigned)(done_bytes * 100 / total_bytes) : 100;
    if (!progress->shown || percent == progress->last_percent) {
        return;
    }
    progress->last_percent = percent;
    fprintf(stderr, "\rformatting %s  [%-50.*s] %3u %%", progress->name, (int)(percent / 2),
            "##################################################", percent);
    if (percent == 100) {
        fputc('\n', stderr);
    }
}

static enum poll_profile profile_of(const struct config *config, unsigned consensus_core)
{
    for (unsigned t = 0; t < config->thread_count; t++) {
        for (unsigned p = 0; p < config->threads[t].part_count; p++) {
            if (config->threads[t].parts[p].kind == CONFIG_CONSENSUS &&
                config->threads[t].parts[p].index == consensus_core) {
                return (enum poll_profile)config->threads[t].profile;
            }
        }
    }
    return POLL_SHARED;
}

/* Measured beside the tape to be, idling as the log's thread will. 0: it could not be, `error_text` says why.
 */
static enum tape_sync choose_sync(const struct config_log *log, enum poll_profile profile, char *error_text)
{
    struct probe_options options = {.path = log->path, .spins = profile == POLL_SPIN};
    struct probe_result result = {0};
    if (probe_sync(&options, &result, error_text) != 0) {
        return 0;
    }
    const struct probe_figures *both[] = {&result.fdatasync, &result.dsync};
    static const char *const names[] = {"write + fdatasync", "write with RWF_DSYNC"};
    for (size_t i = 0; i < 2; i++) {
        printf("log %s: %s: p50 %.1f us, p99 %.1f us%s\n", log->name, names[i], (double)both[i]->p50_ns / 1e3,
               (double)both[i]->p99_ns / 1e3,
               (result.choice == TAPE_SYNC_DSYNC) == (i == 1) ? "  <- chosen" : "");
    }
    return result.choice;
}

static int format_log(const struct config *config, unsigned index, uint64_t incarnation)
{
    const struct config_log *log = &config->logs[index];
    struct arena arena;
    struct device *device = NULL;
    char error_text[256] = "";
    struct progress progress = {.name = log->name, .shown = isatty(STDERR_FILENO), .last_percent = 101};
    struct tape_format_options options = {
        .identity = {.cluster_id = config->cluster_id,
                     .node_id = config->node_id,
                     .incarnation = incarnation},
        .size_bytes = log->size_bytes,
        .chunk_bytes = (uint32_t)log->chunk_bytes,
        .sync = (enum tape_sync)log->sync,
        .progress = show_progress,
        .context = &progress,
    };
    struct uring_device_options device_options = {
        .path = log->path, .create = true, .size_bytes = tape_device_bytes(log->size_bytes), .event_fd = -1};
    memcpy(options.identity.log_name, log->name, sizeof(log->name));
    arena_init(&arena);
    int error = uring_device_open(&arena, &device_options, &device, error_text);
    if (error != 0) {
        fprintf(stderr, "tally: log %s: %s\n", log->name, error_text);
        arena_fini(&arena);
        return 1;
    }
    if (log->sync == 0) {
        options.sync = choose_sync(log, profile_of(config, index), error_text);
    }
    error = options.sync ? tape_format(device, &options) : -EIO;
    device->close(device);
    arena_fini(&arena);
    if (error != 0) {
        fprintf(stderr, "tally: log %s (%s): %s\n", log->name, log->path,
                error_text[0] ? error_text : strerror(-error));
        unlink(log->path);
        return 1;
    }
    printf("log %s: %s, %llu MiB, chunks of %llu KiB, incarnation %llx\n", log->name, log->path,
           (unsigned long long)(log->size_bytes >> 20), (unsigned long long)(log->chunk_bytes >> 10),
           (unsigned long long)incarnation);
    return 0;
}

int command_format(int argc, char **argv)
{
    static struct config config;
    char error_text[CONFIG_ERROR_BYTES] = "";
    if (argc != 3 || strcmp(argv[1], "-c") != 0) {
        fprintf(stderr, "usage: tally format -c FILE\n");
        return 2;
    }
    if (!config_load(argv[2], &config, error_text)) {
        fprintf(stderr, "tally: %s\n", error_text);
        return 2;
    }
    for (unsigned i = 0; i < config.log_count; i++) {
        if (access(config.logs[i].path, F_OK) == 0) {
            fprintf(stderr, "tally: %s exists; a tape is never formatted over (remove it to lose it)\n",
                    config.logs[i].path);
            return 1;
        }
    }
    uint64_t incarnation = random_id_draw();
    for (unsigned i = 0; i < config.log_count; i++) {
        if (format_log(&config, i, incarnation) != 0) {
            return 1;
        }
    }
    return 0;
}
