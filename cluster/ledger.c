/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "binaryfile.h"
#include "bytes.h"
#include "ledger.h"
#include "log_file.h"
#include "prng.h"

static void write_message(uint8_t *message, uint64_t source_id, uint64_t sequence)
{
    struct prng prng = {.state = source_id * 0x9E3779B97F4A7C15u ^ sequence};
    store_le64(message, source_id);
    store_le64(message + 8, sequence);
    for (unsigned at = 16; at < LEDGER_MESSAGE_BYTES; at += 8) {
        store_le64(message + at, prng_next(&prng));
    }
}

uint32_t ledger_source_next(void *context, const uint8_t **ret_message)
{
    struct ledger_source *source = context;
    write_message(source->message, source->id, ++source->next);
    *ret_message = source->message;
    return LEDGER_MESSAGE_BYTES;
}

void ledger_enter(struct ledger *ledger, const uint8_t *message, uint32_t message_bytes)
{
    uint8_t expected[LEDGER_MESSAGE_BYTES];
    uint64_t source_id = message_bytes == LEDGER_MESSAGE_BYTES ? load_le64(message) : 0;
    if (source_id == 0 || source_id > LEDGER_SOURCES) {
        ledger->foreign_count++;
        return;
    }
    uint64_t sequence = load_le64(message + 8);
    ledger->entered_count++;
    uint64_t next = ledger_count(ledger, source_id) + 1;
    write_message(expected, source_id, sequence);
    if (memcmp(message, expected, sizeof(expected)) != 0) {
        ledger->foreign_count++;
    } else if (sequence < next) {
        ledger->doubled_count++;
    } else {
        ledger->missing_count += sequence - next;
        ledger->next[source_id] = sequence + 1;
    }
}

void ledger_watch(void *context, const struct tally_event *event)
{
    uint32_t message_bytes = 0;
    for (uint32_t at = 0; event->blocks && at < event->blocks_bytes; at += 2u + message_bytes) {
        message_bytes = load_be16(event->blocks + at);
        ledger_enter(context, event->blocks + at + 2, message_bytes);
    }
}

uint64_t ledger_count(const struct ledger *ledger, uint64_t source_id)
{
    return ledger->next[source_id] ? ledger->next[source_id] - 1 : 0;
}

bool ledger_is_good(const struct ledger *ledger)
{
    return ledger->doubled_count == 0 && ledger->missing_count == 0 && ledger->foreign_count == 0;
}

bool ledger_read(struct ledger *ledger, const char *path)
{
    struct log_file file = {0};
    struct binaryfile_reader reader;
    enum binaryfile_verdict verdict = BINARYFILE_MESSAGE;
    if (log_file_open(path, &file) != 0) {
        return false;
    }
    binaryfile_reader_init_bytes(&reader, file.bytes, file.byte_count);
    while ((verdict = binaryfile_reader_next(&reader)) == BINARYFILE_MESSAGE) {
        ledger_enter(ledger, reader.message, reader.message_bytes);
    }
    log_file_close(&file);
    return verdict == BINARYFILE_END;
}
