/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of a port: one frame goes to another process and comes back. */
#include <stdio.h>
#include <string.h>

#include "floor.h"
#include "floor_options.h"
#include "floor_port.h"
#include "floor_process.h"

enum {
    ASKER,
    ECHOER,
};

struct settings {
    const char *port;
    const char *idle;
    const char *cpus;
    uint64_t frame_bytes;
    uint64_t count;
    uint64_t warm_up;
    uint64_t seconds;
    bool json;
};

static struct settings parse_settings(int argc, char **argv)
{
    static struct settings s = {.port = "shm",
                                .idle = "spin",
                                .cpus = "all",
                                .frame_bytes = 128,
                                .count = 200000,
                                .warm_up = 10000,
                                .seconds = 10};
    const struct floor_option options[] = {
        {.name = "port", .help = "what carries the frames", .text = &s.port, .words = FLOOR_PORT_WORDS},
        {.name = "idle", .help = "how both ends wait", .text = &s.idle, .words = FLOOR_IDLE_WORDS "|block"},
        {.name = "cpus", .help = "all, none, or a list: processors of the two ends", .text = &s.cpus},
        {.name = "bytes", .help = "of a frame", .number = &s.frame_bytes, .minimum = 8, .maximum = 2048},
        {.name = "count", .help = "round trips", .number = &s.count, .minimum = 1, .maximum = 10000000},
        {.name = "warm-up", .help = "round trips not counted", .number = &s.warm_up, .maximum = 1000000},
        {.name = "seconds", .help = "at most", .number = &s.seconds, .minimum = 1, .maximum = 600},
        {.name = "json", .help = "print one machine line", .flag = &s.json},
        {0},
    };

    floor_options_parse(options, argc, argv);
    s.frame_bytes = (s.frame_bytes + 7) / 8 * 8;
    if (strcmp(s.idle, "block") == 0 && strcmp(s.port, "udp") != 0) {
        floor_refuse("--idle block", "only udp can wait in the kernel");
    }
    return s;
}

static const void *wait_for_frame(struct floor_port *port, unsigned self, struct floor_idle *idle)
{
    const void *frame = floor_port_peek(port, self);

    while (frame == NULL) {
        floor_idle_turn(idle, 0);
        frame = floor_port_peek(port, self);
    }
    floor_idle_turn(idle, 1);
    return frame;
}

_Noreturn static void echo_frames(struct floor_port *port, const struct settings *s)
{
    struct floor_idle idle = floor_idle_make(s->idle);

    for (;;) {
        const void *frame = wait_for_frame(port, ECHOER, &idle);
        floor_port_send(port, ECHOER, ASKER, frame, s->frame_bytes);
        floor_port_release(port, ECHOER);
    }
}

static uint64_t make_round_trip(struct floor_port *port, const struct settings *s, struct floor_idle *idle,
                                uint64_t number)
{
    static unsigned char frame[FLOOR_FRAME_MAX_BYTES];
    uint64_t echoed = 0;

    memcpy(frame, &number, sizeof(number));
    uint64_t start_ns = floor_now_ns();
    floor_port_send(port, ASKER, ECHOER, frame, s->frame_bytes);
    memcpy(&echoed, wait_for_frame(port, ASKER, idle), sizeof(echoed));
    floor_port_release(port, ASKER);
    uint64_t end_ns = floor_now_ns();
    if (echoed != number) {
        floor_refuse("round trip", "another frame came back");
    }
    return end_ns - start_ns;
}

static uint64_t ask(struct floor_port *port, const struct settings *s, struct floor_samples *samples)
{
    struct floor_idle idle = floor_idle_make(s->idle);
    uint64_t start_ns = floor_now_ns();
    uint64_t deadline_ns = start_ns + s->seconds * 1000000000U;

    for (uint64_t i = 0; i < s->warm_up + s->count; i++) {
        uint64_t taken_ns = make_round_trip(port, s, &idle, i);
        if (i < s->warm_up) {
            start_ns = floor_now_ns();
            continue;
        }
        floor_samples_add(samples, taken_ns);
        if (floor_now_ns() > deadline_ns) {
            break;
        }
    }
    return floor_now_ns() - start_ns;
}

int main(int argc, char **argv)
{
    static struct floor_port port;
    struct settings s = parse_settings(argc, argv);
    struct floor_cpus cpus;
    struct floor_samples samples;
    char detail[128];

    floor_process_start((unsigned)s.seconds + 20);
    floor_cpus_parse(s.cpus, &cpus);
    floor_samples_create(&samples, s.count);
    floor_port_create(&port, s.port, (unsigned)s.frame_bytes, 8);
    floor_port_connect(&port, ASKER, ECHOER);
    port.blocking = strcmp(s.idle, "block") == 0;
    if (floor_process_fork() == 0) {
        floor_cpus_pin(&cpus, ECHOER);
        echo_frames(&port, &s);
    }
    floor_cpus_pin(&cpus, ASKER);
    uint64_t elapsed_ns = ask(&port, &s, &samples);
    floor_process_finish();
    snprintf(detail, sizeof(detail), "%s, %u bytes, idle %s, cpus %s", s.port, (unsigned)s.frame_bytes,
             s.idle, s.cpus);
    floor_report_print(&(struct floor_report){.floor = "port_round_trip",
                                              .mode = s.port,
                                              .detail = detail,
                                              .elapsed_ns = elapsed_ns,
                                              .json = s.json},
                       &samples);
    return 0;
}
