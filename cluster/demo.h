/* SPDX-License-Identifier: Apache-2.0 */
/* What the demo knows and what it shows of it. */
#ifndef TALLY_DEMO_H
#define TALLY_DEMO_H

#include "cluster.h"
#include "feeder.h"
#include "log_file.h"
#include "watcher.h"

#define DEMO_QUORUM "itch"

/* The steps of the replay. */
enum demo_step { DEMO_WARM_UP, DEMO_PACED, DEMO_FAILING, DEMO_FAST, DEMO_STEPS };

enum demo_phase {
    DEMO_BEFORE,     /* all is well */
    DEMO_LEADERLESS, /* the leader was killed */
    DEMO_ONE_DOWN,   /* another leads, the killed one is starting */
    DEMO_RECOVERING, /* it serves, and catches up */
    DEMO_AFTER,
};

/* The subscriber's check: what arrives is the input, byte by byte. */
struct demo_check {
    const struct log_file *input;
    size_t offset;
    _Atomic uint64_t wrong_count;
};

struct demo {
    struct cluster_options options;
    uint64_t message_count;
    uint64_t seed;
    uint32_t rate; /* messages a second of the paced steps */
    bool keep;
    struct cluster *cluster;
    char input_path[256];
    struct log_file input;
    size_t offset; /* of the feeder's next message */
    struct feeder feeder;
    struct watcher watcher;
    uint64_t watcher_node;
    struct demo_check check;
    enum demo_phase phase;
    uint64_t leader;
    uint64_t killed;
    uint64_t killed_ns;
    uint64_t new_leader;
    uint64_t elected_ns;
    uint64_t restarted_ns;
    uint64_t ready_ns;
    uint64_t goal_index; /* what the restarted node must have committed to have caught up */
    uint64_t caught_up_ns;
    uint64_t gap_ns; /* without commits */
    uint64_t last_index;
    bool exports_equal;
};

/* A line about an event. */
__attribute__((format(printf, 1, 2))) void demo_say(const char *format, ...);
/* The progress bar on a terminal, else a line a second. */
void demo_show_progress(const struct demo *demo);
/* Figures and checks; true when every check holds. */
bool demo_show_results(const struct demo *demo);

#endif
