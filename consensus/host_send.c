/* SPDX-License-Identifier: Apache-2.0 */
/* Messages out: at once, held until durable, or filled with records from the log. */
#include "host_internal.h"

#include <string.h>

#include "check.h"

/* A message without records. Dropped when the way there is full: every message may be lost. */
static void send_now(struct host *host, const struct replicator_send *send)
{
    const struct host_network *network = &host->options.network;
    uint32_t capacity_bytes;
    uint64_t receiver_id = send->message.receiver_id;
    if (network->begin(network->context, receiver_id, false, &capacity_bytes) != NULL) {
        network->send(network->context, receiver_id, &send->message, 0);
    }
}

void host_send_or_hold(struct host *host, struct host_quorum *quorum, const struct replicator_send *send)
{
    if (host->frame_begun) {
        ASSERT(send->release_hard_state <= quorum->replicator.hard_state_durable);
        host->frame_begun = false;
        host->options.network.send(host->options.network.context, send->message.receiver_id, &send->message,
                                   host->frame_tail_bytes);
    } else if (send->release_hard_state <= quorum->replicator.hard_state_durable) {
        send_now(host, send);
    } else if (host->held_count < HOST_HELD_MAX) {
        host->held[host->held_count++] = (struct host_held){.slot = quorum->slot, .send = *send};
    }
}

unsigned host_held_release(struct host *host)
{
    uint32_t kept = 0;
    unsigned work = 0;
    for (uint32_t i = 0; i < host->held_count; i++) {
        const struct host_held *held = &host->held[i];
        const struct replicator *replicator = &host->quorums[held->slot].replicator;
        if (replicator->role == REPLICATOR_FAILED) {
            continue; /* rule 6: a failed write grants nothing and answers nothing */
        }
        if (held->send.release_hard_state <= replicator->hard_state_durable) {
            send_now(host, &held->send);
            work++;
        } else {
            if (kept != i) {
                host->held[kept] = *held;
            }
            kept++;
        }
    }
    host->held_count = kept;
    return work;
}

/* One cursor per peer and quorum; a place is taken over when its peer is gone. */
static struct host_cursor *cursor_of(struct host *host, struct host_quorum *quorum, uint32_t peer)
{
    struct host_peer_cursor *place = &quorum->cursors[peer];
    uint64_t node_id = quorum->replicator.peers[peer].node_id;
    if (place->node_id != node_id) {
        if (place->node_id != 0) {
            host->options.log.cursor_release(host->options.log.context, &place->cursor);
        }
        memset(place, 0, sizeof(*place));
        place->node_id = node_id;
    }
    return &place->cursor;
}

struct fill {
    uint8_t *tail;
    uint32_t capacity_bytes;
    uint32_t tail_bytes;
    uint64_t last_index;
    uint32_t run_count;
    uint64_t run_term;
    bool has_configuration;
};

/* May this record go into the message too? Its receiver takes one configuration and a few runs at a time. */
static bool fill_fits(struct fill *fill, const struct record_head *head)
{
    bool new_run = fill->run_count == 0 || head->term != fill->run_term;
    bool is_configuration = head->type == RECORD_CONFIGURATION;
    if (fill->tail_bytes + record_padded_bytes(head->length) > fill->capacity_bytes ||
        (new_run && fill->run_count == MESSAGE_RUNS_MAX) || (is_configuration && fill->has_configuration)) {
        return false;
    }
    fill->run_count += new_run;
    fill->run_term = head->term;
    fill->has_configuration |= is_configuration;
    return true;
}

static enum host_read fill_frame(struct host *host, struct host_quorum *quorum, struct host_cursor *cursor,
                                 uint64_t last, struct fill *fill)
{
    const struct host_log *log = &host->options.log;
    while (fill->last_index < last) {
        uint64_t index = fill->last_index + 1;
        bool found;
        const uint8_t *record;
        struct record_head head;
        uint64_t term = replicator_term_at(&quorum->replicator, index, &found);
        enum host_read read = log->read(log->context, cursor, quorum->number, index, term, &record, &head);
        if (read != HOST_READ_RECORD) {
            return read;
        }
        if (!fill_fits(fill, &head)) {
            break;
        }
        memcpy(fill->tail + fill->tail_bytes, record, record_padded_bytes(head.length));
        fill->tail_bytes += (uint32_t)record_padded_bytes(head.length);
        fill->last_index = index;
    }
    return HOST_READ_RECORD;
}

