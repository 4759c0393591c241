/* SPDX-License-Identifier: Apache-2.0 */
/* What both commands need: where the cluster is, numbers as text, the terminal, the wish to stop. */
#ifndef TALLY_COMMAND_OPTIONS_H
#define TALLY_COMMAND_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tally.h"

struct command_options {
    const char *quorum;
    size_t endpoint_count;
    struct tally_endpoint endpoints[TALLY_NODES_MAX];
};

/* ID=ADDRESS. False: not that, or too many. */
bool command_add_endpoint(struct command_options *options, const char *text);

/* A decimal number in [minimum, maximum], nothing behind it. False: not that. */
bool command_parse_number(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret_value);

uint64_t command_now_ns(void);

/* From now on the first SIGINT or SIGTERM makes command_is_stopped true, the second one ends the process. */
void command_catch_signals(void);
bool command_is_stopped(void);

/* True a few times a second, and only when stderr is a terminal: time to show progress. */
bool command_progress_is_due(uint64_t now_ns, uint64_t *due_ns);

#endif
