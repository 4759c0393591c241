/* SPDX-License-Identifier: Apache-2.0 */
/* What no single key can tell: whether the parts of a configuration fit each other. */
#ifndef TALLY_CONFIG_CHECK_H
#define TALLY_CONFIG_CHECK_H

#include "config.h"

/* NULL when all fits, else what does not, and the section to look at. Also counts the cores that the threads
 * name. */
const char *config_contradiction(struct config *config, const char **ret_section);

/* The first line of the file that is neither a section, a key with a value, a comment nor empty; 0: none. */
unsigned config_first_bad_line(const char *path);

#endif
