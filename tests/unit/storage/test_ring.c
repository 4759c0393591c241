/* SPDX-License-Identifier: Apache-2.0 */
/* Going round: a tape of few chunks beside a twin that knows where every entry stands. */
#include <errno.h>

#include "tape_internal.h"
#include "tape_rig.h"
#include "test.h"

#define QUORUM_COUNT 3
#define INDEX_MAX    20000

struct entry {
    uint64_t term; /* 0: none */
    uint64_t chunk;
};

struct ring {
    struct rig rig;
    uint64_t chunk_count;
    struct entry entries[QUORUM_COUNT][INDEX_MAX];
    uint64_t last[QUORUM_COUNT];
    uint64_t next_term;
    uint64_t keep_index; /* of quorum 0: entries from there on are not committed; 0: all are */
    uint64_t refused;
    uint64_t checkpoints;
    unsigned parts_left; /* of a checkpoint under way */
    bool under_way;
    uint32_t link_count_max; /* of the index; 0: as many as it has */
};

static struct ring ring;

static void ring_format(uint64_t chunk_count, bool manual)
{
    memset(&ring, 0, sizeof(ring));
    rig_format_chunks(&ring.rig, chunk_count, manual, TAPE_SYNC_FDATASYNC);
    ring.chunk_count = chunk_count;
    ring.next_term = 1;
    CHECK_EQUAL(rig_open(&ring.rig, NULL, NULL), TAPE_OPEN);
}

static uint64_t chunk_now(void)
{
    return (tape_append_position(ring.rig.tape) - 1) / RIG_CHUNK_BYTES;
}

static uint64_t tail_chunk(void)
{
    return ring.rig.tape->chunk_sequence;
}

static void twin_truncate(unsigned quorum, uint64_t index)
{
    for (uint64_t i = index; i <= ring.last[quorum]; i++) {
        ring.entries[quorum][i].term = 0;
    }
    ring.last[quorum] = index <= ring.last[quorum] ? index - 1 : ring.last[quorum];
}

static bool entry_append(unsigned quorum, uint64_t index, size_t payload_bytes)
{
    if (index >= INDEX_MAX || rig_append(&ring.rig, quorum + 1, index, ring.next_term, payload_bytes) != 0) {
        ring.refused++;
        return false;
    }
    twin_truncate(quorum, index);
    ring.entries[quorum][index] = (struct entry){ring.next_term, chunk_now()};
    ring.last[quorum] = index;
    return true;
}

/* What room promises for several entries, reserve keeps. */
static void entries_append(struct prng *prng, unsigned quorum, size_t payload_max)
{
    size_t sizes[5];
    size_t record_bytes = 0;
    uint32_t count = 1 + (uint32_t)prng_below(prng, 5);
    for (uint32_t i = 0; i < count; i++) {
        sizes[i] = (size_t)prng_below(prng, payload_max);
        record_bytes += record_padded_bytes(RECORD_HEAD_BYTES + sizes[i]);
    }
    if (ring.last[quorum] + count < INDEX_MAX && tape_room(ring.rig.tape, record_bytes, count, false) == 0) {
        for (uint32_t i = 0; i < count; i++) {
            CHECK(entry_append(quorum, ring.last[quorum] + 1, sizes[i]));
        }
    }
}

static void truncate(unsigned quorum, uint64_t index)
{
    if (rig_append_type(&ring.rig, RECORD_TRUNCATE, quorum + 1, index, ring.next_term, 0, true) == 0) {
        twin_truncate(quorum, index);
    }
}

/* One step of making a checkpoint: its marker, one quorum, or its end. */
static void checkpoint_step(void)
{
    struct tape *tape = ring.rig.tape;
    if (!ring.under_way) {
        uint64_t keep = ring.keep_index ? tape_entry_position(tape, 1, ring.keep_index) : 0;
        if (!tape_checkpoint_is_due(tape) || tape_checkpoint_begin(tape, QUORUM_COUNT, keep) != 0) {
            return;
        }
        ring.under_way = true;
        ring.parts_left = QUORUM_COUNT;
        return;
    }
    if (ring.parts_left > 0) {
        unsigned quorum = ring.parts_left;
        if (rig_append_type(&ring.rig, RECORD_CHECKPOINT, quorum, 0, 1, 100, true) == 0) {
            ring.parts_left--;
        }
        return;
    }
    tape_checkpoint_end(tape);
    ring.under_way = false;
    ring.checkpoints++;
}

