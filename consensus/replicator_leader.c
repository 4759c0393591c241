/* SPDX-License-Identifier: Apache-2.0 */
/* The leader (rules 21, 23, 26, 30-32): entries to peers, their answers, and whether a majority still
 * answers. */
#include "replicator_internal.h"

#include "check.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void progress_start(struct peer_progress *peer, uint64_t next_index, uint64_t now_ns)
{
    *peer = (struct peer_progress){
        .node_id = peer->node_id,
        .next_index = next_index,
        .last_heard_ns = now_ns, /* it has one timeout's time to answer */
        .retransmit_ns = now_ns,
        .last_sent_ns = now_ns,
        .mode = PROGRESS_PROBE,
        .voter = peer->voter,
    };
}

/* Rule 21. The leader-start entry commits what earlier leaders left, without client traffic. */
void leader_start(struct replicator *self, uint64_t now_ns, struct replicator_output *out)
{
    role_become(self, REPLICATOR_LEADER, out);
    timer_reset(self, now_ns);
    leader_announce(self, self->options.node_id, out);
    self->leadership_message_id = self->last_message_id;
    for (uint32_t i = 0; i < self->peer_count; i++) {
        progress_start(&self->peers[i], self->last_index + 1, now_ns);
    }
    self->taken_index = 0;
    self->taken_ns = now_ns;
    self->leader_start_index = self->last_index + 1;
    log_append(self, self->leader_start_index, self->term);
    out->append_source = APPEND_LEADER_START;
    out->append_first_index = self->leader_start_index;
    out->append_last_index = self->leader_start_index;
    out->append_term = self->term;
}

/* ---- check quorum ---- */

/* The send time of the newest append that a majority has answered. While a transitional entry is not
 * committed, a majority of the previous set is enough to stay in office (rule 23). */
static uint64_t contact_ns(const struct replicator *self, uint64_t now_ns)
{
    const struct logged_configuration *newest = replicator_configuration(self);
    const struct configuration *configuration = &newest->configuration;
    if (configuration->transitional && newest->index > self->commit_index) {
        return set_agreed(self, configuration->previous, configuration->previous_count, VALUE_HEARD, now_ns);
    }
    return voters_agreed(self, VALUE_HEARD, now_ns);
}

bool leader_has_contact(const struct replicator *self, uint64_t window_ns, uint64_t now_ns)
{
    return now_ns < contact_ns(self, now_ns) + window_ns;
}

/* Rule 36: our disk hangs, and a majority that can do without us has disks that do not. Leadership is not
 * handed over (there is no transfer yet), it is laid down. */
static bool leader_should_yield(const struct replicator *self, uint64_t now_ns)
{
    return self->disk_stall_ns > self->options.disk_stall_limit_ns &&
           now_ns < voters_agreed(self, VALUE_HEARD_HEALTHY, 0) + self->options.election_timeout_ns;
}

bool replicator_is_in_office(const struct replicator *self, uint64_t now_ns)
{
    return self->role == REPLICATOR_LEADER &&
           leader_has_contact(self, self->options.election_timeout_ns, now_ns);
}

/* A majority without us is there and answers, but takes none of our entries: their logs are full, or the way
 * to them is too narrow for entries. They can do without us, and what we logged alone is decided when one of
 * them leads. Where they cannot, we stay. Longer than a disk may hang (rule 36), so that it is not that. */
static bool leader_is_stuck(struct replicator *self, uint64_t now_ns)
{
    uint64_t taken = voters_agreed(self, VALUE_RECEIVED, self->last_index);
    if (taken != self->taken_index || taken == self->last_index) {
        self->taken_index = taken;
        self->taken_ns = now_ns;
    }
    uint64_t patience_ns = self->options.disk_stall_limit_ns + 2 * self->options.election_timeout_ns;
    return now_ns - self->taken_ns > patience_ns &&
           now_ns < voters_agreed(self, VALUE_HEARD, 0) + self->options.election_timeout_ns;
}

/* ---- sending ---- */

static bool window_is_full(const struct peer_progress *peer)
{
    return peer->next_index - 1 - peer->match_index >= WINDOW_ENTRIES_MAX ||
           peer->window_older_count + peer->window_newer_count >= WINDOW_MESSAGES_MAX;
}

