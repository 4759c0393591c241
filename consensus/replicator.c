/* SPDX-License-Identifier: Apache-2.0 */
/* Start, the step's dispatch, and what every role shares: messages, terms, roles, failure. */
#include "replicator_internal.h"

#include <string.h>

#include "check.h"

/* Flat and without padding, so that states can be compared and hashed as bytes. */
_Static_assert(sizeof(struct peer_progress) == 13 * 8 + 8 + 8, "no padding");
_Static_assert(sizeof(struct replicator) % 8 == 0, "no padding");

static void output_clear(struct replicator_output *out)
{
    /* The counters only: the arrays are large and read only up to them. */
    memset(out, 0, offsetof(struct replicator_output, sends));
}

void output_event(struct replicator_output *out, enum replicator_event_kind kind, uint64_t node_id,
                  uint64_t term, uint64_t index)
{
    ASSERT(out->event_count < EVENTS_MAX);
    out->events[out->event_count++] =
        (struct replicator_event){.kind = kind, .node_id = node_id, .term = term, .index = index};
}

struct message *output_message(struct replicator *self, struct replicator_output *out, uint64_t receiver_id,
                               enum message_kind kind, uint64_t message_id)
{
    ASSERT(out->send_count < SENDS_MAX);
    struct replicator_send *send = &out->sends[out->send_count++];
    memset(&send->message, 0, sizeof(send->message));
#ifndef TALLY_MUTANT_TERM_SHOWN_BEFORE_DURABLE
    send->release_hard_state = self->hard_state_number;
#else
    send->release_hard_state = 0;
#endif
    send->first_index = 1;
    send->last_index = 0;
    send->message.kind = (uint8_t)kind;
    send->message.message_id = message_id;
    send->message.sender_id = self->options.node_id;
    send->message.receiver_id = receiver_id;
    send->message.quorum_number = self->options.quorum_number;
    send->message.incarnation = self->options.incarnation;
    return &send->message;
}

uint64_t next_message_id(struct replicator *self, uint64_t now_ns)
{
    uint64_t next = self->last_message_id + 1;
    self->last_message_id = now_ns > next ? now_ns : next;
    return self->last_message_id;
}

void timer_reset(struct replicator *self, uint64_t now_ns)
{
    self->timer_reset_ns = now_ns;
    self->timeout_ns =
        self->options.election_timeout_ns + prng_below(&self->prng, self->options.election_timeout_ns);
}

void role_become(struct replicator *self, enum replicator_role role, struct replicator_output *out)
{
    if (self->role != role) {
        self->role = (uint8_t)role;
        output_event(out, EVENT_STATE_CHANGE, self->options.node_id, self->term, role);
    }
}

void hard_state_change(struct replicator *self, uint64_t term, uint64_t voted_for,
                       struct replicator_output *out)
{
    if (term != self->term) {
        /* Rule 7: what was proved was proved against the leader of the old term. */
#ifndef TALLY_MUTANT_PROVED_OVER_TERMS
        self->proved_index = 0;
#endif
        self->acknowledgement_owed = 0;
        self->leader_id = 0;
    }
    self->term = term;
    self->voted_for = voted_for;
    self->hard_state_number++;
    self->poll_current = 0;
    out->hard_state_changed = 1;
}

/* Rule 23: what is logged but not decided is in doubt from now on; its outcome comes when the commit index
 * passes. */
static void submissions_in_doubt(const struct replicator *self, struct replicator_output *out)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < self->pending_count; i++) {
        if (self->pending[i].term == self->term && self->pending[i].last_index > last) {
            last = self->pending[i].last_index;
        }
    }
    if (last > 0) {
        output_event(out, EVENT_IN_DOUBT, self->options.node_id, self->term, last);
    }
}

void step_down(struct replicator *self, uint64_t now_ns, struct replicator_output *out)
{
    if (self->role == REPLICATOR_LEADER) {
        output_event(out, EVENT_LEADER_DEPOSED, self->options.node_id, self->term, 0);
        submissions_in_doubt(self, out);
        self->leader_start_index = 0;
        self->leader_id = 0;
    }
    role_become(self, REPLICATOR_FOLLOWER, out);
    timer_reset(self, now_ns);
}

void term_adopt(struct replicator *self, uint64_t term, uint64_t now_ns, struct replicator_output *out)
{
    ASSERT(term > self->term);
    if (self->role != REPLICATOR_FOLLOWER) {
        step_down(self, now_ns, out);
    }
    hard_state_change(self, term, 0, out);
}

void leader_announce(struct replicator *self, uint64_t leader_id, struct replicator_output *out)
{
    self->leader_id = leader_id;
    if (self->announced_leader_id != leader_id || self->announced_term != self->term) {
        self->announced_leader_id = leader_id;
        self->announced_term = self->term;
        output_event(out, EVENT_LEADER_ELECTED, leader_id, self->term, 0);
    }
}

