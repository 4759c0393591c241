/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "client_commands.h"
#include "command_options.h"
#include "histogram.h"
#include "message_source.h"
#include "packer.h"

#define IN_FLIGHT_DEFAULT 1024
#define IN_FLIGHT_MAX     65536
#define WAIT_NS           1000000ull
#define SECOND_NS         1000000000ull
#define RATE_MAX          1000000000ull
/* After a signal what is on the way gets so much time to be committed. */
#define STOP_NS (2 * SECOND_NS)

static const char usage[] =
    "usage: tally publish --quorum NAME --endpoint ID=ADDRESS [--endpoint ...] [options]\n"
    "  --endpoint ID=ADDRESS  a node: shm:/PATH/OF/ITS/SOCKET or udp:ADDRESS[:PORT]\n"
    "  --file FILE            a BinaryFILE; without it the lines of stdin\n"
    "  --rate N|max           messages a second (max)\n"
    "  --loop                 the file again and again\n"
    "  --in-flight N          entries published and not yet committed at most (1024)\n"
    "  --give-up SECONDS      count an entry not committed by then as unknown (never)\n";

struct publish_options {
    struct command_options common;
    const char *file;
    uint64_t rate; /* messages a second; 0: as fast as possible */
    uint64_t in_flight_max;
    uint64_t give_up_ns;
    bool is_loop;
};

struct publish_run {
    struct tally_client *client;
    uint64_t rate;
    uint64_t start_ns;
    uint64_t now_ns;
    uint64_t progress_due_ns;
    uint64_t stop_ns;       /* when a signal asked to stop; 0: not yet */
    uint64_t message_count; /* taken from the source and packed */
    uint64_t too_large_count;
    uint64_t entry_count;
    uint64_t committed_count;
    uint64_t refused_count;
    uint64_t unknown_count;
    bool has_ended;
    bool is_bad;
    /* the message that did not fit the last entry */
    const uint8_t *message;
    size_t message_bytes;
    struct packer packer;
    uint64_t entry_due_ns; /* when its first message was to be sent */
    uint64_t due_ns[IN_FLIGHT_MAX];
    uint8_t blocks[DATA_BLOCKS_BYTES_MAX];
    struct message_source source;
    struct histogram latency; /* from when a message was to be sent to the news of its commit */
};

/* ---- events ---- */

static void note_committed(struct publish_run *run, const struct tally_event *event)
{
    uint64_t now_ns = command_now_ns();
    for (uint64_t sequence = event->first_source_sequence; sequence <= event->source_sequence; sequence++) {
        histogram_record(&run->latency, now_ns - run->due_ns[sequence % IN_FLIGHT_MAX]);
        run->committed_count++;
    }
}

static void on_event(void *context, const struct tally_event *event)
{
    struct publish_run *run = context;
    switch (event->kind) {
    case TALLY_COMMITTED:
        note_committed(run, event);
        return;
    case TALLY_REFUSED:
        run->refused_count++;
        return;
    case TALLY_GIVEN_UP:
        run->unknown_count++;
        return;
    case TALLY_PROBLEM:
        fprintf(stderr, "tally publish: %s\n", tally_status_name(event->status));
        return;
    case TALLY_RECEIPT:
    case TALLY_DELIVERED:
    case TALLY_LEADER:
        return;
    }
}

/* ---- sending ---- */

/* When the next message is to be sent. */
static uint64_t next_due_ns(const struct publish_run *run)
{
    if (run->rate == 0) {
        return run->now_ns;
    }
    uint64_t count = run->message_count;
    return run->start_ns + count / run->rate * SECOND_NS + count % run->rate * SECOND_NS / run->rate;
}

/* The next message into run->message. False: there is none now. */
static bool take_message(struct publish_run *run)
{
    if (run->message) {
        return true;
    }
    switch (message_source_next(&run->source, &run->message, &run->message_bytes)) {
    case MESSAGE_SOURCE_MESSAGE:
        return true;
    case MESSAGE_SOURCE_WAIT:
        return false;
    case MESSAGE_SOURCE_BAD:
        fprintf(stderr, "tally publish: %s\n", run->source.fault);
        run->is_bad = true;
        run->has_ended = true;
        return false;
    case MESSAGE_SOURCE_END:
        run->has_ended = true;
        return false;
    }
    return false;
}

