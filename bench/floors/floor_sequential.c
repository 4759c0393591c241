/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of a disk's stream: blocks written, or read, one after the other past the page cache, several in
 * flight. Blocks of the file were really written before; when its end is reached, it begins again. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "floor.h"
#include "floor_disk.h"
#include "floor_options.h"
#include "floor_process.h"

enum { DEPTH_MAX = 64 };

struct settings {
    const char *directory;
    const char *mode;
    uint64_t block_bytes;
    uint64_t depth;
    uint64_t sync_blocks;
    uint64_t count;
    uint64_t size_mib;
    uint64_t seconds;
    bool json;
};

/* Slot i has its own buffer, and at most one block in flight. */
struct stream {
    const struct settings *settings;
    struct io_uring ring;
    int file;
    uint64_t started_count;
    uint64_t finished_count;
    uint64_t offset_bytes;
    void *buffer[DEPTH_MAX];
    uint64_t started_ns[DEPTH_MAX];
};

static struct settings parse_settings(int argc, char **argv)
{
    static struct settings s = {.directory = ".",
                                .mode = "write",
                                .block_bytes = 1 << 20,
                                .depth = 8,
                                .count = 1024,
                                .size_mib = 64,
                                .seconds = 10};
    const struct floor_option options[] = {
        {.name = "dir", .help = "where the file is made, and removed", .text = &s.directory},
        {.name = "mode", .help = "what is measured", .text = &s.mode, .words = "write|read"},
        {.name = "bytes", .help = "of a block", .number = &s.block_bytes, .minimum = 512, .maximum = 1 << 20},
        {.name = "depth", .help = "blocks in flight", .number = &s.depth, .minimum = 1, .maximum = DEPTH_MAX},
        {.name = "sync-every", .help = "blocks; 0: never", .number = &s.sync_blocks, .maximum = 1000000},
        {.name = "count", .help = "blocks", .number = &s.count, .minimum = 1, .maximum = 10000000},
        {.name = "size",
         .help = "of the file, in MiB",
         .number = &s.size_mib,
         .minimum = 1,
         .maximum = 65536},
        {.name = "seconds", .help = "at most", .number = &s.seconds, .minimum = 1, .maximum = 600},
        {.name = "json", .help = "print one machine line", .flag = &s.json},
        {0},
    };

    floor_options_parse(options, argc, argv);
    if (s.block_bytes % 512 != 0) {
        floor_refuse("--bytes", "is not a multiple of 512");
    }
    return s;
}

static void start_block(struct stream *stream, unsigned slot)
{
    const struct settings *s = stream->settings;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&stream->ring);
    unsigned bytes = (unsigned)s->block_bytes;

    if (stream->offset_bytes + bytes > s->size_mib << 20) {
        stream->offset_bytes = 0;
    }
    if (strcmp(s->mode, "read") == 0) {
        io_uring_prep_read(sqe, stream->file, stream->buffer[slot], bytes, stream->offset_bytes);
    } else {
        io_uring_prep_write(sqe, stream->file, stream->buffer[slot], bytes, stream->offset_bytes);
    }
    io_uring_sqe_set_data64(sqe, slot);
    stream->offset_bytes += bytes;
    stream->started_count++;
    stream->started_ns[slot] = floor_now_ns();
    if (io_uring_submit(&stream->ring) != 1) {
        floor_refuse("io_uring_submit", "took no block");
    }
}

static unsigned finish_block(struct stream *stream, struct floor_samples *samples)
{
    struct io_uring_cqe *cqe = NULL;
    int result = io_uring_wait_cqe(&stream->ring, &cqe);

    while (result == -EINTR) {
        result = io_uring_wait_cqe(&stream->ring, &cqe);
    }
    if (result != 0 || cqe->res != (int)stream->settings->block_bytes) {
        errno = result != 0 ? -result : (cqe->res < 0 ? -cqe->res : EIO);
        floor_die(stream->settings->mode);
    }
    unsigned slot = (unsigned)cqe->user_data;
    io_uring_cqe_seen(&stream->ring, cqe);
    floor_samples_add(samples, floor_now_ns() - stream->started_ns[slot]);
    stream->finished_count++;
    return slot;
}

static void sync_file(const struct stream *stream)
{
    if (fdatasync(stream->file) != 0) {
        floor_die("fdatasync");
    }
}

/* Moves up to `limit` blocks, keeping `depth` in flight, and waits for the last one. */
static void move_blocks(struct stream *stream, uint64_t limit, uint64_t deadline_ns,
                        struct floor_samples *samples)
{
    uint64_t last = stream->started_count + limit;

    for (unsigned slot = 0; slot < stream->settings->depth && stream->started_count < last; slot++) {
        start_block(stream, slot);
    }
    while (stream->finished_count < stream->started_count) {
        unsigned slot = finish_block(stream, samples);
        if (stream->started_count < last && floor_now_ns() < deadline_ns) {
            start_block(stream, slot);
        }
    }
}

static uint64_t run_stream(struct stream *stream, struct floor_samples *samples)
{
    const struct settings *s = stream->settings;
    uint64_t start_ns = floor_now_ns();
    uint64_t deadline_ns = start_ns + s->seconds * 1000000000U;

    while (stream->finished_count < s->count && floor_now_ns() < deadline_ns) {
        uint64_t left = s->count - stream->finished_count;
        bool synced = s->sync_blocks > 0;
        move_blocks(stream, synced && s->sync_blocks < left ? s->sync_blocks : left, deadline_ns, samples);
        if (synced) {
            sync_file(stream);
        }
    }
    return floor_now_ns() - start_ns;
}

static void open_stream(struct stream *stream, const struct settings *s)
{
    *stream = (struct stream){.settings = s, .file = floor_disk_create_file(s->directory, s->size_mib << 20)};
    errno = -io_uring_queue_init(DEPTH_MAX, &stream->ring, 0);
    if (errno != 0) {
        floor_die("io_uring_queue_init");
    }
    for (unsigned slot = 0; slot < s->depth; slot++) {
        stream->buffer[slot] = floor_disk_buffer(s->block_bytes);
    }
}

int main(int argc, char **argv)
{
    struct settings s = parse_settings(argc, argv);
    static struct stream stream;
    struct floor_samples samples;
    char detail[128];

    floor_process_start((unsigned)s.seconds + 60);
    floor_samples_create(&samples, s.count);
    open_stream(&stream, &s);
    uint64_t elapsed_ns = run_stream(&stream, &samples);
    floor_process_finish();
    snprintf(detail, sizeof(detail), "%u bytes, %u in flight, sync every %u blocks", (unsigned)s.block_bytes,
             (unsigned)s.depth, (unsigned)s.sync_blocks);
    floor_report_print(&(struct floor_report){.floor = "sequential",
                                              .mode = s.mode,
                                              .detail = detail,
                                              .elapsed_ns = elapsed_ns,
                                              .block_bytes = s.block_bytes,
                                              .json = s.json},
                       &samples);
    return 0;
}
