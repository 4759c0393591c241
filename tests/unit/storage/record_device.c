/* SPDX-License-Identifier: Apache-2.0 */
#include "record_device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define WRITES_MAX   4096u
#define EVENTS_MAX   (2 * WRITES_MAX)
#define PENDING_MAX  16u
#define CHANGES_MAX  4096u
#define CHANGE_BYTES (4u << 20)

/* What stood there before it was changed. */
struct change {
    uint64_t offset;
    size_t byte_count;
    size_t at; /* in `before` */
};

struct record_device {
    struct device port;
    uint8_t *bytes;
    struct record_write writes[WRITES_MAX];
    uint32_t write_count;
    struct record_event events[EVENTS_MAX];
    uint32_t event_count;
    uint32_t pending[PENDING_MAX];
    uint64_t pending_tags[PENDING_MAX];
    int pending_errors[PENDING_MAX];
    unsigned pending_count;
    struct device_completion completions[PENDING_MAX];
    unsigned completion_count;
    bool keeps;
    struct change changes[CHANGES_MAX];
    uint32_t change_count;
    uint8_t *before;
    size_t before_bytes;
    uint64_t operation_count;
    uint64_t fail_at; /* UINT64_MAX: never */
    int fail_error;
    bool fail_after;
    bool refuses;
    bool completes_alone;
    bool has_failed;
};

static struct record_device *record_device_of(struct device *port)
{
    return (struct record_device *)port; /* port is its first member */
}

void record_device_put(struct record_device *device, uint64_t offset, const void *bytes, size_t byte_count)
{
    ASSERT(offset + byte_count <= device->port.size_bytes);
    if (device->keeps) {
        ASSERT(device->change_count < CHANGES_MAX);
        ASSERT(device->before_bytes + byte_count <= CHANGE_BYTES);
        device->changes[device->change_count++] = (struct change){offset, byte_count, device->before_bytes};
        memcpy(device->before + device->before_bytes, device->bytes + offset, byte_count);
        device->before_bytes += byte_count;
    }
    memcpy(device->bytes + offset, bytes, byte_count);
}

void record_device_keep(struct record_device *device)
{
    device->keeps = true;
    device->change_count = 0;
    device->before_bytes = 0;
}

void record_device_go_back(struct record_device *device)
{
    ASSERT(device->keeps);
    while (device->change_count > 0) {
        const struct change *change = &device->changes[--device->change_count];
        memcpy(device->bytes + change->offset, device->before + change->at, change->byte_count);
    }
    device->keeps = false;
}

/* The error of this operation. */
static int operation_begin(struct record_device *device, const void *bytes, uint64_t offset,
                           size_t byte_count)
{
    ASSERT((uintptr_t)bytes % RECORD_SECTOR_BYTES == 0);
    ASSERT(offset % RECORD_SECTOR_BYTES == 0);
    ASSERT(byte_count % RECORD_SECTOR_BYTES == 0);
    bool fails = device->operation_count++ == device->fail_at;
    device->has_failed |= fails;
    return fails ? device->fail_error : 0;
}

static void event_note(struct record_device *device, uint32_t write, bool completed)
{
    ASSERT(device->event_count < EVENTS_MAX);
    device->events[device->event_count++] = (struct record_event){write, completed};
}

static uint32_t write_note(struct record_device *device, uint64_t offset, const void *bytes,
                           size_t byte_count)
{
    ASSERT(device->write_count < WRITES_MAX);
    uint8_t *copy = malloc(byte_count);
    ASSERT(copy != NULL);
    memcpy(copy, bytes, byte_count);
    device->writes[device->write_count] = (struct record_write){offset, byte_count, copy, false};
    event_note(device, device->write_count, false);
    return device->write_count++;
}

static int record_read(struct device *port, uint64_t offset, void *bytes, size_t byte_count)
{
    struct record_device *device = record_device_of(port);
    int error = operation_begin(device, bytes, offset, byte_count);
    if (error || offset + byte_count > port->size_bytes) {
        return error ? error : -EIO;
    }
    memcpy(bytes, device->bytes + offset, byte_count);
    return 0;
}

static int record_write(struct device *port, uint64_t offset, const void *bytes, size_t byte_count)
{
    struct record_device *device = record_device_of(port);
    int error = operation_begin(device, bytes, offset, byte_count);
    if (error && !device->fail_after) {
        return error;
    }
    uint32_t write = write_note(device, offset, bytes, byte_count);
    device->writes[write].is_synced = true;
    record_device_put(device, offset, bytes, byte_count);
    event_note(device, write, true);
    return error;
}

