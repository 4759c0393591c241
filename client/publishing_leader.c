/* SPDX-License-Identifier: Apache-2.0 */
/* Who leads: asking round, being sent elsewhere, and taking up with a leader. */
#include "client.h"
#include "publishing.h"

/* Nodes may point at each other while they learn of a new leader. */
#define REDIRECT_COUNT_MAX 2

void publishing_tell_problem(struct tally_client *client, enum tally_status status, uint64_t node_id)
{
    client_tell_problem(client, &client->publishing.problem,
                        &(struct tally_event){.status = status, .node_id = node_id});
}

void publishing_tell_leader(struct tally_client *client, uint64_t leader_id, uint64_t term)
{
    struct publishing *publishing = &client->publishing;
    if (publishing->told_leader_id == leader_id && (leader_id == 0 || publishing->told_term == term)) {
        return;
    }
    publishing->told_leader_id = leader_id;
    publishing->told_term = term;
    client_tell(client, &(struct tally_event){.kind = TALLY_LEADER, .node_id = leader_id, .term = term});
}

void publishing_ask_at(struct tally_client *client, uint32_t node, uint64_t due_ns)
{
    struct publishing *publishing = &client->publishing;
    publishing->state = PUBLISHING_ASKING;
    publishing->node = node;
    bool settles = !publishing->is_numbered && due_ns < publishing->settle_end_ns;
    publishing->ask_due_ns = settles ? publishing->settle_end_ns : due_ns;
    publishing->ask_id = 0;
}

void publishing_ask_another(struct tally_client *client, uint64_t delay_ns)
{
    struct publishing *publishing = &client->publishing;
    publishing->redirect_count = 0;
    publishing_ask_at(client, (publishing->node + 1) % client->node_count, client->now_ns + delay_ns);
    if (++publishing->asked_node_count < client->node_count) {
        return;
    }
    bool somebody_answered = publishing->answer_count > 0;
    publishing->asked_node_count = 0;
    publishing->answer_count = 0;
    publishing_tell_leader(client, 0, publishing->term);
    /* A node's own trouble, told before, says more than that nobody leads. */
    enum tally_status last = publishing->problem;
    if (!somebody_answered || last == TALLY_OK || last == TALLY_UNREACHABLE) {
        publishing_tell_problem(client, somebody_answered ? TALLY_NO_LEADER : TALLY_UNREACHABLE, 0);
    }
}

/* The number of the oldest entry, and of those behind it, before any was sent. */
static void number_from(struct publishing *publishing, uint64_t first)
{
    uint64_t count = publishing->next - publishing->first;
    publishing->is_numbered = true;
    publishing->first = first;
    publishing->send_next = first;
    publishing->sent_end = first;
    publishing->next = first + count;
    publishing->receipt = first - 1;
    publishing->given_up = first - 1;
    publishing->elsewhere = first;
}

void publishing_lose_numbers(struct tally_client *client)
{
    struct publishing *publishing = &client->publishing;
    publishing_give_up_to(client, publishing->sent_end - 1);
    publishing_refuse_from(client, publishing->sent_end, TALLY_FAILED);
    publishing->first = publishing->next;
    number_from(publishing, publishing->first);
    publishing->is_numbered = false;
}

/* The leader's log has entries of this source that this client never sent: another publisher uses its id, or
 * an earlier life's frames arrived late. What was not sent cannot have those numbers. */
void publishing_yield_numbers(struct tally_client *client, uint64_t wanted)
{
    struct publishing *publishing = &client->publishing;
    publishing_refuse_from(client, publishing->sent_end, TALLY_FAILED);
    publishing_ask_at(client, publishing->node, client->now_ns + client->retry_ns);
    if (publishing->first == publishing->next) {
        number_from(publishing, wanted);
    } /* else: those sent are decided first, then the leader is asked again */
}

void publishing_attach(struct tally_client *client, uint32_t node, const struct publish_reply *reply)
{
    struct publishing *publishing = &client->publishing;
    uint64_t wanted = reply->wanted_source_sequence;
    if (reply->term != publishing->term) { /* another leader */
        publishing->elsewhere = publishing->sent_end;
    }
    publishing->state = PUBLISHING_ATTACHED;
    publishing->node = node;
    publishing->generation = client->nodes[node].transport->generation;
    publishing->term = reply->term;
    publishing->ask_id = 0;
    publishing->asked_node_count = 0;
    publishing->answer_count = 0;
    publishing->redirect_count = 0;
    publishing->held = wanted - 1;
    publishing->is_probing = false;
    publishing->gap_sequence = 0;
    publishing->pause_end_ns = 0;
    if (!publishing->is_numbered) {
        number_from(publishing, wanted);
    }
    publishing_go_back(client, wanted);
    publishing->resend_id = client->message_id + 1; /* what was sent before speaks of another time */
    publishing->resend_ns = client->now_ns;
    if (publishing->refusal == TALLY_OK) {
        publishing_tell_problem(client, TALLY_OK, 0);
    }
    publishing_tell_leader(client, client->nodes[node].node_id, reply->term);
}

void publishing_follow_redirection(struct tally_client *client, uint32_t node,
                                   const struct publish_reply *reply)
{
    struct publishing *publishing = &client->publishing;
    uint32_t target = client_find_node(client, reply->leader_id);
    publishing->answer_count++;
    publishing_tell_leader(client, 0, reply->term);
    if (reply->leader_id != 0 && target == CLIENT_NO_NODE) {
        publishing_tell_problem(client, TALLY_UNREACHABLE, reply->leader_id);
    }
    if (target == node) {
        publishing_ask_at(client, node, client->now_ns + client->retry_ns / 4); /* elected, not ready yet */
    } else if (target != CLIENT_NO_NODE && publishing->redirect_count < REDIRECT_COUNT_MAX) {
        publishing->redirect_count++;
        publishing_ask_at(client, target, client->now_ns);
    } else {
        publishing_ask_another(client, client->retry_ns / 4);
    }
}

void publishing_leave(struct tally_client *client, uint32_t node, enum tally_status status)
{
    client->publishing.answer_count++;
    publishing_tell_problem(client, status, client->nodes[node].node_id);
    if (status == TALLY_UNKNOWN_QUORUM) {
        client->quorum_number = 0; /* it may have been made anew: ask by name */
    }
    publishing_ask_another(client, client->retry_ns / 4);
}
