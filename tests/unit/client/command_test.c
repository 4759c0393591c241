/* SPDX-License-Identifier: Apache-2.0 */
/* The commands as a user calls them, against a node played by this process. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "client_commands.h"
#include "command_options.h"
#include "echo_node.h"
#include "message_source.h"
#include "test.h"

#define ARGUMENTS_MAX 16

static char directory[] = "/tmp/tally-command-XXXXXX";
static char input_path[64];
static char output_path[64];
static char text_path[64];

static void make_paths(void)
{
    if (input_path[0] == '\0') {
        CHECK(mkdtemp(directory) != NULL);
        snprintf(input_path, sizeof(input_path), "%s/in", directory);
        snprintf(output_path, sizeof(output_path), "%s/out", directory);
        snprintf(text_path, sizeof(text_path), "%s/text", directory);
    }
}

static void remove_paths(void)
{
    unlink(input_path);
    unlink(output_path);
    unlink(text_path);
    rmdir(directory);
}

/* Runs a command with its stdout in `text_path` and its stderr nowhere. */
static int run_command(int (*command)(int argc, char **argv), const char *const *arguments)
{
    char *argv[ARGUMENTS_MAX];
    int argc = 0;
    for (; arguments[argc]; argc++) {
        argv[argc] = (char *)(uintptr_t)arguments[argc];
    }
    argv[argc] = NULL;
    fflush(stdout);
    int out = dup(STDOUT_FILENO);
    int err = dup(STDERR_FILENO);
    int text = open(text_path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    int nowhere = open("/dev/null", O_WRONLY);
    dup2(text, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    int status = command(argc, argv);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    close(text);
    close(nowhere);
    close(out);
    close(err);
    return status;
}

static void read_text(const char *path, char *text, size_t text_bytes)
{
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    size_t bytes = fread(text, 1, text_bytes - 1, file);
    text[bytes] = '\0';
    fclose(file);
}

/* Messages of 1, 2, ... bytes; the last one of `too_large` bytes if that is not 0. */
static void write_input(uint32_t count, uint32_t too_large_bytes)
{
    static const uint8_t message[2000] = {'m'};
    FILE *file = fopen(input_path, "wb");
    CHECK(file != NULL);
    for (uint32_t i = 0; i < count + (too_large_bytes > 0); i++) {
        uint8_t head[2];
        uint16_t bytes = (uint16_t)(i < count ? 1 + i % 100 : too_large_bytes);
        store_be16(head, bytes);
        fwrite(head, 1, sizeof(head), file);
        fwrite(message, 1, bytes, file);
    }
    fclose(file);
}

static void a_file_goes_in_and_comes_out_equal(void)
{
    static struct echo_node node;
    static char in[100000];
    static char out[100000];
    char endpoint[80];
    make_paths();
    write_input(1000, 0);
    echo_start_udp(&node);
    snprintf(endpoint, sizeof(endpoint), "1=%s", node.address);
    CHECK_EQUAL(
        run_command(command_publish, (const char *[]){"publish", "--quorum", ECHO_QUORUM, "--endpoint",
                                                      endpoint, "--file", input_path, NULL}),
        0);
    read_text(text_path, out, sizeof(out));
    CHECK(strncmp(out, "messages 1000 entries ", 22) == 0);
    CHECK(strstr(out, " refused 0 unknown 0 too_large 0\n") != NULL);
    CHECK_EQUAL(run_command(command_subscribe,
                            (const char *[]){"subscribe", "--quorum", ECHO_QUORUM, "--endpoint", endpoint,
                                             "--count", "1000", "--out", output_path, "--quiet", NULL}),
                0);
    echo_stop_udp(&node);
    struct stat in_status;
    struct stat out_status;
    CHECK_EQUAL(stat(input_path, &in_status), 0);
    CHECK_EQUAL(stat(output_path, &out_status), 0);
    CHECK_EQUAL(out_status.st_size, in_status.st_size);
    read_text(input_path, in, sizeof(in));
    read_text(output_path, out, sizeof(out));
    CHECK_BYTES(out, in, (size_t)in_status.st_size);
}

static void lines_go_in_and_are_printed(void)
{
    static struct echo_node node;
    char endpoint[80];
    char text[256];
    make_paths();
    FILE *file = fopen(input_path, "wb");
    CHECK(file != NULL);
    fputs("one\n\ntwo\\\x01\nthree", file);
    fclose(file);
    echo_start_udp(&node);
    snprintf(endpoint, sizeof(endpoint), "1=%s", node.address);
    int in = open(input_path, O_RDONLY);
    dup2(in, STDIN_FILENO);
    close(in);
    CHECK_EQUAL(
        run_command(command_publish, (const char *[]){"publish", "-q", ECHO_QUORUM, "-e", endpoint, NULL}),
        0);
    CHECK_EQUAL(
        run_command(command_subscribe, (const char *[]){"subscribe", "-q", ECHO_QUORUM, "-e", endpoint,
                                                        "--count", "3", "--node", "1", NULL}),
        0);
    echo_stop_udp(&node);
    read_text(text_path, text, sizeof(text));
    CHECK_STRING(text, "1 1 1 one\n1 1 2 two\\x5c\\x01\n1 1 3 three\n");
}

static void what_fits_no_entry_is_counted(void)
{
    static struct echo_node node;
    char endpoint[80];
    char text[256];
    make_paths();
    write_input(10, 1259);
    echo_start_udp(&node);
    snprintf(endpoint, sizeof(endpoint), "1=%s", node.address);
    CHECK_EQUAL(run_command(command_publish, (const char *[]){"publish", "-q", ECHO_QUORUM, "-e", endpoint,
                                                              "-f", input_path, "--rate", "100000", NULL}),
                1);
    echo_stop_udp(&node);
    read_text(text_path, text, sizeof(text));
    CHECK(strncmp(text, "messages 10 ", 12) == 0);
    CHECK(strstr(text, " too_large 1\n") != NULL);
}

static void wrong_arguments_touch_nothing(void)
{
    make_paths();
    static const char *const wrong[][8] = {
        {"x", NULL},
        {"x", "-q", "prices", NULL},
        {"x", "-e", "1=udp:127.0.0.1", NULL},
        {"x", "-q", "prices", "-e", "udp:127.0.0.1", NULL},
        {"x", "-q", "prices", "-e", "0=udp:127.0.0.1", NULL},
        {"x", "-q", "prices", "-e", "1=udp:127.0.0.1", "--no-such-option", NULL},
        {"x", "-q", "prices", "-e", "1=udp:127.0.0.1", "argument", NULL},
        {"x", "-q", "pri/ces", "-e", "1=udp:127.0.0.1", NULL},
        {"x", "-q", "prices", "-e", "1=tcp:127.0.0.1", NULL},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK_EQUAL(run_command(command_publish, wrong[i]), 2);
        CHECK_EQUAL(run_command(command_subscribe, wrong[i]), 2);
    }
    CHECK_EQUAL(run_command(command_subscribe, (const char *[]){"subscribe", "-q", "prices", "-e",
                                                                "1=udp:127.0.0.1", "--node", "2", NULL}),
                2);
    CHECK_EQUAL(run_command(command_publish, (const char *[]){"publish", "-q", "prices", "-e",
                                                              "1=udp:127.0.0.1", "--loop", NULL}),
                2);
}

static void lines_come_as_they_are_written(void)
{
    static struct message_source source;
    int ends[2];
    CHECK_EQUAL(pipe(ends), 0);
    message_source_open_lines(&source, ends[0]);
    const uint8_t *line;
    size_t bytes;
    CHECK_EQUAL(message_source_next(&source, &line, &bytes), MESSAGE_SOURCE_WAIT);
    CHECK_EQUAL(write(ends[1], "ab\nc", 4), 4);
    CHECK_EQUAL(message_source_next(&source, &line, &bytes), MESSAGE_SOURCE_MESSAGE);
    CHECK_EQUAL(bytes, 2);
    CHECK_EQUAL(message_source_next(&source, &line, &bytes), MESSAGE_SOURCE_WAIT);
    CHECK_EQUAL(write(ends[1], "d\n\ne", 4), 4);
    close(ends[1]);
    CHECK_EQUAL(message_source_next(&source, &line, &bytes), MESSAGE_SOURCE_MESSAGE);
    CHECK_BYTES(line, "cd", 2);
    CHECK_EQUAL(message_source_next(&source, &line, &bytes), MESSAGE_SOURCE_MESSAGE);
    CHECK_EQUAL(bytes, 1);
    CHECK_BYTES(line, "e", 1);
    CHECK_EQUAL(message_source_next(&source, &line, &bytes), MESSAGE_SOURCE_END);
    close(ends[0]);
}

static void a_loop_begins_again(void)
{
    static struct message_source source;
    make_paths();
    write_input(3, 0);
    CHECK_EQUAL(message_source_open_file(&source, input_path, true), 0);
    const uint8_t *message;
    size_t bytes = 0;
    for (uint32_t i = 0; i < 10; i++) {
        CHECK_EQUAL(message_source_next(&source, &message, &bytes), MESSAGE_SOURCE_MESSAGE);
        CHECK_EQUAL(bytes, 1 + i % 3);
    }
    message_source_close(&source);
    CHECK_EQUAL(truncate(input_path, 4), 0);
    CHECK_EQUAL(message_source_open_file(&source, input_path, true), 0);
    CHECK_EQUAL(message_source_next(&source, &message, &bytes), MESSAGE_SOURCE_MESSAGE);
    CHECK_EQUAL(message_source_next(&source, &message, &bytes), MESSAGE_SOURCE_BAD);
    message_source_close(&source);
    CHECK_EQUAL(truncate(input_path, 0), 0);
    CHECK_EQUAL(message_source_open_file(&source, input_path, true), 0);
    CHECK_EQUAL(message_source_next(&source, &message, &bytes), MESSAGE_SOURCE_END);
    message_source_close(&source);
    remove_paths();
}

static const struct test_case cases[] = {
    {"a BinaryFILE published and subscribed to comes out equal", a_file_goes_in_and_comes_out_equal},
    {"lines go in as messages and are printed", lines_go_in_and_are_printed},
    {"a message that fits no entry is counted and makes the exit status 1", what_fits_no_entry_is_counted},
    {"wrong arguments give exit status 2", wrong_arguments_touch_nothing},
    {"lines are handed out as they arrive, the last one without its end too", lines_come_as_they_are_written},
    {"a looped file begins again, a cut or empty one ends", a_loop_begins_again},
};

TEST_MAIN(cases)
