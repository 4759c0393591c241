/* SPDX-License-Identifier: Apache-2.0 */
/* Messages in: who sends (rule 47), what the records are, whether there is room for what the step may write.
 */
#include "host_internal.h"

#include <errno.h>
#include <string.h>

#include "check.h"

static struct host_peer *peer_find_known(struct host_quorum *quorum, uint64_t node_id)
{
    for (uint32_t i = 0; i < quorum->peer_count; i++) {
        if (quorum->peers[i].node_id == node_id) {
            return &quorum->peers[i];
        }
    }
    return NULL;
}

/* The first incarnation is written down before anything of it is accepted: were it forgotten in a crash, a
 * wiped node could come back under its old name. */
static enum host_verdict sender_meet(struct host *host, struct host_quorum *quorum,
                                     const struct message *message)
{
    int room = host_room_reserve(host);
    if (room != 0 || quorum->peer_count == NODES_MAX) {
        return room == -EBUSY ? HOST_BUSY : HOST_BAD_SENDER;
    }
    struct host_peer *peer = &quorum->peers[quorum->peer_count++];
    peer->node_id = message->sender_id;
    peer->incarnation = message->incarnation;
    host_write_peer(host, quorum, peer);
    return HOST_NEW_SENDER;
}

/* Rule 47: reported once, for it will go on asking. */
static void foreign_tell(struct host *host, struct host_quorum *quorum, struct host_peer *peer,
                         uint64_t incarnation)
{
    const struct host_listener *listener = &host->options.listener;
    if (!peer->foreign_told && listener->event != NULL) {
        const struct replicator_event event = {.kind = EVENT_FOREIGN_INCARNATION,
                                               .node_id = peer->node_id,
                                               .term = quorum->replicator.term,
                                               .index = incarnation};
        listener->event(listener->context, quorum->slot, &event);
    }
    peer->foreign_told = true;
}

static enum host_verdict sender_check(struct host *host, struct host_quorum *quorum,
                                      const struct message *message)
{
    struct host_peer *peer = peer_find_known(quorum, message->sender_id);
    if (peer == NULL) {
        return sender_meet(host, quorum, message);
    }
    if (peer->incarnation != message->incarnation) {
        foreign_tell(host, quorum, peer, message->incarnation);
        return HOST_BAD_SENDER;
    }
    if (peer->position > host->options.log.durable_position(host->options.log.context)) {
        return HOST_NEW_SENDER;
    }
    return HOST_TAKEN;
}

/* Adds one record to the summary. *ret_cut: it and all after it are left for a later message. False: it is
 * bad. */
static bool summary_add(struct entries_summary *summary, const struct message *message,
                        const struct record_head *head, const uint8_t *payload, bool *ret_cut)
{
    uint64_t index = message->append_entries.prev_log_index + 1 + summary->entry_count;
    uint64_t last_term = summary->run_count > 0 ? summary->runs[summary->run_count - 1].term
                                                : message->append_entries.prev_log_term;
    bool new_run = summary->run_count == 0 || head->term != last_term;
    *ret_cut = false;
    if (head->quorum_number != message->quorum_number || head->index != index || head->term < last_term ||
        head->term > message->append_entries.term || !record_type_is_entry(head->type)) {
        return false;
    }
    if (new_run && summary->run_count == MESSAGE_RUNS_MAX) {
        *ret_cut = true;
        return true;
    }
    if (head->type == RECORD_CONFIGURATION) {
        size_t payload_bytes = head->length - RECORD_HEAD_BYTES;
        size_t bytes = configuration_peek_bytes(payload, payload_bytes);
        *ret_cut = summary->configuration_index != 0;
        if (*ret_cut) {
            return true;
        }
        if (bytes == 0 || !configuration_decode(payload, bytes, &summary->configuration)) {
            return false;
        }
        summary->configuration_index = index;
    }
    if (new_run) {
        summary->runs[summary->run_count].first_index = index;
        summary->runs[summary->run_count++].term = head->term;
    }
    summary->entry_count++;
    return true;
}

