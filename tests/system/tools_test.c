/* SPDX-License-Identifier: Apache-2.0 */
/* `tally log` and `tally format` on real tapes: of a stopped node, of a running one, torn, damaged, grown. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system_rig.h"
#include "test.h"

#define TAPE_BYTES    (4u << 20)
#define GROWN_TEXT    "8M"
#define GROWN_BYTES   (8u << 20)
#define MESSAGES      200u
#define BUSY_MESSAGES 20000u

static char said[1u << 20];
static char tape[256];
static char config[256];
static char out[256];

/* Runs the program; what it says is in `said`. */
static int run(struct rig *rig, char *const *arguments)
{
    char path[256];
    int status = cluster_run(rig->cluster, arguments);
    snprintf(path, sizeof(path), "%.200s/command.log", cluster_directory(rig->cluster));
    FILE *file = fopen(path, "r");
    said[0] = '\0';
    if (file) {
        said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
        fclose(file);
    }
    return status;
}

#define RUN(rig, ...) run((rig), (char *const[]){__VA_ARGS__, NULL})

/* Fails the case with what was said. */
#define CHECK_SAID(text)                                                                                     \
    do {                                                                                                     \
        if (!strstr(said, (text))) {                                                                         \
            rig_print("%.2000s", said);                                                                      \
        }                                                                                                    \
        CHECK(strstr(said, (text)));                                                                         \
    } while (0)

#define CHECK_STATUS(actual, expected)                                                                       \
    do {                                                                                                     \
        int status_seen = (actual);                                                                          \
        if (status_seen != (expected)) {                                                                     \
            rig_print("%.2000s", said);                                                                      \
        }                                                                                                    \
        CHECK_EQUAL(status_seen, (expected));                                                                \
    } while (0)

static unsigned count_of(const char *text)
{
    unsigned count = 0;
    for (const char *at = said; (at = strstr(at, text)) != NULL; at += strlen(text)) {
        count++;
    }
    return count;
}

/* Three nodes that have committed MESSAGES messages. */
static struct rig *start(void)
{
    struct rig *rig = rig_begin();
    uint64_t leader = 0;
    CHECK(rig_create(rig, &(struct cluster_options){.tape_bytes = TAPE_BYTES}));
    cluster_path(rig->cluster, 1, "tape", tape, sizeof(tape));
    cluster_path(rig->cluster, 1, "conf", config, sizeof(config));
    cluster_path(rig->cluster, 1, "out", out, sizeof(out));
    RIG_CHECK(rig, rig_start(rig, &leader));
    CHECK(rig_publish(rig, RIG_QUORUM, MESSAGES, 0));
    CHECK(rig_wait_decided(rig, MESSAGES));
    RIG_CHECK(rig, cluster_wait_equal(rig->cluster, RIG_QUORUM, RIG_TIMEOUT_MS));
    return rig;
}

static struct rig *start_and_stop(void)
{
    struct rig *rig = start();
    RIG_CHECK(rig, cluster_stop_all(rig->cluster));
    return rig;
}

