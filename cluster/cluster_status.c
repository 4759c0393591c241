/* SPDX-License-Identifier: Apache-2.0 */
/* What the nodes say on their administration sockets. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cluster_internal.h"

#define ANSWER_BYTES      65536
#define ANSWER_TIMEOUT_MS 500

static int connect_to(const struct cluster *cluster, uint64_t node_id)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cluster_path(cluster, node_id, "admin", address.sun_path, sizeof(address.sun_path));
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The answer without its status line; false when there is none or its status is not 0. */
static bool ask(const struct cluster *cluster, uint64_t node_id, const char *request, char *answer)
{
    size_t used = 0;
    ssize_t got = 1;
    uint64_t end_ms = cluster_now_ms() + ANSWER_TIMEOUT_MS;
    int fd = connect_to(cluster, node_id);
    if (fd < 0) {
        return false;
    }
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request)) {
        got = 0;
    }
    while (got > 0 && used < ANSWER_BYTES - 1 && cluster_now_ms() < end_ms) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        if (poll(&readable, 1, (int)(end_ms - cluster_now_ms())) == 1) {
            got = recv(fd, answer + used, ANSWER_BYTES - 1 - used, 0);
            used += got > 0 ? (size_t)got : 0;
        }
    }
    close(fd);
    answer[used] = '\0';
    bool whole = got == 0 && strncmp(answer, "0\n", 2) == 0;
    if (whole) {
        memmove(answer, answer + 2, used - 1);
    }
    return whole;
}

/* What stands behind the first "name": after `json`. Enough for one flat object whose fields come in a known
 * order. */
static const char *find_field(const char *json, const char *name)
{
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "\"%s\":", name);
    const char *found = json ? strstr(json, wanted) : NULL;
    return found ? found + strlen(wanted) : NULL;
}

static uint64_t find_number(const char *json, const char *name)
{
    const char *found = find_field(json, name);
    return found ? strtoull(found, NULL, 10) : 0;
}

static void find_text(const char *json, const char *name, char *text, size_t text_bytes)
{
    const char *found = find_field(json, name);
    size_t length = found && *found == '"' ? strcspn(found + 1, "\"") : 0;
    snprintf(text, text_bytes, "%.*s", (int)length, found ? found + 1 : "");
}

static const char *find_quorum(const char *json, const char *quorum)
{
    char wanted[96];
    const char *quorums = find_field(json, "quorums");
    const char *logs = find_field(json, "logs");
    snprintf(wanted, sizeof(wanted), "\"name\":\"%s\"", quorum);
    const char *found = quorums ? strstr(quorums, wanted) : NULL;
    return found && (!logs || found < logs) ? found : NULL;
}

bool cluster_status(struct cluster *cluster, uint64_t node_id, const char *quorum,
                    struct cluster_status *ret_status)
{
    static char answer[ANSWER_BYTES];
    if (!cluster_is_running(cluster, node_id) || !ask(cluster, node_id, "status --json\n", answer)) {
        return false;
    }
    const char *json = find_quorum(answer, quorum);
    if (!json) {
        return false;
    }
    const char *available = find_field(json, "available");
    *ret_status = (struct cluster_status){
        .leader_id = find_number(json, "leader_id"),
        .term = find_number(json, "term"),
        .last_index = find_number(json, "last_index"),
        .durable_index = find_number(json, "durable_index"),
        .commit_index = find_number(json, "commit_index"),
        .next_stream_sequence = find_number(json, "next_stream_sequence"),
        .free_bytes = find_number(json, "free_bytes"),
        .available = available && strncmp(available, "true", 4) == 0,
    };
    find_text(json, "role", ret_status->role, sizeof(ret_status->role));
    return true;
}

uint64_t cluster_leader(struct cluster *cluster, const char *quorum)
{
    struct cluster_status status;
    uint64_t leader = 0;
    uint64_t term = 0;
    for (uint64_t id = 1; id <= cluster->options.node_count; id++) {
        if (cluster_status(cluster, id, quorum, &status) && strcmp(status.role, "leader") == 0 &&
            status.term >= term) {
            leader = id;
            term = status.term;
        }
    }
    return leader;
}

