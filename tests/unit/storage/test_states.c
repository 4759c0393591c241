/* SPDX-License-Identifier: Apache-2.0 */
/* Every moment of a tape's life at which the machine can stop, with every set of sectors that the disk may
 * have kept of what was not yet durable: each such disk is opened, and must give what was acknowledged.
 *
 *     test_storage_states [--states N] [--seed S]     S: new each time; N: states of the first case */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tape_life.h"
#include "test.h"

/* All subsets of up to so many sectors; of more, none, all, all beginnings and some at random. */
#define SECTORS_EXHAUSTIVE 8u
#define SUBSETS_RANDOM     24u
#define SECTORS_MAX        512u

static uint64_t seed;
static uint64_t states_wanted = 200000;

struct judge {
    uint64_t seed; /* of the first tape */
    struct life life;
    struct record_device *disk;
    struct prng prng;
    uint64_t state_count;
    uint64_t torn_count;
    uint64_t second_count;
    bool is_volatile; /* what is complete is not durable */
};

/* A sector of a write that is not complete. */
struct sector {
    uint64_t offset;
    const uint8_t *bytes;
};

/* How many records must come back: a volatile tape promises only what opening, which syncs, had found. */
static uint32_t durable_count_at(const struct judge *judge, uint32_t event)
{
    return judge->life.durable_at[judge->is_volatile ? 0 : event];
}

static void state_print(const struct judge *judge, const char *what, uint32_t event, uint32_t count,
                        enum tape_verdict verdict)
{
    printf("# seed %llu, after event %u of %u: %s: verdict %s, %u records of %u came back, %u were durable\n",
           (unsigned long long)judge->seed, event, judge->life.event_count, what, tape_verdict_name(verdict),
           count, judge->life.count, durable_count_at(judge, event));
}

/* A new process opens what is there, writes a little more, and the machine stops again: what it had found was
 * durable then. */
static bool second_crash_is_survived(struct judge *judge, uint32_t found_count)
{
    static struct life second;
    bool good = false;
    second.device = judge->disk;
    second.prng = judge->prng;
    second.term = 1000;
    second.now_ns = judge->life.now_ns;
    memcpy(second.records, judge->life.records, found_count * sizeof(second.records[0]));
    second.count = found_count;
    second.durable_count = found_count;
    second.event_count = 0;
    record_device_forget(judge->disk);
    arena_init(&second.arena);
    good = life_open(&second, &good) == TAPE_OPEN && good && second.count == found_count;
    for (unsigned i = 0; good && i < 6; i++) {
        life_step(&second);
    }
    record_device_crash(judge->disk, &second.prng);
    good = good && life_open(&second, &good) == TAPE_OPEN && good;
    arena_fini(&second.arena);
    second.tape = NULL;
    judge->prng = second.prng;
    judge->second_count++;
    return good;
}

/* The state that is on judge->disk now. */
static void state_judge(struct judge *judge, uint32_t event)
{
    uint32_t count;
    struct tape_report report;
    enum tape_verdict verdict;
    bool good =
        life_comes_back(&judge->life, judge->disk, durable_count_at(judge, event), &count, &report, &verdict);
    judge->state_count++;
    judge->torn_count += report.torn_bytes > 0;
    if (!good || verdict != TAPE_OPEN) {
        state_print(judge, "a crash", event, count, verdict);
    }
    CHECK(good);
    CHECK_EQUAL(verdict, TAPE_OPEN);
    if (prng_below(&judge->prng, 4) == 0) {
        bool survived = second_crash_is_survived(judge, count);
        if (!survived) {
            state_print(judge, "a second crash", event, count, verdict);
        }
        CHECK(survived);
    }
}

/* Calls nothing durable that is not: bit i of `kept` says whether sector i is on the disk; beyond 64 sectors
 * `random` decides. */
static void subset_judge(struct judge *judge, uint32_t event, const struct sector *sectors,
                         unsigned sector_count, const bool *kept)
{
    record_device_keep(judge->disk);
    for (unsigned i = 0; i < sector_count; i++) {
        if (kept[i]) {
            record_device_put(judge->disk, sectors[i].offset, sectors[i].bytes, RECORD_SECTOR_BYTES);
        }
    }
    state_judge(judge, event);
    record_device_go_back(judge->disk);
    record_device_forget(judge->disk);
}

/* What is not durable, without the sectors of which the disk holds the very bytes already. */
static unsigned sectors_pending(const struct judge *judge, const bool *pending, uint32_t write_count,
                                struct sector *sectors)
{
    const uint8_t *disk = record_device_bytes(judge->disk);
    unsigned count = 0;
    for (uint32_t number = 0; number < write_count; number++) {
        struct record_write write = record_device_write(judge->life.device, number);
        for (size_t at = 0; pending[number] && at < write.byte_count; at += RECORD_SECTOR_BYTES) {
            CHECK(count < SECTORS_MAX);
            if (memcmp(disk + write.offset + at, write.bytes + at, RECORD_SECTOR_BYTES) != 0) {
                sectors[count++] = (struct sector){write.offset + at, write.bytes + at};
            }
        }
    }
    return count;
}

