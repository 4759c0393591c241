/* SPDX-License-Identifier: Apache-2.0 */
/* The nodes' processes, and what they leave in their logs. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "cluster_internal.h"

#define READY_TIMEOUT_MS     20000
#define STOP_TIMEOUT_MS      15000
#define COMMAND_TIMEOUT_MS   60000
#define BOOTSTRAP_TIMEOUT_MS 10000
#define LOG_TAIL_BYTES       900

void cluster_add_log_tail(struct cluster *cluster, uint64_t node_id)
{
    char path[CHILD_PATH_BYTES];
    char tail[LOG_TAIL_BYTES + 1];
    size_t used = strlen(cluster->error);
    cluster_path(cluster, node_id, "log", path, sizeof(path));
    FILE *file = fopen(path, "r");
    if (!file) {
        return;
    }
    if (fseek(file, -LOG_TAIL_BYTES, SEEK_END) != 0) {
        rewind(file);
    }
    tail[fread(tail, 1, LOG_TAIL_BYTES, file)] = '\0';
    fclose(file);
    snprintf(cluster->error + used, sizeof(cluster->error) - used, "\n--- the last lines of node %llu:\n%s",
             (unsigned long long)node_id, tail);
}

static struct cluster_node *node_of(struct cluster *cluster, uint64_t node_id)
{
    ASSERT(node_id >= 1);
    ASSERT(node_id <= cluster->options.node_count);
    return &cluster->nodes[node_id];
}

bool cluster_is_running(const struct cluster *cluster, uint64_t node_id)
{
    return cluster->nodes[node_id].expected;
}

bool cluster_start(struct cluster *cluster, uint64_t node_id)
{
    struct cluster_node *node = node_of(cluster, node_id);
    char config[CHILD_PATH_BYTES];
    char log[CHILD_PATH_BYTES];
    cluster_path(cluster, node_id, "conf", config, sizeof(config));
    cluster_path(cluster, node_id, "log", log, sizeof(log));
    char *arguments[] = {cluster->program, "node", "-c", config, NULL};
    int error = cluster_start_in_network(cluster, node_id, arguments, log);
    node->expected = error == 0;
    return error == 0 || cluster_fail(cluster, "no process: %s", strerror(-error));
}

bool cluster_start_all(struct cluster *cluster)
{
    bool good = true;
    for (uint64_t id = 1; good && id <= cluster->options.node_count; id++) {
        good = cluster_start(cluster, id);
    }
    for (uint64_t id = 1; good && id <= cluster->options.node_count; id++) {
        good = cluster_wait_ready(cluster, id, READY_TIMEOUT_MS);
    }
    return good;
}

void cluster_kill(struct cluster *cluster, uint64_t node_id)
{
    struct cluster_node *node = node_of(cluster, node_id);
    node->expected = false;
    child_kill(&node->child);
}

/* A stop is asked of a node that runs: one that has ended before it is a failure of its own. */
static bool ask_to_stop(struct cluster *cluster, uint64_t node_id)
{
    if (!cluster_check(cluster)) {
        return false;
    }
    node_of(cluster, node_id)->expected = false;
    child_signal(&node_of(cluster, node_id)->child, SIGTERM);
    return true;
}

static bool wait_stopped(struct cluster *cluster, uint64_t node_id)
{
    struct child *child = &node_of(cluster, node_id)->child;
    char reason[CHILD_REASON_BYTES];
    bool ended = child_wait(child, STOP_TIMEOUT_MS);
    if (ended && child->status == 0) {
        return true;
    }
    child_reason(child, reason);
    cluster_fail(cluster, "node %llu did not stop cleanly: %s", (unsigned long long)node_id,
                 ended ? reason : "it goes on running");
    cluster_add_log_tail(cluster, node_id);
    child_kill(child);
    return false;
}

bool cluster_stop(struct cluster *cluster, uint64_t node_id)
{
    return ask_to_stop(cluster, node_id) && wait_stopped(cluster, node_id);
}

bool cluster_stop_all(struct cluster *cluster)
{
    bool good = true;
    bool asked[CLUSTER_NODES_MAX + 1] = {false};
    for (uint64_t id = 1; good && id <= cluster->options.node_count; id++) {
        asked[id] = cluster->nodes[id].expected;
        good = !asked[id] || ask_to_stop(cluster, id);
    }
    for (uint64_t id = 1; good && id <= cluster->options.node_count; id++) {
        good = !asked[id] || wait_stopped(cluster, id);
    }
    return good;
}

