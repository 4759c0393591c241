/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `tally log`, all read-only. A tape that a node has open is read, too: what it holds is then
 * the beginning of what the node has written, whole as far as it goes; the last write under way may be
 * missing.
 */
#ifndef TALLY_LOG_TOOLS_H
#define TALLY_LOG_TOOLS_H

#include <stdio.h>

#include "log_facts.h"

enum log_status {
    LOG_STATUS_WHOLE = 0,
    LOG_STATUS_FAILED = 1, /* it cannot be read, is no tape, or has not what was asked for */
    LOG_STATUS_USAGE = 2,
    LOG_STATUS_TORN = 3, /* bytes of a write that never ended stand behind the end; nothing else is wrong */
    LOG_STATUS_DAMAGED =
        4, /* what was durable is unreadable or missing, or its records contradict each other */
};

struct log_request {
    const char *tape;   /* its path */
    const char *quorum; /* or NULL: all */
    const char *out;    /* export */
    uint64_t from;      /* entries */
    uint64_t to;
    bool is_filtered; /* only entries are asked for */
    bool all;         /* export: also what is not known to be committed */
    bool json;
    bool in_use; /* a node has it open */
    struct device *device;
};

enum log_status log_dump(const struct log_request *request);
enum log_status log_verify(const struct log_request *request);
enum log_status log_stats(const struct log_request *request);
enum log_status log_export(const struct log_request *request);

/* What the walk over the whole tape means as a status. */
enum log_status log_status_of(const struct log_request *request, const struct log_facts *facts);
/* "whole", "torn tail", "damaged", ... */
const char *log_state_name(const struct log_request *request, const struct log_facts *facts);

/* What a tape is, as lines, or as members of a JSON object without its braces. */
void log_print_tape(const struct log_request *request, const struct log_facts *facts);
void log_print_tape_json(const struct log_request *request, const struct log_facts *facts);
/* A string with its quotes. */
void log_print_json_text(const char *text);

#endif
