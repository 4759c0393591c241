/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors against a twin that keeps the whole log of every quorum in an array. */
#include <errno.h>

#include "tape_internal.h"
#include "tape_rig.h"
#include "test.h"

#define QUORUM_COUNT 3
#define INDEX_MAX    1024

/* The valid entry at each index is known by its term; 0: none. */
struct twin {
    uint64_t terms[QUORUM_COUNT][INDEX_MAX];
    uint64_t last[QUORUM_COUNT];
    uint64_t next_term;
};

static void twin_truncate(struct twin *twin, unsigned quorum, uint64_t index)
{
    for (uint64_t i = index; i < INDEX_MAX; i++) {
        twin->terms[quorum][i] = 0;
    }
    if (index <= twin->last[quorum]) {
        twin->last[quorum] = index - 1;
    }
}

/* What is true of an entry once the tape has taken it. */
static void append_both(struct rig *rig, struct twin *twin, unsigned quorum, uint64_t index,
                        size_t payload_bytes)
{
    if (index < INDEX_MAX && rig_append(rig, quorum + 1, index, twin->next_term, payload_bytes) == 0) {
        twin_truncate(twin, quorum, index);
        twin->terms[quorum][index] = twin->next_term;
        twin->last[quorum] = index;
    }
}

static void truncate_both(struct rig *rig, struct twin *twin, unsigned quorum, uint64_t index)
{
    if (rig_append_type(rig, RECORD_TRUNCATE, quorum + 1, index, twin->next_term, 0, false) == 0) {
        twin_truncate(twin, quorum, index);
    }
}

static void append_randomly(struct rig *rig, struct twin *twin, struct prng *prng)
{
    unsigned quorum = (unsigned)prng_below(prng, QUORUM_COUNT);
    uint64_t last = twin->last[quorum];
    uint64_t chance = prng_below(prng, 40);
    size_t payload_bytes = (size_t)prng_below(prng, 1500);
    if (chance == 0 && last > 0) {
        twin->next_term++;
        truncate_both(rig, twin, quorum, 1 + prng_below(prng, last + 2));
    } else if (chance == 1 && last > 0) {
        twin->next_term++;
        append_both(rig, twin, quorum, 1 + prng_below(prng, last),
                    payload_bytes); /* replaces without a word */
    } else if (chance == 2) {
        append_both(rig, twin, quorum, last + 2 + prng_below(prng, 5),
                    payload_bytes); /* as behind a boundary */
    } else {
        append_both(rig, twin, quorum, last + 1, payload_bytes);
    }
    if (prng_below(prng, 4) == 0) {
        rig_flush(rig);
    }
}

static void read_check(struct rig *rig, const struct twin *twin, struct tape_cursor *cursor, unsigned quorum,
                       uint64_t index, bool with_term)
{
    const uint8_t *record = NULL;
    struct record_head head;
    uint64_t term = twin->terms[quorum][index];
    enum tape_read result = rig_read(rig, cursor, index, with_term ? term : 0, &record, &head);
    CHECK_EQUAL(result, term ? TAPE_READ_RECORD : TAPE_READ_END);
    if (term) {
        CHECK(rig_record_is(record, quorum + 1, index, term));
    }
}

static void read_randomly(struct rig *rig, const struct twin *twin, struct tape_cursor *cursors,
                          struct prng *prng)
{
    unsigned quorum = (unsigned)prng_below(prng, QUORUM_COUNT);
    struct tape_cursor *cursor = &cursors[quorum * 2 + prng_below(prng, 2)];
    uint64_t index = 1 + prng_below(prng, twin->last[quorum] + 3);
    uint64_t run = prng_below(prng, 4) == 0 ? prng_below(prng, 60) : 1;
    bool with_term = prng_below(prng, 2) == 0;
    if (prng_below(prng, 8) == 0) {
        tape_cursor_release(rig->tape, cursor);
    }
    for (uint64_t i = index; i < index + run && i < INDEX_MAX; i++) {
        read_check(rig, twin, cursor, quorum, i, with_term);
    }
}

static void live_beside_a_twin(uint64_t seed, uint32_t link_count_max)
{
    static struct twin twin;
    struct tape_cursor cursors[2 * QUORUM_COUNT];
    struct prng prng = {seed};
    struct rig rig;
    twin = (struct twin){.next_term = 1};
    rig_format(&rig, false, TAPE_SYNC_FDATASYNC);
    for (unsigned life = 0; life < 3; life++) {
        CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
        if (link_count_max && life == 0) {
            rig.tape->index.link_count_max = link_count_max;
        }
        for (unsigned i = 0; i < 2 * QUORUM_COUNT; i++) {
            tape_cursor_init(&cursors[i], i / 2 + 1);
        }
        for (unsigned i = 0; i < 60; i++) {
            append_randomly(&rig, &twin, &prng);
            read_randomly(&rig, &twin, cursors, &prng);
        }
        rig_flush(&rig);
    }
    rig_fini(&rig);
}

