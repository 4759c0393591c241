/* SPDX-License-Identifier: Apache-2.0 */
/* A small tape on a fake device, and records that can be told apart. */
#ifndef TALLY_TAPE_RIG_H
#define TALLY_TAPE_RIG_H

#include "fake_device.h"
#include "tape.h"
#include "tape_layout.h"

#define RIG_CHUNK_BYTES (16u << 10)
#define RIG_CHUNK_COUNT 16u
#define RIG_SIZE_BYTES  (RIG_CHUNK_COUNT * RIG_CHUNK_BYTES)
#define RIG_QUORUM      77u

struct rig {
    struct fake_device *fake;
    struct arena arena;
    struct tape *tape;
    struct tape_report report;
    uint64_t now_ns;
};

struct tape_identity rig_identity(void);
struct tape_options rig_options(void);

/* A formatted, empty tape; `manual` as in fake_device.h. */
void rig_format(struct rig *rig, bool manual, enum tape_sync sync);
/* The same with so many chunks. */
void rig_format_chunks(struct rig *rig, uint64_t chunk_count, bool manual, enum tape_sync sync);

/* Opens (again); the old tape is forgotten without being closed. */
enum tape_verdict rig_open(struct rig *rig, tape_visit *visit, void *context);

void rig_fini(struct rig *rig);

/* Appends an entry whose payload of `payload_bytes` follows from index and term. Returns 0 or the error. */
int rig_append(struct rig *rig, uint64_t quorum, uint64_t index, uint64_t term, size_t payload_bytes);
int rig_append_type(struct rig *rig, uint8_t type, uint64_t quorum, uint64_t index, uint64_t term,
                    size_t payload_bytes, bool use_reserve);

/* Whether it is the record that rig_append built. */
bool rig_record_is(const uint8_t *record, uint64_t quorum, uint64_t index, uint64_t term);

/* Submits and completes until everything appended is durable (or the tape failed). */
void rig_flush(struct rig *rig);

/* Reads through the reader, as often as it says wait. */
enum tape_read rig_read(struct rig *rig, struct tape_cursor *cursor, uint64_t index, uint64_t term,
                        const uint8_t **ret_record, struct record_head *ret_head);

#endif
