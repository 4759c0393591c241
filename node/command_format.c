/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a node's tapes, each written whole, and with them the node's identity: one incarnation for all of
 * them. Nothing that stands in a tape's place is written over without --force. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "boot_id.h"
#include "commands.h"
#include "config.h"
#include "config_value.h"
#include "format_steps.h"
#include "probe.h"
#include "tape_layout.h"
#include "uring_device.h"

struct format_options {
    const char *path;
    const char *log_name; /* the only one to grow */
    bool force;
    uint64_t grow_bytes; /* 0: format */
};

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

/* Measured beside the tape to be, or on its partition, idling as the log's thread will. 0: it could not be,
 * `error_text` says why. */
static enum tape_sync choose_sync(const struct config_log *log, enum poll_profile profile, bool in_place,
                                  char *error_text)
{
    struct probe_options options = {.path = log->path, .in_place = in_place, .spins = profile == POLL_SPIN};
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

/* The configuration's, or all whole chunks that the partition has room for. */
static uint64_t size_choose(const struct config_log *log, const struct device *device)
{
    if (log->size_bytes != 0 || device->size_bytes <= TAPE_DATA_OFFSET) {
        return log->size_bytes;
    }
    uint64_t room_bytes = device->size_bytes - TAPE_DATA_OFFSET;
    return room_bytes - room_bytes % log->chunk_bytes;
}

static int write_tape(const struct config *config, const struct config_log *log, uint64_t incarnation,
                      struct device *device, enum tape_sync sync)
{
    struct format_progress progress = format_progress_begin("formatting", log->name);
    struct tape_format_options options = {
        .identity = {.cluster_id = config->cluster_id,
                     .node_id = config->node_id,
                     .incarnation = incarnation},
        .size_bytes = size_choose(log, device),
        .chunk_bytes = (uint32_t)log->chunk_bytes,
        .sync = sync,
        .progress = format_progress_show,
        .context = &progress,
    };
    memcpy(options.identity.log_name, log->name, sizeof(log->name));
    int error = tape_format(device, &options);
    if (error == 0) {
        printf("log %s: %s, %llu MiB, chunks of %llu KiB, incarnation %llx\n", log->name, log->path,
               (unsigned long long)(options.size_bytes >> 20), (unsigned long long)(log->chunk_bytes >> 10),
               (unsigned long long)incarnation);
    }
    return error;
}

static int fail(const struct config_log *log, bool created, const char *text)
{
    fprintf(stderr, "tally: log %s (%s): %s\n", log->name, log->path, text);
    if (created) {
        unlink(log->path);
    }
    return 1;
}

static int format_log(const struct config *config, unsigned index, uint64_t incarnation)
{
    const struct config_log *log = &config->logs[index];
    enum format_place place = format_place_of(log);
    bool create = place == FORMAT_PLACE_FREE;
    enum tape_sync sync = (enum tape_sync)log->sync;
    struct arena arena;
    struct device *device = NULL;
    char error_text[URING_DEVICE_ERROR_BYTES] = "";
    struct uring_device_options options = {.path = log->path,
                                           .create = create,
                                           .exclusive = !create,
                                           .size_bytes = tape_device_bytes(log->size_bytes),
                                           .event_fd = -1};
    if (sync == 0 && !create) { /* before it is held: the probe opens it, too */
        sync = choose_sync(log, profile_of(config, index), true, error_text);
        if (sync == 0) {
            return fail(log, false, error_text);
        }
    }
    arena_init(&arena);
    int error = uring_device_open(&arena, &options, &device, error_text);
    if (error != 0) {
        arena_fini(&arena);
        return fail(log, false, error_text);
    }
    if (sync == 0) {
        sync = choose_sync(log, profile_of(config, index), false, error_text);
    }
    error = sync ? write_tape(config, log, incarnation, device, sync) : -EIO;
    device->close(device);
    arena_fini(&arena);
    return error ? fail(log, create, error_text[0] ? error_text : strerror(-error)) : 0;
}

/* Whether the log's place may be written to. Tells why not. */
static bool place_is_allowed(const struct config_log *log, bool force)
{
    switch (format_place_of(log)) {
    case FORMAT_PLACE_FREE:
    case FORMAT_PLACE_BLANK:
        return true;
    case FORMAT_PLACE_FILE:
    case FORMAT_PLACE_PARTITION:
        if (!force) {
            fprintf(stderr,
                    "tally: %s exists; a tape is never formatted over without --force, which loses it\n",
                    log->path);
            return false;
        }
        if (uring_device_is_in_use(log->path)) {
            fprintf(stderr, "tally: %s: a node has it open; stop that first\n", log->path);
            return false;
        }
        return true;
    case FORMAT_PLACE_BUSY:
        fprintf(stderr, "tally: %s is mounted, or something else of this machine uses it\n", log->path);
        return false;
    case FORMAT_PLACE_OTHER:
        break;
    }
    fprintf(stderr, "tally: %s is neither a file nor a partition, or may not be opened\n", log->path);
    return false;
}

static int format(const struct config *config, bool force)
{
    for (unsigned i = 0; i < config->log_count; i++) {
        if (!place_is_allowed(&config->logs[i], force)) {
            return 1;
        }
    }
    for (unsigned i = 0; force && i < config->log_count; i++) {
        enum format_place place = format_place_of(&config->logs[i]);
        if (place == FORMAT_PLACE_FILE || place == FORMAT_PLACE_PARTITION) {
            format_loss_tell(&config->logs[i]);
        }
        if (place == FORMAT_PLACE_FILE && format_file_remove(&config->logs[i]) != 0) {
            return 1;
        }
    }
    uint64_t incarnation = random_id_draw();
    for (unsigned i = 0; i < config->log_count; i++) {
        if (format_log(config, i, incarnation) != 0) {
            return 1;
        }
    }
    return 0;
}

static int grow(const struct config *config, const struct format_options *options)
{
    for (unsigned i = 0; i < config->log_count; i++) {
        if (options->log_name ? strcmp(config->logs[i].name, options->log_name) == 0
                              : config->log_count == 1) {
            return format_grow(&config->logs[i], options->grow_bytes);
        }
    }
    fprintf(stderr, "tally: --grow needs --log NAME, one of the configuration's logs\n");
    return 2;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: tally format -c FILE [--force]\n"
            "       tally format -c FILE --grow SIZE [--log NAME]\n"
            "  --force  formats over what is there: a new incarnation, all entries and votes are lost\n"
            "  --grow   makes the tape of a stopped node larger, if it has never gone round\n"
            "exit status: 0 done, 1 it did not work, 2 asked for wrongly, nothing was touched\n");
    return 2;
}

