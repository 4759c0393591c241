/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "config.h"

int command_config(int argc, char **argv)
{
    static struct config config;
    char error_text[CONFIG_ERROR_BYTES] = "";
    if (argc < 3 || strcmp(argv[1], "check") != 0) {
        fprintf(stderr, "usage: tally config check FILE...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        if (!config_load(argv[i], &config, error_text)) {
            fprintf(stderr, "tally: %s\n", error_text);
            return 2;
        }
        printf("%s: good: cluster %llu, node %llu, %u dataplane and %u consensus cores on %u threads, %u "
               "peers\n",
               argv[i], (unsigned long long)config.cluster_id, (unsigned long long)config.node_id,
               config.dataplane_count, config.consensus_count, config.thread_count, config.peer_count);
    }
    return 0;
}
