/* SPDX-License-Identifier: Apache-2.0 */
// From one thread to another and back. `per_hop` is half a round trip; two processors have to be free for it.
#include <benchmark/benchmark.h>

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
    for (auto _ : state) {
        hop_rig_round_trip(rig);
    }
    hop_rig_destroy(rig);
    state.counters["per_hop"] = benchmark::Counter(static_cast<double>(state.iterations()) * 2,
                                                   benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

} // namespace

BENCHMARK_CAPTURE(round_trip, ring_64_bytes, HOP_RIG_RING, 64)->UseRealTime();
BENCHMARK_CAPTURE(round_trip, channel_control_128_bytes, HOP_RIG_CHANNEL_CONTROL, 128)->UseRealTime();
BENCHMARK_CAPTURE(round_trip, channel_bulk_1400_bytes, HOP_RIG_CHANNEL_BULK, 1400)->UseRealTime();
BENCHMARK_MAIN();
