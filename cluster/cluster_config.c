/* SPDX-License-Identifier: Apache-2.0 */
/* A node's configuration file. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cluster_internal.h"

static void write_thread(FILE *file, const struct cluster *cluster, unsigned number, unsigned cpu,
                         const char *runs)
{
    fprintf(file, "[thread %u]\ncpu = %u\nprofile = %s\nruns = %s\n\n", number, cpu, cluster->options.profile,
            runs);
}

/* Threads go round the CPUs, and nodes begin one apart. */
static void write_threads(FILE *file, const struct cluster *cluster, uint64_t node_id)
{
    static const char *const parts[][5] = {
        [CLUSTER_FUSED] = {"dataplane0 consensus0", NULL},
        [CLUSTER_1_1] = {"dataplane0", "consensus0", NULL},
        [CLUSTER_2_1] = {"dataplane0", "dataplane1", "consensus0", NULL},
        [CLUSTER_2_2] = {"dataplane0", "dataplane1", "consensus0", "consensus1", NULL},
    };
    unsigned cpu_count = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    for (unsigned i = 0; parts[cluster->options.shape][i]; i++) {
        write_thread(file, cluster, i, ((unsigned)node_id - 1 + i) % cpu_count,
                     parts[cluster->options.shape][i]);
    }
}

static void write_logs(FILE *file, const struct cluster *cluster, uint64_t node_id)
{
    const struct cluster_options *options = &cluster->options;
    for (unsigned i = 0; i < cluster->consensus_count; i++) {
        char path[CHILD_PATH_BYTES];
        cluster_path(cluster, node_id, i == 0 ? "tape" : "1.tape", path, sizeof(path));
        fprintf(file, "[log %s]\npath = %s\nsize = %llu\nchunk = %u\nmemory = %u\nsync = %s\n\n",
                i == 0 ? "main" : "second", path, (unsigned long long)options->tape_bytes,
                options->chunk_bytes, options->tape_memory_bytes, options->sync);
    }
}

static void write_peers(FILE *file, const struct cluster *cluster, uint64_t node_id)
{
    for (uint64_t peer = 1; peer <= cluster->options.node_count; peer++) {
        if (peer == node_id) {
            continue;
        }
        fprintf(file, "[peer %llu]\n", (unsigned long long)peer);
        if (cluster->options.port == CLUSTER_SHM) {
            fprintf(file, "shm = %s/%llu.shm\n\n", cluster->directory, (unsigned long long)peer);
        } else {
            fprintf(file, "address = " CLUSTER_NETWORK "%llu\nport = %u\nmac = 02:00:00:00:00:%02llx\n\n",
                    (unsigned long long)peer, CLUSTER_UDP_PORT, (unsigned long long)peer);
        }
    }
}

static void write_node(FILE *file, const struct cluster *cluster, uint64_t node_id)
{
    const struct cluster_options *options = &cluster->options;
    unsigned long long id = node_id;
    fprintf(file,
            "[cluster]\nid = %llu\ninsecure = yes\nelection_timeout = %ums\nheartbeat_interval = %ums\n\n",
            (unsigned long long)options->cluster_id, options->election_timeout_ms,
            options->heartbeat_interval_ms);
    fprintf(file, "[node]\nid = %llu\nadmin_socket = %s/%llu.admin\nruntime_dir = %s/%llu.run\n", id,
            cluster->directory, id, cluster->directory, id);
    if (options->port == CLUSTER_SHM) {
        fprintf(file, "shm_socket = %s/%llu.shm\n", cluster->directory, id);
    }
    fprintf(file, "memory = %s\nhuge_pages = no\nmbufs = 1024\n\n",
            options->shape == CLUSTER_FUSED ? "64M" : "96M");
    if (options->port == CLUSTER_AF_PACKET) {
        fprintf(file, "[devices]\nnet_af_packet0 = iface=node%llu\n\n", id);
        fprintf(file, "[ethdev 0]\ndevice = net_af_packet0\naddress = " CLUSTER_NETWORK "%llu\nport = %u\n\n",
                id, CLUSTER_UDP_PORT);
    }
}

int cluster_write_config(const struct cluster *cluster, uint64_t node_id)
{
    char path[CHILD_PATH_BYTES];
    cluster_path(cluster, node_id, "conf", path, sizeof(path));
    FILE *file = fopen(path, "w");
    if (!file) {
        return -errno;
    }
    write_node(file, cluster, node_id);
    write_threads(file, cluster, node_id);
    write_logs(file, cluster, node_id);
    write_peers(file, cluster, node_id);
    return fclose(file) == 0 ? 0 : -errno;
}
