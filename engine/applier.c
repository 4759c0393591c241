/* SPDX-License-Identifier: Apache-2.0 */
/* Committed entries make the stream's state; a leader adds what it has logged since. Both read the log
 * through cursors of their own, so a node that starts, or starts to lead, catches up in the same way as
 * everybody else. */
#include "engine_internal.h"

#include <string.h>

static enum stream_verdict apply(struct stream_state *state, const struct record_head *head,
                                 const uint8_t *record)
{
    return stream_apply(state, head->type, head->index, record + RECORD_HEAD_BYTES,
                        head->length - (size_t)RECORD_HEAD_BYTES);
}

static void note_commit(struct engine *engine, uint32_t slot, const struct record_head *head,
                        const uint8_t *record)
{
    const struct engine_quorum *quorum = &engine->quorums[slot];
    if (head->type != RECORD_DATA || !quorum->leads) {
        return;
    }
    publishers_note_commit(engine, slot, stream_data_source(record + RECORD_HEAD_BYTES));
    if (head->term == quorum->leader_term && engine->wall_ns >= head->arrival_ns) {
        histogram_record(engine->commit_latency, engine->wall_ns - head->arrival_ns);
    }
}

/* A quorum whose log cannot be read any more serves nobody here: publishers are told FAILED, the event says
 * so, and what follows from it is for the operator. */
static void fail_stream(struct engine *engine, uint32_t slot, uint64_t index)
{
    struct engine_quorum *quorum = &engine->quorums[slot];
    struct engine_event told = {
        .quorum_number = quorum->number,
        .event = {.kind = EVENT_QUORUM_FAILURE, .node_id = engine->options.node_id, .index = index}};
    quorum->stream_fault = true;
    strcpy(told.name, quorum->name);
    spsc_push(&engine->events, &told);
    publishers_dismiss(engine, slot);
}

/* The entry at `index`, applied to `state`. False: not now, or (the quorum has failed then) never. */
static bool apply_next(struct engine *engine, uint32_t slot, struct tape_cursor *cursor,
                       struct stream_state *state, uint64_t index, const uint8_t **ret_record,
                       struct record_head *ret_head)
{
    enum tape_read read = tape_read(engine->tape, cursor, index, 0, ret_record, ret_head);
    if (read == TAPE_READ_FAILED ||
        (read == TAPE_READ_RECORD && apply(state, ret_head, *ret_record) != STREAM_APPLIED)) {
        fail_stream(engine, slot, index);
        return false;
    }
    return read == TAPE_READ_RECORD;
}

static unsigned apply_committed(struct engine *engine, uint32_t slot, unsigned budget)
{
    struct engine_quorum *quorum = &engine->quorums[slot];
    uint64_t commit_index = host_replicator(engine->host, slot)->commit_index;
    unsigned work = 0;
    while (work < budget && quorum->applied_index < commit_index && !quorum->stream_fault) {
        const uint8_t *record = NULL;
        struct record_head head;
        if (!apply_next(engine, slot, &quorum->applier_cursor, quorum->committed, quorum->applied_index + 1,
                        &record, &head)) {
            break;
        }
        quorum->applied_index++;
        note_commit(engine, slot, &head, record);
        work++;
    }
    return work;
}

/* Whether the log took it. */
static bool open_session(struct engine *engine, uint32_t slot)
{
    struct engine_quorum *quorum = &engine->quorums[slot];
    uint8_t payload[STREAM_OPEN_BYTES];
    struct stream_open open = {.mode = STREAM_SEQUENCED, .first_sequence = 1};
    memset(open.session, ' ', sizeof(open.session));
    memcpy(open.session, quorum->name, strnlen(quorum->name, sizeof(open.session)));
    stream_open_encode(&open, payload);
    struct host_entry entry = {
        .type = RECORD_OPEN, .head = payload, .head_bytes = sizeof(payload), .arrival_ns = engine->wall_ns};
    struct host_receipt receipt;
    int error = 0;
    if (host_submit(engine->host, slot, &entry, 1, engine->now_ns, &receipt, &error) != REPLICATOR_ACCEPTED) {
        return false;
    }
    stream_apply(quorum->tail, RECORD_OPEN, receipt.first_index, payload, sizeof(payload));
    quorum->tail_index = receipt.first_index;
    return true;
}

/* Reads what the log holds beyond the committed state, as it was when this node became leader. */
static unsigned build_tail(struct engine *engine, uint32_t slot, unsigned budget)
{
    struct engine_quorum *quorum = &engine->quorums[slot];
    uint64_t last_index = host_replicator(engine->host, slot)->last_index;
    unsigned work = 0;
    if (quorum->tail_index < quorum->applied_index) {
        *quorum->tail = *quorum->committed;
        quorum->tail_index = quorum->applied_index;
    }
    while (work < budget && quorum->tail_index < last_index) {
        const uint8_t *record = NULL;
        struct record_head head;
        if (!apply_next(engine, slot, &quorum->tail_cursor, quorum->tail, quorum->tail_index + 1, &record,
                        &head)) {
            return work;
        }
        quorum->tail_index++;
        work++;
    }
    if (quorum->tail_index < last_index) {
        return work;
    }
    if (!stream_is_open(quorum->tail)) {
        return work + open_session(engine, slot);
    }
    quorum->tail_ready = true;
    tape_cursor_release(engine->tape, &quorum->tail_cursor);
    return work + 1;
}

unsigned engine_apply(struct engine *engine, uint32_t slot, unsigned budget)
{
    const struct engine_quorum *quorum = &engine->quorums[slot];
    unsigned work = apply_committed(engine, slot, budget);
    if (quorum->leads && !quorum->tail_ready && !quorum->stream_fault) {
        work += build_tail(engine, slot, budget);
    }
    return work;
}

void engine_leadership_changed(struct engine *engine, uint32_t slot, bool leads, uint64_t term)
{
    struct engine_quorum *quorum = &engine->quorums[slot];
    if (quorum->leads && !leads) {
        quorum->leads = false;
        publishers_dismiss(engine, slot);
    }
    quorum->leads = leads;
    quorum->leader_term = term;
    quorum->tail_ready = false;
    if (leads) {
        *quorum->tail = *quorum->committed;
        quorum->tail_index = quorum->applied_index;
        tape_cursor_release(engine->tape, &quorum->tail_cursor);
        tape_cursor_init(&quorum->tail_cursor, quorum->number);
    }
}
