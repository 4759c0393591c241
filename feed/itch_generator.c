/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "check.h"
#include "itch_generator_internal.h"

#define SECOND_NS       1000000000u
#define SYSTEM_OPEN_NS  (4ull * 3600 * SECOND_NS)
#define MARKET_OPEN_NS  (34200ull * SECOND_NS)
#define MARKET_CLOSE_NS (57600ull * SECOND_NS)
#define DAY_NS          (86400ull * SECOND_NS)
#define SYSTEM_EVENTS   6
#define START_EVENTS    3
#define END_EVENTS      3

#define CLUSTER_MESSAGES_MAX 1024
/* Mean size of a cluster in thousandths: the sum of 1/k for k up to CLUSTER_MESSAGES_MAX. */
#define CLUSTER_MEAN_MILLI  7509
#define CLUSTER_STEP_MIN_NS 100
#define CLUSTER_STEP_MAX_NS 300
/* One L for so many messages, all of them at the start. */
#define POSITIONS_DIVISOR 1250

_Static_assert(ITCH_SYMBOLS_MAX <= ITCH_PLACES / 2, "popularity still shows");
_Static_assert(ITCH_SYMBOLS_MAX < UINT16_MAX, "a stock locate is 16 bits, from 1");

/* Exponential with the given mean: -log2 of a uniform number in 16.16 bits (the fraction by a parabola, 1 %
 * off at most), times ln 2. */
static uint64_t draw_exponential(struct itch_generator *generator, uint64_t mean)
{
    __extension__ typedef unsigned __int128 wide;
    uint64_t uniform = prng_next(&generator->prng) | 1;
    unsigned zeros = (unsigned)__builtin_clzll(uniform);
    uint64_t fraction = ((uniform << zeros) >> 47) & 0xFFFF;
    uint64_t bend = ((fraction * (65536 - fraction)) >> 16) * 22531 >> 16;
    uint64_t minus_log2 = ((uint64_t)(zeros + 1) << 16) - fraction - bend;
    return (uint64_t)(((wide)mean * minus_log2 * 45426) >> 32);
}

/* Pareto with exponent 1: P(size >= k) = 1/k, cut at CLUSTER_MESSAGES_MAX. */
static uint32_t draw_cluster(struct itch_generator *generator)
{
    uint64_t uniform = (prng_next(&generator->prng) >> 32) + 1;
    uint64_t size = (1ull << 32) / uniform;
    return size < CLUSTER_MESSAGES_MAX ? (uint32_t)size : CLUSTER_MESSAGES_MAX;
}

static void clock_advance(struct itch_generator *generator, uint64_t step_ns)
{
    generator->clock_ns += step_ns;
    if (generator->clock_ns >= DAY_NS) {
        generator->clock_ns = DAY_NS - 1;
    }
}

static void clock_step(struct itch_generator *generator)
{
    if (generator->cluster_left > 0) {
        generator->cluster_left--;
        clock_advance(generator, CLUSTER_STEP_MIN_NS +
                                     itch_draw(generator, CLUSTER_STEP_MAX_NS - CLUSTER_STEP_MIN_NS + 1));
        return;
    }
    generator->cluster_left = draw_cluster(generator) - 1;
    clock_advance(generator, 1 + draw_exponential(generator, generator->pause_mean_ns));
}

/* A fixed hour of the day; days with a rate of their own do not wait for it. */
static void clock_wait(struct itch_generator *generator, uint64_t hour_ns)
{
    if (generator->options.messages_per_second == 0 && generator->clock_ns < hour_ns) {
        generator->clock_ns = hour_ns;
    }
}

static size_t system_event_write(struct itch_generator *generator, uint8_t *message, char event)
{
    size_t bytes = itch_head_write(generator, message, 'S', 0);
    message[11] = (uint8_t)event;
    return bytes;
}

static size_t directory_write(struct itch_generator *generator, uint8_t *message, uint16_t symbol)
{
    size_t bytes = itch_symbol_head_write(generator, message, 'R', symbol);
    itch_stock_write(message + 11, symbol);
    message[19] = (uint8_t) "QGSNAP"[symbol % 6];
    message[20] = ' ';
    store_be32(message + 21, 100);
    memcpy(message + 25, "NCZ PN 1N", 9);
    store_be32(message + 34, 0);
    message[38] = 'N';
    return bytes;
}

static size_t short_sale_write(struct itch_generator *generator, uint8_t *message, uint16_t symbol)
{
    size_t bytes = itch_symbol_head_write(generator, message, 'Y', symbol);
    itch_stock_write(message + 11, symbol);
    message[19] = '0';
    return bytes;
}

static size_t position_write(struct itch_generator *generator, uint8_t *message)
{
    uint16_t symbol = (uint16_t)itch_draw(generator, generator->options.symbol_count);
    size_t bytes = itch_symbol_head_write(generator, message, 'L', symbol);
    memcpy(message + 11, "MM", 2);
    message[13] = (uint8_t)('A' + itch_draw(generator, 26));
    message[14] = (uint8_t)('A' + itch_draw(generator, 26));
    itch_stock_write(message + 15, symbol);
    memcpy(message + 23, "YNA", 3);
    return bytes;
}

