/* SPDX-License-Identifier: Apache-2.0 */
/* A node's configuration: one INI file, read strictly. Everything unknown, malformed, missing or
 * contradictory is refused with file and line and what is allowed, before anything is touched.
 * docs/operations.md lists the keys. */
#ifndef TALLY_CONFIG_H
#define TALLY_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane.h"
#include "tape.h"

#define CONFIG_PATH_BYTES  108 /* what a Unix socket's address holds */
#define CONFIG_TEXT_BYTES  128
#define CONFIG_DEVICES_MAX 8
#define CONFIG_ETHDEVS_MAX 4
#define CONFIG_THREADS_MAX (DATAPLANE_CORES_MAX + CONSENSUS_CORES_MAX)
#define CONFIG_PARTS_MAX   3 /* on one thread */
#define CONFIG_ERROR_BYTES 512

enum config_part_kind { CONFIG_DATAPLANE = 1, CONFIG_CONSENSUS = 2 };

struct config_thread {
    uint64_t number; /* of its section */
    uint64_t cpu;
    uint64_t profile; /* enum poll_profile */
    unsigned part_count;
    struct {
        enum config_part_kind kind;
        unsigned index;
    } parts[CONFIG_PARTS_MAX];
};

/* Log i is polled by consensus core i. */
struct config_log {
    char name[32];
    char path[CONFIG_TEXT_BYTES];
    uint64_t size_bytes; /* 0: what the device has; partitions only */
    uint64_t chunk_bytes;
    uint64_t memory_bytes;
    uint64_t sync; /* enum tape_sync, 0: probe at format */
    uint64_t slow_write_ns;
    char worker_cpus[CONFIG_TEXT_BYTES]; /* of io_uring's workers: a list, "any", or empty: without spinning
                                            threads */
};

struct config_ethdev {
    uint64_t number;
    char device[CONFIG_TEXT_BYTES];
    uint32_t address; /* network order */
    uint64_t udp_port;
    uint64_t mtu;
    uint64_t core;
};

struct config_peer {
    uint64_t node_id;
    char shm[CONFIG_PATH_BYTES];
    uint32_t address; /* network order; 0: none */
    uint64_t udp_port;
    uint64_t ethdev;
    uint8_t mac[6];
};

struct config {
    uint64_t cluster_id;
    uint64_t node_id;
    bool insecure;
    uint64_t quorum_count_max;
    uint64_t data_bytes_max; /* message blocks of one entry */
    char admin_socket[CONFIG_PATH_BYTES];
    char shm_socket[CONFIG_PATH_BYTES]; /* empty: no shared memory */
    char runtime_dir[CONFIG_TEXT_BYTES];
    uint64_t election_timeout_ns;
    uint64_t heartbeat_interval_ns;
    uint64_t retransmit_timeout_ns;
    uint64_t disk_stall_limit_ns;
    uint64_t commit_news_delay_ns;
    uint64_t memory_bytes; /* DPDK's */
    bool huge_pages;
    uint64_t mbuf_count;
    char devices[CONFIG_DEVICES_MAX][CONFIG_TEXT_BYTES];
    unsigned device_count;
    struct config_thread threads[CONFIG_THREADS_MAX];
    unsigned thread_count;
    unsigned dataplane_count;
    unsigned consensus_count;
    struct config_log logs[CONSENSUS_CORES_MAX];
    unsigned log_count;
    struct config_ethdev ethdevs[CONFIG_ETHDEVS_MAX];
    unsigned ethdev_count;
    struct config_peer peers[NODES_MAX];
    unsigned peer_count;
};

/* True, or false with one line in `error_text` (CONFIG_ERROR_BYTES): "FILE:LINE: what is wrong; what is
 * allowed". */
bool config_load(const char *path, struct config *ret_config, char *error_text);

#endif