void replicator_fail(struct replicator *self, enum replicator_failure failure, struct replicator_output *out)
{
    output_clear(out);
    self->failure = failure;
    self->poll_current = 0;
    self->acknowledgement_owed = 0;
    if (self->role == REPLICATOR_LEADER) {
        output_event(out, EVENT_LEADER_DEPOSED, self->options.node_id, self->term, 0);
    }
    self->leader_id = 0;
    self->leader_start_index = 0;
    output_event(out, EVENT_QUORUM_FAILURE, self->options.node_id, self->term, failure);
    role_become(self, REPLICATOR_FAILED, out);
    outcomes_abandon(self, out);
}

struct peer_progress *peer_find(struct replicator *self, uint64_t node_id)
{
    for (uint32_t i = 0; i < self->peer_count; i++) {
        if (self->peers[i].node_id == node_id) {
            return &self->peers[i];
        }
    }
    return NULL;
}

static void restart_log(struct replicator *self, const struct replicator_restart *restart)
{
    ASSERT(restart->run_count <= RUNS_MAX);
    self->last_index = restart->last_index;
    self->durable_index = restart->last_index;
    self->commit_index =
        restart->commit_index < restart->last_index ? restart->commit_index : restart->last_index;
    self->noticed_index = self->commit_index;
    self->replicated_index = self->commit_index;
    self->run_count = restart->run_count;
    for (uint32_t i = 0; i < restart->run_count; i++) {
        self->runs[i] = restart->runs[i];
    }
    uint32_t count = restart->configuration_count;
    uint32_t skip = count > CONFIGURATIONS_MAX ? count - CONFIGURATIONS_MAX : 0;
    for (uint32_t i = skip; i < count; i++) {
        self->configurations[self->configuration_count++] = restart->configurations[i];
    }
    log_prune_configurations(self);
}

void replicator_init(struct replicator *self, const struct replicator_options *options,
                     const struct replicator_restart *restart, uint64_t now_ns, struct replicator_output *out)
{
    ASSERT(options->node_id != 0);
    ASSERT(options->election_timeout_ns > 2 * options->heartbeat_interval_ns);
    output_clear(out);
    memset(self, 0, sizeof(*self));
    self->options = *options;
    self->prng.state =
        options->random_seed ^ (options->node_id * 0x9E3779B97F4A7C15u) ^ options->quorum_number;
    self->term = restart->term;
    self->voted_for = restart->voted_for;
    self->role = REPLICATOR_FOLLOWER;
    if (restart->contradicted) {
        replicator_fail(self, REPLICATOR_FAILURE_LOG, out);
        return;
    }
    restart_log(self, restart);
    peers_update(self);
    timer_reset(self, now_ns);
    /* Rule 5: we may have answered a leader just before the restart, and it may count on that. */
    self->leader_heard_ns = self->term > 0 ? (now_ns > 0 ? now_ns : 1) : 0;
    output_event(out, EVENT_QUORUM_START, options->node_id, self->term, 0);
    output_event(out, EVENT_STATE_CHANGE, options->node_id, self->term, REPLICATOR_FOLLOWER);
}

static void message_receive(struct replicator *self, const struct replicator_input *input,
                            struct replicator_output *out)
{
    const struct message *message = input->message.message;
    if (message->sender_id == 0 || message->sender_id == self->options.node_id ||
        message->quorum_number != self->options.quorum_number) {
        return;
    }
    switch (message->kind) {
    case MESSAGE_APPEND_ENTRIES:
        follower_receive_append(self, message, input->message.entries, input->now_ns, out);
        return;
    case MESSAGE_APPEND_ENTRIES_REPLY:
        leader_receive_reply(self, message, input->now_ns, out);
        return;
    case MESSAGE_PRE_ELECTION_POLL:
        poll_receive(self, message, input->now_ns, out);
        return;
    case MESSAGE_PRE_ELECTION_REPLY:
        poll_receive_reply(self, message, input->now_ns, out);
        return;
    case MESSAGE_REQUEST_VOTE:
        vote_receive(self, message, input->now_ns, out);
        return;
    case MESSAGE_REQUEST_VOTE_REPLY:
        vote_receive_reply(self, message, input->now_ns, out);
        return;
    default: /* the kind is a byte of the wire; all others are for other ears */
        return;
    }
}

