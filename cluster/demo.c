/* SPDX-License-Identifier: Apache-2.0 */
/* Three nodes on this machine replicate a synthetic trading day; their leader is killed in the middle and
 * comes back.
 *
 *   tally_demo [--messages N] [--rate N] [--seed N] [--port shm|af_packet] [--program PATH] [--directory DIR]
 * [--keep]
 *
 * Exit status 0 only if all three logs and what the subscriber got are the input, byte by byte. */
#include "demo.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

#define PACED_SECONDS   5
#define FAILING_SECONDS 3
/* Connecting and the first touch of all memory, half a second, stay out of the paced step. */
#define WARM_UP_PART  2
#define IN_FLIGHT_MAX 4096
#define TIMEOUT_MS    60000
/* The replay as a whole; it takes about 20 s. */
#define REPLAY_TIMEOUT_MS 120000
#define PROGRESS_MS       20

static uint32_t next_message(void *context, const uint8_t **ret_message)
{
    struct demo *demo = context;
    if (demo->offset == demo->input.byte_count) {
        return 0;
    }
    uint32_t message_bytes = load_be16(demo->input.bytes + demo->offset);
    *ret_message = demo->input.bytes + demo->offset + 2;
    demo->offset += 2 + message_bytes;
    return message_bytes;
}

static void check_entry(void *context, const struct tally_event *event)
{
    struct demo_check *check = context;
    if (!event->blocks) {
        return;
    }
    bool fits = check->offset + event->blocks_bytes <= check->input->byte_count;
    if (!fits || memcmp(check->input->bytes + check->offset, event->blocks, event->blocks_bytes) != 0) {
        atomic_fetch_add(&check->wrong_count, 1);
    }
    check->offset += event->blocks_bytes;
}

/* ---- preparation ---- */

static bool fail(const char *text)
{
    fflush(stdout);
    fprintf(stderr, "demo: %s\n", text);
    return false;
}

static bool prepare(struct demo *demo)
{
    char error[CLUSTER_ERROR_BYTES];
    demo->options.tape_bytes = (64u << 20) + demo->message_count * 64;
    demo_say("making three tapes of %" PRIu64 " MiB", demo->options.tape_bytes >> 20);
    demo->cluster = cluster_create(&demo->options, error);
    if (!demo->cluster) {
        return fail(error);
    }
    snprintf(demo->input_path, sizeof(demo->input_path), "%.200s/day.bin", cluster_directory(demo->cluster));
    int status = log_file_write_itch(demo->input_path, demo->seed, demo->message_count);
    status = status ? status : log_file_open(demo->input_path, &demo->input);
    if (status != 0) {
        return fail(status == -EINVAL ? "too few messages for a day" : strerror(-status));
    }
    demo_say("made a trading day of %" PRIu64 " ITCH messages, %.1f MB, from seed %" PRIu64,
             demo->message_count, (double)demo->input.byte_count / 1e6, demo->seed);
    return true;
}

static bool start_nodes(struct demo *demo)
{
    uint64_t begin_ns = feeder_now_ns();
    if (!cluster_start_all(demo->cluster) || !cluster_bootstrap(demo->cluster, DEMO_QUORUM) ||
        !cluster_wait_leader(demo->cluster, DEMO_QUORUM, TIMEOUT_MS, &demo->leader)) {
        return fail(cluster_error(demo->cluster));
    }
    demo_say("three nodes serve, node %" PRIu64 " leads, after %.0f ms", demo->leader,
             (double)(feeder_now_ns() - begin_ns) / 1e6);
    return true;
}

