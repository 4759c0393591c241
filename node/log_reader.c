/* SPDX-License-Identifier: Apache-2.0 */
#include "log_reader.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* How long it sleeps at most when nobody asks: the bound on how long a stop waits for it. */
#define IDLE_NS      20000000ull
#define READS_A_TURN 4

struct log_reader {
    pthread_t thread;
    _Atomic bool stop;
    struct tape_reader *reader;
    struct device *device;
    int wake_fd; /* the consensus core's: a chunk has arrived */
};

static void *run(void *context)
{
    struct log_reader *reader = context;
    const uint64_t one = 1;
    while (!atomic_load_explicit(&reader->stop, memory_order_relaxed)) {
        if (tape_reader_poll(reader->reader, reader->device, READS_A_TURN) == 0) {
            tape_reader_wait(reader->reader, IDLE_NS);
        } else if (write(reader->wake_fd, &one, sizeof(one)) < 0) {
            continue; /* the eventfd is at its maximum: it is readable, which is all that matters */
        }
    }
    return NULL;
}

int log_reader_start(struct arena *arena, struct tape *tape, struct device *device, int wake_fd,
                     struct log_reader **ret_reader)
{
    struct log_reader *reader = ARENA_NEW(arena, struct log_reader);
    sigset_t all;
    sigset_t before;
    reader->reader = tape_reader_of(tape);
    reader->device = device;
    reader->wake_fd = wake_fd;
    sigfillset(&all); /* signals are the control thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&reader->thread, NULL, run, reader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        return -error;
    }
    *ret_reader = reader;
    return 0;
}

void log_reader_stop(struct log_reader *reader)
{
    atomic_store(&reader->stop, true);
    pthread_join(reader->thread, NULL);
}
