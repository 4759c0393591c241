/* SPDX-License-Identifier: Apache-2.0 */
/* `tally log`: which tool, on which tape, with what filter. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "config.h"
#include "log_tools.h"
#include "uring_device.h"

static const char usage_text[] =
    "usage: tally log dump TAPE [--quorum NAME] [--from INDEX] [--to INDEX] [--json]\n"
    "       tally log verify TAPE [--quorum NAME] [--json]\n"
    "       tally log stats TAPE|-c FILE [--quorum NAME] [--from INDEX] [--to INDEX] [--json]\n"
    "       tally log export TAPE --quorum NAME --out FILE [--from INDEX] [--to INDEX] [--all] [--json]\n"
    "TAPE is a file or a partition; nothing is written to it. A tape that a node has open may be read, too.\n"
    "  --json   dump: one object a line; the others: one object for each tape\n"
    "  -c FILE  all tapes of a node's configuration, whether it runs or not\n"
    "  --all    also entries that are not known to be committed\n"
    "exit status: 0 whole (export: all that is committed was written), 1 it cannot be read or has not what\n"
    "was asked for, 2 wrong usage, 3 a torn tail and nothing else, 4 damaged, or its records contradict "
    "each\n"
    "other\n";

static const struct {
    const char *name;
    enum log_status (*run)(const struct log_request *request);
    const char *options; /* their letters */
} tools[] = {
    {"dump", log_dump, "qftj"},
    {"verify", log_verify, "qj"},
    {"stats", log_stats, "cqftj"},
    {"export", log_export, "qoftaj"},
};

#define TOOL_COUNT (sizeof(tools) / sizeof(tools[0]))

static int usage(FILE *file, int status)
{
    fputs(usage_text, file);
    return status;
}

static bool parse_index(const char *text, uint64_t *ret_index)
{
    char *end = NULL;
    errno = 0;
    unsigned long long index = strtoull(text, &end, 10);
    *ret_index = index;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static bool take_option(int option, struct log_request *request, const char **ret_config)
{
    switch (option) {
    case 'q':
        request->quorum = optarg;
        request->is_filtered = true;
        return true;
    case 'o':
        request->out = optarg;
        return true;
    case 'a':
        request->all = true;
        return true;
    case 'j':
        request->json = true;
        return true;
    case 'c':
        *ret_config = optarg;
        return true;
    case 'f':
        request->is_filtered = true;
        return parse_index(optarg, &request->from);
    case 't':
        request->is_filtered = true;
        return parse_index(optarg, &request->to);
    default:
        return false;
    }
}

/* Either a tape or, in *ret_config, a configuration. */
static bool parse_options(int argc, char **argv, const char *allowed, struct log_request *request,
                          const char **ret_config)
{
    static const struct option known[] = {{"quorum", required_argument, NULL, 'q'},
                                          {"out", required_argument, NULL, 'o'},
                                          {"from", required_argument, NULL, 'f'},
                                          {"to", required_argument, NULL, 't'},
                                          {"all", no_argument, NULL, 'a'},
                                          {"json", no_argument, NULL, 'j'},
                                          {0}};
    int option = 0;
    while ((option = getopt_long(argc, argv, "c:", known, NULL)) != -1) {
        if (!strchr(allowed, option) || !take_option(option, request, ret_config)) {
            return false;
        }
    }
    request->tape = optind + 1 == argc ? argv[optind] : NULL;
    return *ret_config ? optind == argc : request->tape != NULL;
}

static enum log_status run_on_tape(struct log_request *request, unsigned tool)
{
    struct arena arena;
    char error_text[URING_DEVICE_ERROR_BYTES] = "";
    struct uring_device_options options = {.path = request->tape, .read_only = true, .event_fd = -1};
    arena_init(&arena);
    if (uring_device_open(&arena, &options, &request->device, error_text) != 0) {
        fprintf(stderr, "tally: %s\n", error_text);
        arena_fini(&arena);
        return LOG_STATUS_FAILED;
    }
    request->in_use = uring_device_is_in_use(request->tape);
    enum log_status status = tools[tool].run(request);
    request->device->close(request->device);
    arena_fini(&arena);
    return status;
}

/* The worst of all of them; status 4 is worse than 1. */
static int run_on_config(struct log_request *request, unsigned tool, const char *path)
{
    static struct config config;
    char error_text[CONFIG_ERROR_BYTES] = "";
    enum log_status worst = LOG_STATUS_WHOLE;
    if (!config_load(path, &config, error_text)) {
        fprintf(stderr, "tally: %s\n", error_text);
        return LOG_STATUS_USAGE;
    }
    for (unsigned i = 0; i < config.log_count; i++) {
        request->tape = config.logs[i].path;
        enum log_status status = run_on_tape(request, tool);
        worst = status > worst ? status : worst;
    }
    return (int)worst;
}

int command_log(int argc, char **argv)
{
    struct log_request request = {.from = 1, .to = UINT64_MAX};
    const char *config = NULL;
    unsigned tool = 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        return usage(stdout, LOG_STATUS_WHOLE);
    }
    while (argc > 1 && tool < TOOL_COUNT && strcmp(argv[1], tools[tool].name) != 0) {
        tool++;
    }
    if (argc < 2 || tool == TOOL_COUNT ||
        !parse_options(argc - 1, argv + 1, tools[tool].options, &request, &config) ||
        (tools[tool].run == log_export && (!request.quorum || !request.out))) {
        return usage(stderr, LOG_STATUS_USAGE);
    }
    return config ? run_on_config(&request, tool, config) : (int)run_on_tape(&request, tool);
}