/* Total: any bytes give an answer. Term 0 is entry 1's alone (rule 10). */
static bool summary_make(struct entries_summary *summary, const struct message *message, const uint8_t *tail,
                         uint32_t tail_bytes)
{
    /* The arrays are read up to their counts only. */
    summary->first_index = message->append_entries.prev_log_index + 1;
    summary->entry_count = 0;
    summary->run_count = 0;
    summary->configuration_index = 0;
    uint32_t at = 0;
    bool cut = false;
    while (at < tail_bytes && !cut) {
        struct record_head head;
        if (record_check(tail + at, tail_bytes - at, &head) != RECORD_GOOD ||
            (head.term == 0 && head.index != 1) ||
            !summary_add(summary, message, &head, tail + at + RECORD_HEAD_BYTES, &cut)) {
            return false;
        }
        at += (uint32_t)record_padded_bytes(head.length);
    }
    return true;
}

static enum host_verdict room_verdict(int error)
{
    return error == 0         ? HOST_TAKEN
           : error == -EBUSY  ? HOST_BUSY
           : error == -ENOSPC ? HOST_NO_SPACE
                              : HOST_FAILED;
}

/* Rule 38: how much of a checked tail is, from its beginning, of the kinds that no bound holds back. */
static uint32_t exempt_bytes(const uint8_t *tail, uint32_t tail_bytes)
{
    uint32_t at = 0;
    while (at < tail_bytes) {
        struct record_head head = record_head_load(tail + at);
        if (!host_type_is_exempt(head.type)) {
            break;
        }
        at += (uint32_t)record_padded_bytes(head.length);
    }
    return at;
}

/* Room for the entries of an append. In a full log there is some for what a new leader must commit, and the
 * message is cut behind it. */
static enum host_verdict entries_room(struct host *host, const struct message *message, const uint8_t *tail,
                                      uint32_t tail_bytes, struct entries_summary *summary)
{
    const struct host_log *log = &host->options.log;
    int error = log->room(log->context, (size_t)tail_bytes + HOST_OVERHEAD_BYTES,
                          summary->entry_count + HOST_OVERHEAD_RECORDS, false);
    uint32_t exempt = error == -ENOSPC ? exempt_bytes(tail, tail_bytes) : 0;
    if (exempt > 0) {
        bool good = summary_make(summary, message, tail, exempt);
        ASSERT(good);
        error = log->room(log->context, (size_t)exempt + HOST_OVERHEAD_BYTES,
                          summary->entry_count + HOST_OVERHEAD_RECORDS, true);
    }
    return room_verdict(error);
}

/* What writes nothing does not wait for a busy log: polls, and heartbeats and answers of our own term. */
static bool may_write(const struct host_quorum *quorum, const struct message *message, bool has_entries)
{
    uint64_t term = quorum->replicator.term;
    if (message->kind == MESSAGE_APPEND_ENTRIES) {
        return has_entries || message->append_entries.term > term;
    }
    if (message->kind == MESSAGE_APPEND_ENTRIES_REPLY) {
        return message->append_entries_reply.term > term;
    }
    return message->kind != MESSAGE_PRE_ELECTION_POLL;
}

enum host_verdict host_receive(struct host *host, uint32_t slot, const struct message *message,
                               const uint8_t *tail, uint32_t tail_bytes, uint64_t now_ns)
{
    ASSERT(slot < host->quorum_count);
    struct host_quorum *quorum = &host->quorums[slot];
    struct entries_summary summary;
    bool has_entries = message->kind == MESSAGE_APPEND_ENTRIES && tail_bytes > 0;
    if (host->log_failed || quorum->replicator.role == REPLICATOR_FAILED) {
        return HOST_FAILED;
    }
    if (has_entries && !summary_make(&summary, message, tail, tail_bytes)) {
        return HOST_BAD_RECORDS;
    }
    enum host_verdict verdict = sender_check(host, quorum, message);
    if (verdict == HOST_TAKEN && may_write(quorum, message, has_entries)) {
        verdict = has_entries ? entries_room(host, message, tail, tail_bytes, &summary)
                              : room_verdict(host_room_reserve(host));
    }
    if (verdict != HOST_TAKEN) {
        return verdict;
    }
    struct replicator_input input = {.now_ns = now_ns, .kind = INPUT_MESSAGE};
    input.message.message = message;
    input.message.entries = has_entries ? &summary : NULL;
    const struct host_source source = {.tail = tail,
                                       .tail_first_index = message->append_entries.prev_log_index + 1};
    host_step(host, quorum, &input, &source);
    return HOST_TAKEN;
}
