/* SPDX-License-Identifier: Apache-2.0 */
/* The log's tools, on a tape that no node has open. Exit status: 0 good, 1 damaged or unreadable, 2 wrong
 * usage. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "log_walk.h"
#include "stream.h"
#include "uring_device.h"

struct log_options {
    const char *tape;
    const char *quorum;
    const char *out;
    bool all;
};

static int usage(void)
{
    fprintf(stderr, "usage: tally log dump TAPE\n"
                    "       tally log verify TAPE [--quorum NAME]\n"
                    "       tally log export TAPE --quorum NAME --out FILE [--all]\n");
    return 2;
}

static bool parse_options(int argc, char **argv, struct log_options *options)
{
    static const struct option known[] = {{"quorum", required_argument, NULL, 'q'},
                                          {"out", required_argument, NULL, 'o'},
                                          {"all", no_argument, NULL, 'a'},
                                          {0}};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'q') {
            options->quorum = optarg;
        } else if (option == 'o') {
            options->out = optarg;
        } else if (option == 'a') {
            options->all = true;
        } else {
            return false;
        }
    }
    options->tape = optind + 1 == argc ? argv[optind] : NULL;
    return options->tape != NULL;
}

static int print_verdict(enum tape_verdict verdict, const struct tape_report *report)
{
    printf("tape: %s; cluster %" PRIu64 ", node %" PRIu64 ", incarnation %" PRIx64 ", log %s, opened %" PRIu64
           " times\n",
           tape_verdict_name(verdict), report->identity.cluster_id, report->identity.node_id,
           report->identity.incarnation, report->identity.log_name, report->open_count);
    printf("      %" PRIu64 " chunks, %" PRIu64 " blocks, %" PRIu64 " records, torn tail of %" PRIu64
           " bytes\n",
           report->chunk_count, report->block_count, report->record_count, report->torn_bytes);
    if (verdict == TAPE_DAMAGED) {
        printf("      bad block at or below a durable mark at offset %" PRIu64 "\n", report->damage_offset);
    }
    return verdict == TAPE_OPEN ? 0 : 1;
}

static void print_record(void *context, const struct record_head *head, const uint8_t *payload,
                         uint64_t position)
{
    (void)context;
    (void)payload;
    printf("%12" PRIu64 "  %016" PRIx64 "  %-13s index %" PRIu64 " term %" PRIu64
           " length %u arrival %" PRIu64 " log time %" PRIu64 " crc %08x\n",
           position, head->quorum_number, record_type_name(head->type), head->index, head->term, head->length,
           head->arrival_ns, head->log_time_ns, head->crc);
}

static int dump(struct device *device)
{
    struct tape_report report = {0};
    enum tape_verdict verdict = tape_scan(device, print_record, NULL, &report);
    return print_verdict(verdict, &report);
}

struct verification {
    struct stream_state *state;
    uint64_t next_index;
    uint64_t fault_index; /* first entry that breaks a rule, 0: none */
    enum stream_verdict fault;
    bool hole;
};

static void verify_entry(void *context, const struct record_head *head, const uint8_t *payload,
                         uint64_t position)
{
    struct verification *verification = context;
    (void)position;
    verification->hole |= head->index != verification->next_index;
    verification->next_index = head->index + 1;
    enum stream_verdict verdict = stream_apply(verification->state, head->type, head->index, payload,
                                               head->length - (size_t)RECORD_HEAD_BYTES);
    if (verdict != STREAM_APPLIED && !verification->fault_index) {
        verification->fault_index = head->index;
        verification->fault = verdict;
    }
}

