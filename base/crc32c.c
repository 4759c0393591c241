/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of 3 x 256 bytes run as three independent chains (the instruction has a latency of 3 and a
 * throughput of 1 a cycle), joined by a table that advances a checksum over 256 zero bytes. */
#include "crc32c.h"

#include <nmmintrin.h>

#include "bytes.h"

#define LANE_BYTES 256

/* advance[k][b]: what byte k of value b contributes after LANE_BYTES zero bytes. */
static uint32_t advance[4][256];

static uint32_t over_zeros(uint32_t crc)
{
    uint64_t wide = crc;
    for (unsigned i = 0; i < LANE_BYTES / 8; i++) {
        wide = _mm_crc32_u64(wide, 0);
    }
    return (uint32_t)wide;
}

__attribute__((constructor)) static void build_advance_table(void)
{
    for (unsigned byte = 0; byte < 4; byte++) {
        for (uint32_t value = 0; value < 256; value++) {
            advance[byte][value] = over_zeros(value << (8 * byte));
        }
    }
}

static uint32_t advance_lane(uint32_t crc)
{
    return advance[0][crc & 255] ^ advance[1][(crc >> 8) & 255] ^ advance[2][(crc >> 16) & 255] ^
           advance[3][crc >> 24];
}

static uint32_t three_lanes(uint32_t crc, const uint8_t *bytes)
{
    uint64_t a = crc;
    uint64_t b = 0;
    uint64_t c = 0;
    for (unsigned i = 0; i < LANE_BYTES; i += 8) {
        a = _mm_crc32_u64(a, load_le64(bytes + i));
        b = _mm_crc32_u64(b, load_le64(bytes + LANE_BYTES + i));
        c = _mm_crc32_u64(c, load_le64(bytes + 2 * LANE_BYTES + i));
    }
    return advance_lane(advance_lane((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t byte_count)
{
    const uint8_t *at = bytes;
    crc = ~crc;
    for (; byte_count >= 3 * LANE_BYTES; byte_count -= 3 * LANE_BYTES) {
        crc = three_lanes(crc, at);
        at += 3 * LANE_BYTES;
    }
    uint64_t wide = crc;
    for (; byte_count >= 8; byte_count -= 8) {
        wide = _mm_crc32_u64(wide, load_le64(at));
        at += 8;
    }
    crc = (uint32_t)wide;
    for (; byte_count > 0; byte_count--) {
        crc = _mm_crc32_u8(crc, *at++);
    }
    return ~crc;
}