static enum tape_read read_one(struct tape_cursor *cursor, unsigned quorum, uint64_t index, bool with_term)
{
    const uint8_t *record = NULL;
    struct record_head head;
    const struct entry *entry = &ring.entries[quorum][index];
    enum tape_read result = rig_read(&ring.rig, cursor, index, with_term ? entry->term : 0, &record, &head);
    if (entry->term == 0) {
        CHECK(result == TAPE_READ_END || result == TAPE_READ_GONE);
    } else if (entry->chunk + ring.chunk_count <= tail_chunk()) {
        CHECK_EQUAL(result, TAPE_READ_GONE);
    } else {
        CHECK_EQUAL(result, TAPE_READ_RECORD);
        CHECK(result == TAPE_READ_RECORD && rig_record_is(record, quorum + 1, index, entry->term));
    }
    return result;
}

static void read_all(void)
{
    for (unsigned quorum = 0; quorum < QUORUM_COUNT; quorum++) {
        struct tape_cursor cursor;
        tape_cursor_init(&cursor, quorum + 1);
        uint64_t from = ring.last[quorum] > 900 ? ring.last[quorum] - 900 : 1;
        for (uint64_t index = from; index <= ring.last[quorum]; index++) {
            read_one(&cursor, quorum, index, index % 2 == 0);
        }
        /* when nothing is left of the quorum, the tape cannot know where it ended */
        bool is_known = tape_index_find(&ring.rig.tape->index, quorum + 1) != NULL;
        CHECK_EQUAL(read_one(&cursor, quorum, ring.last[quorum] + 1, false),
                    is_known ? TAPE_READ_END : TAPE_READ_GONE);
        tape_cursor_release(ring.rig.tape, &cursor);
    }
}

static void step_randomly(struct prng *prng, struct tape_cursor *cursors, size_t payload_max)
{
    unsigned quorum = (unsigned)prng_below(prng, QUORUM_COUNT);
    uint64_t last = ring.last[quorum];
    uint64_t chance = prng_below(prng, 60);
    size_t payload_bytes = (size_t)prng_below(prng, payload_max);
    checkpoint_step();
    if (chance == 0 && last > 0) {
        ring.next_term++;
        truncate(quorum, last - prng_below(prng, last < 30 ? last : 30));
    } else if (chance == 1 && last > 0) {
        ring.next_term++;
        entry_append(quorum, last - prng_below(prng, last < 30 ? last : 30), payload_bytes);
    } else if (chance < 10) {
        entries_append(prng, quorum, 5 * payload_max);
    } else {
        entry_append(quorum, last + 1, payload_bytes);
    }
    if (prng_below(prng, 3) == 0) {
        rig_flush(&ring.rig);
        tape_poll(ring.rig.tape, ring.rig.now_ns);
    }
    quorum = (unsigned)prng_below(prng, QUORUM_COUNT);
    if (ring.last[quorum] > 0) {
        uint64_t back = prng_below(prng, ring.last[quorum] < 300 ? ring.last[quorum] : 300);
        read_one(&cursors[quorum], quorum, ring.last[quorum] - back, prng_below(prng, 2) == 0);
    }
}

static void reopen(struct tape_cursor *cursors)
{
    rig_flush(&ring.rig);
    while (tape_is_writing(ring.rig.tape)) {
        tape_poll(ring.rig.tape, ring.rig.now_ns);
    }
    ring.under_way = false;
    CHECK_EQUAL(rig_open(&ring.rig, NULL, NULL), TAPE_OPEN);
    if (ring.link_count_max && ring.rig.tape->index.link_count <= ring.link_count_max) {
        ring.rig.tape->index.link_count_max = ring.link_count_max;
    }
    for (unsigned i = 0; i < QUORUM_COUNT; i++) {
        tape_cursor_init(&cursors[i], i + 1);
    }
}

static void go_round(uint64_t chunk_count, uint64_t seed, size_t payload_max, uint32_t link_count_max)
{
    struct prng prng = {seed};
    struct tape_cursor cursors[QUORUM_COUNT];
    ring_format(chunk_count, false);
    ring.link_count_max = link_count_max;
    for (unsigned i = 0; i < QUORUM_COUNT; i++) {
        tape_cursor_init(&cursors[i], i + 1);
    }
    for (unsigned life = 0; life < 8; life++) {
        for (unsigned i = 0; i < 700; i++) {
            step_randomly(&prng, cursors, payload_max);
        }
        read_all();
        reopen(cursors);
        if (life % 2 == 0) {
            read_all();
        }
    }
    printf("# %llu chunks: chunk %llu, %llu checkpoints, %llu refused\n", (unsigned long long)chunk_count,
           (unsigned long long)tail_chunk(), (unsigned long long)ring.checkpoints,
           (unsigned long long)ring.refused);
    CHECK(tail_chunk() > 4 * chunk_count);
    rig_fini(&ring.rig);
}

