/* SPDX-License-Identifier: Apache-2.0 */
#include "itch_generator.h"

#include <string.h>

#include "check.h"

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

/* Half of what leaves the book is among the youngest orders, as most orders live for milliseconds. */
#define YOUNG_ORDERS 256
#define TICK         100

_Static_assert(ITCH_SYMBOLS_MAX <= ITCH_PLACES / 2, "popularity still shows");
_Static_assert(ITCH_SYMBOLS_MAX < UINT16_MAX, "a stock locate is 16 bits, from 1");

/* The flow of a real day, in 1/10,000, most frequent first. The missing 8 are the L of the start. */
static const struct {
    uint8_t type;
    uint16_t weight;
} flow_mix[] = {{'A', 4359}, {'D', 4255}, {'U', 805}, {'E', 213}, {'I', 150}, {'X', 104},
                {'F', 55},   {'P', 45},   {'C', 4},   {'Q', 1},   {'H', 1}};
#define FLOW_WEIGHTS      9992
#define POSITIONS_DIVISOR 1250

/* ---- random quantities ---- */

static uint64_t draw(struct itch_generator *generator, uint64_t bound)
{
    return prng_below(&generator->prng, bound);
}

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

static uint16_t draw_symbol(struct itch_generator *generator)
{
    return generator->places[draw(generator, ITCH_PLACES)];
}

/* Mostly round lots. */
static uint32_t draw_shares(struct itch_generator *generator)
{
    uint64_t random = prng_next(&generator->prng);
    uint32_t lots = 1 + (uint32_t)__builtin_clzll(random | 1);
    return (random & 7) != 0 ? 100 * lots : 1 + (uint32_t)(random >> 3) % 99;
}

/* A few ticks on the side's side of the symbol's price, which itself takes a step now and then. */
static uint32_t draw_price(struct itch_generator *generator, uint16_t symbol, uint8_t side)
{
    uint64_t random = prng_next(&generator->prng);
    uint32_t *price = &generator->prices[symbol];
    if ((random & 63) == 0) {
        bool up = (random & 64) != 0 || *price < 200 * TICK;
        *price = up ? *price + TICK : *price - TICK;
    }
    uint32_t away = TICK * (uint32_t)(__builtin_ctzll(random >> 7 | 1ull << 40) + 1);
    return side == 'B' ? *price - away : *price + away;
}

static uint8_t draw_type(struct itch_generator *generator)
{
    uint64_t weight = draw(generator, FLOW_WEIGHTS);
    size_t i = 0;
    while (weight >= flow_mix[i].weight) {
        weight -= flow_mix[i].weight;
        i++;
    }
    return flow_mix[i].type;
}

/* ---- time ---- */

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
        clock_advance(generator,
                      CLUSTER_STEP_MIN_NS + draw(generator, CLUSTER_STEP_MAX_NS - CLUSTER_STEP_MIN_NS + 1));
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

/* ---- pieces of messages ---- */

static size_t head_write(struct itch_generator *generator, uint8_t *message, uint8_t type, uint16_t locate)
{
    message[0] = type;
    store_be16(message + 1, locate);
    store_be16(message + 3, 0);
    itch_timestamp_store(message, generator->clock_ns);
    return itch_message_bytes(type);
}

static size_t symbol_head_write(struct itch_generator *generator, uint8_t *message, uint8_t type,
                                uint16_t symbol)
{
    return head_write(generator, message, type, (uint16_t)(symbol + 1));
}

/* Four letters, padded to eight with spaces. */
static void stock_write(uint8_t *bytes, uint16_t symbol)
{
    unsigned rest = symbol;
    memset(bytes, ' ', 8);
    for (int i = 3; i >= 0; i--) {
        bytes[i] = (uint8_t)('A' + rest % 26);
        rest /= 26;
    }
}

static size_t system_event_write(struct itch_generator *generator, uint8_t *message, char event)
{
    size_t bytes = head_write(generator, message, 'S', 0);
    message[11] = (uint8_t)event;
    return bytes;
}

static size_t directory_write(struct itch_generator *generator, uint8_t *message, uint16_t symbol)
{
    size_t bytes = symbol_head_write(generator, message, 'R', symbol);
    stock_write(message + 11, symbol);
    message[19] = (uint8_t) "QGSNAP"[symbol % 6];
    message[20] = ' ';
    store_be32(message + 21, 100);
    memcpy(message + 25, "NCZ PN 1N", 9);
    store_be32(message + 34, 0);
    message[38] = 'N';
    return bytes;
}

