/* SPDX-License-Identifier: Apache-2.0 */
/* A running node: what the configuration describes, wired. Everything here belongs to the control thread. */
#ifndef TALLY_NODE_H
#define TALLY_NODE_H

#include <sched.h>

#include "config.h"
#include "consensus_core.h"

#define NODE_ERROR_BYTES 512

struct node_log {
    struct device *device;
    struct device *reader_device;
    struct consensus_core *core;
    struct lcore *lcore;   /* that polls the core */
    int event_fd;          /* signalled by the kernel when a write is finished */
    cpu_set_t worker_cpus; /* where io_uring's workers run; none: anywhere */
    struct log_reader *reader;
};

struct node_dataplane_core { /* one part of an lcore */
    struct dataplane *dataplane;
    unsigned index;
};

struct node {
    struct config config;
    cpu_set_t allowed_cpus; /* of this process, before its threads took theirs */
    struct arena arena;
    struct dataplane *dataplane;
    const char *shm_peer_paths[NODES_MAX]; /* the dataplane goes on reading them */
    uint64_t shm_peer_ids[NODES_MAX];
    struct routes *routes;
    struct lcore *lcores[CONFIG_THREADS_MAX];
    unsigned lcore_count;
    struct node_dataplane_core dataplane_cores[DATAPLANE_CORES_MAX];
    struct node_log logs[CONSENSUS_CORES_MAX];
    _Atomic bool stop;
};

/* Wires and starts all threads. False with one line in `error_text` (NODE_ERROR_BYTES); the caller then ends
 * the process. */
bool node_start(struct node *node, char *error_text);

/* Writes out what the logs hold, ends the threads, gives everything back. 0, or the -errno of a log. */
int node_stop(struct node *node);

#endif
