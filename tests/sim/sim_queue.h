/* SPDX-License-Identifier: Apache-2.0 */
/* What is going to happen, earliest first; of the same time, what was planned first. */
#ifndef TALLY_SIM_QUEUE_H
#define TALLY_SIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_event_kind {
    SIM_FRAME,   /* `frame` arrives */
    SIM_DISK,    /* the oldest write of node `who` in its life `ticket` completes */
    SIM_TURN,    /* node `who` works, if `ticket` is its newest */
    SIM_CLIENT,  /* client `who` is polled, if `ticket` is its newest */
    SIM_START,   /* node `who` starts, if it is down */
    SIM_RESTART, /* node `who` is ended and started, if it still lives its life `ticket` */
    SIM_OPEN,    /* client `who` starts, if it is down */
    SIM_TELL,    /* node `who` is told to bootstrap quorum `ticket` */
    SIM_FAULT,   /* fault process `who` strikes */
    SIM_HEAL,    /* fault `who` of serial number `ticket` ends */
};

struct sim_frame;

struct sim_event {
    uint64_t time_ns;
    uint64_t number; /* of its planning */
    enum sim_event_kind kind;
    uint32_t who;
    uint64_t ticket;
    struct sim_frame *frame;
};

struct sim_queue {
    struct sim_event *events; /* a binary heap */
    size_t count;
    size_t capacity;
    uint64_t planned_count;
};

void sim_queue_init(struct sim_queue *queue);
/* Frees the frames that have not arrived, too. */
void sim_queue_fini(struct sim_queue *queue);
void sim_queue_add(struct sim_queue *queue, const struct sim_event *event);
/* False: nothing is planned. */
bool sim_queue_take(struct sim_queue *queue, struct sim_event *ret_event);

#endif
