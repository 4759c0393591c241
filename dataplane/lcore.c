/* SPDX-License-Identifier: Apache-2.0 */
#include "lcore.h"

#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_atomic.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>

#include "check.h"

/* Idle turns of the adaptive profile: spin, then pause, then yield, then sleep. */
#define ADAPTIVE_SPINS  1000
#define ADAPTIVE_PAUSES 10000
#define EVENTS_MAX      8

struct lcore_sleeper {
    void (*set_sleeping)(void *context, bool sleeping);
    void *context;
};

struct lcore {
    struct lcore_part parts[LCORE_PARTS_MAX];
    unsigned part_count;
    struct lcore_sleeper sleepers[LCORE_PARTS_MAX];
    unsigned sleeper_count;
    enum poll_profile profile;
    int epoll_fd;
    int doorbell_fd;
    unsigned idle_turns; /* since the last work */
    uint64_t sleep_ns;   /* the next sleep */
    uint64_t turn_ns;    /* begin of the last turn */
    bool turn_was_busy;
    const _Atomic bool *stop;
    struct lcore_counters counters;
    _Alignas(64) _Atomic uint32_t sleeping; /* set by the loop, cleared by whoever rings */
};

uint64_t lcore_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void counter_add(uint64_t *counter, uint64_t count)
{
    __atomic_store_n(counter, *counter + count, __ATOMIC_RELAXED);
}

struct lcore *lcore_create(struct arena *arena, enum poll_profile profile)
{
    struct lcore *lcore = ARENA_NEW(arena, struct lcore);
    lcore->profile = profile;
    lcore->sleep_ns = LCORE_SLEEP_MIN_NS;
    lcore->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    lcore->doorbell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (lcore->epoll_fd < 0 || lcore->doorbell_fd < 0 || lcore_watch_fd(lcore, lcore->doorbell_fd) != 0) {
        lcore_destroy(lcore);
        return NULL;
    }
    return lcore;
}

void lcore_destroy(struct lcore *lcore)
{
    if (lcore->epoll_fd >= 0) {
        close(lcore->epoll_fd);
    }
    if (lcore->doorbell_fd >= 0) {
        close(lcore->doorbell_fd);
    }
}

void lcore_add_part(struct lcore *lcore, struct lcore_part part)
{
    ASSERT(lcore->part_count < LCORE_PARTS_MAX);
    lcore->parts[lcore->part_count++] = part;
}

