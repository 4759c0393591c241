/* SPDX-License-Identifier: Apache-2.0 */
/* The real device, on a file in the working directory (the build directory under meson). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "arena.h"
#include "probe.h"
#include "tape.h"
#include "uring_device.h"

#include "test.h"

#define CHUNK_BYTES  (64u << 10)
#define SIZE_BYTES   (8u * CHUNK_BYTES)
#define MEMORY_BYTES (4u * CHUNK_BYTES)

static char path[64];
static struct arena arena;
static char error_text[URING_DEVICE_ERROR_BYTES];

static struct uring_device_options device_options(void)
{
    return (struct uring_device_options){.path = path, .event_fd = -1};
}

static struct tape_identity identity(void)
{
    return (struct tape_identity){.cluster_id = 1, .node_id = 2, .incarnation = 3, .log_name = "main"};
}

static struct device *device_format(enum tape_sync sync)
{
    struct device *device = NULL;
    struct uring_device_options options = device_options();
    struct tape_format_options format = {
        .identity = identity(), .size_bytes = SIZE_BYTES, .chunk_bytes = CHUNK_BYTES, .sync = sync};
    options.create = true;
    options.size_bytes = tape_device_bytes(SIZE_BYTES);
    arena_fini(&arena);
    unlink(path);
    error_text[0] = '\0';
    uring_device_open(&arena, &options, &device, error_text);
    CHECK_STRING(error_text, "");
    CHECK_EQUAL(tape_format(device, &format), 0);
    device->close(device);
    return device;
}

static struct device *device_open(int event_fd, void **ret_memory)
{
    struct device *device = NULL;
    struct uring_device_options options = device_options();
    *ret_memory = arena_take(&arena, MEMORY_BYTES, 4096);
    options.memory = *ret_memory;
    options.memory_bytes = MEMORY_BYTES;
    options.event_fd = event_fd;
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    options.worker_cpus = &first;
    uring_device_open(&arena, &options, &device, error_text);
    CHECK_STRING(error_text, "");
    return device;
}

static void count_visit(void *context, const struct record_head *head, const uint8_t *payload,
                        uint64_t position)
{
    uint64_t *count = context;
    (void)payload;
    (void)position;
    ++*count;
    CHECK_EQUAL(head->index, *count);
}

static struct tape *tape_of(struct device *device, void *memory, uint64_t *ret_count)
{
    struct tape *tape = NULL;
    struct tape_report report;
    struct tape_options options = {.identity = identity(),
                                   .memory_chunks = 4,
                                   .reader_chunks = 2,
                                   .write_bytes_max = CHUNK_BYTES / 2,
                                   .memory = memory,
                                   .memory_bytes = MEMORY_BYTES};
    *ret_count = 0;
    CHECK_EQUAL(tape_open(&arena, device, &options, count_visit, ret_count, &tape, &report), TAPE_OPEN);
    return tape;
}

static void append_until(struct tape *tape, uint64_t from, uint64_t to)
{
    for (uint64_t index = from; index <= to; index++) {
        int error = 0;
        struct record_head head = {.type = RECORD_DATA, .quorum_number = 7, .index = index, .term = 1};
        uint8_t *bytes = tape_reserve(tape, 3000, false, &error);
        CHECK_EQUAL(error, 0);
        memset(bytes + RECORD_HEAD_BYTES, (int)index, 3000);
        record_finish(bytes, &head, 3000);
        uint64_t position = tape_append(tape);
        tape_submit(tape, 1);
        while (tape_durable_position(tape) < position && tape_error(tape) == 0) {
            sched_yield();
            tape_poll(tape, 1);
            tape_submit(tape, 1);
        }
        CHECK_EQUAL(tape_error(tape), 0);
    }
}

static void round_trip(enum tape_sync sync)
{
    void *memory;
    uint64_t count;
    device_format(sync);
    struct device *device = device_open(-1, &memory);
    struct tape *tape = tape_of(device, memory, &count);
    append_until(tape, 1, 60);
    CHECK_EQUAL(tape_close(tape), 0);
    device->close(device);
    device = device_open(-1, &memory);
    tape = tape_of(device, memory, &count);
    CHECK_EQUAL(count, 60);
    append_until(tape, 61, 70);
    device->close(device);
}

static void a_tape_on_a_file_round_trips_with_fdatasync(void)
{
    round_trip(TAPE_SYNC_FDATASYNC);
}

static void a_tape_on_a_file_round_trips_with_dsync(void)
{
    round_trip(TAPE_SYNC_DSYNC);
}

static void a_tape_on_a_file_round_trips_without_sync(void)
{
    round_trip(TAPE_SYNC_NONE);
}

static void *append_thread(void *context)
{
    append_until(context, 1, 20);
    return NULL;
}

static void another_thread_may_own_what_this_one_opened(void)
{
    void *memory;
    uint64_t count;
    pthread_t thread;
    device_format(TAPE_SYNC_FDATASYNC);
    struct device *device = device_open(-1, &memory);
    struct tape *tape = tape_of(device, memory, &count);
    CHECK_EQUAL(pthread_create(&thread, NULL, append_thread, tape), 0);
    pthread_join(thread, NULL);
    uint64_t durable = tape_durable_position(tape);
    CHECK(durable != 0);
    CHECK_EQUAL(durable, tape_append_position(tape));
    device->close(device);
}

static void a_sleeper_is_woken_by_the_event(void)
{
    void *memory;
    uint64_t count;
    int event_fd = eventfd(0, EFD_CLOEXEC);
    device_format(TAPE_SYNC_FDATASYNC);
    struct device *device = device_open(event_fd, &memory);
    struct tape *tape = tape_of(device, memory, &count);
    int error = 0;
    struct record_head head = {.type = RECORD_DATA, .quorum_number = 7, .index = 1, .term = 1};
    uint8_t *bytes = tape_reserve(tape, 0, false, &error);
    record_finish(bytes, &head, 0);
    uint64_t position = tape_append(tape);
    tape_submit(tape, 1);
    while (tape_durable_position(tape) < position) {
        uint64_t events;
        CHECK_EQUAL(read(event_fd, &events, sizeof(events)),
                    sizeof(events)); /* blocks: hangs if never woken */
        tape_poll(tape, 1);
    }
    device->close(device);
    close(event_fd);
}

