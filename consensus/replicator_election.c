/* SPDX-License-Identifier: Apache-2.0 */
/* Elections (rules 11-20): the poll that asks whether an election could be won, the election, and the
 * answers. */
#include "replicator_internal.h"

#include "check.h"

/* Rule 15: a node that was removed asks seldom. */
#define REMOVED_TIMEOUTS 16

/* Rule 11: a voter of the newest configuration or of any from the newest known committed one on. Who is a
 * voter only by an uncommitted change may be the only one whose log can win. */
static bool may_campaign(const struct replicator *self)
{
    for (uint32_t i = self->configuration_count; i > 0; i--) {
        const struct logged_configuration *logged = &self->configurations[i - 1];
        if (configuration_has_voter(&logged->configuration, self->options.node_id)) {
            return true;
        }
        if (logged->index <= self->commit_index) {
            break;
        }
    }
    return false;
}

static bool disk_is_stalled(const struct replicator *self)
{
    return self->disk_stall_ns > self->options.disk_stall_limit_ns;
}

static uint64_t timeout_end_ns(const struct replicator *self)
{
    uint64_t wait = self->removed ? REMOVED_TIMEOUTS * self->options.election_timeout_ns : self->timeout_ns;
    return self->timer_reset_ns + wait;
}

/* A removed node does not repeat itself. */
static bool is_asking(const struct replicator *self)
{
    return (self->poll_current || self->role == REPLICATOR_CANDIDATE) && !self->removed;
}

uint64_t election_deadline_ns(const struct replicator *self)
{
    if (!may_campaign(self)) {
        return NO_DEADLINE;
    }
    uint64_t due = timeout_end_ns(self) + 1;
    return is_asking(self) && self->resend_ns < due ? self->resend_ns : due;
}

static void ask(struct replicator *self, uint64_t receiver_id, struct replicator_output *out)
{
    bool polls = self->role != REPLICATOR_CANDIDATE;
    struct message *message =
        output_message(self, out, receiver_id, polls ? MESSAGE_PRE_ELECTION_POLL : MESSAGE_REQUEST_VOTE,
                       self->poll_or_election_message_id);
    message->request_vote = (struct request_vote){
        .term = self->term, /* rule 13: not incremented for a poll */
        .candidate_id = self->options.node_id,
        .last_log_index = self->last_index,
        .last_log_term = log_last_term(self),
    };
}

/* Asks the voters that have not answered; at the first time all, then those who are silent. */
static void ask_silent_voters(struct replicator *self, uint64_t now_ns, struct replicator_output *out)
{
    self->resend_ns = now_ns + self->options.heartbeat_interval_ns;
    for (uint32_t i = 0; i < self->peer_count; i++) {
        if (self->peers[i].voter && self->peers[i].granted == 0) {
            ask(self, self->peers[i].node_id, out);
        }
    }
}

static void answers_clear(struct replicator *self, uint64_t now_ns)
{
    self->poll_or_election_message_id = next_message_id(self, now_ns);
    for (uint32_t i = 0; i < self->peer_count; i++) {
        self->peers[i].granted = 0;
    }
}

/* Rule 17: state candidate in the next term, voted for ourselves; the requests wait for that to be durable.
 */
static void election_start(struct replicator *self, uint64_t now_ns, struct replicator_output *out)
{
    hard_state_change(self, self->term + 1, self->options.node_id, out);
    output_event(out, EVENT_ELECTION_STARTED, self->options.node_id, self->term, 0);
    role_become(self, REPLICATOR_CANDIDATE, out);
    timer_reset(self, now_ns);
    answers_clear(self, now_ns);
    ask_silent_voters(self, now_ns, out);
}

/* Rule 13. Nothing is persisted and nothing but our own timer changes. */
static void poll_start(struct replicator *self, uint64_t now_ns, struct replicator_output *out)
{
    role_become(self, REPLICATOR_FOLLOWER, out); /* rule 18 */
    output_event(out, EVENT_ELECTION_TIMEOUT, self->options.node_id, self->term, 0);
    timer_reset(self, now_ns);
    self->poll_current = 1;
    /* Nobody leads, as far as we know (rule 22); the announced leader stays the only one of this term. */
    self->leader_id = 0;
    self->acknowledgement_owed = 0;
    answers_clear(self, now_ns);
    if (voters_agreed(self, VALUE_GRANTED, 1) >= 1) {
        election_start(self, now_ns, out); /* our own answer was all it needs */
    } else {
        ask_silent_voters(self, now_ns, out);
    }
}

bool election_is_due(const struct replicator *self, uint64_t now_ns)
{
    return may_campaign(self) && now_ns > timeout_end_ns(self);
}

void election_tick(struct replicator *self, uint64_t now_ns, struct replicator_output *out)
{
    if (election_is_due(self, now_ns)) {
        if (disk_is_stalled(self)) {
            timer_reset(self, now_ns); /* rule 36: asks nobody, looks again later */
            self->poll_current = 0;
        } else {
            poll_start(self, now_ns, out);
        }
    } else if (is_asking(self) && now_ns >= self->resend_ns) {
        ask_silent_voters(self, now_ns, out);
    }
}

/* Rule 14: a leader that hears a majority has heard itself. A change of term does not clear it. */
static bool leader_was_heard(const struct replicator *self, uint64_t now_ns)
{
    if (self->role == REPLICATOR_LEADER) {
        return leader_has_contact(self, self->options.election_timeout_ns, now_ns);
    }
    return self->leader_heard_ns != 0 && now_ns - self->leader_heard_ns < self->options.election_timeout_ns;
}