int lcore_watch_fd(struct lcore *lcore, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(lcore->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

void lcore_unwatch_fd(struct lcore *lcore, int fd)
{
    epoll_ctl(lcore->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void lcore_on_sleep(struct lcore *lcore, void (*set_sleeping)(void *context, bool sleeping), void *context)
{
    ASSERT(lcore->sleeper_count < LCORE_PARTS_MAX);
    lcore->sleepers[lcore->sleeper_count++] = (struct lcore_sleeper){set_sleeping, context};
}

void lcore_ring_doorbell(struct lcore *lcore)
{
    /* Partner of lcore_say_sleeping: either we see its flag, or its last look sees what we pushed. */
    rte_smp_mb();
    if (atomic_load_explicit(&lcore->sleeping, memory_order_relaxed) != 0 &&
        atomic_exchange(&lcore->sleeping, 0) != 0) {
        uint64_t one = 1;
        ssize_t ignored = write(lcore->doorbell_fd, &one, sizeof(one));
        (void)ignored;
    }
}

static void lcore_say_sleeping(struct lcore *lcore, bool sleeping)
{
    if (sleeping) {
        atomic_store(&lcore->sleeping, 1);
        rte_smp_mb();
    } else {
        atomic_store(&lcore->sleeping, 0);
        /* Always: whoever clears the flag may write much later, for a sleep that has long ended. */
        uint64_t count;
        ssize_t ignored = read(lcore->doorbell_fd, &count, sizeof(count));
        (void)ignored;
    }
    for (unsigned i = 0; i < lcore->sleeper_count; i++) {
        lcore->sleepers[i].set_sleeping(lcore->sleepers[i].context, sleeping);
    }
}

static unsigned lcore_poll_parts(struct lcore *lcore)
{
    uint64_t now_ns = lcore_now_ns();
    uint64_t passed_ns = now_ns - lcore->turn_ns;
    counter_add(lcore->turn_was_busy ? &lcore->counters.busy_ns : &lcore->counters.idle_ns, passed_ns);
    lcore->turn_ns = now_ns;
    unsigned work = 0;
    for (unsigned i = 0; i < lcore->part_count; i++) {
        work += lcore->parts[i].poll(lcore->parts[i].part, now_ns);
    }
    lcore->turn_was_busy = work > 0;
    counter_add(work > 0 ? &lcore->counters.busy_turns : &lcore->counters.idle_turns, 1);
    return work;
}

/* Until the next deadline, at most lcore->sleep_ns; 0: something is due. */
static uint64_t lcore_sleep_ns(const struct lcore *lcore)
{
    uint64_t now_ns = lcore_now_ns();
    uint64_t sleep_ns = lcore->sleep_ns;
    for (unsigned i = 0; i < lcore->part_count; i++) {
        const struct lcore_part *part = &lcore->parts[i];
        uint64_t deadline_ns = part->deadline_ns == NULL ? UINT64_MAX : part->deadline_ns(part->part);
        uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
        sleep_ns = left_ns < sleep_ns ? left_ns : sleep_ns;
    }
    return sleep_ns;
}

/* Says that it sleeps, looks once more, sleeps. Work done by the last look. */
static unsigned lcore_sleep(struct lcore *lcore)
{
    lcore_say_sleeping(lcore, true);
    unsigned work = lcore_poll_parts(lcore);
    if (work == 0) {
        uint64_t sleep_ns = lcore_sleep_ns(lcore);
        struct timespec timeout = {.tv_sec = 0, .tv_nsec = (long)sleep_ns};
        struct epoll_event events[EVENTS_MAX];
        if (sleep_ns > 0) {
            int woken = epoll_pwait2(lcore->epoll_fd, events, EVENTS_MAX, &timeout, NULL);
            counter_add(&lcore->counters.wakes, woken > 0);
            counter_add(&lcore->counters.sleeps, 1);
        }
        lcore->sleep_ns = lcore->sleep_ns < LCORE_SLEEP_MAX_NS / 2 ? lcore->sleep_ns * 2 : LCORE_SLEEP_MAX_NS;
    }
    lcore_say_sleeping(lcore, false);
    return work;
}

static unsigned lcore_idle_adaptive(struct lcore *lcore)
{
    unsigned turns = lcore->idle_turns;
    if (turns > ADAPTIVE_SPINS + ADAPTIVE_PAUSES + LCORE_YIELDS) {
        return lcore_sleep(lcore);
    }
    if (turns > ADAPTIVE_SPINS + ADAPTIVE_PAUSES) {
        sched_yield();
    } else if (turns > ADAPTIVE_SPINS) {
        rte_pause();
    }
    return 0;
}

static bool lcore_awaits_kernel(const struct lcore *lcore)
{
    for (unsigned i = 0; i < lcore->part_count; i++) {
        const struct lcore_part *part = &lcore->parts[i];
        if (part->awaits_kernel != NULL && part->awaits_kernel(part->part)) {
            return true;
        }
    }
    return false;
}

static unsigned lcore_idle_shared(struct lcore *lcore)
{
    if (lcore->idle_turns > LCORE_YIELDS ||
        (lcore->idle_turns > LCORE_YIELDS_AWAITING && lcore_awaits_kernel(lcore))) {
        return lcore_sleep(lcore);
    }
    sched_yield();
    return 0;
}

/* After a turn without work. */
static unsigned lcore_idle(struct lcore *lcore)
{
    lcore->idle_turns++;
    switch (lcore->profile) {
    case POLL_SPIN:
        return 0;
    case POLL_ADAPTIVE:
        return lcore_idle_adaptive(lcore);
    case POLL_SHARED:
        return lcore_idle_shared(lcore);
    }
    return 0;
}

void lcore_run(struct lcore *lcore, const _Atomic bool *stop)
{
    lcore->turn_ns = lcore_now_ns();
    while (!atomic_load_explicit(stop, memory_order_acquire)) {
        if (lcore_poll_parts(lcore) > 0 || lcore_idle(lcore) > 0) {
            lcore->idle_turns = 0;
            lcore->sleep_ns = LCORE_SLEEP_MIN_NS;
        }
    }
}

/* What runs where. The launching and the joining thread meet the loop here: release and acquire in plain
 * sight, whatever EAL does inside. */
static _Atomic(struct lcore *) lcore_running[RTE_MAX_LCORE];

static int lcore_main(void *argument)
{
    _Atomic(struct lcore *) *running = argument;
    struct lcore *lcore = atomic_load_explicit(running, memory_order_acquire);
    lcore_run(lcore, lcore->stop);
    atomic_store_explicit(running, NULL, memory_order_release);
    return 0;
}

int lcore_launch(struct lcore *lcore, unsigned lcore_id, const _Atomic bool *stop)
{
    ASSERT(lcore_id < RTE_MAX_LCORE);
    lcore->stop = stop;
    atomic_store_explicit(&lcore_running[lcore_id], lcore, memory_order_release);
    return rte_eal_remote_launch(lcore_main, &lcore_running[lcore_id], lcore_id);
}

void lcore_join(unsigned lcore_id)
{
    rte_eal_wait_lcore(lcore_id);
    ASSERT(atomic_load_explicit(&lcore_running[lcore_id], memory_order_acquire) == NULL);
}

const struct lcore_counters *lcore_counters_of(const struct lcore *lcore)
{
    return &lcore->counters;
}
