/* SPDX-License-Identifier: Apache-2.0 */
// Messages to frames and back: what a commit sends, at the field values of a log of some age.
#include <benchmark/benchmark.h>

#include "codec_rig.h"

namespace
{

void encode(benchmark::State &state, codec_rig_kind kind)
{
    codec_rig *rig = codec_rig_create();
    for (auto _ : state) {
        codec_rig_encode(rig, kind);
    }
    codec_rig_destroy(rig);
}

void decode(benchmark::State &state, codec_rig_kind kind)
{
    codec_rig *rig = codec_rig_create();
    for (auto _ : state) {
        codec_rig_decode(rig, kind);
    }
    codec_rig_destroy(rig);
}

} // namespace

BENCHMARK_CAPTURE(encode, append, CODEC_RIG_APPEND);
BENCHMARK_CAPTURE(encode, append_reply, CODEC_RIG_APPEND_REPLY);
BENCHMARK_CAPTURE(encode, publish, CODEC_RIG_PUBLISH);
BENCHMARK_CAPTURE(decode, append, CODEC_RIG_APPEND);
BENCHMARK_CAPTURE(decode, append_reply, CODEC_RIG_APPEND_REPLY);
BENCHMARK_CAPTURE(decode, publish, CODEC_RIG_PUBLISH);
BENCHMARK_MAIN();
