/* SPDX-License-Identifier: Apache-2.0 */
/* A publisher on a thread of its own: sends messages by a plan of steps, each paced or as fast as it goes,
 * and keeps what became of them. Latency of a paced step is counted from when a message was due, not from
 * when it was sent, so what waits behind a stall counts with all its waiting. */
#ifndef TALLY_FEEDER_H
#define TALLY_FEEDER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"
#include "histogram.h"
#include "tally.h"

#define FEEDER_STEPS_MAX 4
/* A step of this many messages ends only by feeder_stop. */
#define FEEDER_ENDLESS UINT64_MAX

/* The next message, valid until the next call; 0: there are no more. */
typedef uint32_t feeder_next_fn(void *context, const uint8_t **ret_message);

struct feeder_step {
    uint64_t message_count;
    uint32_t messages_per_second; /* 0: as fast as it goes */
    bool waits;                   /* it begins when all before it is committed */
    /* Results, to be read when the feeder has finished: */
    uint64_t begin_ns;       /* when its first message was due */
    uint64_t last_commit_ns; /* when its last message was committed */
    struct histogram *latency_ns;
};

struct feeder_options {
    const struct tally_endpoint *endpoints;
    unsigned endpoint_count;
    const char *quorum;
    uint64_t source_id;
    uint32_t in_flight_max; /* entries */
    bool one_a_message;     /* an entry for each message; else as many as are due and fit */
    feeder_next_fn *next;
    void *context;
};

/* Entries that are published and not decided, oldest first. */
struct feeder_entry {
    uint64_t due_ns; /* of its first message */
    uint32_t message_count;
    uint32_t step;
};

struct feeder {
    struct feeder_options options;
    struct feeder_step steps[FEEDER_STEPS_MAX];
    unsigned step_count;
    pthread_t thread;
    bool started;
    struct tally_client *client;
    /* The feeder's thread alone: */
    unsigned step;
    uint64_t step_sent;   /* messages of the step that are taken */
    uint64_t step_due_ns; /* when the step's first message is due */
    uint8_t blocks[DATA_BLOCKS_BYTES_MAX];
    uint32_t blocks_bytes;
    struct feeder_entry pending;
    const uint8_t *message; /* taken, and in no entry yet */
    uint32_t message_bytes;
    struct feeder_entry *entries;
    uint64_t entry_first;
    uint64_t entry_next;
    /* Written by the feeder's thread, read by any: */
    _Atomic bool stop;    /* no more messages; what is in flight is waited for */
    _Atomic bool abandon; /* nor that */
    _Atomic bool finished;
    _Atomic uint64_t published_count; /* messages */
    _Atomic uint64_t committed_count; /* messages */
    _Atomic uint64_t committed_entry_count;
    _Atomic uint64_t refused_count; /* entries */
    _Atomic uint64_t unknown_count; /* entries whose outcome nobody could tell: they may be in the log */
    _Atomic uint64_t last_commit_ns;
    _Atomic uint64_t longest_gap_ns; /* between commits; set to 0 by whoever begins to watch */
    _Atomic int problem;             /* enum tally_status of the last one told */
    _Atomic int refusal;             /* enum tally_status of the last refused entry */
};

uint64_t feeder_now_ns(void);

/* Starts the thread. False with a line in `error_text` (256 bytes) when libtally refuses the options. Memory
 * is given back by feeder_fini. */
bool feeder_start(struct feeder *feeder, const struct feeder_options *options,
                  const struct feeder_step *steps, unsigned step_count, char *error_text);
void feeder_stop(struct feeder *feeder);
/* Ends the thread, whatever is in flight. The counts and the steps stay readable until feeder_release. */
void feeder_fini(struct feeder *feeder);
void feeder_release(struct feeder *feeder);

#endif
