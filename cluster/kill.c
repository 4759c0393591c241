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
#include "kill.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static int compare_gaps(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void show_totals(struct kill_run *run, const char *program)
{
    struct kill_totals *totals = &run->totals;
    printf("\n%" PRIu64 " nodes killed in %" PRIu64 " rounds, %" PRIu64 " of them leaders, %" PRIu64
           " times all three at once\n",
           totals->kill_count, totals->round_count, totals->leader_kill_count, totals->all_kill_count);
    printf("entries published %" PRIu64 ", acknowledged %" PRIu64 ", lost %" PRIu64 ", doubled %" PRIu64
           ", out of order or foreign %" PRIu64 "\n",
           totals->published, totals->acknowledged, totals->lost, totals->doubled, totals->misordered);
    if (totals->gap_count) {
        uint64_t count = totals->gap_count;
        qsort(totals->gaps_ns, count, sizeof(uint64_t), compare_gaps);
        printf("without commits after only a leader was killed: p50 %.0f ms, p90 %.0f ms, max %.0f ms\n",
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
        good = kill_play_round(&run, seconds);
        left -= seconds;
    }
    show_totals(&run, "./run kill");
    puts(good ? "kill: all checks hold" : "kill: FAILED");
    return good ? 0 : 1;
}
