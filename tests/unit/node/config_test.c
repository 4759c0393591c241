/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <unistd.h>

#include "test.h"

static const char good[] = "[cluster]\n"               /* 1 */
                           "id = 7\n"                  /* 2 */
                           "insecure = yes\n"          /* 3 */
                           "\n"                        /* 4 */
                           "# a comment\n"             /* 5 */
                           "[node]\n"                  /* 6 */
                           "id = 1\n"                  /* 7 */
                           "admin_socket = /t/admin\n" /* 8 */
                           "shm_socket = /t/shm\n"     /* 9 */
                           "runtime_dir = /t/run\n"    /* 10 */
                           "[thread 0]\n"              /* 11 */
                           "cpu = 0\n"                 /* 12 */
                           "profile = shared\n"        /* 13 */
                           "runs = dataplane0 consensus0\n"
                           "[log main]\n" /* 15 */
                           "path = /t/tape\n"
                           "size = 64M\n"
                           "[peer 2]\n" /* 18 */
                           "shm = /t/2\n";

static struct config config;
static char error_text[CONFIG_ERROR_BYTES];

/* Loads `text` with the first occurrence of `from` replaced by `to` ("" appends `to`). */
static bool load_changed(const char *from, const char *to)
{
    char path[] = "config_test.XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    FILE *file = fdopen(fd, "w");
    const char *place = from[0] ? strstr(good, from) : good + strlen(good);
    CHECK(place != NULL);
    fwrite(good, 1, (size_t)(place - good), file);
    fputs(to, file);
    fputs(place + strlen(from), file);
    fclose(file);
    error_text[0] = '\0';
    bool loaded = config_load(path, &config, error_text);
    unlink(path);
    return loaded;
}

/* The refusal, without the file's name: "LINE: ..." */
static const char *refusal_of(const char *from, const char *to)
{
    CHECK(!load_changed(from, to));
    const char *colon = strchr(error_text, ':');
    CHECK(colon != NULL);
    return colon + 1;
}

static void test_good(void)
{
    CHECK(load_changed("", ""));
    CHECK_EQUAL(config.cluster_id, 7);
    CHECK_EQUAL(config.thread_count, 1);
    CHECK_EQUAL(config.dataplane_count, 1);
    CHECK_EQUAL(config.consensus_count, 1);
    CHECK_EQUAL(config.logs[0].size_bytes, 64 << 20);
    CHECK_EQUAL(config.logs[0].chunk_bytes, 1 << 20);
    CHECK_EQUAL(config.election_timeout_ns, 150000000);
    CHECK_STRING(config.peers[0].shm, "/t/2");
}

static void test_units(void)
{
    CHECK(
        load_changed("insecure = yes", "insecure = yes\nelection_timeout = 2s\nheartbeat_interval = 1500us"));
    CHECK_EQUAL(config.election_timeout_ns, 2000000000);
    CHECK_EQUAL(config.heartbeat_interval_ns, 1500000);
    CHECK_STRING(
        refusal_of("insecure = yes", "insecure = yes\nelection_timeout = 2"),
        "4: [cluster] election_timeout: bad value \"2\"; allowed: a time with ns, us, ms or s between 10 and "
        "60000 ms");
    CHECK_STRING(
        refusal_of("size = 64M", "size = 64X"),
        "17: [log main] size: bad value \"64X\"; allowed: a number from 1048576 to 1125899906842624, with K, "
        "M, G or T");
    CHECK(strstr(refusal_of("size = 64M", "size = 99999999999999999999T"), "bad value") != NULL);
    CHECK(strstr(refusal_of("size = 64M", "size = 18446744073709551615K"), "bad value") != NULL);
}

static void test_unknown(void)
{
    CHECK_STRING(refusal_of("cpu = 0", "cpus = 0"),
                 "12: [thread 0] cpus: unknown key; allowed: runs, cpu, profile");
    CHECK(strstr(refusal_of("", "[thing]\nx = 1\n"),
                 "20: [thing]: unknown section; allowed: cluster, node") != NULL);
    CHECK(strstr(refusal_of("profile = shared", "profile = lazy"),
                 "13: [thread 0] profile: bad value \"lazy\"; allowed: spin | adaptive | shared") != NULL);
}

static void test_missing(void)
{
    CHECK_STRING(refusal_of("path = /t/tape\n", ""), "15: [log main]: the key path is missing");
    CHECK_STRING(refusal_of("[node]", "[nodes]"), "6: [nodes]: unknown section; allowed: cluster, node, "
                                                  "devices, thread N, log NAME, ethdev N, peer ID");
    CHECK(strstr(refusal_of("runs = dataplane0 consensus0\n", ""), "runs names no parts") != NULL);
}

