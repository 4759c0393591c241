/* SPDX-License-Identifier: Apache-2.0 */
/* The checkers themselves: a planted broken state must stop the process. */
#include <sys/wait.h>
#include <unistd.h>

#include "replicator.h"
#include "test.h"

static struct replicator good;
static struct replicator broken;

static void state_make(void)
{
    static struct replicator_output output;
    static struct logged_configuration configuration;
    const uint64_t ids[3] = {1, 2, 3};
    const struct log_run runs[2] = {{1, 0}, {2, 3}};
    CHECK(configuration_init_stable(&configuration.configuration, ids, 3));
    configuration.index = 1;
    const struct replicator_options options = {.quorum_number = 9,
                                               .node_id = 1,
                                               .incarnation = 5,
                                               .election_timeout_ns = 100,
                                               .heartbeat_interval_ns = 20,
                                               .retransmit_timeout_ns = 20,
                                               .disk_stall_limit_ns = 100,
                                               .random_seed = 1};
    const struct replicator_restart restart = {.term = 3,
                                               .voted_for = 2,
                                               .commit_index = 4,
                                               .last_index = 6,
                                               .runs = runs,
                                               .run_count = 2,
                                               .configurations = &configuration,
                                               .configuration_count = 1};
    replicator_init(&good, &options, &restart, 1000, &output);
    broken = good;
}

/* Does the check stop a process of its own? */
static int stops(int step)
{
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)!freopen("/dev/null", "w", stderr);
        if (step) {
            replicator_check_step(&good, &broken);
        } else {
            replicator_check(&broken);
        }
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status);
}

static void test_good(void)
{
    state_make();
    CHECK(!stops(0));
    CHECK(!stops(1));
}

#define CHECK_STOPS(step, change)                                                                            \
    do {                                                                                                     \
        state_make();                                                                                        \
        change;                                                                                              \
        CHECK(stops(step));                                                                                  \
    } while (0)

static void test_broken_states(void)
{
    CHECK_STOPS(0, broken.commit_index = 7);
    CHECK_STOPS(0, broken.noticed_index = 5);
    CHECK_STOPS(0, broken.durable_index = 7);
    CHECK_STOPS(0, broken.proved_index = 7);
    CHECK_STOPS(0, broken.replicated_index = 3);
    CHECK_STOPS(0, broken.runs[1].first_index = 1);
    CHECK_STOPS(0, broken.runs[0].term = 3);
    CHECK_STOPS(0, broken.term = 2);
    CHECK_STOPS(0, broken.peers[1].node_id = broken.peers[0].node_id);
    CHECK_STOPS(0, broken.peers[0].node_id = 1);
    CHECK_STOPS(0, broken.role = REPLICATOR_LEADER);
    CHECK_STOPS(0, broken.role = REPLICATOR_FAILED);
    CHECK_STOPS(0, broken.leader_id = 1);
    CHECK_STOPS(0, broken.hard_state_durable = 1);
    CHECK_STOPS(0, broken.configurations[0].index = 7);
    CHECK_STOPS(0, broken.pending_count = 1; broken.pending[0].first_index = 1);
}

static void test_broken_steps(void)
{
    CHECK_STOPS(1, broken.term = 2);
    CHECK_STOPS(1, broken.commit_index = 3);
    CHECK_STOPS(1, broken.voted_for = 3);
    CHECK_STOPS(1, broken.voted_for = 3; broken.hard_state_number++); /* a second vote in one term */
    CHECK_STOPS(1, broken.term = 4);                                  /* a term that is not written */
    CHECK_STOPS(1, broken.last_index = 3);
    CHECK_STOPS(1, broken.runs[1].term = 2); /* a committed entry changed */
    CHECK_STOPS(1, broken.role = REPLICATOR_LEADER);
    CHECK_STOPS(1, good.leader_id = 2; broken.leader_id = 3);
}

static const struct test_case cases[] = {
    {"a sound state and an empty step pass", test_good},
    {"every planted contradiction in a state stops the process", test_broken_states},
    {"every planted forbidden step stops the process", test_broken_steps},
};

TEST_MAIN(cases)
