/* SPDX-License-Identifier: Apache-2.0 */
#include "floor_options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "floor_process.h"

static void print_help(const struct floor_option *options, const char *program)
{
    printf("usage: %s [options]\n", program);
    for (const struct floor_option *option = options; option->name != NULL; option++) {
        printf("  --%-12s %s", option->name, option->help);
        if (option->number != NULL) {
            printf(" (%" PRIu64 "; %" PRIu64 " to %" PRIu64 ")", *option->number, option->minimum,
                   option->maximum);
        } else if (option->text != NULL && *option->text != NULL) {
            printf(" (%s)", *option->text);
        }
        printf("%s%s\n", option->words != NULL ? ": " : "", option->words != NULL ? option->words : "");
    }
    exit(0);
}

/* Whether `word` is one of `words`, which are separated by '|'. */
static bool words_have(const char *words, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = words; at != NULL; at = strchr(at, '|') != NULL ? strchr(at, '|') + 1 : NULL) {
        if (length > 0 && strncmp(at, word, length) == 0 && (at[length] == '|' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

static void set_number(const struct floor_option *option, const char *text)
{
    char *end = NULL;

    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-') {
        floor_refuse(option->name, "is not a number");
    }
    if (value < option->minimum || value > option->maximum) {
        floor_refuse(option->name, "is out of bounds (--help shows them)");
    }
    *option->number = value;
}

static void set_value(const struct floor_option *option, const char *text)
{
    if (text == NULL) {
        floor_refuse(option->name, "needs a value");
    }
    if (option->number != NULL) {
        set_number(option, text);
        return;
    }
    if (option->words != NULL && !words_have(option->words, text)) {
        floor_refuse(option->name, option->words);
    }
    *option->text = text;
}

static const struct floor_option *find_option(const struct floor_option *options, const char *argument)
{
    for (const struct floor_option *option = options; option->name != NULL; option++) {
        if (strncmp(argument, "--", 2) == 0 && strcmp(argument + 2, option->name) == 0) {
            return option;
        }
    }
    return NULL;
}

void floor_options_parse(const struct floor_option *options, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_help(options, argv[0]);
        }
        const struct floor_option *option = find_option(options, argv[i]);
        if (option == NULL) {
            floor_refuse(argv[i], "no such option (--help lists them)");
        }
        if (option->flag != NULL) {
            *option->flag = true;
        } else {
            set_value(option, argv[++i]); /* argv ends with a NULL, which set_value refuses */
        }
    }
}
