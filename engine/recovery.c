/* SPDX-License-Identifier: Apache-2.0 */
#include "recovery.h"

#include <string.h>

#include "quorum_number.h"

void recovery_init(struct recovery *recovery, struct arena *arena, uint32_t quorum_count_max)
{
    *recovery = (struct recovery){.quorum_count_max = quorum_count_max};
    recovery->quorums = ARENA_ARRAY(arena, struct recovered_quorum, quorum_count_max);
}

size_t quorum_payload_encode(const struct configuration *voters, const char *name, uint8_t *bytes)
{
    size_t used = configuration_encode(voters, bytes);
    size_t name_bytes = strlen(name);
    memcpy(bytes + used, name, name_bytes);
    return used + name_bytes;
}

bool quorum_payload_decode(const uint8_t *bytes, size_t byte_count, struct configuration *ret_voters,
                           char *ret_name)
{
    size_t used = configuration_peek_bytes(bytes, byte_count);
    struct configuration voters;
    if (used == 0 || !configuration_decode(bytes, used, &voters) || voters.transitional ||
        !quorum_name_is_legal((const char *)bytes + used, byte_count - used)) {
        return false;
    }
    *ret_voters = voters;
    memcpy(ret_name, bytes + used, byte_count - used);
    ret_name[byte_count - used] = '\0';
    return true;
}

static struct recovered_quorum *find(struct recovery *recovery, uint64_t number)
{
    for (uint32_t i = 0; i < recovery->quorum_count; i++) {
        if (recovery->quorums[i].number == number) {
            return &recovery->quorums[i];
        }
    }
    return NULL;
}

static void bind_quorum(struct recovery *recovery, const struct record_head *head, const uint8_t *payload)
{
    struct configuration voters;
    char name[QUORUM_NAME_BYTES_MAX + 1];
    size_t payload_bytes = head->length - (size_t)RECORD_HEAD_BYTES;
    if (find(recovery, head->quorum_number) ||
        !quorum_payload_decode(payload, payload_bytes, &voters, name)) {
        recovery->ignored_count++;
        return;
    }
    if (recovery->quorum_count == recovery->quorum_count_max) {
        recovery->left_out_count++;
        return;
    }
    struct recovered_quorum *quorum = &recovery->quorums[recovery->quorum_count++];
    quorum->number = head->quorum_number;
    strcpy(quorum->name, name);
}

static void add_run(struct recovered_quorum *quorum, uint64_t index, uint64_t term)
{
    uint64_t last_term = quorum->run_count > 0 ? quorum->runs[quorum->run_count - 1].term : 0;
    if (quorum->run_count > 0 && last_term == term) {
        return;
    }
    quorum->contradicted |= term < last_term;
    if (quorum->run_count ==
        RUNS_MAX) { /* the oldest goes; the host looks it up on the tape if it is ever asked */
        memmove(quorum->runs, quorum->runs + 1, sizeof(quorum->runs) - sizeof(quorum->runs[0]));
        quorum->run_count--;
    }
    quorum->runs[quorum->run_count++] = (struct log_run){.first_index = index, .term = term};
}

static void add_configuration(struct recovered_quorum *quorum, const struct record_head *head,
                              const uint8_t *payload)
{
    struct logged_configuration logged = {.index = head->index};
    size_t payload_bytes = head->length - (size_t)RECORD_HEAD_BYTES;
    size_t used = configuration_peek_bytes(payload, payload_bytes);
    if (used == 0 || !configuration_decode(payload, used, &logged.configuration)) {
        quorum->contradicted = true;
        return;
    }
    if (quorum->configuration_count == CONFIGURATIONS_MAX) {
        memmove(quorum->configurations, quorum->configurations + 1,
                sizeof(quorum->configurations) - sizeof(quorum->configurations[0]));
        quorum->configuration_count--;
    }
    quorum->configurations[quorum->configuration_count++] = logged;
}

static void add_entry(struct recovered_quorum *quorum, const struct record_head *head, const uint8_t *payload)
{
    if (head->index != quorum->last_index + 1) {
        quorum->contradicted = true;
        return;
    }
    add_run(quorum, head->index, head->term);
    quorum->last_index = head->index;
    if (head->log_time_ns > quorum->last_log_time_ns) {
        quorum->last_log_time_ns = head->log_time_ns;
    }
    if (head->type == RECORD_CONFIGURATION) {
        add_configuration(quorum, head, payload);
    }
}

static void truncate_entries(struct recovered_quorum *quorum, uint64_t from)
{
    if (from <= quorum->commit_index || from > quorum->last_index) {
        quorum->contradicted = true;
        return;
    }
    while (quorum->run_count > 0 && quorum->runs[quorum->run_count - 1].first_index >= from) {
        quorum->run_count--;
    }
    while (quorum->configuration_count > 0 &&
           quorum->configurations[quorum->configuration_count - 1].index >= from) {
        quorum->configuration_count--;
    }
    quorum->last_index = from - 1;
}

static void know_peer(struct recovered_quorum *quorum, uint64_t node_id, uint64_t incarnation)
{
    for (uint32_t i = 0; i < quorum->peer_count; i++) {
        if (quorum->peers[i].node_id == node_id) {
            return; /* the first contact counts */
        }
    }
    if (quorum->peer_count < NODES_MAX) {
        quorum->peers[quorum->peer_count++] =
            (struct recovered_peer){.node_id = node_id, .incarnation = incarnation};
    }
}

void recovery_visit(void *context, const struct record_head *head, const uint8_t *payload, uint64_t position)
{
    struct recovery *recovery = context;
    (void)position;
    if (head->type == RECORD_QUORUM) {
        bind_quorum(recovery, head, payload);
        return;
    }
    struct recovered_quorum *quorum = find(recovery, head->quorum_number);
    if (!quorum) {
        recovery->ignored_count++;
    } else if (record_type_is_entry(head->type)) {
        add_entry(quorum, head, payload);
    } else if (head->type == RECORD_HARD_STATE) {
        quorum->term = head->term;
        quorum->voted_for = head->index;
    } else if (head->type == RECORD_TRUNCATE) {
        truncate_entries(quorum, head->index);
    } else if (head->type == RECORD_BOUNDS && head->index > quorum->commit_index) {
        quorum->commit_index = head->index;
    } else if (head->type == RECORD_PEER) {
        know_peer(quorum, head->index, head->term);
    }
}

/* The term of the last entry decides elections. It is unknown when a truncation went behind all terms that
 * are kept and the tape ends there; and no entry has a term that the hard state before it did not have. */
bool recovery_contradicts(const struct recovered_quorum *quorum)
{
    uint64_t last_term = quorum->run_count > 0 ? quorum->runs[quorum->run_count - 1].term : 0;
    return quorum->contradicted || (quorum->run_count == 0 && quorum->last_index > 0) ||
           last_term > quorum->term;
}

struct replicator_restart recovery_restart(const struct recovered_quorum *quorum)
{
    uint64_t commit_index =
        quorum->commit_index < quorum->last_index ? quorum->commit_index : quorum->last_index;
    return (struct replicator_restart){
        .term = quorum->term,
        .voted_for = quorum->voted_for,
        .commit_index = commit_index,
        .last_index = quorum->last_index,
        .runs = quorum->runs,
        .run_count = quorum->run_count,
        .configurations = quorum->configurations,
        .configuration_count = quorum->configuration_count,
        .contradicted = recovery_contradicts(quorum),
    };
}
