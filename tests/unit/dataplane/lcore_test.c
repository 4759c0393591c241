/* SPDX-License-Identifier: Apache-2.0 */
/* The loop without EAL: plain threads run it. */
#include <pthread.h>
#include <sched.h>

#include "lcore.h"
#include "prng.h"
#include "test.h"

#define ROUNDS 20000

/* Two loops hand a number to and fro; each pushes by a store and rings the other's doorbell. */
struct player {
    struct lcore *other;
    struct lcore *self;
    _Atomic uint32_t *inbox;
    _Atomic uint32_t *outbox;
    _Atomic bool *stop;
    struct prng prng;
    uint32_t seen;
};

static unsigned player_poll(void *part, uint64_t now_ns)
{
    (void)now_ns;
    struct player *player = part;
    uint32_t value = atomic_load_explicit(player->inbox, memory_order_acquire);
    if (value == player->seen) {
        return 0;
    }
    player->seen = value;
    for (volatile uint64_t i = prng_below(&player->prng, 2000); i > 0; i = i - 1) {
    }
    if (value >= ROUNDS) {
        atomic_store(player->stop, true);
    }
    atomic_store_explicit(player->outbox, value + 1, memory_order_release);
    lcore_ring_doorbell(player->other);
    return 1;
}

static void *player_run(void *argument)
{
    struct player *player = argument;
    lcore_run(player->self, player->stop);
    return NULL;
}

static void two_loops_wake_each_other(void)
{
    struct arena arena;
    arena_init(&arena);
    _Atomic uint32_t boxes[2] = {1, 0};
    _Atomic bool stop = false;
    struct player players[2];
    struct lcore *lcores[2];
    for (unsigned i = 0; i < 2; i++) {
        lcores[i] = lcore_create(&arena, POLL_SHARED);
        CHECK(lcores[i] != NULL);
    }
    for (unsigned i = 0; i < 2; i++) {
        players[i] = (struct player){.other = lcores[1 - i],
                                     .self = lcores[i],
                                     .inbox = &boxes[i],
                                     .outbox = &boxes[1 - i],
                                     .stop = &stop,
                                     .prng = {.state = i}};
        lcore_add_part(lcores[i], (struct lcore_part){.poll = player_poll, .part = &players[i]});
    }
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++) {
        CHECK(pthread_create(&threads[i], NULL, player_run, &players[i]) == 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        CHECK(lcore_counters_of(lcores[i])->busy_turns >= ROUNDS / 2 - 1);
        lcore_destroy(lcores[i]);
    }
    arena_fini(&arena);
}

/* ---- turns are counted truly ---- */

struct script {
    unsigned turns;
    unsigned work_until;
    unsigned stop_at;
    unsigned sleeps_said;
    unsigned wakes_said;
    _Atomic bool *stop;
    struct lcore *lcore;
    unsigned (*poll)(void *part, uint64_t now_ns); /* NULL: script_poll */
    bool (*awaits_kernel)(void *part);
};

static unsigned script_poll(void *part, uint64_t now_ns)
{
    (void)now_ns;
    struct script *script = part;
    script->turns++;
    if (script->turns >= script->stop_at) {
        atomic_store(script->stop, true);
    }
    return script->turns <= script->work_until ? 3 : 0;
}

static void script_set_sleeping(void *context, bool sleeping)
{
    struct script *script = context;
    *(sleeping ? &script->sleeps_said : &script->wakes_said) += 1;
}

/* Others ring when the last look is over, before the loop waits: the wait must end at once. */
static unsigned late_ring_poll(void *part, uint64_t now_ns)
{
    struct script *script = part;
    unsigned work = script_poll(part, now_ns);
    if (script->sleeps_said > script->wakes_said) {
        lcore_ring_doorbell(script->lcore);
    }
    return work;
}

/* Rings while the loop is awake cost nothing and wake nobody. */
static unsigned early_ring_poll(void *part, uint64_t now_ns)
{
    struct script *script = part;
    if (script->sleeps_said == script->wakes_said) {
        lcore_ring_doorbell(script->lcore);
    }
    return script_poll(part, now_ns);
}

static bool write_is_under_way(void *part)
{
    const struct script *script = part;
    return script->turns > script->work_until;
}

static uint64_t deadline_is_past(void *part)
{
    (void)part;
    return 1;
}

