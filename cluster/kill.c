/* SPDX-License-Identifier: Apache-2.0 */
/* Three nodes under load, killed at random by SIGKILL, restarted, and looked after: nothing that was
 * acknowledged is lost, nothing is doubled, each source's order is kept, all logs are equal, and no survivor
 * ends by itself.
 *
 *   tally_kill [--minutes N | --seconds N] [--port shm|af_packet] [--seed S] [--rate N] [--round SECONDS]
 *              [--program PATH] [--directory DIR] [--keep]
 *
 * A tape does not go round yet, so a long run is made of rounds, each with a fresh cluster whose tapes hold
 * all of the round; every round ends with the whole check. The seed decides whom to kill and when; how
 * processes are scheduled it cannot decide. */
#include "ledger.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cluster.h"
#include "feeder.h"
#include "log_file.h"
#include "prng.h"
#include "watcher.h"

#define KILL_QUORUM      "kill"
#define NODES            3
#define IN_FLIGHT_MAX    4096
#define TIMEOUT_MS       60000
#define NO_COMMIT_MS     30000 /* with a majority up this is a failure */
#define PAUSE_MS         5
#define LEADER_KILLS_MAX 65536
/* A tape is not filled further: what is left is for elections. */
#define FREE_BYTES_MIN (8u << 20)
/* Of a message on the tape, blocks' heads and padding included: 146 bytes and a share of its block. */
#define TAPE_BYTES_A_MESSAGE 256u

struct totals {
    uint64_t round_count;
    uint64_t kill_count;
    uint64_t leader_kill_count;
    uint64_t all_kill_count;
    uint64_t published;
    uint64_t acknowledged;
    uint64_t lost;
    uint64_t doubled;
    uint64_t misordered;
    uint64_t gap_count;
    uint64_t gaps_ns[LEADER_KILLS_MAX];
};

struct kill_run {
    struct cluster_options options;
    uint64_t seed;
    unsigned seconds;
    unsigned round_seconds;
    unsigned rate; /* messages a second, of all publishers */
    bool keep;
    struct prng prng;
    struct cluster *cluster;
    struct ledger_source sources[LEDGER_SOURCES];
    struct feeder feeders[LEDGER_SOURCES];
    struct watcher watchers[NODES];
    struct ledger watched[NODES];
    uint64_t end_ms; /* of the round */
    bool gap_open;   /* a leader was killed, its gap is not counted yet */
    struct totals totals;
};

static bool fail(const struct kill_run *run, const char *text)
{
    fflush(stdout);
    fprintf(stderr, "kill: round %" PRIu64 ": %s\n", run->totals.round_count, text);
    return false;
}

static uint64_t draw(struct kill_run *run, uint64_t low, uint64_t high)
{
    return low + prng_below(&run->prng, high - low + 1);
}

/* ---- a round's beginning ---- */

