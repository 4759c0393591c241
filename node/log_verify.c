/* SPDX-License-Identifier: Apache-2.0 */
/* The whole tape by its blocks, every quorum by its indexes and its stream's rules; of a damaged one what is
 * unreadable and what stood there. */
#include <inttypes.h>
#include <string.h>

#include "log_damage.h"
#include "log_tools.h"
#include "log_walk.h"
#include "stream.h"

struct verification {
    struct stream_state *state;
    bool is_whole_stream; /* it begins with entry 1: the rules can be checked */
    uint64_t visited_count;
    uint64_t fault_index; /* first entry that breaks a rule, 0: none */
    enum stream_verdict fault;
};

static void verify_entry(void *context, const struct record_head *head, const uint8_t *payload,
                         uint64_t position)
{
    struct verification *verification = context;
    (void)position;
    if (verification->visited_count++ == 0) {
        verification->is_whole_stream = head->index == 1;
    }
    if (!verification->is_whole_stream) {
        return;
    }
    enum stream_verdict verdict = stream_apply(verification->state, head->type, head->index, payload,
                                               head->length - (size_t)RECORD_HEAD_BYTES);
    if (verdict != STREAM_APPLIED && !verification->fault_index) {
        verification->fault_index = head->index;
        verification->fault = verdict;
    }
}

static void print_quorum_json(const char *name, const struct log_walk_result *result,
                              const struct verification *verification, bool good, bool first)
{
    printf("%s{\"name\":\"%s\",\"good\":%s,\"first_index\":%" PRIu64 ",\"last_index\":%" PRIu64
           ",\"commit_index\":%" PRIu64 ",\"contradicted\":%s,\"hole\":%s,\"stream_checked\":%s"
           ",\"fault_index\":%" PRIu64 ",\"fault\":\"%s\"}",
           first ? "" : ",", name, good ? "true" : "false", result->first_index, result->last_index,
           result->commit_index, result->contradicted ? "true" : "false", result->has_hole ? "true" : "false",
           verification->is_whole_stream ? "true" : "false", verification->fault_index,
           verification->fault_index ? stream_verdict_name(verification->fault) : "");
}

static void print_quorum(const char *name, const struct log_walk_result *result,
                         const struct verification *verification, bool good)
{
    printf("quorum %s: entries %" PRIu64 " to %" PRIu64 ", committed at least up to %" PRIu64, name,
           result->first_index, result->last_index, result->commit_index);
    if (verification->is_whole_stream) {
        printf(", next sequence %" PRIu64, verification->state->next_sequence);
    } else if (verification->visited_count > 0) {
        printf(", its stream begins before this tape and is not checked");
    }
    printf(": %s\n", good ? "good" : "BAD");
    if (verification->fault_index) {
        printf("  entry %" PRIu64 ": %s\n", verification->fault_index,
               stream_verdict_name(verification->fault));
    }
    if (result->has_hole || result->contradicted) {
        printf("  %s\n", result->has_hole ? "entries are missing" : "its records contradict each other");
    }
}

static bool verify_quorum(const struct log_request *request, const struct log_facts *facts, const char *name,
                          bool first)
{
    static struct stream_state state;
    struct verification verification = {.state = &state};
    stream_state_init(&state);
    struct log_walk_result result =
        log_walk_with(facts, request->device, name, false, verify_entry, &verification);
    bool good =
        result.verdict == TAPE_OPEN && !result.contradicted && !result.has_hole && !verification.fault_index;
    if (request->json) {
        print_quorum_json(name, &result, &verification, good, first);
    } else {
        print_quorum(name, &result, &verification, good);
    }
    return good;
}

/* ---- damage ---- */

#define SALVAGED_MAX 8 /* quorums told of one range */

struct salvaged {
    uint64_t number;
    uint64_t first_index; /* of entries; 0: none */
    uint64_t last_index;
    uint32_t count;
};

struct damage_print {
    const struct log_request *request;
    const struct log_facts *facts;
    struct salvaged quorums[SALVAGED_MAX];
    unsigned quorum_count;
    unsigned range_count;
};

