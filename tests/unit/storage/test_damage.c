/* SPDX-License-Identifier: Apache-2.0 */
/* Damage is told from a torn tail, and a foreign tape from one's own. */
#include <errno.h>

#include "tape_rig.h"
#include "test.h"

#define RECORD_COUNT 9

static void prefix_visit(void *context, const struct record_head *head, const uint8_t *payload,
                         uint64_t position)
{
    uint64_t *count = context;
    (void)position;
    ++*count;
    CHECK(rig_record_is(payload - RECORD_HEAD_BYTES, RIG_QUORUM, *count, 1));
    CHECK_EQUAL(head->index, *count);
}

/* Nine records in three blocks, with or without an attest block behind. */
static void small_tape(struct rig *rig, bool attested)
{
    rig_format(rig, false, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(rig, NULL, NULL), TAPE_OPEN);
    for (uint64_t index = 1; index <= RECORD_COUNT; index++) {
        CHECK_EQUAL(rig_append(rig, RIG_QUORUM, index, 1, 20 * index), 0);
        if (index % 3 == 0) {
            rig_flush(rig);
        }
    }
    if (attested) {
        CHECK_EQUAL(tape_close(rig->tape), 0);
    }
}

static enum tape_verdict scan(struct rig *rig, uint64_t *ret_count, struct tape_report *ret_report)
{
    *ret_count = 0;
    return tape_scan(fake_device_port(rig->fake), prefix_visit, ret_count, ret_report);
}

struct block_list {
    struct tape_block_view blocks[64];
    unsigned count;
};

static void list_block(void *context, const struct tape_block_view *block)
{
    struct block_list *list = context;
    list->blocks[list->count++] = *block;
}

static struct block_list blocks_of(struct rig *rig)
{
    struct block_list list = {0};
    struct tape_report report;
    CHECK_EQUAL(tape_scan_blocks(fake_device_port(rig->fake), list_block, NULL, &list, &report), TAPE_OPEN);
    return list;
}

static void every_flipped_bit_of_durable_blocks_is_damage(void)
{
    struct rig rig;
    struct tape_report report;
    uint64_t count;
    small_tape(&rig, true);
    struct block_list list = blocks_of(&rig);
    CHECK_EQUAL(list.count, 5); /* chunk head, three of records, attest */
    for (unsigned b = 0; b < 4; b++) {
        for (uint64_t bit = 0; bit < 8u * list.blocks[b].length; bit++) {
            uint8_t *byte = fake_device_bytes(rig.fake) + list.blocks[b].device_offset + bit / 8;
            *byte ^= (uint8_t)(1u << bit % 8);
            CHECK_EQUAL(scan(&rig, &count, &report), TAPE_DAMAGED);
            CHECK_EQUAL(report.damage_offset, list.blocks[b].device_offset);
            CHECK_EQUAL(count, b ? 3 * (b - 1) : 0);
            *byte ^= (uint8_t)(1u << bit % 8);
        }
    }
    CHECK_EQUAL(scan(&rig, &count, &report), TAPE_OPEN);
    CHECK_EQUAL(count, RECORD_COUNT);
    rig_fini(&rig);
}

static void every_flipped_bit_of_the_last_block_is_a_torn_tail(void)
{
    struct rig rig;
    struct tape_report report;
    uint64_t count;
    for (unsigned attested = 0; attested < 2; attested++) {
        small_tape(&rig, attested);
        struct block_list list = blocks_of(&rig);
        const struct tape_block_view *last = &list.blocks[list.count - 1];
        for (uint64_t bit = 0; bit < 8u * last->length; bit++) {
            uint8_t *byte = fake_device_bytes(rig.fake) + last->device_offset + bit / 8;
            *byte ^= (uint8_t)(1u << bit % 8);
            CHECK_EQUAL(scan(&rig, &count, &report), TAPE_OPEN);
            CHECK_EQUAL(count, attested ? RECORD_COUNT : RECORD_COUNT - 3);
            CHECK(report.torn_bytes > 0);
            *byte ^= (uint8_t)(1u << bit % 8);
        }
        rig_fini(&rig);
    }
}

