/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes and the one directory they live in, none of which outlives this process however it ends: at
 * its end, at SIGINT, SIGTERM, SIGHUP or SIGALRM, and, through the kernel and a keeper process, even when it
 * is killed. Main thread only. */
#ifndef TALLY_CHILD_H
#define TALLY_CHILD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILDREN_MAX       32
#define CHILD_PATH_BYTES   256
#define CHILD_REASON_BYTES 96

struct child {
    pid_t pid;  /* 0: not running */
    int pid_fd; /* readable when it has ended; -1 while it is not running */
    int status; /* of waitpid, once it has ended */
};

/* Makes a directory "tally-XXXXXX" below `parent` and the keeper that removes it with everything in it when
 * this process ends. One at a time. 0 or -errno. */
int child_directory_create(const char *parent, char ret_path[CHILD_PATH_BYTES]);
/* Removes it now (keep: leaves it where it is). */
void child_directory_remove(bool keep);

/* Starts `arguments` (NULL-terminated) with standard output and error appended to `log_path` and no input.
 * The kernel kills it when the calling thread ends. 0 or -errno. */
int child_start(struct child *child, char *const *arguments, const char *log_path);

/* Takes note if it has ended. True while it runs. */
bool child_is_running(struct child *child);

/* Sends `signal_number` if it runs. */
void child_signal(const struct child *child, int signal_number);

/* Waits until it has ended. False: it still runs after `timeout_ms`. */
bool child_wait(struct child *child, int timeout_ms);

/* SIGKILL, and waits. */
void child_kill(struct child *child);

/* "exited with 1", "was killed by signal 11" */
void child_reason(const struct child *child, char text[CHILD_REASON_BYTES]);

/* Starts a thread that leaves the ending signals to the main thread. 0 or an error number. */
int child_thread_start(pthread_t *thread, void *(*function)(void *), void *context);

#endif
