/* SPDX-License-Identifier: Apache-2.0 */
/* What a tape's records say of each quorum, gathered while it is opened. */
#ifndef TALLY_RECOVERY_H
#define TALLY_RECOVERY_H

#include "arena.h"
#include "record.h"
#include "replicator.h"

struct recovered_peer {
    uint64_t node_id;
    uint64_t incarnation;
};

struct recovered_quorum {
    uint64_t number;
    char name[QUORUM_NAME_BYTES_MAX + 1];
    uint64_t term;
    uint64_t voted_for;
    uint64_t commit_index;
    uint64_t last_index;
    uint64_t last_log_time_ns;
    uint32_t run_count;
    uint32_t configuration_count;
    uint32_t peer_count;
    bool contradicted; /* a record that no writer of ours leaves; see recovery_contradicts */
    struct log_run runs[RUNS_MAX];
    struct logged_configuration configurations[CONFIGURATIONS_MAX];
    struct recovered_peer peers[NODES_MAX];
};

struct recovery {
    uint32_t quorum_count;
    uint32_t quorum_count_max;
    uint32_t left_out_count; /* quorums beyond quorum_count_max */
    uint32_t ignored_count;  /* records of those, or of none */
    struct recovered_quorum *quorums;
};

void recovery_init(struct recovery *recovery, struct arena *arena, uint32_t quorum_count_max);

/* A tape_visit. */
void recovery_visit(void *context, const struct record_head *head, const uint8_t *payload, uint64_t position);

/* Whether its records contradict each other, as far as the whole tape shows. Such a quorum starts failed. */
bool recovery_contradicts(const struct recovered_quorum *quorum);

/* What the replicator starts with; points into `quorum`. */
struct replicator_restart recovery_restart(const struct recovered_quorum *quorum);

/* The payload of a RECORD_QUORUM and of entry 1: a configuration, then the name. Returns bytes written /
 * false. */
size_t quorum_payload_encode(const struct configuration *voters, const char *name, uint8_t *bytes);
bool quorum_payload_decode(const uint8_t *bytes, size_t byte_count, struct configuration *ret_voters,
                           char *ret_name);
#define QUORUM_PAYLOAD_BYTES_MAX (CONFIGURATION_BYTES_MAX + QUORUM_NAME_BYTES_MAX)

#endif
