/* SPDX-License-Identifier: Apache-2.0 */
/* What `tally format` does to one log. All of it on the calling thread, all text on standard output and
 * error.
 */
#ifndef TALLY_FORMAT_STEPS_H
#define TALLY_FORMAT_STEPS_H

#include "config.h"

/* How far it is: a bar on a terminal, else a line now and then. */
struct format_progress {
    const char *doing; /* "formatting" */
    const char *name;  /* of the log */
    bool on_terminal;
    unsigned last_percent;
    uint64_t said_ns;
};

struct format_progress format_progress_begin(const char *doing, const char *name);
/* `context` is a struct format_progress. */
void format_progress_show(void *context, uint64_t done_bytes, uint64_t total_bytes);

/* What stands where the tape is to be. */
enum format_place {
    FORMAT_PLACE_FREE,      /* no file */
    FORMAT_PLACE_FILE,      /* a file */
    FORMAT_PLACE_BLANK,     /* a partition whose start is zero */
    FORMAT_PLACE_PARTITION, /* a partition that holds something */
    FORMAT_PLACE_BUSY,      /* a partition that is mounted, or used by something else of this machine */
    FORMAT_PLACE_OTHER,     /* nothing that can be a tape, or not to be opened */
};

enum format_place format_place_of(const struct config_log *log);

/* Says, for each quorum of the tape that stands there, what formatting loses. */
void format_loss_tell(const struct config_log *log);

/* Removes the file, unless a process has it open for writing. 0, or 1 with the reason told. */
int format_file_remove(const struct config_log *log);

/* Makes the log's tape larger. Exit status. */
int format_grow(const struct config_log *log, uint64_t size_bytes);

#endif
