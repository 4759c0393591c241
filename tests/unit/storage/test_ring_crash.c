/* SPDX-License-Identifier: Apache-2.0 */
/* Crashes of a tape that goes round, checkpoints that are damaged, and how little of a large tape is read. */
#include <errno.h>

#include "tape_internal.h"
#include "tape_rig.h"
#include "tape_slots.h"
#include "tape_walk.h"
#include "test.h"

#define ENTRY_MAX 40000

struct crash_rig {
    struct rig rig;
    uint64_t chunk_count;
    uint64_t terms[ENTRY_MAX];
    uint64_t positions[ENTRY_MAX];
    uint64_t last;
    uint64_t durable;
    uint64_t term;
    uint64_t tail_high; /* the highest chunk that was begun */
    uint64_t checkpoints;
    unsigned parts_left;
    bool under_way;
    bool is_lazy; /* makes checkpoints only when an append was refused */
    bool is_refused;
};

static struct crash_rig crash;

static void crash_format(uint64_t chunk_count, bool manual)
{
    memset(&crash, 0, sizeof(crash));
    rig_format_chunks(&crash.rig, chunk_count, manual, TAPE_SYNC_FDATASYNC);
    crash.chunk_count = chunk_count;
    crash.term = 1;
    CHECK_EQUAL(rig_open(&crash.rig, NULL, NULL), TAPE_OPEN);
}

static void append_one(size_t payload_bytes)
{
    int error = crash.last + 1 < ENTRY_MAX
                    ? rig_append(&crash.rig, RIG_QUORUM, crash.last + 1, crash.term, payload_bytes)
                    : -EMSGSIZE;
    crash.is_refused = error == -ENOSPC;
    if (!error) {
        crash.last++;
        crash.terms[crash.last] = crash.term;
        crash.positions[crash.last] = tape_append_position(crash.rig.tape);
    }
}

static void checkpoint_step(void)
{
    struct tape *tape = crash.rig.tape;
    if (!crash.under_way) {
        bool wanted = !crash.is_lazy || crash.is_refused || crash.checkpoints == 0;
        if (wanted && tape_checkpoint_is_due(tape) && tape_checkpoint_begin(tape, 2, 0) == 0) {
            crash.under_way = true;
            crash.parts_left = 2;
        }
    } else if (crash.parts_left > 0) {
        crash.parts_left -= rig_append_type(&crash.rig, RECORD_CHECKPOINT, RIG_QUORUM + crash.parts_left, 0,
                                            1, 60, true) == 0;
    } else {
        tape_checkpoint_end(tape);
        crash.under_way = false;
        crash.checkpoints++;
    }
}

static void durable_note(void)
{
    uint64_t tail = crash.rig.tape->chunk_sequence;
    while (crash.durable < crash.last &&
           crash.positions[crash.durable + 1] <= tape_durable_position(crash.rig.tape)) {
        crash.durable++;
    }
    crash.tail_high = tail > crash.tail_high ? tail : crash.tail_high;
}

static void work(struct prng *prng, uint64_t steps)
{
    size_t size_limit = prng_below(prng, 6) == 0 ? 3000 : 1 + (size_t)prng_below(prng, 900);
    struct fake_device *fake = crash.rig.fake;
    for (uint64_t i = 0; i < steps; i++) {
        checkpoint_step();
        append_one((size_t)prng_below(prng, size_limit));
        if (prng_below(prng, 2) == 0) {
            tape_submit(crash.rig.tape, crash.rig.now_ns);
        }
        if (fake_device_pending(fake) > 0 && prng_below(prng, 4) != 0) {
            fake_device_complete(fake, (unsigned)prng_below(prng, fake_device_pending(fake)), 0);
        }
        crash.rig.now_ns += prng_below(prng, 8) == 0 ? 30000000 : 0;
        tape_poll(crash.rig.tape, crash.rig.now_ns);
        durable_note();
    }
}

struct visits {
    uint64_t count;
    struct record_head first;
    uint64_t last_index; /* of entries */
    bool hole;
};

static void visit(void *context, const struct record_head *head, const uint8_t *payload, uint64_t position)
{
    struct visits *visits = context;
    (void)payload;
    (void)position;
    if (visits->count++ == 0) {
        visits->first = *head;
    }
    if (head->type == RECORD_DATA) {
        visits->hole |= visits->last_index != 0 && head->index != visits->last_index + 1;
        visits->last_index = head->index;
    }
}

/* What was durable is there or, where the tape had begun to write over it, may be gone; nothing else is there
 * but what was appended, without a hole. */
