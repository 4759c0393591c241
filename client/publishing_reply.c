/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes answer: watermarks, refusals, and who leads. */
#include "publishing.h"

#include "client.h"

#define BUSY_PAUSE_NS 500000ull

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Only what answers the present question, or comes from the leader we follow, moves us. A node that does not
 * know the quorum knows no term. */
static bool concerns_us(const struct publishing *publishing, uint32_t node, const struct message *message)
{
    uint64_t term = message->publish_reply.term;
    if (node != publishing->node) {
        return false;
    }
    if (publishing->state == PUBLISHING_ATTACHED) {
        return term == 0 || term >= publishing->term;
    }
    return publishing->ask_id != 0 && message->message_id >= publishing->ask_id;
}

/* ---- watermarks ---- */

static void tell_range(struct tally_client *client, enum tally_event_kind kind, uint64_t from, uint64_t to,
                       uint64_t index, uint64_t term)
{
    uint64_t first = greater(from, client->publishing.given_up + 1);
    if (first <= to) {
        client_tell(client, &(struct tally_event){.kind = kind,
                                                  .first_source_sequence = first,
                                                  .source_sequence = to,
                                                  .index = index,
                                                  .term = term});
    }
}

/* The leader that opened our session, in the same term: its log has nothing of our source but what it had
 * when we asked and what we sent since. */
static bool is_our_leader(const struct publishing *publishing, uint32_t node,
                          const struct publish_reply *reply)
{
    return publishing->state == PUBLISHING_ATTACHED && node == publishing->node &&
           reply->term == publishing->term && reply->wanted_source_sequence != 0;
}

/* Each entry once in either range, ascending; no commit before its receipt. A commit is true whoever tells of
 * it once our numbers are confirmed, what only is in a log counts from the leader alone. */
static void take_watermarks(struct tally_client *client, const struct publish_reply *reply, uint32_t node,
                            bool is_leader)
{
    struct publishing *publishing = &client->publishing;
    if (!publishing->is_numbered || (!publishing->is_confirmed && !is_our_leader(publishing, node, reply))) {
        return;
    }
    uint64_t sent = publishing->sent_end - 1;
    uint64_t committed = smaller(reply->committed_source_sequence, sent);
    uint64_t committed_index = committed == reply->committed_source_sequence ? reply->committed_index : 0;
    uint64_t logged = is_leader ? smaller(reply->logged_source_sequence, sent) : 0;
    uint64_t logged_index = logged == reply->logged_source_sequence ? reply->logged_index : 0;
    if (logged <= committed) {
        logged = committed;
        logged_index = committed_index;
    }
    if (logged > publishing->receipt && logged >= publishing->first) {
        uint64_t from = publishing->receipt + 1;
        publishing->receipt = logged;
        tell_range(client, TALLY_RECEIPT, from, logged, logged_index, reply->term);
    }
    if (committed >= publishing->first) {
        uint64_t from = publishing->first;
        uint64_t count = committed + 1 - from;
        publishing->is_confirmed = true;
        publishing->first = committed + 1;
        publishing->first_slot = (uint32_t)((publishing->first_slot + count) % publishing->slot_count);
        publishing->send_next = greater(publishing->send_next, publishing->first);
        tell_range(client, TALLY_COMMITTED, from, committed, committed_index, reply->term);
    }
}

/* ---- refusals ---- */

void publishing_go_back(struct tally_client *client, uint64_t sequence)
{
    struct publishing *publishing = &client->publishing;
    uint64_t target = smaller(greater(sequence, publishing->first), publishing->sent_end);
    if (target < publishing->send_next) {
        publishing->resend_id = client->message_id + 1;
        publishing->resend_ns = client->now_ns;
    }
    publishing->send_next = target;
}

void publishing_refuse_from(struct tally_client *client, uint64_t from, enum tally_status status)
{
    struct publishing *publishing = &client->publishing;
    uint64_t end = publishing->next;
    uint64_t told = greater(from, publishing->given_up + 1);
    publishing->next = from;
    publishing->tail_bytes =
        from < end ? publishing_slot_of(publishing, from)->bytes_before : publishing->tail_bytes;
    publishing->send_next = smaller(publishing->send_next, from);
    publishing->sent_end = smaller(publishing->sent_end, from);
    publishing->receipt = smaller(publishing->receipt, from - 1);
    publishing->given_up = smaller(publishing->given_up, from - 1);
    publishing->is_refusing = true;
    for (uint64_t sequence = told; sequence < end; sequence++) {
        client_tell(client, &(struct tally_event){
                                .kind = TALLY_REFUSED, .status = status, .source_sequence = sequence});
    }
    publishing->is_refusing = false;
}

