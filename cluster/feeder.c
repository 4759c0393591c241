/* SPDX-License-Identifier: Apache-2.0 */
#include "feeder.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bytes.h"
#include "check.h"
#include "child.h"

/* A paced step sends what has become due in this time; less costs processor time that the nodes need. */
#define TICK_NS 100000u
/* How long a wait may last when nothing is due: commits wake it earlier. */
#define WAIT_NS 5000000u

uint64_t feeder_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t due_of(const struct feeder_step *step, uint64_t message)
{
    return step->messages_per_second ? message * 1000000000u / step->messages_per_second : 0;
}

/* ---- outcomes ---- */

static void count_latency(struct feeder *feeder, const struct feeder_entry *entry, uint64_t now_ns)
{
    struct feeder_step *step = &feeder->steps[entry->step];
    step->last_commit_ns = now_ns;
    for (uint32_t i = 0; i < entry->message_count; i++) {
        uint64_t due_ns = entry->due_ns + due_of(step, i);
        histogram_record(step->latency_ns, now_ns > due_ns ? now_ns - due_ns : 0);
    }
}

static void note_gap(struct feeder *feeder, uint64_t now_ns)
{
    uint64_t before_ns = atomic_exchange(&feeder->last_commit_ns, now_ns);
    uint64_t gap_ns = before_ns ? now_ns - before_ns : 0;
    if (gap_ns > atomic_load(&feeder->longest_gap_ns)) {
        atomic_store(&feeder->longest_gap_ns, gap_ns);
    }
}

static void on_committed(struct feeder *feeder, uint64_t count)
{
    uint64_t now_ns = feeder_now_ns();
    note_gap(feeder, now_ns);
    for (uint64_t i = 0; i < count; i++) {
        ASSERT(feeder->entry_first < feeder->entry_next);
        struct feeder_entry *entry = &feeder->entries[feeder->entry_first++ % feeder->options.in_flight_max];
        count_latency(feeder, entry, now_ns);
        atomic_fetch_add(&feeder->committed_count, entry->message_count);
        atomic_fetch_add(&feeder->committed_entry_count, 1);
    }
}

static void on_event(void *context, const struct tally_event *event)
{
    struct feeder *feeder = context;
    switch (event->kind) {
    case TALLY_COMMITTED:
        on_committed(feeder, event->source_sequence - event->first_source_sequence + 1);
        break;
    case TALLY_REFUSED:
        feeder->entry_first++;
        atomic_store(&feeder->refusal, (int)event->status);
        atomic_fetch_add(&feeder->refused_count, 1);
        break;
    case TALLY_GIVEN_UP:
        feeder->entry_first++;
        atomic_fetch_add(&feeder->unknown_count, 1);
        break;
    case TALLY_PROBLEM:
        atomic_store(&feeder->problem, (int)event->status);
        break;
    case TALLY_RECEIPT:
    case TALLY_DELIVERED:
    case TALLY_LEADER:
        break;
    }
}

/* ---- sending ---- */

/* Makes sure that a message is at hand, unless there are no more. */
static bool take_message(struct feeder *feeder)
{
    if (!feeder->message) {
        feeder->message_bytes = feeder->options.next(feeder->options.context, &feeder->message);
        feeder->message = feeder->message_bytes ? feeder->message : NULL;
    }
    return feeder->message != NULL;
}

static void begin_step(struct feeder *feeder, unsigned step, uint64_t due_ns)
{
    feeder->step = step;
    feeder->step_sent = 0;
    feeder->step_due_ns = due_ns;
    if (step < feeder->step_count) {
        feeder->steps[step].begin_ns = due_ns;
    }
}

/* A step that is paced goes on by the clock of the one before; one that is not begins now. */
static void end_step(struct feeder *feeder, uint64_t now_ns)
{
    const struct feeder_step *step = &feeder->steps[feeder->step];
    uint64_t end_ns = feeder->step_due_ns + due_of(step, feeder->step_sent);
    unsigned next = feeder->step + 1;
    bool by_clock =
        step->messages_per_second && next < feeder->step_count && feeder->steps[next].messages_per_second;
    begin_step(feeder, next, by_clock ? end_ns : now_ns);
}

/* Adds the message at hand to the entry; false when the entry must go first. */
static bool add_message(struct feeder *feeder)
{
    struct feeder_entry *pending = &feeder->pending;
    uint32_t room = (uint32_t)sizeof(feeder->blocks) - feeder->blocks_bytes;
    bool fresh = pending->message_count == 0;
    if (!fresh && (feeder->options.one_a_message || pending->step != feeder->step ||
                   room < feeder->message_bytes + 2)) {
        return false;
    }
    if (fresh) {
        pending->step = feeder->step;
        pending->due_ns = feeder->step_due_ns + due_of(&feeder->steps[feeder->step], feeder->step_sent);
    }
    store_be16(feeder->blocks + feeder->blocks_bytes, (uint16_t)feeder->message_bytes);
    memcpy(feeder->blocks + feeder->blocks_bytes + 2, feeder->message, feeder->message_bytes);
    feeder->blocks_bytes += 2 + feeder->message_bytes;
    pending->message_count++;
    feeder->step_sent++;
    feeder->message = NULL;
    return true;
}

