/* SPDX-License-Identifier: Apache-2.0 */
// From one thread to another and back. `p50_per_hop` is half the median round trip, in seconds: the mean
// counts every turn that another process took on one of the two processors.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "hop_rig.h"

namespace
{

void round_trip(benchmark::State &state, hop_rig_kind kind, uint32_t frame_bytes)
{
    hop_rig *rig = hop_rig_create(kind, frame_bytes);
    if (rig == nullptr) {
        state.SkipWithError("the channel cannot be made");
        return;
    }
    std::vector<double> seconds;
    for (auto _ : state) {
        auto begin = std::chrono::steady_clock::now();
        hop_rig_round_trip(rig);
        std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
        state.SetIterationTime(passed.count());
        seconds.push_back(passed.count());
    }
    hop_rig_destroy(rig);
    auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
    std::nth_element(seconds.begin(), middle, seconds.end());
    state.counters["p50_per_hop"] = *middle / 2;
}

} // namespace

BENCHMARK_CAPTURE(round_trip, ring_64_bytes, HOP_RIG_RING, 64)->UseManualTime();
BENCHMARK_CAPTURE(round_trip, channel_control_128_bytes, HOP_RIG_CHANNEL_CONTROL, 128)->UseManualTime();
BENCHMARK_CAPTURE(round_trip, channel_bulk_1400_bytes, HOP_RIG_CHANNEL_BULK, 1400)->UseManualTime();
BENCHMARK_MAIN();
