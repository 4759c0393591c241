/* SPDX-License-Identifier: Apache-2.0 */
/* What a scenario works on: up to seven nodes, each with a clock of its own, and the messages between them.
 */
#ifndef TALLY_SCENARIO_H
#define TALLY_SCENARIO_H

#include "fake_node.h"

#define SCENARIO_START_NS 10000000000ull /* what every clock shows at first */
#define SCENARIO_NODES    8              /* ids 1..7 */
#define SCENARIO_WORDS    32
#define SCENARIO_MESSAGES 4096

struct scenario_node {
    struct fake_node fake;
    struct scenario *scenario;
    bool exists;
    uint64_t now_ns;
    uint64_t records_told; /* position up to which `records` has shown the log */
};

struct scenario {
    struct scenario_node nodes[SCENARIO_NODES];
    struct fake_network network;
    struct configuration voters;
    bool cut[SCENARIO_NODES][SCENARIO_NODES]; /* [from][to] */
    bool quiet;                               /* sends are not told */
    char *output;
    size_t output_bytes;
    size_t output_capacity;
    /* Requests by label, so that an answer can name what it answers. */
    struct {
        uint64_t message_id;
        uint64_t sender_id;
        uint64_t receiver_id;
    } requests[SCENARIO_MESSAGES];
};

void scenario_init(struct scenario *scenario);
void scenario_fini(struct scenario *scenario);

/* Carries out one line; what it has to say goes to the output, complaints too. */
void scenario_run_line(struct scenario *scenario, const char *line);

/* ---- scenario_nodes.c ---- */

/* `node ID ...`, and a new disk under an old name. */
void scenario_start_node(struct scenario *scenario, char **words, uint32_t count);
void scenario_wipe_node(struct scenario_node *node);
/* "1,2,3"; at most VOTERS_MAX ids. Returns how many. */
uint32_t scenario_parse_ids(const char *text, uint64_t *ret_ids);

/* ---- scenario_print.c ---- */

void scenario_say(struct scenario *scenario, const char *format, ...) __attribute__((format(printf, 2, 3)));
void scenario_say_message(struct scenario *scenario, const struct fake_message *message);
void scenario_say_status(struct scenario *scenario, const struct scenario_node *node);
void scenario_say_log(struct scenario *scenario, const struct scenario_node *node);
void scenario_say_records(struct scenario *scenario, struct scenario_node *node);
void scenario_say_peers(struct scenario *scenario, const struct scenario_node *node);
void scenario_say_held(struct scenario *scenario, const struct scenario_node *node);
void scenario_sent(void *context, const struct fake_message *message);
struct host_listener scenario_listener(struct scenario_node *node);

/* ---- scenario_inject.c ---- */

/* `inject KIND from>to key=value...` */
void scenario_inject(struct scenario *scenario, char **words, uint32_t count);
/* "T:a..b" or "T:a"; false when it is neither. */
bool scenario_parse_range(const char *word, uint64_t *ret_term, uint64_t *ret_first, uint64_t *ret_last);
/* "a>b" */
bool scenario_parse_way(const char *word, uint64_t *ret_from, uint64_t *ret_to);
/* Builds the record of an entry of the scenario; returns its padded size. */
size_t scenario_make_record(const struct scenario *scenario, uint8_t *bytes, uint64_t term, uint64_t index);

#endif
