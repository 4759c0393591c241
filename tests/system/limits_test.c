/* SPDX-License-Identifier: Apache-2.0 */
/* What a publisher hears at the ends of things: no leader, a full tape. */
#include "system_rig.h"
#include "test.h"

/* The publisher's problem becomes `wanted`. */
static bool wait_problem(struct rig *rig, enum tally_status wanted)
{
    uint64_t end_ns = feeder_now_ns() + RIG_TIMEOUT_MS * 1000000ull;
    while (atomic_load(&rig->feeder.problem) != (int)wanted) {
        if (!cluster_pause(rig->cluster, 2) || feeder_now_ns() > end_ns) {
            rig_print("told: %s", tally_status_name((enum tally_status)atomic_load(&rig->feeder.problem)));
            return false;
        }
    }
    return true;
}

static void no_leader(void)
{
    enum { MESSAGES = 300 };
    struct rig *rig = rig_begin();
    struct ledger ledger = {0};
    uint64_t leader = 0;
    CHECK(rig_create(rig, &(struct cluster_options){.tape_bytes = 8u << 20}));
    RIG_CHECK(rig, rig_start(rig, &leader));
    uint64_t left = leader % 3 + 1;
    for (uint64_t id = 1; id <= 3; id++) {
        if (id != left) {
            cluster_kill(rig->cluster, id);
        }
    }
    CHECK(rig_publish(rig, RIG_QUORUM, MESSAGES, 0));
    CHECK(wait_problem(rig, TALLY_NO_LEADER));
    CHECK_EQUAL(rig->feeder.committed_count, 0);
    RIG_CHECK(rig, cluster_start(rig->cluster, leader));
    CHECK(rig_wait_decided(rig, MESSAGES));
    CHECK_EQUAL(rig->feeder.committed_count, MESSAGES);
    RIG_CHECK(rig, cluster_start(rig->cluster, 6 - left - leader));
    RIG_CHECK(rig, cluster_wait_ready(rig->cluster, 6 - left - leader, RIG_TIMEOUT_MS));
    RIG_CHECK(rig, cluster_wait_equal(rig->cluster, RIG_QUORUM, RIG_TIMEOUT_MS));
    RIG_CHECK(rig, cluster_stop_all(rig->cluster));
    RIG_CHECK(rig, rig_compare(rig, RIG_QUORUM, &ledger));
    CHECK(ledger_is_good(&ledger));
    CHECK_EQUAL(ledger.entered_count, MESSAGES);
    rig_end(rig);
}

static void full_tape(void)
{
    struct rig *rig = rig_begin();
    struct ledger ledger = {0};
    uint64_t leader = 0;
    CHECK(rig_create(rig, &(struct cluster_options){.tape_bytes = 4u << 20}));
    RIG_CHECK(rig, rig_start(rig, &leader));
    CHECK(rig_watch(rig, leader));
    CHECK(rig_publish(rig, RIG_QUORUM, 60000, 0)); /* twice what fits */
    CHECK(rig_wait_decided(rig, FEEDER_ENDLESS));
    CHECK(rig->feeder.refused_count > 0);
    CHECK_EQUAL(rig->feeder.refusal, TALLY_NO_SPACE);
    CHECK(rig->feeder.committed_count > 10000);
    uint64_t unknown_count =
        rig->feeder.unknown_count; /* refused by a leader after another one may have logged them */
    CHECK_EQUAL(rig->feeder.committed_count + rig->feeder.refused_count + unknown_count, 60000);
    CHECK(rig_wait_delivered(rig, rig->feeder.committed_count));
    RIG_CHECK(rig, cluster_wait_equal(rig->cluster, RIG_QUORUM, RIG_TIMEOUT_MS));
    RIG_CHECK(rig, cluster_stop_all(rig->cluster));
    RIG_CHECK(rig, rig_compare(rig, RIG_QUORUM, &ledger));
    CHECK_EQUAL(ledger.doubled_count, 0);
    CHECK_EQUAL(ledger.foreign_count, 0);
    CHECK(ledger.entered_count >= rig->feeder.committed_count);
    CHECK(ledger.entered_count <= rig->feeder.committed_count + unknown_count);
    rig_end(rig);
}

/* A full tape still opens, and its node still takes part in elections. */
static void full_tape_restarts(void)
{
    struct rig *rig = rig_begin();
    uint64_t leader = 0;
    CHECK(rig_create(rig, &(struct cluster_options){.tape_bytes = 4u << 20}));
    RIG_CHECK(rig, rig_start(rig, &leader));
    CHECK(rig_publish(rig, RIG_QUORUM, 60000, 0));
    CHECK(rig_wait_decided(rig, FEEDER_ENDLESS));
    uint64_t committed = rig->feeder.committed_count;
    for (uint64_t id = 1; id <= 3; id++) {
        cluster_kill(rig->cluster, id);
    }
    RIG_CHECK(rig, cluster_start_all(rig->cluster));
    RIG_CHECK(rig, cluster_wait_leader(rig->cluster, RIG_QUORUM, RIG_TIMEOUT_MS, &leader));
    CHECK(rig_watch(rig, leader));
    CHECK(rig_wait_delivered(rig, committed));
    CHECK_EQUAL(rig->watched.doubled_count, 0);
    CHECK_EQUAL(rig->watched.entered_count, committed);
    rig_end(rig);
}

static const struct test_case cases[] = {
    {"without a majority a publisher is told so, and its entries commit when the majority is back",
     no_leader},
    {"on a full tape entries are refused with NO_SPACE and every acknowledged one is there", full_tape},
    {"nodes with full tapes are restarted, elect a leader and deliver everything", full_tape_restarts},
};

TEST_MAIN(cases)
