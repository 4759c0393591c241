/* SPDX-License-Identifier: Apache-2.0 */
/* A test program is a list of cases; each prints one TAP line, and `./run test` counts those lines. A failed
 * check prints both values and ends the case, not the program. */
#ifndef TALLY_TEST_H
#define TALLY_TEST_H

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_case {
    const char *claim; /* a sentence: what holds when it passes */
    void (*run)(void);
};

static jmp_buf test_failed;
static const char *test_lacks; /* what this machine has not, when the case was skipped */

/* Ends the case: this machine lacks what it needs. Counted apart. */
#define SKIP(what)                                                                                           \
    do {                                                                                                     \
        test_lacks = (what);                                                                                 \
        longjmp(test_failed, 1);                                                                             \
    } while (0)

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            printf("# %s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                           \
            longjmp(test_failed, 1);                                                                         \
        }                                                                                                    \
    } while (0)

#define CHECK_EQUAL(actual, expected)                                                                        \
    do {                                                                                                     \
        long long test_actual = (long long)(actual);                                                         \
        long long test_expected = (long long)(expected);                                                     \
        if (test_actual != test_expected) {                                                                  \
            printf("# %s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #actual, test_actual,         \
                   test_expected);                                                                           \
            longjmp(test_failed, 1);                                                                         \
        }                                                                                                    \
    } while (0)

#define CHECK_STRING(actual, expected)                                                                       \
    do {                                                                                                     \
        const char *test_actual = (actual);                                                                  \
        const char *test_expected = (expected);                                                              \
        if (strcmp(test_actual, test_expected) != 0) {                                                       \
            printf("# %s:%d: %s is \"%s\", expected \"%s\"\n", __FILE__, __LINE__, #actual, test_actual,     \
                   test_expected);                                                                           \
            longjmp(test_failed, 1);                                                                         \
        }                                                                                                    \
    } while (0)

#define CHECK_BYTES(actual, expected, count)                                                                 \
    do {                                                                                                     \
        if (memcmp((actual), (expected), (count)) != 0) {                                                    \
            printf("# %s:%d: the %zu bytes of %s are not those of %s\n", __FILE__, __LINE__,                 \
                   (size_t)(count), #actual, #expected);                                                     \
            longjmp(test_failed, 1);                                                                         \
        }                                                                                                    \
    } while (0)

/* Whether the case ran to its end. In a function of its own, so that no variable lives across the longjmp. */
static int test_passes(const struct test_case *test)
{
    if (setjmp(test_failed) != 0) {
        return 0;
    }
    test->run();
    return 1;
}

/* Runs every case and returns the exit status. */
static int test_main(const struct test_case *cases, size_t count)
{
    volatile int failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        test_lacks = NULL;
        int passed = test_passes(&cases[i]) || test_lacks != NULL;
        printf("%s %zu - %s%s%s\n", passed ? "ok" : "not ok", i + 1, cases[i].claim,
               test_lacks != NULL ? " # SKIP " : "", test_lacks != NULL ? test_lacks : "");
        failed |= !passed;
    }
    return failed;
}

#define TEST_MAIN(cases)                                                                                     \
    int main(void)                                                                                           \
    {                                                                                                        \
        return test_main((cases), sizeof(cases) / sizeof((cases)[0]));                                       \
    }

#endif
