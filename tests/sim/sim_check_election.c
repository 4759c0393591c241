/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_check.h"

/* Leader completeness: what was committed in an earlier term stands in the log of every later leader. */
static void check_completeness(struct sim *sim, uint32_t node, uint32_t quorum,
                               const struct replicator *replicator)
{
    const struct truth *truth = &sim->truths[quorum];
    for (uint64_t index = 1; index <= truth->committed_count; index++) {
        if (truth->committed[index - 1].commit_term >= replicator->term) {
            continue;
        }
        bool found = false;
        uint64_t term = replicator_term_at(replicator, index, &found);
        if (index > replicator->last_index || (found && term != truth_committed(truth, index)->term)) {
            sim_fail(sim, SIM_SAFETY,
                     "leader completeness: node %u leads term %lu without committed entry %lu", node + 1,
                     replicator->term, index);
            return;
        }
    }
}

void check_leader(struct sim *sim, uint32_t node, uint32_t quorum, const struct replicator *replicator)
{
    const struct node_view *view = &sim->nodes[node].views[quorum];
    if (replicator->role != REPLICATOR_LEADER ||
        (view->role == REPLICATOR_LEADER && view->term == replicator->term)) {
        return;
    }
    uint64_t leader = truth_leader(&sim->truths[quorum], replicator->term, sim_node_id(node));
    if (leader != sim_node_id(node)) {
        sim_fail(sim, SIM_SAFETY, "election safety: nodes %lu and %u both lead term %lu", leader, node + 1,
                 replicator->term);
    }
    check_completeness(sim, node, quorum, replicator);
}

static void check_vote(struct sim *sim, uint32_t node, struct truth *truth, uint64_t term,
                       uint64_t candidate_id)
{
    const struct stored_quorum *stored = stored_find(&sim->nodes[node].disk.durable, truth->number);
    uint64_t first = truth_vote(truth, term, sim_node_id(node), candidate_id);
    if (first != candidate_id) {
        sim_fail(sim, SIM_SAFETY, "one vote a term: node %u voted for %lu and %lu in term %lu", node + 1,
                 first, candidate_id, term);
    }
    if (!stored || stored->term < term || (stored->term == term && stored->voted_for != candidate_id)) {
        sim_fail(sim, SIM_SAFETY, "vote before it is durable: node %u, term %lu", node + 1, term);
    }
}

static void check_term(struct sim *sim, uint32_t node, const struct truth *truth, uint64_t term)
{
    const struct stored_quorum *stored = stored_find(&sim->nodes[node].disk.durable, truth->number);
    if (term > 0 && (!stored || stored->term < term)) {
        sim_fail(sim, SIM_SAFETY, "term before it is durable: node %u shows %lu, its disk %lu", node + 1,
                 term, stored ? stored->term : 0);
    }
}

/* An acknowledgement holds even if everything in flight is lost now; and what it says is in the leader's log.
 */
static void check_acknowledgement(struct sim *sim, uint32_t node, struct truth *truth,
                                  const struct message *message)
{
    const struct append_entries_reply *reply = &message->append_entries_reply;
    const struct stored *durable = &sim->nodes[node].disk.durable;
    const struct stored_quorum *stored = stored_find(durable, truth->number);
    uint64_t index = reply->durable_index;
    if (index == 0) {
        return;
    }
    if (!stored || index > stored->last_index) {
        sim_fail(sim, SIM_SAFETY, "acknowledgement before it is durable: node %u says %lu, its disk %lu",
                 node + 1, index, stored ? stored->last_index : 0);
        return;
    }
    const struct replicator *leader =
        sim_node_replicator(&sim->nodes[message->receiver_id - 1], (uint32_t)(truth - sim->truths));
    if (!leader || leader->role != REPLICATOR_LEADER || leader->term != reply->term) {
        return;
    }
    bool found = false;
    uint64_t term = replicator_term_at(leader, index, &found);
    if (index > leader->last_index || (found && term != stored->entries[index - 1].term)) {
        sim_fail(sim, SIM_SAFETY, "acknowledgement of another entry: node %u, index %lu, term %lu", node + 1,
                 index, reply->term);
    }
}

/* A node that does not have the quorum yet answers with the leader's own term and promises nothing. */
static bool has_quorum(const struct sim *sim, uint32_t node, uint64_t number)
{
    return host_find(engine_host(sim->nodes[node].engine), number) != HOST_NO_SLOT;
}

void check_message_leaves(struct sim *sim, uint32_t node, const struct message *message)
{
    struct truth *truth = sim_truth(sim, message->quorum_number);
    if (!truth || !has_quorum(sim, node, message->quorum_number)) {
        return;
    }
    const struct replicator *replicator =
        sim_node_replicator(&sim->nodes[node], (uint32_t)(truth - sim->truths));
    if (replicator->role == REPLICATOR_FAILED && message->kind < MESSAGE_PUBLISH) {
        sim_fail(sim, SIM_SAFETY, "a failed replicator speaks: node %u, message kind %u", node + 1,
                 message->kind);
    }
    switch ((enum message_kind)message->kind) {
    case MESSAGE_REQUEST_VOTE:
        check_vote(sim, node, truth, message->request_vote.term, sim_node_id(node));
        check_term(sim, node, truth, message->request_vote.term);
        break;
    case MESSAGE_REQUEST_VOTE_REPLY:
        if (message->request_vote_reply.granted) {
            check_vote(sim, node, truth, message->request_vote_reply.term, message->receiver_id);
        }
        check_term(sim, node, truth, message->request_vote_reply.term);
        break;
    case MESSAGE_APPEND_ENTRIES:
        check_term(sim, node, truth, message->append_entries.term);
        if (truth_leader(truth, message->append_entries.term, sim_node_id(node)) != sim_node_id(node)) {
            sim_fail(sim, SIM_SAFETY, "election safety: two nodes send entries in term %lu",
                     message->append_entries.term);
        }
        break;
    case MESSAGE_APPEND_ENTRIES_REPLY:
        check_term(sim, node, truth, message->append_entries_reply.term);
        check_acknowledgement(sim, node, truth, message);
        break;
    case MESSAGE_PRE_ELECTION_POLL: /* has the same fields */
        check_term(sim, node, truth, message->request_vote.term);
        break;
    case MESSAGE_PRE_ELECTION_REPLY:
        check_term(sim, node, truth, message->request_vote_reply.term);
        break;
    case MESSAGE_PUBLISH:
    case MESSAGE_PUBLISH_REPLY:
    case MESSAGE_SUBSCRIBE:
    case MESSAGE_SUBSCRIBE_REPLY:
    case MESSAGE_DELIVER:
    case MESSAGE_DELIVER_REPLY:
    case MESSAGE_ADMIN:
    case MESSAGE_ADMIN_REPLY:
        break;
    }
}
