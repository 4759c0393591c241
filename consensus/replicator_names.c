/* SPDX-License-Identifier: Apache-2.0 */
#include "replicator_names.h"

#include "replicator.h"

const char *replicator_role_name(uint64_t role)
{
    switch ((enum replicator_role)role) {
    case REPLICATOR_FOLLOWER:
        return "follower";
    case REPLICATOR_CANDIDATE:
        return "candidate";
    case REPLICATOR_LEADER:
        return "leader";
    case REPLICATOR_FAILED:
        return "failed";
    }
    return "unknown";
}

const char *replicator_failure_name(uint64_t failure)
{
    switch ((enum replicator_failure)failure) {
    case REPLICATOR_FAILURE_NONE:
        return "none";
    case REPLICATOR_FAILURE_DISK:
        return "disk";
    case REPLICATOR_FAILURE_TRUNCATE_COMMITTED:
        return "truncate-committed";
    case REPLICATOR_FAILURE_TWO_LEADERS:
        return "two-leaders";
    case REPLICATOR_FAILURE_BOUND:
        return "bound";
    case REPLICATOR_FAILURE_LOG:
        return "log";
    }
    return "unknown";
}

const char *replicator_event_name(uint64_t kind)
{
    switch ((enum replicator_event_kind)kind) {
    case EVENT_QUORUM_START:
        return "QUORUM_START";
    case EVENT_ELECTION_TIMEOUT:
        return "ELECTION_TIMEOUT";
    case EVENT_ELECTION_STARTED:
        return "ELECTION_STARTED";
    case EVENT_LEADER_ELECTED:
        return "LEADER_ELECTED";
    case EVENT_LEADER_DEPOSED:
        return "LEADER_DEPOSED";
    case EVENT_QUORUM_CONFIGURATION_COMMITTED:
        return "QUORUM_CONFIGURATION_COMMITTED";
    case EVENT_QUORUM_FAILURE:
        return "QUORUM_FAILURE";
    case EVENT_STATE_CHANGE:
        return "STATE_CHANGE";
    case EVENT_PEER_LOST_DATA:
        return "PEER_LOST_DATA";
    case EVENT_TIMEOUT_MISMATCH:
        return "TIMEOUT_MISMATCH";
    case EVENT_IN_DOUBT:
        return "IN_DOUBT";
    case EVENT_FOREIGN_INCARNATION:
        return "FOREIGN_INCARNATION";
    case EVENT_NAME_TAKEN:
        return "NAME_TAKEN";
    }
    return "unknown";
}
