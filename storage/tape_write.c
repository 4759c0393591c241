/* SPDX-License-Identifier: Apache-2.0 */
/* From closed blocks to durable ones: one batch is in flight at a time, the next gathers behind it. A batch
 * is one write, or two when it meets the end of a chunk, and nothing of it is durable before all of it is. */
#include <errno.h>
#include <time.h>

#include "check.h"
#include "tape_internal.h"

/* An idle tape attests its last block that long after it was submitted. */
#define ATTEST_AFTER_NS 20000000u

static uint32_t chunk_end_of(const struct tape *tape, uint64_t chunk_sequence)
{
    return chunk_sequence < tape->chunk_sequence ? *chunk_end_place(tape, chunk_sequence)
                                                 : tape->block_offset;
}

/* Adds closed blocks of one chunk, from `from` on, as many as fit the batch. Returns the offset behind them.
 */
static uint32_t range_gather(struct tape *tape, struct memory_chunk *chunk, uint32_t from,
                             uint32_t byte_count_max)
{
    struct batch *batch = &tape->batch;
    uint32_t end = chunk_end_of(tape, chunk->sequence);
    uint32_t offset = from;
    while (offset < end) {
        struct block_head head = block_head_load(chunk->bytes + offset);
        uint32_t span = block_span_bytes(&head, tape->superblock.block_bytes);
        if (offset + span - from > byte_count_max) {
            break;
        }
        batch->last_block = head.block_sequence;
        if (head.kind == BLOCK_RECORDS) {
            batch->record_position = position_of(tape, chunk->sequence, offset + head.length);
        }
        offset += span;
    }
    return offset;
}

/* Fills the batch with what is closed and in no batch yet. */
static void batch_gather(struct tape *tape)
{
    struct batch *batch = &tape->batch;
    uint32_t room = tape->write_bytes_max + CHUNK_HEAD_SPACE_BYTES;
    *batch = (struct batch){.tag = batch->tag};
    for (unsigned i = 0; i < BATCH_RANGES_MAX; i++) {
        uint64_t sequence = tape->unwritten_position >> tape->chunk_shift;
        uint32_t from = (uint32_t)(tape->unwritten_position & tape->chunk_mask);
        if (sequence < tape->chunk_sequence && from == chunk_end_of(tape, sequence)) {
            sequence++;
            from = 0;
        }
        if (sequence > tape->chunk_sequence || sequence == 0) {
            return;
        }
        struct memory_chunk *chunk = memory_chunk_find(tape, sequence);
        ASSERT(chunk != NULL);
        uint32_t to = range_gather(tape, chunk, from, room);
        if (to == from) {
            return;
        }
        room -= to - from;
        batch->ranges[batch->range_count++] = (struct batch_range){
            .device_offset = chunk_device_offset(&tape->superblock, sequence) + from,
            .bytes = chunk->bytes + from,
            .byte_count = to - from,
        };
        tape->unwritten_position = position_of(tape, sequence, to);
        batch->end_position = tape->unwritten_position;
        if (to != chunk_end_of(tape, sequence)) {
            return;
        }
    }
}

/* Gives to the device what it has not taken yet; a device that is busy is asked again at the next poll. */
static void batch_submit(struct tape *tape)
{
    struct batch *batch = &tape->batch;
    for (uint32_t i = 0; i < batch->range_count && !tape->error; i++) {
        struct batch_range *range = &batch->ranges[i];
        if (range->submitted) {
            continue;
        }
        int error = tape->device->submit_write(tape->device, range->device_offset, range->bytes,
                                               range->byte_count, batch->tag);
        if (error == -EBUSY) {
            return;
        }
        if (error) {
            tape->error = error;
            return;
        }
        range->submitted = true;
    }
}

static unsigned batch_start(struct tape *tape, uint64_t now_ns)
{
    batch_gather(tape);
    if (tape->batch.range_count == 0) {
        return 0;
    }
    tape->batch.tag++;
    tape->batch.started_ns = now_ns;
    write_watch_submit(tape->watch, now_ns);
    batch_submit(tape);
    return 1;
}

unsigned tape_submit(struct tape *tape, uint64_t now_ns)
{
    if (tape->error) {
        return 0;
    }
    if (tape->batch.range_count > 0) {
        if (tape->block_record_count > 0) {
            write_watch_want(tape->watch, now_ns);
        }
        return 0;
    }
    if (tape->block_record_count > 0) {
        tape_block_end(tape);
        tape->quiet_since_ns = now_ns ? now_ns : 1;
    }
    return batch_start(tape, now_ns);
}

static void batch_finish(struct tape *tape)
{
    struct batch *batch = &tape->batch;
    tape->durable_block = batch->last_block;
    tape->durable_end_position = batch->end_position;
    if (batch->record_position != 0) {
        tape->durable_position = batch->record_position;
    }
    batch->range_count = 0;
    tape_checkpoint_note_durable(tape);
}