static bool start_clients(struct demo *demo)
{
    char error[256];
    uint64_t paced = (uint64_t)demo->rate * PACED_SECONDS;
    uint64_t failing = (uint64_t)demo->rate * FAILING_SECONDS;
    uint64_t part = demo->message_count / 4;
    uint64_t warm_up = (uint64_t)demo->rate / WARM_UP_PART;
    struct feeder_step steps[DEMO_STEPS] = {
        [DEMO_WARM_UP] = {.message_count = warm_up < part ? warm_up : part,
                          .messages_per_second = demo->rate},
        [DEMO_PACED] = {.message_count = paced < part ? paced : part,
                        .messages_per_second = demo->rate,
                        .waits = true},
        [DEMO_FAILING] = {.message_count = failing < part ? failing : part,
                          .messages_per_second = demo->rate},
        [DEMO_FAST] = {.message_count = FEEDER_ENDLESS},
    };
    struct feeder_options feeder = {.endpoints = cluster_endpoints(demo->cluster),
                                    .endpoint_count = cluster_node_count(demo->cluster),
                                    .quorum = DEMO_QUORUM,
                                    .source_id = 0, /* drawn: this publisher never comes back */
                                    .in_flight_max = IN_FLIGHT_MAX,
                                    .next = next_message,
                                    .context = demo};
    demo->watcher_node = demo->leader % cluster_node_count(demo->cluster) + 1;
    demo->check.input = &demo->input;
    struct watcher_options watcher = {.endpoints = feeder.endpoints,
                                      .endpoint_count = feeder.endpoint_count,
                                      .quorum = DEMO_QUORUM,
                                      .node_id = demo->watcher_node,
                                      .on_entry = check_entry,
                                      .context = &demo->check};
    if (!watcher_start(&demo->watcher, &watcher, error) ||
        !feeder_start(&demo->feeder, &feeder, steps, DEMO_STEPS, error)) {
        return fail(error);
    }
    demo_say("a subscriber at node %" PRIu64
             " (a follower); replaying at %u messages/s, then as fast as it goes",
             demo->watcher_node, demo->rate);
    return true;
}

/* ---- the replay ---- */

static void kill_leader(struct demo *demo)
{
    if (atomic_load(&demo->feeder.published_count) <
        demo->feeder.steps[DEMO_WARM_UP].message_count + demo->feeder.steps[DEMO_PACED].message_count) {
        return;
    }
    demo->killed = cluster_leader(demo->cluster, DEMO_QUORUM);
    if (demo->killed) {
        atomic_store(&demo->feeder.longest_gap_ns, 0);
        cluster_kill(demo->cluster, demo->killed);
        demo->killed_ns = feeder_now_ns();
        demo->phase = DEMO_LEADERLESS;
        demo_say("killed the leader, node %" PRIu64, demo->killed);
    }
}

static bool restart_killed(struct demo *demo)
{
    struct cluster_status status;
    demo->new_leader = cluster_leader(demo->cluster, DEMO_QUORUM);
    if (!demo->new_leader || !cluster_status(demo->cluster, demo->new_leader, DEMO_QUORUM, &status)) {
        return true;
    }
    demo->elected_ns = feeder_now_ns();
    demo_say("node %" PRIu64 " leads in term %" PRIu64 ", after %.0f ms; starting node %" PRIu64 " again",
             demo->new_leader, status.term, (double)(demo->elected_ns - demo->killed_ns) / 1e6, demo->killed);
    demo->restarted_ns = feeder_now_ns();
    demo->phase = DEMO_ONE_DOWN;
    return cluster_start(demo->cluster, demo->killed);
}

static void await_ready(struct demo *demo)
{
    struct cluster_status leading;
    struct cluster_status status;
    if (cluster_status(demo->cluster, demo->killed, DEMO_QUORUM, &status) &&
        cluster_status(demo->cluster, demo->new_leader, DEMO_QUORUM, &leading)) {
        demo->ready_ns = feeder_now_ns();
        demo->goal_index = leading.commit_index;
        demo->phase = DEMO_RECOVERING;
        demo_say("node %" PRIu64 " serves, %" PRIu64 " entries behind", demo->killed,
                 leading.commit_index > status.last_index ? leading.commit_index - status.last_index : 0);
    }
}

static void await_caught_up(struct demo *demo)
{
    struct cluster_status status;
    if (cluster_status(demo->cluster, demo->killed, DEMO_QUORUM, &status) &&
        status.commit_index >= demo->goal_index) {
        demo->caught_up_ns = feeder_now_ns();
        demo->gap_ns = atomic_load(&demo->feeder.longest_gap_ns);
        demo->phase = DEMO_AFTER;
        demo_say("node %" PRIu64 " has caught up", demo->killed);
    }
}

static bool advance(struct demo *demo)
{
    switch (demo->phase) {
    case DEMO_BEFORE:
        kill_leader(demo);
        break;
    case DEMO_LEADERLESS:
        return restart_killed(demo);
    case DEMO_ONE_DOWN:
        await_ready(demo);
        break;
    case DEMO_RECOVERING:
        await_caught_up(demo);
        break;
    case DEMO_AFTER:
        break;
    }
    return true;
}

