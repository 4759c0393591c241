/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that reads a tape's old chunks from disk, so that no consensus core ever waits for a read. */
#ifndef TALLY_LOG_READER_H
#define TALLY_LOG_READER_H

#include "arena.h"
#include "tape.h"

struct log_reader;

/* Starts the thread; `device` is its own from now on. 0 or -errno. */
int log_reader_start(struct arena *arena, struct tape *tape, struct device *device, int wake_fd,
                     struct log_reader **ret_reader);
void log_reader_stop(struct log_reader *reader);

#endif
