/* SPDX-License-Identifier: Apache-2.0 */
/* A synthetic trading day in ITCH 5.0, decided by one 64-bit seed: the burst at the start (S; R, H, Y of each
 * symbol; L), the flow in the mix of a real day, and the three S at the end. D, X, E, U and C name orders
 * that are live at that moment, symbols follow Zipf's law, arrivals come in clusters: 100 to 300 ns apart
 * inside one, Pareto many of them, exponential pauses between. Integer arithmetic only, so the same seed
 * gives the same bytes everywhere. */
#ifndef TALLY_ITCH_GENERATOR_H
#define TALLY_ITCH_GENERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "itch.h"
#include "prng.h"

/* About as many as are listed. */
#define ITCH_SYMBOLS_MAX 8192
/* Live orders; the flow keeps about half of them and never passes the bound. */
#define ITCH_ORDERS_MAX 65536
/* Places of the table that turns a random number into a symbol; each symbol has at least one. */
#define ITCH_PLACES 32768

struct itch_generator_options {
    uint64_t seed;
    uint64_t message_count;
    uint32_t symbol_count;        /* 0: one for every 1,024 messages, at least 1 */
    uint32_t messages_per_second; /* 0: the flow fills the day, 09:30 to 16:00; else this mean rate, without
                                   * the pauses before and after it, as a replay paced by timestamps wants */
};

struct itch_order {
    uint64_t reference;
    uint32_t shares;
    uint32_t price;
    uint16_t symbol;
    uint8_t side;
};

struct itch_generator {
    struct prng prng;
    struct itch_generator_options options;
    uint64_t emitted_count;
    uint64_t flow_from;  /* number of the first message of the flow */
    uint64_t flow_until; /* number of the first S at the end */
    uint64_t clock_ns;
    uint64_t pause_mean_ns;
    uint32_t cluster_left; /* messages that still follow within the cluster */
    uint32_t order_count;
    uint64_t next_reference;
    uint64_t next_match;
    struct itch_order *orders; /* the first order_count are live */
    uint16_t *places;          /* symbols, each as often as it is popular */
    uint32_t *prices;          /* per symbol, in 1/10,000 dollar */
};

/* Takes its memory (about 1.7 MB) from the arena. False, and nothing taken, when the day cannot be made:
 * symbol_count above ITCH_SYMBOLS_MAX, or fewer messages than the start and the end need (7 and 3 a symbol).
 */
bool itch_generator_init(struct itch_generator *generator, const struct itch_generator_options *options,
                         struct arena *arena);

/* Writes the next message to `message`, which has ITCH_MESSAGE_BYTES_MAX bytes; returns its length, 0 at the
 * end. Its timestamp never falls. */
size_t itch_generator_next(struct itch_generator *generator, uint8_t *message);

#endif
