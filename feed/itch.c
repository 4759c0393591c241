/* SPDX-License-Identifier: Apache-2.0 */
#include "itch.h"

struct itch_type {
    uint8_t bytes;
    const char *name;
};

static const struct itch_type itch_types[256] = {
    ['S'] = {12, "system event"},
    ['R'] = {39, "stock directory"},
    ['H'] = {25, "trading action"},
    ['Y'] = {20, "short sale restriction"},
    ['L'] = {26, "market participant position"},
    ['V'] = {35, "circuit breaker levels"},
    ['W'] = {12, "circuit breaker status"},
    ['K'] = {28, "quoting period update"},
    ['J'] = {35, "auction collar"},
    ['h'] = {21, "operational halt"},
    ['A'] = {36, "add order"},
    ['F'] = {40, "add order with participant"},
    ['E'] = {31, "order executed"},
    ['C'] = {36, "order executed with price"},
    ['X'] = {23, "order cancel"},
    ['D'] = {19, "order delete"},
    ['U'] = {35, "order replace"},
    ['P'] = {44, "trade"},
    ['Q'] = {40, "cross trade"},
    ['B'] = {19, "broken trade"},
    ['I'] = {50, "net order imbalance"},
    ['N'] = {20, "retail interest"},
    ['O'] = {48, "direct listing"},
};

size_t itch_message_bytes(uint8_t type)
{
    return itch_types[type].bytes;
}

enum itch_verdict itch_classify(const uint8_t *bytes, size_t byte_count)
{
    if (byte_count == 0) {
        return ITCH_EMPTY;
    }
    size_t expected_bytes = itch_message_bytes(bytes[0]);
    if (expected_bytes == 0) {
        return ITCH_UNKNOWN_TYPE;
    }
    return byte_count == expected_bytes ? ITCH_GOOD : ITCH_WRONG_LENGTH;
}

const char *itch_type_name(uint8_t type)
{
    return itch_types[type].name != NULL ? itch_types[type].name : "unknown";
}

const char *itch_verdict_name(enum itch_verdict verdict)
{
    switch (verdict) {
    case ITCH_GOOD:
        return "good";
    case ITCH_EMPTY:
        return "empty";
    case ITCH_UNKNOWN_TYPE:
        return "unknown type";
    case ITCH_WRONG_LENGTH:
        return "wrong length";
    }
    return "?";
}
