/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes of a scenario: what their logs hold when they start. */
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

static void put_range(struct scenario *scenario, struct fake_log *log, uint64_t term, uint64_t first,
                      uint64_t last)
{
    uint8_t record[512];
    for (uint64_t index = first; index <= last; index++) {
        scenario_make_record(scenario, record, term, index);
        struct record_head head = record_head_load(record);
        fake_log_put(log, &head, record + RECORD_HEAD_BYTES, head.length - RECORD_HEAD_BYTES);
    }
}

uint32_t scenario_parse_ids(const char *text, uint64_t *ret_ids)
{
    uint32_t count = 0;
    while (*text >= '0' && *text <= '9' && count < VOTERS_MAX) {
        char *end;
        ret_ids[count++] = strtoull(text, &end, 10);
        text = *end == ',' ? end + 1 : end;
    }
    return count;
}

/* "1,2>3,4" as a transitional configuration, "3,4" as a stable one, at the end of the log. */
static void put_configuration(struct fake_log *log, uint64_t term, uint64_t index, const char *word)
{
    uint8_t payload[CONFIGURATION_BYTES_MAX];
    struct configuration configuration = {0};
    const char *next = strchr(word, '>');
    if (next != NULL) {
        configuration.transitional = 1;
        configuration.previous_count = (uint8_t)scenario_parse_ids(word, configuration.previous);
        word = next + 1;
    }
    configuration.voter_count = (uint8_t)scenario_parse_ids(word, configuration.voters);
    const struct record_head head = {
        .type = RECORD_CONFIGURATION, .quorum_number = FAKE_QUORUM, .index = index, .term = term};
    fake_log_put(log, &head, payload, configuration_encode(&configuration, payload));
}

static void put_special(struct fake_log *log, uint8_t type, uint64_t index, uint64_t term)
{
    const struct record_head head = {
        .type = type, .quorum_number = FAKE_QUORUM, .index = index, .term = term};
    const uint8_t published[8] = {0};
    fake_log_put(log, &head, published, type == RECORD_BOUNDS ? sizeof(published) : 0);
}

static void put_peers(struct scenario_node *node)
{
    for (uint64_t id = 1; id < SCENARIO_NODES; id++) {
        if (id != node->fake.node_id) {
            put_special(&node->fake.log, RECORD_PEER, id, 100 + id);
        }
    }
}

static void forget_peers(struct fake_log *log)
{
    log->end = 0; /* the first records of a log */
    log->durable = 0;
}

static bool node_word(struct scenario *scenario, struct fake_log *log, char **words, uint32_t *at,
                      uint32_t count)
{
    uint64_t term;
    uint64_t first;
    uint64_t last;
    const char *word = words[*at];
    if (strcmp(word, "log") == 0) {
        while (*at + 1 < count && scenario_parse_range(words[*at + 1], &term, &first, &last)) {
            put_range(scenario, log, term, first, last);
            (*at)++;
        }
        return true;
    }
    if (strcmp(word, "strangers") == 0) {
        forget_peers(log);
        return true;
    }
    if (strcmp(word, "terms") == 0 && *at + 1 < count) {
        last = strtoull(words[++*at], NULL, 10) + 1;
        for (uint64_t index = 2; index <= last; index++) {
            put_range(scenario, log, index - 1, index, index);
        }
        return true;
    }
    if (strcmp(word, "joint") == 0 && *at + 2 < count &&
        scenario_parse_range(words[*at + 1], &term, &first, &last)) {
        put_configuration(log, term, first, words[*at + 2]);
        *at += 2;
        return true;
    }
    return false;
}

void scenario_start_node(struct scenario *scenario, char **words, uint32_t count)
{
    uint64_t id = count > 1 ? strtoull(words[1], NULL, 10) : 0;
    if (id == 0 || id >= SCENARIO_NODES || scenario->nodes[id].exists) {
        scenario_say(scenario, "? %s\n", "node");
        return;
    }
    struct scenario_node *node = &scenario->nodes[id];
    const struct host_listener listener = scenario_listener(node);
    uint64_t numbers[3] = {0}; /* term, vote, commit */
    node->exists = true;
    node->scenario = scenario;
    node->now_ns = SCENARIO_START_NS;
    fake_node_init(&node->fake, id, &scenario->network, &listener);
    put_peers(node);
    for (uint32_t i = 2; i < count; i++) {
        const char *const names[3] = {"term", "vote", "commit"};
        bool known = node_word(scenario, &node->fake.log, words, &i, count);
        for (uint32_t n = 0; n < 3 && !known; n++) {
            if (strcmp(words[i], names[n]) == 0 && i + 1 < count) {
                numbers[n] = strtoull(words[++i], NULL, 10);
                known = true;
            }
        }
        if (!known) {
            scenario_say(scenario, "? %s\n", words[i]);
        }
    }
    if (numbers[0] > 0) {
        put_special(&node->fake.log, RECORD_HARD_STATE, numbers[1], numbers[0]);
    }
    if (numbers[2] > 0) {
        put_special(&node->fake.log, RECORD_BOUNDS, numbers[2], 0);
    }
    node->records_told = node->fake.log.end;
    size_t output_bytes = scenario->output_bytes;
    fake_node_start(&node->fake, node->now_ns);
    host_poll(node->fake.host, node->now_ns);
    scenario->output_bytes = output_bytes; /* that it starts as follower is said by `restart` */
}

/* A new disk under the old name. */
void scenario_wipe_node(struct scenario_node *node)
{
    fake_node_stop(&node->fake);
    node->fake.log.end = 0;
    node->fake.log.durable = 0;
    node->records_told = 0;
    node->fake.incarnation += 100;
    put_peers(node);
    fake_node_start(&node->fake, node->now_ns);
    host_poll(node->fake.host, node->now_ns);
}