static bool replay(struct demo *demo)
{
    uint64_t end_ns = feeder_now_ns() + REPLAY_TIMEOUT_MS * 1000000ull;
    while (!atomic_load(&demo->feeder.finished) || demo->phase != DEMO_AFTER) {
        int pause_ms = demo->phase == DEMO_BEFORE || demo->phase == DEMO_AFTER ? PROGRESS_MS : 1;
        if (!advance(demo) || !cluster_pause(demo->cluster, pause_ms)) {
            return fail(cluster_error(demo->cluster));
        }
        demo_show_progress(demo);
        if (feeder_now_ns() > end_ns) {
            demo_say("it takes too long: giving up");
            return false;
        }
    }
    return true;
}

/* ---- the end ---- */

static bool compare_exports(struct demo *demo)
{
    char path[256];
    bool equal = true;
    for (uint64_t id = 1; id <= cluster_node_count(demo->cluster); id++) {
        struct log_file export = {0};
        if (!cluster_export(demo->cluster, id, DEMO_QUORUM)) {
            return fail(cluster_error(demo->cluster));
        }
        cluster_path(demo->cluster, id, "export", path, sizeof(path));
        int error = log_file_open(path, &export);
        if (error != 0) {
            return fail(strerror(-error));
        }
        equal &= log_file_equal(&demo->input, &export);
        log_file_close(&export);
    }
    demo->exports_equal = equal;
    return true;
}

/* The subscriber has what the leader has committed. */
static bool await_watcher(struct demo *demo)
{
    uint64_t end_ns = feeder_now_ns() + TIMEOUT_MS * 1000000ull;
    while (atomic_load(&demo->watcher.message_count) < demo->message_count && feeder_now_ns() < end_ns) {
        if (!cluster_pause(demo->cluster, 1)) {
            return fail(cluster_error(demo->cluster));
        }
    }
    return true;
}

static bool finish(struct demo *demo)
{
    if (!cluster_wait_equal(demo->cluster, DEMO_QUORUM, TIMEOUT_MS)) {
        return fail(cluster_error(demo->cluster));
    }
    if (!await_watcher(demo)) {
        return false;
    }
    feeder_fini(&demo->feeder);
    watcher_fini(&demo->watcher);
    if (!cluster_stop_all(demo->cluster)) {
        return fail(cluster_error(demo->cluster));
    }
    demo_say("all three nodes have committed the same and stopped cleanly");
    return compare_exports(demo);
}

static bool run(struct demo *demo)
{
    bool good = prepare(demo) && start_nodes(demo) && start_clients(demo) && replay(demo) && finish(demo) &&
                demo_show_results(demo);
    feeder_fini(&demo->feeder);
    watcher_fini(&demo->watcher);
    feeder_release(&demo->feeder);
    log_file_close(&demo->input);
    if (demo->cluster) {
        if (demo->keep) {
            printf("everything is in %s\n", cluster_directory(demo->cluster));
        }
        cluster_destroy(demo->cluster, demo->keep);
    }
    return good;
}

static bool parse_options(int argc, char **argv, struct demo *demo)
{
    static const struct option known[] = {
        {"messages", required_argument, NULL, 'm'}, {"rate", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 's'},     {"port", required_argument, NULL, 'p'},
        {"program", required_argument, NULL, 'b'},  {"directory", required_argument, NULL, 'd'},
        {"keep", no_argument, NULL, 'k'},           {0}};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'm') {
            demo->message_count = strtoull(optarg, NULL, 10);
        } else if (option == 'r') {
            demo->rate = (uint32_t)strtoul(optarg, NULL, 10);
        } else if (option == 's') {
            demo->seed = strtoull(optarg, NULL, 0);
        } else if (option == 'p' && cluster_port_of_name(optarg, &demo->options.port)) {
            continue;
        } else if (option == 'b') {
            demo->options.program = optarg;
        } else if (option == 'd') {
            demo->options.parent = optarg;
        } else if (option == 'k') {
            demo->keep = true;
        } else {
            return false;
        }
    }
    return optind == argc && demo->message_count > 0 && demo->rate > 0;
}

int main(int argc, char **argv)
{
    static struct demo demo = {.message_count = 2000000, .rate = 110000, .seed = 2026};
    char error[CLUSTER_ERROR_BYTES];
    if (!parse_options(argc, argv, &demo)) {
        fprintf(stderr,
                "usage: %s [--messages N] [--rate N] [--seed N] [--port shm|af_packet] [--program PATH] "
                "[--directory DIR] [--keep]\n",
                argv[0]);
        return 2;
    }
    if (demo.options.port == CLUSTER_AF_PACKET && !cluster_enter_namespace(error)) {
        fail(error);
        return 1;
    }
    bool good = run(&demo);
    puts(good ? "demo: all checks hold" : "demo: FAILED");
    return good ? 0 : 1;
}