static struct lcore_counters script_run(struct script *script, enum poll_profile profile,
                                        uint64_t (*deadline_ns)(void *part))
{
    struct arena arena;
    arena_init(&arena);
    _Atomic bool stop = false;
    script->stop = &stop;
    struct lcore *lcore = lcore_create(&arena, profile);
    CHECK(lcore != NULL);
    script->lcore = lcore;
    lcore_add_part(lcore, (struct lcore_part){.poll = script->poll != NULL ? script->poll : script_poll,
                                              .deadline_ns = deadline_ns,
                                              .awaits_kernel = script->awaits_kernel,
                                              .part = script});
    lcore_on_sleep(lcore, script_set_sleeping, script);
    lcore_run(lcore, &stop);
    struct lcore_counters counters = *lcore_counters_of(lcore);
    lcore_destroy(lcore);
    arena_fini(&arena);
    return counters;
}

static void turns_are_counted(void)
{
    struct script script = {.work_until = 10, .stop_at = 40};
    struct lcore_counters counters = script_run(&script, POLL_SPIN, NULL);
    CHECK_EQUAL(counters.busy_turns, 10);
    CHECK_EQUAL(counters.idle_turns, 30);
    CHECK_EQUAL(counters.sleeps, 0);
    CHECK_EQUAL(script.sleeps_said, 0);
}

static void the_shared_profile_yields_then_sleeps(void)
{
    struct script script = {.work_until = 10, .stop_at = 10 + LCORE_YIELDS};
    CHECK_EQUAL(script_run(&script, POLL_SHARED, NULL).sleeps, 0);
    script = (struct script){.work_until = 10, .stop_at = 10 + LCORE_YIELDS + 5};
    struct lcore_counters counters = script_run(&script, POLL_SHARED, NULL);
    CHECK(counters.sleeps > 0);
    CHECK_EQUAL(script.sleeps_said, counters.sleeps);
    CHECK_EQUAL(script.wakes_said, counters.sleeps);
    CHECK(counters.idle_ns >= LCORE_SLEEP_MIN_NS);
}

static void who_waits_for_the_kernel_sleeps_soon(void)
{
    struct script script = {
        .awaits_kernel = write_is_under_way, .work_until = 10, .stop_at = 10 + LCORE_YIELDS_AWAITING};
    CHECK_EQUAL(script_run(&script, POLL_SHARED, NULL).sleeps, 0);
    script = (struct script){
        .awaits_kernel = write_is_under_way, .work_until = 10, .stop_at = 10 + LCORE_YIELDS_AWAITING + 5};
    CHECK(script_run(&script, POLL_SHARED, NULL).sleeps > 0);
}

static void a_ring_after_the_last_look_ends_the_sleep(void)
{
    struct script script = {.poll = late_ring_poll, .stop_at = LCORE_YIELDS + 50};
    struct lcore_counters counters = script_run(&script, POLL_SHARED, NULL);
    CHECK(counters.sleeps > 0);
    CHECK_EQUAL(counters.wakes, counters.sleeps);
    script = (struct script){.poll = early_ring_poll, .stop_at = LCORE_YIELDS + 5};
    counters = script_run(&script, POLL_SHARED, NULL);
    CHECK(counters.sleeps > 0);
    CHECK_EQUAL(counters.wakes, 0);
}

static void a_deadline_that_is_due_is_not_slept_over(void)
{
    struct script script = {.stop_at = 2000};
    struct lcore_counters counters = script_run(&script, POLL_SHARED, deadline_is_past);
    CHECK_EQUAL(counters.sleeps, 0);
    CHECK_EQUAL(counters.idle_turns, 2000);
}

static const struct test_case cases[] = {
    {"two loops wake each other", two_loops_wake_each_other},
    {"busy and idle turns are counted truly, a spinner never sleeps", turns_are_counted},
    {"the shared profile yields, then sleeps, and says so around each sleep",
     the_shared_profile_yields_then_sleeps},
    {"a loop that waits for the kernel yields a little, then sleeps: the kernel needs the processor",
     who_waits_for_the_kernel_sleeps_soon},
    {"a ring after the last look ends the sleep, one while awake is free",
     a_ring_after_the_last_look_ends_the_sleep},
    {"a deadline that is due is not slept over", a_deadline_that_is_due_is_not_slept_over},
};

TEST_MAIN(cases)
