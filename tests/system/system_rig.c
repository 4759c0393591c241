/* SPDX-License-Identifier: Apache-2.0 */
#include "system_rig.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log_file.h"

#define PAUSE_MS      2
#define IN_FLIGHT_MAX 512

void rig_print(const char *format, ...)
{
    static char text[2 * CLUSTER_ERROR_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (char *line = text; line && *line;) {
        char *next = strchr(line, '\n');
        printf("# %.*s\n", (int)strcspn(line, "\n"), line);
        line = next ? next + 1 : NULL;
    }
}

struct rig *rig_begin(void)
{
    static struct rig rig;
    rig_end(&rig);
    return &rig;
}

void rig_end(struct rig *rig)
{
    feeder_fini(&rig->feeder);
    feeder_release(&rig->feeder);
    watcher_fini(&rig->watcher);
    if (rig->cluster) {
        cluster_destroy(rig->cluster, false);
    }
    memset(rig, 0, sizeof(*rig));
}

bool rig_create(struct rig *rig, const struct cluster_options *options)
{
    char error[CLUSTER_ERROR_BYTES];
    rig->cluster = cluster_create(options, error);
    if (!rig->cluster) {
        rig_print("%s", error);
    }
    return rig->cluster != NULL;
}

bool rig_start(struct rig *rig, uint64_t *ret_leader)
{
    return cluster_start_all(rig->cluster) && cluster_bootstrap(rig->cluster, RIG_QUORUM) &&
           cluster_wait_leader(rig->cluster, RIG_QUORUM, RIG_TIMEOUT_MS, ret_leader);
}

bool rig_publish(struct rig *rig, const char *quorum, uint64_t message_count, uint32_t messages_per_second)
{
    char error[256];
    feeder_fini(&rig->feeder);
    feeder_release(&rig->feeder);
    rig->source = (struct ledger_source){.id = RIG_SOURCE};
    struct feeder_step step = {.message_count = message_count, .messages_per_second = messages_per_second};
    struct feeder_options options = {.endpoints = cluster_endpoints(rig->cluster),
                                     .endpoint_count = cluster_node_count(rig->cluster),
                                     .quorum = quorum,
                                     .source_id = RIG_SOURCE,
                                     .in_flight_max = IN_FLIGHT_MAX,
                                     .one_a_message = true,
                                     .next = ledger_source_next,
                                     .context = &rig->source};
    return feeder_start(&rig->feeder, &options, &step, 1, error);
}

bool rig_wait_decided(struct rig *rig, uint64_t message_count)
{
    uint64_t end_ns = feeder_now_ns() + RIG_TIMEOUT_MS * 1000000ull;
    while (atomic_load(&rig->feeder.committed_count) + atomic_load(&rig->feeder.refused_count) +
                   atomic_load(&rig->feeder.unknown_count) <
               message_count &&
           !atomic_load(&rig->feeder.finished)) {
        if (!cluster_pause(rig->cluster, PAUSE_MS) || feeder_now_ns() > end_ns) {
            rig_print("decided: %llu, trouble: %s",
                      (unsigned long long)atomic_load(&rig->feeder.committed_count),
                      tally_status_name((enum tally_status)atomic_load(&rig->feeder.problem)));
            cluster_describe(rig->cluster);
            return false;
        }
    }
    return true;
}

bool rig_watch(struct rig *rig, uint64_t node_id)
{
    char error[256];
    struct watcher_options options = {.endpoints = cluster_endpoints(rig->cluster),
                                      .endpoint_count = cluster_node_count(rig->cluster),
                                      .quorum = RIG_QUORUM,
                                      .node_id = node_id,
                                      .on_entry = ledger_watch,
                                      .context = &rig->watched};
    return watcher_start(&rig->watcher, &options, error);
}

bool rig_wait_delivered(struct rig *rig, uint64_t message_count)
{
    uint64_t end_ns = feeder_now_ns() + RIG_TIMEOUT_MS * 1000000ull;
    while (atomic_load(&rig->watcher.message_count) < message_count) {
        if (!cluster_pause(rig->cluster, PAUSE_MS) || feeder_now_ns() > end_ns) {
            rig_print("delivered: %llu", (unsigned long long)atomic_load(&rig->watcher.message_count));
            return false;
        }
    }
    return true;
}

bool rig_compare(struct rig *rig, const char *quorum, struct ledger *ret_ledger)
{
    char path[256];
    struct log_file first = {0};
    bool equal = true;
    for (uint64_t id = 1; equal && id <= cluster_node_count(rig->cluster); id++) {
        struct log_file file = {0};
        cluster_path(rig->cluster, id, "export", path, sizeof(path));
        equal = cluster_export(rig->cluster, id, quorum) && log_file_open(path, &file) == 0;
        if (id == 1 && equal) {
            equal = log_file_open(path, &first) == 0 && ledger_read(ret_ledger, path);
        }
        if (equal && !log_file_equal(&first, &file)) {
            rig_print("the log of node %llu is another one: %zu bytes, node 1 has %zu",
                      (unsigned long long)id, file.byte_count, first.byte_count);
            equal = false;
        }
        log_file_close(&file);
    }
    log_file_close(&first);
    return equal;
}

bool rig_log_has(struct rig *rig, uint64_t node_id, const char *text)
{
    char path[256];
    struct log_file file = {0};
    cluster_path(rig->cluster, node_id, "log", path, sizeof(path));
    bool has = log_file_open(path, &file) == 0 && file.byte_count > 0 &&
               memmem(file.bytes, file.byte_count, text, strlen(text)) != NULL;
    log_file_close(&file);
    return has;
}
