/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOOR_PROCESS_H
#define FLOOR_PROCESS_H

/* Children and files that must not outlive a floor program, however it ends. The parent knows each by its id
 * or its path, and clears up at its end, on SIGINT and SIGTERM, when a child fails and when time is up. A
 * child is also ended by the kernel when its parent is gone. */

#include <sys/types.h>

/* Installs the handlers. Past `limit_seconds` the program gives up and clears up. */
void floor_process_start(unsigned limit_seconds);

/* Returns 0 in the child. At most 8 children. */
pid_t floor_process_fork(void);

/* Waits until every child has ended by itself. */
void floor_process_wait_children(void);

/* Kills the children and removes the files; the program goes on. */
void floor_process_finish(void);

/* `path` is removed at the end. At most 8 files; the text must stay valid. */
void floor_process_owns_file(const char *path);

/* Says what failed and errno, clears up, exits 1. */
_Noreturn void floor_die(const char *what);

/* Says what is refused, clears up, exits 2. */
_Noreturn void floor_refuse(const char *what, const char *why);

#endif
