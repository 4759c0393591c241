/* SPDX-License-Identifier: Apache-2.0 */
/* What a tape is made of: blocks and their filling, and for each quorum its entries. */
#include <inttypes.h>
#include <string.h>

#include "histogram.h"
#include "log_tools.h"
#include "tape_layout.h"
#include "tape_superblock.h"

struct quorum_stats {
    uint64_t entry_count; /* that stand */
    uint64_t entry_bytes; /* with heads and padding */
    uint64_t taken_back_count;
    uint64_t first_index;
    uint64_t last_index;
    uint64_t term_count; /* different ones of its entries */
    uint64_t last_term;
    uint64_t truncation_count;
    uint64_t other_count; /* hard states, bounds, ... */
};

struct stats {
    const struct log_request *request;
    const struct log_facts *facts;
    uint32_t block_bytes;
    uint64_t record_block_count;
    uint64_t record_bytes;
    uint64_t span_bytes; /* blocks with their padding */
    uint64_t used_bytes;
    struct histogram records; /* of each block of records */
    struct histogram lag;     /* blocks written since the newest one known to be durable, at each block */
    struct quorum_stats quorums[QUORUMS_MAX];
};

static void count_block(void *context, const struct tape_block_view *block)
{
    struct stats *stats = context;
    struct block_head head = {.kind = block->kind, .length = block->length};
    stats->span_bytes += block_span_bytes(&head, stats->block_bytes);
    stats->used_bytes += block->length;
    if (block->kind == BLOCK_RECORDS) {
        stats->record_block_count++;
        histogram_record(&stats->records, block->record_count);
        histogram_record(&stats->lag, block->block_sequence - 1 - block->durable_block);
    }
}

static void count_entry(struct quorum_stats *quorum, const struct record_head *head)
{
    quorum->entry_count++;
    quorum->entry_bytes += record_padded_bytes(head->length);
    quorum->first_index = quorum->first_index ? quorum->first_index : head->index;
    quorum->last_index = head->index;
    quorum->term_count += head->term != quorum->last_term;
    quorum->last_term = head->term;
}

static void count_record(void *context, const struct record_head *head, const uint8_t *payload,
                         uint64_t position)
{
    struct stats *stats = context;
    const struct recovered_quorum *known = log_facts_by_number(stats->facts, head->quorum_number);
    (void)payload;
    stats->record_bytes += record_padded_bytes(head->length);
    if (!known) {
        return;
    }
    struct quorum_stats *quorum = &stats->quorums[known - stats->facts->recovery.quorums];
    if (!record_type_is_entry(head->type)) {
        quorum->truncation_count += head->type == RECORD_TRUNCATE;
        quorum->other_count += head->type != RECORD_TRUNCATE;
    } else if (log_facts_is_taken_back(stats->facts, head->quorum_number, head->index, position)) {
        quorum->taken_back_count++;
    } else if (head->index >= stats->request->from && head->index <= stats->request->to) {
        count_entry(quorum, head);
    }
}

static double padding_percent(const struct stats *stats)
{
    return stats->span_bytes
               ? 100.0 * (double)(stats->span_bytes - stats->used_bytes) / (double)stats->span_bytes
               : 0.0;
}

static void print_blocks(const struct stats *stats)
{
    printf(stats->request->json
               ? ",\"record_blocks\":%" PRIu64 ",\"record_bytes\":%" PRIu64 ",\"block_span_bytes\":%" PRIu64
                 ",\"padding_percent\":%.2f,\"records_per_block\":{\"mean\":%.2f,\"p50\":%" PRIu64
                 ",\"max\":%" PRIu64 "},\"durable_lag_blocks\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64
                 ",\"max\":%" PRIu64 "}"
               : "blocks: %" PRIu64 " of records, %" PRIu64 " record bytes in %" PRIu64
                 " bytes of blocks, %.2f %% padding; records a block: mean %.2f, p50 %" PRIu64
                 ", max %" PRIu64 "; blocks not known durable behind each: p50 %" PRIu64 ", p99 %" PRIu64
                 ", max %" PRIu64 "\n",
           stats->record_block_count, stats->record_bytes, stats->span_bytes, padding_percent(stats),
           histogram_mean(&stats->records), histogram_percentile(&stats->records, 50), stats->records.maximum,
           histogram_percentile(&stats->lag, 50), histogram_percentile(&stats->lag, 99), stats->lag.maximum);
}

static void print_quorum(const struct stats *stats, uint32_t i, bool first)
{
    const struct recovered_quorum *known = &stats->facts->recovery.quorums[i];
    const struct quorum_stats *quorum = &stats->quorums[i];
    printf(stats->request->json
               ? "%s{\"name\":\"%s\",\"entries\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"first_index\":%" PRIu64
                 ",\"last_index\":%" PRIu64 ",\"commit_index\":%" PRIu64 ",\"terms\":%" PRIu64
                 ",\"last_term\":%" PRIu64 ",\"truncations\":%" PRIu64 ",\"taken_back\":%" PRIu64
                 ",\"other_records\":%" PRIu64 "}"
               : "%squorum %s: %" PRIu64 " entries, %" PRIu64 " bytes, index %" PRIu64 " to %" PRIu64
                 ", committed at least up to %" PRIu64 "; %" PRIu64 " terms, the last %" PRIu64 "; %" PRIu64
                 " truncations took %" PRIu64 " entries back; %" PRIu64 " other records\n",
           stats->request->json && !first ? "," : "", known->name, quorum->entry_count, quorum->entry_bytes,
           quorum->first_index, quorum->last_index, known->commit_index, quorum->term_count,
           quorum->last_term, quorum->truncation_count, quorum->taken_back_count, quorum->other_count);
}

static void print_stats(const struct stats *stats)
{
    const struct log_request *request = stats->request;
    bool first = true;
    if (request->json) {
        printf("{");
        log_print_tape_json(request, stats->facts);
    } else {
        log_print_tape(request, stats->facts);
    }
    print_blocks(stats);
    printf(request->json ? ",\"quorums\":[" : "");
    for (uint32_t i = 0; i < stats->facts->recovery.quorum_count; i++) {
        if (!request->quorum || strcmp(request->quorum, stats->facts->recovery.quorums[i].name) == 0) {
            print_quorum(stats, i, first);
            first = false;
        }
    }
    printf(request->json ? "]}\n" : "");
}

static uint32_t block_bytes_of(struct device *device)
{
    struct superblock superblock;
    int ignored = 0;
    return superblock_read(device, &superblock, &ignored) == TAPE_OPEN ? superblock.block_bytes
                                                                       : device->block_bytes;
}

enum log_status log_stats(const struct log_request *request)
{
    static struct stats stats; /* zero: one tape or many, one after the other */
    struct log_facts facts;
    struct tape_report second;
    log_facts_gather(&facts, request->device, request->in_use);
    memset(&stats, 0, sizeof(stats));
    stats.request = request;
    stats.facts = &facts;
    stats.block_bytes = block_bytes_of(request->device);
    histogram_init(&stats.records);
    histogram_init(&stats.lag);
    enum log_status status = log_status_of(request, &facts);
    if (facts.verdict == TAPE_OPEN || facts.verdict == TAPE_DAMAGED) {
        (void)tape_scan_blocks(request->device, count_block, count_record, &stats, &second);
    }
    if (request->quorum && !log_facts_by_name(&facts, request->quorum)) {
        fprintf(stderr, "tally: quorum %s: not on this tape\n", request->quorum);
        status = LOG_STATUS_FAILED;
    } else {
        print_stats(&stats);
    }
    log_facts_fini(&facts);
    return status;
}
