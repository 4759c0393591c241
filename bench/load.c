/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

/* As the nodes' loops while they await a write: a client that yielded for ever kept the kernel's thread that
 * completes writes from its processor, and every write under way for 100 ms. */
#define YIELDS_BEFORE_WAIT 20
#define WAIT_NS_MAX        10000000u
/* A timed wait ends that late (with the timer slack at its least); the rest of the time to a due entry is
 * spent yielding. */
#define WAKE_NS   15000u
#define NEVER_NS  UINT64_MAX
#define SECOND_NS 1000000000u
#define ATTACH_NS (10ull * SECOND_NS)

struct load {
    const struct load_options *options;
    struct load_result *result;
    struct tally_client *client;
    uint64_t sent;
    uint64_t total;   /* to be sent in this phase */
    uint64_t decided; /* sequences up to here have their outcome; they come in order */
    uint64_t start_ns;
    uint64_t counted_from_ns;
    uint64_t last_outcome_ns;
    unsigned empty_turns;
    uint64_t due_ns[LOAD_IN_FLIGHT_MAX]; /* by sequence */
    uint8_t message[LOAD_MESSAGE_BYTES_MAX];
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static void take_commits(struct load *load, uint64_t last_sequence)
{
    load->last_outcome_ns = now_ns();
    while (load->decided < last_sequence) {
        load->decided++;
        if (load->decided > 1 + load->options->warm_up) {
            histogram_record(&load->result->latency,
                             load->last_outcome_ns - load->due_ns[load->decided % LOAD_IN_FLIGHT_MAX]);
        } else {
            load->counted_from_ns = load->last_outcome_ns;
        }
    }
}

static void on_event(void *context, const struct tally_event *event)
{
    struct load *load = context;
    switch (event->kind) {
    case TALLY_COMMITTED:
        take_commits(load, event->source_sequence);
        return;
    case TALLY_REFUSED:
    case TALLY_GIVEN_UP:
        load->result->refused_count++;
        load->result->worst = event->status;
        return;
    case TALLY_PROBLEM:
        load->result->problem_count++;
        load->result->worst = event->status;
        return;
    case TALLY_RECEIPT:
    case TALLY_DELIVERED:
    case TALLY_LEADER:
        return;
    }
}

/* When the entry after the last one sent is due; NEVER_NS when all are sent. */
static uint64_t next_due_ns(const struct load *load, uint64_t now)
{
    const struct load_options *options = load->options;
    if (load->sent == load->total) {
        return NEVER_NS;
    }
    if (options->rate == 0) {
        return now;
    }
    uint64_t place =
        load->sent > 0 ? load->sent - 1 : 0; /* the one that finds the leader is not on the schedule */
    return load->start_ns + (uint64_t)((double)place * (double)SECOND_NS / (double)options->rate);
}

static bool has_place(const struct load *load)
{
    return load->sent - load->decided < load->options->in_flight;
}

static unsigned publish_due(struct load *load)
{
    unsigned count = 0;
    uint64_t now = now_ns();
    for (uint64_t due = next_due_ns(load, now); due <= now && has_place(load); due = next_due_ns(load, now)) {
        uint64_t sequence;
        memcpy(load->message, &load->sent, sizeof(load->sent));
        enum tally_status status =
            tally_publish_message(load->client, load->message, load->options->message_bytes, &sequence);
        if (status != TALLY_OK) {
            break; /* busy; anything else comes again as a refusal of all that follow */
        }
        load->result->late_count += load->options->rate != 0 && load->last_outcome_ns > due;
        load->sent++;
        load->due_ns[load->sent % LOAD_IN_FLIGHT_MAX] = due;
        count++;
        now = now_ns();
    }
    return count;
}

static void idle(struct load *load, unsigned work)
{
    if (work > 0) {
        load->empty_turns = 0;
        return;
    }
    load->empty_turns++;
    if (load->options->idle == LOAD_IDLE_SPIN) {
        __builtin_ia32_pause();
        return;
    }
    uint64_t now = now_ns();
    uint64_t due = has_place(load) ? next_due_ns(load, now) : NEVER_NS;
    uint64_t wait_ns = due == NEVER_NS || due > now + WAIT_NS_MAX ? WAIT_NS_MAX : due > now ? due - now : 0;
    if (load->options->idle == LOAD_IDLE_YIELD || load->empty_turns < YIELDS_BEFORE_WAIT ||
        wait_ns <= WAKE_NS) {
        sched_yield();
    } else {
        tally_wait(load->client, wait_ns - WAKE_NS);
    }
}

static void run_phase(struct load *load, uint64_t total, uint64_t deadline_ns)
{
    load->total = total;
    while (load->decided < total && load->result->refused_count == 0 && now_ns() < deadline_ns) {
        unsigned work = publish_due(load);
        work += tally_poll(load->client);
        idle(load, work);
    }
}

static bool judge(struct load *load)
{
    struct load_result *result = load->result;
    result->elapsed_ns = load->last_outcome_ns - load->counted_from_ns;
    if (result->refused_count > 0 || result->latency.total_count == 0) {
        snprintf(result->error, sizeof(result->error), "%s (%llu of %llu entries decided)",
                 result->worst != TALLY_OK ? tally_status_name(result->worst)
                                           : "too slow for the time allowed",
                 (unsigned long long)load->decided, (unsigned long long)load->sent);
        return false;
    }
    return true;
}

bool load_run(const struct load_options *options, struct load_result *ret_result)
{
    static struct load load;
    (void)prctl(PR_SET_TIMERSLACK, 1ul);
    const struct tally_options client_options = {.quorum = options->quorum,
                                                 .endpoints = options->endpoints,
                                                 .endpoint_count = options->endpoint_count,
                                                 .in_flight_max = options->in_flight};
    memset(&load, 0, sizeof(load));
    memset(ret_result, 0, sizeof(*ret_result));
    histogram_init(&ret_result->latency);
    load.options = options;
    load.result = ret_result;
    load.client = tally_open(&client_options, on_event, &load, ret_result->error);
    if (load.client == NULL) {
        return false;
    }
    /* One entry goes ahead of all, uncounted: finding the leader is no part of the schedule. */
    load.start_ns = now_ns();
    run_phase(&load, 1, load.start_ns + ATTACH_NS);
    load.start_ns = now_ns();
    run_phase(&load, 1 + options->warm_up + options->count, load.start_ns + options->duration_ns_max);
    tally_close(load.client);
    return judge(&load);
}