static bool start_clients(struct kill_run *run)
{
    char error[256];
    const struct tally_endpoint *endpoints = cluster_endpoints(run->cluster);
    for (unsigned i = 0; i < NODES; i++) {
        struct watcher_options options = {.endpoints = endpoints,
                                          .endpoint_count = NODES,
                                          .quorum = KILL_QUORUM,
                                          .node_id = i + 1,
                                          .on_entry = ledger_watch,
                                          .context = &run->watched[i]};
        run->watched[i] = (struct ledger){0};
        if (!watcher_start(&run->watchers[i], &options, error)) {
            return fail(run, error);
        }
    }
    for (unsigned i = 0; i < LEDGER_SOURCES; i++) {
        struct feeder_step step = {.message_count = FEEDER_ENDLESS,
                                   .messages_per_second = run->rate / LEDGER_SOURCES};
        struct feeder_options options = {.endpoints = endpoints,
                                         .endpoint_count = NODES,
                                         .quorum = KILL_QUORUM,
                                         .source_id = i + 1,
                                         .in_flight_max = IN_FLIGHT_MAX,
                                         .one_a_message = true,
                                         .next = ledger_source_next,
                                         .context = &run->sources[i]};
        run->sources[i] = (struct ledger_source){.id = i + 1};
        if (!feeder_start(&run->feeders[i], &options, &step, 1, error)) {
            return fail(run, error);
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
        return fail(run, error);
    }
    if (!cluster_start_all(run->cluster) || !cluster_bootstrap(run->cluster, KILL_QUORUM) ||
        !cluster_wait_leader(run->cluster, KILL_QUORUM, TIMEOUT_MS, &leader)) {
        return fail(run, cluster_error(run->cluster));
    }
    run->end_ms = feeder_now_ns() / 1000000 + seconds * 1000ull;
    return start_clients(run);
}

/* ---- killing ---- */

static uint64_t published_now(const struct kill_run *run)
{
    uint64_t count = run->totals.published;
    for (unsigned i = 0; i < LEDGER_SOURCES; i++) {
        count += atomic_load(&run->feeders[i].published_count);
    }
    return count;
}

static uint64_t acknowledged_now(const struct kill_run *run)
{
    uint64_t count = run->totals.acknowledged;
    for (unsigned i = 0; i < LEDGER_SOURCES; i++) {
        count += atomic_load(&run->feeders[i].committed_count);
    }
    return count;
}

static void show_progress(const struct kill_run *run)
{
    static uint64_t shown_ms;
    uint64_t now_ms = feeder_now_ns() / 1000000;
    if (now_ms - shown_ms >= 5000) {
        shown_ms = now_ms;
        printf("round %" PRIu64 ": %" PRIu64 " kills, %" PRIu64 " of a leader; published %" PRIu64
               ", acknowledged %" PRIu64 "\n",
               run->totals.round_count, run->totals.kill_count, run->totals.leader_kill_count,
               published_now(run), acknowledged_now(run));
        fflush(stdout);
    }
}

/* The longest time in which a publisher heard of no commit since its leader was killed. */
static void count_gap(struct kill_run *run)
{
    uint64_t longest_ns = 0;
    for (unsigned i = 0; i < LEDGER_SOURCES; i++) {
        uint64_t gap_ns = atomic_exchange(&run->feeders[i].longest_gap_ns, 0);
        longest_ns = gap_ns > longest_ns ? gap_ns : longest_ns;
    }
    if (run->gap_open && run->totals.gap_count < LEADER_KILLS_MAX) {
        run->totals.gaps_ns[run->totals.gap_count++] = longest_ns;
    }
    run->gap_open = false;
}

/* Spends `pause_ms`; false when something has gone wrong meanwhile. */
static bool spend(struct kill_run *run, uint64_t pause_ms)
{
    uint64_t end_ms = feeder_now_ns() / 1000000 + pause_ms;
    while (feeder_now_ns() / 1000000 < end_ms) {
        show_progress(run);
        if (!cluster_pause(run->cluster, PAUSE_MS)) {
            return fail(run, cluster_error(run->cluster));
        }
        for (unsigned i = 0; i < LEDGER_SOURCES; i++) {
            uint64_t last_ns = atomic_load(&run->feeders[i].last_commit_ns);
            if (last_ns && feeder_now_ns() - last_ns > NO_COMMIT_MS * 1000000ull) {
                return fail(run, "nothing is committed any more");
            }
            if (atomic_load(&run->feeders[i].refused_count) > 0) {
                return fail(run, tally_status_name((enum tally_status)atomic_load(&run->feeders[i].refusal)));
            }
        }
    }
    return true;
}

/* Bits of the nodes to kill: the leader every other time, one in twelve times all three, now and then two. */
static unsigned choose_victims(struct kill_run *run, uint64_t leader)
{
    uint64_t dice = draw(run, 0, 99);
    uint64_t any = draw(run, 1, NODES);
    uint64_t second = draw(run, 1, NODES);
    if (dice < 8) {
        return (1u << 1) | (1u << 2) | (1u << 3);
    }
    unsigned victims = 1u << (dice < 58 && leader ? leader : any);
    return dice % 10 == 0 ? victims | 1u << second : victims;
}

static void kill_nodes(struct kill_run *run, unsigned victims, uint64_t leader)
{
    run->totals.all_kill_count += victims == 14;
    if (leader && victims & (1u << leader)) {
        run->totals.leader_kill_count++;
        run->gap_open = true;
    }
    for (uint64_t id = 1; id <= NODES; id++) {
        if (victims & (1u << id)) {
            cluster_kill(run->cluster, id);
            run->totals.kill_count++;
        }
    }
}

static bool kill_and_restart(struct kill_run *run)
{
    uint64_t leader = cluster_leader(run->cluster, KILL_QUORUM);
    unsigned victims = choose_victims(run, leader);
    count_gap(run);
    kill_nodes(run, victims, leader);
    for (uint64_t id = 1; id <= NODES; id++) {
        if (!(victims & (1u << id))) {
            continue;
        }
        if (!spend(run, draw(run, 0, 800))) {
            return false;
        }
        if (!cluster_start(run->cluster, id)) {
            return fail(run, cluster_error(run->cluster));
        }
    }
    return true;
}

static bool has_space(struct kill_run *run)
{
    struct cluster_status status;
    for (uint64_t id = 1; id <= NODES; id++) {
        if (cluster_status(run->cluster, id, KILL_QUORUM, &status) && status.free_bytes < FREE_BYTES_MIN) {
            printf("round %" PRIu64 ": the tapes are full, it ends early\n", run->totals.round_count);
            return false;
        }
    }
    return true;
}

static bool run_round(struct kill_run *run)
{
    bool good = spend(run, 300);
    while (good && feeder_now_ns() / 1000000 < run->end_ms && has_space(run)) {
        good = kill_and_restart(run) && spend(run, draw(run, 300, 2500));
    }
    count_gap(run);
    return good;
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
            if (!spend(run, PAUSE_MS)) {
                return false;
            }
        }
    }
    if (!cluster_wait_equal(run->cluster, KILL_QUORUM, TIMEOUT_MS)) {
        return fail(run, cluster_error(run->cluster));
    }
    uint64_t end_ms = feeder_now_ns() / 1000000 + TIMEOUT_MS;
    for (uint64_t id = 1; id <= NODES; id++) {
        while (!cluster_status(run->cluster, id, KILL_QUORUM, &status) ||
               atomic_load(&run->watchers[id - 1].last_index) < status.commit_index) {
            if (!cluster_pause(run->cluster, PAUSE_MS)) {
                return fail(run, cluster_error(run->cluster));
            }
            if (feeder_now_ns() / 1000000 > end_ms) {
                return fail(run, "a subscriber does not get what is committed");
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
    for (unsigned i = 0; i < NODES; i++) {
        count_ledger(run, &run->watched[i]);
        good &= ledger_is_good(&run->watched[i]) && run->watchers[i].misplaced_count == 0 &&
                run->watchers[i].checksum == run->watchers[0].checksum &&
                run->watchers[i].last_index == run->watchers[0].last_index;
    }
    return good || fail(run, "the subscribers did not get the same log, each entry once");
}

/* What stands on the tapes. */
static bool check_tapes(struct kill_run *run)
{
    char first_path[256];
    char path[256];
    struct log_file first = {0};
    bool good = true;
    cluster_path(run->cluster, 1, "export", first_path, sizeof(first_path));
    for (uint64_t id = 1; good && id <= NODES; id++) {
        struct ledger ledger = {0};
        struct log_file file = {0};
        cluster_path(run->cluster, id, "export", path, sizeof(path));
        if (!cluster_export(run->cluster, id, KILL_QUORUM)) {
            return fail(run, cluster_error(run->cluster));
        }
        good = ledger_read(&ledger, path) && ledger_is_good(&ledger) && log_file_open(path, &file) == 0 &&
               (id > 1 || log_file_open(path, &first) == 0) && log_file_equal(&first, &file);
        count_ledger(run, &ledger);
        log_file_close(&file);
    }
    log_file_close(&first);
    return good || fail(run, "the logs are not equal, or not what was published");
}

static void end_clients(struct kill_run *run)
{
    for (unsigned i = 0; i < NODES; i++) {
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

static bool play_round(struct kill_run *run, unsigned seconds)
{
    bool good = begin_round(run, seconds) && run_round(run) && settle(run);
    end_clients(run);
    good = good && check_watchers(run);
    if (good && !cluster_stop_all(run->cluster)) {
        good = fail(run, cluster_error(run->cluster));
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

/* ---- the whole ---- */

static int compare_gaps(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void show_totals(struct kill_run *run, const char *program)
{
    struct totals *totals = &run->totals;
    printf("\n%" PRIu64 " nodes killed in %" PRIu64 " rounds, %" PRIu64 " of them leaders, %" PRIu64
           " times all three at once\n",
           totals->kill_count, totals->round_count, totals->leader_kill_count, totals->all_kill_count);
    printf("entries published %" PRIu64 ", acknowledged %" PRIu64 ", lost %" PRIu64 ", doubled %" PRIu64
           ", out of order or foreign %" PRIu64 "\n",
           totals->published, totals->acknowledged, totals->lost, totals->doubled, totals->misordered);
    if (totals->gap_count) {
        uint64_t count = totals->gap_count;
        qsort(totals->gaps_ns, count, sizeof(uint64_t), compare_gaps);
        printf("without commits after a leader was killed: p50 %.0f ms, p90 %.0f ms, max %.0f ms\n",
               (double)totals->gaps_ns[count / 2] / 1e6, (double)totals->gaps_ns[count * 9 / 10] / 1e6,
               (double)totals->gaps_ns[count - 1] / 1e6);
    }
    printf("repeat with: %s --seconds %u --round %u --rate %u --port %s --seed %" PRIu64 "\n", program,
           run->seconds, run->round_seconds, run->rate,
           run->options.port == CLUSTER_SHM ? "shm" : "af_packet", run->seed);
}

static bool parse_options(int argc, char **argv, struct kill_run *run)
{
    static const struct option known[] = {
        {"minutes", required_argument, NULL, 'm'}, {"seconds", required_argument, NULL, 's'},
        {"port", required_argument, NULL, 'p'},    {"seed", required_argument, NULL, 'x'},
        {"rate", required_argument, NULL, 'r'},    {"round", required_argument, NULL, 'o'},
        {"program", required_argument, NULL, 'b'}, {"directory", required_argument, NULL, 'd'},
        {"keep", no_argument, NULL, 'k'},          {0}};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'm') {
            run->seconds = (unsigned)(strtod(optarg, NULL) * 60);
        } else if (option == 's') {
            run->seconds = (unsigned)strtoul(optarg, NULL, 10);
        } else if (option == 'p' && cluster_port_of_name(optarg, &run->options.port)) {
            continue;
        } else if (option == 'x') {
            run->seed = strtoull(optarg, NULL, 0);
        } else if (option == 'r') {
            run->rate = (unsigned)strtoul(optarg, NULL, 10);
        } else if (option == 'o') {
            run->round_seconds = (unsigned)strtoul(optarg, NULL, 10);
        } else if (option == 'b') {
            run->options.program = optarg;
        } else if (option == 'd') {
            run->options.parent = optarg;
        } else if (option == 'k') {
            run->keep = true;
        } else {
            return false;
        }
    }
    return optind == argc && run->seconds > 0 && run->round_seconds > 0 && run->rate >= LEDGER_SOURCES;
}

int main(int argc, char **argv)
{
    static struct kill_run run = {.seconds = 60, .round_seconds = 120, .rate = 24000};
    char error[CLUSTER_ERROR_BYTES];
    if (getrandom(&run.seed, sizeof(run.seed), 0) != sizeof(run.seed) || !parse_options(argc, argv, &run)) {
        fprintf(stderr,
                "usage: %s [--minutes N | --seconds N] [--port shm|af_packet] [--seed S] [--rate N] "
                "[--round SECONDS] [--program PATH] [--directory DIR] [--keep]\n",
                argv[0]);
        return 2;
    }
    if (run.options.port == CLUSTER_AF_PACKET && !cluster_enter_namespace(error)) {
        fprintf(stderr, "kill: %s\n", error);
        return 1;
    }
    run.prng.state = run.seed;
    printf("killing nodes for %u s under %u entries/s, seed %" PRIu64
           "; a fresh cluster every %u s, as a tape does not "
           "go round yet\n",
           run.seconds, run.rate, run.seed, run.round_seconds);
    bool good = true;
    unsigned left = run.seconds;
    while (good && left > 0) {
        unsigned seconds = left < run.round_seconds ? left : run.round_seconds;
        good = play_round(&run, seconds);
        left -= seconds;
    }
    show_totals(&run, "./run kill");
    puts(good ? "kill: all checks hold" : "kill: FAILED");
    return good ? 0 : 1;
}
