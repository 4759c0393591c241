/* SPDX-License-Identifier: Apache-2.0 */
/* ASSERT stops the process, evaluates its expression once, and is one statement whatever stands around it. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "test.h"

/* The signal that ended a child which ran `run` with its messages in `text`, or 0 when it came back. */
static int signal_of_child(void (*run)(void), char *text, size_t text_bytes)
{
    int ends[2];
    CHECK_EQUAL(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        run();
        _exit(0);
    }
    close(ends[1]);
    size_t filled = 0;
    ssize_t got = 0;
    while ((got = read(ends[0], text + filled, text_bytes - 1 - filled)) > 0) {
        filled += (size_t)got;
    }
    text[filled] = '\0';
    close(ends[0]);
    int status = 0;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void assert_what_does_not_hold(void)
{
    int apples = 2;
    ASSERT(apples == 3);
}

static void assert_what_holds(void)
{
    int apples = 2;
    ASSERT(apples == 2);
}

/* Without parentheses around the macro's argument, `!1 == 2` would be 0 and nothing would stop. */
static void assert_a_comparison_that_starts_with_one(void)
{
    int one = 1;
    ASSERT(one == 2);
}

/* `!zero || one` would be 1 and stop a process in which nothing is wrong. */
static void assert_an_or(void)
{
    int zero = 0;
    int one = 1;
    ASSERT(zero || one);
}

/* `!one ? zero : nil` would be 0 and let a wrong choice pass. */
static void assert_a_choice(void)
{
    int one = 1;
    int zero = 0;
    int nil = 0;
    ASSERT(one ? zero : nil);
}

static void it_stops(void)
{
    char text[512];
    CHECK_EQUAL(signal_of_child(assert_what_does_not_hold, text, sizeof(text)), SIGABRT);
    CHECK(strstr(text, "apples == 3") != NULL);
    CHECK(strstr(text, "test_check.c:") != NULL);
}

static void it_lets_pass(void)
{
    char text[512];
    CHECK_EQUAL(signal_of_child(assert_what_holds, text, sizeof(text)), 0);
    CHECK_STRING(text, "");
}

static void its_argument_is_parenthesised(void)
{
    char text[512];
    CHECK_EQUAL(signal_of_child(assert_a_comparison_that_starts_with_one, text, sizeof(text)), SIGABRT);
    CHECK_EQUAL(signal_of_child(assert_an_or, text, sizeof(text)), 0);
    CHECK_EQUAL(signal_of_child(assert_a_choice, text, sizeof(text)), SIGABRT);
}

static void it_evaluates_once(void)
{
    int count = 0;
    ASSERT(++count == 1);
    CHECK_EQUAL(count, 1);
}

/* The braces are left out on purpose: an `if` inside the macro would take the `else`. */
/* clang-format off */
static void it_is_one_statement(void)
{
    int taken = 0;
    int zero = 0;
    if (zero)
        ASSERT(zero == 1);
    else
        taken = 1;
    CHECK_EQUAL(taken, 1);
}
/* clang-format on */

static const struct test_case cases[] = {
    {"ASSERT stops the process with SIGABRT and says what and where", it_stops},
    {"ASSERT lets a true expression pass without a word", it_lets_pass},
    {"ASSERT negates the whole expression, whatever its operators", its_argument_is_parenthesised},
    {"ASSERT evaluates its expression once", it_evaluates_once},
    {"ASSERT before else leaves the else to the if in front of it", it_is_one_statement},
};

TEST_MAIN(cases)
