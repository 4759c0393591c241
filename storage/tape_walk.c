/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of validity. A block is part of the tape when it is whole, was written to this very place of this
 * tape, and continues the chain: its sequence is the next one, it names the checksum of the block before it,
 * and its open count is not lower. All three are needed: after a torn tail was cut, what an earlier run wrote
 * behind the cut is still there and whole, but it names the checksum of a block that is gone, and its open
 * count is lower than that of the block now before it.
 *
 * The rule of damage. Let n be the sequence of the first block that is missing. One write is in flight at a
 * time, so a crash can only harm blocks that no block on the device calls durable: those of the last batch
 * all say that the batch before it was durable, no more. So a whole block further on that says "all up to m
 * are durable", m >= n, proves that block n was once on the disk and is lost: damage. Without one it is a
 * torn tail. What lies behind an earlier cut at k says at most k - 1, because otherwise that cut would have
 * been found to be damage; and n >= k. */
#include "tape_walk.h"

#include <errno.h>

#include "check.h"

struct walk {
    const struct walk_options *options;
    uint32_t *chunk_ends;
    struct tape_report *report;
    struct walk_end at;
    int error;
};

static uint32_t chunk_bytes_of(const struct walk *walk)
{
    return walk->options->superblock->chunk_bytes;
}

static struct tape_block_view view_of(const struct walk *walk, const struct block_head *head)
{
    const struct superblock *superblock = walk->options->superblock;
    return (struct tape_block_view){
        .device_offset = chunk_device_offset(superblock, head->chunk_sequence) + head->chunk_offset,
        .position = head->chunk_sequence * superblock->chunk_bytes + head->chunk_offset,
        .block_sequence = head->block_sequence,
        .durable_block = head->durable_block,
        .chunk_sequence = head->chunk_sequence,
        .open_count = head->open_count,
        .length = head->length,
        .record_count = head->record_count,
        .kind = head->kind,
    };
}

/* Reads a chunk to its place in memory, unless it is there. NULL when it cannot be read. */
static uint8_t *chunk_load(struct walk *walk, uint64_t sequence)
{
    const struct walk_memory *memory = &walk->options->memory;
    uint32_t place = (uint32_t)(sequence % memory->count);
    if (memory->sequences[place] != sequence) {
        memory->sequences[place] = 0;
        int error = walk->options->device->read(walk->options->device,
                                                chunk_device_offset(walk->options->superblock, sequence),
                                                memory->chunks[place], chunk_bytes_of(walk));
        if (error) {
            walk->error = error;
            return NULL;
        }
        memory->sequences[place] = sequence;
    }
    return memory->chunks[place];
}

static bool block_continues(const struct walk *walk, const struct block_head *head)
{
    const struct block_head *last = &walk->at.last;
#ifdef TALLY_MUTANT_TAPE_CHAIN_UNCHECKED
    return head->block_sequence == last->block_sequence + 1;
#endif
    return head->block_sequence == last->block_sequence + 1 && head->previous_crc == last->crc &&
           head->open_count >= last->open_count && head->open_count <= walk->options->superblock->open_count;
}

static bool chunk_fields_match(const struct walk *walk, const uint8_t *chunk)
{
    const struct superblock *superblock = walk->options->superblock;
    struct chunk_fields fields;
    memcpy(&fields, chunk + BLOCK_HEAD_BYTES, sizeof(fields));
    return fields.version == TAPE_VERSION && fields.chunk_bytes == superblock->chunk_bytes &&
           fields.cluster_id == superblock->cluster_id && fields.node_id == superblock->node_id &&
           memcmp(fields.log_name, superblock->log_name, sizeof(fields.log_name)) == 0;
}

/* Whether the block is exactly `record_count` good records. */
static bool records_are_good(const uint8_t *block, const struct block_head *head)
{
    uint32_t offset = BLOCK_HEAD_BYTES;
    for (uint32_t i = 0; i < head->record_count; i++) {
        struct record_head record;
        enum record_verdict verdict = record_check(block + offset, head->length - offset, &record);
#ifdef TALLY_MUTANT_TORN_TAIL_ACCEPTED
        record = record_head_load(block + offset);
        verdict = RECORD_GOOD;
#endif
        if (verdict != RECORD_GOOD) {
            return false;
        }
        offset += (uint32_t)record_padded_bytes(record.length);
    }
    return offset == head->length;
}

/* Whether the next block of the chain stands there. */
static bool block_is_next(const struct walk *walk, const uint8_t *chunk, uint64_t sequence, uint32_t offset,
                          struct block_head *ret_head)
{
    struct block_head head;
    if (!block_check(chunk, chunk_bytes_of(walk), offset, sequence, walk->options->superblock->incarnation,
                     &head)) {
        return false;
    }
    if (!block_continues(walk, &head)) {
        return false;
    }
    if (head.kind == BLOCK_CHUNK && !chunk_fields_match(walk, chunk)) {
        return false;
    }
    if (head.kind == BLOCK_RECORDS && !records_are_good(chunk + offset, &head)) {
        return false;
    }
    *ret_head = head;
    return true;
}

