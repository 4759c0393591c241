/* SPDX-License-Identifier: Apache-2.0 */
/* status and bootstrap: one line to a running node's socket, its answer to the terminal. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin.h"
#include "commands.h"

/* Longer than a request that is forwarded may take. */
#define ANSWER_TIMEOUT_S 10

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Sends `request`, prints the answer without its status line to `out`, returns the status. */
static int ask(const struct config *config, const char *request, FILE *out)
{
    static char answer[ADMIN_ANSWER_BYTES];
    size_t used = 0;
    ssize_t got = 0;
    int fd = connect_to(config->admin_socket);
    if (fd < 0) {
        fprintf(stderr, "tally: no node answers at %s: %s; is `tally node` running?\n", config->admin_socket,
                strerror(errno));
        return 1;
    }
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request)) {
        while (used < sizeof(answer) - 1 &&
               (got = recv(fd, answer + used, sizeof(answer) - 1 - used, 0)) > 0) {
            used += (size_t)got;
        }
    }
    close(fd);
    answer[used] = '\0';
    char *text = strchr(answer, '\n');
    if (!text) {
        fprintf(stderr, "tally: the node at %s gave no answer\n", config->admin_socket);
        return 1;
    }
    int status = atoi(answer);
    fputs(text + 1, status == 0 ? out : stderr);
    return status;
}

struct admin_options {
    struct config config;
    const char *quorum;
    const char *voters;
    const char *node;
    bool json;
    bool here;
};

static bool parse_options(int argc, char **argv, struct admin_options *options)
{
    static const struct option known[] = {{"config", required_argument, NULL, 'c'},
                                          {"quorum", required_argument, NULL, 'q'},
                                          {"voters", required_argument, NULL, 'v'},
                                          {"node", required_argument, NULL, 'n'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"here", no_argument, NULL, 'h'},
                                          {0}};
    char error_text[CONFIG_ERROR_BYTES] = "";
    const char *path = NULL;
    int option = 0;
    while ((option = getopt_long(argc, argv, "c:", known, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'q':
            options->quorum = optarg;
            break;
        case 'v':
            options->voters = optarg;
            break;
        case 'n':
            options->node = optarg;
            break;
        case 'j':
            options->json = true;
            break;
        case 'h':
            options->here = true;
            break;
        default:
            return false;
        }
    }
    if (!path || optind != argc) {
        return false;
    }
    if (!config_load(path, &options->config, error_text)) {
        fprintf(stderr, "tally: %s\n", error_text);
        exit(2);
    }
    return true;
}

int command_status(int argc, char **argv)
{
    static struct admin_options options;
    char request[ADMIN_REQUEST_BYTES];
    if (!parse_options(argc, argv, &options) || options.quorum || options.voters || options.here) {
        fprintf(stderr, "usage: tally status -c FILE [--json] [--node ID|leader:QUORUM]\n");
        return 2;
    }
    char target[128] = "";
    if (options.node && strncmp(options.node, "leader:", 7) == 0) {
        snprintf(target, sizeof(target), "@leader %.100s ", options.node + 7);
    } else if (options.node) {
        snprintf(target, sizeof(target), "@%.100s ", options.node);
    }
    snprintf(request, sizeof(request), "%sstatus%s\n", target, options.json ? " --json" : "");
    return ask(&options.config, request, stdout);
}

/* Here first, then at every other voter: a majority is enough, so one that is down is told and not fatal. */
int command_bootstrap(int argc, char **argv)
{
    static struct admin_options options;
    char request[ADMIN_REQUEST_BYTES];
    unsigned total = 1;
    unsigned done = 0;
    if (!parse_options(argc, argv, &options) || !options.quorum || !options.voters || options.json ||
        strlen(options.quorum) > QUORUM_NAME_BYTES_MAX || strlen(options.voters) > 200) {
        fprintf(stderr, "usage: tally bootstrap -c FILE --quorum NAME --voters ID,ID,... [--here]\n");
        return 2;
    }
    snprintf(request, sizeof(request), "bootstrap %s %s\n", options.quorum, options.voters);
    int status = ask(&options.config, request, stdout);
    if (status != 0 || options.here) {
        return status;
    }
    done++;
    for (const char *at = options.voters; *at; at += strcspn(at, ","), at += *at == ',') {
        uint64_t id = strtoull(at, NULL, 10);
        if (id == options.config.node_id) {
            continue;
        }
        total++;
        snprintf(request, sizeof(request), "@%llu bootstrap %s %s\n", (unsigned long long)id, options.quorum,
                 options.voters);
        done += ask(&options.config, request, stdout) == 0;
    }
    if (done < total / 2 + 1) {
        fprintf(stderr, "tally: %u of %u voters are bootstrapped; a majority is needed, repeat the command\n",
                done, total);
        return 1;
    }
    return 0;
}