/* ---- waiting ---- */

struct waiting {
    const char *quorum;
    uint64_t node_id;
    uint64_t last_index; /* of the leader, a round before */
};

typedef bool holds_fn(struct cluster *cluster, struct waiting *waiting);

static bool wait_until(struct cluster *cluster, holds_fn *holds, struct waiting *waiting, unsigned timeout_ms,
                       const char *what)
{
    uint64_t end_ms = cluster_now_ms() + timeout_ms;
    while (!holds(cluster, waiting)) {
        if (!cluster_pause(cluster, 2)) {
            return false;
        }
        if (cluster_now_ms() > end_ms) {
            cluster_fail(cluster, "%s: not within %u ms", what, timeout_ms);
            for (uint64_t id = 1; id <= cluster->options.node_count; id++) {
                cluster_add_log_tail(cluster, id);
            }
            return false;
        }
    }
    return true;
}

static bool answers(struct cluster *cluster, struct waiting *waiting)
{
    static char answer[ANSWER_BYTES];
    return ask(cluster, waiting->node_id, "status --json\n", answer);
}

bool cluster_wait_ready(struct cluster *cluster, uint64_t node_id, unsigned timeout_ms)
{
    struct waiting waiting = {.node_id = node_id};
    char what[64];
    snprintf(what, sizeof(what), "node %llu serves", (unsigned long long)node_id);
    return wait_until(cluster, answers, &waiting, timeout_ms, what);
}

static bool has_leader(struct cluster *cluster, struct waiting *waiting)
{
    waiting->node_id = cluster_leader(cluster, waiting->quorum);
    struct cluster_status status;
    return waiting->node_id != 0 && cluster_status(cluster, waiting->node_id, waiting->quorum, &status) &&
           status.available;
}

bool cluster_wait_leader(struct cluster *cluster, const char *quorum, unsigned timeout_ms,
                         uint64_t *ret_node_id)
{
    struct waiting waiting = {.quorum = quorum};
    bool found = wait_until(cluster, has_leader, &waiting, timeout_ms, "a node leads");
    if (found) {
        *ret_node_id = waiting.node_id;
    }
    return found;
}

static bool is_equal(struct cluster *cluster, struct waiting *waiting)
{
    struct cluster_status leading;
    struct cluster_status following;
    uint64_t leader = cluster_leader(cluster, waiting->quorum);
    if (!leader || !cluster_status(cluster, leader, waiting->quorum, &leading)) {
        return false;
    }
    bool equal = leading.commit_index == leading.last_index && leading.last_index == waiting->last_index;
    waiting->last_index = leading.last_index;
    for (uint64_t id = 1; equal && id <= cluster->options.node_count; id++) {
        equal = !cluster_is_running(cluster, id) ||
                (cluster_status(cluster, id, waiting->quorum, &following) &&
                 following.commit_index == leading.last_index && following.last_index == leading.last_index &&
                 following.durable_index == leading.last_index);
    }
    return equal;
}

bool cluster_wait_equal(struct cluster *cluster, const char *quorum, unsigned timeout_ms)
{
    struct waiting waiting = {.quorum = quorum};
    return wait_until(cluster, is_equal, &waiting, timeout_ms,
                      "all running nodes have committed the same log");
}

void cluster_describe(struct cluster *cluster)
{
    static char answer[ANSWER_BYTES];
    for (uint64_t id = 1; id <= cluster->options.node_count; id++) {
        bool running = cluster_is_running(cluster, id);
        bool answered = running && ask(cluster, id, "status\n", answer);
        fprintf(stderr, "--- node %llu: %s\n", (unsigned long long)id,
                answered  ? answer
                : running ? "runs, gives no answer"
                          : "does not run");
    }
}
