/* SPDX-License-Identifier: Apache-2.0 */
#include "floor_process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OWNED_MAX = 8 };

/* Written with the signals below blocked, read by their handler. */
static volatile pid_t children[OWNED_MAX];
static volatile unsigned child_count;
static const char *volatile files[OWNED_MAX];
static volatile unsigned file_count;

static const int watched_signals[] = {SIGINT, SIGTERM, SIGALRM, SIGCHLD};
enum { WATCHED_COUNT = sizeof(watched_signals) / sizeof(watched_signals[0]) };

/* Calls only what a signal handler may call. */
static void clear_up(void)
{
    for (unsigned i = 0; i < child_count; i++) {
        if (children[i] > 0) {
            kill(children[i], SIGKILL);
        }
    }
    for (unsigned i = 0; i < file_count; i++) {
        unlink(files[i]);
    }
}

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

/* Takes note of the children that have ended; one that failed ends the whole program. */
static void reap_children(void)
{
    for (unsigned i = 0; i < child_count; i++) {
        int status = 0;
        if (children[i] > 0 && waitpid(children[i], &status, WNOHANG) == children[i]) {
            children[i] = 0;
            if (status != 0) {
                say("floor: a child failed\n");
                clear_up();
                _exit(1);
            }
        }
    }
}

static void on_signal(int number)
{
    int saved_errno = errno;

    if (number == SIGCHLD) {
        reap_children();
        errno = saved_errno;
        return;
    }
    if (number == SIGALRM) {
        say("floor: time is up\n");
    }
    clear_up();
    _exit(128 + number);
}

static void block_signals(int how)
{
    sigset_t set;

    sigemptyset(&set);
    for (unsigned i = 0; i < WATCHED_COUNT; i++) {
        sigaddset(&set, watched_signals[i]);
    }
    sigprocmask(how, &set, NULL);
}

void floor_process_start(unsigned limit_seconds)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    sigfillset(&action.sa_mask);
    for (unsigned i = 0; i < WATCHED_COUNT; i++) {
        sigaction(watched_signals[i], &action, NULL);
    }
    block_signals(SIG_UNBLOCK);
    alarm(limit_seconds);
}

static void become_child(pid_t parent)
{
    child_count = 0;
    file_count = 0;
    for (unsigned i = 0; i < WATCHED_COUNT; i++) {
        signal(watched_signals[i], SIG_DFL);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1); /* the parent was gone before the kernel was told to watch it */
    }
}

pid_t floor_process_fork(void)
{
    pid_t parent = getpid();

    if (child_count == OWNED_MAX) {
        floor_refuse("fork", "too many children");
    }
    fflush(NULL);
    block_signals(SIG_BLOCK);
    pid_t child = fork();
    if (child == 0) {
        become_child(parent);
    } else if (child > 0) {
        children[child_count] = child;
        child_count = child_count + 1;
    }
    block_signals(SIG_UNBLOCK);
    if (child < 0) {
        floor_die("fork");
    }
    return child;
}

static unsigned count_children(void)
{
    unsigned alive = 0;

    for (unsigned i = 0; i < child_count; i++) {
        alive += children[i] > 0;
    }
    return alive;
}

void floor_process_wait_children(void)
{
    struct timespec pause = {.tv_nsec = 1000000};

    while (count_children() > 0) {
        nanosleep(&pause, NULL); /* SIGCHLD's handler reaps, and cuts the sleep short */
    }
}

void floor_process_finish(void)
{
    block_signals(SIG_BLOCK);
    clear_up();
    for (unsigned i = 0; i < child_count; i++) {
        if (children[i] > 0) {
            waitpid(children[i], NULL, 0);
        }
    }
    child_count = 0;
    file_count = 0;
    signal(SIGCHLD, SIG_DFL);
    block_signals(SIG_UNBLOCK);
}

void floor_process_owns_file(const char *path)
{
    if (file_count == OWNED_MAX) {
        floor_refuse(path, "too many files");
    }
    files[file_count] = path;
    file_count = file_count + 1;
}

void floor_die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    floor_process_finish();
    exit(1);
}

void floor_refuse(const char *what, const char *why)
{
    fprintf(stderr, "floor: %s: %s\n", what, why);
    floor_process_finish();
    exit(2);
}
