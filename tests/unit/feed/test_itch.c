/* SPDX-License-Identifier: Apache-2.0 */
#include "crc32c.h"
#include "itch.h"
#include "itch_generator.h"
#include "test.h"

/* The CRC-32C of all messages of seed 1 and 100,000 messages. A change of it is a change of every benchmark.
 */
#define GOLDEN_HASH 2885508414u

static struct arena arena;
static struct itch_generator generator;
static uint8_t message[ITCH_MESSAGE_BYTES_MAX];

static void start(uint64_t seed, uint64_t message_count, uint32_t messages_per_second)
{
    struct itch_generator_options options = {
        .seed = seed, .message_count = message_count, .messages_per_second = messages_per_second};
    arena_fini(&arena);
    arena_init(&arena);
    CHECK(itch_generator_init(&generator, &options, &arena));
    arena_seal(&arena);
}

static void test_classify(void)
{
    static const uint8_t zeros[ITCH_MESSAGE_BYTES_MAX + 1];
    CHECK_EQUAL(itch_classify(zeros, 0), ITCH_EMPTY);
    unsigned type_count = 0;
    for (unsigned type = 0; type < 256; type++) {
        uint8_t bytes[ITCH_MESSAGE_BYTES_MAX + 1] = {(uint8_t)type};
        size_t length = itch_message_bytes((uint8_t)type);
        CHECK(length <= ITCH_MESSAGE_BYTES_MAX);
        for (size_t byte_count = 1; byte_count <= sizeof(bytes); byte_count++) {
            enum itch_verdict expected = length == 0            ? ITCH_UNKNOWN_TYPE
                                         : byte_count == length ? ITCH_GOOD
                                                                : ITCH_WRONG_LENGTH;
            CHECK_EQUAL(itch_classify(bytes, byte_count), expected);
        }
        type_count += length != 0;
        CHECK_EQUAL(strcmp(itch_type_name((uint8_t)type), "unknown") != 0, length != 0);
    }
    CHECK_EQUAL(type_count, 23);
}

static void test_lengths(void)
{
    static const char types[] = "SRHYLVWKJhAFECXDUPQBINO";
    static const uint8_t lengths[] = {12, 39, 25, 20, 26, 35, 12, 28, 35, 21, 36, 40,
                                      31, 36, 23, 19, 35, 44, 40, 19, 50, 20, 48};
    for (size_t i = 0; i < sizeof(lengths); i++) {
        CHECK_EQUAL(itch_message_bytes((uint8_t)types[i]), lengths[i]);
    }
}

static void test_timestamp(void)
{
    uint8_t bytes[ITCH_HEAD_BYTES] = {0};
    itch_timestamp_store(bytes, 0x0102030405060000 >> 16);
    CHECK_BYTES(bytes, "\0\0\0\0\0\1\2\3\4\5\6", ITCH_HEAD_BYTES);
    CHECK_EQUAL(itch_timestamp_ns(bytes), 0x010203040506);
}

static uint32_t day_hash(uint64_t seed, uint64_t message_count)
{
    uint32_t crc = 0;
    size_t bytes;
    start(seed, message_count, 0);
    while ((bytes = itch_generator_next(&generator, message)) > 0) {
        crc = crc32c(crc, message, bytes);
    }
    return crc;
}

static void test_deterministic(void)
{
    CHECK_EQUAL(day_hash(1, 100000), GOLDEN_HASH);
    CHECK_EQUAL(day_hash(1, 100000), GOLDEN_HASH);
    CHECK(day_hash(2, 100000) != GOLDEN_HASH);
}

/* The first message of a type in a day of two symbols and 200 messages. */
static void check_first(uint8_t type, const char *golden)
{
    struct itch_generator_options options = {.seed = 1, .message_count = 200, .symbol_count = 2};
    arena_fini(&arena);
    arena_init(&arena);
    CHECK(itch_generator_init(&generator, &options, &arena));
    size_t bytes;
    do {
        bytes = itch_generator_next(&generator, message);
        CHECK(bytes > 0);
    } while (message[0] != type);
    CHECK_BYTES(message, golden, bytes);
}

