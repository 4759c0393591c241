/* SPDX-License-Identifier: Apache-2.0 */
#include "log_tools.h"

#include <inttypes.h>
#include <string.h>

enum log_status log_status_of(const struct log_request *request, const struct log_facts *facts)
{
    if (facts->verdict == TAPE_DAMAGED) {
        return LOG_STATUS_DAMAGED;
    }
    if (facts->verdict != TAPE_OPEN) {
        return LOG_STATUS_FAILED;
    }
    /* while a node writes, what stands behind the end is its write under way */
    return facts->report.torn_bytes > 0 && !request->in_use ? LOG_STATUS_TORN : LOG_STATUS_WHOLE;
}

const char *log_state_name(const struct log_request *request, const struct log_facts *facts)
{
    if (facts->verdict != TAPE_OPEN) {
        return tape_verdict_name(facts->verdict);
    }
    return log_status_of(request, facts) == LOG_STATUS_TORN ? "torn tail" : "whole";
}

void log_print_tape(const struct log_request *request, const struct log_facts *facts)
{
    const struct tape_report *report = &facts->report;
    if (request->in_use) {
        printf("in use: a node has this tape open; what follows holds up to its last finished write\n");
    }
    printf("tape: %s; cluster %" PRIu64 ", node %" PRIu64 ", incarnation %" PRIx64 ", log %s, opened %" PRIu64
           " times\n",
           log_state_name(request, facts), report->identity.cluster_id, report->identity.node_id,
           report->identity.incarnation, report->identity.log_name, report->open_count);
    printf("      %" PRIu64 " MiB, %" PRIu64 " chunks of %u KiB in use, from chunk %" PRIu64 "; %" PRIu64
           " blocks, %" PRIu64 " records; %" PRIu64 " bytes behind the end\n",
           report->size_bytes >> 20, report->chunk_count, report->chunk_bytes >> 10, facts->first_chunk,
           report->block_count, report->record_count, report->torn_bytes);
    if (facts->verdict == TAPE_DAMAGED) {
        printf("      a block that was durable is unreadable at offset %" PRIu64 "%s\n",
               report->damage_offset,
               request->in_use ? "; the node may be writing there, look again when it is stopped" : "");
    } else if (report->error) {
        printf("      %s\n", strerror(-report->error));
    }
}

void log_print_json_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            printf("\\%c", c);
        } else if (c < 0x20) {
            printf("\\u%04x", c);
        } else {
            putchar(c);
        }
    }
    putchar('"');
}

void log_print_tape_json(const struct log_request *request, const struct log_facts *facts)
{
    const struct tape_report *report = &facts->report;
    printf("\"tape\":");
    log_print_json_text(request->tape);
    printf(",\"state\":\"%s\",\"in_use\":%s,\"cluster_id\":%" PRIu64 ",\"node_id\":%" PRIu64
           ",\"incarnation\":\"%" PRIx64 "\",\"log\":",
           log_state_name(request, facts), request->in_use ? "true" : "false", report->identity.cluster_id,
           report->identity.node_id, report->identity.incarnation);
    log_print_json_text(report->identity.log_name);
    printf(",\"size_bytes\":%" PRIu64 ",\"chunk_bytes\":%u,\"open_count\":%" PRIu64
           ",\"first_chunk\":%" PRIu64 ",\"chunks\":%" PRIu64 ",\"blocks\":%" PRIu64 ",\"records\":%" PRIu64,
           report->size_bytes, report->chunk_bytes, report->open_count, facts->first_chunk,
           report->chunk_count, report->block_count, report->record_count);
    printf(",\"end_position\":%" PRIu64 ",\"torn_bytes\":%" PRIu64, report->end_position, report->torn_bytes);
    if (facts->verdict == TAPE_DAMAGED) {
        printf(",\"damage_offset\":%" PRIu64, report->damage_offset);
    }
    if (report->error) {
        printf(",\"error\":\"%s\"", strerror(-report->error));
    }
}
