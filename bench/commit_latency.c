/* SPDX-License-Identifier: Apache-2.0 */
/* What a publisher sees: three real nodes, their tapes and their ports, on this machine, and this process as
 * the client, by libtally. Or, with --endpoints, a cluster that runs already, here or elsewhere. */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster.h"
#include "floor_options.h"
#include "floor_process.h"
#include "load.h"

#define BENCH_QUORUM      "bench"
#define NODE_COUNT        3
#define LEADER_WAIT_MS    20000
#define START_SECONDS_MAX 120 /* to format the tapes, to start and to stop the nodes */
#define MIB               (1ull << 20)
/* What a published entry takes of a tape beside its message, at most: record head, stream head, padding; and
 * the block that a lone one has to itself. */
#define ENTRY_BYTES_MORE 128
#define BLOCK_BYTES_MORE 640

struct settings {
    const char *sync;
    const char *shape;
    const char *profile;
    const char *idle;
    const char *directory;
    const char *program;
    const char *endpoints;
    const char *quorum;
    const char *hgrm;
    const char *cpu;
    uint64_t payload_bytes;
    uint64_t in_flight;
    uint64_t rate;
    uint64_t count;
    uint64_t warm_up;
    uint64_t seconds;
    uint64_t election_timeout_ms;
    bool counters;
    bool keep;
    bool json;
};

static struct settings settings = {.sync = "fdatasync",
                                   .shape = "fused",
                                   .profile = "shared",
                                   .idle = "shared",
                                   .quorum = BENCH_QUORUM,
                                   .cpu = "away",
                                   .payload_bytes = 256,
                                   .in_flight = 1,
                                   .count = 20000,
                                   .warm_up = 1000,
                                   .seconds = 10,
                                   .election_timeout_ms = 500};

static void parse_settings(int argc, char **argv)
{
    struct settings *s = &settings;
    const struct floor_option options[] = {
        {.name = "sync", .help = "of the tapes", .text = &s->sync, .words = "fdatasync|dsync|none"},
        {.name = "payload",
         .help = "bytes of a message",
         .number = &s->payload_bytes,
         .minimum = 8,
         .maximum = LOAD_MESSAGE_BYTES_MAX},
        {.name = "in-flight",
         .help = "entries undecided at most",
         .number = &s->in_flight,
         .minimum = 1,
         .maximum = LOAD_IN_FLIGHT_MAX},
        {.name = "rate",
         .help = "entries a second, open loop; 0: as fast as they are decided",
         .number = &s->rate,
         .maximum = 10000000},
        {.name = "count", .help = "entries", .number = &s->count, .minimum = 1, .maximum = 100000000},
        {.name = "warm-up", .help = "entries not counted", .number = &s->warm_up, .maximum = 10000000},
        {.name = "seconds", .help = "at most", .number = &s->seconds, .minimum = 1, .maximum = 3600},
        {.name = "shape",
         .help = "threads of a node: dataplane and consensus cores",
         .text = &s->shape,
         .words = "fused|1+1|2+1|2+2"},
        {.name = "profile",
         .help = "how a node's threads wait",
         .text = &s->profile,
         .words = "shared|adaptive|spin"},
        {.name = "idle", .help = "how the client waits", .text = &s->idle, .words = "shared|yield|spin"},
        {.name = "cpu",
         .help = "processor of the client: none, away (from the leader's), or a number",
         .text = &s->cpu},
        {.name = "election",
         .help = "election timeout, ms",
         .number = &s->election_timeout_ms,
         .minimum = 10,
         .maximum = 60000},
        {.name = "directory", .help = "where the cluster's own directory is made", .text = &s->directory},
        {.name = "program", .help = "the tally binary", .text = &s->program},
        {.name = "endpoints",
         .help = "of a cluster that runs: 1=shm:PATH,2=udp:ADDRESS",
         .text = &s->endpoints},
        {.name = "quorum", .help = "its quorum", .text = &s->quorum},
        {.name = "hgrm", .help = "file to write the percentiles to, in us", .text = &s->hgrm},
        {.name = "counters", .help = "print each node's status before and after", .flag = &s->counters},
        {.name = "keep", .help = "leave the cluster's directory", .flag = &s->keep},
        {.name = "json", .help = "print one machine line", .flag = &s->json},
        {0},
    };

    floor_options_parse(options, argc, argv);
}

static unsigned word_number(const char *words, const char *word)
{
    unsigned number = 0;
    for (const char *at = strstr(words, word); at != NULL && at > words; at--) {
        number += at[-1] == '|';
    }
    return number;
}

