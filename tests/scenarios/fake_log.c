/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define RESERVE_BYTES 65536u

void fake_log_init(struct fake_log *log, uint64_t capacity_bytes)
{
    memset(log, 0, sizeof(*log));
    log->bytes = malloc(capacity_bytes);
    ASSERT(log->bytes != NULL);
    log->capacity_bytes = capacity_bytes;
    log->full_at = capacity_bytes - RESERVE_BYTES;
}

void fake_log_fini(struct fake_log *log)
{
    free(log->bytes);
    log->bytes = NULL;
}

static int log_room(void *context, size_t record_bytes, uint32_t record_count, bool use_reserve)
{
    struct fake_log *log = context;
    (void)record_count;
    if (log->error != 0) {
        return -EIO;
    }
    if (log->busy) {
        return -EBUSY;
    }
    return log->end + record_bytes > (use_reserve ? log->capacity_bytes : log->full_at) ? -ENOSPC : 0;
}

static uint8_t *log_reserve(void *context, size_t payload_bytes, bool use_reserve, int *ret_error)
{
    struct fake_log *log = context;
    log->reserved = record_padded_bytes(RECORD_HEAD_BYTES + payload_bytes);
    *ret_error = log_room(context, log->reserved, 1, use_reserve);
    return *ret_error == 0 ? log->bytes + log->end : NULL;
}

static uint64_t log_append(void *context)
{
    struct fake_log *log = context;
    struct record_head head;
    ASSERT(record_check(log->bytes + log->end, log->reserved, &head) == RECORD_GOOD);
    ASSERT(record_padded_bytes(head.length) == log->reserved);
    log->end += log->reserved;
    return log->end;
}

static uint64_t log_durable_position(void *context)
{
    return ((struct fake_log *)context)->durable;
}

static uint64_t log_stall_ns(void *context, uint64_t now_ns)
{
    (void)now_ns;
    return ((struct fake_log *)context)->stall_ns;
}

static int log_error(void *context)
{
    return ((struct fake_log *)context)->error;
}

const uint8_t *fake_log_entry(const struct fake_log *log, uint64_t quorum_number, uint64_t index,
                              uint64_t term)
{
    const uint8_t *found = NULL;
    for (uint64_t at = 0; at < log->end;) {
        struct record_head head = record_head_load(log->bytes + at);
        if (head.quorum_number == quorum_number) {
            if (head.type == RECORD_TRUNCATE && head.index <= index && term == 0) {
                found = NULL;
            } else if (record_type_is_entry(head.type) && head.index == index &&
                       (term == 0 || head.term == term)) {
                found = log->bytes + at;
            }
        }
        at += record_padded_bytes(head.length);
    }
    return found;
}

/* The cursor remembers where the record before stood, so that reading in order does not search. */
static enum host_read log_read(void *context, struct host_cursor *cursor, uint64_t quorum_number,
                               uint64_t index, uint64_t term, const uint8_t **ret_record,
                               struct record_head *ret_head)
{
    struct fake_log *log = context;
    if (log->read_wait) {
        return HOST_READ_WAIT;
    }
    uint64_t at = cursor->words[0];
    const uint8_t *record = NULL;
    if (at < log->end) {
        struct record_head head = record_head_load(log->bytes + at);
        if (term != 0 && head.quorum_number == quorum_number && record_type_is_entry(head.type) &&
            head.index == index && head.term == term) {
            record = log->bytes + at;
        }
    }
    if (record == NULL) {
        record = fake_log_entry(log, quorum_number, index, term);
    }
    if (record == NULL) {
        return HOST_READ_END;
    }
    *ret_record = record;
    *ret_head = record_head_load(record);
    cursor->words[0] = (uint64_t)(record - log->bytes) + record_padded_bytes(ret_head->length);
    return HOST_READ_RECORD;
}

static void log_cursor_release(void *context, struct host_cursor *cursor)
{
    (void)context;
    memset(cursor, 0, sizeof(*cursor));
}

