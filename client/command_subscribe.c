/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "binaryfile.h"
#include "blocks.h"
#include "client_commands.h"
#include "command_options.h"
#include "record.h"

#define WAIT_NS 100000000ull

static const char usage[] =
    "usage: tally subscribe --quorum NAME --endpoint ID=ADDRESS [--endpoint ...] [options]\n"
    "  --endpoint ID=ADDRESS  a node: shm:/PATH/OF/ITS/SOCKET or udp:ADDRESS[:PORT]\n"
    "  --from INDEX           first log index (1)\n"
    "  --node ID              from this node only; without it from any, and another one when it is lost\n"
    "  --count N              end after N messages\n"
    "  --out FILE             write the messages to a BinaryFILE\n"
    "  --quiet                print no messages\n"
    "A line is: log index, term, stream sequence, message (other than printable ASCII as \\xHH).\n";

struct subscribe_options {
    struct command_options common;
    uint64_t from_index;
    uint64_t node_id;
    uint64_t count; /* 0: for ever */
    const char *out;
    bool is_quiet;
};

struct subscribe_run {
    const struct subscribe_options *options;
    uint64_t message_count;
    uint64_t entry_count;
    uint64_t last_index;
    uint64_t progress_due_ns;
    bool has_ended;
    int error; /* of the file, -errno; or 1: the subscription is over */
    FILE *file;
    struct binaryfile_writer writer;
};

/* ---- events ---- */

static void print_message(const struct tally_event *event, uint64_t sequence, const uint8_t *message,
                          size_t bytes)
{
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " ", event->index, event->term, sequence);
    for (size_t i = 0; i < bytes; i++) {
        if (message[i] >= ' ' && message[i] <= '~' && message[i] != '\\') {
            putchar(message[i]);
        } else {
            printf("\\x%02x", message[i]);
        }
    }
    putchar('\n');
}

static void take_message(struct subscribe_run *run, const struct tally_event *event, uint64_t sequence,
                         const uint8_t *message, size_t bytes)
{
    run->message_count++;
    if (run->file && run->error == 0) {
        run->error = binaryfile_writer_add(&run->writer, message, bytes);
    }
    if (!run->options->is_quiet) {
        print_message(event, sequence, message, bytes);
    }
    run->has_ended |= run->message_count == run->options->count || run->error != 0;
}

static void take_entry(struct subscribe_run *run, const struct tally_event *event)
{
    struct blocks_iterator iterator;
    blocks_iterator_init(&iterator, event->blocks, event->blocks_bytes);
    for (uint64_t sequence = event->stream_sequence; !run->has_ended && blocks_iterator_next(&iterator);
         sequence++) {
        take_message(run, event, sequence, iterator.message, iterator.message_bytes);
    }
    run->entry_count++;
}

static void take_problem(struct subscribe_run *run, const struct tally_event *event)
{
    fprintf(stderr, "tally subscribe: node %" PRIu64 ": %s\n", event->node_id,
            tally_status_name(event->status));
    if (event->status == TALLY_BEHIND_BOUNDARY) {
        fprintf(stderr, "tally subscribe: the log begins at index %" PRIu64 " now\n", event->index);
        run->error = 1;
        run->has_ended = true;
    }
}

static void on_event(void *context, const struct tally_event *event)
{
    struct subscribe_run *run = context;
    if (run->has_ended) {
        return;
    }
    if (event->kind == TALLY_PROBLEM) {
        take_problem(run, event);
    } else if (event->kind == TALLY_DELIVERED) {
        run->last_index = event->index;
        if (event->type == RECORD_DATA && event->blocks) {
            take_entry(run, event);
        }
    }
}

/* ---- the run ---- */

