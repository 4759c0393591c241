/* SPDX-License-Identifier: Apache-2.0 */
/* Input: flags u8 (1: empty messages allowed), message count u16 big-endian, blocks. Whatever the check
 * accepts, the iterator gives back whole, and the packer makes again; the same blocks as a file read the
 * same. */
#include "binaryfile.h"
#include "blocks.h"
#include "check.h"
#include "fuzz.h"
#include "itch.h"
#include "packer.h"

#define HEAD_BYTES 3

/* Packs every message again: same bytes, as long as they fit one packet. */
static void check_packed(const struct blocks *blocks)
{
    uint8_t area[DATA_BLOCKS_BYTES_MAX_JUMBO];
    struct packer packer;
    struct blocks_iterator iterator;
    bool fits = blocks->byte_count <= sizeof(area);
    packer_init(&packer, area, sizeof(area));
    blocks_iterator_init(&iterator, blocks->bytes, blocks->byte_count);
    unsigned message_count = 0;
    while (blocks_iterator_next(&iterator)) {
        enum packer_verdict verdict = packer_add(&packer, iterator.message, iterator.message_bytes);
        ASSERT(!fits || verdict == PACKER_ADDED);
        message_count++;
    }
    ASSERT(message_count == blocks->message_count);
    ASSERT(packer.blocks_bytes <= sizeof(area));
    ASSERT(!fits || packer.blocks_bytes == blocks->byte_count);
    ASSERT(!fits || memcmp(area, blocks->bytes, blocks->byte_count) == 0);
}

/* The file reader and the iterator see the same messages in the same bytes. */
static void check_file(const uint8_t *bytes, size_t byte_count)
{
    struct binaryfile_reader reader;
    struct blocks_iterator iterator;
    binaryfile_reader_init_bytes(&reader, bytes, byte_count);
    blocks_iterator_init(&iterator, bytes, byte_count);
    while (blocks_iterator_next(&iterator)) {
        enum binaryfile_verdict verdict = binaryfile_reader_next(&reader);
        bool is_empty = iterator.message_bytes == 0;
        ASSERT(verdict == (is_empty ? BINARYFILE_END_MARKER : BINARYFILE_MESSAGE));
        ASSERT(is_empty || reader.message == iterator.message);
        ASSERT(reader.message_bytes == iterator.message_bytes);
        ASSERT(itch_verdict_name(itch_classify(iterator.message, iterator.message_bytes))[0] != '?');
    }
    enum binaryfile_verdict last = binaryfile_reader_next(&reader);
    ASSERT(last == (iterator.at == iterator.end ? BINARYFILE_END : BINARYFILE_TRUNCATED));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count)
{
    if (byte_count < HEAD_BYTES) {
        return 0;
    }
    struct blocks blocks = {
        .bytes = bytes + HEAD_BYTES,
        .byte_count = (uint32_t)(byte_count - HEAD_BYTES),
        .message_count = load_be16(bytes + 1),
        .empty_allowed = (bytes[0] & 1) != 0,
    };
    enum blocks_verdict verdict = blocks_check(&blocks);
    ASSERT(blocks_verdict_name(verdict)[0] != '?');
    if (verdict == BLOCKS_GOOD) {
        check_packed(&blocks);
    }
    check_file(blocks.bytes, blocks.byte_count);
    return 0;
}
