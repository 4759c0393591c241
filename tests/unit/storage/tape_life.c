/* SPDX-License-Identifier: Apache-2.0 */
#include "tape_life.h"

#include "check.h"

/* ---- what comes back ---- */

struct comparison {
    const struct life *life;
    uint32_t count;
    bool wrong;
};

static void compare(void *context, const struct record_head *head, const uint8_t *payload, uint64_t position)
{
    struct comparison *comparison = context;
    if (comparison->count == comparison->life->count) {
        comparison->wrong = true;
        return;
    }
    const struct life_record *record = &comparison->life->records[comparison->count++];
    comparison->wrong |=
        head->type != record->type || position != record->position ||
        head->length != RECORD_HEAD_BYTES + record->payload_bytes ||
        !rig_record_is(payload - RECORD_HEAD_BYTES, record->quorum, record->index, record->term);
}

static struct tape_options options_of(void)
{
    return rig_options();
}

bool life_comes_back(const struct life *life, struct record_device *device, uint32_t durable_count,
                     uint32_t *ret_count, struct tape_report *ret_report, enum tape_verdict *ret_verdict)
{
    struct comparison comparison = {.life = life};
    struct tape_options options = options_of();
    struct arena arena;
    struct tape *tape = NULL;
    arena_init(&arena);
    *ret_verdict =
        tape_open(&arena, record_device_port(device), &options, compare, &comparison, &tape, ret_report);
    arena_fini(&arena);
    *ret_count = comparison.count;
    return !comparison.wrong && (*ret_verdict != TAPE_OPEN || comparison.count >= durable_count);
}

/* ---- living ---- */

static void durable_note(struct life *life)
{
    uint32_t events = record_device_event_count(life->device);
    ASSERT(events < LIFE_EVENTS_MAX);
    for (; life->event_count < events; life->event_count++) {
        life->durable_at[life->event_count] = life->durable_count;
    }
    while (life->tape && life->durable_count < life->count &&
           life->records[life->durable_count].position <= tape_durable_position(life->tape)) {
        life->durable_count++;
    }
    life->durable_at[events] = life->durable_count;
}

bool life_begin(struct life *life, uint64_t seed, enum tape_sync sync)
{
    struct tape_format_options format = {.identity = rig_identity(),
                                         .size_bytes = LIFE_SIZE_BYTES,
                                         .chunk_bytes = RIG_CHUNK_BYTES,
                                         .sync = sync};
    if (!life->device) {
        life->device = record_device_create(tape_device_bytes(LIFE_SIZE_BYTES));
    }
    life->prng = (struct prng){seed};
    life->now_ns = 1000000000;
    life->term = 1;
    life->count = 0;
    life->durable_count = 0;
    life->event_count = 0;
    arena_init(&life->arena);
    return tape_format(record_device_port(life->device), &format) == 0;
}

void life_end(struct life *life)
{
    arena_fini(&life->arena);
    life->tape = NULL;
    record_device_destroy(life->device);
    life->device = NULL;
}

enum tape_verdict life_open(struct life *life, bool *ret_good)
{
    struct comparison comparison = {.life = life};
    struct tape_options options = options_of();
    arena_fini(&life->arena);
    arena_init(&life->arena);
    life->tape = NULL;
    enum tape_verdict verdict = tape_open(&life->arena, record_device_port(life->device), &options, compare,
                                          &comparison, &life->tape, &life->report);
    *ret_good = !comparison.wrong && (verdict != TAPE_OPEN || comparison.count >= life->durable_count);
    if (verdict == TAPE_OPEN) {
        life->count = comparison.count;
        life->term++;
    }
    durable_note(life);
    life->opened_event_count = life->event_count;
    return verdict;
}

static size_t payload_draw(struct prng *prng)
{
    switch (prng_below(prng, 8)) {
    case 0:
        return (size_t)prng_below(prng, 7500);
    case 1:
        return 0;
    default:
        return (size_t)prng_below(prng, 600);
    }
}

/* Which record does not matter to the tape, but for cursors; any index and type will do. */
static void append(struct life *life)
{
    static const uint8_t types[] = {RECORD_DATA,       RECORD_DATA,     RECORD_DATA,
                                    RECORD_HARD_STATE, RECORD_TRUNCATE, RECORD_CONFIGURATION};
    struct prng *prng = &life->prng;
    struct life_record record = {.type = types[prng_below(prng, sizeof(types))],
                                 .quorum = 1 + prng_below(prng, LIFE_QUORUMS),
                                 .index = 1 + prng_below(prng, 64),
                                 .term = life->term,
                                 .payload_bytes = (uint32_t)payload_draw(prng)};
    struct rig rig = {.tape = life->tape};
    if (life->count < LIFE_RECORDS_MAX &&
        rig_append_type(&rig, record.type, record.quorum, record.index, record.term, record.payload_bytes,
                        prng_below(prng, 4) == 0) == 0) {
        record.position = tape_append_position(life->tape);
        life->records[life->count++] = record;
    }
}

static void complete_any(struct life *life)
{
    unsigned pending = record_device_pending(life->device);
    if (pending > 0) {
        record_device_complete(life->device, (unsigned)prng_below(&life->prng, pending));
    }
}

void life_step(struct life *life)
{
    switch (prng_below(&life->prng, 6)) {
    case 0:
    case 1:
    case 2:
        append(life);
        break;
    case 3:
        tape_submit(life->tape, life->now_ns);
        break;
    case 4:
        complete_any(life);
        break;
    default:
        life->now_ns += prng_below(&life->prng, 2) * 30000000;
        break;
    }
    tape_poll(life->tape, life->now_ns);
    durable_note(life);
}

void life_flush(struct life *life)
{
    while (life->durable_count < life->count && tape_error(life->tape) == 0) {
        tape_submit(life->tape, life->now_ns);
        while (record_device_pending(life->device) > 0) {
            record_device_complete(life->device, 0);
        }
        tape_poll(life->tape, life->now_ns);
        durable_note(life);
    }
}
