/* SPDX-License-Identifier: Apache-2.0 */
/* A network of this process's own:
 *
 *   node 1: net_af_packet on node1 ==veth== port1 \
 *   node 2: net_af_packet on node2 ==veth== port2  > bridge0, 10.177.0.100: UDP sockets of this process
 *   node 3: net_af_packet on node3 ==veth== port3 /
 *
 * The kernel has no address on the nodes' ends: what arrives there is the nodes' alone. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

bool cluster_network_up(struct cluster *cluster)
{
    FILE *batch = popen("ip -batch -", "w");
    if (batch) {
        fprintf(batch, "link set lo up\nlink add bridge0 type bridge\nlink set bridge0 up\n");
        fprintf(batch, "address add " CLUSTER_NETWORK "100/24 dev bridge0\n");
        for (unsigned id = 1; id <= cluster->options.node_count; id++) {
            fprintf(batch, "link add node%u address 02:00:00:00:00:%02x type veth peer name port%u\n", id, id,
                    id);
            fprintf(batch, "link set port%u master bridge0 up\n", id);
            fprintf(batch, "link set node%u addrgenmode none up\n", id);
        }
    }
    /* The address on the bridge is answered for on the bridge only. */
    return finish_batch(cluster, batch) && (write_file("/proc/sys/net/ipv4/conf/all/arp_ignore", "1") ||
                                            cluster_fail(cluster, "arp_ignore: %s", strerror(errno)));
}

void cluster_network_down(const struct cluster *cluster)
{
    FILE *batch = popen("ip -force -batch - 2>/dev/null", "w");
    if (batch) {
        for (unsigned id = 1; id <= cluster->options.node_count; id++) {
            fprintf(batch, "link delete node%u\n", id);
        }
        fprintf(batch, "link delete bridge0\n");
        pclose(batch);
    }
}
