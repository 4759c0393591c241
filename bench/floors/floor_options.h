/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOOR_OPTIONS_H
#define FLOOR_OPTIONS_H

/* Long options from a table: `--name VALUE`, or `--name` for a flag. */

#include <stdbool.h>
#include <stdint.h>

/* Exactly one of number, text and flag is set. A table ends with an entry without a name. */
struct floor_option {
    const char *name;
    const char *help;
    uint64_t *number;
    uint64_t minimum;
    uint64_t maximum;
    const char **text;
    const char *words; /* the texts allowed, "a|b|c"; NULL allows any */
    bool *flag;
};

/* Anything not in the table, or out of its bounds, ends the program with status 2; --help with 0. */
void floor_options_parse(const struct floor_option *options, int argc, char **argv);

#endif
