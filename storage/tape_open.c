/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "tape_internal.h"
#include "tape_slots.h"
#include "tape_superblock.h"
#include "tape_walk.h"

size_t tape_memory_bytes(const struct tape_options *options, uint32_t chunk_bytes)
{
    return (size_t)options->memory_chunks * chunk_bytes;
}

static void report_fill(struct tape_report *report, const struct superblock *superblock)
{
    report->identity.cluster_id = superblock->cluster_id;
    report->identity.node_id = superblock->node_id;
    report->identity.incarnation = superblock->incarnation;
    memcpy(report->identity.log_name, superblock->log_name, sizeof(report->identity.log_name));
    report->size_bytes = superblock->size_bytes;
    report->chunk_bytes = superblock->chunk_bytes;
    report->sync = (enum tape_sync)superblock->sync;
    report->open_count = superblock->open_count;
}

/* ---- scanning ---- */

#define SCAN_CHUNKS 4

/* The oldest chunk that is whole; the very oldest may be partly written over. 0: the tape has not gone round.
 */
static uint64_t oldest_whole_chunk(const struct walk_options *options)
{
    uint64_t count = chunk_count_of(options->superblock);
    uint64_t newest = options->newest_chunk;
    if (newest <= count) {
        return 0;
    }
    uint64_t oldest = newest - count + 1;
    for (uint64_t sequence = oldest; sequence < oldest + 3; sequence++) {
        if (tape_walk_chunk(options, sequence)) {
            return sequence;
        }
    }
    return oldest + 1;
}

static enum tape_verdict scan_walk(struct device *device, const struct superblock *superblock,
                                   uint8_t *memory, const struct walk_options *visitors,
                                   struct tape_report *report)
{
    uint8_t *chunks[SCAN_CHUNKS];
    uint64_t sequences[SCAN_CHUNKS] = {0};
    struct walk_end end;
    for (unsigned i = 0; i < SCAN_CHUNKS; i++) {
        chunks[i] = memory + (size_t)i * superblock->chunk_bytes;
    }
    struct walk_options options = *visitors;
    options.device = device;
    options.superblock = superblock;
    options.memory = (struct walk_memory){chunks, sequences, SCAN_CHUNKS};
    options.newest_chunk = slots_newest_find(device, superblock, &report->error);
    if (report->error) {
        return TAPE_READ_ERROR;
    }
    options.from_chunk = oldest_whole_chunk(&options);
    return tape_walk(&options, NULL, &end, report);
}

enum tape_verdict tape_scan_blocks(struct device *device, tape_visit_block *visit_block, tape_visit *visit,
                                   void *context, struct tape_report *ret_report)
{
    struct superblock superblock;
    *ret_report = (struct tape_report){0};
    enum tape_verdict verdict = superblock_read(device, &superblock, &ret_report->error);
    if (verdict != TAPE_OPEN) {
        return verdict;
    }
    report_fill(ret_report, &superblock);
    uint8_t *memory = aligned_alloc(4096, (size_t)SCAN_CHUNKS * superblock.chunk_bytes);
    if (!memory) {
        ret_report->error = -ENOMEM;
        return TAPE_READ_ERROR;
    }
    struct walk_options visitors = {.visit = visit, .visit_block = visit_block, .context = context};
    verdict = scan_walk(device, &superblock, memory, &visitors, ret_report);
    free(memory);
    return verdict;
}

enum tape_verdict tape_scan(struct device *device, tape_visit *visit, void *context,
                            struct tape_report *ret_report)
{
    return tape_scan_blocks(device, NULL, visit, context, ret_report);
}

/* ---- opening ---- */

static void memory_init(struct tape *tape, struct arena *arena, const struct tape_options *options)
{
    size_t chunk_bytes = tape->superblock.chunk_bytes;
    uint8_t *memory = options->memory;
    if (memory) {
        ASSERT(options->memory_bytes >= tape_memory_bytes(options, tape->superblock.chunk_bytes));
        ASSERT((uintptr_t)memory % 4096 == 0);
    } else {
        memory = arena_take(arena, tape_memory_bytes(options, tape->superblock.chunk_bytes), 4096);
    }
    tape->memory_chunk_count = options->memory_chunks;
    tape->memory = ARENA_ARRAY(arena, struct memory_chunk, options->memory_chunks);
    for (uint32_t i = 0; i < options->memory_chunks; i++) {
        tape->memory[i].bytes = memory + i * chunk_bytes;
    }
}