static void test_twice(void)
{
    CHECK_STRING(refusal_of("cpu = 0", "cpu = 0\ncpu = 1"), "12: [thread 0] cpu: given twice");
    CHECK(strstr(refusal_of("", "[peer 2]\nshm = /t/3\n"), "18: [peer 2]: section given twice") != NULL);
}

static void test_contradictions(void)
{
    static const struct {
        const char *from;
        const char *to;
        const char *what;
    } cases[] = {
        {"insecure = yes", "insecure = no", "needs sealed frames"},
        {"insecure = yes", "insecure = yes\nheartbeat_interval = 75ms", "below half of election_timeout"},
        {"dataplane0 consensus0", "dataplane0", "each once, without a gap"},
        {"dataplane0 consensus0", "dataplane0 consensus1", "each once, without a gap"},
        {"dataplane0 consensus0", "dataplane0 consensus0 consensus0", "runs a part that another thread runs"},
        {"[log main]", "[thread 1]\ncpu = 0\nprofile = spin\nruns = dataplane1\n[log main]",
         "spins on a CPU that another thread uses"},
        {"size = 64M", "size = 65M\nchunk = 128K\nmemory = 512K", NULL},
        {"size = 64M", "size = 1536K", "size must be a multiple of chunk"},
        {"size = 64M", "size = 2M", "size must be at least four chunks"},
        {"size = 64M", "size = 64M\nchunk = 96K", "chunk must be a power of two"},
        {"size = 64M", "size = 64M\nmemory = 2M", "memory must hold at least four chunks"},
        {"[peer 2]", "[log other]\npath = /t/o\nsize = 64M\n[peer 2]",
         "one [log NAME] for each consensus core"},
        {"[peer 2]", "[peer 1]", "is this node itself"},
        {"shm = /t/2", "shm = /t/2\naddress = 192.0.2.1", "needs either shm or address"},
        {"shm = /t/2", "address = 192.0.2.1", "ethdev names a port that is not there"},
        {"shm_socket = /t/shm\n", "", "there is no port"},
        {"[peer 2]", "[ethdev 0]\ndevice = x\naddress = 192.0.2.1\nmtu = 2000\n[peer 2]",
         "mtu must be 1500 or 9000"},
        {"[peer 2]", "[ethdev 0]\ndevice = x\naddress = 192.0.2.1\ncore = 1\n[peer 2]",
         "core names a dataplane core"},
        {"insecure = yes", "insecure = yes\nentry_bytes = 1453", "bad value"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool loaded = load_changed(cases[i].from, cases[i].to);
        if (cases[i].what == NULL ? !loaded : loaded || strstr(error_text, cases[i].what) == NULL) {
            printf("# case %zu: \"%s\", expected \"%s\"\n", i, error_text,
                   cases[i].what ? cases[i].what : "good");
            CHECK(false);
        }
    }
}

static void test_no_ini(void)
{
    CHECK(strstr(refusal_of("id = 7\n", "what is this\n"), "2: not an INI file") != NULL);
    CHECK(!config_load("there/is/no/such.conf", &config, error_text));
    CHECK(strstr(error_text, "cannot be read") != NULL);
}

static void test_log_keys(void)
{
    CHECK(load_changed("size = 64M\n", "size = 64M\nslow_write = 2ms\nworker_cpus = 0,2-3\n"));
    CHECK_EQUAL(config.logs[0].slow_write_ns, 2000000);
    CHECK_STRING(config.logs[0].worker_cpus, "0,2-3");
    CHECK(load_changed("size = 64M\n", "size = 64M\nworker_cpus = any\n"));
    CHECK_EQUAL(config.logs[0].slow_write_ns, 10000000);
    CHECK_STRING(refusal_of("size = 64M\n", "size = 64M\nworker_cpus = 3-1\n"),
                 "15: [log main]: worker_cpus must be a list of CPUs like 0,2-3, or any");
    CHECK(strstr(refusal_of("size = 64M\n", ""), "the key size is missing"));
    CHECK(load_changed("path = /t/tape\nsize = 64M\n", "path = /dev/sdz1\n"));
    CHECK_EQUAL(config.logs[0].size_bytes, 0);
}

static const struct test_case cases[] = {
    {"slow writes, workers and a partition's own size can be said", test_log_keys},
    {"a good file is read, with its defaults", test_good},
    {"times and sizes need their units and stay in range", test_units},
    {"what is unknown is refused with its line and what is allowed", test_unknown},
    {"what is missing is named", test_missing},
    {"nothing may be given twice", test_twice},
    {"parts that do not fit each other are refused", test_contradictions},
    {"what is no INI file is refused", test_no_ini},
};

TEST_MAIN(cases)