static void visit_records(struct walk *walk, const uint8_t *block, const struct block_head *head)
{
    uint64_t block_position = head->chunk_sequence * chunk_bytes_of(walk) + head->chunk_offset;
    uint32_t offset = BLOCK_HEAD_BYTES;
    for (uint32_t i = 0; i < head->record_count; i++) {
        struct record_head record = record_head_load(block + offset);
        uint32_t end = offset + (uint32_t)record_padded_bytes(record.length);
        walk->report->end_position = block_position + end;
        if (walk->options->ring) {
            ring_walk_record(walk->options->ring, &record, block + offset + RECORD_HEAD_BYTES, block_position,
                             block_position + end);
        }
        if (walk->options->visit) {
            walk->options->visit(walk->options->context, &record, block + offset + RECORD_HEAD_BYTES,
                                 block_position + end);
        }
        offset = end;
    }
    walk->report->record_count += head->record_count;
}

/* Takes the block into the chain and stands behind it. */
static void block_take(struct walk *walk, const uint8_t *chunk, const struct block_head *head)
{
    struct walk_end *at = &walk->at;
    if (head->kind == BLOCK_CHUNK) {
        if (walk->chunk_ends && at->chunk_sequence > 0) {
            walk->chunk_ends[chunk_slot_of(walk->options->superblock, at->chunk_sequence)] = at->offset;
        }
        at->chunk_sequence = head->chunk_sequence;
        walk->report->chunk_count++;
        if (walk->options->ring) {
            struct chunk_fields fields;
            memcpy(&fields, chunk + BLOCK_HEAD_BYTES, sizeof(fields));
            ring_walk_head(walk->options->ring, fields.checkpoint_position);
        }
    }
    if (walk->options->visit_block) {
        struct tape_block_view view = view_of(walk, head);
        walk->options->visit_block(walk->options->context, &view);
    }
    visit_records(walk, chunk + head->chunk_offset, head);
    at->offset = head->chunk_offset + block_span_bytes(head, walk->options->superblock->block_bytes);
    at->last = *head;
    walk->report->block_count++;
}

/* One step: the next block is in this chunk, or begins the next one. False at the end of the chain. */
static bool walk_step(struct walk *walk)
{
    struct walk_end *at = &walk->at;
    struct block_head head;
    if (at->chunk_sequence > 0 && at->offset < chunk_bytes_of(walk)) {
        uint8_t *chunk = chunk_load(walk, at->chunk_sequence);
        if (!chunk) {
            return false;
        }
        if (block_is_next(walk, chunk, at->chunk_sequence, at->offset, &head)) {
            block_take(walk, chunk, &head);
            return true;
        }
    }
    uint8_t *next = chunk_load(walk, at->chunk_sequence + 1);
    if (!next || !block_is_next(walk, next, at->chunk_sequence + 1, 0, &head)) {
        return false;
    }
    block_take(walk, next, &head);
    return true;
}

/* ---- what ended the chain ---- */

/* Whether a whole block at or behind `offset` says that `sequence` was durable. */
static bool chunk_has_evidence(const struct walk *walk, const uint8_t *chunk, uint64_t chunk_sequence,
                               uint32_t offset, uint64_t sequence)
{
    uint32_t block_bytes = walk->options->superblock->block_bytes;
    uint64_t incarnation = walk->options->superblock->incarnation;
    while (offset < chunk_bytes_of(walk)) {
        struct block_head head;
        uint32_t span = block_bytes;
        if (block_check(chunk, chunk_bytes_of(walk), offset, chunk_sequence, incarnation, &head)) {
            bool proves = head.durable_block >= sequence;
#ifdef TALLY_MUTANT_TAPE_CUTS_DAMAGE
            proves = false;
#endif
            if (proves) {
                return true;
            }
            span = block_span_bytes(&head, block_bytes);
        }
        offset += span;
    }
    return false;
}

static bool is_zero(const uint8_t *bytes, size_t byte_count)
{
    return byte_count == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, byte_count - 1) == 0);
}

/* What was written behind the cut: bytes to the last word that is not zero or, where an earlier lap left its
 * own, to the end of the last block that says that it is of this chunk. */
static uint64_t bytes_behind(const struct walk *walk, const uint8_t *chunk, uint64_t chunk_sequence,
                             uint32_t offset)
{
    const struct superblock *superblock = walk->options->superblock;
    uint32_t end = chunk_bytes_of(walk);
    if (chunk_sequence <= chunk_count_of(superblock)) {
        while (end > offset && load_le64(chunk + end - 8) == 0) {
            end -= 8;
        }
        return end - offset;
    }
    end = offset;
    for (uint32_t at = offset; at < chunk_bytes_of(walk); at += superblock->block_bytes) {
        struct block_head head = block_head_load(chunk + at);
        if (head.magic == BLOCK_MAGIC && head.chunk_sequence == chunk_sequence && head.chunk_offset == at) {
            end = at + (head.length < chunk_bytes_of(walk) - at ? head.length : chunk_bytes_of(walk) - at);
        }
    }
    return end - offset;
}