/* Fills the entry with what is due. True: it is full, or nothing more is due and it is not empty. */
static bool pack(struct publish_run *run)
{
    while (!run->has_ended && next_due_ns(run) <= run->now_ns && take_message(run)) {
        uint64_t due_ns = next_due_ns(run);
        enum packer_verdict verdict = packer_add(&run->packer, run->message, run->message_bytes);
        if (verdict == PACKER_FULL) {
            return true;
        }
        run->message = NULL;
        if (verdict == PACKER_TOO_LARGE) {
            run->too_large_count++;
            continue;
        }
        if (run->packer.message_count == 1) {
            run->entry_due_ns = due_ns;
        }
        run->message_count++;
    }
    return !packer_is_empty(&run->packer);
}

/* Publishes what is due, until the client is full. True: something was. */
static bool publish_due(struct publish_run *run)
{
    bool worked = false;
    while (pack(run)) {
        uint64_t sequence = 0;
        enum tally_status status = tally_publish(run->client, run->blocks, run->packer.blocks_bytes,
                                                 run->packer.message_count, &sequence);
        if (status == TALLY_BUSY) {
            return worked;
        }
        if (status == TALLY_OK) {
            run->due_ns[sequence % IN_FLIGHT_MAX] = run->entry_due_ns;
            run->entry_count++;
        } else {
            run->refused_count++;
        }
        packer_reset(&run->packer, run->blocks);
        worked = true;
        tally_poll(run->client);
    }
    return worked;
}

static void show_progress(struct publish_run *run)
{
    if (command_progress_is_due(run->now_ns, &run->progress_due_ns)) {
        fprintf(stderr, "\r%" PRIu64 " messages, %" PRIu64 " entries, %" PRIu64 " committed ",
                run->message_count, run->entry_count, run->committed_count);
    }
}

/* Something is left to do, and no signal cut it short. */
static bool must_go_on(struct publish_run *run)
{
    if (command_is_stopped()) {
        run->has_ended = true;
        run->stop_ns = run->stop_ns ? run->stop_ns : run->now_ns;
        if (run->now_ns - run->stop_ns > STOP_NS) {
            return false;
        }
    }
    return !run->has_ended || tally_in_flight(run->client) > 0 || !packer_is_empty(&run->packer);
}

static void publish_all(struct publish_run *run)
{
    run->start_ns = command_now_ns();
    run->now_ns = run->start_ns;
    while (must_go_on(run)) {
        run->now_ns = command_now_ns();
        bool worked = publish_due(run);
        worked |= tally_poll(run->client) > 0;
        show_progress(run);
        if (!worked) {
            uint64_t due_ns = next_due_ns(run);
            uint64_t wait_ns = due_ns > run->now_ns ? due_ns - run->now_ns : WAIT_NS;
            tally_wait(run->client, wait_ns < WAIT_NS ? wait_ns : WAIT_NS);
        }
    }
    run->unknown_count += tally_in_flight(run->client);
}

static int report(const struct publish_run *run)
{
    double seconds = (double)(command_now_ns() - run->start_ns) / (double)SECOND_NS;
    if (isatty(STDERR_FILENO) == 1) {
        fputc('\n', stderr);
    }
    printf("messages %" PRIu64 " entries %" PRIu64 " committed %" PRIu64 " refused %" PRIu64
           " unknown %" PRIu64 " too_large %" PRIu64 "\n",
           run->message_count, run->entry_count, run->committed_count, run->refused_count, run->unknown_count,
           run->too_large_count);
    printf("seconds %.3f messages_per_s %.0f commit_us p50 %.1f p99 %.1f max %.1f\n", seconds,
           (double)run->message_count / (seconds > 0 ? seconds : 1),
           (double)histogram_percentile(&run->latency, 50) / 1000,
           (double)histogram_percentile(&run->latency, 99) / 1000,
           (double)histogram_percentile(&run->latency, 100) / 1000);
    bool is_whole =
        run->committed_count == run->entry_count && run->refused_count == 0 && run->too_large_count == 0;
    return is_whole && !run->is_bad ? 0 : 1;
}

