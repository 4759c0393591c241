/* SPDX-License-Identifier: Apache-2.0 */
// The tape over a device that does nothing: records of 256 bytes built in place, one write for each batch.
#include <benchmark/benchmark.h>

#include "null_tape.h"

namespace
{

constexpr uint32_t payload_bytes = 256;

void append_256_bytes(benchmark::State &state)
{
    auto record_count = static_cast<uint32_t>(state.range(0));
    null_tape *null = null_tape_create();
    for (auto _ : state) {
        if (!null_tape_has_room(null, record_count * 1024ULL)) {
            state.PauseTiming();
            null_tape_destroy(null);
            null = null_tape_create();
            state.ResumeTiming();
        }
        null_tape_append(null, record_count, payload_bytes);
    }
    null_tape_destroy(null);
    auto records = static_cast<int64_t>(state.iterations()) * record_count;
    state.SetItemsProcessed(records);
    state.SetBytesProcessed(records * payload_bytes);
}

} // namespace

BENCHMARK(append_256_bytes)->Arg(1)->Arg(64);
BENCHMARK_MAIN();
