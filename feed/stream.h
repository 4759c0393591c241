/* SPDX-License-Identifier: Apache-2.0 */
/* The state of one quorum's stream, as the entries of its log make it: which session is open, which sequence
 * comes next, and the last entry of each source. It is a pure function of the entries, so every node that has
 * applied the same prefix holds the same bytes. Whoever appends, replays or verifies a log applies every
 * entry; because a tail can be truncated, the host keeps a copy (`=`) from before what is not committed.
 *
 * Deduplication comes from here alone: a publish is admitted against the log's end, uncommitted tail
 * included. */
#ifndef TALLY_STREAM_H
#define TALLY_STREAM_H

#include "stream_entry.h"

#define STREAM_SLOTS (2 * SOURCES_MAX)

enum stream_verdict {
    STREAM_APPLIED,           /* apply: the state has moved */
    STREAM_FRESH,             /* admit: the source's next entry, or the first one of a new source */
    STREAM_DUPLICATE,         /* the source's sequence is not above its last one */
    STREAM_SEQUENCE_GAP,      /* the source's entries before this one are missing */
    STREAM_SOURCES_FULL,      /* SOURCES_MAX sources are known and this is another */
    STREAM_MALFORMED,         /* not the layout of stream_entry.h, or blocks and count disagree */
    STREAM_TOO_LARGE,         /* blocks above DATA_BLOCKS_BYTES_MAX_JUMBO */
    STREAM_NO_SESSION,        /* DATA, GAP or END without an open session */
    STREAM_SESSION_IS_OPEN,   /* OPEN before the END of the session before */
    STREAM_SEQUENCE_MISMATCH, /* not the next stream sequence */
    STREAM_SEQUENCE_OVERFLOW, /* the next stream sequence would not fit 64 bits */
    STREAM_INDEX_BACKWARDS,   /* the index is not above the last applied one */
    STREAM_NOT_AN_ENTRY,      /* the record type is none of a quorum's log */
};

struct stream_source {
    uint64_t id;
    uint64_t sequence; /* the source's number of its last entry */
    uint64_t index;    /* where that entry is */
};

/* Flat, without pointers or padding, unused places zero: two states of equal history compare and hash equal.
 */
struct stream_state {
    uint8_t session[STREAM_SESSION_BYTES]; /* the open one, or the last one */
    uint8_t mode;                          /* enum stream_mode; 0 before the first OPEN */
    uint8_t is_open;
    uint32_t source_count;                     /* <= SOURCES_MAX; sources outlive sessions */
    uint64_t first_sequence;                   /* of the session */
    uint64_t next_sequence;                    /* >= first_sequence; 0 before the first OPEN */
    uint64_t session_source_id;                /* as OPEN said */
    uint64_t applied_index;                    /* of the last entry applied, of any type */
    uint16_t slots[STREAM_SLOTS];              /* open addressing by id: 1 + place in `sources`, 0 = free */
    struct stream_source sources[SOURCES_MAX]; /* in order of first appearance */
};

_Static_assert(sizeof(struct stream_state) == 16 + 4 * 8 + 2 * STREAM_SLOTS + 24 * SOURCES_MAX, "no padding");

/* No session, no sources, nothing applied. */
void stream_state_init(struct stream_state *state);

/* Applies one entry, in the order of the log. Entries that are no stream's (leader start, configuration) only
 * move applied_index. Anything but STREAM_APPLIED leaves the state as it was. Total. */
enum stream_verdict stream_apply(struct stream_state *state, uint8_t record_type, uint64_t index,
                                 const uint8_t *payload, size_t payload_bytes);

/* Says what publishing one entry would do: STREAM_FRESH, or why not; the state is not changed. What the log
 * holds of the source, and so what is wanted from it, says stream_find_source. A duplicate is one whether or
 * not its session is still open: a retry must learn that its entry is in the log. Total. */
enum stream_verdict stream_admit(const struct stream_state *state, uint64_t source_id,
                                 uint64_t source_sequence, const uint8_t *blocks, size_t blocks_bytes,
                                 uint32_t message_count);

/* Applies a DATA entry made of an admitted publish, by its head alone: its blocks have been checked. Anything
 * but the next sequences is our bug and asserted. */
void stream_note_data(struct stream_state *state, uint64_t index, const uint8_t *head_bytes);

/* False, and nothing written, when the log holds nothing of this source: its first entry has
 * number 1. */
bool stream_find_source(const struct stream_state *state, uint64_t source_id,
                        struct stream_source *ret_source);

const char *stream_verdict_name(enum stream_verdict verdict);

static inline bool stream_is_open(const struct stream_state *state)
{
    return state->is_open != 0;
}

/* Of the next message; 0 before the first OPEN. */
static inline uint64_t stream_next_sequence(const struct stream_state *state)
{
    return state->next_sequence;
}

static inline uint32_t stream_source_count(const struct stream_state *state)
{
    return state->source_count;
}

#endif