static void tape_xor(uint64_t offset, uint8_t bits)
{
    uint8_t byte = 0;
    int fd = open(tape, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQUAL(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= bits;
    CHECK_EQUAL(pwrite(fd, &byte, 1, (off_t)offset), 1);
    CHECK_EQUAL(fsync(fd), 0);
    close(fd);
}

/* A number behind `key` in the first line that has `mark`. */
static uint64_t number_in(const char *mark, const char *key)
{
    const char *line = strstr(said, mark);
    CHECK(line != NULL);
    while (line > said && line[-1] != '\n') {
        line--;
    }
    const char *found = strstr(line, key);
    CHECK(found != NULL);
    return strtoull(found + strlen(key), NULL, 10);
}

static void whole_tape(void)
{
    struct rig *rig = start_and_stop();
    struct stat status;
    CHECK_STATUS(RUN(rig, "log", "verify", tape), 0);
    CHECK_SAID("tape: whole");
    CHECK_SAID(": good");
    CHECK_STATUS(RUN(rig, "log", "verify", tape, "--json"), 0);
    CHECK_SAID("{\"tape\":\"");
    CHECK_SAID("\"state\":\"whole\",\"in_use\":false");
    CHECK_SAID("\"exit_status\":0}\n");
    CHECK_EQUAL(count_of("\n"), 1);
    CHECK_STATUS(RUN(rig, "log", "stats", tape, "--json"), 0);
    CHECK_EQUAL(count_of("\n"), 1);
    CHECK(number_in("\"quorums\":[{", "\"commit_index\":") >= MESSAGES);
    CHECK(number_in("\"quorums\":[{", "\"first_index\":") == 1);
    CHECK_STATUS(RUN(rig, "log", "stats", "-c", config), 0);
    CHECK_SAID("quorum " RIG_QUORUM ": ");
    CHECK_STATUS(RUN(rig, "log", "dump", tape), 0);
    CHECK_SAID(": committed\n");
    CHECK_SAID(" block at position ");
    CHECK_STATUS(RUN(rig, "log", "dump", tape, "--json", "--quorum", RIG_QUORUM, "--from", "5", "--to", "9"),
                 0);
    CHECK_EQUAL(count_of("{\"kind\":\"record\""), 5);
    CHECK_EQUAL(count_of("{\"kind\":\"block\""), 0);
    CHECK_EQUAL(count_of("\n"), 6);
    CHECK_EQUAL(number_in("\"kind\":\"record\"", "\"index\":"), 5);
    CHECK_STATUS(
        RUN(rig, "log", "export", tape, "--quorum", RIG_QUORUM, "--out", out, "--from", "3", "--to", "4"), 0);
    CHECK_SAID("exported entries 3..4 of " RIG_QUORUM);
    CHECK_EQUAL(stat(out, &status), 0);
    rig_end(rig);
}

static void wrong_use(void)
{
    struct rig *rig = start_and_stop();
    CHECK_STATUS(RUN(rig, "log", "verify", tape, "--from", "5"), 2);
    CHECK_STATUS(RUN(rig, "log", "nonsense", tape), 2);
    CHECK_STATUS(RUN(rig, "log", "dump", tape, "--from", "x"), 2);
    CHECK_STATUS(RUN(rig, "log", "export", tape), 2);
    CHECK_STATUS(RUN(rig, "log", "dump", "/nowhere/at/all"), 1);
    CHECK_STATUS(RUN(rig, "log", "verify", config), 1);
    CHECK_STATUS(RUN(rig, "log", "stats", tape, "--quorum", "nobody"), 1);
    CHECK_STATUS(RUN(rig, "log", "--help"), 0);
    CHECK_SAID("exit status: 0 whole");
    rig_end(rig);
}

/* A record in the middle of the tape loses a bit: its block is damaged, its records are still whole but one.
 */
static void damaged_tape(void)
{
    struct rig *rig = start_and_stop();
    CHECK_STATUS(RUN(rig, "log", "dump", tape, "--json", "--from", "50", "--to", "50"), 0);
    uint64_t offset = number_in("\"kind\":\"record\"", "\"offset\":");
    tape_xor(offset + 50, 1);
    CHECK_STATUS(RUN(rig, "log", "verify", tape), 4);
    CHECK_SAID("tape: damaged");
    CHECK_SAID("  damaged: offset ");
    CHECK_EQUAL(count_of("  damaged: offset "), 1);
    CHECK_STATUS(RUN(rig, "log", "verify", tape, "--json"), 4);
    CHECK_EQUAL(count_of("\"announced_records\""), 1);
    uint64_t first = number_in("\"damages\":[{", "\"first_block\":");
    CHECK(first > 1);
    CHECK_EQUAL(number_in("\"damages\":[{", "\"last_block\":"), first);
    uint64_t announced = number_in("\"damages\":[{", "\"announced_records\":");
    CHECK(announced >= 1);
    CHECK_EQUAL(number_in("\"damages\":[{", "\"readable_records\":"), announced - 1);
    CHECK(number_in("\"damages\":[{", "\"offset\":") < offset);
    CHECK_STATUS(RUN(rig, "log", "dump", tape), 4);
    CHECK_STATUS(RUN(rig, "log", "stats", tape), 4);
    CHECK_STATUS(RUN(rig, "log", "export", tape, "--quorum", RIG_QUORUM, "--out", out), 4);
    CHECK(access(out, F_OK) != 0);
    CHECK_STATUS(RUN(rig, "format", "-c", config, "--grow", GROWN_TEXT), 1);
    CHECK_SAID("damaged");
    rig_end(rig);
}

/* Bytes behind the end that say nothing of being durable. */
static void torn_tape(void)
{
    struct rig *rig = start_and_stop();
    CHECK_STATUS(RUN(rig, "log", "dump", tape, "--json"), 0);
    const char *last = NULL;
    for (const char *at = said; (at = strstr(at, "{\"kind\":\"block\"")) != NULL; at++) {
        last = at;
    }
    CHECK(last != NULL);
    memmove(said, last, strlen(last) + 1);
    uint64_t end = number_in("\"kind\":\"block\"", "\"offset\":") + 4096;
    tape_xor(end, 0x5a);
    CHECK_STATUS(RUN(rig, "log", "verify", tape), 3);
    CHECK_SAID("tape: torn tail");
    CHECK_STATUS(RUN(rig, "log", "export", tape, "--quorum", RIG_QUORUM, "--out", out), 0);
    RIG_CHECK(rig, cluster_start(rig->cluster, 1)); /* and the node cuts it */
    RIG_CHECK(rig, cluster_wait_ready(rig->cluster, 1, RIG_TIMEOUT_MS));
    rig_end(rig);
}

static void tape_in_use(void)
{
    struct rig *rig = start();
    CHECK_STATUS(RUN(rig, "log", "verify", tape), 0);
    CHECK_SAID("in use: a node has this tape open");
    CHECK_STATUS(RUN(rig, "log", "stats", "-c", config, "--json"), 0);
    CHECK_SAID("\"in_use\":true");
    CHECK_STATUS(RUN(rig, "log", "export", tape, "--quorum", RIG_QUORUM, "--out", out), 0);
    CHECK_SAID("of a tape in use");
    CHECK_STATUS(RUN(rig, "format", "-c", config, "--force"), 1);
    CHECK_SAID("a node has it open");
    CHECK_STATUS(RUN(rig, "format", "-c", config, "--grow", GROWN_TEXT), 1);
    CHECK_SAID("not grown: a node has it open");
    CHECK_STATUS(RUN(rig, "status", "-c", config), 0);
    CHECK_SAID(" writes, p50 ");
    CHECK_SAID("workers on CPUs any");
    CHECK_STATUS(RUN(rig, "status", "-c", config, "--json"), 0);
    CHECK(number_in("\"writes\":{", "\"writes\":{\"count\":") > 0);
    CHECK_EQUAL(number_in("\"slow_limit_ns\"", "\"slow_limit_ns\":"), 10000000);
    RIG_CHECK(rig, cluster_stop_all(rig->cluster));
    rig_end(rig);
}

/* Chunks are begun and filled under the eyes of the walk. */
static void busy_tape(void)
{
    struct rig *rig = rig_begin();
    uint64_t leader = 0;
    CHECK(rig_create(rig, &(struct cluster_options){.tape_bytes = 32u << 20, .chunk_bytes = 64u << 10}));
    cluster_path(rig->cluster, 1, "tape", tape, sizeof(tape));
    RIG_CHECK(rig, rig_start(rig, &leader));
    CHECK(rig_publish(rig, RIG_QUORUM, BUSY_MESSAGES, 0));
    for (unsigned i = 0; i < 10; i++) {
        CHECK_STATUS(RUN(rig, "log", "verify", tape, "--quorum", RIG_QUORUM), 0);
        CHECK_SAID("in use: a node has this tape open");
    }
    CHECK(rig_wait_decided(rig, BUSY_MESSAGES));
    RIG_CHECK(rig, cluster_stop_all(rig->cluster));
    CHECK_STATUS(RUN(rig, "log", "verify", tape), 0);
    rig_end(rig);
}

static void forced_format(void)
{
    struct rig *rig = start_and_stop();
    CHECK_STATUS(RUN(rig, "log", "verify", tape, "--json"), 0);
    const char *mark = "\"incarnation\":\"";
    char before[40];
    CHECK(strstr(said, mark) != NULL);
    snprintf(before, sizeof(before), "%.30s", strstr(said, mark));
    CHECK_STATUS(RUN(rig, "format", "-c", config), 1);
    CHECK_SAID("never formatted over without --force");
    CHECK_STATUS(RUN(rig, "format", "-c", config, "--force"), 0);
    CHECK_SAID("LOST: quorum " RIG_QUORUM);
    CHECK_STATUS(RUN(rig, "log", "verify", tape, "--json"), 0);
    CHECK(strstr(said, before) == NULL);
    CHECK_SAID("\"records\":0");
    rig_end(rig);
}

static void config_line_set(const char *key, const char *line)
{
    char text[4096];
    FILE *file = fopen(config, "r");
    CHECK(file != NULL);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    char *found = strstr(text, key);
    CHECK(found != NULL);
    file = fopen(config, "w");
    CHECK(file != NULL);
    fprintf(file, "%.*s%s%s", (int)(found - text), text, line, found + strcspn(found, "\n"));
    CHECK_EQUAL(fclose(file), 0);
}

static void grown_tape(void)
{
    struct rig *rig = start_and_stop();
    struct stat status;
    CHECK_STATUS(RUN(rig, "format", "-c", config, "--grow", "4M"), 1);
    CHECK_SAID("not larger");
    CHECK_STATUS(RUN(rig, "format", "-c", config, "--grow", "5000K"), 1);
    CHECK_SAID("multiple of its chunks");
    CHECK_EQUAL(stat(tape, &status), 0);
    CHECK(status.st_size < GROWN_BYTES); /* a refusal does not lengthen the file */
    CHECK_STATUS(RUN(rig, "format", "-c", config, "--grow", GROWN_TEXT, "--force"), 2);
    CHECK_STATUS(RUN(rig, "format", "-c", config, "--grow", GROWN_TEXT), 0);
    CHECK_SAID("now set size = 8192K");
    CHECK_STATUS(RUN(rig, "log", "verify", tape, "--json"), 0);
    CHECK_EQUAL(number_in("\"size_bytes\"", "\"size_bytes\":"), GROWN_BYTES);
    CHECK_STATUS(RUN(rig, "node", "-c", config), 1); /* the configuration still says the old size */
    config_line_set("size = ", "size = 8192K");
    RIG_CHECK(rig, cluster_start_all(rig->cluster));
    RIG_CHECK(rig, cluster_wait_equal(rig->cluster, RIG_QUORUM, RIG_TIMEOUT_MS));
    RIG_CHECK(rig, cluster_stop_all(rig->cluster));
    CHECK_STATUS(RUN(rig, "log", "verify", tape), 0);
    rig_end(rig);
}

/* A loop device stands for a partition. False: this machine, or this user, has none to give. */
static bool loop_attach(const char *file, char *ret_device, size_t device_bytes)
{
    char command[512];
    snprintf(command, sizeof(command),
             "truncate -s 10M %s && losetup -f --show --direct-io=on %s 2>/dev/null", file, file);
    FILE *output = popen(command, "r");
    ret_device[0] = '\0';
    if (output && fgets(ret_device, (int)device_bytes, output)) {
        ret_device[strcspn(ret_device, "\n")] = '\0';
    }
    return output && pclose(output) == 0 && ret_device[0] == '/';
}

/* Nothing is checked before the device is given back. */
static void partition(void)
{
    struct rig *rig = rig_begin();
    char file[256];
    char device[64];
    char line[128];
    char command[128];
    CHECK(rig_create(rig, &(struct cluster_options){.tape_bytes = TAPE_BYTES}));
    cluster_path(rig->cluster, 1, "conf", config, sizeof(config));
    cluster_path(rig->cluster, 1, "image", file, sizeof(file));
    if (!loop_attach(file, device, sizeof(device))) {
        rig_end(rig);
        SKIP("no loop device");
    }
    snprintf(line, sizeof(line), "path = %s", device);
    config_line_set("path = ", line);
    config_line_set("size = ", "sync = probe");
    config_line_set("sync = fdatasync", "");
    int formatted = RUN(rig, "format", "-c", config);
    int again = RUN(rig, "format", "-c", config);
    bool refused = strstr(said, "never formatted over without --force") != NULL;
    int forced = RUN(rig, "format", "-c", config, "--force");
    int verified = RUN(rig, "log", "verify", device, "--json");
    bool started = cluster_start(rig->cluster, 1) && cluster_wait_ready(rig->cluster, 1, RIG_TIMEOUT_MS) &&
                   cluster_stop(rig->cluster, 1);
    snprintf(command, sizeof(command), "losetup -d %s", device);
    CHECK_EQUAL(system(command), 0);
    CHECK_EQUAL(formatted, 0);
    CHECK_EQUAL(again, 1);
    CHECK(refused);
    CHECK_EQUAL(forced, 0);
    CHECK_EQUAL(verified, 0);
    CHECK_EQUAL(number_in("\"size_bytes\"", "\"size_bytes\":"), 9u << 20); /* all but superblocks */
    RIG_CHECK(rig, started);
    rig_end(rig);
}

static const struct test_case cases[] = {
    {"a whole tape is told so by all tools, as text, as JSON, and filtered", whole_tape},
    {"wrong usage and what is not there have their own exit statuses", wrong_use},
    {"a damaged block is told with what it held, and exit status 4", damaged_tape},
    {"a torn tail has exit status 3, exports, and does not keep the node from starting", torn_tape},
    {"a tape in use is read and told so, and not formatted or grown", tape_in_use},
    {"a tape is whole at every look while its node writes", busy_tape},
    {"format --force tells what is lost and draws a new incarnation", forced_format},
    {"a grown tape keeps its entries and its node runs on", grown_tape},
    {"a partition is formatted whole, in place, and only by force again", partition},
};

TEST_MAIN(cases)
