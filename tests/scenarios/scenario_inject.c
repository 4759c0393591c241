/* SPDX-License-Identifier: Apache-2.0 */
/* Messages made by hand, with any field, delivered at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "scenario.h"

bool scenario_parse_range(const char *word, uint64_t *ret_term, uint64_t *ret_first, uint64_t *ret_last)
{
    unsigned long long term;
    unsigned long long first;
    unsigned long long last;
    int fields = sscanf(word, "%llu:%llu..%llu", &term, &first, &last);
    if (fields < 2) {
        return false;
    }
    *ret_term = term;
    *ret_first = first;
    *ret_last = fields == 3 ? last : first;
    return true;
}

bool scenario_parse_way(const char *word, uint64_t *ret_from, uint64_t *ret_to)
{
    unsigned long long from;
    unsigned long long to;
    if (sscanf(word, "%llu>%llu", &from, &to) != 2 || from >= SCENARIO_NODES || to >= SCENARIO_NODES) {
        return false;
    }
    *ret_from = from;
    *ret_to = to;
    return true;
}

size_t scenario_make_record(const struct scenario *scenario, uint8_t *bytes, uint64_t term, uint64_t index)
{
    struct record_head head = {
        .type = RECORD_DATA, .quorum_number = FAKE_QUORUM, .index = index, .term = term, .log_time_ns = term};
    if (index == 1 && term == 0) {
        head.type = RECORD_CONFIGURATION;
        return record_finish(bytes, &head,
                             configuration_encode(&scenario->voters, bytes + RECORD_HEAD_BYTES));
    }
    int payload_bytes = sprintf((char *)bytes + RECORD_HEAD_BYTES, "%llu:%llu", (unsigned long long)term,
                                (unsigned long long)index);
    return record_finish(bytes, &head, (size_t)payload_bytes);
}

static const struct {
    const char *name;
    uint8_t kind;
} kinds[] = {
    {"poll", MESSAGE_PRE_ELECTION_POLL}, {"poll-reply", MESSAGE_PRE_ELECTION_REPLY},
    {"vote", MESSAGE_REQUEST_VOTE},      {"vote-reply", MESSAGE_REQUEST_VOTE_REPLY},
    {"append", MESSAGE_APPEND_ENTRIES},  {"append-reply", MESSAGE_APPEND_ENTRIES_REPLY},
};

struct injection {
    struct scenario *scenario;
    const struct replicator *receiver;
    struct message message;
    uint8_t tail[FAKE_FRAME_BYTES];
    uint32_t tail_bytes;
    bool bad;
};

static void add_entries(struct injection *injection, const char *value)
{
    uint64_t term;
    uint64_t first;
    uint64_t last;
    if (!scenario_parse_range(value, &term, &first, &last)) {
        injection->bad = true;
        return;
    }
    for (uint64_t index = first; index <= last; index++) {
        injection->tail_bytes += (uint32_t)scenario_make_record(
            injection->scenario, injection->tail + injection->tail_bytes, term, index);
    }
}

static uint64_t parse_id(const struct injection *injection, const char *value)
{
    if (strcmp(value, "question") == 0) {
        return injection->receiver->poll_or_election_message_id;
    }
    if (strcmp(value, "newest") == 0) {
        return injection->receiver->last_message_id;
    }
    return strtoull(value, NULL, 10);
}

static void set_request(struct injection *injection, const char *key, const char *value)
{
    struct request_vote *request = &injection->message.request_vote;
    uint64_t rest;
    request->candidate_id = injection->message.sender_id;
    if (strcmp(key, "term") == 0) {
        request->term = strtoull(value, NULL, 10);
    } else if (strcmp(key, "last") != 0 ||
               !scenario_parse_range(value, &request->last_log_term, &request->last_log_index, &rest)) {
        injection->bad = true;
    }
}

static void set_request_reply(struct injection *injection, const char *key, const char *value)
{
    struct request_vote_reply *reply = &injection->message.request_vote_reply;
    if (strcmp(key, "term") == 0) {
        reply->term = strtoull(value, NULL, 10);
    } else if (strcmp(key, "granted") == 0) {
        reply->granted = (uint8_t)atoi(value);
    } else if (strcmp(key, "removed") == 0) {
        reply->removed = (uint8_t)atoi(value);
    } else {
        injection->bad = true;
    }
}

static void set_append(struct injection *injection, const char *key, const char *value)
{
    struct append_entries *append = &injection->message.append_entries;
    uint64_t rest;
    append->leader_id = injection->message.sender_id;
    if (strcmp(key, "term") == 0) {
        append->term = strtoull(value, NULL, 10);
    } else if (strcmp(key, "commit") == 0) {
        append->commit_index = strtoull(value, NULL, 10);
    } else if (strcmp(key, "timeout") == 0) {
        append->election_timeout_ns = strtoull(value, NULL, 10) * 1000000;
    } else if (strcmp(key, "entries") == 0) {
        add_entries(injection, value);
    } else if (strcmp(key, "prev") != 0 ||
               !scenario_parse_range(value, &append->prev_log_term, &append->prev_log_index, &rest)) {
        injection->bad = true;
    }
}

static void set_append_reply(struct injection *injection, const char *key, const char *value)
{
    struct append_entries_reply *reply = &injection->message.append_entries_reply;
    uint64_t number = strtoull(value, NULL, 10);
    if (strcmp(key, "term") == 0) {
        reply->term = number;
    } else if (strcmp(key, "ok") == 0) {
        reply->success = (uint8_t)number;
    } else if (strcmp(key, "hint") == 0) {
        reply->next_index_hint = number;
    } else if (strcmp(key, "refused") == 0) {
        reply->refused_prev_index = number;
    } else if (strcmp(key, "received") == 0) {
        reply->received_index = number;
    } else if (strcmp(key, "durable") == 0) {
        reply->durable_index = number;
    } else {
        injection->bad = true;
    }
}

static void set_field(struct injection *injection, const char *key, const char *value)
{
    struct message *message = &injection->message;
    if (strcmp(key, "id") == 0) {
        message->message_id = parse_id(injection, value);
        return;
    }
    if (strcmp(key, "incarnation") == 0) {
        message->incarnation = strtoull(value, NULL, 10);
        return;
    }
    switch (message->kind) {
    case MESSAGE_PRE_ELECTION_POLL:
    case MESSAGE_REQUEST_VOTE:
        set_request(injection, key, value);
        return;
    case MESSAGE_PRE_ELECTION_REPLY:
    case MESSAGE_REQUEST_VOTE_REPLY:
        message->in_reply = 1;
        set_request_reply(injection, key, value);
        return;
    case MESSAGE_APPEND_ENTRIES:
        set_append(injection, key, value);
        return;
    case MESSAGE_APPEND_ENTRIES_REPLY:
        message->in_reply = 1;
        set_append_reply(injection, key, value);
        return;
    default:
        injection->bad = true;
    }
}

static const char *verdict_name(enum host_verdict verdict)
{
    switch (verdict) {
    case HOST_TAKEN:
        return "taken";
    case HOST_BUSY:
        return "busy";
    case HOST_NO_SPACE:
        return "no space";
    case HOST_FAILED:
        return "failed";
    case HOST_BAD_RECORDS:
        return "bad records";
    case HOST_BAD_SENDER:
        return "bad sender";
    case HOST_NEW_SENDER:
        return "new sender";
    }
    return "?";
}

static void deliver(struct injection *injection, struct scenario_node *node)
{
    enum host_verdict verdict = host_receive(node->fake.host, node->fake.slot, &injection->message,
                                             injection->tail, injection->tail_bytes, node->now_ns);
    if (verdict != HOST_TAKEN) {
        scenario_say(injection->scenario, "%llu: not taken: %s\n", (unsigned long long)node->fake.node_id,
                     verdict_name(verdict));
    }
    host_poll(node->fake.host, node->now_ns);
}

void scenario_inject(struct scenario *scenario, char **words, uint32_t count)
{
    static struct injection injection;
    uint64_t from;
    uint64_t to;
    memset(&injection, 0, sizeof(injection));
    injection.scenario = scenario;
    if (count < 3 || !scenario_parse_way(words[2], &from, &to) || !scenario->nodes[to].fake.up) {
        scenario_say(scenario, "? inject\n");
        return;
    }
    injection.receiver = fake_node_replicator(&scenario->nodes[to].fake);
    injection.message = (struct message){.message_id = 1,
                                         .sender_id = from,
                                         .receiver_id = to,
                                         .quorum_number = FAKE_QUORUM,
                                         .incarnation = 100 + from};
    for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(words[1], kinds[i].name) == 0) {
            injection.message.kind = kinds[i].kind;
        }
    }
    for (uint32_t i = 3; i < count; i++) {
        char *value = strchr(words[i], '=');
        if (value == NULL) {
            injection.bad = true;
            break;
        }
        *value = '\0';
        set_field(&injection, words[i], value + 1);
    }
    if (injection.bad) {
        scenario_say(scenario, "? inject\n");
        return;
    }
    deliver(&injection, &scenario->nodes[to]);
}