/* What the peer has received moves the window's mark; each pass forgets messages that have certainly arrived.
 * The mark is the end of what is on its way now: last_sent_index may be of an earlier attempt that was lost,
 * far ahead. */
static void window_advance(struct peer_progress *peer)
{
    while (peer->window_older_count + peer->window_newer_count > 0 &&
           peer->match_index >= peer->window_mark_index) {
        peer->window_older_count = peer->window_newer_count;
        peer->window_newer_count = 0;
        peer->window_mark_index = peer->next_index - 1;
    }
}

static void window_clear(struct peer_progress *peer)
{
    peer->window_older_count = 0;
    peer->window_newer_count = 0;
    peer->window_mark_index = peer->next_index - 1;
}

/* How far a peer may be sent entries: learners get committed ones only (rule 3). */
static uint64_t send_limit(const struct replicator *self, const struct peer_progress *peer)
{
    return peer->voter ? self->last_index : self->commit_index;
}

bool replicator_wants_send(const struct replicator *self, uint32_t index, uint64_t *ret_first,
                           uint64_t *ret_last)
{
    if (self->role != REPLICATOR_LEADER || index >= self->peer_count || self->peers[index].lost) {
        return false;
    }
    const struct peer_progress *peer = &self->peers[index];
    uint64_t limit = send_limit(self, peer);
    *ret_first = peer->next_index;
    *ret_last = larger(limit, peer->next_index - 1);
    if (peer->mode == PROGRESS_PROBE) {
        return peer->probe_message_id == 0;
    }
    if (peer->next_index <= limit && !window_is_full(peer)) {
        *ret_last = smaller(limit, peer->match_index + WINDOW_ENTRIES_MAX);
        return true;
    }
    *ret_last = peer->next_index - 1;
    return smaller(self->commit_index, peer->match_index) > peer->committed_sent;
}

/* The term at `prev` or, false, a question to the host. */
static bool prev_term(const struct replicator *self, uint64_t prev, uint64_t *ret_term,
                      struct replicator_output *out)
{
    uint64_t run_last;
    if (!log_run_at(self, prev, ret_term, &run_last)) {
        out->need_terms_index = prev;
        return false;
    }
    return true;
}

static struct replicator_send *send_append(struct replicator *self, const struct peer_progress *peer,
                                           uint64_t prev, uint64_t term_at_prev, uint64_t now_ns,
                                           struct replicator_output *out)
{
    struct message *message =
        output_message(self, out, peer->node_id, MESSAGE_APPEND_ENTRIES, next_message_id(self, now_ns));
    struct append_entries *append = &message->append_entries;
    append->term = self->term;
    append->leader_id = self->options.node_id;
    append->prev_log_index = prev;
    append->prev_log_term = term_at_prev;
    append->commit_index = self->commit_index;
    return &out->sends[out->send_count - 1];
}

/* Without entries: prev is the match index, so that it can overtake entries and draw no refusal (rule 31). */
static void send_heartbeat(struct replicator *self, struct peer_progress *peer, uint64_t now_ns,
                           struct replicator_output *out)
{
    uint64_t prev = peer->match_index;
    uint64_t term = 0;
    uint64_t run_last;
    if (!log_run_at(self, prev, &term, &run_last)) {
        prev = 0; /* keeps us in office, and proves nothing */
        term = 0;
    }
    struct append_entries *append = &send_append(self, peer, prev, term, now_ns, out)->message.append_entries;
    append->last_sent_index = peer->last_sent_index;
    append->election_timeout_ns = self->options.election_timeout_ns;
    append->disk_stall_ns = self->disk_stall_ns;
    peer->last_sent_ns = now_ns;
    peer->committed_sent = larger(peer->committed_sent, smaller(self->commit_index, prev));
}

