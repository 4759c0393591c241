/* SPDX-License-Identifier: Apache-2.0 */
#include "floor_log.h"

#include <string.h>

#include "floor_process.h"

void floor_log_open(struct floor_log *log, int file, uint64_t size_bytes, size_t gather_bytes)
{
    size_t bytes = gather_bytes + FLOOR_BLOCK_BYTES;

    *log = (struct floor_log){.is_durable = file >= 0};
    if (log->is_durable) {
        log->gathering = floor_disk_buffer(bytes);
        log->flying = floor_disk_buffer(bytes);
        floor_disk_open(&log->disk, file, size_bytes, FLOOR_SYNC_FDATASYNC, -1);
    }
}

void floor_log_append(struct floor_log *log, uint64_t number, const void *payload, size_t bytes)
{
    if (number != log->received + 1) {
        floor_refuse("log", "an entry was lost on the way");
    }
    log->received = number;
    if (!log->is_durable) {
        log->held = number;
        return;
    }
    memcpy(log->gathering + log->gathered_bytes, payload, bytes);
    log->gathered_bytes += bytes;
}

/* Writes what was gathered, in whole blocks. */
static void start_write(struct floor_log *log)
{
    unsigned char *buffer = log->gathering;
    size_t bytes = (log->gathered_bytes + FLOOR_BLOCK_BYTES - 1) / FLOOR_BLOCK_BYTES * FLOOR_BLOCK_BYTES;

    log->gathering = log->flying;
    log->flying = buffer;
    log->gathered_bytes = 0;
    log->writing = log->received;
    log->is_writing = true;
    floor_disk_submit(&log->disk, buffer, bytes);
}

unsigned floor_log_poll(struct floor_log *log)
{
    unsigned work = 0;

    if (log->is_writing && floor_disk_poll(&log->disk)) {
        log->held = log->writing;
        log->is_writing = false;
        work++;
    }
    if (!log->is_writing && log->gathered_bytes > 0) {
        start_write(log);
        work++;
    }
    return work;
}
