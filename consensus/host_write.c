/* SPDX-License-Identifier: Apache-2.0 */
/* Records for the log: what a step wants written, in its order. Room was checked before the step, so a
 * refusal here means that the log broke in between: it has failed, and nothing that depends on the write is
 * shown. */
#include "host_internal.h"

#include <string.h>

#include "bytes.h"
#include "check.h"

static uint8_t *record_reserve(struct host *host, size_t payload_bytes, bool use_reserve)
{
    int error = 0;
    uint8_t *record = host->log_failed ? NULL
                                       : host->options.log.reserve(host->options.log.context, payload_bytes,
                                                                   use_reserve, &error);
    if (record == NULL) {
        host->log_failed = true;
    }
    return record;
}

static void record_append(struct host *host)
{
    host->position = host->options.log.append(host->options.log.context);
}

static void write_record(struct host *host, const struct record_head *head, const uint8_t *payload,
                         size_t payload_bytes)
{
    uint8_t *record = record_reserve(host, payload_bytes, true);
    if (record != NULL) {
        if (payload_bytes > 0) {
            memcpy(record + RECORD_HEAD_BYTES, payload, payload_bytes);
        }
        record_finish(record, head, payload_bytes);
        record_append(host);
    }
}

static void write_hard_state(struct host *host, struct host_quorum *quorum)
{
    const struct record_head head = {.type = RECORD_HARD_STATE,
                                     .quorum_number = quorum->number,
#ifndef TALLY_MUTANT_VOTE_NOT_PERSISTED
                                     .index = quorum->replicator.voted_for,
#endif
                                     .term = quorum->replicator.term};
    write_record(host, &head, NULL, 0);
}

static void write_truncate(struct host *host, struct host_quorum *quorum, uint64_t from)
{
#ifdef TALLY_MUTANT_TRUNCATION_ONE_SHORT
    from++;
#endif
    const struct record_head head = {.type = RECORD_TRUNCATE, .quorum_number = quorum->number, .index = from};
    write_record(host, &head, NULL, 0);
    host_mark_truncate(quorum, from);
}

/* `commit_index`: of entries that stand before this record in the log. */
static void write_bounds(struct host *host, struct host_quorum *quorum, uint64_t commit_index)
{
    uint8_t published[8];
    quorum->bounds_index = commit_index;
    quorum->bounds_turn = host->turn;
    store_le64(published, quorum->bounds_index);
    const struct record_head head = {
        .type = RECORD_BOUNDS, .quorum_number = quorum->number, .index = quorum->bounds_index};
    write_record(host, &head, published, sizeof(published));
}

void host_write_peer(struct host *host, struct host_quorum *quorum, struct host_peer *peer)
{
    const struct record_head head = {.type = RECORD_PEER,
                                     .quorum_number = quorum->number,
                                     .index = peer->node_id,
                                     .term = peer->incarnation};
    write_record(host, &head, NULL, 0);
    peer->position = host->position;
}

/* The received bytes go to the log as they are: one form of an entry everywhere. */
static void write_tail(struct host *host, struct host_quorum *quorum, const struct host_source *source)
{
    const uint8_t *at = source->tail;
    for (uint64_t index = source->tail_first_index; index <= host->output.append_last_index; index++) {
        struct record_head head = record_head_load(at);
        size_t padded = record_padded_bytes(head.length);
        if (index >= host->output.append_first_index) {
            uint8_t *record =
                record_reserve(host, head.length - RECORD_HEAD_BYTES, host_type_is_exempt(head.type));
            if (record == NULL) {
                return;
            }
            memcpy(record, at, padded);
            record_append(host);
            if (head.log_time_ns > quorum->log_time_ns) {
                quorum->log_time_ns = head.log_time_ns;
            }
        }
        at += padded;
    }
}

/* Log time never falls along the index, whoever leads. */
static void advance_log_time(struct host *host, struct host_quorum *quorum)
{
    uint64_t wall_ns = host->options.wall_ns(host->options.wall_context);
    if (wall_ns > quorum->log_time_ns) {
        quorum->log_time_ns = wall_ns;
    }
}

