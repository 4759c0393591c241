/* SPDX-License-Identifier: Apache-2.0 */
#include "tape_reader.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "tape.h"
#include "tape_layout.h"

/* A power of two that holds every slot's request or answer, so that a push never finds its ring full. */
#define READER_RING_CAPACITY READER_CHUNKS_MAX

void reader_init(struct tape_reader *reader, struct arena *arena, uint32_t slot_count, uint32_t chunk_bytes,
                 uint32_t block_bytes, uint64_t incarnation)
{
    ASSERT(slot_count >= 2);
    ASSERT(slot_count <= READER_CHUNKS_MAX);
    reader->slot_count = slot_count;
    reader->chunk_bytes = chunk_bytes;
    reader->block_bytes = block_bytes;
    reader->incarnation = incarnation;
    reader->slots = ARENA_ARRAY(arena, struct reader_slot, slot_count);
    for (uint32_t i = 0; i < slot_count; i++) {
        reader->slots[i].bytes = arena_take(arena, chunk_bytes, 4096);
    }
    spsc_init(&reader->requests, ARENA_ARRAY(arena, struct reader_request, READER_RING_CAPACITY),
              READER_RING_CAPACITY, sizeof(struct reader_request));
    spsc_init(&reader->answers, ARENA_ARRAY(arena, struct reader_answer, READER_RING_CAPACITY),
              READER_RING_CAPACITY, sizeof(struct reader_answer));
    atomic_init(&reader->request_count, 0);
    atomic_init(&reader->sleeping, 0);
}

/* The slot of that chunk, else the free or least recently read one that may be taken away, else NULL. */
static struct reader_slot *slot_choose(struct tape_reader *reader, uint64_t chunk_sequence)
{
    struct reader_slot *choice = NULL;
    for (uint32_t i = 0; i < reader->slot_count; i++) {
        struct reader_slot *slot = &reader->slots[i];
        if (slot->state != READER_FREE && slot->chunk_sequence == chunk_sequence) {
            return slot;
        }
        if (slot->state == READER_ASKED || (slot->state != READER_FREE && slot->fresh)) {
            continue;
        }
        if (!choice ||
            (choice->state != READER_FREE && (slot->state == READER_FREE || slot->used < choice->used))) {
            choice = slot;
        }
    }
    return choice;
}

static void reader_wake(struct tape_reader *reader)
{
    /* sequentially consistent: either the reader's thread sees the new count before it sleeps, or this load
     * sees that it is about to; the futex word settles what is between */
    atomic_fetch_add(&reader->request_count, 1);
    if (atomic_load(&reader->sleeping)) {
        syscall(SYS_futex, &reader->request_count, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

struct reader_slot *reader_ask(struct tape_reader *reader, const struct reader_request *request)
{
    uint64_t chunk_sequence = request->chunk_sequence;
    struct reader_slot *slot = slot_choose(reader, chunk_sequence);
    if (!slot || (slot->state != READER_FREE && slot->chunk_sequence == chunk_sequence)) {
        return slot;
    }
    slot->chunk_sequence = chunk_sequence;
    slot->generation++;
    slot->state = READER_ASKED;
    slot->fresh = true;
    struct reader_request asked = *request;
    asked.slot = (uint32_t)(slot - reader->slots);
    bool pushed = spsc_push(&reader->requests, &asked);
    ASSERT(pushed);
    reader_wake(reader);
    return slot;
}

void reader_forget(struct tape_reader *reader, uint32_t slot, uint32_t generation)
{
    ASSERT(slot < reader->slot_count);
    if (reader->slots[slot].generation == generation) {
        reader->slots[slot].fresh = false;
    }
}

void reader_drop(struct tape_reader *reader, uint64_t chunk_sequence)
{
    for (uint32_t i = 0; i < reader->slot_count; i++) {
        struct reader_slot *slot = &reader->slots[i];
        if (slot->state == READER_FREE || slot->chunk_sequence != chunk_sequence) {
            continue;
        }
        slot->fresh = false;
        if (slot->state != READER_ASKED) {
            slot->state = READER_FREE;
        }
    }
}

unsigned reader_reap(struct tape_reader *reader)
{
    struct reader_answer answer;
    unsigned work = 0;
    while (spsc_pop(&reader->answers, &answer)) {
        struct reader_slot *slot = &reader->slots[answer.slot];
        ASSERT(slot->state == READER_ASKED);
        slot->end = answer.end;
        slot->error = answer.error;
        slot->state = answer.error ? READER_BAD : READER_READY;
        slot->used = ++reader->use_count;
        work++;
    }
    return work;
}

/* ---- the reader's thread ---- */

/* Whether the chunk is an unbroken chain of good blocks up to where the request says. */
static bool chunk_is_whole(const struct tape_reader *reader, const uint8_t *bytes,
                           const struct reader_request *request, uint32_t *ret_end)
{
    struct block_head previous = {0};
    struct block_head head;
    uint32_t end = request->end ? request->end : reader->chunk_bytes;
    for (uint32_t offset = 0; offset < end;) {
        if (!block_check(bytes, reader->chunk_bytes, offset, request->chunk_sequence, reader->incarnation,
                         &head)) {
            return false;
        }
        if (offset > 0 &&
            (head.block_sequence != previous.block_sequence + 1 || head.previous_crc != previous.crc)) {
            return false;
        }
        offset += block_span_bytes(&head, reader->block_bytes);
        *ret_end = offset;
        if (request->end == 0 && head.block_sequence == request->last_block) {
            return head.crc == request->last_crc;
        }
        previous = head;
    }
    return request->end != 0;
}

unsigned tape_reader_poll(struct tape_reader *reader, struct device *device, unsigned budget)
{
    struct reader_request request;
    unsigned work = 0;
    while (work < budget && spsc_pop(&reader->requests, &request)) {
        uint8_t *bytes = reader->slots[request.slot].bytes;
        struct reader_answer answer = {.slot = request.slot};
        int error = device->read(device, request.device_offset, bytes, reader->chunk_bytes);
        if (!error && !chunk_is_whole(reader, bytes, &request, &answer.end)) {
            error = -EBADMSG;
        }
        answer.error = error;
        bool pushed = spsc_push(&reader->answers, &answer);
        ASSERT(pushed);
        reader->served_count++;
        work++;
    }
    return work;
}

void tape_reader_wait(struct tape_reader *reader, uint64_t timeout_ns)
{
    struct timespec timeout = {(time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u)};
    atomic_store(&reader->sleeping, 1);
    if (atomic_load(&reader->request_count) == reader->served_count) {
        syscall(SYS_futex, &reader->request_count, FUTEX_WAIT_PRIVATE, reader->served_count, &timeout, NULL,
                0);
    }
    atomic_store(&reader->sleeping, 0);
}