static void recover(void)
{
    struct tape_cursor cursor;
    const uint8_t *record = NULL;
    struct record_head head;
    crash.under_way = false;
    struct visits visits = {0};
    CHECK_EQUAL(rig_open(&crash.rig, visit, &visits), TAPE_OPEN);
    CHECK(!visits.hole);
    if (crash.rig.report.checkpoint_position != 0) {
        CHECK_EQUAL(visits.first.type, RECORD_CHECKPOINT);
        CHECK_EQUAL(visits.first.quorum_number, 0);
    }
    CHECK(!crash.rig.report.checkpoint_lost);
    uint64_t tail = crash.rig.tape->chunk_sequence;
    uint64_t from = crash.durable > 200 ? crash.durable - 200 : 1;
    uint64_t found = crash.durable;
    tape_cursor_init(&cursor, RIG_QUORUM);
    for (uint64_t index = from; index <= crash.last; index++) {
        enum tape_read result = rig_read(&crash.rig, &cursor, index, 0, &record, &head);
        uint64_t chunk = (crash.positions[index] - 1) / RIG_CHUNK_BYTES;
        bool may_be_gone = chunk + crash.chunk_count <= crash.tail_high;
        if (index > crash.durable && result == TAPE_READ_END) {
            break;
        }
        if (result == TAPE_READ_RECORD) {
            CHECK(rig_record_is(record, RIG_QUORUM, index, crash.terms[index]));
            CHECK(chunk + crash.chunk_count > tail);
        } else {
            CHECK_EQUAL(result, TAPE_READ_GONE);
            CHECK(may_be_gone);
        }
        found = index > found ? index : found;
    }
    CHECK_EQUAL(rig_read(&crash.rig, &cursor, found + 1, 0, &record, &head), TAPE_READ_END);
    crash.last = found;
    crash.durable = found;
}

static void crashes_while_going_round_lose_nothing_durable(void)
{
    static const uint64_t chunk_counts[] = {4, 6, 16};
    for (unsigned i = 0; i < 3; i++) {
        uint64_t laps = 0;
        for (uint64_t seed = 1; seed <= 12; seed++) {
            struct prng prng = {seed};
            crash_format(chunk_counts[i], true);
            for (unsigned run = 0; run < 40; run++) {
                work(&prng, 20 + prng_below(&prng, 150));
                fake_device_crash(crash.rig.fake, &prng);
                crash.term++;
                recover();
            }
            laps += crash.rig.tape->chunk_sequence / crash.chunk_count;
            rig_fini(&crash.rig);
        }
        printf("# %llu chunks: %llu laps\n", (unsigned long long)chunk_counts[i], (unsigned long long)laps);
        CHECK(laps > 12);
    }
}

/* Whether the checkpoint that the newest head names can be walked, and the one before, too; true when there
 * is none. */
static bool both_checkpoints_are_there(const struct superblock *superblock, unsigned *before_count)
{
    static _Alignas(4096) uint8_t memory[4][RIG_CHUNK_BYTES];
    uint8_t *chunks[4] = {memory[0], memory[1], memory[2], memory[3]};
    uint64_t sequences[4] = {0};
    struct device *device = fake_device_port(crash.rig.fake);
    struct walk_options options = {
        .device = device, .superblock = superblock, .memory = {chunks, sequences, 4}};
    int error = 0;
    uint64_t newest = slots_newest_find(device, superblock, &error);
    uint64_t position = slots_checkpoint_find(device, superblock, newest + 1, UINT64_MAX, &error);
    uint64_t before = position ? slots_checkpoint_find(device, superblock, newest + 1, position, &error) : 0;
    if (position == 0 || !tape_walk_checkpoint(&options, position)) {
        return position == 0;
    }
    *before_count += before != 0;
    return before ? tape_walk_checkpoint(&options, before)
                  : newest <= superblock->size_bytes / RIG_CHUNK_BYTES;
}

static void a_crash_leaves_two_checkpoints_to_begin_with(void)
{
    static const uint64_t chunk_counts[] = {4, 5, 8, 16};
    unsigned before_count = 0;
    for (uint64_t seed = 1; seed <= 240; seed++) {
        struct prng prng = {seed};
        crash_format(chunk_counts[seed % 4], true);
        crash.is_lazy = seed % 8 >= 4;
        struct superblock superblock = crash.rig.tape->superblock;
        work(&prng, 60 + prng_below(&prng, 600));
        fake_device_crash(crash.rig.fake, &prng);
        CHECK(both_checkpoints_are_there(&superblock, &before_count));
        rig_fini(&crash.rig);
    }
    CHECK(before_count > 100);
}

/* Rounds enough for several checkpoints, all durable. */
static void work_quietly(uint64_t steps)
{
    for (uint64_t i = 0; i < steps; i++) {
        checkpoint_step();
        append_one(300);
        rig_flush(&crash.rig);
        tape_poll(crash.rig.tape, crash.rig.now_ns);
    }
    while (crash.under_way) {
        checkpoint_step();
    }
    rig_flush(&crash.rig);
    CHECK_EQUAL(tape_close(crash.rig.tape), 0);
}

