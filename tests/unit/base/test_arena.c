/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena.h"
#include "prng.h"
#include "test.h"

static const size_t alignments[] = {1, 2, 8, 16, 64, 512, 4096};
#define ALIGNMENT_COUNT (sizeof(alignments) / sizeof(alignments[0]))

static void it_aligns(void)
{
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < ALIGNMENT_COUNT; i++) {
        for (size_t byte_count = 0; byte_count <= 130; byte_count += 13) {
            CHECK_EQUAL((uintptr_t)arena_take(&arena, byte_count, alignments[i]) % alignments[i], 0);
        }
    }
    arena_fini(&arena);
}

struct piece {
    uint8_t *bytes;
    size_t byte_count;
};

/* Each piece is zero when it is taken, although every earlier one was filled; later none has lost its
 * filling. */
static void pieces_are_zero_and_apart(void)
{
    struct arena arena;
    struct prng prng = {1};
    struct piece pieces[200];
    arena_init(&arena);
    for (size_t i = 0; i < 200; i++) {
        pieces[i].byte_count = 1 + prng_below(&prng, 5000);
        pieces[i].bytes = arena_take(&arena, pieces[i].byte_count, alignments[i % ALIGNMENT_COUNT]);
        for (size_t k = 0; k < pieces[i].byte_count; k++) {
            CHECK_EQUAL(pieces[i].bytes[k], 0);
        }
        memset(pieces[i].bytes, (int)(i + 1), pieces[i].byte_count);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t k = 0; k < pieces[i].byte_count; k++) {
            CHECK_EQUAL(pieces[i].bytes[k], i + 1);
        }
    }
    arena_fini(&arena);
}

static void it_counts(void)
{
    struct arena arena;
    arena_init(&arena);
    CHECK_EQUAL(arena.total_bytes, 0);
    arena_take(&arena, 1000, 64);
    CHECK(arena.total_bytes >= 1000);
    size_t before = arena.total_bytes;
    (void)ARENA_ARRAY(&arena, uint64_t, 100);
    CHECK(arena.total_bytes >= before + 800);
    arena_fini(&arena);
    CHECK_EQUAL(arena.total_bytes, 0);
    CHECK(arena.newest == NULL);
}

static int signal_of_take(size_t byte_count, size_t alignment, bool sealed)
{
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        fclose(stderr);
        struct arena arena;
        arena_init(&arena);
        if (sealed) {
            arena_seal(&arena);
        }
        arena_take(&arena, byte_count, alignment);
        arena_fini(&arena);
        _exit(0);
    }
    int status = 0;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void a_sealed_arena_gives_nothing(void)
{
    CHECK_EQUAL(signal_of_take(8, 8, false), 0);
    CHECK_EQUAL(signal_of_take(8, 8, true), SIGABRT);
}

static void a_bad_alignment_stops(void)
{
    CHECK_EQUAL(signal_of_take(8, 4096, false), 0);
    CHECK_EQUAL(signal_of_take(8, 0, false), SIGABRT);
    CHECK_EQUAL(signal_of_take(8, 24, false), SIGABRT);
    CHECK_EQUAL(signal_of_take(8, 8192, false), SIGABRT);
    CHECK_EQUAL(signal_of_take(SIZE_MAX - 1, 8, false), SIGABRT);
}

static const struct test_case cases[] = {
    {"a piece stands at a multiple of its alignment", it_aligns},
    {"pieces are zero when taken and do not overlap", pieces_are_zero_and_apart},
    {"the arena counts what it holds, and gives all of it back", it_counts},
    {"taking from a sealed arena stops the process", a_sealed_arena_gives_nothing},
    {"an alignment that is no power of two up to 4096, or an absurd size, stops the process",
     a_bad_alignment_stops},
};

TEST_MAIN(cases)
