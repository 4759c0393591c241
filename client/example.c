/* SPDX-License-Identifier: Apache-2.0 */
/* Publishes the lines of stdin and waits until the cluster has committed every one.
 *
 *     cc example.c $(pkg-config --cflags --libs tally) -o example
 *     seq 1000 | ./example QUORUM 1=shm:/run/tally/1.sock 2=udp:192.0.2.2:26480 */
#include "tally.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct progress {
    uint64_t committed;
    uint64_t lost;
};

static void on_event(void *context, const struct tally_event *event)
{
    struct progress *progress = context;
    if (event->kind == TALLY_COMMITTED) {
        progress->committed += event->source_sequence - event->first_source_sequence + 1;
    } else if (event->kind == TALLY_REFUSED || event->kind == TALLY_GIVEN_UP) {
        progress->lost++;
        fprintf(stderr, "entry %" PRIu64 ": %s\n", event->source_sequence, tally_status_name(event->status));
    } else if (event->kind == TALLY_PROBLEM) {
        fprintf(stderr, "%s\n", tally_status_name(event->status));
    }
}

static size_t read_endpoints(char **arguments, size_t count, struct tally_endpoint *endpoints)
{
    for (size_t i = 0; i < count; i++) {
        char *equals = strchr(arguments[i], '=');
        if (!equals) {
            return 0;
        }
        endpoints[i] = (struct tally_endpoint){strtoull(arguments[i], NULL, 10), equals + 1};
    }
    return count;
}

int main(int argc, char **argv)
{
    struct tally_endpoint endpoints[TALLY_NODES_MAX];
    if (argc < 3 || argc - 2 > TALLY_NODES_MAX ||
        read_endpoints(argv + 2, (size_t)argc - 2, endpoints) == 0) {
        fprintf(stderr, "usage: %s QUORUM ID=ADDRESS...\n", argv[0]);
        return 2;
    }
    char error[256];
    struct progress progress = {0};
    struct tally_options options = {
        .quorum = argv[1], .endpoints = endpoints, .endpoint_count = (size_t)argc - 2};
    struct tally_client *client = tally_open(&options, on_event, &progress, error);
    if (!client) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    char line[1024];
    while (fgets(line, sizeof(line), stdin)) {
        uint64_t sequence;
        enum tally_status status;
        while ((status = tally_publish_message(client, line, strcspn(line, "\n"), &sequence)) == TALLY_BUSY) {
            tally_wait(client, 100000000);
            tally_poll(client);
        }
        if (status != TALLY_OK) {
            fprintf(stderr, "not published: %s\n", tally_status_name(status));
        }
        tally_poll(client);
    }
    while (tally_in_flight(client) > 0) {
        tally_wait(client, 100000000);
        tally_poll(client);
    }
    tally_close(client);
    printf("%" PRIu64 " committed\n", progress.committed);
    return progress.lost ? 1 : 0;
}