static void subsets_judge(struct judge *judge, uint32_t event, const struct sector *sectors, unsigned count)
{
    bool kept[SECTORS_MAX] = {false};
    if (count <= SECTORS_EXHAUSTIVE) {
        for (unsigned subset = 0; subset < 1u << count; subset++) {
            for (unsigned i = 0; i < count; i++) {
                kept[i] = subset >> i & 1u;
            }
            subset_judge(judge, event, sectors, count, kept);
        }
        return;
    }
    for (unsigned end = 0; end <= count; end++) {
        for (unsigned i = 0; i < count; i++) {
            kept[i] = i < end;
        }
        subset_judge(judge, event, sectors, count, kept);
    }
    for (unsigned n = 0; n < SUBSETS_RANDOM; n++) {
        uint64_t likely = 1 + prng_below(&judge->prng, 7);
        for (unsigned i = 0; i < count; i++) {
            kept[i] = prng_below(&judge->prng, 8) < likely;
        }
        subset_judge(judge, event, sectors, count, kept);
    }
}

/* Every prefix of the events of the life's device, from the disk as it was before the first of them. */
static void life_judge(struct judge *judge)
{
    static bool pending[LIFE_EVENTS_MAX];
    static struct sector sectors[SECTORS_MAX];
    uint32_t write_count = 0;
    memset(pending, 0, sizeof(pending));
    for (uint32_t event = 0; event <= judge->life.event_count; event++) {
        if (event > 0) {
            struct record_event happened = record_device_event(judge->life.device, event - 1);
            struct record_write write = record_device_write(judge->life.device, happened.write);
            bool durable = happened.completed && (write.is_synced || !judge->is_volatile);
            pending[happened.write] = !durable;
            write_count = happened.write < write_count ? write_count : happened.write + 1;
            if (durable) {
                record_device_put(judge->disk, write.offset, write.bytes, write.byte_count);
            }
        }
        subsets_judge(judge, event, sectors, sectors_pending(judge, pending, write_count, sectors));
    }
}

static void disk_copy(struct record_device *to, const struct record_device *from)
{
    record_device_put(to, 0, record_device_bytes(from), tape_device_bytes(LIFE_SIZE_BYTES));
}

/* One tape, opened a few times; each of its lives is judged from the disk that it found. */
static void tape_judge(struct judge *judge, uint64_t tape_seed, enum tape_sync sync)
{
    bool good = false;
    CHECK(life_begin(&judge->life, tape_seed, sync));
    record_device_forget(judge->life.device); /* what formatting wrote; test_crash.c judges that */
    for (unsigned opening = 0; opening < 4; opening++) {
        disk_copy(judge->disk, judge->life.device);
        judge->life.event_count = 0;
        judge->life.durable_at[0] = judge->life.durable_count;
        CHECK_EQUAL(life_open(&judge->life, &good), TAPE_OPEN);
        CHECK(good);
        for (uint64_t steps = prng_below(&judge->life.prng, 90); steps > 0; steps--) {
            life_step(&judge->life);
        }
        life_judge(judge);
        record_device_crash(judge->life.device, &judge->life.prng);
    }
    arena_fini(&judge->life.arena);
    judge->life.tape = NULL;
}

static struct judge *judge_begin(uint64_t first_seed, enum tape_sync sync)
{
    static struct judge judge;
    if (judge.disk) {
        life_end(&judge.life);
        record_device_destroy(judge.disk);
    }
    judge = (struct judge){.seed = first_seed,
                           .prng = {first_seed},
                           .disk = record_device_create(tape_device_bytes(LIFE_SIZE_BYTES)),
                           .is_volatile = sync == TAPE_SYNC_NONE};
    return &judge;
}

/* Tapes from this seed on, until there were so many states. */
static void states_judge(uint64_t first_seed, uint64_t state_count, enum tape_sync sync)
{
    struct judge *judge = judge_begin(first_seed, sync);
    uint64_t tapes = 0;
    while (judge->state_count < state_count) {
        tape_judge(judge, first_seed + tapes, sync);
        tapes++;
    }
    printf("# %llu states of %llu tapes, %llu with a torn tail, %llu crashed twice; --seed %llu\n",
           (unsigned long long)judge->state_count, (unsigned long long)tapes,
           (unsigned long long)judge->torn_count, (unsigned long long)judge->second_count,
           (unsigned long long)first_seed);
    CHECK(judge->torn_count > judge->state_count / 20);
    CHECK(judge->second_count > judge->state_count / 8);
}

static void every_crash(void)
{
    states_judge(seed, states_wanted, TAPE_SYNC_FDATASYNC);
}

static void every_volatile_crash(void)
{
    states_judge(seed, states_wanted / 5, TAPE_SYNC_NONE);
}

static void fixed_seeds(void)
{
    states_judge(1, 10000, TAPE_SYNC_FDATASYNC);
    states_judge(2, 5000, TAPE_SYNC_NONE);
}

static const struct test_case cases[] = {
    {"every prefix of every life, with any sectors of what was not durable, gives back what was acknowledged",
     every_crash},
    {"of a volatile tape any sectors of all that it wrote give a prefix, and never damage",
     every_volatile_crash},
    {"the same of the seeds 1 and 2", fixed_seeds},
};

int main(int argc, char **argv)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    seed = (uint64_t)now.tv_sec * 1000003u + (uint64_t)now.tv_nsec + (uint64_t)getpid();
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[i + 1], NULL, 0);
        } else if (strcmp(argv[i], "--states") == 0) {
            states_wanted = strtoull(argv[i + 1], NULL, 0);
        } else {
            fprintf(stderr, "usage: %s [--states N] [--seed S]\n", argv[0]);
            return 2;
        }
    }
    return test_main(cases, sizeof(cases) / sizeof(cases[0]));
}