static void a_second_writer_is_refused(void)
{
    void *memory;
    struct device *second = NULL;
    struct uring_device_options options = device_options();
    device_format(TAPE_SYNC_FDATASYNC);
    struct device *device = device_open(-1, &memory);
    CHECK_EQUAL(uring_device_open(&arena, &options, &second, error_text), -EWOULDBLOCK);
    CHECK(strstr(error_text, "another process") != NULL);
    options.read_only = true;
    CHECK_EQUAL(uring_device_open(&arena, &options, &second, error_text), 0);
    second->close(second);
    device->close(device);
    error_text[0] = '\0';
}

static int holder_fd;

static void let_go(int signal_number)
{
    (void)signal_number;
    close(holder_fd);
}

/* A node is started again while the kernel still finishes what its killed process had asked for. */
static void a_lock_that_is_let_go_is_waited_for(void)
{
    struct device *device = NULL;
    struct uring_device_options options = device_options();
    const struct itimerval soon = {.it_value.tv_usec = 20000};
    device_format(TAPE_SYNC_FDATASYNC);
    holder_fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(holder_fd >= 0);
    CHECK_EQUAL(flock(holder_fd, LOCK_EX | LOCK_NB), 0);
    signal(SIGALRM, let_go);
    CHECK_EQUAL(setitimer(ITIMER_REAL, &soon, NULL), 0);
    CHECK_EQUAL(uring_device_open(&arena, &options, &device, error_text), 0);
    signal(SIGALRM, SIG_DFL);
    device->close(device);
}

struct reader_context {
    struct tape_reader *reader;
    struct device *device;
    _Atomic bool stop;
};

static void *reader_thread(void *context)
{
    struct reader_context *own = context;
    while (!own->stop) {
        tape_reader_wait(own->reader, 1000000);
        tape_reader_poll(own->reader, own->device, 4);
    }
    return NULL;
}

