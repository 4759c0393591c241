/* SPDX-License-Identifier: Apache-2.0 */
/* A quorum's number: what frames and records carry in place of its name. It covers the cluster, the name and
 * the bootstrap set (rule 8), so that a quorum bootstrapped twice, differently, has two numbers and is
 * noticed. The algorithm is fixed for ever: numbers stand in records on disk. Not a defence against someone
 * who looks for equal numbers on purpose; a second name for a known number is refused where quorums are
 * opened. */
#ifndef TALLY_QUORUM_NUMBER_H
#define TALLY_QUORUM_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 1..QUORUM_NAME_BYTES_MAX of a-zA-Z0-9._- */
bool quorum_name_is_legal(const char *name, size_t name_bytes);

/* FNV-1a 64 (Fowler, Noll, Vo) over { cluster id u64, name length u8, name, voter ids u64, ascending }, all
 * little-endian, then the finalizer of splitmix64; 0 becomes 1. The name is legal, the voters
 * are 1..VOTERS_MAX, in any order. */
uint64_t quorum_number(uint64_t cluster_id, const char *name, size_t name_bytes, const uint64_t *voters,
                       size_t voter_count);

#endif