static unsigned completions_reap(struct tape *tape, uint64_t now_ns)
{
    struct device_completion completions[BATCH_RANGES_MAX];
    struct batch *batch = &tape->batch;
    unsigned count = tape->device->poll(tape->device, completions, BATCH_RANGES_MAX);
    for (unsigned i = 0; i < count; i++) {
        ASSERT(completions[i].tag == batch->tag);
        batch->completed_count++;
        if (completions[i].error && !batch->error) {
            batch->error = completions[i].error;
        }
    }
#ifndef TALLY_MUTANT_TAPE_ERROR_IGNORED
    if (batch->error && !tape->error) {
        tape->error = batch->error;
    }
#endif
    uint32_t awaited = batch->range_count;
#ifdef TALLY_MUTANT_TAPE_DURABLE_EARLY
    awaited = 1;
#endif
    if (batch->completed_count == awaited && !tape->error) {
        write_watch_complete(tape->watch, now_ns);
        batch_finish(tape);
    } else {
        write_watch_miss(tape->watch, now_ns);
    }
    return count;
}

/* ---- attesting ---- */

/* Whether the last block on the tape holds records and everything is durable. */
static bool attest_is_due(const struct tape *tape)
{
    return tape->quiet_since_ns != 0 && tape->block_record_count == 0 && tape->reserved_bytes == 0 &&
           tape->last_block_kind == BLOCK_RECORDS && tape->batch.range_count == 0 &&
           tape->durable_block == tape->block_sequence && !tape->error &&
           tape->superblock.sync != TAPE_SYNC_NONE;
}

static unsigned attest(struct tape *tape, uint64_t now_ns)
{
    ASSERT(tape->block_offset + tape->superblock.block_bytes <= tape->superblock.chunk_bytes);
    tape_block_finish(tape, BLOCK_ATTEST, BLOCK_HEAD_BYTES, tape->superblock.block_bytes);
    tape->quiet_since_ns = 0;
    return batch_start(tape, now_ns);
}

/* Whether a chunk is to be begun for its head's sake, and nothing else is to be written. */
static bool chunk_is_due_early(const struct tape *tape)
{
    return tape->batch.range_count == 0 && tape->block_record_count == 0 && tape->reserved_bytes == 0 &&
           tape->durable_block == tape->block_sequence && !tape->error && tape_checkpoint_wants_chunk(tape) &&
           tape_chunks_beginnable(tape) > 0;
}

static unsigned chunk_begin_early(struct tape *tape, uint64_t now_ns)
{
    if (tape->ring.complete.number == 0 || !chunk_is_due_early(tape)) { /* the first: in every turn */
        return 0;
    }
    tape_block_end(tape);
    tape_chunk_begin(tape);
    return batch_start(tape, now_ns);
}

unsigned tape_poll(struct tape *tape, uint64_t now_ns)
{
    unsigned work = reader_reap(&tape->reader);
    if (tape->error) {
        return work;
    }
    if (tape->batch.range_count > 0) {
        batch_submit(tape);
        work += completions_reap(tape, now_ns);
    } else if (attest_is_due(tape) && now_ns >= tape->quiet_since_ns + ATTEST_AFTER_NS) {
        work += attest(tape, now_ns);
    }
    return work + chunk_begin_early(tape, now_ns);
}

uint64_t tape_deadline_ns(const struct tape *tape)
{
    if (chunk_is_due_early(tape)) {
        return 0;
    }
    return attest_is_due(tape) ? tape->quiet_since_ns + ATTEST_AFTER_NS : UINT64_MAX;
}

/* ---- what is known ---- */

uint64_t tape_append_position(const struct tape *tape)
{
    return tape->append_position;
}

uint64_t tape_durable_position(const struct tape *tape)
{
    return tape->durable_position;
}

uint64_t tape_stall_ns(const struct tape *tape, uint64_t now_ns)
{
    const struct batch *batch = &tape->batch;
    return batch->range_count > 0 && now_ns > batch->started_ns ? now_ns - batch->started_ns : 0;
}

struct write_summary tape_writes(const struct tape *tape, uint64_t now_ns)
{
    return write_watch_summary(tape->watch, now_ns);
}

bool tape_is_writing(const struct tape *tape)
{
    return tape->batch.range_count > 0;
}

int tape_error(const struct tape *tape)
{
    return tape->error;
}

struct tape_reader *tape_reader_of(struct tape *tape)
{
    return &tape->reader;
}

/* ---- closing ---- */

static void close_wait(struct tape *tape)
{
    const struct timespec pause = {0, 20000};
    while (tape->batch.range_count > 0 && !tape->error) {
        batch_submit(tape);
        if (completions_reap(tape, tape->batch.started_ns) == 0) {
            nanosleep(&pause, NULL);
        }
    }
}

int tape_close(struct tape *tape)
{
    close_wait(tape);
    while (tape_submit(tape, tape->batch.started_ns)) {
        close_wait(tape);
    }
    if (attest_is_due(tape)) {
        attest(tape, tape->batch.started_ns);
        close_wait(tape);
    }
    return tape->error;
}