static void write_entry(struct host *host, const struct record_head *head, const struct host_entry *entry)
{
    size_t payload_bytes = (size_t)entry->head_bytes + entry->body_bytes;
    uint8_t *record = record_reserve(host, payload_bytes, false);
    if (record == NULL) {
        return;
    }
    if (entry->head_bytes > 0) {
        memcpy(record + RECORD_HEAD_BYTES, entry->head, entry->head_bytes);
    }
    if (entry->body_bytes > 0) {
        memcpy(record + RECORD_HEAD_BYTES + entry->head_bytes, entry->body, entry->body_bytes);
    }
    record_finish(record, head, payload_bytes);
    record_append(host);
}

static void write_submission(struct host *host, struct host_quorum *quorum, const struct host_entry *entries)
{
    advance_log_time(host, quorum);
    struct record_head head = {.quorum_number = quorum->number,
                               .index = host->output.append_first_index,
                               .term = host->output.append_term,
                               .log_time_ns = quorum->log_time_ns};
    for (; head.index <= host->output.append_last_index; head.index++, entries++) {
        head.type = entries->type;
        head.arrival_ns = entries->arrival_ns;
        write_entry(host, &head, entries);
    }
}

static void write_leader_start(struct host *host, struct host_quorum *quorum)
{
    advance_log_time(host, quorum);
    const struct record_head head = {.type = RECORD_LEADER_START,
                                     .quorum_number = quorum->number,
                                     .index = host->output.append_first_index,
                                     .term = host->output.append_term,
                                     .log_time_ns = quorum->log_time_ns};
    write_record(host, &head, NULL, 0);
}

static void write_bootstrap(struct host *host, struct host_quorum *quorum, const struct host_source *source)
{
    uint8_t payload[CONFIGURATION_BYTES_MAX + QUORUM_NAME_BYTES_MAX];
    size_t configuration_bytes = configuration_encode(source->configuration, payload);
    size_t name_bytes = strlen(source->name);
    memcpy(payload + configuration_bytes, source->name, name_bytes);
    const struct record_head head = {.type = RECORD_CONFIGURATION,
                                     .quorum_number = quorum->number,
                                     .index = host->output.append_first_index,
                                     .term = 0,
                                     .arrival_ns = RECORD_TIME_NONE,
                                     .log_time_ns = RECORD_TIME_NONE};
    write_record(host, &head, payload, configuration_bytes + name_bytes);
}

static void write_entries(struct host *host, struct host_quorum *quorum, const struct host_source *source)
{
    uint64_t commit_index = quorum->replicator.commit_index;
    if (commit_index >= host->output.append_first_index) {
        commit_index = host->output.append_first_index - 1; /* the step may have committed what it appends */
    }
    if (commit_index > quorum->bounds_index && quorum->bounds_turn != host->turn) {
        write_bounds(host, quorum, commit_index);
    }
    switch ((enum append_source)host->output.append_source) {
    case APPEND_FROM_MESSAGE:
        write_tail(host, quorum, source);
        return;
    case APPEND_FROM_SUBMIT:
        write_submission(host, quorum, source->entries);
        return;
    case APPEND_LEADER_START:
        write_leader_start(host, quorum);
        return;
    case APPEND_BOOTSTRAP:
        write_bootstrap(host, quorum, source);
        return;
    case APPEND_NONE:
        return;
    }
}

void host_write_output(struct host *host, struct host_quorum *quorum, const struct host_source *source)
{
    const struct replicator_output *out = &host->output;
    if (!out->hard_state_changed && out->truncate_from == 0 && out->append_source == APPEND_NONE) {
        return;
    }
    if (out->hard_state_changed) {
        write_hard_state(host, quorum);
    }
    if (out->truncate_from != 0) {
        write_truncate(host, quorum, out->truncate_from);
    }
    if (out->append_source != APPEND_NONE) {
        write_entries(host, quorum, source);
    }
    if (!host->log_failed) {
        host_mark_add(host, quorum);
    }
}

void host_write_bounds(struct host *host)
{
    for (uint32_t i = 0; i < host->quorum_count; i++) {
        struct host_quorum *quorum = &host->quorums[i];
        if (quorum->replicator.commit_index > quorum->bounds_index &&
            quorum->replicator.role != REPLICATOR_FAILED && host_room_reserve(host) == 0) {
            write_bounds(host, quorum, quorum->replicator.commit_index);
        }
    }
}
