/* SPDX-License-Identifier: Apache-2.0 */
/* Appends from a leader (rules 25-29): what is proved, what conflicts, what is acknowledged. */
#include "replicator_internal.h"

#include "check.h"

/* Where the entries of a message and our log part. */
enum comparison {
    COMPARISON_EQUAL,    /* as far as both go */
    COMPARISON_CONFLICT, /* at *ret_conflict */
    COMPARISON_UNKNOWN,  /* the term at *ret_conflict is older than what the core knows */
};

static struct append_entries_reply *reply_append(struct replicator *self, struct replicator_output *out,
                                                 uint64_t receiver_id, uint64_t message_id)
{
    struct message *message =
        output_message(self, out, receiver_id, MESSAGE_APPEND_ENTRIES_REPLY, message_id);
    message->in_reply = 1;
    struct append_entries_reply *reply = &message->append_entries_reply;
    reply->term = self->term;
    reply->disk_stall_ns = self->disk_stall_ns;
    /* Rule 7: only what this term has proved, and of that as durable only what is. */
    reply->received_index = self->proved_index;
    reply->durable_index =
        self->durable_index < self->proved_index ? self->durable_index : self->proved_index;
#ifdef TALLY_MUTANT_ACK_BEFORE_DURABLE
    reply->durable_index = self->proved_index;
#endif
    return reply;
}

void follower_acknowledge(struct replicator *self, struct replicator_output *out)
{
    if (!self->acknowledgement_owed) {
        return;
    }
    ASSERT(self->role == REPLICATOR_FOLLOWER);
    ASSERT(self->leader_id != 0);
    self->acknowledgement_owed = 0;
    reply_append(self, out, self->leader_id, self->owed_message_id)->success = 1;
}

/* A refusal names the prev it refuses and where to look next (rule 26); hint 0: none. */
static void refuse(struct replicator *self, const struct message *message, uint64_t hint,
                   struct replicator_output *out)
{
    struct append_entries_reply *reply = reply_append(self, out, message->sender_id, message->message_id);
    reply->refused_prev_index = message->append_entries.prev_log_index;
    reply->next_index_hint = hint;
}

/* Rule 27: no gap, terms that do not fall, none above the message's. */
static bool entries_are_sound(const struct append_entries *append, const struct entries_summary *entries)
{
    uint64_t term = append->prev_log_term;
    uint64_t index = append->prev_log_index;
    if (entries->run_count == 0 || entries->run_count > MESSAGE_RUNS_MAX ||
        entries->first_index != append->prev_log_index + 1 ||
        entries->runs[0].first_index != entries->first_index) {
        return false;
    }
    for (uint32_t i = 0; i < entries->run_count; i++) {
        if (entries->runs[i].term < term || entries->runs[i].term > append->term ||
            entries->runs[i].first_index <= index) {
            return false;
        }
        index = entries->runs[i].first_index;
        term = entries->runs[i].term;
    }
    return index < entries->first_index + entries->entry_count;
}

/* The term of entry `index` of the message (prev itself included), and the last index of its run there. */
static uint64_t message_term_at(const struct append_entries *append, const struct entries_summary *entries,
                                uint64_t index, uint64_t *ret_run_last)
{
    if (index == append->prev_log_index) {
        *ret_run_last = index;
        return append->prev_log_term;
    }
    uint32_t i = entries->run_count - 1;
    while (index < entries->runs[i].first_index) {
        i--;
    }
    *ret_run_last = i + 1 < entries->run_count ? entries->runs[i + 1].first_index - 1
                                               : entries->first_index + entries->entry_count - 1;
    return entries->runs[i].term;
}

static enum comparison compare(const struct replicator *self, const struct append_entries *append,
                               const struct entries_summary *entries, uint64_t last_index,
                               uint64_t *ret_conflict)
{
    uint64_t end = last_index < self->last_index ? last_index : self->last_index;
    uint64_t index = append->prev_log_index + 1;
    while (index <= end) {
        uint64_t theirs_last;
        uint64_t ours_last;
        uint64_t ours;
        uint64_t theirs = message_term_at(append, entries, index, &theirs_last);
        *ret_conflict = index;
        if (!log_run_at(self, index, &ours, &ours_last)) {
            if (index > self->commit_index) {
                return COMPARISON_UNKNOWN;
            }
            index++; /* committed, so it is equal */
            continue;
        }
        if (ours != theirs) {
            return COMPARISON_CONFLICT;
        }
        index = (theirs_last < ours_last ? theirs_last : ours_last) + 1;
    }
    return COMPARISON_EQUAL;
}

/* Rule 26. True when the log holds prev; otherwise it is answered (or dropped until its term is known). */
static bool prev_matches(struct replicator *self, const struct message *message,
                         struct replicator_output *out)
{
    const struct append_entries *append = &message->append_entries;
    uint64_t term;
    uint64_t run_last;
    if (append->prev_log_index > self->last_index) {
        refuse(self, message, self->last_index + 1, out);
        return false;
    }
    bool known = log_run_at(self, append->prev_log_index, &term, &run_last);
    if (append->prev_log_index <= self->commit_index) {
        /* Leader completeness (Raft thesis 3.6.3): what is committed stands in every later leader's log, so
         * at or below our commit index the logs are equal, whatever we still know of its terms. Who says
         * otherwise is no leader to follow. */
        if (known && term != append->prev_log_term) {
            replicator_fail(self, REPLICATOR_FAILURE_TRUNCATE_COMMITTED, out);
            return false;
        }
        return true;
    }
    if (!known) {
        out->need_terms_index = append->prev_log_index; /* the leader sends again */
        return false;
    }
#ifdef TALLY_MUTANT_PREV_TERM_NOT_COMPARED
    term = append->prev_log_term;
#endif
    if (term == append->prev_log_term) {
        return true;
    }
    uint64_t first = log_run_first(self, append->prev_log_index);
    refuse(self, message, first > self->commit_index ? first : self->commit_index + 1, out);
    return false;
}

