/* SPDX-License-Identifier: Apache-2.0 */
#include "configuration.h"
#include "prng.h"
#include "test.h"

static const struct configuration sample = {
    .transitional = 1,
    .previous_count = 1,
    .voter_count = 2,
    .learner_count = 1,
    .previous = {1},
    .voters = {2, 0x0102030405060708u},
    .learners = {9},
};

static const uint8_t golden[40] = {
    1,    1,    2,    1,    0,    0,    0,    0,    /* flags, counts, zero */
    1,    0,    0,    0,    0,    0,    0,    0,    /* previous */
    2,    0,    0,    0,    0,    0,    0,    0,    /* voters */
    0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, /* voters */
    9,    0,    0,    0,    0,    0,    0,    0,    /* learners */
};

static void layout_is_golden(void)
{
    uint8_t bytes[CONFIGURATION_BYTES_MAX];
    struct configuration read;
    CHECK_EQUAL(configuration_encode(&sample, bytes), sizeof(golden));
    CHECK_BYTES(bytes, golden, sizeof(golden));
    CHECK(configuration_decode(golden, sizeof(golden), &read));
    CHECK(configuration_equal(&read, &sample));
}

static void draw_ids(struct prng *prng, uint64_t *ids, size_t count)
{
    uint64_t id = 0;
    for (size_t i = 0; i < count; i++) {
        id += 1 + prng_below(prng, 1ull << 60);
        ids[i] = id;
    }
}

static struct configuration draw_configuration(struct prng *prng)
{
    struct configuration drawn = {0};
    drawn.transitional = (uint8_t)prng_below(prng, 2);
    drawn.previous_count = (uint8_t)(drawn.transitional ? 1 + prng_below(prng, VOTERS_MAX) : 0);
    drawn.voter_count = (uint8_t)(1 + prng_below(prng, VOTERS_MAX));
    drawn.learner_count = (uint8_t)prng_below(prng, LEARNERS_MAX + 1);
    draw_ids(prng, drawn.previous, drawn.previous_count);
    draw_ids(prng, drawn.voters, drawn.voter_count);
    draw_ids(prng, drawn.learners, drawn.learner_count);
    return drawn;
}

static void round_trip(void)
{
    struct prng prng = {12};
    for (unsigned round = 0; round < 2000; round++) {
        uint8_t bytes[CONFIGURATION_BYTES_MAX];
        struct configuration drawn = draw_configuration(&prng);
        struct configuration read;
        size_t byte_count = configuration_encode(&drawn, bytes);
        CHECK(byte_count <= CONFIGURATION_BYTES_MAX);
        CHECK_EQUAL(configuration_peek_bytes(bytes, byte_count), byte_count);
        CHECK(configuration_decode(bytes, byte_count, &read));
        CHECK(configuration_equal(&drawn, &read));
    }
}

static void every_other_length_is_refused(void)
{
    uint8_t bytes[sizeof(golden) + 8] = {0};
    struct configuration read = {0};
    memcpy(bytes, golden, sizeof(golden));
    for (size_t byte_count = 0; byte_count <= sizeof(bytes); byte_count++) {
        CHECK_EQUAL(configuration_decode(bytes, byte_count, &read), byte_count == sizeof(golden));
        CHECK_EQUAL(configuration_peek_bytes(bytes, byte_count),
                    byte_count < sizeof(golden) ? 0 : sizeof(golden));
    }
}

/* The golden bytes with one byte set to `value` are no configuration, and nothing is written for them. */
static void check_refused(size_t at, uint8_t value)
{
    uint8_t bytes[sizeof(golden)];
    struct configuration read = {0};
    static const struct configuration untouched;
    memcpy(bytes, golden, sizeof(golden));
    bytes[at] = value;
    CHECK(!configuration_decode(bytes, sizeof(bytes), &read));
    CHECK(configuration_equal(&read, &untouched));
}

static void illegal_bytes_are_refused(void)
{
    check_refused(0, 0); /* stable with a previous set */
    check_refused(0, 2); /* a flag of a later version */
    check_refused(1, 0); /* transitional without one */
    check_refused(1, 8); /* more than VOTERS_MAX */
    check_refused(2, 0); /* no voter */
    check_refused(2, 8);
    check_refused(3, 8); /* more than LEARNERS_MAX */
    check_refused(4, 1); /* not zero where zero is due */
    check_refused(7, 1);
    check_refused(8, 0); /* node id 0 */
    check_refused(32, 0);
}

