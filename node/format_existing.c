/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a tape's place already, and what is lost with it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format_steps.h"
#include "recovery.h"
#include "uring_device.h"

/* Where superblocks, and the signatures of other things, stand. */
#define START_BYTES (1u << 20)

static bool start_is_zero(struct device *device)
{
    size_t byte_count = device->size_bytes < START_BYTES ? (size_t)device->size_bytes : START_BYTES;
    uint8_t *bytes = aligned_alloc(4096, START_BYTES);
    bool zero = bytes && device->read(device, 0, bytes, byte_count) == 0;
    for (size_t i = 0; zero && i < byte_count; i++) {
        zero = bytes[i] == 0;
    }
    free(bytes);
    return zero;
}

static struct device *open_to_read(struct arena *arena, const char *path)
{
    char error_text[URING_DEVICE_ERROR_BYTES] = "";
    struct device *device = NULL;
    struct uring_device_options options = {.path = path, .read_only = true, .event_fd = -1};
    return uring_device_open(arena, &options, &device, error_text) == 0 ? device : NULL;
}

/* The kernel lets one user have a partition exclusively; a file system is one. */
static bool partition_is_busy(const char *path)
{
    int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
    bool busy = fd < 0 && errno == EBUSY;
    if (fd >= 0) {
        close(fd);
    }
    return busy;
}

static enum format_place partition_look(const char *path)
{
    struct arena arena;
    enum format_place place = FORMAT_PLACE_OTHER;
    arena_init(&arena);
    struct device *device = open_to_read(&arena, path);
    if (device) {
        place = start_is_zero(device) ? FORMAT_PLACE_BLANK : FORMAT_PLACE_PARTITION;
        device->close(device);
    }
    arena_fini(&arena);
    return place;
}

enum format_place format_place_of(const struct config_log *log)
{
    struct stat status;
    if (stat(log->path, &status) != 0) {
        return errno == ENOENT ? FORMAT_PLACE_FREE : FORMAT_PLACE_OTHER;
    }
    if (S_ISBLK(status.st_mode)) {
        return partition_is_busy(log->path) ? FORMAT_PLACE_BUSY : partition_look(log->path);
    }
    return S_ISREG(status.st_mode) ? FORMAT_PLACE_FILE : FORMAT_PLACE_OTHER;
}

static void tell_quorums(const struct recovery *recovery)
{
    for (uint32_t i = 0; i < recovery->quorum_count; i++) {
        const struct recovered_quorum *quorum = &recovery->quorums[i];
        fprintf(stderr,
                "tally:   LOST: quorum %s: term %" PRIu64 ", vote, entries up to %" PRIu64
                ", committed at least up to %" PRIu64 "\n",
                quorum->name, quorum->term, quorum->last_index, quorum->commit_index);
    }
}

void format_loss_tell(const struct config_log *log)
{
    struct arena arena;
    struct recovery recovery;
    struct tape_report report = {0};
    arena_init(&arena);
    struct device *device = open_to_read(&arena, log->path);
    if (!device) {
        arena_fini(&arena);
        return;
    }
    recovery_init(&recovery, &arena, QUORUMS_MAX);
    enum tape_verdict verdict = tape_scan(device, recovery_visit, &recovery, &report);
    if (verdict == TAPE_OPEN || verdict == TAPE_DAMAGED) {
        fprintf(stderr,
                "tally: --force: %s holds the tape of cluster %" PRIu64 ", node %" PRIu64
                ", incarnation %" PRIx64 ", log %s%s\n",
                log->path, report.identity.cluster_id, report.identity.node_id, report.identity.incarnation,
                report.identity.log_name, verdict == TAPE_DAMAGED ? " (damaged)" : "");
        tell_quorums(&recovery);
        fprintf(stderr,
                "tally:   other nodes refuse a node that comes back under its old id without its tape\n");
    } else {
        fprintf(stderr, "tally: --force: %s holds no readable tape; LOST: its %" PRIu64 " bytes\n", log->path,
                device->size_bytes);
    }
    device->close(device);
    arena_fini(&arena);
}

int format_file_remove(const struct config_log *log)
{
    if (uring_device_is_in_use(log->path)) {
        fprintf(stderr, "tally: %s: a node has it open; --force is for a node that is stopped\n", log->path);
        return 1;
    }
    if (unlink(log->path) != 0) {
        fprintf(stderr, "tally: %s: %s\n", log->path, strerror(errno));
        return 1;
    }
    return 0;
}