static void note_salvaged(void *context, const struct record_head *head, const uint8_t *payload,
                          uint64_t position)
{
    struct damage_print *print = context;
    unsigned i = 0;
    (void)payload;
    (void)position;
    while (i < print->quorum_count && print->quorums[i].number != head->quorum_number) {
        i++;
    }
    if (i == SALVAGED_MAX) {
        return;
    }
    if (i == print->quorum_count) {
        print->quorums[print->quorum_count++] = (struct salvaged){.number = head->quorum_number};
    }
    struct salvaged *quorum = &print->quorums[i];
    quorum->count++;
    if (record_type_is_entry(head->type)) {
        quorum->first_index = quorum->first_index ? quorum->first_index : head->index;
        quorum->last_index = head->index;
    }
}

static void print_salvaged(const struct damage_print *print, const struct salvaged *quorum, bool first)
{
    const struct recovered_quorum *known = log_facts_by_number(print->facts, quorum->number);
    printf(print->request->json ? "%s{\"quorum\":\"%s\",\"quorum_number\":\"%016" PRIx64
                                  "\",\"records\":%u,\"first_index\":%" PRIu64 ",\"last_index\":%" PRIu64 "}"
                                : "%s    quorum %s (%016" PRIx64 "): %u whole records, entries %" PRIu64
                                  " to %" PRIu64 "\n",
           print->request->json && !first ? "," : "", known ? known->name : "", quorum->number, quorum->count,
           quorum->first_index, quorum->last_index);
}

static void print_damage(void *context, const struct log_damage *damage)
{
    struct damage_print *print = context;
    bool json = print->request->json;
    printf(json ? "%s{\"offset\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"chunk\":%" PRIu64
                  ",\"first_block\":%" PRIu64 ",\"last_block\":%" PRIu64
                  ",\"announced_records\":%u,\"readable_records\":%u,\"held\":["
                : "%s  damaged: offset %" PRIu64 ", %" PRIu64 " bytes of chunk %" PRIu64 ": blocks %" PRIu64
                  " to %" PRIu64 " (0: not known), %u records by its head (0: not known), %u still whole\n",
           json && print->range_count ? "," : "", damage->device_offset, damage->byte_count,
           damage->chunk_sequence, damage->first_block, damage->last_block, damage->announced_records,
           damage->readable_records);
    for (unsigned i = 0; i < print->quorum_count; i++) {
        print_salvaged(print, &print->quorums[i], i == 0);
    }
    printf(json ? "]}" : "");
    print->quorum_count = 0;
    print->range_count++;
}

static void print_damages(const struct log_request *request, const struct log_facts *facts)
{
    struct damage_print print = {.request = request, .facts = facts};
    if (facts->verdict == TAPE_DAMAGED) {
        (void)log_damage_survey(request->device, facts->report.damage_offset, note_salvaged, print_damage,
                                &print);
    }
}

/* ---- all of it ---- */

static bool verify_quorums(const struct log_request *request, const struct log_facts *facts)
{
    bool good = true;
    bool first = true;
    for (uint32_t i = 0; facts->verdict == TAPE_OPEN && i < facts->recovery.quorum_count; i++) {
        const char *name = facts->recovery.quorums[i].name;
        if (!request->quorum || strcmp(request->quorum, name) == 0) {
            good &= verify_quorum(request, facts, name, first);
            first = false;
        }
    }
    return good;
}

static enum log_status verify(const struct log_request *request, const struct log_facts *facts)
{
    enum log_status status = log_status_of(request, facts);
    if (request->json) {
        printf("{");
        log_print_tape_json(request, facts);
        printf(",\"damages\":[");
        print_damages(request, facts);
        printf("],\"quorums\":[");
    } else {
        log_print_tape(request, facts);
        print_damages(request, facts);
    }
    bool good = verify_quorums(request, facts);
    status = good ? status : LOG_STATUS_DAMAGED;
    if (request->json) {
        printf("],\"exit_status\":%d}\n", (int)status);
    }
    return status;
}

enum log_status log_verify(const struct log_request *request)
{
    struct log_facts facts;
    enum log_status status = LOG_STATUS_FAILED;
    log_facts_gather(&facts, request->device, request->in_use);
    if (facts.verdict == TAPE_OPEN && request->quorum && !log_facts_by_name(&facts, request->quorum)) {
        fprintf(stderr, "tally: quorum %s: not on this tape\n", request->quorum);
    } else {
        status = verify(request, &facts);
    }
    log_facts_fini(&facts);
    return status;
}