static void a_flipped_bit_of_padding_harms_nothing(void)
{
    struct rig rig;
    struct tape_report report;
    uint64_t count;
    small_tape(&rig, true);
    struct block_list list = blocks_of(&rig);
    for (unsigned b = 0; b + 1 < list.count; b++) {
        uint64_t from = list.blocks[b].device_offset + list.blocks[b].length;
        for (uint64_t at = from; at < list.blocks[b + 1].device_offset; at++) {
            fake_device_bytes(rig.fake)[at] ^= 0x10;
            CHECK_EQUAL(scan(&rig, &count, &report), TAPE_OPEN);
            CHECK_EQUAL(count, RECORD_COUNT);
            fake_device_bytes(rig.fake)[at] ^= 0x10;
        }
    }
    rig_fini(&rig);
}

static void one_good_superblock_is_enough(void)
{
    struct rig rig;
    struct tape_report report;
    uint64_t count;
    small_tape(&rig, true);
    for (uint64_t at = 0; at < SUPERBLOCK_BYTES; at += at < 128 ? 1 : 31) {
        uint8_t *first = fake_device_bytes(rig.fake) + at;
        uint8_t *second = first + SUPERBLOCK_COPY_OFFSET;
        *first ^= 0x04;
        CHECK_EQUAL(scan(&rig, &count, &report), TAPE_OPEN);
        CHECK_EQUAL(count, RECORD_COUNT);
        *second ^= 0x04;
        CHECK_EQUAL(scan(&rig, &count, &report), TAPE_NOT_A_TAPE);
        *first ^= 0x04;
        CHECK_EQUAL(scan(&rig, &count, &report), TAPE_OPEN);
        CHECK_EQUAL(count, RECORD_COUNT);
        *second ^= 0x04;
    }
    rig_fini(&rig);
}

static void a_lost_chunk_is_damage(void)
{
    struct rig rig;
    struct tape_report report;
    uint64_t count;
    rig_format(&rig, false, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    for (uint64_t index = 1; index <= 95; index++) {
        CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, index, 1, 500), 0);
        rig_flush(&rig);
    }
    for (uint64_t chunk = 1; chunk <= 8; chunk++) {
        struct fake_device_options options = {tape_device_bytes(RIG_SIZE_BYTES), 512, false};
        struct rig lost = {.fake = fake_device_create(&options)};
        uint64_t offset = TAPE_DATA_OFFSET + (chunk - 1) * RIG_CHUNK_BYTES;
        fake_device_copy(lost.fake, rig.fake);
        memset(fake_device_bytes(lost.fake) + offset, 0, RIG_CHUNK_BYTES);
        CHECK_EQUAL(scan(&lost, &count, &report), TAPE_DAMAGED);
        CHECK_EQUAL(report.damage_offset, offset);
        fake_device_destroy(lost.fake);
    }
    rig_fini(&rig);
}

static void a_damaged_tape_is_not_touched(void)
{
    struct rig rig;
    small_tape(&rig, true);
    struct block_list list = blocks_of(&rig);
    uint8_t *bytes = fake_device_bytes(rig.fake);
    static uint8_t before[2 * RIG_CHUNK_BYTES];
    bytes[list.blocks[2].device_offset + 70] ^= 1;
    memcpy(before, bytes, RIG_CHUNK_BYTES);
    memcpy(before + RIG_CHUNK_BYTES, bytes + TAPE_DATA_OFFSET, RIG_CHUNK_BYTES);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_DAMAGED);
    CHECK(rig.tape == NULL);
    CHECK_EQUAL(rig.report.damage_offset, list.blocks[2].device_offset);
    CHECK_BYTES(bytes, before, RIG_CHUNK_BYTES);
    CHECK_BYTES(bytes + TAPE_DATA_OFFSET, before + RIG_CHUNK_BYTES, RIG_CHUNK_BYTES);
    rig_fini(&rig);
}

static enum tape_verdict open_as(struct rig *rig, const struct tape_identity *identity)
{
    struct tape_options options = rig_options();
    struct tape *tape = NULL;
    options.identity = *identity;
    arena_fini(&rig->arena);
    return tape_open(&rig->arena, fake_device_port(rig->fake), &options, NULL, NULL, &tape, &rig->report);
}