static void a_reader_thread_serves_while_the_owner_goes_on(void)
{
    void *memory;
    uint64_t count;
    pthread_t thread;
    struct reader_context context = {.stop = false};
    struct uring_device_options read_options = device_options();
    struct tape_cursor cursor;
    device_format(TAPE_SYNC_NONE);
    struct device *device = device_open(-1, &memory);
    struct tape *tape = tape_of(device, memory, &count);
    read_options.read_only = true;
    CHECK_EQUAL(uring_device_open(&arena, &read_options, &context.device, error_text), 0);
    context.reader = tape_reader_of(tape);
    append_until(tape, 1, 90);
    CHECK_EQUAL(pthread_create(&thread, NULL, reader_thread, &context), 0);
    tape_cursor_init(&cursor, 7);
    uint64_t waits = 0;
    for (uint64_t index = 1; index <= 90;) {
        const uint8_t *record = NULL;
        struct record_head head;
        enum tape_read result = tape_read(tape, &cursor, index, 1, &record, &head);
        if (result == TAPE_READ_RECORD) {
            CHECK_EQUAL(record_check(record, RECORD_BYTES_MAX, &head), RECORD_GOOD);
            CHECK_EQUAL(record[RECORD_HEAD_BYTES], index);
            index++;
            continue;
        }
        CHECK_EQUAL(result, TAPE_READ_WAIT);
        waits++;
        tape_poll(tape, 1);
        sched_yield();
    }
    CHECK(waits > 0);
    context.stop = true;
    pthread_join(thread, NULL);
    context.device->close(context.device);
    device->close(device);
}

static void what_cannot_be_opened_says_why(void)
{
    struct device *device = NULL;
    struct uring_device_options options = device_options();
    options.path = "no-such-tape";
    CHECK_EQUAL(uring_device_open(&arena, &options, &device, error_text), -ENOENT);
    CHECK(strstr(error_text, "tally format") != NULL);
    device_format(TAPE_SYNC_FDATASYNC);
    options.path = path;
    options.create = true;
    CHECK_EQUAL(uring_device_open(&arena, &options, &device, error_text), -EEXIST);
    CHECK(strstr(error_text, "never formatted over") != NULL);
    error_text[0] = '\0';
}

static void reading_behind_the_end_is_an_error(void)
{
    struct device *device = NULL;
    struct uring_device_options options = device_options();
    uint8_t *bytes = arena_take(&arena, 8192, 4096);
    device_format(TAPE_SYNC_FDATASYNC);
    bytes = arena_take(&arena, 8192, 4096);
    options.read_only = true;
    CHECK_EQUAL(uring_device_open(&arena, &options, &device, error_text), 0);
    CHECK_EQUAL(device->read(device, device->size_bytes - 4096, bytes, 4096), 0);
    CHECK_EQUAL(device->read(device, device->size_bytes - 4096, bytes, 8192), -EIO);
    device->close(device);
}

/* The file size limit cuts a write that crosses it, just as a disk might. */
static int short_write_error(enum tape_sync sync)
{
    struct rlimit limit;
    struct rlimit low;
    struct device *device = NULL;
    struct device_completion completion;
    struct uring_device_options options = device_options();
    device_format(sync);
    uint8_t *bytes = arena_take(&arena, 8192, 4096);
    uring_device_open(&arena, &options, &device, error_text);
    CHECK_STRING(error_text, "");
    getrlimit(RLIMIT_FSIZE, &limit);
    low = (struct rlimit){.rlim_cur = 12288, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &low);
    int error = device->submit_write(device, 8192, bytes, 8192, 99);
    while (!error && device->poll(device, &completion, 1) == 0) {
        sched_yield();
    }
    setrlimit(RLIMIT_FSIZE, &limit);
    device->close(device);
    CHECK_EQUAL(error, 0);
    CHECK_EQUAL(completion.tag, 99);
    return completion.error;
}

static void a_short_write_is_an_error_in_every_durable_mode(void)
{
    CHECK_EQUAL(short_write_error(TAPE_SYNC_FDATASYNC), -EIO);
    CHECK_EQUAL(short_write_error(TAPE_SYNC_DSYNC), -EIO);
}