/* Damage of what was durable is never passed over: recovery falls back on the checkpoint before, walks from
 * there and says where the damage is. */
static void a_damaged_checkpoint_is_found_out_from_the_one_before(void)
{
    crash_format(16, false);
    work_quietly(600);
    const struct tape_ring *round = &crash.rig.tape->ring;
    uint64_t named = round->named.block_position;
    uint64_t device_offset =
        chunk_device_offset(&crash.rig.tape->superblock, named / RIG_CHUNK_BYTES) + named % RIG_CHUNK_BYTES;
    CHECK(round->named.number > 2);
    fake_device_bytes(crash.rig.fake)[device_offset + 100] ^= 1;
    CHECK_EQUAL(rig_open(&crash.rig, NULL, NULL), TAPE_DAMAGED);
    CHECK(crash.rig.report.checkpoint_lost);
    CHECK(crash.rig.report.checkpoint_position != 0);
    CHECK(crash.rig.report.checkpoint_position < named);
    CHECK_EQUAL(crash.rig.report.damage_offset, device_offset);
    fake_device_bytes(crash.rig.fake)[device_offset + 100] ^= 1;
    CHECK_EQUAL(rig_open(&crash.rig, NULL, NULL), TAPE_OPEN);
    CHECK(!crash.rig.report.checkpoint_lost);
    CHECK_EQUAL(crash.rig.report.checkpoint_position, named);
    rig_fini(&crash.rig);
}

static void the_newest_chunk_is_found_beside_damaged_heads(void)
{
    crash_format(16, false);
    for (unsigned round = 0; round < 60; round++) {
        work_quietly(20);
        struct superblock superblock = crash.rig.tape->superblock;
        uint64_t newest = crash.rig.tape->chunk_sequence;
        struct device *device = fake_device_port(crash.rig.fake);
        int error = 0;
        CHECK_EQUAL(slots_newest_find(device, &superblock, &error), newest);
        for (uint64_t slot = 0; slot < 16; slot++) {
            if (slot == chunk_slot_of(&superblock, newest)) {
                continue;
            }
            uint8_t *head = fake_device_bytes(crash.rig.fake) + TAPE_DATA_OFFSET + slot * RIG_CHUNK_BYTES;
            head[20] ^= 1;
            CHECK_EQUAL(slots_newest_find(device, &superblock, &error), newest);
            head[20] ^= 1;
        }
        CHECK_EQUAL(rig_open(&crash.rig, NULL, NULL), TAPE_OPEN);
    }
    CHECK(crash.rig.tape->chunk_sequence > 48);
    rig_fini(&crash.rig);
}

static void a_scan_begins_with_the_oldest_whole_chunk(void)
{
    struct tape_report report;
    crash_format(8, false);
    work_quietly(600);
    uint64_t newest = crash.rig.tape->chunk_sequence;
    CHECK(newest > 16);
    CHECK_EQUAL(tape_scan(fake_device_port(crash.rig.fake), NULL, NULL, &report), TAPE_OPEN);
    CHECK_EQUAL(report.chunk_count, 8);
    CHECK_EQUAL(report.end_position, tape_append_position(crash.rig.tape));
    /* the next chunk's head was written over the oldest, and torn */
    uint64_t offset = chunk_device_offset(&crash.rig.tape->superblock, newest + 1);
    memset(fake_device_bytes(crash.rig.fake) + offset, 0x5a, 512);
    CHECK_EQUAL(tape_scan(fake_device_port(crash.rig.fake), NULL, NULL, &report), TAPE_OPEN);
    CHECK_EQUAL(report.chunk_count, 7);
    rig_fini(&crash.rig);
}

/* ---- a large tape ---- */

/* A small device in front of a large one's zeros. */
struct sparse_device {
    struct device port;
    struct device *inner;
    uint64_t read_count;
    uint64_t read_bytes;
};

static int sparse_read(struct device *device, uint64_t offset, void *bytes, size_t byte_count)
{
    struct sparse_device *sparse = (struct sparse_device *)device;
    sparse->read_count++;
    sparse->read_bytes += byte_count;
    if (offset + byte_count <= sparse->inner->size_bytes) {
        return sparse->inner->read(sparse->inner, offset, bytes, byte_count);
    }
    memset(bytes, 0, byte_count);
    return 0;
}

static int sparse_write(struct device *device, uint64_t offset, const void *bytes, size_t byte_count)
{
    struct sparse_device *sparse = (struct sparse_device *)device;
    if (offset + byte_count <= sparse->inner->size_bytes) {
        return sparse->inner->write(sparse->inner, offset, bytes, byte_count);
    }
    return 0; /* zeros of the format */
}