static void a_foreign_tape_is_refused_by_name(void)
{
    struct rig rig;
    small_tape(&rig, true);
    struct tape_identity other = rig_identity();
    other.cluster_id++;
    CHECK_EQUAL(open_as(&rig, &other), TAPE_OTHER_CLUSTER);
    other = rig_identity();
    other.node_id++;
    CHECK_EQUAL(open_as(&rig, &other), TAPE_OTHER_NODE);
    other = rig_identity();
    other.incarnation++;
    CHECK_EQUAL(open_as(&rig, &other), TAPE_OTHER_INCARNATION);
    other = rig_identity();
    strcpy(other.log_name, "mainly");
    CHECK_EQUAL(open_as(&rig, &other), TAPE_OTHER_LOG);
    other = rig_identity();
    other.incarnation = 0;
    CHECK_EQUAL(open_as(&rig, &other), TAPE_OPEN);
    CHECK_EQUAL(rig.report.identity.incarnation, 3);
    fake_device_port(rig.fake)->size_bytes -= 512;
    CHECK_EQUAL(open_as(&rig, &other), TAPE_TOO_SMALL);
    rig_fini(&rig);
}

static void another_version_is_refused(void)
{
    struct rig rig;
    struct superblock superblock;
    small_tape(&rig, true);
    for (uint64_t copy = 0; copy <= SUPERBLOCK_COPY_OFFSET; copy += SUPERBLOCK_COPY_OFFSET) {
        uint8_t *bytes = fake_device_bytes(rig.fake) + copy;
        CHECK(superblock_decode(bytes, &superblock));
        superblock_encode(&superblock, bytes);
        store_le32(bytes + offsetof(struct superblock, version), TAPE_VERSION + 1);
        superblock_reseal(bytes);
    }
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OTHER_VERSION);
    rig_fini(&rig);
}

static void a_block_of_another_tape_is_no_evidence(void)
{
    struct rig rig;
    struct rig other;
    struct tape_report report;
    uint64_t count;
    small_tape(&rig, false);
    small_tape(&other, true);
    struct block_list list = blocks_of(&other);
    const struct tape_block_view *attest = &list.blocks[list.count - 1];
    const struct tape_block_view *last = &list.blocks[list.count - 2];
    uint8_t *bytes = fake_device_bytes(rig.fake);
    uint8_t *block = bytes + attest->device_offset;
    memcpy(block, fake_device_bytes(other.fake) + attest->device_offset, 512);
    bytes[last->device_offset + 70] ^= 1;
    CHECK_EQUAL(scan(&rig, &count, &report), TAPE_DAMAGED);
    struct block_head head = block_head_load(block);
    head.incarnation++;
    block_close(block, &head, 512);
    CHECK_EQUAL(scan(&rig, &count, &report), TAPE_OPEN);
    CHECK_EQUAL(count, RECORD_COUNT - 3);
    rig_fini(&rig);
    rig_fini(&other);
}

static void a_volatile_tape_loses_its_tail_but_is_never_damaged(void)
{
    struct rig rig;
    struct tape_report report;
    uint64_t count;
    rig_format(&rig, false, TAPE_SYNC_NONE);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    for (uint64_t index = 1; index <= 90; index++) {
        CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, index, 1, 500), 0);
        rig_flush(&rig);
    }
    memset(fake_device_bytes(rig.fake) + TAPE_DATA_OFFSET + 2u * RIG_CHUNK_BYTES, 0, RIG_CHUNK_BYTES);
    CHECK_EQUAL(scan(&rig, &count, &report), TAPE_OPEN);
    CHECK(count > 10);
    CHECK(count < 60);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"every flipped bit of a durable block is damage at that block",
     every_flipped_bit_of_durable_blocks_is_damage},
    {"every flipped bit of the last block is a torn tail",
     every_flipped_bit_of_the_last_block_is_a_torn_tail},
    {"a flipped bit of padding harms nothing", a_flipped_bit_of_padding_harms_nothing},
    {"one good superblock is enough, none is no tape", one_good_superblock_is_enough},
    {"a lost chunk is damage, whichever it is", a_lost_chunk_is_damage},
    {"a damaged tape is not touched", a_damaged_tape_is_not_touched},
    {"a foreign tape is refused, each cause by its name", a_foreign_tape_is_refused_by_name},
    {"a tape of another version is refused", another_version_is_refused},
    {"only a block of this tape is evidence of durability", a_block_of_another_tape_is_no_evidence},
    {"a volatile tape loses its tail but is never called damaged",
     a_volatile_tape_loses_its_tail_but_is_never_damaged},
};

TEST_MAIN(cases)