/* Rules 8 and 10: entry 1 has term 0 and equal bytes everywhere, so nodes that log it by themselves agree. */
static void bootstrap(struct replicator *self, const struct configuration *voters,
                      struct replicator_output *out)
{
    if (!configuration_has_voter(voters, self->options.node_id)) {
        out->refusal = REPLICATOR_NOT_IN_SET;
        return;
    }
    if (self->last_index > 0 || self->term > 0) {
        out->refusal = REPLICATOR_ALREADY_BOOTSTRAPPED;
        return;
    }
    log_append(self, 1, 0);
    bool added = log_add_configuration(self, 1, voters);
    ASSERT(added);
    out->append_source = APPEND_BOOTSTRAP;
    out->append_first_index = 1;
    out->append_last_index = 1;
    out->append_term = 0;
}

/* Durable notices carry (index, term): an index can come back with another term while its write is in flight
 * (rule 29). */
static void persisted(struct replicator *self, const struct replicator_input *input,
                      struct replicator_output *out)
{
    uint64_t acknowledged =
        self->durable_index < self->proved_index ? self->durable_index : self->proved_index;
    uint64_t term;
    uint64_t run_last;
    if (input->persisted.index > self->durable_index &&
        log_run_at(self, input->persisted.index, &term, &run_last) && term == input->persisted.term) {
        self->durable_index = input->persisted.index;
    }
    if (input->persisted.hard_state_number > self->hard_state_durable) {
        ASSERT(input->persisted.hard_state_number <= self->hard_state_number);
        self->hard_state_durable = input->persisted.hard_state_number;
    }
    if (self->role == REPLICATOR_LEADER) {
        commit_advance(self);
    } else if (self->role == REPLICATOR_CANDIDATE) {
        election_check_won(self, input->now_ns, out);
    } else if (acknowledged < self->proved_index && self->durable_index > acknowledged &&
               self->leader_id != 0) {
        self->acknowledgement_owed = 1;
    }
}

static void terms_supply(struct replicator *self, const struct replicator_input *input)
{
    ASSERT(input->terms.run_count <= MESSAGE_RUNS_MAX);
    if (input->terms.run_count == 0 || input->terms.last_index > self->last_index) {
        return;
    }
    for (uint32_t i = 0; i < input->terms.run_count; i++) {
        self->older_runs[i] = input->terms.runs[i];
    }
    self->older_run_count = input->terms.run_count;
    self->older_last_index = input->terms.last_index;
}

static void tick(struct replicator *self, uint64_t now_ns, struct replicator_output *out)
{
    if (self->role == REPLICATOR_LEADER) {
        leader_tick(self, now_ns, out);
    } else {
        election_tick(self, now_ns, out);
    }
}

static void disk(struct replicator *self, const struct replicator_input *input, struct replicator_output *out)
{
    self->disk_stall_ns = input->disk.stall_ns;
    if (input->disk.failed) {
        replicator_fail(self, REPLICATOR_FAILURE_DISK, out);
    }
}

static void submit(struct replicator *self, uint32_t entry_count, struct replicator_output *out)
{
    ASSERT(entry_count > 0);
    if (self->role != REPLICATOR_LEADER) {
        out->refusal = REPLICATOR_NOT_LEADER;
    } else {
        leader_submit(self, entry_count, out);
    }
}

static void dispatch(struct replicator *self, const struct replicator_input *input,
                     struct replicator_output *out)
{
    switch ((enum replicator_input_kind)input->kind) {
    case INPUT_TICK:
        tick(self, input->now_ns, out);
        return;
    case INPUT_MESSAGE:
        message_receive(self, input, out);
        return;
    case INPUT_BOOTSTRAP:
        bootstrap(self, &input->bootstrap, out);
        return;
    case INPUT_SUBMIT:
        submit(self, input->submit.entry_count, out);
        return;
    case INPUT_SEND:
        leader_send(self, input->send.node_id, input->send.last_index, input->now_ns, out);
        return;
    case INPUT_PERSISTED:
        persisted(self, input, out);
        return;
    case INPUT_TERMS:
        terms_supply(self, input);
        return;
    case INPUT_FLUSH:
        follower_acknowledge(self, out);
        return;
    case INPUT_DISK:
        disk(self, input, out);
        return;
    }
}

void replicator_step(struct replicator *self, const struct replicator_input *input,
                     struct replicator_output *out)
{
    output_clear(out);
    if (self->role == REPLICATOR_FAILED) {
        out->refusal = REPLICATOR_STOPPED;
        outcomes_abandon(self, out);
        return;
    }
    dispatch(self, input, out);
    if (self->role != REPLICATOR_FAILED) {
        commit_deliver(self, out);
    }
}

uint64_t replicator_deadline_ns(const struct replicator *self)
{
    switch ((enum replicator_role)self->role) {
    case REPLICATOR_LEADER:
        return leader_deadline_ns(self);
    case REPLICATOR_FOLLOWER:
    case REPLICATOR_CANDIDATE:
        return election_deadline_ns(self);
    case REPLICATOR_FAILED:
        break;
    }
    return NO_DEADLINE;
}
