/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "format_steps.h"
#include "lcore.h"

/* Without a terminal: short work says nothing, long work does not fill a log. */
#define LINE_INTERVAL_NS 5000000000ull

struct format_progress format_progress_begin(const char *doing, const char *name)
{
    return (struct format_progress){.doing = doing,
                                    .name = name,
                                    .on_terminal = isatty(STDERR_FILENO),
                                    .last_percent = 101,
                                    .said_ns = lcore_now_ns()};
}

static void show_bar(const struct format_progress *progress, unsigned percent)
{
    fprintf(stderr, "\r%s %s  [%-50.*s] %3u %%", progress->doing, progress->name, (int)(percent / 2),
            "##################################################", percent);
    if (percent == 100) {
        fputc('\n', stderr);
    }
}

void format_progress_show(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    struct format_progress *progress = context;
    unsigned percent = total_bytes ? (unsigned)(done_bytes * 100 / total_bytes) : 100;
    if (percent == progress->last_percent) {
        return;
    }
    progress->last_percent = percent;
    if (progress->on_terminal) {
        show_bar(progress, percent);
    } else if (lcore_now_ns() - progress->said_ns >= LINE_INTERVAL_NS) {
        progress->said_ns = lcore_now_ns();
        fprintf(stderr, "%s %s: %u %%\n", progress->doing, progress->name, percent);
    }
}
