/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli; RFC 3720 B.4), by the processor's own instruction. */
#ifndef TALLY_CRC32C_H
#define TALLY_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of `byte_count` bytes; start with crc 0, go on with an earlier result to chain pieces. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t byte_count);

#endif
