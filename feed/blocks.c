/* SPDX-License-Identifier: Apache-2.0 */
#include "blocks.h"

enum blocks_verdict blocks_check(const struct blocks *blocks)
{
    if (blocks->byte_count == 0) {
        return blocks->message_count == 0 ? BLOCKS_GOOD : BLOCKS_TRUNCATED;
    }
    struct blocks_iterator iterator;
    blocks_iterator_init(&iterator, blocks->bytes, blocks->byte_count);
    for (unsigned i = 0; i < blocks->message_count; i++) {
        if (!blocks_iterator_next(&iterator)) {
            return BLOCKS_TRUNCATED;
        }
        if (iterator.message_bytes == 0 && !blocks->empty_allowed) {
            return BLOCKS_EMPTY_MESSAGE;
        }
    }
    return iterator.at == iterator.end ? BLOCKS_GOOD : BLOCKS_TRAILING;
}

const char *blocks_verdict_name(enum blocks_verdict verdict)
{
    switch (verdict) {
    case BLOCKS_GOOD:
        return "good";
    case BLOCKS_TRUNCATED:
        return "truncated";
    case BLOCKS_TRAILING:
        return "trailing bytes";
    case BLOCKS_EMPTY_MESSAGE:
        return "empty message";
    }
    return "?";
}