static int verify_quorum(struct device *device, const char *name)
{
    static struct stream_state state;
    struct verification verification = {.state = &state, .next_index = 1};
    stream_state_init(&state);
    struct log_walk_result result = log_walk(device, name, false, verify_entry, &verification);
    if (!result.found) {
        printf("quorum %s: not on this tape\n", name);
        return 1;
    }
    bool good = !result.contradicted && !verification.hole && !verification.fault_index;
    printf("quorum %s: last index %" PRIu64 ", committed at least %" PRIu64 ", next sequence %" PRIu64
           ", %s\n",
           name, result.last_index, result.commit_index, state.next_sequence, good ? "good" : "BAD");
    if (verification.fault_index) {
        printf("  entry %" PRIu64 ": %s\n", verification.fault_index,
               stream_verdict_name(verification.fault));
    }
    return good ? 0 : 1;
}

static int verify(struct device *device, const struct log_options *options)
{
    struct recovery recovery;
    struct arena arena;
    struct tape_report report = {0};
    int status = 0;
    arena_init(&arena);
    recovery_init(&recovery, &arena, QUORUMS_MAX);
    enum tape_verdict verdict = tape_scan(device, recovery_visit, &recovery, &report);
    status = print_verdict(verdict, &report);
    for (uint32_t i = 0; status == 0 && i < recovery.quorum_count; i++) {
        if (!options->quorum || strcmp(options->quorum, recovery.quorums[i].name) == 0) {
            status |= verify_quorum(device, recovery.quorums[i].name);
        }
    }
    arena_fini(&arena);
    return status;
}

/* A DATA entry's blocks are BinaryFILE already: length, message, repeated. */
static void export_entry(void *context, const struct record_head *head, const uint8_t *payload,
                         uint64_t position)
{
    FILE *file = context;
    (void)position;
    size_t payload_bytes = head->length - (size_t)RECORD_HEAD_BYTES;
    if (head->type == RECORD_DATA && payload_bytes > STREAM_DATA_HEAD_BYTES) {
        fwrite(payload + STREAM_DATA_HEAD_BYTES, 1, payload_bytes - STREAM_DATA_HEAD_BYTES, file);
    }
}

static int export(struct device *device, const struct log_options *options)
{
    if (!options->quorum || !options->out) {
        return usage();
    }
    FILE *file = fopen(options->out, "wbx");
    if (!file) {
        fprintf(stderr, "tally: %s: %s\n", options->out, strerror(errno));
        return 1;
    }
    struct log_walk_result result = log_walk(device, options->quorum, options->all, export_entry, file);
    uint64_t end_index = options->all ? result.last_index : result.commit_index;
    bool missing = result.visited_count != end_index;
    bool written = fflush(file) == 0 && !ferror(file) && fsync(fileno(file)) == 0;
    written &= fclose(file) == 0;
    if (!written || !result.found || result.verdict != TAPE_OPEN || result.contradicted || missing) {
        fprintf(stderr, "tally: export of %s: %s\n", options->quorum,
                !written                      ? "the file could not be written"
                : result.verdict != TAPE_OPEN ? tape_verdict_name(result.verdict)
                : !result.found               ? "no such quorum on this tape"
                : missing                     ? "entries are missing"
                                              : "its records contradict each other");
        unlink(options->out);
        return 1;
    }
    printf("exported entries 1..%" PRIu64 " of %s\n", end_index, options->quorum);
    return 0;
}

int command_log(int argc, char **argv)
{
    struct log_options options = {0};
    struct device *device = NULL;
    struct arena arena;
    char error_text[256] = "";
    int status = 2;
    if (argc < 2 || !parse_options(argc - 1, argv + 1, &options)) {
        return usage();
    }
    arena_init(&arena);
    struct uring_device_options device_options = {.path = options.tape, .read_only = true, .event_fd = -1};
    if (uring_device_open(&arena, &device_options, &device, error_text) != 0) {
        fprintf(stderr, "tally: %s\n", error_text);
        arena_fini(&arena);
        return 1;
    }
    if (strcmp(argv[1], "dump") == 0) {
        status = dump(device);
    } else if (strcmp(argv[1], "verify") == 0) {
        status = verify(device, &options);
    } else if (strcmp(argv[1], "export") == 0) {
        status = export(device, &options);
    } else {
        status = usage();
    }
    device->close(device);
    arena_fini(&arena);
    return status;
}
