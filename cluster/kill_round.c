/* SPDX-License-Identifier: Apache-2.0 */
/* One round: a fresh cluster, load, kills, and the whole check at its end. */
#include "kill.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log_file.h"

#define IN_FLIGHT_MAX 4096
/* Of a message on the tape, blocks' heads and padding included: 146 bytes and a share of its block. */
#define TAPE_BYTES_A_MESSAGE 256u

bool kill_fail(const struct kill_run *run, const char *text)
{
    fflush(stdout);
    fprintf(stderr, "kill: round %" PRIu64 ": %s\n", run->totals.round_count, text);
    if (run->cluster) {
        cluster_describe(run->cluster);
    }
    return false;
}

static bool start_clients(struct kill_run *run)
{
    char error[256];
    const struct tally_endpoint *endpoints = cluster_endpoints(run->cluster);
    for (unsigned i = 0; i < KILL_NODES; i++) {
        struct watcher_options options = {.endpoints = endpoints,
                                          .endpoint_count = KILL_NODES,
                                          .quorum = KILL_QUORUM,
                                          .node_id = i + 1,
                                          .on_entry = ledger_watch,
                                          .context = &run->watched[i]};
        run->watched[i] = (struct ledger){0};
        if (!watcher_start(&run->watchers[i], &options, error)) {
            return kill_fail(run, error);
        }
    }
    for (unsigned i = 0; i < LEDGER_SOURCES; i++) {
        struct feeder_step step = {.message_count = FEEDER_ENDLESS,
                                   .messages_per_second = run->rate / LEDGER_SOURCES};
        struct feeder_options options = {.endpoints = endpoints,
                                         .endpoint_count = KILL_NODES,
                                         .quorum = KILL_QUORUM,
                                         .source_id = i + 1,
                                         .in_flight_max = IN_FLIGHT_MAX,
                                         .one_a_message = true,
                                         .next = ledger_source_next,
                                         .context = &run->sources[i]};
        run->sources[i] = (struct ledger_source){.id = i + 1};
        if (!feeder_start(&run->feeders[i], &options, &step, 1, error)) {
            return kill_fail(run, error);
        }
    }
    return true;
}

static bool begin_round(struct kill_run *run, unsigned seconds)
{
    char error[CLUSTER_ERROR_BYTES];
    uint64_t leader = 0;
    run->totals.round_count++;
    run->options.tape_bytes = (64ull << 20) + (uint64_t)seconds * run->rate * TAPE_BYTES_A_MESSAGE;
    run->cluster = cluster_create(&run->options, error);
    if (!run->cluster) {
        return kill_fail(run, error);
    }
    if (!cluster_start_all(run->cluster) || !cluster_bootstrap(run->cluster, KILL_QUORUM) ||
        !cluster_wait_leader(run->cluster, KILL_QUORUM, KILL_TIMEOUT_MS, &leader)) {
        return kill_fail(run, cluster_error(run->cluster));
    }
    run->end_ms = feeder_now_ns() / 1000000 + seconds * 1000ull;
    return start_clients(run);
}

/* ---- a round's end ---- */

/* Every node serves, every publisher has heard of all its messages, every watcher has seen the whole log. */
static bool settle(struct kill_run *run)
{
    struct cluster_status status = {0};
    for (unsigned i = 0; i < LEDGER_SOURCES; i++) {
        feeder_stop(&run->feeders[i]);
    }
    for (unsigned i = 0; i < LEDGER_SOURCES; i++) {
        while (!atomic_load(&run->feeders[i].finished)) {
            if (!kill_spend(run, KILL_PAUSE_MS)) {
                return false;
            }
        }
    }
    if (!cluster_wait_equal(run->cluster, KILL_QUORUM, KILL_TIMEOUT_MS)) {
        return kill_fail(run, cluster_error(run->cluster));
    }
    uint64_t end_ms = feeder_now_ns() / 1000000 + KILL_TIMEOUT_MS;
    for (uint64_t id = 1; id <= KILL_NODES; id++) {
        while (!cluster_status(run->cluster, id, KILL_QUORUM, &status) ||
               atomic_load(&run->watchers[id - 1].last_index) < status.commit_index) {
            if (!cluster_pause(run->cluster, KILL_PAUSE_MS)) {
                return kill_fail(run, cluster_error(run->cluster));
            }
            if (feeder_now_ns() / 1000000 > end_ms) {
                return kill_fail(run, "a subscriber does not get what is committed");
            }
        }
    }
    return true;
}

