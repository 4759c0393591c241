/* SPDX-License-Identifier: Apache-2.0 */
/* Three real nodes in each core map lose their leader under load, and end with the same log. */
#include "system_rig.h"
#include "test.h"

#define MESSAGES      4000
#define MESSAGES_RATE 8000

/* Publishes to `quorum`, kills its leader at a third, starts it again at two thirds. */
static void fail_over(struct rig *rig, const char *quorum)
{
    uint64_t leader = 0;
    RIG_CHECK(rig, cluster_wait_leader(rig->cluster, quorum, RIG_TIMEOUT_MS, &leader));
    CHECK(rig_publish(rig, quorum, MESSAGES, MESSAGES_RATE));
    CHECK(rig_wait_decided(rig, MESSAGES / 3));
    RIG_CHECK(rig, cluster_wait_leader(rig->cluster, quorum, RIG_TIMEOUT_MS, &leader));
    cluster_kill(rig->cluster, leader);
    CHECK(rig_wait_decided(rig, 2 * MESSAGES / 3));
    RIG_CHECK(rig, cluster_start(rig->cluster, leader));
    RIG_CHECK(rig, cluster_wait_ready(rig->cluster, leader, RIG_TIMEOUT_MS));
    CHECK(rig_wait_decided(rig, MESSAGES));
    CHECK_EQUAL(rig->feeder.committed_count, MESSAGES);
    RIG_CHECK(rig, cluster_wait_equal(rig->cluster, quorum, RIG_TIMEOUT_MS));
}

static void check_log(struct rig *rig, const char *quorum)
{
    struct ledger ledger = {0};
    RIG_CHECK(rig, rig_compare(rig, quorum, &ledger));
    CHECK(ledger_is_good(&ledger));
    CHECK_EQUAL(ledger_count(&ledger, RIG_SOURCE), MESSAGES);
}

static void run_shape(enum cluster_shape shape, enum cluster_port port)
{
    struct rig *rig = rig_begin();
    uint64_t leader = 0;
    CHECK(rig_create(rig, &(struct cluster_options){.shape = shape, .port = port, .tape_bytes = 16u << 20}));
    RIG_CHECK(rig, rig_start(rig, &leader));
    CHECK(rig_watch(rig, leader % 3 + 1));
    fail_over(rig, RIG_QUORUM);
    CHECK(rig_wait_delivered(rig, MESSAGES));
    CHECK(ledger_is_good(&rig->watched));
    CHECK_EQUAL(rig->watcher.misplaced_count, 0);
    RIG_CHECK(rig, cluster_stop_all(rig->cluster));
    check_log(rig, RIG_QUORUM);
    rig_end(rig);
}

static void fused(void)
{
    run_shape(CLUSTER_FUSED, CLUSTER_SHM);
}

static void one_and_one(void)
{
    run_shape(CLUSTER_1_1, CLUSTER_SHM);
}

static void two_and_one(void)
{
    run_shape(CLUSTER_2_1, CLUSTER_SHM);
}

/* Quorums go to a core by their name: of these four each core gets one at least. */
static void two_and_two(void)
{
    static const char *const names[] = {RIG_QUORUM, "second", "third", "fourth"};
    struct rig *rig = rig_begin();
    CHECK(rig_create(rig, &(struct cluster_options){.shape = CLUSTER_2_2, .tape_bytes = 16u << 20}));
    RIG_CHECK(rig, cluster_start_all(rig->cluster));
    for (size_t i = 0; i < 4; i++) {
        RIG_CHECK(rig, cluster_bootstrap(rig->cluster, names[i]));
    }
    for (size_t i = 0; i < 4; i++) {
        fail_over(rig, names[i]);
    }
    RIG_CHECK(rig, cluster_stop_all(rig->cluster));
    for (size_t i = 0; i < 4; i++) {
        check_log(rig, names[i]);
    }
    rig_end(rig);
}

static void on_the_wire(void)
{
    run_shape(CLUSTER_FUSED, CLUSTER_AF_PACKET);
}

static void two_and_one_on_the_wire(void)
{
    run_shape(CLUSTER_2_1, CLUSTER_AF_PACKET);
}

static const struct test_case shm_cases[] = {
    {"one thread a node: no message is lost or doubled when the leader is killed, and all logs are equal",
     fused},
    {"one dataplane and one consensus core: the same", one_and_one},
    {"two dataplane cores and one consensus core: the same", two_and_one},
    {"two dataplane and two consensus cores, four quorums over two logs: the same for each", two_and_two},
};

static const struct test_case wire_cases[] = {
    {"one thread a node, packets on veth: the same", on_the_wire},
    {"two dataplane cores and one consensus core, packets on veth: the same", two_and_one_on_the_wire},
};

/* failover_test [af_packet] */
int main(int argc, char **argv)
{
    char error[CLUSTER_ERROR_BYTES];
    if (argc < 2 || strcmp(argv[1], "af_packet") != 0) {
        return test_main(shm_cases, sizeof(shm_cases) / sizeof(shm_cases[0]));
    }
    if (!cluster_enter_namespace(error)) {
        printf("1..0 # SKIP %s\n", error);
        return 0;
    }
    return test_main(wire_cases, sizeof(wire_cases) / sizeof(wire_cases[0]));
}
