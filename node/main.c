/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "client_commands.h"
#include "commands.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"format", command_format, "make a node's tapes and identity"},
    {"node", command_node, "run a node"},
    {"bootstrap", command_bootstrap, "start a quorum"},
    {"status", command_status, "what a node knows of itself, its quorums and ports"},
    {"publish", command_publish, "send a BinaryFILE, or lines, into a quorum"},
    {"subscribe", command_subscribe, "receive committed entries"},
    {"log", command_log, "dump, verify, count or export a tape"},
    {"config", command_config, "check configuration files"},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("tally " TALLY_VERSION);
        return 0;
    }
    bool asked = argc == 2 && strcmp(argv[1], "--help") == 0;
    FILE *out = asked ? stdout : stderr;
    fprintf(out, "usage: tally COMMAND ...   (tally COMMAND without arguments says how)\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    }
    return asked ? 0 : 2;
}
