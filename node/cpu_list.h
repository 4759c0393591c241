/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of CPUs as text: "0,2-5". */
#ifndef TALLY_CPU_LIST_H
#define TALLY_CPU_LIST_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

/* Total. False: malformed, empty, or a CPU above 1023. */
bool cpu_list_parse(const char *text, cpu_set_t *ret_cpus);

/* What does not fit is left out. */
void cpu_list_write(const cpu_set_t *cpus, char *text, size_t text_bytes);

#endif
