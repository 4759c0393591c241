/* SPDX-License-Identifier: Apache-2.0 */
/* record_check and configuration_decode are total, and what they accept is exactly what the encoders write.
 */
#include <stdlib.h>

#include "check.h"
#include "configuration.h"
#include "record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count);

static void fuzz_record(const uint8_t *bytes, size_t byte_count)
{
    struct record_head head;
    enum record_verdict verdict = record_check(bytes, byte_count, &head);
    ASSERT(record_verdict_name(verdict) != NULL);
    if (verdict != RECORD_GOOD) {
        return;
    }
    size_t padded = record_padded_bytes(head.length);
    ASSERT(padded <= byte_count);
    uint8_t *again = malloc(padded);
    ASSERT(again != NULL);
    memcpy(again, bytes, head.length);
    ASSERT(record_finish(again, &head, head.length - (size_t)RECORD_HEAD_BYTES) == padded);
    ASSERT(memcmp(again, bytes, padded) == 0);
    free(again);
}

/* A checksum of random bytes is never right, so the fuzzer gets past it only when it is mended here. */
static void fuzz_mended_record(const uint8_t *bytes, size_t byte_count)
{
    if (byte_count < RECORD_HEAD_BYTES || byte_count > RECORD_BYTES_MAX) {
        return;
    }
    size_t padded = record_padded_bytes(byte_count);
    uint8_t *mended = malloc(padded);
    ASSERT(mended != NULL);
    memcpy(mended, bytes, byte_count);
    struct record_head head = record_head_load(mended);
    ASSERT(record_finish(mended, &head, byte_count - RECORD_HEAD_BYTES) == padded);
    ASSERT(record_check(mended, padded, &head) == RECORD_GOOD);
    ASSERT(head.length == byte_count);
    fuzz_record(mended, padded);
    free(mended);
}

static void fuzz_configuration(const uint8_t *bytes, size_t byte_count)
{
    struct configuration read;
    size_t peeked = configuration_peek_bytes(bytes, byte_count);
    ASSERT(peeked <= byte_count);
    if (!configuration_decode(bytes, byte_count, &read)) {
        return;
    }
    uint8_t again[CONFIGURATION_BYTES_MAX];
    ASSERT(peeked == byte_count);
    ASSERT(configuration_encode(&read, again) == byte_count);
    ASSERT(memcmp(again, bytes, byte_count) == 0);
    ASSERT(configuration_has_voter(&read, read.voters[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count)
{
    fuzz_record(bytes, byte_count);
    fuzz_mended_record(bytes, byte_count);
    fuzz_configuration(bytes, byte_count);
    return 0;
}
