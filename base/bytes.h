/* SPDX-License-Identifier: Apache-2.0 */
/* Explicit byte order: every layout on the wire and on the disk is little-endian, market data is big-endian.
 * The pointers need no alignment. */
#ifndef TALLY_BYTES_H
#define TALLY_BYTES_H

#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the plain loads below are little-endian");

static inline uint16_t load_le16(const void *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static inline uint32_t load_le32(const void *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static inline uint64_t load_le64(const void *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static inline void store_le16(void *bytes, uint16_t value)
{
    memcpy(bytes, &value, sizeof(value));
}

static inline void store_le32(void *bytes, uint32_t value)
{
    memcpy(bytes, &value, sizeof(value));
}

static inline void store_le64(void *bytes, uint64_t value)
{
    memcpy(bytes, &value, sizeof(value));
}

static inline uint16_t load_be16(const void *bytes)
{
    return __builtin_bswap16(load_le16(bytes));
}

static inline uint32_t load_be32(const void *bytes)
{
    return __builtin_bswap32(load_le32(bytes));
}

static inline uint64_t load_be64(const void *bytes)
{
    return __builtin_bswap64(load_le64(bytes));
}

static inline void store_be16(void *bytes, uint16_t value)
{
    store_le16(bytes, __builtin_bswap16(value));
}

static inline void store_be32(void *bytes, uint32_t value)
{
    store_le32(bytes, __builtin_bswap32(value));
}

static inline void store_be64(void *bytes, uint64_t value)
{
    store_le64(bytes, __builtin_bswap64(value));
}

/* Rounds up to a multiple of `alignment`, a power of two. */
static inline uint64_t align_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

#endif