/* Where the missing block should stand: behind the last one, unless nothing was ever written there and the
 * chunk ended before. */
static uint64_t damage_offset_of(struct walk *walk, uint64_t evidence_chunk)
{
    const struct walk_end *at = &walk->at;
    const struct superblock *superblock = walk->options->superblock;
    uint64_t next_chunk = chunk_device_offset(superblock, at->chunk_sequence + 1);
    if (at->chunk_sequence == 0 || at->offset >= superblock->chunk_bytes) {
        return next_chunk;
    }
    const uint8_t *chunk = chunk_load(walk, at->chunk_sequence);
    if (chunk && evidence_chunk > at->chunk_sequence &&
        is_zero(chunk + at->offset, superblock->block_bytes)) {
        return next_chunk;
    }
    return chunk_device_offset(superblock, at->chunk_sequence) + at->offset;
}

/* Looks through the rest of the chunk, the next two (a batch touches two), and on to the newest one that is
 * known. */
static enum tape_verdict judge_end(struct walk *walk)
{
    const struct walk_end *at = &walk->at;
    uint64_t newest = walk->options->newest_chunk;
    uint64_t last = at->chunk_sequence + 2 > newest ? at->chunk_sequence + 2 : newest;
    for (uint64_t sequence = at->chunk_sequence ? at->chunk_sequence : 1; sequence <= last; sequence++) {
        uint32_t offset = sequence == at->chunk_sequence ? at->offset : 0;
        const uint8_t *chunk = chunk_load(walk, sequence);
        if (!chunk) {
            return TAPE_READ_ERROR;
        }
        if (chunk_has_evidence(walk, chunk, sequence, offset, at->last.block_sequence + 1)) {
            walk->report->damage_offset = damage_offset_of(walk, sequence);
            return TAPE_DAMAGED;
        }
        walk->report->torn_bytes += bytes_behind(walk, chunk, sequence, offset);
    }
    return TAPE_OPEN;
}

/* Stands before the first block. False when the chunk to begin with has no good head. */
static bool walk_begin(struct walk *walk, const struct walk_options *options, uint32_t *chunk_ends,
                       struct tape_report *report)
{
    struct block_head head;
    ASSERT(options->memory.count >= 4);
    *walk = (struct walk){.options = options, .chunk_ends = chunk_ends, .report = report};
    if (options->from_chunk == 0) {
        return true;
    }
    const uint8_t *chunk = chunk_load(walk, options->from_chunk);
    if (!chunk || !block_check(chunk, chunk_bytes_of(walk), 0, options->from_chunk,
                               options->superblock->incarnation, &head)) {
        return false;
    }
    walk->at.chunk_sequence = options->from_chunk - 1;
    walk->at.offset = chunk_bytes_of(walk);
    walk->at.last = (struct block_head){.block_sequence = head.block_sequence - 1, .crc = head.previous_crc};
    walk->at.before_first = walk->at.last;
    return true;
}

bool tape_walk_checkpoint(const struct walk_options *options, uint64_t block_position)
{
    struct walk_options quiet = *options;
    struct tape_report report = {0};
    struct tape_ring ring;
    struct walk walk;
    ring_init(&ring, options->superblock);
    quiet.visit = NULL;
    quiet.visit_block = NULL;
    quiet.ring = &ring;
    quiet.from_chunk = block_position / options->superblock->chunk_bytes;
    if (!walk_begin(&walk, &quiet, NULL, &report)) {
        return false;
    }
    while (ring.complete.block_position != block_position && ring.named.block_position != block_position) {
        if (!walk_step(&walk)) {
            return false;
        }
    }
    return ring.complete.block_position == block_position;
}

bool tape_walk_chunk(const struct walk_options *options, uint64_t chunk_sequence)
{
    struct walk_options quiet = *options;
    struct tape_report report = {0};
    struct walk walk;
    quiet.visit = NULL;
    quiet.visit_block = NULL;
    quiet.ring = NULL;
    quiet.from_chunk = chunk_sequence;
    bool goes_on = walk_begin(&walk, &quiet, NULL, &report);
    while (goes_on && walk.at.chunk_sequence <= chunk_sequence) {
        goes_on = walk_step(&walk);
    }
    return goes_on;
}

enum tape_verdict tape_walk(const struct walk_options *options, uint32_t *chunk_ends,
                            struct walk_end *ret_end, struct tape_report *report)
{
    struct walk walk;
    enum tape_verdict verdict = TAPE_DAMAGED;
    if (walk_begin(&walk, options, chunk_ends, report)) {
        while (walk_step(&walk)) {
        }
        verdict = walk.error ? TAPE_READ_ERROR : judge_end(&walk);
    } else {
        report->damage_offset = chunk_device_offset(options->superblock, options->from_chunk);
        verdict = walk.error ? TAPE_READ_ERROR : TAPE_DAMAGED;
    }
    report->error = walk.error;
    *ret_end = walk.at;
    return verdict;
}