static void cursors_agree_with_the_twin(void)
{
    for (uint64_t seed = 1; seed <= 150; seed++) {
        live_beside_a_twin(seed, 0);
    }
}

static void cursors_agree_when_links_are_scarce(void)
{
    for (uint64_t seed = 1; seed <= 150; seed++) {
        live_beside_a_twin(seed, QUORUM_COUNT + (uint32_t)(seed % 8));
    }
}

static void quorums_beyond_the_table_are_still_found(void)
{
    struct rig rig;
    struct tape_cursor cursor;
    const uint8_t *record = NULL;
    struct record_head head;
    rig_format(&rig, false, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    for (uint64_t quorum = 1; quorum <= TAPE_INDEX_QUORUMS_MAX + 20; quorum++) {
        CHECK_EQUAL(rig_append(&rig, quorum, 1, 1, 0), 0);
        if (quorum % 50 == 0) {
            rig_flush(&rig);
        }
    }
    for (uint64_t index = 2; index <= 6; index++) {
        CHECK_EQUAL(rig_append(&rig, TAPE_INDEX_QUORUMS_MAX + 7, index % 3 + 1, index, 16), 0);
    }
    rig_flush(&rig);
    tape_cursor_init(&cursor, TAPE_INDEX_QUORUMS_MAX + 19);
    CHECK_EQUAL(rig_read(&rig, &cursor, 1, 0, &record, &head), TAPE_READ_RECORD);
    CHECK(rig_record_is(record, TAPE_INDEX_QUORUMS_MAX + 19, 1, 1));
    CHECK_EQUAL(rig_read(&rig, &cursor, 2, 0, &record, &head), TAPE_READ_END);
    tape_cursor_init(&cursor, TAPE_INDEX_QUORUMS_MAX + 7);
    CHECK_EQUAL(rig_read(&rig, &cursor, 1, 0, &record, &head), TAPE_READ_RECORD);
    CHECK(rig_record_is(record, TAPE_INDEX_QUORUMS_MAX + 7, 1, 6));
    CHECK_EQUAL(rig_read(&rig, &cursor, 2, 0, &record, &head),
                TAPE_READ_END); /* entry 1 of term 6 replaced it */
    tape_cursor_init(&cursor, TAPE_INDEX_QUORUMS_MAX + 21);
    CHECK_EQUAL(rig_read(&rig, &cursor, 1, 0, &record, &head), TAPE_READ_END);
    rig_fini(&rig);
}

/* ---- the reader ---- */

static void long_tape(struct rig *rig, uint64_t count)
{
    rig_format(rig, false, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(rig, NULL, NULL), TAPE_OPEN);
    for (uint64_t index = 1; index <= count; index++) {
        CHECK_EQUAL(rig_append(rig, RIG_QUORUM, index, 1, 900), 0);
        rig_flush(rig);
    }
}

static void what_left_memory_waits_for_the_reader(void)
{
    struct rig rig;
    struct tape_cursor cursor;
    struct tape_cursor other;
    const uint8_t *record = NULL;
    struct record_head head;
    long_tape(&rig, 80);
    struct tape_reader *reader = tape_reader_of(rig.tape);
    tape_cursor_init(&cursor, RIG_QUORUM);
    tape_cursor_init(&other, RIG_QUORUM);
    CHECK_EQUAL(tape_read(rig.tape, &cursor, 3, 0, &record, &head), TAPE_READ_WAIT);
    CHECK_EQUAL(tape_read(rig.tape, &cursor, 3, 0, &record, &head), TAPE_READ_WAIT);
    CHECK_EQUAL(tape_read(rig.tape, &other, 4, 0, &record, &head), TAPE_READ_WAIT);
    CHECK_EQUAL(tape_reader_poll(reader, fake_device_port(rig.fake), 8), 1); /* one chunk for both */
    CHECK_EQUAL(tape_read(rig.tape, &cursor, 3, 0, &record, &head), TAPE_READ_WAIT);
    CHECK_EQUAL(tape_poll(rig.tape, rig.now_ns), 1);
    CHECK_EQUAL(tape_read(rig.tape, &cursor, 3, 0, &record, &head), TAPE_READ_RECORD);
    CHECK(rig_record_is(record, RIG_QUORUM, 3, 1));
    CHECK_EQUAL(tape_read(rig.tape, &other, 4, 0, &record, &head), TAPE_READ_RECORD);
    CHECK_EQUAL(tape_read(rig.tape, &other, 5, 0, &record, &head), TAPE_READ_RECORD);
    CHECK_EQUAL(tape_reader_poll(reader, fake_device_port(rig.fake), 8), 0);
    rig_fini(&rig);
}

static void more_cursors_than_chunks_all_get_on(void)
{
    struct rig rig;
    struct tape_cursor cursors[5];
    const uint8_t *record = NULL;
    struct record_head head;
    long_tape(&rig, 80);
    for (uint64_t i = 0; i < 5; i++) {
        tape_cursor_init(&cursors[i], RIG_QUORUM);
    }
    uint64_t next[5] = {1, 9, 18, 27, 1};
    uint64_t turns = 0;
    for (uint64_t done = 0; done < 5 * 40; turns++) {
        CHECK(turns < 10000);
        for (unsigned i = 0; i < 5; i++) {
            enum tape_read result = tape_read(rig.tape, &cursors[i], next[i], 0, &record, &head);
            CHECK(result == TAPE_READ_RECORD || result == TAPE_READ_WAIT);
            if (result == TAPE_READ_RECORD) {
                CHECK(rig_record_is(record, RIG_QUORUM, next[i], 1));
                next[i]++;
                done++;
            }
        }
        tape_reader_poll(tape_reader_of(rig.tape), fake_device_port(rig.fake), 8);
        tape_poll(rig.tape, rig.now_ns);
    }
    rig_fini(&rig);
}

static void bytes_that_fail_their_checksum_are_never_delivered(void)
{
    struct rig rig;
    struct tape_cursor cursor;
    const uint8_t *record = NULL;
    struct record_head head;
    long_tape(&rig, 80);
    tape_cursor_init(&cursor, RIG_QUORUM);
    fake_device_bytes(rig.fake)[TAPE_DATA_OFFSET + 9000] ^= 1;
    CHECK_EQUAL(rig_read(&rig, &cursor, 1, 0, &record, &head), TAPE_READ_FAILED);
    CHECK_EQUAL(rig_read(&rig, &cursor, 1, 0, &record, &head), TAPE_READ_FAILED);
    fake_device_bytes(rig.fake)[TAPE_DATA_OFFSET + 9000] ^= 1;
    CHECK_EQUAL(rig_read(&rig, &cursor, 1, 0, &record, &head), TAPE_READ_RECORD);
    tape_cursor_init(&cursor, RIG_QUORUM);
    fake_device_fail_from(rig.fake, 0, -EIO);
    CHECK_EQUAL(rig_read(&rig, &cursor, 15, 0, &record, &head), TAPE_READ_FAILED);
    CHECK_EQUAL(tape_error(rig.tape), 0); /* a failed read stops no log */
    rig_fini(&rig);
}

static void a_cursor_follows_a_block_that_is_still_open(void)
{
    struct rig rig;
    struct tape_cursor cursor;
    const uint8_t *record = NULL;
    struct record_head head;
    rig_format(&rig, true, TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(rig_open(&rig, NULL, NULL), TAPE_OPEN);
    tape_cursor_init(&cursor, RIG_QUORUM);
    for (uint64_t index = 1; index <= 40; index++) {
        CHECK_EQUAL(rig_append(&rig, RIG_QUORUM, index, 1, 90), 0);
        CHECK_EQUAL(tape_read(rig.tape, &cursor, index, 1, &record, &head), TAPE_READ_RECORD);
        CHECK(rig_record_is(record, RIG_QUORUM, index, 1));
        if (index % 5 == 0) {
            tape_submit(rig.tape, 1); /* only the first starts: the others gather behind it */
        }
    }
    CHECK_EQUAL(tape_durable_position(rig.tape), 0);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"cursors agree with a twin over truncations, replacements and gaps", cursors_agree_with_the_twin},
    {"cursors agree with it when the index had to be coarsened", cursors_agree_when_links_are_scarce},
    {"quorums beyond the table are still found", quorums_beyond_the_table_are_still_found},
    {"what left memory waits for the reader, once for all who want it",
     what_left_memory_waits_for_the_reader},
    {"more cursors than reader chunks all get on", more_cursors_than_chunks_all_get_on},
    {"bytes that fail their checksum are never delivered",
     bytes_that_fail_their_checksum_are_never_delivered},
    {"a cursor follows a block that is still open", a_cursor_follows_a_block_that_is_still_open},
};

TEST_MAIN(cases)
