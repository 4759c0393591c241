/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "demo.h"

#define BAR_WIDTH     30
#define BAR_EVERY_NS  100000000u
#define LINE_EVERY_NS 1000000000u

static bool bar_shown;

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static double us(uint64_t ns)
{
    return (double)ns / 1e3;
}

void demo_say(const char *format, ...)
{
    va_list arguments;
    if (bar_shown) {
        fputs("\r\033[K", stdout);
        bar_shown = false;
    }
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    fputc('\n', stdout);
    fflush(stdout);
}

static const char *phase_text(const struct demo *demo)
{
    switch (demo->phase) {
    case DEMO_BEFORE:
        return "three nodes";
    case DEMO_LEADERLESS:
        return "NO LEADER";
    case DEMO_ONE_DOWN:
        return "two nodes";
    case DEMO_RECOVERING:
        return "catching up";
    case DEMO_AFTER:
        return "three nodes";
    }
    return "";
}

static void print_progress(const struct demo *demo, double rate, bool terminal)
{
    static const char full[] = "##############################";
    uint64_t committed = atomic_load(&demo->feeder.committed_count);
    unsigned done = (unsigned)(committed * 100 / demo->message_count);
    const struct histogram *latency = demo->feeder.steps[DEMO_PACED].latency_ns;
    if (terminal) {
        printf("\r\033[K[%-*.*s] %3u %%", BAR_WIDTH, (int)(done * BAR_WIDTH / 100), full, done);
    } else {
        printf("%3u %%", done);
    }
    printf("  %7.0f msg/s  committed sequence %9" PRIu64 "  delivered %9" PRIu64
           "  paced p50 %6.0f us p99 %6.0f us  %s",
           rate, committed, atomic_load(&demo->watcher.message_count), us(histogram_percentile(latency, 50)),
           us(histogram_percentile(latency, 99)), phase_text(demo));
    fputs(terminal ? "" : "\n", stdout);
    fflush(stdout);
    bar_shown = terminal;
}

void demo_show_progress(const struct demo *demo)
{
    static uint64_t shown_ns;
    static uint64_t shown_count;
    bool terminal = isatty(STDOUT_FILENO);
    uint64_t now_ns = feeder_now_ns();
    uint64_t passed_ns = now_ns - shown_ns;
    if (shown_ns != 0 && passed_ns < (terminal ? BAR_EVERY_NS : LINE_EVERY_NS)) {
        return;
    }
    uint64_t committed = atomic_load(&demo->feeder.committed_count);
    if (shown_ns != 0) {
        print_progress(demo, (double)(committed - shown_count) * 1e9 / (double)passed_ns, terminal);
    }
    shown_ns = now_ns;
    shown_count = committed;
}

static bool show_check(bool holds, const char *what)
{
    printf("  %-6s %s\n", holds ? "ok" : "FAILED", what);
    return holds;
}

static void show_latency(const char *name, const struct feeder_step *step)
{
    const struct histogram *latency = step->latency_ns;
    printf("%s: %" PRIu64 " messages at %u/s; due to durable on a majority and known to the publisher:\n"
           "  p50 %.0f us, p90 %.0f us, p99 %.0f us, p99.9 %.0f us, max %.0f us\n",
           name, latency->total_count, step->messages_per_second, us(histogram_percentile(latency, 50)),
           us(histogram_percentile(latency, 90)), us(histogram_percentile(latency, 99)),
           us(histogram_percentile(latency, 99.9)), us(latency->maximum));
}

static void show_figures(const struct demo *demo)
{
    const struct feeder_step *fast = &demo->feeder.steps[DEMO_FAST];
    double fast_s = (double)(fast->last_commit_ns - fast->begin_ns) / 1e9;
    uint64_t fast_count = fast->latency_ns->total_count;
    puts("");
    show_latency("paced", &demo->feeder.steps[DEMO_PACED]);
    show_latency("paced, leader killed in it", &demo->feeder.steps[DEMO_FAILING]);
    if (fast_count) {
        double bytes = (double)demo->input.byte_count * (double)fast_count / (double)demo->message_count;
        printf("as fast as it goes: %" PRIu64 " messages in %.2f s: %.0f messages/s, %.1f MB/s\n", fast_count,
               fast_s, (double)fast_count / fast_s, bytes / fast_s / 1e6);
    }
    printf("node %" PRIu64 " killed while it led: %.0f ms without a leader, %.0f ms without commits;\n"
           "  restarted: serves after %.0f ms, has caught up after %.0f ms\n",
           demo->killed, ms(demo->elected_ns - demo->killed_ns), ms(demo->gap_ns),
           ms(demo->ready_ns - demo->restarted_ns), ms(demo->caught_up_ns - demo->restarted_ns));
}

static void show_hashes(const struct demo *demo)
{
    char hash[65];
    char path[256];
    log_file_hash(demo->input_path, hash);
    printf("sha256 %s  input, %zu bytes\n", hash, demo->input.byte_count);
    for (uint64_t id = 1; id <= cluster_node_count(demo->cluster); id++) {
        cluster_path(demo->cluster, id, "export", path, sizeof(path));
        log_file_hash(path, hash);
        printf("sha256 %s  export of node %" PRIu64 "\n", hash, id);
    }
}

bool demo_show_results(const struct demo *demo)
{
    char text[160];
    uint64_t delivered = atomic_load(&demo->watcher.message_count);
    show_figures(demo);
    show_hashes(demo);
    bool good = show_check(demo->exports_equal, "the logs of all three nodes are the input, byte by byte");
    snprintf(text, sizeof(text),
             "the subscriber at node %" PRIu64 " got %" PRIu64 " of %" PRIu64
             " messages, each once, in order, from its first to the live one",
             demo->watcher_node, delivered, demo->message_count);
    good &= show_check(delivered == demo->message_count && demo->check.offset == demo->input.byte_count &&
                           demo->check.wrong_count == 0 && demo->watcher.misplaced_count == 0,
                       text);
    snprintf(text, sizeof(text),
             "every message was acknowledged to the publisher: %" PRIu64 ", refused: %" PRIu64,
             demo->feeder.committed_count, demo->feeder.refused_count);
    good &= show_check(demo->feeder.committed_count == demo->message_count && demo->feeder.refused_count == 0,
                       text);
    good &= show_check(demo->phase == DEMO_AFTER, "the killed leader came back and caught up");
    return good;
}