static bool parse_options(int argc, char **argv, struct format_options *options)
{
    static const struct option known[] = {{"force", no_argument, NULL, 'f'},
                                          {"grow", required_argument, NULL, 'g'},
                                          {"log", required_argument, NULL, 'l'},
                                          {0}};
    static const struct config_key size = {.kind = VALUE_BYTES, .minimum = 1u << 20, .maximum = 1ull << 50};
    char allowed[128];
    int option = 0;
    while ((option = getopt_long(argc, argv, "c:", known, NULL)) != -1) {
        if (option == 'c') {
            options->path = optarg;
        } else if (option == 'f') {
            options->force = true;
        } else if (option == 'l') {
            options->log_name = optarg;
        } else if (option != 'g' || !config_value_read(&size, optarg, &options->grow_bytes, allowed)) {
            return false;
        }
    }
    bool for_grow = options->grow_bytes != 0;
    return options->path && optind == argc && !(for_grow ? options->force : options->log_name != NULL);
}

int command_format(int argc, char **argv)
{
    static struct config config;
    struct format_options options = {0};
    char error_text[CONFIG_ERROR_BYTES] = "";
    if (!parse_options(argc, argv, &options)) {
        return usage();
    }
    if (!config_load(options.path, &config, error_text)) {
        fprintf(stderr, "tally: %s\n", error_text);
        return 2;
    }
    return options.grow_bytes ? grow(&config, &options) : format(&config, options.force);
}
