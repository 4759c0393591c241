/* SPDX-License-Identifier: Apache-2.0 */
/* The leader and the followers of the star. */
#include "floor.h"
#include "floor_log.h"
#include "floor_star.h"

enum { BURST_MAX = 32 };

static void open_log(const struct star *star, struct floor_log *log, int file)
{
    floor_log_open(log, file, star->size_bytes, (size_t)star->window * star->payload_bytes);
}

static void send_answer(struct star *star, unsigned from, unsigned to, uint64_t sequence, uint64_t slowest)
{
    struct star_frame frame;

    frame.sender = from;
    frame.sequence = sequence;
    frame.slowest = slowest;
    frame.payload_bytes = 0;
    floor_port_send(&star->port, from, to, &frame, STAR_HEAD_BYTES);
}

/* One frame a turn when one entry is in flight: looking for a second one would only cost a system call. */
static unsigned burst_limit(const struct star *star)
{
    return star->in_flight < BURST_MAX ? (unsigned)star->in_flight : BURST_MAX;
}

_Noreturn void star_follow(struct star *star, unsigned self, int file)
{
    struct floor_log log;
    struct floor_idle idle = floor_idle_make(star->idle);
    uint64_t answered = 0;

    open_log(star, &log, file);
    for (;;) {
        const struct star_frame *frame = NULL;
        unsigned work = 0;
        while (work < burst_limit(star) && (frame = floor_port_peek(&star->port, self)) != NULL) {
            floor_log_append(&log, frame->sequence, frame->payload, frame->payload_bytes);
            floor_port_release(&star->port, self);
            work++;
        }
        work += floor_log_poll(&log);
        if (log.held != answered) {
            answered = log.held;
            send_answer(star, self, STAR_LEADER, answered, 0);
        }
        floor_idle_turn(&idle, work);
    }
}

struct leader {
    struct star *star;
    struct floor_log log;
    uint64_t follower_held[2];
    uint64_t told_committed; /* what the client was told last */
    uint64_t told_slowest;
};

/* To the followers first: submitting a write holds the processor longer than sending does. */
static void take_frame(struct leader *leader, const struct star_frame *frame)
{
    if (frame->sender == STAR_CLIENT) {
        size_t bytes = STAR_HEAD_BYTES + frame->payload_bytes;
        floor_port_send(&leader->star->port, STAR_LEADER, STAR_FOLLOWER_1, frame, bytes);
        floor_port_send(&leader->star->port, STAR_LEADER, STAR_FOLLOWER_2, frame, bytes);
        floor_log_append(&leader->log, frame->sequence, frame->payload, frame->payload_bytes);
    } else {
        leader->follower_held[frame->sender] = frame->sequence;
    }
}

/* Tells the client of new commits, and of the slower follower's progress where that holds the client up. */
static void tell_client(struct leader *leader)
{
    const uint64_t *held = leader->follower_held;
    uint64_t faster = held[0] > held[1] ? held[0] : held[1];
    uint64_t slower = held[0] > held[1] ? held[1] : held[0];
    uint64_t committed = leader->log.held < faster ? leader->log.held : faster;
    bool is_held_up = leader->log.received - leader->told_slowest >= leader->star->window / 2;

    if (committed != leader->told_committed || (is_held_up && slower != leader->told_slowest)) {
        leader->told_committed = committed;
        leader->told_slowest = slower;
        send_answer(leader->star, STAR_LEADER, STAR_CLIENT, committed, slower);
    }
}

_Noreturn void star_lead(struct star *star, int file)
{
    struct leader leader = {.star = star};
    struct floor_idle idle = floor_idle_make(star->idle);

    open_log(star, &leader.log, file);
    for (;;) {
        const struct star_frame *frame = NULL;
        unsigned work = 0;
        while (work < burst_limit(star) && (frame = floor_port_peek(&star->port, STAR_LEADER)) != NULL) {
            take_frame(&leader, frame);
            floor_port_release(&star->port, STAR_LEADER);
            work++;
        }
        work += floor_log_poll(&leader.log);
        tell_client(&leader);
        floor_idle_turn(&idle, work);
    }
}