static void send_entries(struct replicator *self, struct peer_progress *peer, uint64_t last, uint64_t now_ns,
                         struct replicator_output *out)
{
    uint64_t prev = peer->next_index - 1;
    uint64_t term;
    if (!prev_term(self, prev, &term, out)) {
        return;
    }
    bool in_flight = prev > peer->match_index;
    struct replicator_send *send = send_append(self, peer, prev, term, now_ns, out);
    send->first_index = prev + 1;
    send->last_index = last;
    if (peer->mode == PROGRESS_PROBE) {
        /* It does not stand in for a heartbeat: entries may be what the peer, or the way there, does not
         * take. */
        peer->probe_message_id = send->message.message_id;
        peer->retransmit_ns = now_ns + self->options.retransmit_timeout_ns;
    } else {
        peer->last_sent_ns = now_ns;
        peer->next_index = last + 1;
        peer->window_newer_count++;
        if (!in_flight) {
            peer->retransmit_ns = now_ns + self->options.retransmit_timeout_ns;
        }
    }
    peer->last_sent_index = larger(peer->last_sent_index, last);
    peer->committed_sent = larger(peer->committed_sent, smaller(self->commit_index, last));
}

void leader_send(struct replicator *self, uint64_t node_id, uint64_t last_index, uint64_t now_ns,
                 struct replicator_output *out)
{
    struct peer_progress *peer = peer_find(self, node_id);
    if (self->role != REPLICATOR_LEADER || peer == NULL) {
        return;
    }
    ASSERT(last_index + 1 >= peer->next_index);
    ASSERT(last_index <= self->last_index);
    if (peer->mode == PROGRESS_REPLICATE && last_index < peer->next_index) {
        send_heartbeat(self, peer, now_ns, out); /* the commit index is the news (rule 34) */
    } else {
        send_entries(self, peer, last_index, now_ns, out);
    }
}

/* ---- time ---- */

static bool awaits_answer(const struct peer_progress *peer)
{
    return peer->mode == PROGRESS_PROBE ? peer->probe_message_id != 0
                                        : peer->next_index - 1 > peer->match_index;
}

/* Nothing arrived for a while: one probe from where the peer certainly is. A peer that answers nothing at all
 * gets heartbeats only. */
static void retransmit(struct replicator *self, struct peer_progress *peer, uint64_t now_ns)
{
    if (now_ns - peer->last_heard_ns > self->options.election_timeout_ns) {
        peer->retransmit_ns = now_ns + self->options.retransmit_timeout_ns;
        return;
    }
    if (peer->mode == PROGRESS_REPLICATE) {
        peer->mode = PROGRESS_PROBE;
        peer->next_index = peer->match_index + 1;
        window_clear(peer);
    }
    peer->probe_message_id = 0;
}

void leader_tick(struct replicator *self, uint64_t now_ns, struct replicator_output *out)
{
    if (!leader_has_contact(self, self->timeout_ns + 1, now_ns) || leader_should_yield(self, now_ns)) {
        step_down(self, now_ns, out);
        return;
    }
    if (leader_is_stuck(self, now_ns)) {
        step_down(self, now_ns, out);
        self->timeout_ns += 2 * self->options.election_timeout_ns; /* the others first: our log is longer */
        return;
    }
    for (uint32_t i = 0; i < self->peer_count; i++) {
        struct peer_progress *peer = &self->peers[i];
        if (now_ns >= peer->last_sent_ns + self->options.heartbeat_interval_ns) {
            send_heartbeat(self, peer, now_ns, out);
        }
        if (awaits_answer(peer) && now_ns >= peer->retransmit_ns) {
            retransmit(self, peer, now_ns);
        }
    }
}

uint64_t leader_deadline_ns(const struct replicator *self)
{
    uint64_t deadline = NO_DEADLINE;
    for (uint32_t i = 0; i < self->peer_count; i++) {
        const struct peer_progress *peer = &self->peers[i];
        deadline = smaller(deadline, peer->last_sent_ns + self->options.heartbeat_interval_ns);
        if (awaits_answer(peer)) {
            deadline = smaller(deadline, peer->retransmit_ns);
        }
    }
    /* The heartbeats come more often than contact can be lost, so check quorum needs no deadline of its own.
     */
    return deadline;
}

/* ---- answers ---- */

/* Rule 26. The peer holds nothing that it had not acknowledged as durable; where it parts from us is at or
 * before what it refuses. */
