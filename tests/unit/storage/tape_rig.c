/* SPDX-License-Identifier: Apache-2.0 */
#include "tape_rig.h"

#include <string.h>

#include "check.h"

struct tape_identity rig_identity(void)
{
    return (struct tape_identity){.cluster_id = 1, .node_id = 2, .incarnation = 3, .log_name = "main"};
}

struct tape_options rig_options(void)
{
    return (struct tape_options){
        .identity = rig_identity(),
        .memory_chunks = 4,
        .reader_chunks = 2,
        .write_bytes_max = RIG_CHUNK_BYTES / 2,
        .boot_id = 5,
    };
}

void rig_format_chunks(struct rig *rig, uint64_t chunk_count, bool manual, enum tape_sync sync)
{
    uint64_t size_bytes = chunk_count * RIG_CHUNK_BYTES;
    struct fake_device_options device = {tape_device_bytes(size_bytes), 512, manual};
    struct tape_format_options format = {
        .identity = rig_identity(),
        .size_bytes = size_bytes,
        .chunk_bytes = RIG_CHUNK_BYTES,
        .sync = sync,
    };
    *rig = (struct rig){.fake = fake_device_create(&device), .now_ns = 1000000000};
    arena_init(&rig->arena);
    int error = tape_format(fake_device_port(rig->fake), &format);
    ASSERT(error == 0);
}

void rig_format(struct rig *rig, bool manual, enum tape_sync sync)
{
    rig_format_chunks(rig, RIG_CHUNK_COUNT, manual, sync);
}

enum tape_verdict rig_open(struct rig *rig, tape_visit *visit, void *context)
{
    struct tape_options options = rig_options();
    arena_fini(&rig->arena);
    rig->tape = NULL;
    return tape_open(&rig->arena, fake_device_port(rig->fake), &options, visit, context, &rig->tape,
                     &rig->report);
}

void rig_fini(struct rig *rig)
{
    arena_fini(&rig->arena);
    fake_device_destroy(rig->fake);
}

/* No two sectors are alike: a torn block must not become whole by a sector of what is written over it later.
 */
static uint8_t payload_byte(uint64_t quorum, uint64_t index, uint64_t term, size_t at)
{
    uint64_t place = quorum << 56 ^ index << 40 ^ term << 24 ^ (at / 8);
    uint64_t mixed = (place ^ place >> 29) * 0x9E3779B97F4A7C15u;
    return (uint8_t)((mixed ^ mixed >> 32) >> (at % 8 * 4));
}

int rig_append_type(struct rig *rig, uint8_t type, uint64_t quorum, uint64_t index, uint64_t term,
                    size_t payload_bytes, bool use_reserve)
{
    int error = 0;
    uint8_t *bytes = tape_reserve(rig->tape, payload_bytes, use_reserve, &error);
    if (!bytes) {
        return error;
    }
    for (size_t i = 0; i < payload_bytes; i++) {
        bytes[RECORD_HEAD_BYTES + i] = payload_byte(quorum, index, term, i);
    }
    struct record_head head = {.type = type, .quorum_number = quorum, .index = index, .term = term};
    record_finish(bytes, &head, payload_bytes);
    tape_append(rig->tape);
    return 0;
}

int rig_append(struct rig *rig, uint64_t quorum, uint64_t index, uint64_t term, size_t payload_bytes)
{
    return rig_append_type(rig, RECORD_DATA, quorum, index, term, payload_bytes, false);
}

bool rig_record_is(const uint8_t *record, uint64_t quorum, uint64_t index, uint64_t term)
{
    struct record_head head;
    if (record_check(record, RECORD_BYTES_MAX, &head) != RECORD_GOOD) {
        return false;
    }
    for (size_t i = RECORD_HEAD_BYTES; i < head.length; i++) {
        if (record[i] != payload_byte(quorum, index, term, i - RECORD_HEAD_BYTES)) {
            return false;
        }
    }
    return head.quorum_number == quorum && head.index == index && head.term == term;
}

void rig_flush(struct rig *rig)
{
    while (tape_durable_position(rig->tape) != tape_append_position(rig->tape) && !tape_error(rig->tape)) {
        tape_submit(rig->tape, rig->now_ns);
        while (fake_device_pending(rig->fake) > 0) {
            fake_device_complete(rig->fake, 0, 0);
        }
        tape_poll(rig->tape, rig->now_ns);
    }
}

enum tape_read rig_read(struct rig *rig, struct tape_cursor *cursor, uint64_t index, uint64_t term,
                        const uint8_t **ret_record, struct record_head *ret_head)
{
    enum tape_read result;
    while ((result = tape_read(rig->tape, cursor, index, term, ret_record, ret_head)) == TAPE_READ_WAIT) {
        tape_reader_poll(tape_reader_of(rig->tape), fake_device_port(rig->fake), 8);
        tape_poll(rig->tape, rig->now_ns);
    }
    return result;
}
