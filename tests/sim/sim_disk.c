/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_disk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "crc32c.h"
#include "sim.h"
#include "sim_check.h"
#include "tape_layout.h"

static struct sim_disk *disk_of(struct device *device)
{
    return (struct sim_disk *)device; /* port is its first member */
}

/* Every record of the blocks in [offset, offset + byte_count). */
static void read_blocks(struct sim_disk *disk, const uint8_t *bytes, size_t byte_count, bool is_durable)
{
    size_t at = 0;
    while (at < byte_count) {
        struct block_head head = block_head_load(bytes + at);
        ASSERT(head.magic == BLOCK_MAGIC);
        size_t record_at = at + BLOCK_HEAD_BYTES;
        for (uint32_t i = 0; i < head.record_count; i++) {
            struct record_head record;
            ASSERT(record_check(bytes + record_at, byte_count - record_at, &record) == RECORD_GOOD);
            if (is_durable) {
                stored_apply(&disk->durable, &record);
            } else {
                check_record_handed(disk->sim, disk->node, &record, bytes + record_at + RECORD_HEAD_BYTES);
            }
            record_at += record_padded_bytes(record.length);
        }
        at += block_span_bytes(&head, disk->port.block_bytes);
    }
}

static int disk_read(struct device *device, uint64_t offset, void *bytes, size_t byte_count)
{
    struct device *inner = fake_device_port(disk_of(device)->fake);
    return inner->read(inner, offset, bytes, byte_count);
}

static int disk_write(struct device *device, uint64_t offset, const void *bytes, size_t byte_count)
{
    struct device *inner = fake_device_port(disk_of(device)->fake);
    return inner->write(inner, offset, bytes, byte_count);
}

static uint64_t draw_latency_ns(struct sim_disk *disk)
{
    struct sim *sim = disk->sim;
    const struct sim_options *options = &sim->options;
    uint64_t latency_ns = options->write_min_ns + prng_below(&sim->disk_prng, options->write_spread_ns + 1);
    if (!sim->is_healed && sim_chance(&sim->disk_prng, options->slow_write_ppm)) {
        latency_ns += prng_below(&sim->disk_prng, options->slow_write_ns);
    }
    return latency_ns;
}

static int disk_submit_write(struct device *device, uint64_t offset, const void *bytes, size_t byte_count,
                             uint64_t tag)
{
    struct sim_disk *disk = disk_of(device);
    struct sim *sim = disk->sim;
    struct device *inner = fake_device_port(disk->fake);
    unsigned pending = fake_device_pending(disk->fake);
    int error = inner->submit_write(inner, offset, bytes, byte_count, tag);
    if (error) {
        return error;
    }
    disk->writes[pending] = (struct sim_write){.offset = offset, .byte_count = byte_count};
    read_blocks(disk, bytes, byte_count, false);
    uint64_t start_ns = disk->free_ns > sim->now_ns ? disk->free_ns : sim->now_ns;
    start_ns = disk->stall_until_ns > start_ns ? disk->stall_until_ns : start_ns;
    disk->free_ns = start_ns + draw_latency_ns(disk);
    sim_trace(sim, TRACE_WRITE, disk->node, offset, byte_count, disk->free_ns);
    sim_plan(sim, disk->free_ns, SIM_DISK, disk->node, sim->nodes[disk->node].life);
    return 0;
}

static unsigned disk_poll(struct device *device, struct device_completion *completions, unsigned max)
{
    struct device *inner = fake_device_port(disk_of(device)->fake);
    return inner->poll(inner, completions, max);
}

static void disk_close(struct device *device)
{
    (void)device;
}

static struct tape_identity identity_of(struct sim_disk *disk)
{
    struct tape_identity identity = {.cluster_id = SIM_CLUSTER_ID,
                                     .node_id = sim_node_id(disk->node),
                                     .incarnation = 1 + prng_below(&disk->sim->node_prng, INT64_MAX - 1)};
    snprintf(identity.log_name, sizeof(identity.log_name), "main");
    return identity;
}

void sim_disk_init(struct sim_disk *disk, struct sim *sim, uint32_t node)
{
    const struct sim_options *options = &sim->options;
    struct fake_device_options device = {.size_bytes = tape_device_bytes(options->tape_bytes),
                                         .block_bytes = options->block_bytes,
                                         .manual = true};
    *disk = (struct sim_disk){.sim = sim, .node = node, .fake = fake_device_create(&device)};
    disk->port = (struct device){.read = disk_read,
                                 .submit_write = disk_submit_write,
                                 .poll = disk_poll,
                                 .write = disk_write,
                                 .close = disk_close,
                                 .size_bytes = device.size_bytes,
                                 .block_bytes = device.block_bytes};
    struct tape_format_options format = {.identity = identity_of(disk),
                                         .size_bytes = options->tape_bytes,
                                         .chunk_bytes = options->chunk_bytes,
                                         .sync = TAPE_SYNC_FDATASYNC};
    ASSERT(tape_format(fake_device_port(disk->fake), &format) == 0);
    stored_init(&disk->handed);
    stored_init(&disk->durable);
}

void sim_disk_fini(struct sim_disk *disk)
{
    if (disk->fake) {
        fake_device_destroy(disk->fake);
    }
    stored_fini(&disk->handed);
    stored_fini(&disk->durable);
}

void sim_disk_complete(struct sim_disk *disk)
{
    ASSERT(fake_device_pending(disk->fake) > 0);
    struct sim_write write = disk->writes[0];
    disk->has_failed |= disk->fails_next;
    fake_device_complete(disk->fake, 0, disk->has_failed ? -EIO : 0);
    memmove(disk->writes, disk->writes + 1, sizeof(disk->writes) - sizeof(disk->writes[0]));
    if (disk->has_failed) {
        return;
    }
    read_blocks(disk, fake_device_bytes(disk->fake) + write.offset, write.byte_count, true);
    sim_trace(disk->sim, TRACE_DURABLE, disk->node, write.offset, write.byte_count,
              disk->durable.record_count);
}

void sim_disk_crash(struct sim_disk *disk)
{
    fake_device_crash(disk->fake, &disk->sim->disk_prng);
    disk->free_ns = 0;
    disk->stall_until_ns = 0;
    disk->fails_next = false;
    disk->has_failed = false;
}

struct scan {
    struct stored stored;
    bool is_contradicted;
};

static void scan_record(void *context, const struct record_head *head, const uint8_t *payload,
                        uint64_t position)
{
    struct scan *scan = context;
    uint32_t crc = crc32c(0, (const uint8_t *)head + sizeof(head->crc), sizeof(*head) - sizeof(head->crc));
    (void)position;
    if (head->length < RECORD_HEAD_BYTES ||
        crc32c(crc, payload, head->length - RECORD_HEAD_BYTES) != head->crc ||
        !stored_apply(&scan->stored, head)) {
        scan->is_contradicted = true;
    }
}

void sim_disk_scan(struct sim_disk *disk)
{
    struct scan scan = {0};
    struct tape_report report;
    enum tape_verdict verdict = tape_scan(fake_device_port(disk->fake), scan_record, &scan, &report);
    check_scan(disk->sim, disk->node, verdict, scan.is_contradicted, &scan.stored);
    stored_fini(&disk->handed);
    stored_fini(&disk->durable);
    disk->durable = scan.stored;
    stored_copy(&disk->handed, &disk->durable);
}