/* A refusal of something that has been sent again since is old news; but not for ever, in case the newer copy
 * and its answer are lost. */
static bool is_fresh(const struct tally_client *client, const struct message *message)
{
    const struct publishing *publishing = &client->publishing;
    return message->message_id >= publishing->resend_id ||
           client->now_ns - publishing->resend_ns >= client->retry_ns;
}

/* The same entry is missing twice in a row: one frame at a time until it has arrived, so that what is behind
 * it can neither fill queues nor hide why it is refused. */
static void repair_gap(struct tally_client *client, uint64_t wanted)
{
    struct publishing *publishing = &client->publishing;
    publishing->is_probing = publishing->gap_sequence == wanted;
    publishing->gap_sequence = wanted;
    if (wanted < publishing->first) {
        publishing_tell_problem(client, TALLY_FAILED, client->nodes[publishing->node].node_id);
        publishing->pause_end_ns =
            client->now_ns + client->retry_ns; /* it lacks what was committed: no leader */
    }
    publishing_go_back(client, wanted);
}

/* A copy of a refused entry may still be on its way, and there may be room for it when it arrives. So the
 * leader is asked anew: what it does not have then, it will not take. */
static void refuse(struct tally_client *client, uint64_t wanted, enum tally_status status)
{
    struct publishing *publishing = &client->publishing;
    publishing_tell_problem(client, status, client->nodes[publishing->node].node_id);
    publishing_ask_at(client, publishing->node, client->now_ns);
    publishing->refusal = status;
    publishing->refused = wanted;
}

/* The leader that refused still does not have the entry. What was sent to no other is in no log and never
 * will be. The rest may be in an earlier leader's, and be committed if that one leads again: its outcome is
 * not known, and its numbers stay taken. */
static void settle_refusal(struct tally_client *client)
{
    struct publishing *publishing = &client->publishing;
    enum tally_status status = publishing->refusal;
    uint64_t from = greater(publishing->refused, publishing->first);
    publishing->refusal = TALLY_OK;
    if (from < publishing->elsewhere) {
        publishing->pause_end_ns = client->now_ns + client->retry_ns; /* then it is sent again */
        if (from > publishing->first) {
            return; /* those before it are in the log and are decided first */
        }
        publishing_give_up_to(client, publishing->elsewhere - 1);
        from = publishing->elsewhere;
    }
    publishing_refuse_from(client, from, status);
}

static void handle_status(struct tally_client *client, const struct message *message, bool answers_question)
{
    const struct publish_reply *reply = &message->publish_reply;
    uint64_t wanted = reply->wanted_source_sequence;
    switch ((enum publish_status)reply->status) {
    case PUBLISH_OK:
        if (answers_question) {
            publishing_go_back(client, wanted);
        }
        return;
    case PUBLISH_SEQUENCE_GAP:
        repair_gap(client, wanted);
        return;
    case PUBLISH_BUSY:
        client->publishing.pause_end_ns = client->now_ns + BUSY_PAUSE_NS;
        publishing_go_back(client, wanted);
        return;
    case PUBLISH_NO_SPACE:
        refuse(client, wanted, TALLY_NO_SPACE);
        return;
    case PUBLISH_TOO_LARGE:
        refuse(client, wanted, TALLY_TOO_LARGE);
        return;
    case PUBLISH_MALFORMED:
        refuse(client, wanted, TALLY_MALFORMED);
        return;
    case PUBLISH_SOURCES_FULL:
        refuse(client, wanted, TALLY_SOURCES_FULL);
        return;
    case PUBLISH_NOT_LEADER:
    case PUBLISH_UNKNOWN_QUORUM:
    case PUBLISH_FAILED:
        return; /* not said by a leader: handled before */
    }
}

