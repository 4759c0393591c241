/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane_loops.h"

/* Three clients, so that every dataplane core has one, each to every consensus core on both lanes. */
static void frames_flow(unsigned core_count, unsigned consensus_count, unsigned lcore_count,
                        enum poll_profile profile)
{
    static struct loops loops;
    loops_start(&loops, core_count, consensus_count, lcore_count, profile);
    uint64_t frames = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct shm_channel client;
        CHECK_EQUAL(rig_connect(loops.dataplane, 0, &client), 0);
        for (uint8_t end = 0; end < consensus_count; end++) {
            CHECK(loops_drive(&client, SHM_CONTROL, end, 200, 1));
            CHECK(loops_drive(&client, SHM_BULK, end, 400, 16));
            frames += 600;
        }
        shm_close(&client);
    }
    loops_join(&loops);
    uint64_t received = 0;
    for (unsigned i = 0; i < core_count; i++) {
        const struct dataplane_counters *counters = dataplane_counters_of(loops.dataplane, i);
        CHECK(counters->received_frames > 0);
        CHECK_EQUAL(counters->received_frames, counters->sent_frames);
        received += counters->received_frames;
    }
    CHECK_EQUAL(received, frames);
    loops_end(&loops);
}

static void one_and_one_on_one_thread(void)
{
    frames_flow(1, 1, 1, POLL_SHARED);
}

static void one_and_one(void)
{
    frames_flow(1, 1, 2, POLL_SHARED);
}

static void two_and_one(void)
{
    frames_flow(2, 1, 3, POLL_SHARED);
}

static void two_and_two(void)
{
    frames_flow(2, 2, 4, POLL_SHARED);
}

static void two_and_one_adaptive(void)
{
    frames_flow(2, 1, 3, POLL_ADAPTIVE);
}

static void one_spinning_thread(void)
{
    frames_flow(1, 1, 1, POLL_SPIN);
}

static const struct test_case cases[] = {
    {"a dataplane core and a consensus core share one thread", one_and_one_on_one_thread},
    {"1+1 cores move frames end to end", one_and_one},
    {"2+1 cores move frames end to end", two_and_one},
    {"2+2 cores move frames end to end", two_and_two},
    {"2+1 cores with the adaptive profile move frames end to end", two_and_one_adaptive},
    {"a spinning thread moves frames end to end", one_spinning_thread},
};

int main(void)
{
    loops_eal_start();
    int status = test_main(cases, sizeof(cases) / sizeof(cases[0]));
    rig_eal_stop();
    return status;
}
