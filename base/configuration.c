/* SPDX-License-Identifier: Apache-2.0 */
#include "configuration.h"

#include <string.h>

#include "bytes.h"

_Static_assert(sizeof(struct configuration) == 8 + 8 * (2 * VOTERS_MAX + LEARNERS_MAX),
               "flat, without padding");

static bool holds(const uint64_t *ids, size_t count, uint64_t node_id)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == node_id) {
            return true;
        }
    }
    return false;
}

/* Ids of one set: none 0, none twice. */
static bool legal_set(const uint64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == 0 || holds(ids, i, ids[i])) {
            return false;
        }
    }
    return true;
}

static void put_sorted(uint64_t *ret_ids, const uint64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && ret_ids[at - 1] > ids[i]; at--) {
            ret_ids[at] = ret_ids[at - 1];
        }
        ret_ids[at] = ids[i];
    }
}

bool configuration_init_stable(struct configuration *ret_configuration, const uint64_t *voters,
                               size_t voter_count)
{
    if (voter_count == 0 || voter_count > VOTERS_MAX || !legal_set(voters, voter_count)) {
        return false;
    }
    memset(ret_configuration, 0, sizeof(*ret_configuration));
    ret_configuration->voter_count = (uint8_t)voter_count;
    put_sorted(ret_configuration->voters, voters, voter_count);
    return true;
}

bool configuration_has_voter(const struct configuration *configuration, uint64_t node_id)
{
    return holds(configuration->voters, configuration->voter_count, node_id) ||
           holds(configuration->previous, configuration->previous_count, node_id);
}

bool configuration_has_learner(const struct configuration *configuration, uint64_t node_id)
{
    return holds(configuration->learners, configuration->learner_count, node_id);
}

bool configuration_equal(const struct configuration *a, const struct configuration *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static uint8_t *put_ids(uint8_t *at, const uint64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++, at += 8) {
        store_le64(at, ids[i]);
    }
    return at;
}

size_t configuration_encode(const struct configuration *configuration, uint8_t *bytes)
{
    bytes[0] = configuration->transitional;
    bytes[1] = configuration->previous_count;
    bytes[2] = configuration->voter_count;
    bytes[3] = configuration->learner_count;
    store_le32(bytes + 4, 0);
    uint8_t *at = put_ids(bytes + 8, configuration->previous, configuration->previous_count);
    at = put_ids(at, configuration->voters, configuration->voter_count);
    at = put_ids(at, configuration->learners, configuration->learner_count);
    return (size_t)(at - bytes);
}

static const uint8_t *get_ids(const uint8_t *at, uint64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++, at += 8) {
        ids[i] = load_le64(at);
    }
    return at;
}

static bool legal_head(const struct configuration *head, size_t byte_count)
{
    size_t id_count = (size_t)head->previous_count + head->voter_count + head->learner_count;
    return head->transitional <= 1 && head->previous_count <= VOTERS_MAX && head->voter_count >= 1 &&
           head->voter_count <= VOTERS_MAX && head->learner_count <= LEARNERS_MAX &&
           (head->transitional == 1) == (head->previous_count > 0) &&
           byte_count == CONFIGURATION_HEAD_BYTES + 8 * id_count;
}

bool configuration_decode(const uint8_t *bytes, size_t byte_count, struct configuration *ret_configuration)
{
    struct configuration read = {0};
    if (byte_count < CONFIGURATION_HEAD_BYTES || load_le32(bytes + 4) != 0) {
        return false;
    }
    read.transitional = bytes[0];
    read.previous_count = bytes[1];
    read.voter_count = bytes[2];
    read.learner_count = bytes[3];
    if (!legal_head(&read, byte_count)) {
        return false;
    }
    const uint8_t *at = get_ids(bytes + CONFIGURATION_HEAD_BYTES, read.previous, read.previous_count);
    at = get_ids(at, read.voters, read.voter_count);
    get_ids(at, read.learners, read.learner_count);
    if (!legal_set(read.previous, read.previous_count) || !legal_set(read.voters, read.voter_count) ||
        !legal_set(read.learners, read.learner_count)) {
        return false;
    }
    *ret_configuration = read;
    return true;
}

size_t configuration_peek_bytes(const uint8_t *bytes, size_t byte_count)
{
    if (byte_count < CONFIGURATION_HEAD_BYTES) {
        return 0;
    }
    size_t wanted = CONFIGURATION_HEAD_BYTES + 8 * ((size_t)bytes[1] + bytes[2] + bytes[3]);
    return wanted <= byte_count ? wanted : 0;
}
