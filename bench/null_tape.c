/* SPDX-License-Identifier: Apache-2.0 */
#include "null_tape.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "check.h"
#include "device.h"
#include "tape.h"

#define KEPT_BYTES  (1u << 20)   /* both superblocks stand in here */
#define SIZE_BYTES  (8ull << 30) /* room for 25 million records of 256 bytes before it is full */
#define CHUNK_BYTES (1u << 20)
#define PENDING_MAX 8

struct null_tape {
    struct device device; /* first, so that a device is a null_tape */
    uint8_t *kept;
    uint64_t pending[PENDING_MAX];
    unsigned pending_count;
    struct arena arena;
    struct tape *tape;
    uint64_t index;
    uint64_t now_ns;
};

static int null_read(struct device *device, uint64_t offset, void *bytes, size_t byte_count)
{
    const struct null_tape *null = (const struct null_tape *)device;
    memset(bytes, 0, byte_count);
    if (offset + byte_count <= KEPT_BYTES) {
        memcpy(bytes, null->kept + offset, byte_count);
    }
    return 0;
}

static int null_write(struct device *device, uint64_t offset, const void *bytes, size_t byte_count)
{
    struct null_tape *null = (struct null_tape *)device;
    if (offset + byte_count <= KEPT_BYTES) {
        memcpy(null->kept + offset, bytes, byte_count);
    }
    return 0;
}

static int null_submit_write(struct device *device, uint64_t offset, const void *bytes, size_t byte_count,
                             uint64_t tag)
{
    struct null_tape *null = (struct null_tape *)device;
    (void)offset;
    (void)bytes;
    (void)byte_count;
    ASSERT(null->pending_count < PENDING_MAX);
    null->pending[null->pending_count++] = tag;
    return 0;
}

static unsigned null_poll(struct device *device, struct device_completion *completions, unsigned max)
{
    struct null_tape *null = (struct null_tape *)device;
    unsigned count = null->pending_count < max ? null->pending_count : max;
    for (unsigned i = 0; i < count; i++) {
        completions[i] = (struct device_completion){.tag = null->pending[i]};
    }
    null->pending_count -= count;
    memmove(null->pending, null->pending + count, null->pending_count * sizeof(null->pending[0]));
    return count;
}

static void null_close(struct device *device)
{
    (void)device;
}

static void visit_nothing(void *context, const struct record_head *head, const uint8_t *payload,
                          uint64_t position)
{
    (void)context;
    (void)head;
    (void)payload;
    (void)position;
}

static void format_and_open(struct null_tape *null)
{
    const struct tape_identity identity = {
        .cluster_id = 1, .node_id = 1, .incarnation = 1, .log_name = "null"};
    const struct tape_format_options format = {.identity = identity,
                                               .size_bytes = SIZE_BYTES,
                                               .chunk_bytes = CHUNK_BYTES,
                                               .sync = TAPE_SYNC_FDATASYNC};
    const struct tape_options options = {.identity = identity,
                                         .memory_chunks = 8,
                                         .reader_chunks = 2,
                                         .write_bytes_max = CHUNK_BYTES / 4,
                                         .boot_id = 1};
    struct tape_report report;
    int error = tape_format(&null->device, &format);
    ASSERT(error == 0);
    enum tape_verdict verdict =
        tape_open(&null->arena, &null->device, &options, visit_nothing, NULL, &null->tape, &report);
    ASSERT(verdict == TAPE_OPEN);
}

struct null_tape *null_tape_create(void)
{
    struct null_tape *null = calloc(1, sizeof(*null));
    ASSERT(null != NULL);
    null->kept = calloc(1, KEPT_BYTES);
    ASSERT(null->kept != NULL);
    null->device = (struct device){.read = null_read,
                                   .submit_write = null_submit_write,
                                   .poll = null_poll,
                                   .write = null_write,
                                   .close = null_close,
                                   .size_bytes = tape_device_bytes(SIZE_BYTES),
                                   .block_bytes = 512};
    null->now_ns = 1;
    arena_init(&null->arena);
    format_and_open(null);
    return null;
}

void null_tape_destroy(struct null_tape *null)
{
    arena_fini(&null->arena);
    free(null->kept);
    free(null);
}

int null_tape_has_room(const struct null_tape *null, uint64_t byte_count)
{
    return tape_free_bytes(null->tape) > byte_count + 2 * CHUNK_BYTES;
}

static void append_one(struct null_tape *null, uint32_t payload_bytes)
{
    int error = 0;
    uint8_t *bytes = tape_reserve(null->tape, payload_bytes, false, &error);
    ASSERT(bytes != NULL);
    null->index++;
    memset(bytes + RECORD_HEAD_BYTES, (int)(null->index & 0xff), payload_bytes);
    const struct record_head head = {.type = RECORD_DATA,
                                     .quorum_number = 77,
                                     .index = null->index,
                                     .term = 1,
                                     .arrival_ns = null->now_ns,
                                     .log_time_ns = null->now_ns};
    record_finish(bytes, &head, payload_bytes);
    tape_append(null->tape);
}

void null_tape_append(struct null_tape *null, uint32_t record_count, uint32_t payload_bytes)
{
    null->now_ns += 1000;
    for (uint32_t i = 0; i < record_count; i++) {
        append_one(null, payload_bytes);
    }
    do {
        tape_submit(null->tape, null->now_ns);
        tape_poll(null->tape, null->now_ns);
    } while (tape_durable_position(null->tape) != tape_append_position(null->tape));
}
