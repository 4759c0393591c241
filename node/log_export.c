/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "log_tools.h"
#include "log_walk.h"
#include "stream.h"

struct export
{
    const struct log_request *request;
    FILE *file;
    uint64_t first_index;
    uint64_t last_index;
};

/* A DATA entry's blocks are BinaryFILE already: length, message, repeated. */
static void export_entry(void *context, const struct record_head *head, const uint8_t *payload,
                         uint64_t position)
{
    struct export *export = context;
    size_t payload_bytes = head->length - (size_t)RECORD_HEAD_BYTES;
    (void)position;
    if (head->index < export->request->from || head->index > export->request->to) {
        return;
    }
    export->first_index = export->first_index ? export->first_index : head->index;
    export->last_index = head->index;
    if (head->type == RECORD_DATA && payload_bytes > STREAM_DATA_HEAD_BYTES) {
        fwrite(payload + STREAM_DATA_HEAD_BYTES, 1, payload_bytes - STREAM_DATA_HEAD_BYTES, export->file);
    }
}

/* Nothing below the first one on the tape can be exported; that is told when it was asked for. */
static bool begins_late(const struct log_request *request, const struct log_walk_result *result)
{
    return result->first_index > 1 && request->from > 1 && request->from < result->first_index;
}

static const char *failure_of(const struct log_request *request, const struct log_walk_result *result,
                              bool written, enum log_status *ret_status)
{
    *ret_status = LOG_STATUS_FAILED;
    if (!written) {
        return "the file could not be written";
    }
    if (result->verdict == TAPE_OPEN && !result->found) {
        return "no such quorum on this tape";
    }
    if (result->verdict == TAPE_OPEN && begins_late(request, result)) {
        return "the entries from --from on are not on the tape any more";
    }
    if (result->verdict != TAPE_OPEN && result->verdict != TAPE_DAMAGED) {
        return tape_verdict_name(result->verdict);
    }
    *ret_status = LOG_STATUS_DAMAGED;
    if (result->verdict == TAPE_DAMAGED) {
        return tape_verdict_name(result->verdict);
    }
    if (result->has_hole) {
        return "entries are missing";
    }
    if (result->contradicted) {
        return "its records contradict each other";
    }
    *ret_status = LOG_STATUS_WHOLE;
    return NULL;
}

enum log_status log_export(const struct log_request *request)
{
    struct export export = {.request = request, .file = fopen(request->out, "wbx")};
    enum log_status status;
    if (!export.file) {
        fprintf(stderr, "tally: %s: %s\n", request->out, strerror(errno));
        return LOG_STATUS_FAILED;
    }
    struct log_facts facts;
    log_facts_gather(&facts, request->device, request->in_use);
    struct log_walk_result result =
        log_walk_with(&facts, request->device, request->quorum, request->all, export_entry, &export);
    log_facts_fini(&facts);
    bool written = fflush(export.file) == 0 && !ferror(export.file) && fsync(fileno(export.file)) == 0;
    written &= fclose(export.file) == 0;
    const char *failure = failure_of(request, &result, written, &status);
    if (failure) {
        fprintf(stderr, "tally: export of %s: %s\n", request->quorum, failure);
        unlink(request->out);
        return status;
    }
    if (request->json) {
        printf("{\"quorum\":\"%s\",\"first_index\":%" PRIu64 ",\"last_index\":%" PRIu64 ",\"in_use\":%s}\n",
               request->quorum, export.first_index, export.last_index, request->in_use ? "true" : "false");
    } else {
        printf("exported entries %" PRIu64 "..%" PRIu64 " of %s%s\n", export.first_index, export.last_index,
               request->quorum, request->in_use ? " (of a tape in use)" : "");
    }
    return status;
}
