/* SPDX-License-Identifier: Apache-2.0 */
// A record: finished by the leader, checked by everybody else. Most of it is the checksum.
#include <benchmark/benchmark.h>

#include <cstring>

// What C spells so is a keyword of its own in C++.
#define _Static_assert static_assert
extern "C" {
#include "crc32c.h"
#include "record.h"
}

namespace
{

struct sample {
    alignas(8) uint8_t bytes[RECORD_HEAD_BYTES + 2048];
    record_head head;
    size_t payload_bytes;
};

sample make_sample(size_t payload_bytes)
{
    sample made = {};
    std::memset(made.bytes, 0x5a, sizeof(made.bytes));
    made.head.type = RECORD_DATA;
    made.head.quorum_number = 77;
    made.head.index = 1;
    made.head.term = 1;
    made.payload_bytes = payload_bytes;
    record_finish(made.bytes, &made.head, payload_bytes);
    return made;
}

void finish(benchmark::State &state)
{
    sample record = make_sample(static_cast<size_t>(state.range(0)));
    for (auto _ : state) {
        record.head.index++;
        benchmark::DoNotOptimize(record_finish(record.bytes, &record.head, record.payload_bytes));
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}

void check(benchmark::State &state)
{
    sample record = make_sample(static_cast<size_t>(state.range(0)));
    record_head head;
    for (auto _ : state) {
        if (record_check(record.bytes, sizeof(record.bytes), &head) != RECORD_GOOD) {
            state.SkipWithError("a good record was refused");
            break;
        }
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}

void checksum(benchmark::State &state)
{
    sample record = make_sample(1260);
    auto byte_count = static_cast<size_t>(state.range(0));
    uint32_t crc = 0;
    for (auto _ : state) {
        crc = crc32c(crc, record.bytes, byte_count);
        benchmark::DoNotOptimize(crc);
    }
    state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}

} // namespace

BENCHMARK(finish)->Arg(64)->Arg(256)->Arg(1260);
BENCHMARK(check)->Arg(64)->Arg(256)->Arg(1260);
BENCHMARK(checksum)->Arg(64)->Arg(256)->Arg(1260);
BENCHMARK_MAIN();
