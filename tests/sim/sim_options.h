/* SPDX-License-Identifier: Apache-2.0 */
/* What one simulated run is: drawn whole from its seed before it begins. Every option is off in some runs and
 * extreme in others. */
#ifndef TALLY_SIM_OPTIONS_H
#define TALLY_SIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_NODES_MAX      5
#define SIM_QUORUMS_MAX    3
#define SIM_PUBLISHERS_MAX 3
#define SIM_CLIENTS_MAX    (SIM_PUBLISHERS_MAX + 1)
#define SIM_ENDPOINTS_MAX  (SIM_NODES_MAX + SIM_CLIENTS_MAX)

#define MICROSECOND UINT64_C(1000)
#define MILLISECOND UINT64_C(1000000)
#define SECOND      UINT64_C(1000000000)

struct sim_options {
    /* the cluster */
    uint32_t node_count;
    uint32_t quorum_count;
    uint32_t bootstrap_count; /* nodes that are told of each quorum; the others join by replication */
    uint64_t election_timeout_ns;
    uint64_t heartbeat_interval_ns;
    uint64_t retransmit_timeout_ns;
    uint64_t disk_stall_limit_ns;
    uint64_t commit_news_delay_ns;
    uint64_t tape_bytes;
    bool fills_tape; /* publishers go on until it is full, where the cluster stops: no liveness then */
    uint32_t chunk_bytes;
    uint32_t block_bytes;
    uint32_t memory_chunks;
    uint32_t frame_bytes_max;
    uint64_t turn_ns; /* longest time from an input to the turn that takes it */
    /* the clients */
    uint32_t publisher_count;
    uint32_t operation_count; /* of all publishers together */
    uint32_t in_flight_max;
    uint32_t burst_max;
    uint32_t message_bytes_max;
    uint64_t publish_interval_ns;
    uint64_t retry_ns;
    uint64_t give_up_ns; /* 0: never */
    bool connected; /* clients' frames come in order while the node's process lives, as over shared memory */
    bool late_clients; /* by option only: datagrams outlive their process, and processes come back within
                          their delay */
    /* the network: of a million frames; between nodes always, of clients unless connected */
    uint64_t delay_min_ns;
    uint64_t delay_spread_ns;
    bool keeps_order; /* of what one sends to another, but for the late ones */
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint32_t late_ppm; /* overtaken by what was sent long after */
    uint64_t late_ns;
    uint32_t cut_short_ppm; /* arrives without its end */
    uint32_t no_room_ppm;   /* a node has no buffer to send */
    /* the disks */
    uint64_t write_min_ns;
    uint64_t write_spread_ns;
    uint32_t slow_write_ppm;
    uint64_t slow_write_ns;
    /* faults: mean time between two of a kind, 0: never; and how long one lasts at most */
    uint64_t safety_ns; /* the phase with faults, at most */
    uint64_t crash_interval_ns;
    uint64_t power_cut_interval_ns;
    uint64_t partition_interval_ns;
    uint64_t one_way_interval_ns;
    uint64_t isolate_leader_interval_ns;
    uint64_t disk_stall_interval_ns;
    uint64_t disk_error_interval_ns;
    uint64_t pause_interval_ns;
    uint64_t client_restart_interval_ns;
    uint64_t down_ns;
    uint64_t fault_ns;
    /* after it: everything must be decided within */
    uint64_t liveness_ns;
};

void sim_options_draw(struct sim_options *options, uint64_t seed);
/* Changes what was drawn to what `late_clients` says. */
void sim_options_make_late(struct sim_options *options);

#endif
