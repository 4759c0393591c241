/* SPDX-License-Identifier: Apache-2.0 */
/* The main of a fuzz target built without libFuzzer: feeds the target every file that the command line names,
 * and every file of the directories it names, whole and cut at every length. Each input stands in a block of
 * its own size, so that a sanitizer sees a read beyond its end. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

/* Cuts are quadratic in the size: a corpus is small files. Larger: refused. */
#define FILE_BYTES_MAX 65536

static unsigned file_count;
static unsigned input_count;

static void give(const uint8_t *bytes, size_t byte_count)
{
    uint8_t *input = malloc(byte_count > 0 ? byte_count : 1);
    if (input == NULL) {
        abort();
    }
    if (byte_count > 0) {
        memcpy(input, bytes, byte_count);
    }
    LLVMFuzzerTestOneInput(input, byte_count);
    free(input);
    input_count++;
}

static bool replay_file(const char *path)
{
    static uint8_t bytes[FILE_BYTES_MAX + 1];
    FILE *file = fopen(path, "rb");
    size_t byte_count = file != NULL ? fread(bytes, 1, sizeof(bytes), file) : 0;
    bool readable = file != NULL && !ferror(file) && byte_count <= FILE_BYTES_MAX;
    if (file != NULL) {
        fclose(file);
    }
    if (!readable) {
        fprintf(stderr, "%s: cannot be read, or is larger than %d bytes\n", path, FILE_BYTES_MAX);
        return false;
    }
    for (size_t cut = 0; cut <= byte_count; cut++) {
        give(bytes, cut);
    }
    file_count++;
    return true;
}

static bool replay_directory(const char *path)
{
    struct dirent **entries = NULL;
    int entry_count = scandir(path, &entries, NULL, alphasort);
    bool good = entry_count >= 0;
    for (int i = 0; i < entry_count; i++) {
        char file_path[4096];
        snprintf(file_path, sizeof(file_path), "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            good = replay_file(file_path) && good;
        }
        free(entries[i]);
    }
    free(entries);
    return good;
}

int main(int argument_count, char **arguments)
{
    bool good = true;
    for (int i = 1; i < argument_count; i++) {
        struct stat status;
        if (stat(arguments[i], &status) != 0) {
            fprintf(stderr, "%s: %s\n", arguments[i], strerror(errno));
            good = false;
            continue;
        }
        good = (S_ISDIR(status.st_mode) ? replay_directory(arguments[i]) : replay_file(arguments[i])) && good;
    }
    printf("%u files, %u inputs\n", file_count, input_count);
    return good && file_count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