/* Takes the entries from `first` on into the log. False when the message cannot be taken. */
static bool take_entries(struct replicator *self, const struct entries_summary *entries, uint64_t first,
                         uint64_t last, struct replicator_output *out)
{
    if (entries->configuration_index >= first &&
        !log_add_configuration(self, entries->configuration_index, &entries->configuration)) {
        return false;
    }
    for (uint32_t i = 0; i < entries->run_count; i++) {
        uint64_t run_last = i + 1 < entries->run_count ? entries->runs[i + 1].first_index - 1 : last;
        if (run_last >= first) {
            log_append(self, run_last, entries->runs[i].term);
        }
    }
    out->append_source = APPEND_FROM_MESSAGE;
    out->append_first_index = first;
    out->append_last_index = last;
    return true;
}

/* Skips what is equal, truncates once from the first conflict, appends the rest (rule 27). False when the
 * message was refused, dropped or fatal. */
static bool log_follow(struct replicator *self, const struct message *message,
                       const struct entries_summary *entries, uint64_t last, struct replicator_output *out)
{
    const struct append_entries *append = &message->append_entries;
    uint64_t conflict = 0;
    uint64_t run_last;
    enum comparison comparison = compare(self, append, entries, last, &conflict);
    if (comparison == COMPARISON_UNKNOWN) {
        out->need_terms_index = conflict;
        return false;
    }
    if (comparison == COMPARISON_CONFLICT) {
        if (conflict <= self->commit_index) {
            replicator_fail(self, REPLICATOR_FAILURE_TRUNCATE_COMMITTED, out);
            return false;
        }
        log_truncate(self, conflict, message_term_at(append, entries, conflict - 1, &run_last));
        out->truncate_from = conflict;
    }
    if (last <= self->last_index) {
        return true;
    }
    return take_entries(self, entries, self->last_index + 1, last, out);
}

/* Rules 12, 14, 22, 25: a leader of our term was heard. */
static void leader_heard(struct replicator *self, const struct message *message, uint64_t now_ns,
                         struct replicator_output *out)
{
    const struct append_entries *append = &message->append_entries;
    if (self->role == REPLICATOR_CANDIDATE) {
        step_down(self, now_ns, out);
    }
    timer_reset(self, now_ns);
    self->leader_heard_ns = now_ns > 0 ? now_ns : 1;
    self->poll_current = 0;
    self->removed = 0;
    leader_announce(self, append->leader_id, out);
    if (append->election_timeout_ns != 0 &&
        append->election_timeout_ns != self->options.election_timeout_ns &&
        self->mismatch_term != self->term) {
        self->mismatch_term = self->term;
        output_event(out, EVENT_TIMEOUT_MISMATCH, append->leader_id, self->term, 0);
    }
}

/* Rule 25 up to the log. False when the message goes no further. */
static bool append_is_current(struct replicator *self, const struct message *message, uint64_t now_ns,
                              struct replicator_output *out)
{
    const struct append_entries *append = &message->append_entries;
    if (append->leader_id != message->sender_id || append->term == 0) {
        return false;
    }
    if (append->term < self->term) {
        /* Only the term is the answer. It names no prev: should the sender lead our term by now, it must not
         * take this for news about what it sends as leader of it. */
        reply_append(self, out, message->sender_id, message->message_id);
        return false;
    }
    if (append->term > self->term) {
        term_adopt(self, append->term, now_ns, out);
    } else if (self->role == REPLICATOR_LEADER) {
        replicator_fail(self, REPLICATOR_FAILURE_TWO_LEADERS, out);
        return false;
    } else if (self->announced_term == self->term && self->announced_leader_id != append->leader_id) {
        return false; /* two leaders of one term: whoever is wrong, we follow the first */
    }
    leader_heard(self, message, now_ns, out);
    return true;
}

static void commit_learn(struct replicator *self, const struct append_entries *append, uint64_t proved)
{
    /* Rule 29: what lies behind the proved part may be another leader's, and is not committed by this
     * message. */
#ifdef TALLY_MUTANT_COMMIT_BEYOND_PROVED
    proved = self->last_index;
#endif
    uint64_t commit = append->commit_index < proved ? append->commit_index : proved;
    if (commit > self->commit_index) {
        self->commit_index = commit;
    }
    if (self->replicated_index < self->commit_index) {
        self->replicated_index = self->commit_index;
    }
}

void follower_receive_append(struct replicator *self, const struct message *message,
                             const struct entries_summary *entries, uint64_t now_ns,
                             struct replicator_output *out)
{
    const struct append_entries *append = &message->append_entries;
    uint64_t count = entries != NULL ? entries->entry_count : 0;
    if (!append_is_current(self, message, now_ns, out)) {
        return;
    }
    if (count > 0 && !entries_are_sound(append, entries)) {
        refuse(self, message, 0, out);
        return;
    }
    if (!prev_matches(self, message, out)) {
        return;
    }
    uint64_t proved = append->prev_log_index + count;
    if (count > 0 && !log_follow(self, message, entries, proved, out)) {
        return;
    }
    if (proved > self->proved_index) {
        self->proved_index = proved;
    }
    commit_learn(self, append, proved);
    /* A reordered older message does not take the place of a newer one in the answer. */
    if (!self->acknowledgement_owed || message->message_id > self->owed_message_id) {
        self->owed_message_id = message->message_id;
    }
    self->acknowledgement_owed = 1;
}