static size_t trading_action_write(struct itch_generator *generator, uint8_t *message, uint16_t symbol)
{
    size_t bytes = symbol_head_write(generator, message, 'H', symbol);
    stock_write(message + 11, symbol);
    memcpy(message + 19, "T     ", 6);
    return bytes;
}

static size_t short_sale_write(struct itch_generator *generator, uint8_t *message, uint16_t symbol)
{
    size_t bytes = symbol_head_write(generator, message, 'Y', symbol);
    stock_write(message + 11, symbol);
    message[19] = '0';
    return bytes;
}

static size_t position_write(struct itch_generator *generator, uint8_t *message)
{
    uint16_t symbol = (uint16_t)draw(generator, generator->options.symbol_count);
    size_t bytes = symbol_head_write(generator, message, 'L', symbol);
    memcpy(message + 11, "MM", 2);
    message[13] = (uint8_t)('A' + draw(generator, 26));
    message[14] = (uint8_t)('A' + draw(generator, 26));
    stock_write(message + 15, symbol);
    memcpy(message + 23, "YNA", 3);
    return bytes;
}

/* ---- orders ---- */

static struct itch_order *order_pick(struct itch_generator *generator)
{
    uint32_t count = generator->order_count;
    uint64_t random = prng_next(&generator->prng);
    bool young = (random & 1) != 0 && count > YOUNG_ORDERS;
    uint32_t range = young ? YOUNG_ORDERS : count;
    uint32_t from_end = (uint32_t)(((random >> 32) * range) >> 32);
    return &generator->orders[count - 1 - from_end];
}

static void order_remove(struct itch_generator *generator, struct itch_order *order)
{
    ASSERT(generator->order_count > 0);
    generator->order_count--;
    *order = generator->orders[generator->order_count];
}

static size_t add_write(struct itch_generator *generator, uint8_t *message, uint8_t type)
{
    ASSERT(generator->order_count < ITCH_ORDERS_MAX);
    struct itch_order *order = &generator->orders[generator->order_count++];
    order->reference = generator->next_reference++;
    order->symbol = draw_symbol(generator);
    order->side = draw(generator, 2) == 0 ? 'B' : 'S';
    order->shares = draw_shares(generator);
    order->price = draw_price(generator, order->symbol, order->side);
    size_t bytes = symbol_head_write(generator, message, type, order->symbol);
    store_be64(message + 11, order->reference);
    message[19] = order->side;
    store_be32(message + 20, order->shares);
    stock_write(message + 24, order->symbol);
    store_be32(message + 32, order->price);
    if (type == 'F') {
        memcpy(message + 36, "MMFF", 4);
    }
    return bytes;
}

static size_t delete_write(struct itch_generator *generator, uint8_t *message)
{
    struct itch_order *order = order_pick(generator);
    size_t bytes = symbol_head_write(generator, message, 'D', order->symbol);
    store_be64(message + 11, order->reference);
    order_remove(generator, order);
    return bytes;
}

static size_t replace_write(struct itch_generator *generator, uint8_t *message)
{
    struct itch_order *order = order_pick(generator);
    size_t bytes = symbol_head_write(generator, message, 'U', order->symbol);
    store_be64(message + 11, order->reference);
    order->reference = generator->next_reference++;
    order->shares = draw_shares(generator);
    order->price = draw_price(generator, order->symbol, order->side);
    store_be64(message + 19, order->reference);
    store_be32(message + 27, order->shares);
    store_be32(message + 31, order->price);
    return bytes;
}

/* At least one share stays, else it would be a delete: an order of one share is deleted. */
static size_t cancel_write(struct itch_generator *generator, uint8_t *message)
{
    struct itch_order *order = order_pick(generator);
    bool whole = order->shares == 1;
    size_t bytes = symbol_head_write(generator, message, whole ? 'D' : 'X', order->symbol);
    store_be64(message + 11, order->reference);
    if (whole) {
        order_remove(generator, order);
        return bytes;
    }
    uint32_t cancelled = 1 + (uint32_t)draw(generator, order->shares - 1);
    store_be32(message + 19, cancelled);
    order->shares -= cancelled;
    return bytes;
}

