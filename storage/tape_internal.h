/* SPDX-License-Identifier: Apache-2.0 */
/* The tape's state, shared by the files of this folder and shown to no one else. */
#ifndef TALLY_TAPE_INTERNAL_H
#define TALLY_TAPE_INTERNAL_H

#include "tape.h"
#include "tape_index.h"
#include "tape_layout.h"
#include "tape_reader.h"
#include "tape_ring.h"
#include "write_watch.h"

/* One write is in flight at a time; it spans at most the end of one chunk and the start of the next. */
#define BATCH_RANGES_MAX 2

/* One of the last chunks, whole in memory: what is read from here was written by this process or checked at
 * opening. */
struct memory_chunk {
    uint8_t *bytes;
    uint64_t sequence; /* 0: nothing */
    uint32_t end;      /* blocks begin and end below; the last may still be open */
};

/* A contiguous piece of a batch. */
struct batch_range {
    uint64_t device_offset;
    const uint8_t *bytes;
    size_t byte_count;
    bool submitted;
};

struct batch {
    struct batch_range ranges[BATCH_RANGES_MAX];
    uint32_t range_count; /* 0: nothing in flight */
    uint32_t completed_count;
    int error; /* the first of its completions that failed */
    uint64_t tag;
    uint64_t started_ns;
    uint64_t last_block;      /* its newest block */
    uint64_t record_position; /* end of its newest record, or 0 */
    uint64_t end_position;    /* end of its newest block's span */
};

struct tape {
    struct tape_reader reader;
    struct superblock superblock;
    struct device *device;
    uint64_t chunk_mask; /* chunk_bytes - 1 */
    struct memory_chunk *memory;
    unsigned chunk_shift;
    uint32_t write_bytes_max;
    uint32_t memory_chunk_count;
    int error; /* the -errno that stopped it */

    /* the place where the next block begins or, with block_length > 0, where the open one began */
    uint64_t chunk_sequence;   /* 0: no chunk yet */
    struct memory_chunk *tail; /* that chunk */
    uint32_t block_offset;
    uint32_t block_length; /* 0: no block is open */
    uint32_t block_record_count;
    uint32_t previous_crc;   /* of the last block closed */
    uint32_t reserved_bytes; /* of the last tape_reserve, padded; 0: none outstanding */
    uint8_t last_block_kind;
    uint64_t block_sequence; /* of the last block closed */

    uint64_t append_position;  /* end of the newest record */
    uint64_t durable_position; /* end of the newest durable record */
    uint64_t durable_block;
    uint64_t unwritten_position;   /* start of the first closed block that is in no batch yet */
    uint64_t durable_end_position; /* start of the first block that is not durable */
    uint64_t quiet_since_ns; /* when the newest record was submitted; 0: attested, or nothing to attest */
    struct batch batch;
    struct write_watch *watch;

    struct tape_ring ring;
    struct tape_index index;
    struct block_head older_end; /* sequence and checksum of the last block before the covered chunks */
    uint32_t *chunk_ends; /* per slot: where the blocks of its chunk end, once the next chunk has begun */
};

/* The chunk if it is in memory, else NULL. */
static inline struct memory_chunk *memory_chunk_find(const struct tape *tape, uint64_t sequence)
{
    struct memory_chunk *chunk = &tape->memory[sequence % tape->memory_chunk_count];
    return chunk->sequence == sequence ? chunk : NULL;
}

static inline uint64_t position_of(const struct tape *tape, uint64_t chunk_sequence, uint32_t offset)
{
    return (chunk_sequence << tape->chunk_shift) + offset;
}

/* Where a record of a quorum stands: note it for cursors. */
static inline void tape_note_record(struct tape *tape, const struct record_head *head,
                                    uint64_t chunk_sequence, uint64_t end_position)
{
    bool truncation = head->type == RECORD_TRUNCATE;
    if (truncation || record_type_is_entry(head->type)) {
        tape_index_note(&tape->index, head->quorum_number, head->index, truncation, chunk_sequence,
                        end_position);
    } else if (head->type == RECORD_CHECKPOINT) {
        ring_note_record(&tape->ring, record_padded_bytes(head->length));
    }
}

/* Blocks of the chunk end here, once the next one has begun. */
static inline uint32_t *chunk_end_place(const struct tape *tape, uint64_t chunk_sequence)
{
    return &tape->chunk_ends[chunk_slot_of(&tape->superblock, chunk_sequence)];
}

/* Closes the open block, if it holds a record. */
void tape_block_end(struct tape *tape);

/* Closes a block of that kind and length at the current place, which takes `span` bytes. */
void tape_block_finish(struct tape *tape, uint8_t kind, uint32_t length, uint32_t span);

/* Goes on in the next chunk, beginning with its head. The caller saw to it that there is one and that it has
 * memory. */
void tape_chunk_begin(struct tape *tape);

/* How many chunks the memory can begin now: the place of each must hold nothing that is not durable. */
uint64_t tape_chunks_beginnable(const struct tape *tape);

/* What became durable: checkpoints of it are complete, or named. */
void tape_checkpoint_note_durable(struct tape *tape);

/* Whether the next chunk should begin early, so that its head names a checkpoint. */
bool tape_checkpoint_wants_chunk(const struct tape *tape);

#endif