/* ---- arguments ---- */

static bool parse_rate(const char *text, uint64_t *ret_rate)
{
    if (strcmp(text, "max") == 0) {
        *ret_rate = 0;
        return true;
    }
    return command_parse_number(text, 1, RATE_MAX, ret_rate);
}

static bool parse_option(int option, const char *text, struct publish_options *options)
{
    switch (option) {
    case 'e':
        return command_add_endpoint(&options->common, text);
    case 'q':
        options->common.quorum = text;
        return true;
    case 'f':
        options->file = text;
        return true;
    case 'r':
        return parse_rate(text, &options->rate);
    case 'l':
        options->is_loop = true;
        return true;
    case 'i':
        return command_parse_number(text, 1, IN_FLIGHT_MAX, &options->in_flight_max);
    case 'g':
        if (!command_parse_number(text, 1, 1000000, &options->give_up_ns)) {
            return false;
        }
        options->give_up_ns *= SECOND_NS;
        return true;
    default:
        return false;
    }
}

static bool parse_arguments(int argc, char **argv, struct publish_options *options)
{
    static const struct option table[] = {
        {"endpoint", required_argument, NULL, 'e'}, {"quorum", required_argument, NULL, 'q'},
        {"file", required_argument, NULL, 'f'},     {"rate", required_argument, NULL, 'r'},
        {"loop", no_argument, NULL, 'l'},           {"in-flight", required_argument, NULL, 'i'},
        {"give-up", required_argument, NULL, 'g'},  {NULL, 0, NULL, 0},
    };
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "e:q:f:r:l", table, NULL)) != -1) {
        if (!parse_option(option, optarg, options)) {
            if (option != '?') {
                fprintf(stderr, "tally publish: \"%s\" is no good value\n", optarg);
            }
            return false;
        }
    }
    return optind == argc && options->common.quorum && options->common.endpoint_count > 0 &&
           (options->file || !options->is_loop);
}

static struct tally_client *open_client(const struct publish_options *options, struct publish_run *run)
{
    char error_text[256] = "";
    struct tally_options client_options = {.quorum = options->common.quorum,
                                           .endpoints = options->common.endpoints,
                                           .endpoint_count = options->common.endpoint_count,
                                           .in_flight_max = (uint32_t)options->in_flight_max,
                                           .give_up_ns = options->give_up_ns};
    struct tally_client *client = tally_open(&client_options, on_event, run, error_text);
    if (!client) {
        fprintf(stderr, "tally publish: %s\n", error_text);
    }
    return client;
}

static bool open_source(const struct publish_options *options, struct message_source *source)
{
    if (!options->file) {
        message_source_open_lines(source, STDIN_FILENO);
        return true;
    }
    int error = message_source_open_file(source, options->file, options->is_loop);
    if (error) {
        fprintf(stderr, "tally publish: %s: %s\n", options->file, strerror(-error));
    }
    return error == 0;
}

int command_publish(int argc, char **argv)
{
    struct publish_options options = {.in_flight_max = IN_FLIGHT_DEFAULT};
    if (!parse_arguments(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    struct publish_run *run = calloc(1, sizeof(*run));
    if (!run || !open_source(&options, &run->source)) {
        free(run);
        return 1;
    }
    int status = 2;
    run->rate = options.rate;
    histogram_init(&run->latency);
    packer_init(&run->packer, run->blocks, sizeof(run->blocks));
    run->client = open_client(&options, run);
    if (run->client) {
        command_catch_signals();
        publish_all(run);
        status = report(run);
        tally_close(run->client);
    }
    message_source_close(&run->source);
    free(run);
    return status;
}
