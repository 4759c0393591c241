/* SPDX-License-Identifier: Apache-2.0 */
/* The program has its own malloc, which also catches calls from inside shared libraries, and counts those
 * that polling threads make once they are told to stand alone. */
#include "dataplane_loops.h"

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void __libc_free(void *memory);

static _Atomic bool counting;
static _Atomic unsigned heap_calls;
static _Thread_local bool is_polling;

static void heap_note(void)
{
    if (is_polling && atomic_load_explicit(&counting, memory_order_relaxed)) {
        atomic_fetch_add(&heap_calls, 1);
    }
}

void *malloc(size_t bytes)
{
    heap_note();
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    heap_note();
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    heap_note();
    return __libc_realloc(memory, bytes);
}

void free(void *memory)
{
    heap_note();
    __libc_free(memory);
}

static void thread_note(void)
{
    is_polling = true;
}

static void *volatile planted_memory;

static void malloc_plant(void)
{
    planted_memory = malloc(1);
}

/* Heap calls of polling threads while a client comes, talks and goes. */
static unsigned heap_calls_count(void (*planted)(void))
{
    static struct loops loops;
    loops_planted = planted;
    loops_start(&loops, 2, 1, 2, POLL_SHARED);
    atomic_store(&heap_calls, 0);
    atomic_store(&counting, true);
    for (unsigned i = 0; i < 3; i++) {
        struct shm_channel client;
        CHECK_EQUAL(rig_connect(loops.dataplane, 0, &client), 0);
        CHECK(loops_drive(&client, SHM_CONTROL, 0, 100, 1));
        CHECK(loops_drive(&client, SHM_BULK, 0, 400, 16));
        shm_close(&client);
        dataplane_control(loops.dataplane);
    }
    loops_join(&loops);
    atomic_store(&counting, false);
    loops_end(&loops);
    return atomic_load(&heap_calls);
}

static void polling_threads_use_no_heap(void)
{
    CHECK_EQUAL(heap_calls_count(NULL), 0);
}

static void a_planted_malloc_is_caught(void)
{
    CHECK(heap_calls_count(malloc_plant) > 0);
}

static const struct test_case cases[] = {
    {"polling threads use no heap while frames flow", polling_threads_use_no_heap},
    {"a planted malloc is caught", a_planted_malloc_is_caught},
};

int main(void)
{
    loops_on_thread = thread_note;
    loops_eal_start();
    int status = test_main(cases, sizeof(cases) / sizeof(cases[0]));
    rig_eal_stop();
    return status;
}
