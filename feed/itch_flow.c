/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "check.h"
#include "itch_generator_internal.h"

/* Half of what leaves the book is among the youngest orders, as most orders live for milliseconds. */
#define YOUNG_ORDERS 256

/* The flow of a real day, in 1/10,000, most frequent first. The missing 8 are the L of the start. */
static const struct {
    uint8_t type;
    uint16_t weight;
} flow_mix[] = {{'A', 4359}, {'D', 4255}, {'U', 805}, {'E', 213}, {'I', 150}, {'X', 104},
                {'F', 55},   {'P', 45},   {'C', 4},   {'Q', 1},   {'H', 1}};
#define FLOW_WEIGHTS 9992

static uint16_t draw_symbol(struct itch_generator *generator)
{
    return generator->places[itch_draw(generator, ITCH_PLACES)];
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
        bool up = (random & 64) != 0 || *price < 200 * ITCH_TICK;
        *price = up ? *price + ITCH_TICK : *price - ITCH_TICK;
    }
    uint32_t away = ITCH_TICK * (uint32_t)(__builtin_ctzll(random >> 7 | 1ull << 40) + 1);
    return side == 'B' ? *price - away : *price + away;
}

static uint8_t draw_type(struct itch_generator *generator)
{
    uint64_t weight = itch_draw(generator, FLOW_WEIGHTS);
    size_t i = 0;
    while (weight >= flow_mix[i].weight) {
        weight -= flow_mix[i].weight;
        i++;
    }
    return flow_mix[i].type;
}

size_t itch_head_write(struct itch_generator *generator, uint8_t *message, uint8_t type, uint16_t locate)
{
    message[0] = type;
    store_be16(message + 1, locate);
    store_be16(message + 3, 0);
    itch_timestamp_store(message, generator->clock_ns);
    return itch_message_bytes(type);
}

size_t itch_symbol_head_write(struct itch_generator *generator, uint8_t *message, uint8_t type,
                              uint16_t symbol)
{
    return itch_head_write(generator, message, type, (uint16_t)(symbol + 1));
}

void itch_stock_write(uint8_t *bytes, uint16_t symbol)
{
    unsigned rest = symbol;
    memset(bytes, ' ', 8);
    for (int i = 3; i >= 0; i--) {
        bytes[i] = (uint8_t)('A' + rest % 26);
        rest /= 26;
    }
}

size_t itch_trading_action_write(struct itch_generator *generator, uint8_t *message, uint16_t symbol)
{
    size_t bytes = itch_symbol_head_write(generator, message, 'H', symbol);
    itch_stock_write(message + 11, symbol);
    memcpy(message + 19, "T     ", 6);
    return bytes;
}

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
    order->side = itch_draw(generator, 2) == 0 ? 'B' : 'S';
    order->shares = draw_shares(generator);
    order->price = draw_price(generator, order->symbol, order->side);
    size_t bytes = itch_symbol_head_write(generator, message, type, order->symbol);
    store_be64(message + 11, order->reference);
    message[19] = order->side;
    store_be32(message + 20, order->shares);
    itch_stock_write(message + 24, order->symbol);
    store_be32(message + 32, order->price);
    if (type == 'F') {
        memcpy(message + 36, "MMFF", 4);
    }
    return bytes;
}

static size_t delete_write(struct itch_generator *generator, uint8_t *message)
{
    struct itch_order *order = order_pick(generator);
    size_t bytes = itch_symbol_head_write(generator, message, 'D', order->symbol);
    store_be64(message + 11, order->reference);
    order_remove(generator, order);
    return bytes;
}

static size_t replace_write(struct itch_generator *generator, uint8_t *message)
{
    struct itch_order *order = order_pick(generator);
    size_t bytes = itch_symbol_head_write(generator, message, 'U', order->symbol);
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
    size_t bytes = itch_symbol_head_write(generator, message, whole ? 'D' : 'X', order->symbol);
    store_be64(message + 11, order->reference);
    if (whole) {
        order_remove(generator, order);
        return bytes;
    }
    uint32_t cancelled = 1 + (uint32_t)itch_draw(generator, order->shares - 1);
    store_be32(message + 19, cancelled);
    order->shares -= cancelled;
    return bytes;
}

/* A full execution removes the order. The mix adds 1.59 % more than it deletes and executes 2.17 %: executing
 * all above half of the bound, and every second one below, keeps the book near half of the bound. */
static size_t execute_write(struct itch_generator *generator, uint8_t *message, uint8_t type)
{
    struct itch_order *order = order_pick(generator);
    size_t bytes = itch_symbol_head_write(generator, message, type, order->symbol);
    bool whole =
        generator->order_count > ITCH_ORDERS_MAX / 2 || order->shares == 1 || itch_draw(generator, 2) == 0;
    uint32_t executed = whole ? order->shares : 1 + (uint32_t)itch_draw(generator, order->shares - 1);
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

static size_t trade_write(struct itch_generator *generator, uint8_t *message)
{
    uint16_t symbol = draw_symbol(generator);
    size_t bytes = itch_symbol_head_write(generator, message, 'P', symbol);
    store_be64(message + 11, 0);
    message[19] = 'B';
    store_be32(message + 20, draw_shares(generator));
    itch_stock_write(message + 24, symbol);
    store_be32(message + 32, generator->prices[symbol]);
    store_be64(message + 36, generator->next_match++);
    return bytes;
}

static size_t cross_write(struct itch_generator *generator, uint8_t *message)
{
    uint16_t symbol = draw_symbol(generator);
    size_t bytes = itch_symbol_head_write(generator, message, 'Q', symbol);
    store_be64(message + 11, 100 * itch_draw(generator, 10000));
    itch_stock_write(message + 19, symbol);
    store_be32(message + 27, generator->prices[symbol]);
    store_be64(message + 31, generator->next_match++);
    message[39] = 'O';
    return bytes;
}

static size_t imbalance_write(struct itch_generator *generator, uint8_t *message)
{
    uint16_t symbol = draw_symbol(generator);
    uint32_t price = generator->prices[symbol];
    size_t bytes = itch_symbol_head_write(generator, message, 'I', symbol);
    store_be64(message + 11, 100 * itch_draw(generator, 1000));
    store_be64(message + 19, 100 * itch_draw(generator, 1000));
    message[27] = (uint8_t) "BSN"[itch_draw(generator, 3)];
    itch_stock_write(message + 28, symbol);
    store_be32(message + 36, price + ITCH_TICK);
    store_be32(message + 40, price - ITCH_TICK);
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

size_t itch_flow_write(struct itch_generator *generator, uint8_t *message)
{
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
        return itch_trading_action_write(generator, message, draw_symbol(generator));
    default:
        return add_write(generator, message, type);
    }
}
