/* SPDX-License-Identifier: Apache-2.0 */
/* A record: the one form of an entry, built once by the leader. The same bytes go to the tape, to the
 * followers, to readers and to egress; every stage can check them, none encodes them again.
 *
 * Layout, little-endian, RECORD_HEAD_BYTES = 48:
 *   0  crc32c   u32  over bytes 4 .. length
 *   4  length   u16  head and payload, without padding; a record takes align_up(length, 8) bytes, padding
 * zero 6  type     u8   enum record_type 7  flags    u8   zero 8  quorum   u64  quorum number 16  index u64
 * entry: its index from 1; others: as the type says 24  term     u64 32  arrival  u64  ns since 1970 UTC,
 * when the frame arrived at the leader; 0 for entries without one 40  log time u64  ns since 1970 UTC, never
 * falls along the index 48  payload */
#ifndef TALLY_RECORD_H
#define TALLY_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "bytes.h"

#define RECORD_HEAD_BYTES        48
#define RECORD_PAYLOAD_BYTES_MAX (RECORD_BYTES_MAX - RECORD_HEAD_BYTES)
/* The log time and arrival of bootstrap's entry 1: equal bytes on every node (rule 8). */
#define RECORD_TIME_NONE 0

/* Numbers are kept for ever; 1..63 are entries of a quorum's log, 64.. what else a tape must keep. */
enum record_type {
    RECORD_LEADER_START = 1,  /* no payload */
    RECORD_CONFIGURATION = 2, /* configuration.h */
    RECORD_DATA = 3,          /* feed/stream.h: DATA head, then message blocks */
    RECORD_OPEN = 4,
    RECORD_GAP = 5,
    RECORD_END = 6,
    RECORD_QUORUM = 64,     /* a quorum is bound to this log: payload {voters' configuration, name} */
    RECORD_HARD_STATE = 65, /* term = current term, index = the node voted for in it (0: nobody) */
    RECORD_TRUNCATE = 66,   /* entries from `index` on are gone */
    RECORD_BOUNDS = 67,     /* index = commit lower bound; payload {published u64} */
    RECORD_PEER = 68,       /* index = peer's node id, term = its incarnation at first contact (rule 47) */
    /* reserved, no function yet: */
    RECORD_CHECKPOINT = 69,
    RECORD_BOUNDARY = 70,
};

struct record_head {
    uint32_t crc;
    uint16_t length;
    uint8_t type;
    uint8_t flags;
    uint64_t quorum_number;
    uint64_t index;
    uint64_t term;
    uint64_t arrival_ns;
    uint64_t log_time_ns;
};

_Static_assert(sizeof(struct record_head) == RECORD_HEAD_BYTES, "the layout above");
_Static_assert(offsetof(struct record_head, quorum_number) == 8, "the layout above");
_Static_assert(offsetof(struct record_head, log_time_ns) == 40, "the layout above");

enum record_verdict {
    RECORD_GOOD,
    RECORD_SHORT,        /* fewer bytes than a head, or than the length says */
    RECORD_BAD_LENGTH,   /* below a head or above the maximum */
    RECORD_BAD_CHECKSUM, /* the bytes are not those that were written */
    RECORD_BAD_FLAGS,    /* a flag, or padding, of a later version */
};

static inline size_t record_padded_bytes(size_t length)
{
    return align_up(length, 8);
}

static inline bool record_type_is_entry(uint8_t type)
{
    return type >= 1 && type < 64;
}

/* Reads the head at `bytes`, which holds at least RECORD_HEAD_BYTES. */
static inline struct record_head record_head_load(const uint8_t *bytes)
{
    struct record_head head;
    memcpy(&head, bytes, sizeof(head));
    return head;
}

/* Finishes a record whose payload of `payload_bytes` already stands at bytes + RECORD_HEAD_BYTES: sets length
 * and flags, writes head, checksum and zero padding. `head`'s crc, length and flags are ignored. Returns the
 * padded size. */
size_t record_finish(uint8_t *bytes, const struct record_head *head, size_t payload_bytes);

/* Total: any bytes give a verdict. On RECORD_GOOD *ret_head is the head and record_padded_bytes(length) <=
 * byte_count. */
enum record_verdict record_check(const uint8_t *bytes, size_t byte_count, struct record_head *ret_head);

const char *record_verdict_name(enum record_verdict verdict);
const char *record_type_name(uint8_t type);

#endif
