/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* A node that was killed may be in the middle of making a file: the keeper looks again. */
#define REMOVE_TRIES    200
#define REMOVE_PAUSE_MS 10
#define KEEP_BYTE       'k'

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM};
enum { ENDING_SIGNALS = sizeof(ending_signals) / sizeof(ending_signals[0]) };

/* What the handler clears up; written with the ending signals blocked. */
static volatile pid_t running[CHILDREN_MAX];
static volatile pid_t keeper_pid;
static volatile int keeper_fd = -1;

/* Calls only what a signal handler may call. */
static void end_by_signal(int signal_number)
{
    int status = 0;
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        if (running[i] > 0) {
            kill(running[i], SIGKILL);
        }
    }
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        if (running[i] > 0) {
            waitpid(running[i], &status, 0);
        }
    }
    if (keeper_pid > 0) {
        close(keeper_fd);
        waitpid(keeper_pid, &status, 0);
    }
    _exit(128 + signal_number);
}

static void block_endings(sigset_t *ret_before)
{
    sigset_t endings;
    sigemptyset(&endings);
    for (unsigned i = 0; i < ENDING_SIGNALS; i++) {
        sigaddset(&endings, ending_signals[i]);
    }
    pthread_sigmask(SIG_BLOCK, &endings, ret_before);
}

static void install_handlers(void)
{
    struct sigaction action = {.sa_handler = end_by_signal};
    sigfillset(&action.sa_mask);
    for (unsigned i = 0; i < ENDING_SIGNALS; i++) {
        sigaction(ending_signals[i], &action, NULL);
    }
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    remove(path);
    return 0;
}

/* Ends when the other end of the pipe is closed, whoever closed it. */
static _Noreturn void keep(int fd, const char *path)
{
    char byte = 0;
    ssize_t got = 0;
    setsid(); /* a terminal's Ctrl-C is not for us */
    while ((got = read(fd, &byte, 1)) < 0 && errno == EINTR) {
    }
    for (unsigned i = 0; !(got == 1 && byte == KEEP_BYTE) && i < REMOVE_TRIES; i++) {
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        if (access(path, F_OK) != 0) {
            break;
        }
        poll(NULL, 0, REMOVE_PAUSE_MS);
    }
    _exit(0);
}

/* With the ending signals blocked. */
static int start_keeper(const char *path)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return -errno;
    }
    pid_t pid = fork();
    int error = pid < 0 ? -errno : 0;
    if (pid == 0) {
        close(fds[1]);
        keep(fds[0], path);
    }
    close(fds[0]);
    if (pid > 0) {
        keeper_fd = fds[1];
        keeper_pid = pid;
        install_handlers();
    } else {
        close(fds[1]);
    }
    return error;
}

int child_directory_create(const char *parent, char ret_path[CHILD_PATH_BYTES])
{
    sigset_t before;
    ASSERT(keeper_pid == 0);
    if (snprintf(ret_path, CHILD_PATH_BYTES, "%s/tally-XXXXXX", parent) >= CHILD_PATH_BYTES) {
        return -ENAMETOOLONG;
    }
    block_endings(&before); /* no directory without its keeper */
    int error = mkdtemp(ret_path) ? start_keeper(ret_path) : -errno;
    if (error) {
        rmdir(ret_path);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

void child_directory_remove(bool keep_it)
{
    char byte = KEEP_BYTE;
    int status = 0;
    sigset_t before;
    if (keeper_pid == 0) {
        return;
    }
    if (keep_it) {
        ssize_t written = write(keeper_fd, &byte, 1);
        (void)written;
    }
    block_endings(&before);
    close(keeper_fd);
    while (waitpid(keeper_pid, &status, 0) < 0 && errno == EINTR) {
    }
    keeper_pid = 0;
    keeper_fd = -1;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static _Noreturn void become(char *const *arguments, const char *log_path, pid_t parent, const sigset_t *mask)
{
    int log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int null_fd = open("/dev/null", O_RDONLY);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || log_fd < 0 || null_fd < 0) {
        _exit(127);
    }
    dup2(null_fd, STDIN_FILENO);
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    for (unsigned i = 0; i < ENDING_SIGNALS; i++) {
        signal(ending_signals[i], SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, mask, NULL);
    execv(arguments[0], arguments);
    dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

static void note_running(pid_t pid)
{
    unsigned place = 0;
    while (running[place] != 0) {
        place++;
        ASSERT(place < CHILDREN_MAX);
    }
    running[place] = pid;
}

static void note_ended(pid_t pid)
{
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        running[i] = running[i] == pid ? 0 : running[i];
    }
}

int child_start(struct child *child, char *const *arguments, const char *log_path)
{
    sigset_t before;
    pid_t parent = getpid();
    ASSERT(child->pid == 0);
    block_endings(&before);
    pid_t pid = fork();
    int error = pid < 0 ? -errno : 0;
    if (pid == 0) {
        become(arguments, log_path, parent, &before);
    }
    if (pid > 0) {
        *child = (struct child){.pid = pid, .pid_fd = (int)syscall(SYS_pidfd_open, pid, 0)};
        note_running(pid);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

bool child_is_running(struct child *child)
{
    sigset_t before;
    if (child->pid == 0) {
        return false;
    }
    block_endings(&before); /* between waitpid and note_ended the id may already belong to another process */
    pid_t ended = waitpid(child->pid, &child->status, WNOHANG);
    if (ended == child->pid) {
        note_ended(child->pid);
        close(child->pid_fd);
        child->pid = 0;
        child->pid_fd = -1;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return child->pid != 0;
}

void child_signal(const struct child *child, int signal_number)
{
    if (child->pid > 0) {
        kill(child->pid, signal_number);
    }
}

bool child_wait(struct child *child, int timeout_ms)
{
    if (child_is_running(child)) {
        struct pollfd fd = {.fd = child->pid_fd, .events = POLLIN};
        poll(&fd, 1, timeout_ms);
    }
    return !child_is_running(child);
}

void child_kill(struct child *child)
{
    child_signal(child, SIGKILL);
    while (!child_wait(child, 1000)) {
    }
}

void child_reason(const struct child *child, char text[CHILD_REASON_BYTES])
{
    if (WIFEXITED(child->status)) {
        snprintf(text, CHILD_REASON_BYTES, "exited with %d", WEXITSTATUS(child->status));
    } else {
        snprintf(text, CHILD_REASON_BYTES, "was killed by signal %d (%s)", WTERMSIG(child->status),
                 strsignal(WTERMSIG(child->status)));
    }
}

int child_thread_start(pthread_t *thread, void *(*function)(void *), void *context)
{
    sigset_t before;
    block_endings(&before);
    int error = pthread_create(thread, NULL, function, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}