static void test_golden_messages(void)
{
    check_first('S', "S\0\0\0\0\x09\xd2\x92\x29\xe0\x64"
                     "O");
    check_first('R', "R\0\1\0\0\x09\xd2\x92\x29\xe0\xc8"
                     "AAAA    Q \0\0\0dNCZ PN 1N\0\0\0\0N");
    check_first('A', "A\0\1\0\0\x1f\x36\x35\xe6\x91\x06"
                     "\0\0\0\0\0\0\0\1S\0\0\0\xc8"
                     "AAAA    \0\x2b\xe3\x28");
    check_first('D', "D\0\1\0\0\x20\x51\xa3\xe0\x7c\x90"
                     "\0\0\0\0\0\0\0\3");
    check_first('U', "U\0\2\0\0\x20\x51\xa3\xe0\x80\xb2"
                     "\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\6\0\0\0\xc8\0\x39\x49\xa0");
    check_first('E', "E\0\2\0\0\x20\x51\xa3\xe0\x81\xda"
                     "\0\0\0\0\0\0\0\6\0\0\0\x0e\0\0\0\0\0\0\0\1");
}

static void test_count(void)
{
    static const uint64_t counts[] = {10, 11, 100, 5000, 65537};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        uint64_t emitted = 0;
        size_t bytes;
        start(5, counts[i], 0);
        while ((bytes = itch_generator_next(&generator, message)) > 0) {
            CHECK_EQUAL(itch_classify(message, bytes), ITCH_GOOD);
            emitted++;
        }
        CHECK_EQUAL(emitted, counts[i]);
        CHECK_EQUAL(itch_generator_next(&generator, message), 0);
    }
}

static void test_refused(void)
{
    struct itch_generator_options few = {.message_count = 9};
    struct itch_generator_options many_symbols = {.message_count = 1000, .symbol_count = 332};
    struct itch_generator_options too_many_symbols = {.message_count = 1u << 20,
                                                      .symbol_count = ITCH_SYMBOLS_MAX + 1};
    arena_fini(&arena);
    arena_init(&arena);
    CHECK(!itch_generator_init(&generator, &few, &arena));
    CHECK(!itch_generator_init(&generator, &many_symbols, &arena));
    CHECK(!itch_generator_init(&generator, &too_many_symbols, &arena));
    CHECK_EQUAL(arena.total_bytes, 0);
    many_symbols.symbol_count = 331;
    CHECK(itch_generator_init(&generator, &many_symbols, &arena));
}

static void test_frame_of_the_day(void)
{
    char types[12] = "";
    char first_types[8] = "";
    char last_events[4] = "";
    struct itch_generator_options options = {.seed = 1, .message_count = 3000, .symbol_count = 2};
    arena_fini(&arena);
    arena_init(&arena);
    CHECK(itch_generator_init(&generator, &options, &arena));
    for (unsigned i = 0; i < 3000; i++) {
        itch_generator_next(&generator, message);
        if (i < 7) {
            first_types[i] = (char)message[0];
        }
        if (i < 12) {
            types[i < 11 ? i : 10] = (char)message[0];
        }
        if (i >= 2997) {
            CHECK_EQUAL(message[0], 'S');
            last_events[i - 2997] = (char)message[11];
        }
    }
    CHECK_STRING(first_types, "SRHYRHY");
    CHECK_EQUAL(types[7], 'L');
    CHECK_STRING(last_events, "MEC");
}

/* Counts of each type in a day of a million. */
static uint64_t type_counts[256];

static void day_count(void)
{
    size_t bytes;
    memset(type_counts, 0, sizeof(type_counts));
    start(1, 1000000, 0);
    while ((bytes = itch_generator_next(&generator, message)) > 0) {
        type_counts[message[0]]++;
    }
}

