/* SPDX-License-Identifier: Apache-2.0 */
// The pure core, without disk, network and payload: single steps, and three replicators that commit.
#include <benchmark/benchmark.h>

#include "replicator_rig.h"

namespace
{

constexpr uint32_t batch_count = 64;

template <typename Operation> void measure(benchmark::State &state, uint32_t entry_count, Operation operation)
{
    replicator_rig *rig = replicator_rig_create();
    for (auto _ : state) {
        operation(rig);
    }
    replicator_rig_destroy(rig);
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * entry_count);
}

void follower_append_64(benchmark::State &state)
{
    measure(state, batch_count, [](replicator_rig *rig) { replicator_rig_follow(rig, batch_count); });
}

void leader_acknowledgement_64(benchmark::State &state)
{
    measure(state, batch_count, [](replicator_rig *rig) { replicator_rig_acknowledge(rig, batch_count); });
}

void leader_submit_64(benchmark::State &state)
{
    measure(state, batch_count, [](replicator_rig *rig) { replicator_rig_submit(rig, batch_count); });
}

void leader_idle_tick(benchmark::State &state)
{
    measure(state, 1, replicator_rig_tick_leader);
}

void follower_idle_tick(benchmark::State &state)
{
    measure(state, 1, replicator_rig_tick_follower);
}

// Entries per second of all three together, and what one entry costs them.
void three_nodes_commit(benchmark::State &state)
{
    auto entry_count = static_cast<uint32_t>(state.range(0));
    replicator_rig *rig = replicator_rig_create();
    uint64_t before = replicator_rig_commit_index(rig);
    for (auto _ : state) {
        replicator_rig_commit(rig, entry_count);
    }
    uint64_t committed = replicator_rig_commit_index(rig) - before;
    replicator_rig_destroy(rig);
    if (committed != static_cast<uint64_t>(state.iterations()) * entry_count) {
        state.SkipWithError("not all that was submitted is committed");
    }
    state.SetItemsProcessed(static_cast<int64_t>(committed));
    state.counters["per_entry"] = benchmark::Counter(
        static_cast<double>(committed), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

} // namespace

BENCHMARK(follower_append_64);
BENCHMARK(leader_acknowledgement_64);
BENCHMARK(leader_submit_64);
BENCHMARK(leader_idle_tick);
BENCHMARK(follower_idle_tick);
BENCHMARK(three_nodes_commit)->Arg(1)->Arg(64);
BENCHMARK_MAIN();