static void small_tapes_go_round_for_ever(void)
{
    static const uint64_t chunk_counts[] = {4, 5, 8, 16};
    for (unsigned i = 0; i < 4; i++) {
        for (uint64_t seed = 1; seed <= 3; seed++) {
            go_round(chunk_counts[i], seed, 800, 0);
        }
    }
}

static void a_coarse_index_goes_round_too(void)
{
    for (uint32_t seed = 1; seed <= 6; seed++) {
        go_round(16, seed, 800, QUORUM_COUNT + seed);
    }
}

/* What is not committed holds the ring: appends are refused, and taken again when it is. */
static void what_is_not_committed_holds_the_ring(void)
{
    static const uint64_t chunk_counts[] = {4, 5, 8, 16};
    for (unsigned i = 0; i < 4; i++) {
        ring_format(chunk_counts[i], false);
        for (unsigned round = 0; round < 6; round++) {
            unsigned refused_in_a_row = 0;
            ring.keep_index = ring.last[0] + 1;
            while (refused_in_a_row < 50) {
                checkpoint_step();
                refused_in_a_row = entry_append(0, ring.last[0] + 1, 300) ? 0 : refused_in_a_row + 1;
                rig_flush(&ring.rig);
                tape_poll(ring.rig.tape, ring.rig.now_ns);
            }
            struct tape_cursor cursor;
            tape_cursor_init(&cursor, 1);
            CHECK_EQUAL(read_one(&cursor, 0, ring.keep_index, false), TAPE_READ_RECORD);
            ring.keep_index = 0;
            unsigned taken = 0;
            for (unsigned turn = 0; turn < 200; turn++) {
                checkpoint_step();
                taken += entry_append(0, ring.last[0] + 1, 300);
                rig_flush(&ring.rig);
                tape_poll(ring.rig.tape, ring.rig.now_ns);
            }
            CHECK(taken > 50);
        }
        rig_fini(&ring.rig);
    }
}

static void append_until(uint64_t chunk)
{
    for (unsigned turn = 0; turn < 5000 && tail_chunk() < chunk; turn++) {
        checkpoint_step();
        entry_append(0, ring.last[0] + 1, 300);
        rig_flush(&ring.rig);
        tape_poll(ring.rig.tape, ring.rig.now_ns);
    }
    CHECK(tail_chunk() >= chunk);
}

/* The reader is asked for a chunk and comes to it when it was written over, or has it when that happens. */
static void a_chunk_written_over_while_it_is_read_is_gone(void)
{
    struct tape_cursor late;
    struct tape_cursor early;
    const uint8_t *record = NULL;
    struct record_head head;
    ring_format(8, false);
    append_until(20);
    uint64_t index = ring.last[0];
    while (ring.entries[0][index].chunk > 14) {
        index--;
    }
    tape_cursor_init(&late, 1);
    tape_cursor_init(&early, 1);
    CHECK_EQUAL(rig_read(&ring.rig, &early, index - 3, 0, &record, &head), TAPE_READ_RECORD);
    uint64_t other = index;
    while (ring.entries[0][other].chunk > 13) {
        other--;
    }
    CHECK_EQUAL(tape_read(ring.rig.tape, &late, other, 0, &record, &head), TAPE_READ_WAIT);
    append_until(23);
    CHECK_EQUAL(read_one(&early, 0, index - 2, false), TAPE_READ_GONE);
    CHECK_EQUAL(read_one(&late, 0, other, false), TAPE_READ_GONE);
    CHECK_EQUAL(read_one(&late, 0, other + 1, true), TAPE_READ_GONE);
    CHECK_EQUAL(read_one(&early, 0, ring.last[0], false), TAPE_READ_RECORD);
    CHECK_EQUAL(tape_error(ring.rig.tape), 0);
    rig_fini(&ring.rig);
}

static const struct test_case cases[] = {
    {"small tapes go round for ever, and every entry is there or gone", small_tapes_go_round_for_ever},
    {"so they do when the index had to be coarsened", a_coarse_index_goes_round_too},
    {"a chunk that is written over while it is read is gone", a_chunk_written_over_while_it_is_read_is_gone},
    {"what is not committed holds the ring, and lets go of it", what_is_not_committed_holds_the_ring},
};

TEST_MAIN(cases)
