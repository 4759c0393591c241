/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster, one publisher and one subscriber: what the system tests have in common. A case that failed
 * leaves its rig open; the next one closes it. */
#ifndef TALLY_SYSTEM_RIG_H
#define TALLY_SYSTEM_RIG_H

#include "cluster.h"
#include "feeder.h"
#include "ledger.h"
#include "watcher.h"

#define RIG_QUORUM     "test"
#define RIG_SOURCE     1
#define RIG_TIMEOUT_MS 30000

struct rig {
    struct cluster *cluster;
    struct ledger_source source;
    struct feeder feeder;
    struct watcher watcher;
    struct ledger watched;
};

/* Fails the case, with the cluster's error as diagnostics. */
#define RIG_CHECK(rig, condition)                                                                            \
    do {                                                                                                     \
        bool rig_holds = (condition);                                                                        \
        if (!rig_holds) {                                                                                    \
            rig_print("%s", (rig)->cluster ? cluster_error((rig)->cluster) : "there is no cluster");         \
            printf("# %s\n", #condition);                                                                    \
        }                                                                                                    \
        CHECK(rig_holds);                                                                                    \
    } while (0)

/* Text as TAP diagnostics, every line with its '#'. */
__attribute__((format(printf, 1, 2))) void rig_print(const char *format, ...);

/* The one rig, closed if an earlier case left it open. */
struct rig *rig_begin(void);
/* Makes the cluster; false with its reason printed. */
bool rig_create(struct rig *rig, const struct cluster_options *options);
/* All nodes run, RIG_QUORUM exists, a node leads. */
bool rig_start(struct rig *rig, uint64_t *ret_leader);
void rig_end(struct rig *rig);

/* Publishes `message_count` messages on a thread, one an entry, at that rate a second (0: as fast as it
 * goes). */
bool rig_publish(struct rig *rig, const char *quorum, uint64_t message_count, uint32_t messages_per_second);
/* Until the publisher has heard what became of `message_count` of them (FEEDER_ENDLESS: of all). */
bool rig_wait_decided(struct rig *rig, uint64_t message_count);
bool rig_watch(struct rig *rig, uint64_t node_id);
/* Until the subscriber has `message_count` messages. */
bool rig_wait_delivered(struct rig *rig, uint64_t message_count);

/* The exports of all nodes, all stopped: equal, and what the ledger may hold. *ret_ledger: what is in them.
 */
bool rig_compare(struct rig *rig, const char *quorum, struct ledger *ret_ledger);

/* Whether node's log has this text. */
bool rig_log_has(struct rig *rig, uint64_t node_id, const char *text);

#endif
