/* SPDX-License-Identifier: Apache-2.0 */
// Quorum arithmetic: what a majority agrees on, for sets of 3, 5 and 7 voters and for a transition.
#include <benchmark/benchmark.h>

extern "C" {
#include "quorum.h"
}

namespace
{

configuration make_configuration(uint64_t voter_count, bool transitional)
{
    uint64_t ids[VOTERS_MAX] = {};
    configuration made = {};
    for (uint64_t i = 0; i < voter_count; i++) {
        ids[i] = i + 1;
    }
    configuration_init_stable(&made, ids, voter_count);
    if (transitional) {
        made.transitional = 1;
        made.previous_count = made.voter_count;
        for (uint64_t i = 0; i < voter_count; i++) {
            made.previous[i] = ids[i];
        }
    }
    return made;
}

void agreed(benchmark::State &state)
{
    auto voter_count = static_cast<uint64_t>(state.range(0));
    configuration voters = make_configuration(voter_count, state.range(1) != 0);
    quorum_values values = {};
    uint64_t turn = 0;
    for (auto _ : state) {
        values.voters[turn % voter_count] = turn;
        values.previous[turn % voter_count] = turn;
        turn++;
        benchmark::DoNotOptimize(quorum_agreed(&voters, &values));
    }
}

} // namespace

BENCHMARK(agreed)->ArgNames({"voters", "transitional"})->ArgsProduct({{3, 5, 7}, {0, 1}});
BENCHMARK_MAIN();
