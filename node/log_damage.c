/* SPDX-License-Identifier: Apache-2.0 */
#include "log_damage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tape_layout.h"
#include "tape_superblock.h"

struct survey {
    struct device *device;
    struct superblock superblock;
    uint64_t chunk_count;
    uint64_t newest; /* chunk sequence */
    uint8_t *chunk;
    uint64_t sequence;      /* of the chunk in memory */
    struct block_head last; /* good block before; all zero: not known */
    bool has_bad;           /* a range has begun in this chunk */
    uint32_t bad_from;
    tape_visit *visit_record;
    log_damage_visit *visit;
    void *context;
};

static uint64_t slot_offset(const struct survey *survey, uint64_t sequence)
{
    uint64_t slot = (sequence - 1) % survey->chunk_count;
    return TAPE_DATA_OFFSET + slot * survey->superblock.chunk_bytes;
}

/* The head at the start of a slot, of whatever lap; false: none. */
static bool head_read(struct survey *survey, uint64_t slot, struct block_head *ret_head)
{
    _Alignas(4096) uint8_t bytes[CHUNK_HEAD_SPACE_BYTES];
    uint64_t offset = TAPE_DATA_OFFSET + slot * survey->superblock.chunk_bytes;
    if (survey->device->read(survey->device, offset, bytes, sizeof(bytes)) != 0) {
        return false;
    }
    uint64_t sequence = block_head_load(bytes).chunk_sequence;
    return sequence != 0 && (sequence - 1) % survey->chunk_count == slot &&
           block_check(bytes, sizeof(bytes), 0, sequence, survey->superblock.incarnation, ret_head);
}

static void newest_find(struct survey *survey)
{
    for (uint64_t slot = 0; slot < survey->chunk_count; slot++) {
        struct block_head head;
        if (head_read(survey, slot, &head) && head.chunk_sequence > survey->newest) {
            survey->newest = head.chunk_sequence;
        }
    }
}

/* The chunk that should stand in a slot: of the newest lap that reaches it. */
static uint64_t sequence_expected(const struct survey *survey, uint64_t slot)
{
    uint64_t behind = (survey->newest - 1 + survey->chunk_count - slot) % survey->chunk_count;
    return survey->newest > behind ? survey->newest - behind : slot + 1;
}

static bool continues(const struct survey *survey, const struct block_head *head)
{
    return survey->last.block_sequence == 0 || (head->block_sequence == survey->last.block_sequence + 1 &&
                                                head->previous_crc == survey->last.crc);
}

/* Records whose own checksums still hold, at any multiple of eight. */
static uint32_t records_salvage(const struct survey *survey, uint32_t from, uint32_t to)
{
    uint32_t count = 0;
    for (uint32_t at = from; at + RECORD_HEAD_BYTES <= to;) {
        struct record_head head;
        if (record_check(survey->chunk + at, to - at, &head) != RECORD_GOOD) {
            at += 8;
            continue;
        }
        if (survey->visit_record) {
            survey->visit_record(survey->context, &head, survey->chunk + at + RECORD_HEAD_BYTES,
                                 slot_offset(survey, survey->sequence) + at);
        }
        at += (uint32_t)record_padded_bytes(head.length);
        count++;
    }
    return count;
}

/* Tells the range from bad_from to `to`; `next` is the good block behind it, NULL when that is not known. */
static void range_tell(struct survey *survey, uint32_t to, const struct block_head *next)
{
    struct block_head bad = block_head_load(survey->chunk + survey->bad_from);
    bool known = survey->last.block_sequence != 0 || survey->sequence == 1;
    struct log_damage damage = {
        .device_offset = slot_offset(survey, survey->sequence) + survey->bad_from,
        .byte_count = to - survey->bad_from,
        .chunk_sequence = survey->sequence,
        .first_block = known ? survey->last.block_sequence + 1 : 0,
        .last_block = next ? next->block_sequence - 1 : 0,
    };
    if (bad.magic == BLOCK_MAGIC && bad.chunk_sequence == survey->sequence &&
        bad.chunk_offset == survey->bad_from) {
        damage.announced_records = bad.record_count;
    }
    damage.readable_records = records_salvage(survey, survey->bad_from, to);
    survey->has_bad = false;
    survey->visit(survey->context, &damage);
}