static int sparse_submit_write(struct device *device, uint64_t offset, const void *bytes, size_t byte_count,
                               uint64_t tag)
{
    struct sparse_device *sparse = (struct sparse_device *)device;
    return sparse->inner->submit_write(sparse->inner, offset, bytes, byte_count, tag);
}

static unsigned sparse_poll(struct device *device, struct device_completion *completions, unsigned max)
{
    struct sparse_device *sparse = (struct sparse_device *)device;
    return sparse->inner->poll(sparse->inner, completions, max);
}

static enum tape_verdict sparse_open(struct sparse_device *sparse)
{
    struct tape_options options = rig_options();
    arena_fini(&crash.rig.arena);
    sparse->read_count = 0;
    sparse->read_bytes = 0;
    return tape_open(&crash.rig.arena, &sparse->port, &options, NULL, NULL, &crash.rig.tape,
                     &crash.rig.report);
}

static void opening_a_large_tape_reads_little_of_it(void)
{
    uint64_t size_bytes = 64ull << 30;
    struct fake_device_options device = {tape_device_bytes(40u << 20), 512, false};
    memset(&crash, 0, sizeof(crash));
    crash.rig = (struct rig){.fake = fake_device_create(&device), .now_ns = 1000000000};
    crash.term = 1;
    arena_init(&crash.rig.arena);
    struct sparse_device sparse = {.inner = fake_device_port(crash.rig.fake)};
    sparse.port = *sparse.inner;
    sparse.port.read = sparse_read;
    sparse.port.write = sparse_write;
    sparse.port.submit_write = sparse_submit_write;
    sparse.port.poll = sparse_poll;
    sparse.port.size_bytes = tape_device_bytes(size_bytes);
    uint8_t bytes[SUPERBLOCK_BYTES];
    struct superblock superblock = {.version = TAPE_VERSION,
                                    .cluster_id = 1,
                                    .node_id = 2,
                                    .incarnation = 3,
                                    .size_bytes = size_bytes,
                                    .chunk_bytes = RIG_CHUNK_BYTES,
                                    .block_bytes = 512,
                                    .sync = TAPE_SYNC_FDATASYNC,
                                    .log_name = "main"};
    superblock_encode(&superblock, bytes);
    memcpy(fake_device_bytes(crash.rig.fake), bytes, sizeof(bytes));
    CHECK_EQUAL(sparse_open(&sparse), TAPE_OPEN);
    CHECK(sparse.read_count < 120);
    /* 2 MiB, a checkpoint, its naming by the next heads, and a little more */
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned n = 0; n < 2000; n++) {
            append_one(1000);
            rig_flush(&crash.rig);
        }
        CHECK_EQUAL(tape_checkpoint_begin(crash.rig.tape, 0, 0), 0);
        tape_checkpoint_end(crash.rig.tape);
        for (unsigned n = 0; n < 30; n++) {
            append_one(1000);
            rig_flush(&crash.rig);
        }
    }
    uint64_t chunk_count = crash.rig.tape->chunk_sequence;
    CHECK(chunk_count > 1000);
    CHECK_EQUAL(sparse_open(&sparse), TAPE_OPEN);
    printf("# %llu reads, %llu bytes of %llu chunks\n", (unsigned long long)sparse.read_count,
           (unsigned long long)sparse.read_bytes, (unsigned long long)chunk_count);
    CHECK(sparse.read_count < 120);
    CHECK(sparse.read_bytes < (1u << 20));
    CHECK_EQUAL(crash.rig.report.end_position, crash.positions[crash.last]);
    uint64_t index_bytes = crash.rig.tape->index.link_count_max * sizeof(struct index_link) +
                           crash.rig.tape->ring.chunk_count * sizeof(crash.rig.tape->chunk_ends[0]);
    CHECK(index_bytes <= size_bytes >> 10);
    rig_fini(&crash.rig);
}

static const struct test_case cases[] = {
    {"crashes while going round lose nothing that was durable",
     crashes_while_going_round_lose_nothing_durable},
    {"a crash leaves two checkpoints to begin with", a_crash_leaves_two_checkpoints_to_begin_with},
    {"a damaged checkpoint is found out from the one before",
     a_damaged_checkpoint_is_found_out_from_the_one_before},
    {"the newest chunk is found beside damaged heads", the_newest_chunk_is_found_beside_damaged_heads},
    {"a scan begins with the oldest whole chunk", a_scan_begins_with_the_oldest_whole_chunk},
    {"opening a large tape reads little of it, and its index is small",
     opening_a_large_tape_reads_little_of_it},
};

TEST_MAIN(cases)