/* Whether a leader can be sent entries under the numbers we have, or now get from it. */
static bool has_numbers(struct tally_client *client, uint32_t node, const struct publish_reply *reply,
                        bool answers_question)
{
    struct publishing *publishing = &client->publishing;
    uint64_t wanted = reply->wanted_source_sequence;
    if (!publishing->is_confirmed && reply->term != publishing->term) {
        if (!answers_question || node != publishing->node) {
            publishing_ask_at(client, node, client->now_ns); /* only a question opens a session */
            return false;
        }
        if (publishing->is_numbered && wanted > publishing->first) {
            publishing_lose_numbers(client); /* whose entries has it there: ours, or an earlier life's? */
        }
    }
    if (!publishing->is_numbered && wanted != reply->committed_source_sequence + 1) {
        /* What an earlier life left in this leader's log may still be lost, and nobody could send it again:
         * new numbers begin behind what is committed. */
        publishing_ask_at(client, node, client->now_ns + client->retry_ns / 4);
        return false;
    }
    return true;
}

/* From one that leads: it says which sequence it wants. */
static void receive_from_leader(struct tally_client *client, uint32_t node, const struct message *message)
{
    struct publishing *publishing = &client->publishing;
    const struct publish_reply *reply = &message->publish_reply;
    uint64_t wanted = reply->wanted_source_sequence;
    bool is_new =
        publishing->state == PUBLISHING_ASKING || node != publishing->node || reply->term > publishing->term;
    bool answers_question = publishing->ask_id != 0 && message->message_id >= publishing->ask_id;
    if (reply->term < publishing->term || client->quorum_number == 0) {
        return;
    }
    if (publishing->state == PUBLISHING_ASKING && node == publishing->node && !answers_question) {
        return; /* an answer from before a pause or a new connection */
    }
    if (!has_numbers(client, node, reply, answers_question)) {
        return;
    }
    bool is_refused =
        publishing->refusal != TALLY_OK && reply->term == publishing->term && wanted == publishing->refused;
    if (is_new) {
        publishing_attach(client, node, reply);
    }
    if (is_refused) {
        settle_refusal(client);
    }
    publishing->refusal = TALLY_OK;
    publishing->alive_ns = client->now_ns;
    publishing->ask_count = 0;
    if (answers_question) {
        publishing->ask_id = 0;
    }
    if (wanted > publishing->held + 1) {
        publishing->held = wanted - 1;
        publishing->is_probing = false;
        publishing_tell_problem(client, TALLY_OK, 0);
        publishing->send_next = greater(publishing->send_next, smaller(wanted, publishing->sent_end));
    }
    if (wanted > publishing->sent_end) {
        publishing_yield_numbers(client, wanted);
        return;
    }
    if (!is_new && (reply->status == PUBLISH_OK || is_fresh(client, message))) {
        handle_status(client, message, answers_question);
    }
}

unsigned publishing_receive(struct tally_client *client, uint32_t node, const struct message *message)
{
    struct publishing *publishing = &client->publishing;
    const struct publish_reply *reply = &message->publish_reply;
    if (publishing->state == PUBLISHING_IDLE || reply->source_id != publishing->source_id) {
        return 0;
    }
    bool leads = reply->wanted_source_sequence != 0;
    bool is_current = leads && reply->term >= publishing->term;
    take_watermarks(client, reply, node, is_current);
    switch ((enum publish_status)reply->status) {
    case PUBLISH_NOT_LEADER:
        if (concerns_us(publishing, node, message)) {
            publishing_follow_redirection(client, node, reply);
        }
        return 1;
    case PUBLISH_UNKNOWN_QUORUM:
        if (concerns_us(publishing, node, message)) {
            publishing_leave(client, node, TALLY_UNKNOWN_QUORUM);
        }
        return 1;
    case PUBLISH_FAILED:
        if (concerns_us(publishing, node, message)) {
            publishing_leave(client, node, TALLY_FAILED);
        }
        return 1;
    case PUBLISH_BUSY:
    case PUBLISH_OK:
    case PUBLISH_NO_SPACE:
    case PUBLISH_TOO_LARGE:
    case PUBLISH_MALFORMED:
    case PUBLISH_SEQUENCE_GAP:
    case PUBLISH_SOURCES_FULL:
        if (leads) {
            receive_from_leader(client, node, message);
        } else if (concerns_us(publishing, node, message)) {
            /* It does not know us, so it is asked; or it had no place for us when asked just now. */
            uint64_t delay_ns = publishing->state == PUBLISHING_ATTACHED ? 0 : client->retry_ns / 4;
            publishing_ask_at(client, node, client->now_ns + delay_ns);
        }
        return 1;
    }
    return 0;
}