bool cluster_check(struct cluster *cluster)
{
    for (uint64_t id = 1; id <= cluster->options.node_count; id++) {
        struct cluster_node *node = &cluster->nodes[id];
        if (!node->expected || child_is_running(&node->child)) {
            continue;
        }
        char reason[CHILD_REASON_BYTES];
        child_reason(&node->child, reason);
        cluster_fail(cluster, "node %llu ended by itself: it %s", (unsigned long long)id, reason);
        cluster_add_log_tail(cluster, id);
        return false;
    }
    return true;
}

bool cluster_pause(struct cluster *cluster, int pause_ms)
{
    struct pollfd fds[CLUSTER_NODES_MAX];
    nfds_t count = 0;
    for (uint64_t id = 1; id <= cluster->options.node_count; id++) {
        if (cluster->nodes[id].expected) {
            fds[count++] = (struct pollfd){.fd = cluster->nodes[id].child.pid_fd, .events = POLLIN};
        }
    }
    poll(fds, count, pause_ms);
    return cluster_check(cluster);
}

int cluster_run(struct cluster *cluster, char *const *arguments)
{
    enum { ARGUMENTS_MAX = 16 };
    char log[CHILD_PATH_BYTES];
    char *all[ARGUMENTS_MAX + 2] = {cluster->program};
    struct child child = {0};
    for (unsigned i = 0; arguments[i]; i++) {
        ASSERT(i < ARGUMENTS_MAX);
        all[i + 1] = arguments[i];
    }
    snprintf(log, sizeof(log), "%.200s/command.log", cluster->directory);
    unlink(log);
    if (child_start(&child, all, log) != 0) {
        return -1;
    }
    if (!child_wait(&child, COMMAND_TIMEOUT_MS)) {
        child_kill(&child);
    }
    return WIFEXITED(child.status) ? WEXITSTATUS(child.status) : -1;
}

static void add_command_log(struct cluster *cluster)
{
    char path[CHILD_PATH_BYTES];
    size_t used = strlen(cluster->error);
    snprintf(path, sizeof(path), "%.200s/command.log", cluster->directory);
    FILE *file = fopen(path, "r");
    if (file) {
        snprintf(cluster->error + used, sizeof(cluster->error) - used, ": ");
        used += 2;
        cluster->error[used + fread(cluster->error + used, 1, sizeof(cluster->error) - used - 1, file)] =
            '\0';
        fclose(file);
    }
}

/* Repeated until it is done: the nodes may not have found each other yet. */
bool cluster_bootstrap(struct cluster *cluster, const char *quorum)
{
    char config[CHILD_PATH_BYTES];
    char name[96];
    char voters[64] = "1";
    uint64_t end_ms = cluster_now_ms() + BOOTSTRAP_TIMEOUT_MS;
    for (unsigned id = 2; id <= cluster->options.node_count; id++) {
        snprintf(voters + strlen(voters), sizeof(voters) - strlen(voters), ",%u", id);
    }
    snprintf(name, sizeof(name), "%s", quorum);
    cluster_path(cluster, 1, "conf", config, sizeof(config));
    char *arguments[] = {"bootstrap", "-c", config, "--quorum", name, "--voters", voters, NULL};
    while (cluster_run(cluster, arguments) != 0) {
        if (!cluster_pause(cluster, 10)) {
            return false;
        }
        if (cluster_now_ms() > end_ms) {
            cluster_fail(cluster, "quorum %s cannot be bootstrapped", quorum);
            add_command_log(cluster);
            return false;
        }
    }
    return true;
}

bool cluster_export(struct cluster *cluster, uint64_t node_id, const char *quorum)
{
    char tape[CHILD_PATH_BYTES];
    char out[CHILD_PATH_BYTES];
    char name[96];
    ASSERT(!cluster_is_running(cluster, node_id));
    snprintf(name, sizeof(name), "%s", quorum);
    cluster_path(cluster, node_id, "export", out, sizeof(out));
    char *arguments[] = {"log", "export", tape, "--quorum", name, "--out", out, NULL};
    for (unsigned log = 0; log < cluster->consensus_count; log++) {
        unlink(out);
        cluster_path(cluster, node_id, log == 0 ? "tape" : "1.tape", tape, sizeof(tape));
        if (cluster_run(cluster, arguments) == 0) {
            return true;
        }
    }
    cluster_fail(cluster, "the log of node %llu cannot be exported", (unsigned long long)node_id);
    add_command_log(cluster);
    return false;
}