/* Rule 15: asked by a node that our newest configuration phases out, with a log no newer than ours. */
static bool is_phased_out(const struct replicator *self, uint64_t node_id, int compared)
{
    const struct configuration *configuration = log_configuration(self);
    if (configuration == NULL || compared > 0) {
        return false;
    }
    if (!configuration->transitional || !configuration_has_voter(configuration, node_id)) {
        return !configuration_has_voter(configuration, node_id);
    }
    bool in_next = false;
    bool self_in_next = false;
    for (uint32_t i = 0; i < configuration->voter_count; i++) {
        in_next |= configuration->voters[i] == node_id;
        self_in_next |= configuration->voters[i] == self->options.node_id;
    }
    return !in_next && self_in_next && self->role == REPLICATOR_FOLLOWER;
}

/* Rule 15 (!): "removed" only if the newest configuration is committed here and does not name the sender. */
static bool is_removed(const struct replicator *self, uint64_t node_id, int compared)
{
    const struct logged_configuration *newest = replicator_configuration(self);
    return newest != NULL && newest->index <= self->commit_index && compared <= 0 &&
           !configuration_has_voter(&newest->configuration, node_id) &&
           !configuration_has_learner(&newest->configuration, node_id);
}

static void answer(struct replicator *self, const struct message *asked, bool granted,
                   struct replicator_output *out)
{
    const struct request_vote *request = &asked->request_vote;
    int compared = log_compare(self, request->last_log_index, request->last_log_term);
    struct message *reply = output_message(self, out, asked->sender_id,
                                           asked->kind == MESSAGE_REQUEST_VOTE ? MESSAGE_REQUEST_VOTE_REPLY
                                                                               : MESSAGE_PRE_ELECTION_REPLY,
                                           asked->message_id);
    reply->in_reply = 1;
    reply->request_vote_reply.term = self->term;
    reply->request_vote_reply.granted = granted;
    reply->request_vote_reply.removed = !granted && is_removed(self, asked->sender_id, compared);
}

/* Rule 14. Answering changes nothing here. */
void poll_receive(struct replicator *self, const struct message *message, uint64_t now_ns,
                  struct replicator_output *out)
{
    const struct request_vote *request = &message->request_vote;
    int compared = log_compare(self, request->last_log_index, request->last_log_term);
#ifdef TALLY_MUTANT_VOTE_FOR_SHORT_LOG
    compared = compared < 0 ? 0 : compared;
#endif
    bool would_vote = request->term >= self->term && compared >= 0 && !leader_was_heard(self, now_ns) &&
                      !is_phased_out(self, message->sender_id, compared) && !disk_is_stalled(self);
    answer(self, message, would_vote, out);
}

/* Rule 19, in its order. */
void vote_receive(struct replicator *self, const struct message *message, uint64_t now_ns,
                  struct replicator_output *out)
{
    const struct request_vote *request = &message->request_vote;
    if (request->candidate_id != message->sender_id || request->term == 0) {
        return;
    }
    if (request->term < self->term || leader_was_heard(self, now_ns)) {
        /* Also with a higher term: adopting it before refusing would depose a healthy leader. */
        answer(self, message, false, out);
        return;
    }
    if (request->term > self->term) {
        term_adopt(self, request->term, now_ns, out);
    }
    int compared = log_compare(self, request->last_log_index, request->last_log_term);
#ifdef TALLY_MUTANT_VOTE_FOR_SHORT_LOG
    compared = compared < 0 ? 0 : compared;
#endif
    bool granted = compared >= 0 && (self->voted_for == 0 || self->voted_for == request->candidate_id) &&
                   !is_phased_out(self, message->sender_id, compared);
    if (granted) {
        if (self->voted_for == 0) {
            hard_state_change(self, self->term, request->candidate_id, out);
        }
        self->poll_current = 0;
        timer_reset(self, now_ns);
    }
    answer(self, message, granted, out);
}

/* The answer to our present question, counted once; false when it is not one. */
static bool answer_count(struct replicator *self, const struct message *message)
{
    struct peer_progress *peer = peer_find(self, message->sender_id);
    if (message->message_id != self->poll_or_election_message_id || peer == NULL || peer->granted != 0) {
        return false;
    }
    peer->granted = message->request_vote_reply.granted ? 1 : 2;
    if (message->request_vote_reply.removed) {
        self->removed = 1;
    }
    return true;
}

/* Rule 16: a reply of a lower term counts, the poll asks about the log and about leaders. */
void poll_receive_reply(struct replicator *self, const struct message *message, uint64_t now_ns,
                        struct replicator_output *out)
{
    if (message->request_vote_reply.term > self->term) {
        term_adopt(self, message->request_vote_reply.term, now_ns, out);
        return;
    }
    if (self->poll_current && answer_count(self, message) && voters_agreed(self, VALUE_GRANTED, 1) >= 1) {
        election_start(self, now_ns, out);
    }
}

void vote_receive_reply(struct replicator *self, const struct message *message, uint64_t now_ns,
                        struct replicator_output *out)
{
    if (message->request_vote_reply.term > self->term) {
        term_adopt(self, message->request_vote_reply.term, now_ns, out);
        return;
    }
    if (self->role == REPLICATOR_CANDIDATE && message->request_vote_reply.term == self->term &&
        answer_count(self, message)) {
        election_check_won(self, now_ns, out);
    }
}

void election_check_won(struct replicator *self, uint64_t now_ns, struct replicator_output *out)
{
    /* Rule 17: our own vote counts when it is durable, like any other. */
    uint64_t own = self->hard_state_durable == self->hard_state_number ? 1 : 0;
    if (own == 1 && voters_agreed(self, VALUE_GRANTED, own) >= 1) {
        leader_start(self, now_ns, out);
    }
}
