/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "check.h"

#define PAGE_BYTES 4096

struct pending_write {
    uint64_t offset;
    const uint8_t *bytes; /* the caller's */
    uint8_t *copy;        /* what they were when submitted: they must not change before the completion */
    size_t byte_count;
    uint64_t tag;
    int error; /* it will complete with it */
};

struct fake_device {
    struct device port;
    bool manual;
    uint8_t *bytes;
    uint8_t *written; /* per page: ever written */
    struct pending_write pending[FAKE_DEVICE_PENDING_MAX];
    unsigned pending_count;
    struct device_completion completions[FAKE_DEVICE_PENDING_MAX];
    unsigned completion_count;
    uint64_t operations;
    uint64_t submitted_bytes;
    uint64_t fail_from; /* operation number; UINT64_MAX: never */
    int fail_error;
};

static struct fake_device *fake_of(struct device *device)
{
    return (struct fake_device *)device; /* port is its first member */
}

/* Counts an operation; what it must fail with, or 0. */
static int operation_begin(struct fake_device *fake, uint64_t offset, const void *bytes, size_t byte_count)
{
    ASSERT(offset % fake->port.block_bytes == 0);
    ASSERT(byte_count % fake->port.block_bytes == 0);
    ASSERT((uintptr_t)bytes % 512 == 0);
    ASSERT(byte_count > 0);
    return fake->operations++ >= fake->fail_from ? fake->fail_error : 0;
}

static bool is_inside(const struct fake_device *fake, uint64_t offset, size_t byte_count)
{
    return offset <= fake->port.size_bytes && byte_count <= fake->port.size_bytes - offset;
}

void fake_device_touch(struct fake_device *fake, uint64_t offset, uint64_t byte_count)
{
    memset(fake->written + offset / PAGE_BYTES, 1,
           (size_t)((offset + byte_count + PAGE_BYTES - 1) / PAGE_BYTES - offset / PAGE_BYTES));
}

static void bytes_put(struct fake_device *fake, uint64_t offset, const void *bytes, size_t byte_count)
{
    memcpy(fake->bytes + offset, bytes, byte_count);
    fake_device_touch(fake, offset, byte_count);
}

static int fake_read(struct device *device, uint64_t offset, void *bytes, size_t byte_count)
{
    struct fake_device *fake = fake_of(device);
    int error = operation_begin(fake, offset, bytes, byte_count);
    if (error) {
        return error;
    }
    if (!is_inside(fake, offset, byte_count)) {
        return -EIO;
    }
    memcpy(bytes, fake->bytes + offset, byte_count);
    return 0;
}

static int fake_write(struct device *device, uint64_t offset, const void *bytes, size_t byte_count)
{
    struct fake_device *fake = fake_of(device);
    int error = operation_begin(fake, offset, bytes, byte_count);
    if (error) {
        return error;
    }
    if (!is_inside(fake, offset, byte_count)) {
        return -EIO;
    }
    bytes_put(fake, offset, bytes, byte_count);
    return 0;
}

static int fake_submit_write(struct device *device, uint64_t offset, const void *bytes, size_t byte_count,
                             uint64_t tag)
{
    struct fake_device *fake = fake_of(device);
    if (fake->pending_count + fake->completion_count == FAKE_DEVICE_PENDING_MAX) {
        return -EBUSY;
    }
    ASSERT(is_inside(fake, offset, byte_count));
    int error = operation_begin(fake, offset, bytes, byte_count);
    struct pending_write *write = &fake->pending[fake->pending_count++];
    *write = (struct pending_write){offset, bytes, malloc(byte_count), byte_count, tag, error};
    ASSERT(write->copy != NULL);
    memcpy(write->copy, bytes, byte_count);
    fake->submitted_bytes += byte_count;
    return 0;
}

static void pending_remove(struct fake_device *fake, unsigned n)
{
    free(fake->pending[n].copy);
    fake->pending_count--;
    memmove(&fake->pending[n], &fake->pending[n + 1], (fake->pending_count - n) * sizeof(fake->pending[0]));
}