/* One message to one peer. False when nothing went; *ret_later then says whether to try again in the next
 * turn. */
static bool send_to_peer(struct host *host, struct host_quorum *quorum, uint32_t peer, uint64_t first,
                         uint64_t last, uint64_t now_ns, bool *ret_later)
{
    const struct host_network *network = &host->options.network;
    uint64_t node_id = quorum->replicator.peers[peer].node_id;
    struct fill fill = {.last_index = first - 1};
    *ret_later = true;
    fill.tail = network->begin(network->context, node_id, true, &fill.capacity_bytes);
    if (fill.tail == NULL) {
        return false;
    }
    enum host_read read = fill_frame(host, quorum, cursor_of(host, quorum, peer), last, &fill);
    if (fill.last_index < first && last >= first) {
        *ret_later = read == HOST_READ_WAIT;
        return false;
    }
    struct replicator_input input = {.now_ns = now_ns, .kind = INPUT_SEND};
    input.send.node_id = node_id;
    input.send.last_index = fill.last_index;
    host->frame_begun = true;
    host->frame_tail_bytes = fill.tail_bytes;
    host_step(host, quorum, &input, NULL);
    bool went = !host->frame_begun;
    host->frame_begun = false;
    return went;
}

/* Whether what is only news of a commit is to wait a little for entries that carry it. */
static bool news_waits(struct host *host, struct host_quorum *quorum, uint64_t now_ns)
{
    if (host->options.commit_news_delay_ns == 0) {
        return false;
    }
    if (quorum->news_due_ns == 0) {
        quorum->news_due_ns = now_ns + host->options.commit_news_delay_ns;
    }
    return now_ns < quorum->news_due_ns;
}

bool host_send_entries(struct host *host, struct host_quorum *quorum, uint64_t now_ns, unsigned *work)
{
    bool later = false;
    bool waits = false;
    for (uint32_t peer = 0; peer < quorum->replicator.peer_count; peer++) {
        uint64_t first;
        uint64_t last;
        uint32_t sent = 0;
        while (replicator_wants_send(&quorum->replicator, peer, &first, &last)) {
            bool retry;
            if (sent == HOST_SENDS_PER_TURN) {
                later = true;
                break;
            }
            if (last < first && news_waits(host, quorum, now_ns)) {
                waits = true;
                break;
            }
            if (!send_to_peer(host, quorum, peer, first, last, now_ns, &retry)) {
                later |= retry;
                break;
            }
            sent++;
        }
        *work += sent;
    }
    if (!waits) {
        quorum->news_due_ns = 0;
    }
    return later;
}

bool host_supply_terms(struct host *host, struct host_quorum *quorum, uint64_t now_ns)
{
    const struct host_log *log = &host->options.log;
    struct replicator_input input = {.now_ns = now_ns, .kind = INPUT_TERMS};
    uint64_t index = quorum->need_terms_index;
    uint32_t count = 0;
    enum host_read read = HOST_READ_RECORD;
    for (uint32_t i = 0; i < HOST_TERMS_READ && index <= quorum->replicator.last_index; i++, index++) {
        const uint8_t *record;
        struct record_head head;
        read = log->read(log->context, &quorum->terms_cursor, quorum->number, index, 0, &record, &head);
        if (read != HOST_READ_RECORD) {
            break;
        }
        if (count == 0 || input.terms.runs[count - 1].term != head.term) {
            if (count == MESSAGE_RUNS_MAX) {
                break;
            }
            input.terms.runs[count++] = (struct log_run){index, head.term};
        }
    }
    if (count == 0) {
        return read == HOST_READ_WAIT;
    }
    quorum->need_terms_index = 0;
    input.terms.run_count = count;
    input.terms.last_index = index - 1;
    host_step(host, quorum, &input, NULL);
    return quorum->need_terms_index != 0;
}
