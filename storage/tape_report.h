/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a tape is, what opening or scanning it found, and what visitors of its blocks and records see. */
#ifndef TALLY_TAPE_REPORT_H
#define TALLY_TAPE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"

enum tape_sync { TAPE_SYNC_FDATASYNC = 1, TAPE_SYNC_DSYNC = 2, TAPE_SYNC_NONE = 3 };

struct tape_identity {
    uint64_t cluster_id;
    uint64_t node_id;
    uint64_t incarnation; /* drawn at format; not 0 */
    char log_name[32];    /* NUL-terminated */
};

enum tape_verdict {
    TAPE_OPEN,
    TAPE_NOT_A_TAPE, /* no superblock copy is good */
    TAPE_OTHER_VERSION,
    TAPE_OTHER_CLUSTER,
    TAPE_OTHER_NODE,
    TAPE_OTHER_INCARNATION,
    TAPE_OTHER_LOG,
    TAPE_TOO_SMALL,  /* the file is shorter than the superblock says */
    TAPE_DAMAGED,    /* a bad block at or below a durable mark: never cut silently */
    TAPE_READ_ERROR, /* or the device cannot be written in the tape's blocks (error -EINVAL) */
};

/* What opening found; printed by the node and by `tally log verify`. */
struct tape_report {
    struct tape_identity identity; /* as stored */
    uint64_t size_bytes;
    uint32_t chunk_bytes;
    enum tape_sync sync;
    uint64_t open_count;
    bool rebooted;        /* the boot id stored at the last open is another one */
    uint64_t chunk_count; /* in use */
    uint64_t
        checkpoint_position; /* of the block in which the checkpoint begins that it began with; 0: none */
    bool checkpoint_lost;    /* a newer one was named and could not be read: it is the one before */
    uint64_t block_count;    /* walked */
    uint64_t record_count;
    uint64_t end_position;  /* of the last good record */
    uint64_t torn_bytes;    /* cut from the tail */
    uint64_t damage_offset; /* on TAPE_DAMAGED: device offset of the first bad block */
    int error;              /* on TAPE_READ_ERROR: -errno */
};

/* Called for every record in tape order while opening or scanning; `payload` is valid during the call. */
typedef void tape_visit(void *context, const struct record_head *head, const uint8_t *payload,
                        uint64_t position);

/* One block, for `log dump`. */
struct tape_block_view {
    uint64_t device_offset;
    uint64_t position; /* of its first byte */
    uint64_t block_sequence;
    uint64_t durable_block; /* all up to this one were durable when it was written */
    uint64_t chunk_sequence;
    uint32_t open_count;
    uint32_t length; /* used bytes */
    uint32_t record_count;
    uint8_t kind; /* enum block_kind of tape_layout.h */
};

/* Called for every good block in tape order, before its records. */
typedef void tape_visit_block(void *context, const struct tape_block_view *block);

const char *tape_verdict_name(enum tape_verdict verdict);

#endif
