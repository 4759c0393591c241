/* SPDX-License-Identifier: Apache-2.0 */
/* Between the library's own files. */
#ifndef TALLY_CLUSTER_INTERNAL_H
#define TALLY_CLUSTER_INTERNAL_H

#include "child.h"
#include "cluster.h"

#define CLUSTER_UDP_PORT 26480
/* Nodes have .1, .2, ... of this network; the kernel's clients are at .100. */
#define CLUSTER_NETWORK "10.177.0."

struct cluster_node {
    struct child child;
    bool expected;    /* to run: it was started, and neither killed nor stopped since */
    int namespace_fd; /* of its network; -1: this process's own */
};

struct cluster {
    struct cluster_options options;
    unsigned consensus_count;
    int home_fd; /* the network namespace of this process; -1: no other is used */
    char program[CHILD_PATH_BYTES];
    char directory[CHILD_PATH_BYTES];
    struct cluster_node nodes[CLUSTER_NODES_MAX + 1]; /* by node id */
    struct tally_endpoint endpoints[CLUSTER_NODES_MAX];
    char addresses[CLUSTER_NODES_MAX][CHILD_PATH_BYTES];
    char error[CLUSTER_ERROR_BYTES];
};

uint64_t cluster_now_ms(void);

/* Keeps a formatted error; returns false, so that a caller can return it. */
__attribute__((format(printf, 2, 3))) bool cluster_fail(struct cluster *cluster, const char *format, ...);

/* Appends the last lines of a node's log to the error. */
void cluster_add_log_tail(struct cluster *cluster, uint64_t node_id);

/* Writes N.conf. 0 or -errno. */
int cluster_write_config(const struct cluster *cluster, uint64_t node_id);

/* Bridge and veth pairs between the present network namespace and one of each node, and away again. */
bool cluster_network_up(struct cluster *cluster);
void cluster_network_down(struct cluster *cluster);

/* Starts a program of the node's in its network. 0 or -errno. */
int cluster_start_in_network(struct cluster *cluster, uint64_t node_id, char *const *arguments,
                             const char *log_path);

#endif