static void a_doubled_voter_is_refused(void)
{
    uint8_t bytes[sizeof(golden)];
    struct configuration read;
    memcpy(bytes, golden, sizeof(golden));
    memcpy(bytes + 24, bytes + 16, 8);
    CHECK(!configuration_decode(bytes, sizeof(bytes), &read));
}

/* Whether bytes of these counts, with ids enough and all different, are a configuration. */
static bool counts_are_legal(uint8_t previous, uint8_t voters, uint8_t learners)
{
    uint8_t bytes[CONFIGURATION_BYTES_MAX + 24] = {previous > 0, previous, voters, learners};
    struct configuration read;
    size_t id_count = (size_t)previous + voters + learners;
    for (size_t i = 0; i < id_count; i++) {
        bytes[CONFIGURATION_HEAD_BYTES + 8 * i] = (uint8_t)(i + 1);
    }
    return configuration_decode(bytes, CONFIGURATION_HEAD_BYTES + 8 * id_count, &read);
}

static void counts_above_the_maximum_are_refused(void)
{
    CHECK(counts_are_legal(VOTERS_MAX, VOTERS_MAX, LEARNERS_MAX));
    CHECK(!counts_are_legal(VOTERS_MAX + 1, 1, 0));
    CHECK(!counts_are_legal(0, VOTERS_MAX + 1, 0));
    CHECK(!counts_are_legal(0, 1, LEARNERS_MAX + 1));
    CHECK(!counts_are_legal(0, 0, 1));
}

static void stable_sets(void)
{
    static const uint64_t voters[] = {3, 1, 2, 4, 5, 6, 7, 8};
    static const uint64_t doubled[] = {3, 1, 3};
    static const uint64_t with_zero[] = {3, 0, 1};
    struct configuration made;
    memset(&made, 0xEE, sizeof(made));
    struct configuration before = made;
    CHECK(!configuration_init_stable(&made, voters, 0));
    CHECK(!configuration_init_stable(&made, voters, VOTERS_MAX + 1));
    CHECK(!configuration_init_stable(&made, doubled, 3));
    CHECK(!configuration_init_stable(&made, with_zero, 3));
    CHECK(configuration_equal(&made, &before));
    CHECK(configuration_init_stable(&made, voters, VOTERS_MAX));
    CHECK_EQUAL(made.voter_count, VOTERS_MAX);
    CHECK(configuration_init_stable(&made, voters, 3));
    CHECK_EQUAL(made.transitional, 0);
    CHECK_EQUAL(made.voters[3], 0);
    static const uint64_t turned[] = {2, 3, 1};
    struct configuration other;
    CHECK(configuration_init_stable(&other, turned, 3));
    CHECK(configuration_equal(&made, &other));
}

static void membership(void)
{
    CHECK(configuration_has_voter(&sample, 1));
    CHECK(configuration_has_voter(&sample, 2));
    CHECK(configuration_has_voter(&sample, 0x0102030405060708u));
    CHECK(!configuration_has_voter(&sample, 9));
    CHECK(!configuration_has_voter(&sample, 0));
    CHECK(configuration_has_learner(&sample, 9));
    CHECK(!configuration_has_learner(&sample, 1));
    CHECK(!configuration_has_learner(&sample, 0));
}

static const struct test_case cases[] = {
    {"an encoded configuration is the layout's bytes", layout_is_golden},
    {"2,000 random configurations are read back equal", round_trip},
    {"a configuration is refused at every length but its own", every_other_length_is_refused},
    {"illegal flags, counts, zeros and ids are refused and nothing is written", illegal_bytes_are_refused},
    {"an id twice in one set is refused", a_doubled_voter_is_refused},
    {"counts above the maximum are refused even when the length fits", counts_above_the_maximum_are_refused},
    {"a stable set is refused when empty, too large, with 0 or with an id twice", stable_sets},
    {"voters of both sets vote, learners do not", membership},
};

TEST_MAIN(cases)
