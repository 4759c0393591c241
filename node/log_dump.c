/* SPDX-License-Identifier: Apache-2.0 */
/* Every block and every record where it stands. Two walks: the first tells what later records take back. */
#include <inttypes.h>
#include <string.h>

#include "log_tools.h"
#include "tape_layout.h"

struct dump {
    const struct log_request *request;
    const struct log_facts *facts;
    struct tape_block_view block;
};

static const char *kind_name(uint8_t kind)
{
    return kind == BLOCK_CHUNK ? "chunk" : kind == BLOCK_RECORDS ? "records" : "attest";
}

static void dump_block(void *context, const struct tape_block_view *block)
{
    struct dump *dump = context;
    dump->block = *block;
    if (dump->request->is_filtered) {
        return;
    }
    printf(dump->request->json
               ? "{\"kind\":\"block\",\"offset\":%" PRIu64 ",\"position\":%" PRIu64 ",\"block\":%" PRIu64
                 ",\"chunk\":%" PRIu64 ",\"holds\":\"%s\",\"open_count\":%u,\"durable_block\":%" PRIu64
                 ",\"length\":%u,\"records\":%u,\"verdict\":\"good\"}\n"
               : "%12" PRIu64 "  block at position %" PRIu64 ": block %" PRIu64 " of chunk %" PRIu64
                 ", %s, open count %u, durable up to %" PRIu64 ", length %u, records %u: good\n",
           block->device_offset, block->position, block->block_sequence, block->chunk_sequence,
           kind_name(block->kind), block->open_count, block->durable_block, block->length,
           block->record_count);
}

/* What becomes of a record whose checksum is good. */
static const char *verdict_of(const struct dump *dump, const struct record_head *head, uint64_t position)
{
    const struct recovered_quorum *quorum = log_facts_by_number(dump->facts, head->quorum_number);
    if (!record_type_is_entry(head->type)) {
        return "good";
    }
    if (log_facts_is_taken_back(dump->facts, head->quorum_number, head->index, position)) {
        return "taken back";
    }
    return quorum && head->index <= quorum->commit_index ? "committed" : "logged";
}

static bool is_wanted(const struct log_request *request, const char *name, const struct record_head *head)
{
    if (request->quorum && strcmp(request->quorum, name) != 0) {
        return false;
    }
    bool has_range = request->from > 1 || request->to < UINT64_MAX;
    return !has_range ||
           (record_type_is_entry(head->type) && head->index >= request->from && head->index <= request->to);
}

static void dump_record(void *context, const struct record_head *head, const uint8_t *payload,
                        uint64_t position)
{
    struct dump *dump = context;
    const struct recovered_quorum *quorum = log_facts_by_number(dump->facts, head->quorum_number);
    const char *name = quorum ? quorum->name : "";
    (void)payload;
    if (!is_wanted(dump->request, name, head)) {
        return;
    }
    uint64_t offset =
        dump->block.device_offset + (position - dump->block.position) - record_padded_bytes(head->length);
    printf(dump->request->json
               ? "{\"kind\":\"record\",\"offset\":%" PRIu64 ",\"position\":%" PRIu64
                 ",\"quorum\":\"%s\",\"quorum_number\":\"%016" PRIx64 "\",\"type\":\"%s\",\"index\":%" PRIu64
                 ",\"term\":%" PRIu64 ",\"length\":%u,\"arrival_ns\":%" PRIu64 ",\"log_time_ns\":%" PRIu64
                 ",\"crc\":\"%08x\",\"verdict\":\"%s\"}\n"
               : "%12" PRIu64 "  position %" PRIu64 "  %s %016" PRIx64 "  %-13s index %" PRIu64
                 " term %" PRIu64 " length %u arrival %" PRIu64 " log time %" PRIu64 " crc %08x: %s\n",
           offset, position, name, head->quorum_number, record_type_name(head->type), head->index, head->term,
           head->length, head->arrival_ns, head->log_time_ns, head->crc, verdict_of(dump, head, position));
}

enum log_status log_dump(const struct log_request *request)
{
    struct log_facts facts;
    struct tape_report second;
    log_facts_gather(&facts, request->device, request->in_use);
    struct dump dump = {.request = request, .facts = &facts};
    if (request->quorum && !log_facts_by_name(&facts, request->quorum)) {
        fprintf(stderr, "tally: quorum %s: not on this tape\n", request->quorum);
        log_facts_fini(&facts);
        return LOG_STATUS_FAILED;
    }
    if (facts.verdict == TAPE_OPEN || facts.verdict == TAPE_DAMAGED) {
        (void)tape_scan_blocks(request->device, dump_block, dump_record, &dump, &second);
    }
    enum log_status status = log_status_of(request, &facts);
    if (request->json) {
        printf("{\"kind\":\"tape\",");
        log_print_tape_json(request, &facts);
        printf("}\n");
    } else {
        log_print_tape(request, &facts);
    }
    log_facts_fini(&facts);
    return status;
}
