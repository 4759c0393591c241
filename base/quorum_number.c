/* SPDX-License-Identifier: Apache-2.0 */
#include "quorum_number.h"

#include "bounds.h"
#include "bytes.h"
#include "check.h"

bool quorum_name_is_legal(const char *name, size_t name_bytes)
{
    if (name_bytes == 0 || name_bytes > QUORUM_NAME_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < name_bytes; i++) {
        char c = name[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return true;
}

static uint64_t fnv1a(uint64_t hash, const void *bytes, size_t byte_count)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < byte_count; i++) {
        hash = (hash ^ at[i]) * 0x100000001B3u;
    }
    return hash;
}

static uint64_t fnv1a_u64(uint64_t hash, uint64_t value)
{
    uint8_t bytes[8];
    store_le64(bytes, value);
    return fnv1a(hash, bytes, sizeof(bytes));
}

/* FNV's last bytes reach the upper bits only weakly; tables and logs use all of them. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void sort_copy(uint64_t *sorted, const uint64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t place = i;
        for (; place > 0 && sorted[place - 1] > ids[i]; place--) {
            sorted[place] = sorted[place - 1];
        }
        sorted[place] = ids[i];
    }
}

uint64_t quorum_number(uint64_t cluster_id, const char *name, size_t name_bytes, const uint64_t *voters,
                       size_t voter_count)
{
    ASSERT(quorum_name_is_legal(name, name_bytes));
    ASSERT(voter_count >= 1);
    ASSERT(voter_count <= VOTERS_MAX);
    uint64_t sorted[VOTERS_MAX];
    sort_copy(sorted, voters, voter_count);
    uint64_t hash = fnv1a_u64(0xCBF29CE484222325u, cluster_id);
    uint8_t length = (uint8_t)name_bytes;
    hash = fnv1a(hash, &length, 1);
    hash = fnv1a(hash, name, name_bytes);
    for (size_t i = 0; i < voter_count; i++) {
        hash = fnv1a_u64(hash, sorted[i]);
    }
    hash = mix(hash);
    return hash != 0 ? hash : 1;
}