static struct load_options make_load(const struct tally_endpoint *endpoints, unsigned endpoint_count)
{
    return (struct load_options){.quorum = settings.quorum,
                                 .endpoints = endpoints,
                                 .endpoint_count = endpoint_count,
                                 .message_bytes = (unsigned)settings.payload_bytes,
                                 .in_flight = (unsigned)settings.in_flight,
                                 .rate = settings.rate,
                                 .count = settings.count,
                                 .warm_up = settings.warm_up,
                                 .duration_ns_max = settings.seconds * 1000000000u,
                                 .idle = (enum load_idle)word_number("shared|yield|spin", settings.idle)};
}

/* ---- output ---- */

static double us(const struct load_result *result, double percentile)
{
    return (double)histogram_percentile(&result->latency, percentile) / 1000.0;
}

static const char *mode_name(void)
{
    if (settings.endpoints != NULL) {
        return "attached";
    }
    return strcmp(settings.sync, "none") == 0 ? "volatile" : "durable";
}

static void describe(char *detail, size_t bytes)
{
    char pace[64] = "closed loop";
    if (settings.rate > 0) {
        snprintf(pace, sizeof(pace), "open loop at %" PRIu64 "/s", settings.rate);
    }
    if (settings.endpoints != NULL) {
        snprintf(detail, bytes, "%" PRIu64 " bytes, %" PRIu64 " in flight, %s, client %s",
                 settings.payload_bytes, settings.in_flight, pace, settings.idle);
    } else {
        snprintf(detail, bytes,
                 "shm, %" PRIu64 " bytes, %" PRIu64 " in flight, %s, %s, %s, profile %s, client %s",
                 settings.payload_bytes, settings.in_flight, pace, settings.sync, settings.shape,
                 settings.profile, settings.idle);
    }
}

static void print_result(const struct load_result *result)
{
    char detail[256];
    double rate =
        (double)result->latency.total_count * 1e9 / (double)(result->elapsed_ns > 0 ? result->elapsed_ns : 1);
    describe(detail, sizeof(detail));
    const char *form =
        settings.json
            ? "{\"floor\":\"commit\",\"mode\":\"%s\",\"detail\":\"%s\",\"p50_us\":%.3f,\"p90_us\":%.3f,"
              "\"p99_us\":%.3f,\"p999_us\":%.3f,\"max_us\":%.3f,\"rate\":%.1f,\"count\":%" PRIu64
              ",\"late\":%" PRIu64 ",\"problems\":%" PRIu64 "}\n"
            : "commit, %s: %s\n    p50 us     p90 us     p99 us   p99.9 us     max us   per second      count"
              "       late   problems\n%10.2f %10.2f %10.2f %10.2f %10.2f %12.0f %10" PRIu64 " %10" PRIu64
              " %10" PRIu64 "\n";
    printf(form, mode_name(), detail, us(result, 50), us(result, 90), us(result, 99), us(result, 99.9),
           (double)result->latency.maximum / 1000.0, rate, result->latency.total_count, result->late_count,
           result->problem_count);
    fflush(stdout);
}

static bool write_hgrm(const struct load_result *result)
{
    FILE *file = fopen(settings.hgrm, "w");
    if (file == NULL) {
        perror(settings.hgrm);
        return false;
    }
    histogram_write_hgrm(&result->latency, file, 1000.0, 5);
    return fclose(file) == 0;
}

/* The exit status. */
static int report(bool good, const struct load_result *result)
{
    if (!good) {
        fprintf(stderr, "commit_latency: %s\n", result->error);
        return 1;
    }
    print_result(result);
    return settings.hgrm == NULL || write_hgrm(result) ? 0 : 1;
}

/* ---- a cluster that runs ---- */

/* Where the client runs. `leader` 0: the cluster is not ours, and "away" says nothing. */
static void pin_client(uint64_t leader)
{
    cpu_set_t cpus;
    char *end = NULL;
    unsigned long cpu = strtoul(settings.cpu, &end, 10);
    if (strcmp(settings.cpu, "none") == 0) {
        return;
    }
    if (strcmp(settings.cpu, "away") == 0) {
        if (leader == 0) {
            return;
        }
        cpu = leader % (unsigned long)sysconf(_SC_NPROCESSORS_ONLN); /* node N's first thread is on N - 1 */
    } else if (end == settings.cpu || *end != '\0') {
        floor_refuse("--cpu", "is neither none, away nor a number");
    }
    CPU_ZERO(&cpus);
    CPU_SET(cpu % CPU_SETSIZE, &cpus);
    if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0) {
        floor_die("sched_setaffinity");
    }
}

static unsigned parse_endpoints(char *text, struct tally_endpoint *endpoints)
{
    unsigned count = 0;
    char *rest = text;
    for (char *piece = strtok_r(text, ",", &rest); piece != NULL; piece = strtok_r(NULL, ",", &rest)) {
        char *address = strchr(piece, '=');
        if (address == NULL || count == TALLY_NODES_MAX) {
            floor_refuse("--endpoints", "is not ID=ADDRESS,ID=ADDRESS...");
        }
        endpoints[count++] =
            (struct tally_endpoint){.node_id = strtoull(piece, NULL, 10), .address = address + 1};
    }
    return count;
}