static int record_submit(struct device *port, uint64_t offset, const void *bytes, size_t byte_count,
                         uint64_t tag)
{
    struct record_device *device = record_device_of(port);
    if (device->pending_count + device->completion_count == PENDING_MAX) {
        return -EBUSY;
    }
    int error = operation_begin(device, bytes, offset, byte_count);
    if (error && device->refuses) {
        return error;
    }
    unsigned place = device->pending_count++;
    device->pending[place] = write_note(device, offset, bytes, byte_count);
    device->pending_tags[place] = tag;
    device->pending_errors[place] = error;
    return 0;
}

void record_device_complete(struct record_device *device, unsigned n)
{
    ASSERT(n < device->pending_count);
    const struct record_write *write = &device->writes[device->pending[n]];
    struct device_completion completion = {device->pending_tags[n], device->pending_errors[n]};
    if (completion.error == 0) {
        record_device_put(device, write->offset, write->bytes, write->byte_count);
        event_note(device, device->pending[n], true);
    }
    device->completions[device->completion_count++] = completion;
    device->pending_count--;
    for (unsigned i = n; i < device->pending_count; i++) {
        device->pending[i] = device->pending[i + 1];
        device->pending_tags[i] = device->pending_tags[i + 1];
        device->pending_errors[i] = device->pending_errors[i + 1];
    }
}

static unsigned record_poll(struct device *port, struct device_completion *completions, unsigned max)
{
    struct record_device *device = record_device_of(port);
    while (device->completes_alone && device->pending_count > 0) {
        record_device_complete(device, 0);
    }
    unsigned count = device->completion_count < max ? device->completion_count : max;
    memcpy(completions, device->completions, count * sizeof(completions[0]));
    device->completion_count -= count;
    memmove(device->completions, device->completions + count,
            device->completion_count * sizeof(completions[0]));
    return count;
}

static void record_close(struct device *port)
{
    (void)port; /* record_device_destroy frees it */
}

struct device *record_device_port(struct record_device *device)
{
    return &device->port;
}

unsigned record_device_pending(const struct record_device *device)
{
    return device->pending_count;
}

uint32_t record_device_event_count(const struct record_device *device)
{
    return device->event_count;
}

struct record_event record_device_event(const struct record_device *device, uint32_t event)
{
    ASSERT(event < device->event_count);
    return device->events[event];
}

struct record_write record_device_write(const struct record_device *device, uint32_t write)
{
    ASSERT(write < device->write_count);
    return device->writes[write];
}

const uint8_t *record_device_bytes(const struct record_device *device)
{
    return device->bytes;
}

void record_device_forget(struct record_device *device)
{
    for (uint32_t i = 0; i < device->write_count; i++) {
        free((void *)(uintptr_t)device->writes[i].bytes);
    }
    device->write_count = 0;
    device->event_count = 0;
    device->pending_count = 0;
    device->completion_count = 0;
}

void record_device_crash(struct record_device *device, struct prng *prng)
{
    for (unsigned n = 0; n < device->pending_count; n++) {
        const struct record_write *write = &device->writes[device->pending[n]];
        uint64_t likely = prng_below(prng, 9);
        for (size_t at = 0; at < write->byte_count; at += RECORD_SECTOR_BYTES) {
            if (prng_below(prng, 8) < likely) {
                record_device_put(device, write->offset + at, write->bytes + at, RECORD_SECTOR_BYTES);
            }
        }
    }
    record_device_forget(device);
}

void record_device_fail(struct record_device *device, uint64_t n, int error, bool after)
{
    device->fail_at = device->operation_count + n;
    device->fail_error = error;
    device->fail_after = after;
    device->has_failed = false;
}

void record_device_refuse(struct record_device *device)
{
    device->refuses = true;
}

void record_device_complete_alone(struct record_device *device)
{
    device->completes_alone = true;
}

bool record_device_has_failed(const struct record_device *device)
{
    return device->has_failed;
}

struct record_device *record_device_create(uint64_t size_bytes)
{
    struct record_device *device = calloc(1, sizeof(*device));
    ASSERT(device != NULL);
    device->port = (struct device){.read = record_read,
                                   .submit_write = record_submit,
                                   .poll = record_poll,
                                   .write = record_write,
                                   .close = record_close,
                                   .size_bytes = size_bytes,
                                   .block_bytes = RECORD_SECTOR_BYTES};
    device->fail_at = UINT64_MAX;
    device->bytes = calloc(1, size_bytes);
    device->before = malloc(CHANGE_BYTES);
    ASSERT(device->bytes != NULL);
    ASSERT(device->before != NULL);
    return device;
}

void record_device_destroy(struct record_device *device)
{
    record_device_forget(device);
    free(device->bytes);
    free(device->before);
    free(device);
}
