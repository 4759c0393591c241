/* SPDX-License-Identifier: Apache-2.0 */
/* A network of this process's own, each node on a host of its own as far as the kernel's network goes:
 *
 *   namespace 1: net_af_packet on node1 ==veth== port1 \
 *   namespace 2: net_af_packet on node2 ==veth== port2  > bridge0, 10.177.0.100: UDP sockets of this process
 *   namespace 3: net_af_packet on node3 ==veth== port3 /
 *
 * The kernel has no address on the nodes' ends: what arrives there is the nodes' alone. In one namespace two
 * of DPDK's af_packet devices can want the same fanout group (process id and interface number make it), and
 * then the second does not come up. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "cluster_internal.h"

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        close(fd);
    }
    return written;
}

bool cluster_enter_namespace(char *error)
{
    char map[64];
    unsigned user = geteuid();
    unsigned group = getegid();
    if (unshare(user == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        snprintf(error, CLUSTER_ERROR_BYTES,
                 "no network namespace: %s; af_packet needs one (or use the shm port, which needs nothing)",
                 strerror(errno));
        return false;
    }
    if (user == 0) {
        return true;
    }
    snprintf(map, sizeof(map), "0 %u 1", user);
    bool mapped = write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof(map), "0 %u 1", group);
    if (!mapped || !write_file("/proc/self/gid_map", map)) {
        snprintf(error, CLUSTER_ERROR_BYTES, "no user namespace: %s", strerror(errno));
        return false;
    }
    return true;
}

/* ip(8) in the present namespace, fed by the caller. */
static FILE *open_batch(void)
{
    return popen("ip -batch -", "w");
}

static bool finish_batch(struct cluster *cluster, FILE *batch)
{
    if (!batch) {
        return cluster_fail(cluster, "ip(8) does not start: %s", strerror(errno));
    }
    if (pclose(batch) != 0) {
        return cluster_fail(cluster, "ip(8) cannot make the bridge and the veth pairs");
    }
    return true;
}

static int present_namespace(void)
{
    return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

static void enter(int namespace_fd)
{
    int error = setns(namespace_fd, CLONE_NEWNET);
    ASSERT(error == 0); /* both were entered before */
}

/* From within the node's new namespace, the other end of its link is put into ours. */
static bool link_up(struct cluster *cluster, unsigned id)
{
    FILE *batch = open_batch();
    if (batch) {
        fprintf(batch, "link add node%u address 02:00:00:00:00:%02x type veth ", id, id);
        fprintf(batch, "peer name port%u netns /proc/%u/fd/%d\n", id, (unsigned)getpid(), cluster->home_fd);
        fprintf(batch, "link set node%u addrgenmode none up\n", id);
    }
    return finish_batch(cluster, batch);
}

static bool node_network_up(struct cluster *cluster, unsigned id)
{
    if (unshare(CLONE_NEWNET) != 0) {
        return cluster_fail(cluster, "no network namespace for node %u: %s", id, strerror(errno));
    }
    cluster->nodes[id].namespace_fd = present_namespace();
    bool good = cluster->nodes[id].namespace_fd >= 0
                    ? link_up(cluster, id)
                    : cluster_fail(cluster, "network namespace of node %u: %s", id, strerror(errno));
    enter(cluster->home_fd);
    return good;
}

bool cluster_network_up(struct cluster *cluster)
{
    cluster->home_fd = present_namespace();
    bool good = cluster->home_fd >= 0 || cluster_fail(cluster, "network namespace: %s", strerror(errno));
    for (unsigned id = 1; good && id <= cluster->options.node_count; id++) {
        good = node_network_up(cluster, id);
    }
    FILE *batch = good ? open_batch() : NULL;
    if (batch) {
        fprintf(batch, "link set lo up\nlink add bridge0 type bridge\nlink set bridge0 up\n");
        fprintf(batch, "address add " CLUSTER_NETWORK "100/24 dev bridge0\n");
        for (unsigned id = 1; id <= cluster->options.node_count; id++) {
            fprintf(batch, "link set port%u master bridge0 up\n", id);
        }
    }
    /* The address on the bridge is answered for on the bridge only. */
    return good && finish_batch(cluster, batch) &&
           (write_file("/proc/sys/net/ipv4/conf/all/arp_ignore", "1") ||
            cluster_fail(cluster, "arp_ignore: %s", strerror(errno)));
}

static void close_if_open(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

void cluster_network_down(struct cluster *cluster)
{
    FILE *batch = popen("ip -force -batch - 2>/dev/null", "w");
    if (batch) {
        for (unsigned id = 1; id <= cluster->options.node_count; id++) {
            fprintf(batch, "link delete port%u\n", id);
        }
        fprintf(batch, "link delete bridge0\n");
        pclose(batch);
    }
    for (unsigned id = 1; id <= cluster->options.node_count; id++) {
        close_if_open(&cluster->nodes[id].namespace_fd);
    }
    close_if_open(&cluster->home_fd);
}

int cluster_start_in_network(struct cluster *cluster, uint64_t node_id, char *const *arguments,
                             const char *log_path)
{
    struct cluster_node *node = &cluster->nodes[node_id];
    if (node->namespace_fd < 0) {
        return child_start(&node->child, arguments, log_path);
    }
    enter(node->namespace_fd);
    int error = child_start(&node->child, arguments, log_path);
    enter(cluster->home_fd);
    return error;
}
