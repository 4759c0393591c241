/* SPDX-License-Identifier: Apache-2.0 */
/* libtally: publish to and subscribe from a quorum of a Tally cluster, from any process on the nodes' hosts
 * (shared memory) or on the network (UDP). No thread of its own, no callback from elsewhere: everything
 * happens inside tally_poll on the caller's thread. A client belongs to one thread at a time. No DPDK EAL is
 * started. */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TALLY_NODES_MAX 32

struct tally_client;

/* One node: "shm:/path/of/its/socket" or "udp:192.0.2.1:26480". */
struct tally_endpoint {
    uint64_t node_id;
    const char *address;
};

struct tally_options {
    const char *quorum; /* name */
    const struct tally_endpoint *endpoints;
    size_t endpoint_count;
    uint64_t source_id; /* of the publisher; kept over restarts to stay idempotent; 0: drawn at random */
    uint64_t settle_ns; /* a kept source is numbered this long after tally_open: what its earlier life sent
                           must have arrived or be lost, or it could pass for what this one sends; 0: 1 s */
    uint32_t in_flight_max; /* entries published and not yet decided; 0: 1,024; at most 65,536 */
    uint64_t retry_ns;      /* without an answer, ask again after this; 0: 20 ms */
    uint64_t give_up_ns;    /* an entry not decided after this is reported TALLY_UNKNOWN; 0: never */
};

enum tally_status {
    TALLY_OK = 0,
    TALLY_BUSY,      /* in_flight_max reached: poll, then publish again */
    TALLY_TOO_LARGE, /* the blocks exceed what one entry holds */
    TALLY_MALFORMED, /* blocks and count disagree, or an argument is out of range */
    TALLY_NO_LEADER, /* nobody leads now; what was published stays in flight and is sent again */
    TALLY_NO_SPACE,  /* the leader's tape is full */
    TALLY_SOURCES_FULL,
    TALLY_UNKNOWN_QUORUM,
    TALLY_UNREACHABLE, /* no endpoint answers */
    TALLY_BEHIND_BOUNDARY,
    TALLY_SUBSCRIBERS_FULL,
    TALLY_FAILED,  /* the quorum stopped (its disk failed) */
    TALLY_UNKNOWN, /* the outcome is not known: committed or not */
};

enum tally_event_kind {
    TALLY_RECEIPT = 1, /* entries up to source_sequence have an index; not yet committed */
    TALLY_COMMITTED, /* entries up to source_sequence are committed: exactly one of COMMITTED/REFUSED/GIVEN_UP
                        each */
    TALLY_REFUSED, /* entry source_sequence is refused for `status`, it is not in the log; those behind it are
                      refused with it, one event each, and what is published next gets their numbers. It never
                      comes into the log later either. */
    TALLY_DELIVERED, /* a committed entry arrives at a subscription */
    TALLY_LEADER,    /* node_id leads (0: nobody known) */
    TALLY_PROBLEM,   /* status: something the caller may want to know (no leader, no space, ...) */
    TALLY_GIVEN_UP,  /* entry source_sequence is not decided after give_up_ns; or a leader refuses what an
                        earlier one may have in its log and commit later; or, with a kept source_id, a deposed
                        leader gave it a number that is not free. Status TALLY_UNKNOWN; nothing more is told of
                        it. It is still sent where its number must not be missing, and holds its place. */
};

struct tally_event {
    enum tally_event_kind kind;
    enum tally_status status;
    uint64_t node_id;
    uint64_t first_source_sequence; /* RECEIPT, COMMITTED: from here ... */
    uint64_t source_sequence;       /* ... to here */
    uint64_t index;                 /* log index of source_sequence, or of the delivered entry */
    uint64_t term;
    /* DELIVERED: */
    uint8_t type;             /* record type: 3 data */
    uint64_t stream_sequence; /* of the first message of the entry */
    uint32_t message_count;
    uint64_t arrival_ns; /* wall clock at the leader */
    uint64_t log_time_ns;
    const uint8_t *blocks; /* u16 big-endian length, message, repeated; valid during the call */
    uint32_t blocks_bytes;
    const uint8_t *record; /* the whole record as it stands in every log */
    uint32_t record_bytes;
};

typedef void tally_event_fn(void *context, const struct tally_event *event);

/* Opens without waiting for anybody. NULL with one line in `error_text` (256 bytes) on bad options. */
struct tally_client *tally_open(const struct tally_options *options, tally_event_fn *on_event, void *context,
                                char *error_text);
void tally_close(struct tally_client *client);

/* Moves everything forward: receives, retries, reports events. Returns the work done. Never blocks, but for
 * taking up shared memory with a node whose process hangs: 100 ms, once a second at most. */
unsigned tally_poll(struct tally_client *client);
/* Blocks until there may be work, at most `timeout_ns`. */
void tally_wait(struct tally_client *client, uint64_t timeout_ns);

/* Publishes one entry: `message_count` message blocks (u16 big-endian length, message, repeated), copied
 * before return. TALLY_OK: *ret_source_sequence is its number; exactly one outcome event follows. A lost
 * answer, a lost leader or a lost connection is retried and never doubles it. BUSY: in_flight_max entries are
 * in flight, or a REFUSED event is being told.
 *
 * A source_id of the caller's goes on where the log says it stood. Until a leader has said so the number is
 * 0; such entries get consecutive numbers in the order of publishing, and the first event names the first. */
enum tally_status tally_publish(struct tally_client *client, const void *blocks, size_t blocks_bytes,
                                unsigned message_count, uint64_t *ret_source_sequence);
/* The same for one message without its block head. */
enum tally_status tally_publish_message(struct tally_client *client, const void *message,
                                        size_t message_bytes, uint64_t *ret_source_sequence);
/* Entries whose outcome is not known yet. */
uint32_t tally_in_flight(const struct tally_client *client);
/* A hint that nothing more comes at once: what is gathered is sent now (tally_poll does it too). */
void tally_flush(struct tally_client *client);

/* Delivers committed entries from log index `from_index` (1: the beginning), then live, through events, in
 * order, each once. From the node with `node_id`, or (0) from any; when that node is lost it goes on at
 * another (0) or waits for it to come back. One subscription a client. */
enum tally_status tally_subscribe(struct tally_client *client, uint64_t from_index, uint64_t node_id);

const char *tally_status_name(enum tally_status status);

#ifdef __cplusplus
}
#endif

#endif