/* S(O); R, H, Y of each symbol; L; S(S) and S(Q) right before the flow. */
static size_t start_write(struct itch_generator *generator, uint8_t *message, uint64_t number)
{
    clock_advance(generator, CLUSTER_STEP_MIN_NS);
    uint64_t symbol_messages = 3ull * generator->options.symbol_count;
    if (number == 0) {
        return system_event_write(generator, message, 'O');
    }
    if (number <= symbol_messages) {
        uint16_t symbol = (uint16_t)((number - 1) / 3);
        switch ((number - 1) % 3) {
        case 0:
            return directory_write(generator, message, symbol);
        case 1:
            return itch_trading_action_write(generator, message, symbol);
        default:
            return short_sale_write(generator, message, symbol);
        }
    }
    if (number < generator->flow_from - 2) {
        return position_write(generator, message);
    }
    bool market = number == generator->flow_from - 1;
    clock_wait(generator, market ? MARKET_OPEN_NS : SYSTEM_OPEN_NS);
    return system_event_write(generator, message, market ? 'Q' : 'S');
}

/* End of market hours, of system hours, of messages. */
static size_t end_write(struct itch_generator *generator, uint8_t *message, uint64_t number)
{
    uint64_t place = number - generator->flow_until;
    clock_advance(generator, CLUSTER_STEP_MIN_NS);
    clock_wait(generator, MARKET_CLOSE_NS + place * 14400ull * SECOND_NS / 2);
    return system_event_write(generator, message, "MEC"[place]);
}

size_t itch_generator_next(struct itch_generator *generator, uint8_t *message)
{
    uint64_t number = generator->emitted_count;
    if (number == generator->options.message_count) {
        return 0;
    }
    generator->emitted_count++;
    if (number < generator->flow_from) {
        return start_write(generator, message, number);
    }
    if (number >= generator->flow_until) {
        return end_write(generator, message, number);
    }
    clock_step(generator);
    return itch_flow_write(generator, message);
}

/* Zipf's law, exponent 1: one place for each symbol, the others shared out by 1/rank. */
static void places_fill(struct itch_generator *generator)
{
    uint32_t symbol_count = generator->options.symbol_count;
    uint64_t weights = 0;
    for (uint32_t symbol = 0; symbol < symbol_count; symbol++) {
        weights += (1ull << 32) / (symbol + 1);
    }
    uint32_t place = 0;
    for (uint32_t symbol = 0; symbol < symbol_count; symbol++) {
        uint64_t weight = (1ull << 32) / (symbol + 1);
        uint64_t until = place + 1 + (ITCH_PLACES - symbol_count) * weight / weights;
        while (place < until) {
            generator->places[place++] = (uint16_t)symbol;
        }
    }
    ASSERT(place <= ITCH_PLACES); /* the rest, lost to rounding, stays with symbol 0: arena memory is zero */
}

/* Ten to five hundred dollars. */
static void prices_fill(struct itch_generator *generator)
{
    for (uint32_t symbol = 0; symbol < generator->options.symbol_count; symbol++) {
        generator->prices[symbol] = ITCH_TICK * (uint32_t)(1000 + itch_draw(generator, 49000));
    }
}

static void clock_init(struct itch_generator *generator)
{
    uint64_t flow_count = generator->flow_until - generator->flow_from;
    uint32_t rate = generator->options.messages_per_second;
    uint64_t period_ns = rate != 0 ? SECOND_NS / rate : (MARKET_CLOSE_NS - MARKET_OPEN_NS) / (flow_count + 1);
    uint64_t cluster_period_ns = period_ns * CLUSTER_MEAN_MILLI / 1000;
    uint64_t cluster_ns =
        (CLUSTER_MEAN_MILLI - 1000) * (CLUSTER_STEP_MIN_NS + CLUSTER_STEP_MAX_NS) / 2 / 1000;
    generator->pause_mean_ns = cluster_period_ns > cluster_ns ? cluster_period_ns - cluster_ns : 0;
    generator->clock_ns = rate != 0 ? MARKET_OPEN_NS : SYSTEM_OPEN_NS - 3600ull * SECOND_NS;
}

static bool options_fit(const struct itch_generator_options *options)
{
    return options->symbol_count <= ITCH_SYMBOLS_MAX &&
           options->message_count >= SYSTEM_EVENTS + 1 + 3ull * options->symbol_count;
}

static uint32_t symbol_count_default(uint64_t message_count)
{
    uint64_t count = message_count / 1024;
    if (count == 0) {
        return 1;
    }
    return count < ITCH_SYMBOLS_MAX ? (uint32_t)count : ITCH_SYMBOLS_MAX;
}

bool itch_generator_init(struct itch_generator *generator, const struct itch_generator_options *options,
                         struct arena *arena)
{
    struct itch_generator_options chosen = *options;
    if (chosen.symbol_count == 0) {
        chosen.symbol_count = symbol_count_default(chosen.message_count);
    }
    if (!options_fit(&chosen)) {
        return false;
    }
    uint64_t room = chosen.message_count - SYSTEM_EVENTS - 3ull * chosen.symbol_count;
    uint64_t positions = chosen.message_count / POSITIONS_DIVISOR + 1;
    positions = positions < room ? positions : room;
    *generator = (struct itch_generator){
        .prng = {chosen.seed},
        .options = chosen,
        .flow_from = START_EVENTS + 3ull * chosen.symbol_count + positions,
        .flow_until = chosen.message_count - END_EVENTS,
        .next_reference = 1,
        .next_match = 1,
        .orders = ARENA_ARRAY(arena, struct itch_order, ITCH_ORDERS_MAX),
        .places = ARENA_ARRAY(arena, uint16_t, ITCH_PLACES),
        .prices = ARENA_ARRAY(arena, uint32_t, ITCH_SYMBOLS_MAX),
    };
    places_fill(generator);
    prices_fill(generator);
    clock_init(generator);
    return true;
}