/* A volatile write goes into the file's pages: it fails when there are none. */
static void a_volatile_write_without_its_page_is_an_error(void)
{
    struct device *device = NULL;
    struct device_completion completion = {0};
    struct uring_device_options options = device_options();
    device_format(TAPE_SYNC_NONE);
    uint8_t *bytes = arena_take(&arena, 8192, 4096);
    CHECK_EQUAL(uring_device_open(&arena, &options, &device, error_text), 0);
    CHECK(truncate(path, 8192) == 0);
    CHECK_EQUAL(device->submit_write(device, 8192, bytes, 4096, 99), 0);
    CHECK_EQUAL(device->poll(device, &completion, 1), 1);
    device->close(device);
    CHECK_EQUAL(completion.tag, 99);
    CHECK_EQUAL(completion.error, -EIO);
}

static void a_probe_measures_and_chooses(void)
{
    struct probe_options options = {.path = path};
    struct probe_result result;
    error_text[0] = '\0';
    probe_sync(&options, &result, error_text);
    CHECK_STRING(error_text, "");
    CHECK(result.fdatasync.works || result.dsync.works);
    CHECK(result.choice == TAPE_SYNC_FDATASYNC || result.choice == TAPE_SYNC_DSYNC);
    char probe_path[80];
    snprintf(probe_path, sizeof(probe_path), "%s.probe", path);
    CHECK(access(probe_path, F_OK) != 0);
}

static void a_probe_prefers_the_shorter_tail(void)
{
    struct probe_figures quick = {true, 90, 200};
    struct probe_figures tailed = {true, 80, 4000};
    struct probe_figures near = {true, 80, 210};
    struct probe_figures broken = {0};
    CHECK_EQUAL(probe_choose(&quick, &tailed), TAPE_SYNC_FDATASYNC);
    CHECK_EQUAL(probe_choose(&tailed, &quick), TAPE_SYNC_DSYNC);
    CHECK_EQUAL(probe_choose(&quick, &near), TAPE_SYNC_DSYNC);
    CHECK_EQUAL(probe_choose(&broken, &tailed), TAPE_SYNC_DSYNC);
    CHECK_EQUAL(probe_choose(&quick, &broken), TAPE_SYNC_FDATASYNC);
}

static const struct test_case cases[] = {
    {"a tape on a file round-trips with linked fdatasync", a_tape_on_a_file_round_trips_with_fdatasync},
    {"a tape on a file round-trips with RWF_DSYNC", a_tape_on_a_file_round_trips_with_dsync},
    {"a tape on a file round-trips without sync", a_tape_on_a_file_round_trips_without_sync},
    {"another thread may own what this one opened", another_thread_may_own_what_this_one_opened},
    {"a sleeper is woken by the event", a_sleeper_is_woken_by_the_event},
    {"a reader's thread serves a cursor while the owner goes on",
     a_reader_thread_serves_while_the_owner_goes_on},
    {"a second writer is refused, a reader is not", a_second_writer_is_refused},
    {"a lock that is let go in time is waited for", a_lock_that_is_let_go_is_waited_for},
    {"what cannot be opened says why and what to do", what_cannot_be_opened_says_why},
    {"reading behind the end is an error, not a short read", reading_behind_the_end_is_an_error},
    {"a short write is an error in every durable mode, not a success",
     a_short_write_is_an_error_in_every_durable_mode},
    {"a volatile write without its page is an error, not a signal",
     a_volatile_write_without_its_page_is_an_error},
    {"a probe measures, chooses and removes its file", a_probe_measures_and_chooses},
    {"a probe prefers the shorter tail, and the median among equals", a_probe_prefers_the_shorter_tail},
};

/* Only a file system that has no O_DIRECT is an excuse; io_uring forbidden is a failure that should be seen.
 */
static bool direct_io_is_refused(void)
{
    struct device *device = NULL;
    struct uring_device_options options = device_options();
    options.create = true;
    options.size_bytes = 4096;
    unlink(path);
    int error = uring_device_open(&arena, &options, &device, error_text);
    if (error == 0) {
        device->close(device);
    }
    unlink(path);
    return error == -EINVAL && strstr(error_text, "O_DIRECT") != NULL;
}

int main(void)
{
    snprintf(path, sizeof(path), "test_uring.%d.tape", (int)getpid());
    arena_init(&arena);
    if (direct_io_is_refused()) {
        printf("1..0 # SKIP %s\n", error_text);
        return 0;
    }
    int failed = test_main(cases, sizeof(cases) / sizeof(cases[0]));
    unlink(path);
    arena_fini(&arena);
    return failed;
}