/* Takes a good block that stands at `offset`. One that neither continues the chain nor is later than it was
 * left behind by a cut: it is not of the tape. */
static bool block_take(struct survey *survey, uint32_t offset, const struct block_head *head)
{
    if (survey->last.block_sequence == 0) {
        if (survey->has_bad) {
            range_tell(survey, offset, head);
        }
    } else if (!continues(survey, head)) {
        bool later = head->block_sequence > survey->last.block_sequence + 1 &&
                     head->open_count >= survey->last.open_count;
        if (!later) {
            return false;
        }
        if (survey->has_bad) {
            range_tell(survey, offset, head);
        }
    }
    survey->has_bad = false;
    survey->last = *head;
    return true;
}

static void chunk_look(struct survey *survey)
{
    uint32_t chunk_bytes = survey->superblock.chunk_bytes;
    uint32_t offset = 0;
    while (offset < chunk_bytes) {
        struct block_head head;
        bool good = block_check(survey->chunk, chunk_bytes, offset, survey->sequence,
                                survey->superblock.incarnation, &head);
        if (good && block_take(survey, offset, &head)) {
            offset += block_span_bytes(&head, survey->superblock.block_bytes);
            continue;
        }
        if (!survey->has_bad) {
            survey->has_bad = true;
            survey->bad_from = offset;
        }
        offset += survey->superblock.block_bytes;
    }
}

static bool is_zero(const uint8_t *bytes, size_t byte_count)
{
    return byte_count == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, byte_count - 1) == 0);
}

/* What the chunk's last good block left: unused, if the next chunk continues the chain or nothing was ever
 * written there. Behind the newest chunk it is the tail. */
static void chunk_end_judge(struct survey *survey)
{
    struct block_head next;
    if (!survey->has_bad || survey->sequence == survey->newest) {
        survey->has_bad = false;
        return;
    }
    bool has_next = head_read(survey, survey->sequence % survey->chunk_count, &next) &&
                    next.chunk_sequence == survey->sequence + 1;
    bool unused = has_next ? continues(survey, &next)
                           : is_zero(survey->chunk + survey->bad_from, survey->superblock.block_bytes);
    if (!unused) {
        range_tell(survey, survey->superblock.chunk_bytes, has_next ? &next : NULL);
    }
    survey->has_bad = false;
}

static void chunk_unreadable(struct survey *survey)
{
    struct log_damage damage = {.device_offset = slot_offset(survey, survey->sequence),
                                .byte_count = survey->superblock.chunk_bytes,
                                .chunk_sequence = survey->sequence};
    survey->last = (struct block_head){0};
    survey->visit(survey->context, &damage);
}

int log_damage_survey(struct device *device, uint64_t damage_offset, tape_visit *visit_record,
                      log_damage_visit *visit, void *context)
{
    struct survey survey = {
        .device = device, .visit_record = visit_record, .visit = visit, .context = context};
    int error = 0;
    if (superblock_read(device, &survey.superblock, &error) != TAPE_OPEN) {
        return error ? error : -EINVAL;
    }
    uint32_t chunk_bytes = survey.superblock.chunk_bytes;
    survey.chunk_count = survey.superblock.size_bytes / chunk_bytes;
    survey.chunk = aligned_alloc(4096, chunk_bytes);
    if (!survey.chunk) {
        return -ENOMEM;
    }
    newest_find(&survey);
    uint64_t first = sequence_expected(&survey, (damage_offset - TAPE_DATA_OFFSET) / chunk_bytes);
    /* the block before a chunk's first is the last of the chunk before it */
    first = first > 1 && first + survey.chunk_count > survey.newest + 1 ? first - 1 : first;
    for (survey.sequence = first; survey.sequence <= survey.newest; survey.sequence++) {
        uint64_t offset = slot_offset(&survey, survey.sequence);
        if (device->read(device, offset, survey.chunk, chunk_bytes) != 0) {
            chunk_unreadable(&survey);
            continue;
        }
        chunk_look(&survey);
        chunk_end_judge(&survey);
    }
    free(survey.chunk);
    return 0;
}
