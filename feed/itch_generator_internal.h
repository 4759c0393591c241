/* SPDX-License-Identifier: Apache-2.0 */
/* What the generator's two files share: itch_generator.c makes the frame of the day and its clock,
 * itch_flow.c the messages between open and close and the orders they name. Writers fill one message, stamped
 * with the clock, and return its length. */
#ifndef TALLY_ITCH_GENERATOR_INTERNAL_H
#define TALLY_ITCH_GENERATOR_INTERNAL_H

#include "itch_generator.h"

/* One cent; prices count 1/10,000 dollar. */
#define ITCH_TICK 100

/* A value in [0, bound). */
static inline uint64_t itch_draw(struct itch_generator *generator, uint64_t bound)
{
    return prng_below(&generator->prng, bound);
}

/* The head of a message; `locate` 0 is for messages about no stock, else 1 + symbol. */
size_t itch_head_write(struct itch_generator *generator, uint8_t *message, uint8_t type, uint16_t locate);

/* The head of a message about a symbol. */
size_t itch_symbol_head_write(struct itch_generator *generator, uint8_t *message, uint8_t type,
                              uint16_t symbol);

/* The symbol's name: four letters, padded to eight with spaces. */
void itch_stock_write(uint8_t *bytes, uint16_t symbol);

/* H, trading. */
size_t itch_trading_action_write(struct itch_generator *generator, uint8_t *message, uint16_t symbol);

/* The next message of the flow. */
size_t itch_flow_write(struct itch_generator *generator, uint8_t *message);

#endif