static void count_ledger(struct kill_run *run, const struct ledger *ledger)
{
    run->totals.doubled += ledger->doubled_count;
    run->totals.misordered += ledger->missing_count + ledger->foreign_count;
    for (unsigned i = 0; i < LEDGER_SOURCES; i++) {
        uint64_t acknowledged = atomic_load(&run->feeders[i].committed_count);
        uint64_t held = ledger_count(ledger, i + 1);
        run->totals.lost += acknowledged > held ? acknowledged - held : 0;
    }
}

/* What the subscribers got, live. */
static bool check_watchers(struct kill_run *run)
{
    bool good = true;
    for (unsigned i = 0; i < KILL_NODES; i++) {
        count_ledger(run, &run->watched[i]);
        good &= ledger_is_good(&run->watched[i]) && run->watchers[i].misplaced_count == 0 &&
                run->watchers[i].checksum == run->watchers[0].checksum &&
                run->watchers[i].last_index == run->watchers[0].last_index;
    }
    return good || kill_fail(run, "the subscribers did not get the same log, each entry once");
}

/* What stands on the tapes. */
static bool check_tapes(struct kill_run *run)
{
    char first_path[256];
    char path[256];
    struct log_file first = {0};
    bool good = true;
    cluster_path(run->cluster, 1, "export", first_path, sizeof(first_path));
    for (uint64_t id = 1; good && id <= KILL_NODES; id++) {
        struct ledger ledger = {0};
        struct log_file file = {0};
        cluster_path(run->cluster, id, "export", path, sizeof(path));
        if (!cluster_export(run->cluster, id, KILL_QUORUM)) {
            return kill_fail(run, cluster_error(run->cluster));
        }
        good = ledger_read(&ledger, path) && ledger_is_good(&ledger) && log_file_open(path, &file) == 0 &&
               (id > 1 || log_file_open(path, &first) == 0) && log_file_equal(&first, &file);
        count_ledger(run, &ledger);
        log_file_close(&file);
    }
    log_file_close(&first);
    return good || kill_fail(run, "the logs are not equal, or not what was published");
}

static void end_clients(struct kill_run *run)
{
    for (unsigned i = 0; i < KILL_NODES; i++) {
        watcher_fini(&run->watchers[i]);
    }
    for (unsigned i = 0; i < LEDGER_SOURCES; i++) {
        feeder_fini(&run->feeders[i]);
        run->totals.published += atomic_exchange(&run->feeders[i].published_count, 0);
    }
}

static void count_acknowledged(struct kill_run *run)
{
    for (unsigned i = 0; i < LEDGER_SOURCES; i++) {
        run->totals.acknowledged += atomic_exchange(&run->feeders[i].committed_count, 0);
        feeder_release(&run->feeders[i]);
    }
}

bool kill_play_round(struct kill_run *run, unsigned seconds)
{
    bool good = begin_round(run, seconds) && kill_nodes(run) && settle(run);
    end_clients(run);
    good = good && check_watchers(run);
    if (good && !cluster_stop_all(run->cluster)) {
        good = kill_fail(run, cluster_error(run->cluster));
    }
    good = good && check_tapes(run);
    good = good && run->totals.lost == 0 && run->totals.doubled == 0 && run->totals.misordered == 0;
    count_acknowledged(run);
    if (run->cluster) {
        bool keep = run->keep || !good;
        if (keep) {
            printf("round %" PRIu64 ": everything is in %s\n", run->totals.round_count,
                   cluster_directory(run->cluster));
        }
        cluster_destroy(run->cluster, keep);
        run->cluster = NULL;
    }
    return good;
}
