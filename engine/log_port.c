/* SPDX-License-Identifier: Apache-2.0 */
/* The host's log is the tape; only the words differ. */
#include "engine_internal.h"

#include <string.h>

_Static_assert(sizeof(struct tape_cursor) <= sizeof(struct host_cursor),
               "the port's cursor holds the tape's");

static int log_room(void *context, size_t record_bytes, uint32_t record_count, bool use_reserve)
{
    return tape_room(context, record_bytes, record_count, use_reserve);
}

static uint8_t *log_reserve(void *context, size_t payload_bytes, bool use_reserve, int *ret_error)
{
    return tape_reserve(context, payload_bytes, use_reserve, ret_error);
}

static uint64_t log_append(void *context)
{
    return tape_append(context);
}

static uint64_t log_durable_position(void *context)
{
    return tape_durable_position(context);
}

static uint64_t log_stall_ns(void *context, uint64_t now_ns)
{
    return tape_stall_ns(context, now_ns);
}

static int log_error(void *context)
{
    return tape_error(context);
}

static struct tape_cursor *cursor_of(struct host_cursor *cursor)
{
    return (struct tape_cursor *)(void *)cursor->words;
}

static enum host_read log_read(void *context, struct host_cursor *cursor, uint64_t quorum_number,
                               uint64_t index, uint64_t term, const uint8_t **ret_record,
                               struct record_head *ret_head)
{
    struct tape_cursor *own = cursor_of(cursor);
    if (own->quorum_number != quorum_number) {
        tape_cursor_init(own, quorum_number);
    }
    switch (tape_read(context, own, index, term, ret_record, ret_head)) {
    case TAPE_READ_RECORD:
        return HOST_READ_RECORD;
    case TAPE_READ_WAIT:
        return HOST_READ_WAIT;
    case TAPE_READ_END:
        return HOST_READ_END;
    case TAPE_READ_GONE:
        return HOST_READ_GONE;
    case TAPE_READ_FAILED:
        return HOST_READ_FAILED;
    }
    return HOST_READ_FAILED;
}

static void log_cursor_release(void *context, struct host_cursor *cursor)
{
    struct tape_cursor *own = cursor_of(cursor);
    if (own->quorum_number != 0) {
        tape_cursor_release(context, own);
    }
}

struct host_log engine_log_port(struct engine *engine)
{
    return (struct host_log){
        .context = engine->tape,
        .room = log_room,
        .reserve = log_reserve,
        .append = log_append,
        .durable_position = log_durable_position,
        .stall_ns = log_stall_ns,
        .error = log_error,
        .read = log_read,
        .cursor_release = log_cursor_release,
    };
}