static void test_mix(void)
{
    static const struct {
        char type;
        uint16_t share; /* of 10,000 */
        uint16_t tolerance;
    } mix[] = {{'A', 4359, 60}, {'D', 4255, 60}, {'U', 805, 20}, {'E', 213, 10},
               {'I', 150, 10},  {'X', 104, 10},  {'F', 55, 5},   {'P', 45, 5},
               {'L', 8, 1},     {'C', 4, 1},     {'Q', 1, 1}};
    day_count();
    for (size_t i = 0; i < sizeof(mix) / sizeof(mix[0]); i++) {
        int64_t share = (int64_t)(type_counts[(uint8_t)mix[i].type] / 100);
        CHECK(share >= mix[i].share - mix[i].tolerance);
        CHECK(share <= mix[i].share + mix[i].tolerance);
    }
    CHECK_EQUAL(type_counts['S'], 6);
}

static void test_mean_length(void)
{
    uint64_t byte_count = 0;
    day_count();
    for (unsigned type = 0; type < 256; type++) {
        byte_count += type_counts[type] * (2 + itch_message_bytes((uint8_t)type));
    }
    CHECK(byte_count > 29700000); /* 30.7 a message with its length, in the real day */
    CHECK(byte_count < 31700000);
}

/* The book as a reader of the feed would keep it, by order reference. */
#define BOOK_ORDERS 700000
static struct {
    uint32_t shares; /* 0: not live */
    uint16_t locate;
} book[BOOK_ORDERS];

static void book_add(uint64_t reference, uint32_t shares)
{
    CHECK(reference > 0);
    CHECK(reference < BOOK_ORDERS);
    CHECK_EQUAL(book[reference].shares, 0);
    CHECK(shares > 0);
    book[reference].shares = shares;
    book[reference].locate = load_be16(message + 1);
}

/* Takes shares from a live order; `leaves_some` for a cancel. */
static void book_take(uint64_t reference, uint32_t shares, bool leaves_some)
{
    CHECK(reference < BOOK_ORDERS);
    CHECK(shares > 0);
    CHECK(book[reference].shares >= shares);
    CHECK_EQUAL(book[reference].locate, load_be16(message + 1));
    book[reference].shares -= shares;
    CHECK(!leaves_some || book[reference].shares > 0);
}

static void book_apply(void)
{
    uint64_t reference = load_be64(message + 11);
    switch (message[0]) {
    case 'A':
    case 'F':
        CHECK(message[19] == 'B' || message[19] == 'S');
        CHECK(load_be32(message + 32) > 0);
        book_add(reference, load_be32(message + 20));
        break;
    case 'E':
    case 'C':
        book_take(reference, load_be32(message + 19), false);
        break;
    case 'X':
        book_take(reference, load_be32(message + 19), true);
        break;
    case 'D':
        CHECK(reference < BOOK_ORDERS);
        book_take(reference, book[reference].shares, false);
        break;
    case 'U':
        CHECK(reference < BOOK_ORDERS);
        book_take(reference, book[reference].shares, false);
        book_add(load_be64(message + 19), load_be32(message + 27));
        break;
    default:
        break;
    }
}

static void test_orders_are_consistent(void)
{
    memset(book, 0, sizeof(book));
    start(11, 1000000, 0);
    while (itch_generator_next(&generator, message) > 0) {
        book_apply();
    }
    uint32_t live = 0;
    for (size_t i = 0; i < BOOK_ORDERS; i++) {
        live += book[i].shares > 0;
    }
    CHECK_EQUAL(live, generator.order_count);
    CHECK(live > 1000);
}