void fake_device_complete(struct fake_device *fake, unsigned n, int error)
{
    ASSERT(n < fake->pending_count);
    struct pending_write *write = &fake->pending[n];
    error = error ? error : write->error;
    ASSERT(memcmp(write->copy, write->bytes, write->byte_count) == 0);
    if (!error) {
        bytes_put(fake, write->offset, write->copy, write->byte_count);
    }
    fake->completions[fake->completion_count++] = (struct device_completion){write->tag, error};
    pending_remove(fake, n);
}

static unsigned fake_poll(struct device *device, struct device_completion *completions, unsigned max)
{
    struct fake_device *fake = fake_of(device);
    while (!fake->manual && fake->pending_count > 0) {
        fake_device_complete(fake, 0, 0);
    }
    unsigned count = fake->completion_count < max ? fake->completion_count : max;
    memcpy(completions, fake->completions, count * sizeof(completions[0]));
    fake->completion_count -= count;
    memmove(fake->completions, fake->completions + count, fake->completion_count * sizeof(completions[0]));
    return count;
}

static void fake_close(struct device *device)
{
    (void)device; /* fake_device_destroy frees it */
}

void fake_device_crash(struct fake_device *fake, struct prng *prng)
{
    while (fake->pending_count > 0) {
        const struct pending_write *write = &fake->pending[0];
        /* all, none, or any: the ends of the range are the interesting states and would else be rare */
        uint64_t mode = prng_below(prng, 4);
        for (size_t at = 0; at < write->byte_count; at += FAKE_DEVICE_SECTOR_BYTES) {
            if (mode == 0 || (mode != 1 && prng_below(prng, 2) == 0)) {
                bytes_put(fake, write->offset + at, write->copy + at, FAKE_DEVICE_SECTOR_BYTES);
            }
        }
        pending_remove(fake, 0);
    }
    fake->completion_count = 0;
}

struct fake_device *fake_device_create(const struct fake_device_options *options)
{
    struct fake_device *fake = calloc(1, sizeof(*fake));
    ASSERT(fake != NULL);
    uint64_t page_count = align_up(options->size_bytes, PAGE_BYTES) / PAGE_BYTES;
    fake->port = (struct device){
        .read = fake_read,
        .submit_write = fake_submit_write,
        .poll = fake_poll,
        .write = fake_write,
        .close = fake_close,
        .size_bytes = options->size_bytes,
        .block_bytes = options->block_bytes,
    };
    fake->manual = options->manual;
    fake->fail_from = UINT64_MAX;
    fake->bytes = calloc(page_count, PAGE_BYTES);
    fake->written = calloc(page_count, 1);
    ASSERT(fake->bytes != NULL);
    ASSERT(fake->written != NULL);
    return fake;
}

void fake_device_destroy(struct fake_device *fake)
{
    while (fake->pending_count > 0) {
        pending_remove(fake, 0);
    }
    free(fake->bytes);
    free(fake->written);
    free(fake);
}

struct device *fake_device_port(struct fake_device *fake)
{
    return &fake->port;
}

unsigned fake_device_pending(const struct fake_device *fake)
{
    return fake->pending_count;
}

void fake_device_fail_from(struct fake_device *fake, uint64_t n, int error)
{
    fake->fail_from = fake->operations + n;
    fake->fail_error = error;
}

void fake_device_heal(struct fake_device *fake)
{
    fake->fail_from = UINT64_MAX;
}

void fake_device_copy(struct fake_device *to, const struct fake_device *from)
{
    ASSERT(to->port.size_bytes == from->port.size_bytes);
    while (to->pending_count > 0) {
        pending_remove(to, 0);
    }
    to->completion_count = 0;
    for (uint64_t page = 0; page * PAGE_BYTES < from->port.size_bytes; page++) {
        if (to->written[page] || from->written[page]) {
            memcpy(to->bytes + page * PAGE_BYTES, from->bytes + page * PAGE_BYTES, PAGE_BYTES);
            to->written[page] = from->written[page];
        }
    }
}

uint8_t *fake_device_bytes(struct fake_device *fake)
{
    return fake->bytes;
}

uint64_t fake_device_operations(const struct fake_device *fake)
{
    return fake->operations;
}

uint64_t fake_device_submitted_bytes(const struct fake_device *fake)
{
    return fake->submitted_bytes;
}
