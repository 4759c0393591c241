/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of a commit: its messages and writes with no consensus in them. Four processes; the leader
 * answers when a majority of three has the frame: itself and the faster follower.
 *
 *     client -> leader -> follower 1 --.
 *        ^        |  '-> follower 2 ---+-> leader -> client
 *        '--------'  own write        -'
 *
 * Answers are cumulative, as a log's are. With --durable having a frame means that it was written and synced;
 * one write is in flight in each process, and what arrives meanwhile goes with the next.
 */
#include <stdio.h>
#include <string.h>

#include "floor.h"
#include "floor_disk.h"
#include "floor_options.h"
#include "floor_process.h"
#include "floor_star.h"

enum { IN_FLIGHT_MAX = 2048 };

struct settings {
    const char *port;
    const char *idle;
    const char *cpus;
    const char *directory; /* NULL: in memory */
    uint64_t payload_bytes;
    uint64_t in_flight;
    uint64_t count;
    uint64_t warm_up;
    uint64_t size_mib;
    uint64_t seconds;
    bool json;
};

static struct settings settings = {.port = "udp",
                                   .idle = "shared",
                                   .cpus = "all",
                                   .payload_bytes = 256,
                                   .in_flight = 1,
                                   .count = 20000,
                                   .warm_up = 1000,
                                   .size_mib = 64,
                                   .seconds = 10};
static struct star star;

static void parse_settings(int argc, char **argv)
{
    struct settings *s = &settings;
    const struct floor_option options[] = {
        {.name = "transport", .help = "what carries the frames", .text = &s->port, .words = FLOOR_PORT_WORDS},
        {.name = "durable",
         .help = "write and sync, into files made and removed here",
         .text = &s->directory},
        {.name = "idle", .help = "how the processes wait", .text = &s->idle, .words = FLOOR_IDLE_WORDS},
        {.name = "cpus", .help = "all, none, or a list: followers, leader, client", .text = &s->cpus},
        {.name = "payload",
         .help = "bytes",
         .number = &s->payload_bytes,
         .minimum = 1,
         .maximum = STAR_PAYLOAD_MAX_BYTES},
        {.name = "in-flight",
         .help = "entries",
         .number = &s->in_flight,
         .minimum = 1,
         .maximum = IN_FLIGHT_MAX},
        {.name = "count", .help = "entries", .number = &s->count, .minimum = 1, .maximum = 10000000},
        {.name = "warm-up", .help = "entries not counted", .number = &s->warm_up, .maximum = 1000000},
        {.name = "size",
         .help = "of a file, in MiB",
         .number = &s->size_mib,
         .minimum = 32,
         .maximum = 65536},
        {.name = "seconds", .help = "at most", .number = &s->seconds, .minimum = 1, .maximum = 600},
        {.name = "json", .help = "print one machine line", .flag = &s->json},
        {0},
    };

    floor_options_parse(options, argc, argv);
}

struct client {
    uint64_t sent;
    uint64_t committed;
    uint64_t slowest;
    uint64_t first_ns; /* when the last entry of the warm-up was committed */
    uint64_t end_ns;
    uint64_t sent_ns[IN_FLIGHT_MAX];
};

static void send_entries(struct client *client, uint64_t total)
{
    static struct star_frame frame = {.sender = STAR_CLIENT};

    frame.payload_bytes = settings.payload_bytes;
    while (client->sent < total && client->sent - client->committed < settings.in_flight &&
           client->sent - client->slowest < star.window) {
        frame.sequence = ++client->sent;
        client->sent_ns[frame.sequence % IN_FLIGHT_MAX] = floor_now_ns();
        floor_port_send(&star.port, STAR_CLIENT, STAR_LEADER, &frame, STAR_HEAD_BYTES + frame.payload_bytes);
    }
}

static unsigned take_answer(struct client *client, struct floor_samples *samples)
{
    const struct star_frame *frame = floor_port_peek(&star.port, STAR_CLIENT);

    if (frame == NULL) {
        return 0;
    }
    client->end_ns = floor_now_ns();
    client->slowest = frame->slowest;
    while (client->committed < frame->sequence) {
        client->committed++;
        if (client->committed > settings.warm_up) {
            floor_samples_add(samples, client->end_ns - client->sent_ns[client->committed % IN_FLIGHT_MAX]);
        } else {
            client->first_ns = client->end_ns;
        }
    }
    floor_port_release(&star.port, STAR_CLIENT);
    return 1;
}

static uint64_t run_client(struct floor_samples *samples)
{
    static struct client client;
    struct floor_idle idle = floor_idle_make(settings.idle);
    uint64_t total = settings.warm_up + settings.count;

    client.first_ns = floor_now_ns();
    uint64_t deadline_ns = client.first_ns + settings.seconds * 1000000000U;
    while (client.committed < total && floor_now_ns() < deadline_ns) {
        send_entries(&client, total);
        floor_idle_turn(&idle, take_answer(&client, samples));
    }
    return client.end_ns - client.first_ns;
}

static void connect_nodes(void)
{
    uint64_t wanted = settings.in_flight * 4 > 128 ? settings.in_flight * 4 : 128;

    floor_port_create(&star.port, settings.port, FLOOR_FRAME_MAX_BYTES,
                      wanted < 4096 ? (unsigned)wanted : 4096);
    star.idle = settings.idle;
    star.payload_bytes = settings.payload_bytes;
    star.in_flight = settings.in_flight;
    star.size_bytes = settings.size_mib << 20;
    floor_port_connect(&star.port, STAR_CLIENT, STAR_LEADER);
    floor_port_connect(&star.port, STAR_LEADER, STAR_FOLLOWER_1);
    floor_port_connect(&star.port, STAR_LEADER, STAR_FOLLOWER_2);
    star.window = star.port.frame_count / 2; /* an answer for each entry may wait beside the entries */
    if (star.window < settings.in_flight) {
        floor_refuse("--in-flight", "is more than the socket buffers hold");
    }
}

static void start_nodes(const struct floor_cpus *cpus)
{
    int file[3] = {-1, -1, -1};

    for (unsigned node = STAR_FOLLOWER_1; node <= STAR_LEADER && settings.directory != NULL; node++) {
        file[node] = floor_disk_create_file(settings.directory, star.size_bytes);
    }
    for (unsigned node = STAR_FOLLOWER_1; node <= STAR_LEADER; node++) {
        if (floor_process_fork() != 0) {
            continue;
        }
        floor_cpus_pin(cpus, node);
        if (node == STAR_LEADER) {
            star_lead(&star, file[node]);
        }
        star_follow(&star, node, file[node]);
    }
    floor_cpus_pin(cpus, STAR_CLIENT);
}

int main(int argc, char **argv)
{
    struct floor_cpus cpus;
    struct floor_samples samples;
    char detail[128];

    parse_settings(argc, argv);
    floor_process_start((unsigned)settings.seconds + 60);
    floor_cpus_parse(settings.cpus, &cpus);
    floor_samples_create(&samples, settings.count);
    connect_nodes();
    start_nodes(&cpus);
    uint64_t elapsed_ns = run_client(&samples);
    floor_process_finish();
    snprintf(detail, sizeof(detail), "%s, %u bytes, %u in flight, idle %s, cpus %s", settings.port,
             (unsigned)settings.payload_bytes, (unsigned)settings.in_flight, settings.idle, settings.cpus);
    floor_report_print(&(struct floor_report){.floor = "star",
                                              .mode = settings.directory != NULL ? "durable" : "memory",
                                              .detail = detail,
                                              .elapsed_ns = elapsed_ns,
                                              .json = settings.json},
                       &samples);
    return 0;
}
