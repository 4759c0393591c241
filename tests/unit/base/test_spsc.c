/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>

#include "prng.h"
#include "spsc.h"
#include "test.h"

#define RING_CAPACITY 64
#define ELEMENT_COUNT 200000u
#define ELEMENT_WORDS 3

static void it_is_bounded(void)
{
    struct spsc ring;
    uint32_t elements[8];
    uint32_t value = 0;
    spsc_init(&ring, elements, 8, sizeof(uint32_t));
    CHECK(!spsc_pop(&ring, &value));
    for (uint32_t i = 0; i < 8; i++) {
        CHECK(spsc_push(&ring, &i));
    }
    value = 99;
    CHECK(!spsc_push(&ring, &value));
    for (uint32_t i = 0; i < 8; i++) {
        CHECK(spsc_pop(&ring, &value));
        CHECK_EQUAL(value, i);
    }
    CHECK(!spsc_pop(&ring, &value));
}

/* A random walk of pushes and pops beside plain counters, started just before the 32-bit indexes wrap. */
static void indexes_wrap(void)
{
    struct spsc ring;
    uint64_t elements[4];
    struct prng prng = {8};
    uint64_t pushed = 0;
    uint64_t popped = 0;
    spsc_init(&ring, elements, 4, sizeof(uint64_t));
    atomic_store(&ring.pushed, UINT32_MAX - 100);
    atomic_store(&ring.popped, UINT32_MAX - 100);
    for (unsigned round = 0; round < 2000; round++) {
        uint64_t value = 0;
        if (prng_below(&prng, 2) == 0) {
            CHECK_EQUAL(spsc_push(&ring, &pushed), pushed - popped < 4);
            pushed = pushed - popped < 4 ? pushed + 1 : pushed;
        } else if (spsc_pop(&ring, &value)) {
            CHECK_EQUAL(value, popped);
            popped++;
        } else {
            CHECK_EQUAL(pushed, popped);
        }
    }
    CHECK(popped > 200);
}

static void *push_all(void *argument)
{
    struct spsc *ring = argument;
    for (uint64_t i = 0; i < ELEMENT_COUNT; i++) {
        uint64_t element[ELEMENT_WORDS] = {i, ~i, i * 7};
        while (!spsc_push(ring, element)) {
            sched_yield();
        }
    }
    return NULL;
}

/* The first number out of order or torn element, or ELEMENT_COUNT. Pops all, so that the other thread ends.
 */
static uint64_t pop_all(struct spsc *ring)
{
    uint64_t first_bad = ELEMENT_COUNT;
    for (uint64_t i = 0; i < ELEMENT_COUNT; i++) {
        uint64_t element[ELEMENT_WORDS];
        while (!spsc_pop(ring, element)) {
            sched_yield();
        }
        bool good = element[0] == i && element[1] == ~i && element[2] == i * 7;
        if (!good && first_bad == ELEMENT_COUNT) {
            first_bad = i;
        }
    }
    return first_bad;
}

static void two_threads(void)
{
    static uint64_t elements[RING_CAPACITY * ELEMENT_WORDS];
    static struct spsc ring;
    pthread_t pusher;
    spsc_init(&ring, elements, RING_CAPACITY, ELEMENT_WORDS * sizeof(uint64_t));
    CHECK_EQUAL(pthread_create(&pusher, NULL, push_all, &ring), 0);
    uint64_t first_bad = pop_all(&ring);
    CHECK_EQUAL(pthread_join(pusher, NULL), 0);
    CHECK_EQUAL(first_bad, ELEMENT_COUNT);
    CHECK(!spsc_pop(&ring, elements));
}

static const struct test_case cases[] = {
    {"a ring gives back what was pushed, in order, and refuses when full or empty", it_is_bounded},
    {"a ring goes on when its indexes wrap", indexes_wrap},
    {"200,000 elements pass between two threads whole and in order", two_threads},
};

TEST_MAIN(cases)