/* A full execution removes the order. The mix adds 1.59 % more than it deletes and executes 2.17 %: executing
 * all above half of the bound, and every second one below, keeps the book near half of the bound. */
static size_t execute_write(struct itch_generator *generator, uint8_t *message, uint8_t type)
{
    struct itch_order *order = order_pick(generator);
    size_t bytes = symbol_head_write(generator, message, type, order->symbol);
    bool whole =
        generator->order_count > ITCH_ORDERS_MAX / 2 || order->shares == 1 || draw(generator, 2) == 0;
    uint32_t executed = whole ? order->shares : 1 + (uint32_t)draw(generator, order->shares - 1);
    store_be64(message + 11, order->reference);
    store_be32(message + 19, executed);
    store_be64(message + 23, generator->next_match++);
    if (type == 'C') {
        message[31] = 'Y';
        store_be32(message + 32, order->price);
    }
    order->shares -= executed;
    if (order->shares == 0) {
        order_remove(generator, order);
    }
    return bytes;
}

/* ---- the rest of the flow ---- */

static size_t trade_write(struct itch_generator *generator, uint8_t *message)
{
    uint16_t symbol = draw_symbol(generator);
    size_t bytes = symbol_head_write(generator, message, 'P', symbol);
    store_be64(message + 11, 0);
    message[19] = 'B';
    store_be32(message + 20, draw_shares(generator));
    stock_write(message + 24, symbol);
    store_be32(message + 32, generator->prices[symbol]);
    store_be64(message + 36, generator->next_match++);
    return bytes;
}

static size_t cross_write(struct itch_generator *generator, uint8_t *message)
{
    uint16_t symbol = draw_symbol(generator);
    size_t bytes = symbol_head_write(generator, message, 'Q', symbol);
    store_be64(message + 11, 100 * draw(generator, 10000));
    stock_write(message + 19, symbol);
    store_be32(message + 27, generator->prices[symbol]);
    store_be64(message + 31, generator->next_match++);
    message[39] = 'O';
    return bytes;
}

static size_t imbalance_write(struct itch_generator *generator, uint8_t *message)
{
    uint16_t symbol = draw_symbol(generator);
    uint32_t price = generator->prices[symbol];
    size_t bytes = symbol_head_write(generator, message, 'I', symbol);
    store_be64(message + 11, 100 * draw(generator, 1000));
    store_be64(message + 19, 100 * draw(generator, 1000));
    message[27] = (uint8_t) "BSN"[draw(generator, 3)];
    stock_write(message + 28, symbol);
    store_be32(message + 36, price + TICK);
    store_be32(message + 40, price - TICK);
    store_be32(message + 44, price);
    message[48] = 'C';
    message[49] = 'L';
    return bytes;
}

/* What needs a live order becomes an add while there is none, an add becomes a delete at the bound. */
static uint8_t type_fit_orders(const struct itch_generator *generator, uint8_t type)
{
    bool adds = type == 'A' || type == 'F';
    bool needs_order = type == 'D' || type == 'X' || type == 'U' || type == 'E' || type == 'C';
    if (needs_order && generator->order_count == 0) {
        return 'A';
    }
    return adds && generator->order_count == ITCH_ORDERS_MAX ? 'D' : type;
}

static size_t flow_write(struct itch_generator *generator, uint8_t *message)
{
    clock_step(generator);
    uint8_t type = type_fit_orders(generator, draw_type(generator));
    switch (type) {
    case 'D':
        return delete_write(generator, message);
    case 'U':
        return replace_write(generator, message);
    case 'E':
    case 'C':
        return execute_write(generator, message, type);
    case 'I':
        return imbalance_write(generator, message);
    case 'X':
        return cancel_write(generator, message);
    case 'P':
        return trade_write(generator, message);
    case 'Q':
        return cross_write(generator, message);
    case 'H':
        return trading_action_write(generator, message, draw_symbol(generator));
    default:
        return add_write(generator, message, type);
    }
}

/* ---- the day ---- */

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
            return trading_action_write(generator, message, symbol);
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
    return number < generator->flow_until ? flow_write(generator, message)
                                          : end_write(generator, message, number);
}

/* ---- start ---- */

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
        generator->prices[symbol] = TICK * (uint32_t)(1000 + draw(generator, 49000));
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
