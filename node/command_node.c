/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "admin.h"
#include "commands.h"
#include "lcore.h"
#include "replicator_names.h"

/* The control thread's turn when nothing wakes it: shm reconnection and forwarded requests go by time. */
#define TURN_MS 50
/* Events told in one turn, so that a flapping quorum cannot flood the log. */
#define EVENTS_A_TURN 32

static void tell_events(struct node *node)
{
    struct engine_event event;
    for (unsigned i = 0; i < node->config.log_count; i++) {
        for (unsigned told = 0; told < EVENTS_A_TURN && consensus_core_next_event(node->logs[i].core, &event);
             told++) {
            printf("tally: %s %s node %llu term %llu index %llu\n", event.name,
                   replicator_event_name(event.event.kind), (unsigned long long)event.event.node_id,
                   (unsigned long long)event.event.term, (unsigned long long)event.event.index);
        }
    }
    fflush(stdout);
}

/* Until SIGTERM or SIGINT. */
static void run_control(struct node *node, struct admin_server *server, int signal_fd)
{
    struct pollfd fds[] = {
        {.fd = signal_fd, .events = POLLIN},
        {.fd = admin_server_fd(server), .events = POLLIN},
        {.fd = dataplane_control_fd(node->dataplane), .events = POLLIN},
    };
    while (!(fds[0].revents & POLLIN)) {
        if (poll(fds, sizeof(fds) / sizeof(fds[0]), TURN_MS) < 0 && errno != EINTR) {
            break;
        }
        dataplane_control(node->dataplane);
        admin_server_poll(server, lcore_now_ns());
        tell_events(node);
    }
}

static int run(struct node *node, int signal_fd)
{
    char error_text[NODE_ERROR_BYTES] = "";
    if (!node_start(node, error_text)) {
        fprintf(stderr, "tally: %s\n", error_text);
        return 1;
    }
    struct admin_server *server = admin_server_create(node, error_text);
    if (!server) {
        fprintf(stderr, "tally: %s\n", error_text);
        node_stop(node); /* its threads run */
        return 1;
    }
    arena_seal(&node->arena);
    printf("tally: cluster %llu node %llu INSECURE: frames are not sealed\ntally: ready\n",
           (unsigned long long)node->config.cluster_id, (unsigned long long)node->config.node_id);
    fflush(stdout);
    run_control(node, server, signal_fd);
    admin_server_destroy(server);
    int error = node_stop(node);
    if (error != 0) {
        fprintf(stderr, "tally: stopped, but a log was not written out: %s\n", strerror(-error));
        return 1;
    }
    puts("tally: stopped");
    return 0;
}

int command_node(int argc, char **argv)
{
    static struct node node;
    char error_text[CONFIG_ERROR_BYTES] = "";
    sigset_t signals;
    if (argc != 3 || strcmp(argv[1], "-c") != 0) {
        fprintf(stderr, "usage: tally node -c FILE\n");
        return 2;
    }
    if (!config_load(argv[2], &node.config, error_text)) {
        fprintf(stderr, "tally: %s\n", error_text);
        return 2;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* inherited by every thread that starts from here on */
    signal(SIGPIPE, SIG_IGN);
    int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    if (signal_fd < 0) {
        fprintf(stderr, "tally: signalfd: %s\n", strerror(errno));
        return 1;
    }
    return run(&node, signal_fd);
}
