/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks that are read back from the disk: the tape's thread asks and uses, the reader's thread reads and
 * checks. A slot is in one hand at a time; requests and answers pass through two rings. */
#ifndef TALLY_TAPE_READER_H
#define TALLY_TAPE_READER_H

#include <stdatomic.h>
#include <stdint.h>

#include "arena.h"
#include "spsc.h"

/* Chunks of reader memory, at most: one per subscriber is more than any disk can feed. */
#define READER_CHUNKS_MAX 64

struct reader_request {
    uint32_t slot;
    uint32_t end; /* blocks must fill the chunk up to here; 0: up to the block named */
    uint32_t last_crc;
    uint64_t last_block;
    uint64_t chunk_sequence;
    uint64_t device_offset;
};

struct reader_answer {
    uint32_t slot;
    uint32_t end;
    int32_t error; /* 0; -errno of the device; -EBADMSG: the bytes are not the blocks that were written */
};

enum reader_slot_state { READER_FREE, READER_ASKED, READER_READY, READER_BAD };

/* Belongs to the tape's thread; the bytes are the reader's while READER_ASKED. */
struct reader_slot {
    uint8_t *bytes;
    uint64_t chunk_sequence;
    uint64_t used; /* a count that grows: when it was last read from */
    uint32_t generation;
    uint32_t end;
    int error; /* when bad */
    enum reader_slot_state state;
    bool fresh; /* nobody has read from it yet: not taken away */
};

struct tape_reader {
    struct spsc requests;
    struct spsc answers;
    /* written by the tape's thread */
    _Alignas(64) _Atomic uint32_t request_count; /* futex word */
    _Atomic uint32_t sleeping;                   /* the reader's thread waits for it; written by that */
    uint32_t slot_count;
    uint64_t use_count;
    /* the reader's thread's */
    _Alignas(64) uint32_t served_count;
    uint32_t chunk_bytes;
    uint32_t block_bytes;
    uint64_t incarnation;
    struct reader_slot *slots;
};

void reader_init(struct tape_reader *reader, struct arena *arena, uint32_t slot_count, uint32_t chunk_bytes,
                 uint32_t block_bytes, uint64_t incarnation);

/* A slot that holds the chunk, or will; NULL when all are busy: ask again later. Of the request only `slot`
 * is not set. Tape's thread. */
struct reader_slot *reader_ask(struct tape_reader *reader, const struct reader_request *request);

/* The slot is given up while still fresh: others may have it. */
void reader_forget(struct tape_reader *reader, uint32_t slot, uint32_t generation);

/* The chunk is about to be written over: what is read of it from now on is nothing. */
void reader_drop(struct tape_reader *reader, uint64_t chunk_sequence);

/* Takes answers. Work done. Tape's thread. */
unsigned reader_reap(struct tape_reader *reader);

#endif