static void test_orders_are_bounded(void)
{
    uint32_t most = 0;
    start(12, 12000000, 0);
    while (itch_generator_next(&generator, message) > 0) {
        most = most > generator.order_count ? most : generator.order_count;
    }
    CHECK(most > ITCH_ORDERS_MAX / 2);
    CHECK(most < ITCH_ORDERS_MAX);
}

static void test_symbols_follow_zipf(void)
{
    uint64_t adds[ITCH_SYMBOLS_MAX + 1] = {0};
    start(1, 1000000, 0);
    uint32_t symbol_count = generator.options.symbol_count;
    while (itch_generator_next(&generator, message) > 0) {
        uint16_t locate = load_be16(message + 1);
        CHECK(locate <= symbol_count);
        if (message[0] == 'A') {
            adds[locate]++;
            CHECK_EQUAL(message[24], 'A'); /* the names of the first 976 symbols begin with A */
        }
    }
    CHECK(adds[1] > adds[2] * 17 / 10);
    CHECK(adds[1] < adds[2] * 23 / 10);
    CHECK(adds[1] > adds[10] * 8);
    for (uint32_t locate = 1; locate <= symbol_count; locate++) {
        CHECK(adds[locate] > 0);
    }
}

static void test_clock(void)
{
    uint64_t last_ns = 0;
    uint64_t first_add_ns = 0;
    uint64_t close = 0;
    start(1, 200000, 0);
    while (itch_generator_next(&generator, message) > 0) {
        uint64_t now_ns = itch_timestamp_ns(message);
        CHECK(now_ns >= last_ns);
        last_ns = now_ns;
        first_add_ns = message[0] == 'A' && first_add_ns == 0 ? now_ns : first_add_ns;
        close = message[0] == 'S' && message[11] == 'M' ? now_ns : close;
    }
    CHECK(first_add_ns >= 34200ull * 1000000000);
    CHECK(close >= 57600ull * 1000000000);
    CHECK(close < 62000ull * 1000000000);
    CHECK(last_ns < 86400ull * 1000000000);
}

/* Steps inside a cluster are 100..300 ns, and the mean rate over the flow is the one asked for. */
static void test_arrivals(void)
{
    uint64_t short_steps = 0;
    start(1, 1000000, 100000);
    itch_generator_next(&generator, message);
    uint64_t first_ns = itch_timestamp_ns(message);
    uint64_t last_ns = first_ns;
    while (itch_generator_next(&generator, message) > 0) {
        uint64_t step_ns = itch_timestamp_ns(message) - last_ns;
        short_steps += step_ns >= 100 && step_ns <= 300;
        last_ns += step_ns;
    }
    uint64_t took_ns = last_ns - first_ns;
    CHECK(took_ns > 9000000000); /* 10 s */
    CHECK(took_ns < 11000000000);
    CHECK(short_steps > 840000); /* 1 - 1/7.5 of them */
    CHECK(short_steps < 890000);
}

static const struct test_case cases[] = {
    {"every type and length gets its verdict", test_classify},
    {"message lengths are those of ITCH 5.0", test_lengths},
    {"timestamps are 48 bits, big-endian", test_timestamp},
    {"one seed gives one day, byte for byte", test_deterministic},
    {"messages are their golden bytes, integers big-endian", test_golden_messages},
    {"a day has as many messages as asked for, all well-formed", test_count},
    {"a day that cannot be made is refused", test_refused},
    {"a day starts with S, R, H, Y, L and ends with S of M, E, C", test_frame_of_the_day},
    {"the mix is a real day's", test_mix},
    {"the mean length is a real day's", test_mean_length},
    {"D, X, E, U and C name live orders of the right symbol", test_orders_are_consistent},
    {"live orders fill half of the bound and never reach it", test_orders_are_bounded},
    {"symbols follow Zipf's law and each one trades", test_symbols_follow_zipf},
    {"timestamps never fall and stay within the day", test_clock},
    {"arrivals come in clusters at the mean rate asked for", test_arrivals},
};

TEST_MAIN(cases)