static void receive_all(struct subscribe_run *run, struct tally_client *client)
{
    while (!run->has_ended && !command_is_stopped()) {
        if (tally_poll(client) == 0) {
            fflush(stdout);
            tally_wait(client, WAIT_NS);
        }
        if (run->options->is_quiet && command_progress_is_due(command_now_ns(), &run->progress_due_ns)) {
            fprintf(stderr, "\r%" PRIu64 " messages, %" PRIu64 " entries, index %" PRIu64 " ",
                    run->message_count, run->entry_count, run->last_index);
        }
    }
}

static int report(struct subscribe_run *run)
{
    if (run->file) {
        int error = binaryfile_writer_finish(&run->writer);
        run->error = run->error ? run->error : error;
        if (fclose(run->file) != 0 && run->error == 0) {
            run->error = 1;
        }
    }
    if (run->error < 0) {
        fprintf(stderr, "tally subscribe: %s: %s\n", run->options->out, strerror(-run->error));
    }
    if (run->options->is_quiet) {
        printf("messages %" PRIu64 " entries %" PRIu64 " last_index %" PRIu64 "\n", run->message_count,
               run->entry_count, run->last_index);
    }
    return run->error ? 1 : 0;
}

static struct tally_client *open_client(const struct subscribe_options *options, struct subscribe_run *run)
{
    char error_text[256] = "";
    struct tally_options client_options = {.quorum = options->common.quorum,
                                           .endpoints = options->common.endpoints,
                                           .endpoint_count = options->common.endpoint_count,
                                           .in_flight_max = 1};
    struct tally_client *client = tally_open(&client_options, on_event, run, error_text);
    if (!client) {
        fprintf(stderr, "tally subscribe: %s\n", error_text);
        return NULL;
    }
    if (tally_subscribe(client, options->from_index, options->node_id) != TALLY_OK) {
        fprintf(stderr, "tally subscribe: node %" PRIu64 " is no endpoint\n", options->node_id);
        tally_close(client);
        return NULL;
    }
    return client;
}

/* ---- arguments ---- */

static bool parse_option(int option, const char *text, struct subscribe_options *options)
{
    switch (option) {
    case 'e':
        return command_add_endpoint(&options->common, text);
    case 'q':
        options->common.quorum = text;
        return true;
    case 'f':
        return command_parse_number(text, 1, INT64_MAX, &options->from_index);
    case 'n':
        return command_parse_number(text, 1, INT64_MAX, &options->node_id);
    case 'c':
        return command_parse_number(text, 1, UINT64_MAX, &options->count);
    case 'o':
        options->out = text;
        return true;
    case 'Q':
        options->is_quiet = true;
        return true;
    default:
        return false;
    }
}

static bool parse_arguments(int argc, char **argv, struct subscribe_options *options)
{
    static const struct option table[] = {
        {"endpoint", required_argument, NULL, 'e'}, {"quorum", required_argument, NULL, 'q'},
        {"from", required_argument, NULL, 'f'},     {"node", required_argument, NULL, 'n'},
        {"count", required_argument, NULL, 'c'},    {"out", required_argument, NULL, 'o'},
        {"quiet", no_argument, NULL, 'Q'},          {NULL, 0, NULL, 0},
    };
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "e:q:", table, NULL)) != -1) {
        if (!parse_option(option, optarg, options)) {
            if (option != '?') {
                fprintf(stderr, "tally subscribe: \"%s\" is no good value\n", optarg);
            }
            return false;
        }
    }
    return optind == argc && options->common.quorum && options->common.endpoint_count > 0;
}

int command_subscribe(int argc, char **argv)
{
    struct subscribe_options options = {.from_index = 1};
    if (!parse_arguments(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    struct subscribe_run run = {.options = &options};
    if (options.out) {
        run.file = fopen(options.out, "wb");
        if (!run.file) {
            perror(options.out);
            return 1;
        }
        binaryfile_writer_init(&run.writer, run.file, false);
    }
    struct tally_client *client = open_client(&options, &run);
    if (!client) {
        if (run.file) {
            fclose(run.file);
        }
        return 2;
    }
    command_catch_signals();
    receive_all(&run, client);
    tally_close(client);
    return report(&run);
}
