/* SPDX-License-Identifier: Apache-2.0 */
/* A log in memory behind the host's log port. What is durable, when a write fails and what a crash leaves is
 * said by the test. */
#ifndef TALLY_FAKE_LOG_H
#define TALLY_FAKE_LOG_H

#include "host.h"

struct fake_log {
    uint8_t *bytes;
    uint64_t capacity_bytes;
    uint64_t end;      /* position of the newest record */
    uint64_t reserved; /* bytes asked for by the last reserve */
    uint64_t durable;
    uint64_t full_at; /* appends without the reserve end here */
    uint64_t stall_ns;
    int error;
    bool busy;      /* room says -EBUSY */
    bool read_wait; /* reads say WAIT */
};

void fake_log_init(struct fake_log *log, uint64_t capacity_bytes);
void fake_log_fini(struct fake_log *log);
struct host_log fake_log_port(struct fake_log *log);
void fake_log_persist(struct fake_log *log);
/* A crash: what was not durable is gone. */
void fake_log_lose_unsynced(struct fake_log *log);
/* Appends a record from outside, as a log that existed before. */
void fake_log_put(struct fake_log *log, const struct record_head *head, const uint8_t *payload,
                  size_t payload_bytes);

/* What recovery finds for one quorum. */
struct fake_recovery {
    struct replicator_restart restart;
    struct log_run runs[RUNS_MAX];
    struct logged_configuration configurations[64];
    uint64_t last_log_time_ns;
    uint32_t peer_count;
    struct {
        uint64_t node_id;
        uint64_t incarnation;
    } peers[NODES_MAX];
};

void fake_log_recover(const struct fake_log *log, uint64_t quorum_number, struct fake_recovery *ret_recovery);
/* The valid record of an entry or, with another term asked, the newest one of that term; NULL: none. */
const uint8_t *fake_log_entry(const struct fake_log *log, uint64_t quorum_number, uint64_t index,
                              uint64_t term);

#endif