static void receive_refusal(struct replicator *self, struct peer_progress *peer,
                            const struct message *message, struct replicator_output *out)
{
    const struct append_entries_reply *reply = &message->append_entries_reply;
    uint64_t refused = reply->refused_prev_index;
    if (refused == 0 && reply->next_index_hint == 0) {
        return; /* an append of an earlier leadership of ours, refused for its term (rule 20) */
    }
    if (refused <= peer->match_index) {
        if (message->message_id <= peer->acknowledged_message_id) {
            return; /* sent before we knew: it has that entry by now */
        }
        if (refused > 0 && refused <= peer->durable_index) { /* prev 0: it does not have the quorum yet */
            peer->lost = 1;
            output_event(out, EVENT_PEER_LOST_DATA, peer->node_id, self->term, refused);
            return;
        }
        peer->match_index = peer->durable_index; /* it restarted, and what was in its memory only is gone */
    } else if (peer->mode == PROGRESS_PROBE && peer->probe_message_id != 0 &&
               message->message_id != peer->probe_message_id) {
        return; /* the probe under way will tell more */
    }
    uint64_t hint = reply->next_index_hint != 0 ? reply->next_index_hint : refused;
    peer->next_index = larger(peer->durable_index + 1, smaller(smaller(hint, refused), peer->next_index));
    peer->next_index = larger(peer->match_index + 1, peer->next_index);
    peer->mode = PROGRESS_PROBE;
    peer->probe_message_id = 0;
    window_clear(peer);
}

static void receive_success(struct replicator *self, struct peer_progress *peer,
                            const struct message *message, uint64_t now_ns)
{
    const struct append_entries_reply *reply = &message->append_entries_reply;
    uint64_t received = smaller(reply->received_index, self->last_index);
    uint64_t durable = smaller(reply->durable_index, received);
    if (received > peer->match_index) {
        peer->match_index = received;
        peer->acknowledged_message_id = self->last_message_id;
        peer->next_index = larger(peer->next_index, received + 1);
        peer->retransmit_ns = now_ns + self->options.retransmit_timeout_ns;
        window_advance(peer);
    }
    if (durable > peer->durable_index) {
        peer->durable_index = durable;
        /* One voter's answer moves a majority only when it is ahead of what that has agreed on. */
        if (durable > self->commit_index) {
            commit_advance(self);
        }
    }
    if (peer->match_index > self->replicated_index) {
        replicated_advance(self);
    }
    /* An older message than the probe says nothing of whether the probe arrived. */
    if (peer->mode == PROGRESS_PROBE && peer->match_index + 1 >= peer->next_index &&
        message->message_id >= peer->probe_message_id) {
        peer->mode = PROGRESS_REPLICATE;
        peer->probe_message_id = 0;
    }
}

void leader_receive_reply(struct replicator *self, const struct message *message, uint64_t now_ns,
                          struct replicator_output *out)
{
    const struct append_entries_reply *reply = &message->append_entries_reply;
    if (reply->term > self->term) {
        term_adopt(self, reply->term, now_ns, out);
        return;
    }
    struct peer_progress *peer = peer_find(self, message->sender_id);
    /* Rule 20: another term, another role, another leadership's append. */
    if (self->role != REPLICATOR_LEADER || reply->term < self->term || peer == NULL || peer->lost ||
        message->message_id <= self->leadership_message_id || message->message_id > self->last_message_id) {
        return;
    }
    /* Our message ids are send times. */
    peer->last_heard_ns = larger(peer->last_heard_ns, smaller(message->message_id, now_ns));
    peer->stall_ns = reply->disk_stall_ns;
    if (reply->success) {
        receive_success(self, peer, message, now_ns);
    } else {
        receive_refusal(self, peer, message, out);
    }
}

/* ---- submissions ---- */

void leader_submit(struct replicator *self, uint32_t entry_count, struct replicator_output *out)
{
    uint64_t first = self->last_index + 1;
    uint64_t last = self->last_index + entry_count;
    struct pending_range *newest = self->pending_count > 0 ? &self->pending[self->pending_count - 1] : NULL;
    if (newest != NULL && newest->term == self->term && newest->last_index + 1 == first) {
        newest->last_index = last;
    } else if (self->pending_count < PENDING_RANGES_MAX) {
        self->pending[self->pending_count++] =
            (struct pending_range){.first_index = first, .last_index = last, .term = self->term};
    } else {
        out->refusal = REPLICATOR_BUSY;
        return;
    }
    log_append(self, last, self->term);
    out->append_source = APPEND_FROM_SUBMIT;
    out->append_first_index = first;
    out->append_last_index = last;
    out->append_term = self->term;
    if (self->peer_count == 0) {
        replicated_advance(self); /* nobody's answer will */
    }
}