static struct tape *tape_create(struct arena *arena, struct device *device,
                                const struct superblock *superblock, const struct tape_options *options)
{
    struct tape *tape = ARENA_NEW(arena, struct tape);
    ASSERT(options->memory_chunks >= 4);
    ASSERT(options->write_bytes_max >= TAPE_BLOCK_BYTES_MAX);
    ASSERT(options->write_bytes_max <= superblock->chunk_bytes / 2);
    ASSERT(options->write_bytes_max % TAPE_BLOCK_BYTES_MAX == 0);
    tape->device = device;
    tape->watch = ARENA_NEW(arena, struct write_watch);
    write_watch_init(tape->watch, options->slow_write_ns);
    tape->superblock = *superblock;
    ring_init(&tape->ring, superblock);
    tape->chunk_mask = superblock->chunk_bytes - 1;
    tape->chunk_shift = (unsigned)__builtin_ctz(superblock->chunk_bytes);
    tape->write_bytes_max = options->write_bytes_max;
    tape->chunk_ends = ARENA_ARRAY(arena, uint32_t, tape->ring.chunk_count);
    memory_init(tape, arena, options);
    tape_index_init(&tape->index, arena, superblock->size_bytes,
                    tape->ring.chunk_count * sizeof(tape->chunk_ends[0]));
    reader_init(&tape->reader, arena, options->reader_chunks, superblock->chunk_bytes,
                superblock->block_bytes, superblock->incarnation);
    return tape;
}

struct open_context {
    struct tape *tape;
    tape_visit *visit;
    void *context;
    uint64_t visit_position; /* what stands before it is none of the visitor's business */
};

static void open_visit(void *context, const struct record_head *head, const uint8_t *payload,
                       uint64_t position)
{
    struct open_context *open = context;
    /* the record's last byte is in its chunk; its end may be the next one's start */
    if (head->type != RECORD_CHECKPOINT) { /* of those the walk takes note */
        tape_note_record(open->tape, head, (position - 1) >> open->tape->chunk_shift, position);
    }
    if (open->visit && position > open->visit_position) {
        open->visit(open->context, head, payload, position);
    }
}

/* The checkpoint to begin with: where its block is. 0: none was ever named. */
static uint64_t checkpoint_choose(const struct walk_options *options, struct tape_report *report)
{
    struct device *device = options->device;
    const struct superblock *superblock = options->superblock;
    uint64_t newest = options->newest_chunk;
    uint64_t position = slots_checkpoint_find(device, superblock, newest + 1, UINT64_MAX, &report->error);
    if (position == 0 || tape_walk_checkpoint(options, position)) {
        return position;
    }
    uint64_t before = slots_checkpoint_find(device, superblock, newest + 1, position, &report->error);
    report->checkpoint_lost = true;
    if (before == 0 && newest <= chunk_count_of(superblock)) {
        return 0;
    }
    return before ? before : position;
}

/* Walks the tape into its own memory. */
static enum tape_verdict open_walk(struct tape *tape, struct arena *arena, struct open_context *context,
                                   struct walk_end *ret_end, struct tape_report *report)
{
    uint32_t count = tape->memory_chunk_count;
    struct walk_memory memory = {ARENA_ARRAY(arena, uint8_t *, count), ARENA_ARRAY(arena, uint64_t, count),
                                 count};
    for (uint32_t i = 0; i < count; i++) {
        memory.chunks[i] = tape->memory[i].bytes;
    }
    struct walk_options options = {
        .device = tape->device,
        .superblock = &tape->superblock,
        .memory = memory,
        .visit = open_visit,
        .context = context,
        .ring = &tape->ring,
    };
    options.newest_chunk = slots_newest_find(tape->device, &tape->superblock, &report->error);
    report->checkpoint_position = checkpoint_choose(&options, report);
    if (report->error) {
        return TAPE_READ_ERROR;
    }
    options.from_chunk = report->checkpoint_position >> tape->chunk_shift;
    context->visit_position = report->checkpoint_position;
    tape_index_begin(&tape->index, options.from_chunk, 0);
    enum tape_verdict verdict = tape_walk(&options, tape->chunk_ends, ret_end, report);
    for (uint32_t i = 0; i < count; i++) {
        bool good = memory.sequences[i] != 0 && memory.sequences[i] <= ret_end->chunk_sequence;
        tape->memory[i].sequence = good ? memory.sequences[i] : 0;
        tape->memory[i].end = good ? *chunk_end_place(tape, memory.sequences[i]) : 0;
    }
    return verdict;
}

