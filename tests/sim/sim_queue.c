/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_queue.h"

#include <stdlib.h>

#include "check.h"

void sim_queue_init(struct sim_queue *queue)
{
    *queue = (struct sim_queue){.capacity = 1024};
    queue->events = malloc(queue->capacity * sizeof(queue->events[0]));
    ASSERT(queue->events != NULL);
}

void sim_queue_fini(struct sim_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++) {
        free(queue->events[i].frame);
    }
    free(queue->events);
}

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->number < b->number;
}

void sim_queue_add(struct sim_queue *queue, const struct sim_event *event)
{
    if (queue->count == queue->capacity) {
        queue->capacity *= 2;
        queue->events = realloc(queue->events, queue->capacity * sizeof(queue->events[0]));
        ASSERT(queue->events != NULL);
    }
    struct sim_event added = *event;
    added.number = queue->planned_count++;
    size_t at = queue->count++;
    while (at > 0 && is_before(&added, &queue->events[(at - 1) / 2])) {
        queue->events[at] = queue->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->events[at] = added;
}

bool sim_queue_take(struct sim_queue *queue, struct sim_event *ret_event)
{
    if (queue->count == 0) {
        return false;
    }
    *ret_event = queue->events[0];
    struct sim_event last = queue->events[--queue->count];
    size_t at = 0;
    for (size_t child = 1; child < queue->count; child = 2 * at + 1) {
        if (child + 1 < queue->count && is_before(&queue->events[child + 1], &queue->events[child])) {
            child++;
        }
        if (!is_before(&queue->events[child], &last)) {
            break;
        }
        queue->events[at] = queue->events[child];
        at = child;
    }
    queue->events[at] = last;
    return true;
}