static int measure_attached(struct load_result *result)
{
    struct tally_endpoint endpoints[TALLY_NODES_MAX];
    char *text = strdup(settings.endpoints);
    if (text == NULL) {
        floor_die("strdup");
    }
    struct load_options load = make_load(endpoints, parse_endpoints(text, endpoints));
    pin_client(0);
    int status = report(load_run(&load, result), result);
    free(text);
    return status;
}

/* ---- a cluster of our own ---- */

static void print_counters(struct cluster *cluster, const char *when)
{
    for (uint64_t node = 1; settings.counters && node <= NODE_COUNT; node++) {
        char path[512];
        char line[4096];
        char configuration[512];
        cluster_path(cluster, node, "conf", configuration, sizeof(configuration));
        char *const arguments[] = {"status", "-c", configuration, "--json", NULL};
        cluster_run(cluster, arguments);
        snprintf(path, sizeof(path), "%s/command.log", cluster_directory(cluster));
        FILE *file = fopen(path, "r");
        line[0] = '\0';
        while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        }
        if (file != NULL) {
            fclose(file);
        }
        fprintf(stderr, "%s, node %" PRIu64 ": %s", when, node, line);
    }
}

/* In memory as much as the node can lock, so that a burst does not wait for memory. */
static struct cluster_options make_cluster_options(void)
{
    uint64_t entry_count = settings.count + settings.warm_up;
    uint64_t entry_bytes = settings.payload_bytes + ENTRY_BYTES_MORE;
    entry_bytes += BLOCK_BYTES_MORE / (settings.in_flight < 8 ? 1u : 8u);
    return (struct cluster_options){
        .program = settings.program,
        .parent = settings.directory,
        .node_count = NODE_COUNT,
        .shape = (enum cluster_shape)word_number("fused|1+1|2+1|2+2", settings.shape),
        .tape_bytes = (entry_count * entry_bytes / MIB + 64) * MIB,
        .sync = settings.sync,
        .profile = settings.profile,
        .election_timeout_ms = (unsigned)settings.election_timeout_ms,
    };
}

/* Of the nodes' first threads, how many share a processor with a client that is away from this leader. */
static unsigned node_count_beside_client(uint64_t leader, unsigned cpu_count)
{
    unsigned count = 0;
    for (unsigned node = 1; node <= NODE_COUNT; node++) {
        count += (node - 1) % cpu_count == leader % cpu_count;
    }
    return count;
}

/* A leader, and one whose place makes runs comparable: with two processors it shares one with a follower, and
 * the client the other one with the other follower. Another is elected while it does not. */
static bool elect(struct cluster *cluster, uint64_t *ret_leader)
{
    unsigned cpu_count = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    bool good = cluster_wait_leader(cluster, settings.quorum, LEADER_WAIT_MS, ret_leader);
    while (good && cpu_count > 1 && node_count_beside_client(*ret_leader, cpu_count) > 1) {
        uint64_t stopped = *ret_leader;
        good = cluster_stop(cluster, stopped) &&
               cluster_wait_leader(cluster, settings.quorum, LEADER_WAIT_MS, ret_leader) &&
               cluster_start(cluster, stopped) && cluster_wait_ready(cluster, stopped, LEADER_WAIT_MS);
    }
    return good;
}

static int measure(struct cluster *cluster, struct load_result *result)
{
    uint64_t leader;
    if (!cluster_start_all(cluster) || !cluster_bootstrap(cluster, settings.quorum) ||
        !elect(cluster, &leader)) {
        fprintf(stderr, "commit_latency: %s\n", cluster_error(cluster));
        return 1;
    }
    struct load_options load = make_load(cluster_endpoints(cluster), cluster_node_count(cluster));
    pin_client(leader);
    print_counters(cluster, "before");
    bool good = load_run(&load, result);
    print_counters(cluster, "after");
    if (!cluster_check(cluster)) {
        fprintf(stderr, "commit_latency: %s\n", cluster_error(cluster));
        return 1;
    }
    return report(good, result);
}

static int measure_own(struct load_result *result)
{
    char error[CLUSTER_ERROR_BYTES];
    struct cluster_options options = make_cluster_options();
    struct cluster *cluster = cluster_create(&options, error);
    if (cluster == NULL) {
        fprintf(stderr, "commit_latency: %s\n", error);
        return 1;
    }
    int status = measure(cluster, result);
    cluster_destroy(cluster, settings.keep);
    return status;
}

int main(int argc, char **argv)
{
    static struct load_result result;
    parse_settings(argc, argv);
    alarm((unsigned)settings.seconds + START_SECONDS_MAX); /* whatever hangs; the cluster clears up */
    return settings.endpoints != NULL ? measure_attached(&result) : measure_own(&result);
}