struct host_log fake_log_port(struct fake_log *log)
{
    return (struct host_log){.context = log,
                             .room = log_room,
                             .reserve = log_reserve,
                             .append = log_append,
                             .durable_position = log_durable_position,
                             .stall_ns = log_stall_ns,
                             .error = log_error,
                             .read = log_read,
                             .cursor_release = log_cursor_release};
}

void fake_log_persist(struct fake_log *log)
{
    log->durable = log->end;
}

void fake_log_lose_unsynced(struct fake_log *log)
{
    log->end = log->durable;
}

void fake_log_put(struct fake_log *log, const struct record_head *head, const uint8_t *payload,
                  size_t payload_bytes)
{
    ASSERT(log->end + RECORD_BYTES_MAX < log->capacity_bytes);
    if (payload_bytes > 0) {
        memcpy(log->bytes + log->end + RECORD_HEAD_BYTES, payload, payload_bytes);
    }
    log->end += record_finish(log->bytes + log->end, head, payload_bytes);
    log->durable = log->end;
}

/* ---- recovery ---- */

static void recover_entry(struct fake_recovery *recovery, const struct record_head *head,
                          const uint8_t *payload)
{
    struct replicator_restart *restart = &recovery->restart;
    ASSERT(head->index == restart->last_index + 1);
    restart->last_index = head->index;
    if (restart->run_count == 0 || recovery->runs[restart->run_count - 1].term != head->term) {
        if (restart->run_count == RUNS_MAX) {
            memmove(&recovery->runs[0], &recovery->runs[1], (RUNS_MAX - 1) * sizeof(recovery->runs[0]));
            restart->run_count--;
        }
        recovery->runs[restart->run_count++] = (struct log_run){head->index, head->term};
    }
    if (head->type == RECORD_CONFIGURATION) {
        ASSERT(restart->configuration_count < 64);
        struct logged_configuration *logged = &recovery->configurations[restart->configuration_count++];
        size_t bytes = configuration_peek_bytes(payload, head->length - RECORD_HEAD_BYTES);
        logged->index = head->index;
        bool good = configuration_decode(payload, bytes, &logged->configuration);
        ASSERT(good);
    }
    recovery->last_log_time_ns = head->log_time_ns;
}

static void recover_truncate(struct fake_recovery *recovery, uint64_t from)
{
    struct replicator_restart *restart = &recovery->restart;
    restart->last_index = from - 1;
    while (restart->run_count > 0 && recovery->runs[restart->run_count - 1].first_index >= from) {
        restart->run_count--;
    }
    while (restart->configuration_count > 0 &&
           recovery->configurations[restart->configuration_count - 1].index >= from) {
        restart->configuration_count--;
    }
}

static void recover_record(struct fake_recovery *recovery, const struct record_head *head,
                           const uint8_t *payload)
{
    if (record_type_is_entry(head->type)) {
        recover_entry(recovery, head, payload);
    } else if (head->type == RECORD_TRUNCATE) {
        recover_truncate(recovery, head->index);
    } else if (head->type == RECORD_HARD_STATE) {
        recovery->restart.term = head->term;
        recovery->restart.voted_for = head->index;
    } else if (head->type == RECORD_BOUNDS) {
        recovery->restart.commit_index = head->index;
    } else if (head->type == RECORD_PEER && recovery->peer_count < NODES_MAX) {
        recovery->peers[recovery->peer_count].node_id = head->index;
        recovery->peers[recovery->peer_count++].incarnation = head->term;
    }
}

void fake_log_recover(const struct fake_log *log, uint64_t quorum_number, struct fake_recovery *ret_recovery)
{
    memset(ret_recovery, 0, sizeof(*ret_recovery));
    for (uint64_t at = 0; at < log->end;) {
        struct record_head head = record_head_load(log->bytes + at);
        if (head.quorum_number == quorum_number) {
            recover_record(ret_recovery, &head, log->bytes + at + RECORD_HEAD_BYTES);
        }
        at += record_padded_bytes(head.length);
    }
    ret_recovery->restart.runs = ret_recovery->runs;
    ret_recovery->restart.configurations = ret_recovery->configurations;
}