/* The chunk in which writing goes on must be in memory; looking for evidence may have pushed it out. */
static int tail_load(struct tape *tape, const struct walk_end *end)
{
    if (end->chunk_sequence == 0) {
        return 0;
    }
    struct memory_chunk *chunk = &tape->memory[end->chunk_sequence % tape->memory_chunk_count];
    if (chunk->sequence != end->chunk_sequence) {
        int error =
            tape->device->read(tape->device, chunk_device_offset(&tape->superblock, end->chunk_sequence),
                               chunk->bytes, tape->superblock.chunk_bytes);
        if (error) {
            return error;
        }
    }
    chunk->sequence = end->chunk_sequence;
    chunk->end = end->offset;
    tape->tail = chunk;
    return 0;
}

/* Stands behind the last good block. All of it is durable: the superblock's sync came after it. */
static void tail_set(struct tape *tape, const struct walk_end *end, uint64_t end_position)
{
    tape->chunk_sequence = end->chunk_sequence;
    tape->block_offset = end->chunk_sequence ? end->offset : tape->superblock.chunk_bytes;
    tape->block_sequence = end->last.block_sequence;
    tape->previous_crc = end->last.crc;
    tape->last_block_kind = end->last.kind;
    tape->append_position = end_position;
    tape->durable_position = end_position;
    tape->durable_block = end->last.block_sequence;
    tape->unwritten_position = position_of(tape, tape->chunk_sequence, tape->block_offset);
    tape->durable_end_position = tape->unwritten_position;
    /* what an earlier run did not live to attest is attested now */
    tape->quiet_since_ns = end->last.kind == BLOCK_RECORDS ? 1 : 0;
}

/* What holds is what is complete: all of it is durable. When no head on the tape names it yet, the next one
 * does, and that is written before anything that goes free by it is written over. */
static void ring_set(struct tape *tape, const struct walk_end *end)
{
    struct tape_ring *ring = &tape->ring;
    ring->begun = (struct ring_checkpoint){0}; /* it was not finished */
    if (ring->complete.number != 0 && ring->named.number != 0) {
        ring_name(ring);
    }
    ring_settle(ring);
    if (end->chunk_sequence > ring->chunk_count) {
        tape->index.oldest_chunk = end->chunk_sequence - ring->chunk_count + 1;
    }
    tape->older_end = end->before_first;
}

/* Takes the next open count, higher than any in a block or a superblock, and makes it durable before any
 * block can carry it. */
static int open_count_advance(struct tape *tape, const struct tape_options *options)
{
    tape->superblock.open_count++;
    tape->superblock.boot_id = options->boot_id;
    return superblock_write(tape->device, &tape->superblock);
}

enum tape_verdict tape_open(struct arena *arena, struct device *device, const struct tape_options *options,
                            tape_visit *visit, void *context, struct tape **ret_tape,
                            struct tape_report *ret_report)
{
    struct superblock superblock;
    struct walk_end end;
    *ret_report = (struct tape_report){0};
    enum tape_verdict verdict = superblock_read(device, &superblock, &ret_report->error);
    if (verdict != TAPE_OPEN) {
        return verdict;
    }
    report_fill(ret_report, &superblock);
    verdict = superblock_compare(&superblock, &options->identity);
    if (verdict != TAPE_OPEN) {
        return verdict;
    }
    ret_report->rebooted = superblock.boot_id != options->boot_id;
    struct tape *tape = tape_create(arena, device, &superblock, options);
    struct open_context open = {tape, visit, context, 0};
    verdict = open_walk(tape, arena, &open, &end, ret_report);
    if (verdict != TAPE_OPEN) {
        return verdict;
    }
    ret_report->error = tail_load(tape, &end);
    if (ret_report->error == 0) {
        ret_report->error = open_count_advance(tape, options);
    }
    if (ret_report->error) {
        return TAPE_READ_ERROR;
    }
    ret_report->open_count = tape->superblock.open_count;
    tail_set(tape, &end, ret_report->end_position);
    ring_set(tape, &end);
    *ret_tape = tape;
    return TAPE_OPEN;
}
