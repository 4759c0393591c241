/* SPDX-License-Identifier: Apache-2.0 */
/* The tape: one log's ring of bytes on disk, its last chunks in memory. docs/disk.md has the layout. One
 * thread (the log's consensus core) owns a tape and calls everything here; tape_reader_poll belongs to the
 * reader's thread.
 *
 * A position is a byte address that only grows: chunk sequence x chunk bytes + offset in the chunk. A
 * record's position is that of its end, so "durable up to p" covers exactly the records whose position is <=
 * p. */
#ifndef TALLY_TAPE_H
#define TALLY_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "device.h"
#include "tape_report.h"
#include "write_watch.h"

struct tape;
struct tape_reader;

struct tape_format_options {
    struct tape_identity identity;
    uint64_t size_bytes;  /* of data; a multiple of chunk_bytes, at least 4 */
    uint32_t chunk_bytes; /* power of two, 16 KiB .. 1 MiB; small ones are for tests */
    enum tape_sync sync;
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes); /* or NULL */
    void *context;
};

struct tape_options {
    struct tape_identity identity; /* what the tape must be; anything else is refused. incarnation 0: any */
    uint32_t memory_chunks;        /* chunks kept in memory, at least 4 */
    uint32_t reader_chunks;        /* chunks of memory for reads from disk, at least 2 */
    uint32_t write_bytes_max;      /* one write; at most chunk_bytes / 2 */
    uint64_t boot_id;              /* of this boot of the machine */
    uint64_t slow_write_ns;        /* a write that takes longer is kept apart; 0: WRITE_WATCH_SLOW_NS */
    /* Where the memory of chunks comes from, so that a device can register it; NULL: from the arena. */
    void *memory;
    size_t memory_bytes;
};

/* Writes the whole device: zeros, then the two superblocks. Afterwards the tape is empty. 0 or -errno. */
int tape_format(struct device *device, const struct tape_format_options *options);

/* Bytes of device that a tape of `size_bytes` of data needs; bytes of chunk memory for `options`. */
uint64_t tape_device_bytes(uint64_t size_bytes);
size_t tape_memory_bytes(const struct tape_options *options, uint32_t chunk_bytes);

/* Recovers and opens for writing: visits every record from the marker of the newest checkpoint on (from the
 * first record when there is none), cuts a torn tail, starts a new open count. Everything is taken from
 * `arena`. Only on TAPE_OPEN *ret_tape is set. The device stays the caller's. */
enum tape_verdict tape_open(struct arena *arena, struct device *device, const struct tape_options *options,
                            tape_visit *visit, void *context, struct tape **ret_tape,
                            struct tape_report *ret_report);

/* A walk from the oldest whole chunk, without opening: writes nothing. For `log dump`, `log verify` and `log
 * export`; on the heap. Any tape will do: the report says whose it is. Where it ends is end_position, and
 * damage_offset on TAPE_DAMAGED. Visitors may be NULL. */
enum tape_verdict tape_scan(struct device *device, tape_visit *visit, void *context,
                            struct tape_report *ret_report);
enum tape_verdict tape_scan_blocks(struct device *device, tape_visit_block *visit_block, tape_visit *visit,
                                   void *context, struct tape_report *ret_report);

/* ---- appending ---- */

/* Kept back for what must still be written when the tape is full; a quarter of the tape if that is less. A
 * hard state takes 128 bytes and a block: enough for hundreds of elections. */
#define TAPE_RESERVE_BYTES (1u << 20)

/* Whether records of `record_bytes` in all (padded, heads included), `record_count` of them, will all find
 * room in tape_reserve, when nothing else is appended between: 0 or an error of tape_reserve. Errs on the
 * safe side. */
int tape_room(const struct tape *tape, size_t record_bytes, uint32_t record_count, bool use_reserve);

/* The largest record (head and payload, padded) that fits a block of this tape. */
size_t tape_record_bytes_max(const struct tape *tape);

/* Room for a record of `payload_bytes`, to be built in place with record_finish: no other copy is made. NULL,
 * with *ret_error -ENOSPC (the tape is full; `reserve` false leaves TAPE_RESERVE_BYTES for what must still be
 * written: hard state, truncations, bounds, leader-starts, configurations), -EBUSY (memory is full of
 * unwritten data; after a completion there is room), -EMSGSIZE (larger than tape_record_bytes_max), or -EIO
 * (the tape has failed). */
uint8_t *tape_reserve(struct tape *tape, size_t payload_bytes, bool use_reserve, int *ret_error);

/* The record built at the pointer of the last tape_reserve belongs to the tape now. Returns its position. */
uint64_t tape_append(struct tape *tape);

/* Once a turn: starts the write of all that was appended, when none is in flight. Returns 1 when it did. */
unsigned tape_submit(struct tape *tape, uint64_t now_ns);

/* Reaps completions of writes and of reads from disk; writes the attest block of an idle tape. Work done. */
unsigned tape_poll(struct tape *tape, uint64_t now_ns);

uint64_t tape_append_position(const struct tape *tape);
uint64_t tape_durable_position(const struct tape *tape); /* volatile mode: written */
/* Age of the oldest unfinished write, or 0. */
uint64_t tape_stall_ns(const struct tape *tape, uint64_t now_ns);