/* False: too much is in flight. */
static bool publish(struct feeder *feeder)
{
    uint64_t sequence = 0;
    struct feeder_entry *pending = &feeder->pending;
    if (pending->message_count == 0) {
        return true;
    }
    if (feeder->entry_next - feeder->entry_first == feeder->options.in_flight_max) {
        return false;
    }
    enum tally_status status = tally_publish(feeder->client, feeder->blocks, feeder->blocks_bytes,
                                             pending->message_count, &sequence);
    if (status != TALLY_OK) {
        ASSERT(status == TALLY_BUSY);
        return false;
    }
    if (!feeder->steps[pending->step].messages_per_second) {
        pending->due_ns = feeder_now_ns();
    }
    feeder->entries[feeder->entry_next++ % feeder->options.in_flight_max] = *pending;
    atomic_fetch_add(&feeder->published_count, pending->message_count);
    *pending = (struct feeder_entry){0};
    feeder->blocks_bytes = 0;
    return true;
}

/* Sends what is due at `now_ns`. False: too much is in flight. */
static bool send_due(struct feeder *feeder, uint64_t now_ns)
{
    for (unsigned budget = 4096; budget > 0 && feeder->step < feeder->step_count; budget--) {
        const struct feeder_step *step = &feeder->steps[feeder->step];
        if (feeder->step_sent == step->message_count) {
            end_step(feeder, now_ns);
            continue;
        }
        if (step->waits && feeder->step_sent == 0) {
            if (feeder->pending.message_count > 0 || feeder->entry_first != feeder->entry_next) {
                break;
            }
            begin_step(feeder, feeder->step, now_ns);
        }
        if (atomic_load(&feeder->stop) || !take_message(feeder)) {
            begin_step(feeder, feeder->step_count, now_ns);
            break;
        }
        if (step->messages_per_second && feeder->step_due_ns + due_of(step, feeder->step_sent) > now_ns) {
            break;
        }
        if (!add_message(feeder) && !publish(feeder)) {
            return false;
        }
    }
    return publish(feeder);
}

static bool is_paced(const struct feeder *feeder)
{
    return feeder->step < feeder->step_count && feeder->steps[feeder->step].messages_per_second != 0;
}

/* Commits wake a wait early; a paced step still sends only once a tick. */
static void *run(void *context)
{
    struct feeder *feeder = context;
    uint64_t send_ns = 0; /* not before this */
    bool sent = true;
    begin_step(feeder, 0, feeder_now_ns());
    while (!atomic_load(&feeder->abandon)) {
        uint64_t now_ns = feeder_now_ns();
        if (now_ns >= send_ns) {
            sent = send_due(feeder, now_ns);
            send_ns = is_paced(feeder) ? now_ns + TICK_NS : 0;
        }
        bool ended = feeder->step == feeder->step_count && feeder->pending.message_count == 0;
        unsigned work = tally_poll(feeder->client);
        if (ended && tally_in_flight(feeder->client) == 0) {
            break;
        }
        if (!work && (!sent || ended)) {
            tally_wait(feeder->client, WAIT_NS);
        } else if (send_ns > now_ns) {
            tally_wait(feeder->client, send_ns - now_ns);
        }
    }
    tally_close(feeder->client);
    feeder->client = NULL;
    atomic_store(&feeder->finished, true);
    return NULL;
}

bool feeder_start(struct feeder *feeder, const struct feeder_options *options,
                  const struct feeder_step *steps, unsigned step_count, char *error_text)
{
    ASSERT(step_count <= FEEDER_STEPS_MAX);
    memset(feeder, 0, sizeof(*feeder));
    feeder->options = *options;
    feeder->step_count = step_count;
    feeder->entries = calloc(options->in_flight_max, sizeof(*feeder->entries));
    ASSERT(feeder->entries != NULL);
    for (unsigned i = 0; i < step_count; i++) {
        feeder->steps[i] = steps[i];
        feeder->steps[i].latency_ns = malloc(sizeof(struct histogram));
        ASSERT(feeder->steps[i].latency_ns != NULL);
        histogram_init(feeder->steps[i].latency_ns);
    }
    struct tally_options client_options = {.quorum = options->quorum,
                                           .endpoints = options->endpoints,
                                           .endpoint_count = options->endpoint_count,
                                           .source_id = options->source_id,
                                           .in_flight_max = options->in_flight_max};
    feeder->client = tally_open(&client_options, on_event, feeder, error_text);
    if (!feeder->client) {
        feeder_release(feeder);
        return false;
    }
    ASSERT(child_thread_start(&feeder->thread, run, feeder) == 0);
    feeder->started = true;
    return true;
}

void feeder_stop(struct feeder *feeder)
{
    atomic_store(&feeder->stop, true);
}

void feeder_fini(struct feeder *feeder)
{
    if (feeder->started) {
        atomic_store(&feeder->abandon, true);
        pthread_join(feeder->thread, NULL);
        feeder->started = false;
    }
}

void feeder_release(struct feeder *feeder)
{
    free(feeder->entries);
    feeder->entries = NULL;
    for (unsigned i = 0; i < feeder->step_count; i++) {
        free(feeder->steps[i].latency_ns);
        feeder->steps[i].latency_ns = NULL;
    }
}
