/* SPDX-License-Identifier: Apache-2.0 */
/* Runs scenario files, one TAP line each. A file is a claim (its first line), then blocks: command lines, a
 * line
 * `----`, exactly the output of these commands, an empty line. Lines of the commands that begin with # are
 * comments. Arguments: files or folders; with --rewrite first, the output found is written into the files. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "scenario.h"

#define FILES_MAX 512

struct text {
    char *bytes;
    size_t count;
    size_t capacity;
};

static void text_add(struct text *text, const char *bytes, size_t count)
{
    if (text->count + count + 1 > text->capacity) {
        text->capacity = 2 * (text->count + count) + 1024;
        text->bytes = realloc(text->bytes, text->capacity);
        ASSERT(text->bytes != NULL);
    }
    memcpy(text->bytes + text->count, bytes, count);
    text->count += count;
    text->bytes[text->count] = '\0';
}

static bool file_read(const char *path, struct text *ret_text)
{
    char buffer[4096];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    text_add(ret_text, "", 0);
    size_t count;
    while ((count = fread(buffer, 1, sizeof(buffer), file)) > 0) {
        text_add(ret_text, buffer, count);
    }
    fclose(file);
    return true;
}

/* The next line of `*at`, without its end, into `line`; false at the end of the text. */
static bool line_next(const char **at, char *line, size_t line_capacity)
{
    size_t count = strcspn(*at, "\n");
    if (**at == '\0') {
        return false;
    }
    ASSERT(count < line_capacity);
    memcpy(line, *at, count);
    line[count] = '\0';
    *at += count + ((*at)[count] == '\n');
    return true;
}

/* Runs the file's blocks; what the file should be comes out as `made`. */
static void file_run(const char *text, struct text *made)
{
    static struct scenario scenario;
    char line[1024];
    bool in_output = false;
    scenario_init(&scenario);
    while (line_next(&text, line, sizeof(line))) {
        if (in_output) {
            in_output = line[0] != '\0'; /* the expected output is replaced by what was found */
            continue;
        }
        if (strcmp(line, "----") == 0) {
            text_add(made, "----\n", 5);
            text_add(made, scenario.output != NULL ? scenario.output : "", scenario.output_bytes);
            text_add(made, "\n", 1);
            scenario.output_bytes = 0;
            in_output = true;
            continue;
        }
        text_add(made, line, strlen(line));
        text_add(made, "\n", 1);
        if (line[0] != '#') {
            scenario_run_line(&scenario, line);
        }
    }
    if (scenario.output_bytes > 0) {
        text_add(made, "----\n",
                 5); /* commands at the end without a block of output are a mistake: show it */
        text_add(made, scenario.output, scenario.output_bytes);
    }
    scenario_fini(&scenario);
}

/* A file ends after its last output, with or without the empty line. */
static void trim_end(struct text *text)
{
    while (text->count > 1 && text->bytes[text->count - 1] == '\n' && text->bytes[text->count - 2] == '\n') {
        text->bytes[--text->count] = '\0';
    }
}

static void difference_tell(const char *expected, const char *found)
{
    char a[1024];
    char b[1024];
    for (uint32_t number = 1;; number++) {
        bool more_a = line_next(&expected, a, sizeof(a));
        bool more_b = line_next(&found, b, sizeof(b));
        if (!more_a && !more_b) {
            return;
        }
        if (more_a != more_b || strcmp(a, b) != 0) {
            printf("# line %u\n#   expected: %s\n#   found:    %s\n", number, more_a ? a : "(end)",
                   more_b ? b : "(end)");
            return;
        }
    }
}

static bool scenario_file_check(const char *path, bool rewrite)
{
    struct text text = {0};
    struct text made = {0};
    bool good = file_read(path, &text);
    if (good) {
        file_run(text.bytes, &made);
        trim_end(&text);
        trim_end(&made);
        good = strcmp(text.bytes, made.bytes) == 0;
    }
    if (!good && rewrite && made.bytes != NULL) {
        FILE *file = fopen(path, "w");
        good = file != NULL && fwrite(made.bytes, 1, made.count, file) == made.count;
        good = file != NULL && fclose(file) == 0 && good;
    } else if (!good && made.bytes != NULL) {
        difference_tell(text.bytes, made.bytes);
    }
    free(text.bytes);
    free(made.bytes);
    return good;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static uint32_t paths_collect(const char *argument, char **paths, uint32_t count)
{
    struct stat status;
    if (stat(argument, &status) != 0 || !S_ISDIR(status.st_mode)) {
        paths[count] = strdup(argument);
        return count + 1;
    }
    DIR *folder = opendir(argument);
    ASSERT(folder != NULL);
    uint32_t first = count;
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length > 4 && strcmp(entry->d_name + length - 4, ".txt") == 0) {
            char path[4096];
            ASSERT(count < FILES_MAX);
            snprintf(path, sizeof(path), "%s/%s", argument, entry->d_name);
            paths[count++] = strdup(path);
        }
    }
    closedir(folder);
    qsort(paths + first, count - first, sizeof(paths[0]), compare_paths);
    return count;
}

int main(int argument_count, char **arguments)
{
    static char *paths[FILES_MAX];
    bool rewrite = argument_count > 1 && strcmp(arguments[1], "--rewrite") == 0;
    uint32_t count = 0;
    int failed = 0;
    for (int i = rewrite ? 2 : 1; i < argument_count; i++) {
        count = paths_collect(arguments[i], paths, count);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%u\n", count);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = strrchr(paths[i], '/') != NULL ? strrchr(paths[i], '/') + 1 : paths[i];
        bool good = scenario_file_check(paths[i], rewrite);
        printf("%s %u - %.*s\n", good ? "ok" : "not ok", i + 1, (int)strcspn(name, "."), name);
        failed |= !good;
        free(paths[i]);
    }
    return failed || count == 0;
}