/* How long writes took since it was opened; `now_ns` of the clock that polls it. */
struct write_summary tape_writes(const struct tape *tape, uint64_t now_ns);

bool tape_is_writing(const struct tape *tape); /* a write of its own is under way */
int tape_error(const struct tape *tape);       /* 0, or the -errno that stopped it for good */

/* When tape_poll wants to be called even if nothing happens. */
uint64_t tape_deadline_ns(const struct tape *tape);

/* What may be appended before the tape refuses; once there are checkpoints, without the room kept for them.
 */
uint64_t tape_free_bytes(const struct tape *tape);
/* Kept for what must still be written; a quarter at most. */
uint64_t tape_reserve_bytes(const struct tape *tape);

/* ---- going round ----
 *
 * The next chunk is written over the oldest one, but never over what the last two complete checkpoints need.
 * A checkpoint is made of the caller's records: for every quorum what a reader must know who begins there.
 * Its first record is the tape's own marker (docs/disk.md). */

/* Enough was appended since the last one began, or room runs short. */
bool tape_checkpoint_is_due(const struct tape *tape);

/* Appends the marker; the records of `quorum_count` quorums (RECORD_CHECKPOINT; index: part number from 0,
 * term: number of parts; from the reserve) follow in as many turns as it takes, each quorum's within one
 * turn. `keep_position`: records from there on are still needed besides (0 or UINT64_MAX: none before the
 * checkpoint). 0, or an error of tape_reserve: nothing was appended. -ENOSPC also when it would free nothing
 * and leave no room for one that does: ask again when it is due and less is to be kept. None may be under
 * way. */
int tape_checkpoint_begin(struct tape *tape, uint32_t quorum_count, uint64_t keep_position);

/* All of it is appended. It holds, and frees what is older than the checkpoint before it, when it is durable
 * and a durable chunk head names it. */
void tape_checkpoint_end(struct tape *tape);

/* The start of a chunk from which on all that the tape holds of the quorum's entries from `index` on stands;
 * UINT64_MAX: there are none. While there are chunks that were not looked at since opening, and the quorum or
 * an entry so old is not known, it is the start of the oldest chunk: ask only for an entry that is there. */
uint64_t tape_entry_position(struct tape *tape, uint64_t quorum_number, uint64_t index);

/* ---- reading: cursors ---- */

/* One sequential reader of one quorum's entries; the caller's memory. */
struct tape_cursor {
    uint64_t quorum_number;
    uint64_t position;       /* where it reads on; 0 = must seek */
    uint64_t block_position; /* of the block that `position` is in */
    uint64_t index;          /* the entry it stands before, or seeks */
    union {
        uint64_t term;          /* seeking: of the entry */
        uint64_t clean_rewrite; /* standing: the newest rewriting of the quorum that `clean_until` knows of */
    };
    union {
        uint64_t found_position; /* seeking: the best so far; found: what was on the tape when it looked */
        uint64_t clean_until;    /* standing: entries before this index are the first match behind here */
    };
    uint32_t found_in_block; /* the best, from the start of its block */
    uint8_t state;           /* tape_cursor.c's */
    uint8_t reader_slot;     /* chunk of the reader's memory that it reads, plus 1; 0 = none */
    uint32_t generation;
};

enum tape_read {
    TAPE_READ_RECORD,
    TAPE_READ_WAIT,   /* it comes from disk: ask again after a later tape_poll */
    TAPE_READ_END,    /* not on the tape (yet) */
    TAPE_READ_GONE,   /* written over: older than anything of its quorum on the tape; once a tape has gone
                         round, also   any entry of a quorum of which nothing is on it */
    TAPE_READ_FAILED, /* the disk gives an error, or bytes that fail their checksum */
};

void tape_cursor_init(struct tape_cursor *cursor, uint64_t quorum_number);

/* The record of entry (index, term), of the one that is valid now at that index, or (not always found) of a
 * copy that was replaced since; term 0: only of the valid one. Reading index + 1 after index goes on where it
 * stands, anything else seeks. `*ret_record` (a whole record, head first, padded) is valid until the next
 * call of any function of this tape that may recycle memory: tape_reserve, tape_poll, tape_read. */
enum tape_read tape_read(struct tape *tape, struct tape_cursor *cursor, uint64_t index, uint64_t term,
                         const uint8_t **ret_record, struct record_head *ret_head);

/* Lets go of what it holds. */
void tape_cursor_release(struct tape *tape, struct tape_cursor *cursor);

/* ---- the reader's side ---- */

struct tape_reader *tape_reader_of(struct tape *tape);

/* Serves at most `budget` requested chunk reads through `device`, which belongs to the calling thread. Work
 * done. */
unsigned tape_reader_poll(struct tape_reader *reader, struct device *device, unsigned budget);

/* Blocks up to `timeout_ns` until there is a request; for the reader's thread. */
void tape_reader_wait(struct tape_reader *reader, uint64_t timeout_ns);

/* Writes out everything that is left, waits for it, and gives the device back to its owner. */
int tape_close(struct tape *tape);

#endif
