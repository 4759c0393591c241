/* SPDX-License-Identifier: Apache-2.0 */
/* EAL starts once a process: each case has a process of its own. */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <rte_ethdev.h>
#include <rte_lcore.h>

#include "dataplane_rig.h"

struct report {
    int error;
    char error_text[256];
    char complaint[256];
    unsigned lcore_count;
    unsigned port_count;
    unsigned thread_count; /* besides the calling one */
    unsigned deaf_threads; /* of those: block SIGTERM */
    bool caller_hears;     /* the calling thread does not block it */
};

static void threads_look(struct report *report)
{
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
        int thread = atoi(entry->d_name);
        if (thread == 0 || thread == getpid()) {
            continue;
        }
        char path[64];
        char line[256];
        snprintf(path, sizeof(path), "/proc/self/task/%d/status", thread);
        FILE *file = fopen(path, "r");
        while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
            unsigned long long blocked;
            if (sscanf(line, "SigBlk: %llx", &blocked) == 1) {
                report->thread_count++;
                report->deaf_threads += (blocked >> (SIGTERM - 1)) & 1;
            }
        }
        if (file != NULL) {
            fclose(file);
        }
    }
    closedir(tasks);
}

static void child_run(struct eal_options *options, struct report *report)
{
    char directory[] = "/tmp/tally-eal-XXXXXX";
    char command[64];
    options->name = "eal_test";
    options->runtime_dir = mkdtemp(directory);
    report->error = eal_start(options, report->error_text);
    snprintf(report->complaint, sizeof(report->complaint), "%s", eal_complaint("net_af_packet0"));
    if (report->error == 0) {
        report->lcore_count = rte_lcore_count();
        report->port_count = rte_eth_dev_count_avail();
        sigset_t now;
        pthread_sigmask(SIG_SETMASK, NULL, &now);
        report->caller_hears = !sigismember(&now, SIGTERM);
        threads_look(report);
        eal_stop();
    }
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    _exit(system(command) == 0 ? 0 : 1);
}

static const struct report *eal_try(struct eal_options options)
{
    static struct report *report;
    if (report == NULL) {
        report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    }
    CHECK(report != MAP_FAILED);
    memset(report, 0, sizeof(*report));
    report->error = 1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        child_run(&options, report);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_EQUAL(status, 0);
    return report;
}

static void it_starts_without_huge_pages(void)
{
    static const char *const devices[] = {"net_null0", "net_null1"};
    unsigned cpu = (unsigned)sched_getcpu();
    struct lcore_options lcores[3] = {{.cpu = cpu}, {.cpu = cpu}, {.cpu = cpu}};
    const struct report *report = eal_try((struct eal_options){
        .memory_mib = 64, .devices = devices, .device_count = 2, .lcores = lcores, .lcore_count = 3});
    CHECK_STRING(report->error_text, "");
    CHECK_EQUAL(report->error, 0);
    CHECK_EQUAL(report->lcore_count, 4);
    CHECK_EQUAL(report->port_count, 2);
}

static void its_threads_take_no_signals(void)
{
    struct lcore_options lcore = {.cpu = (unsigned)sched_getcpu()};
    const struct report *report =
        eal_try((struct eal_options){.memory_mib = 64, .lcores = &lcore, .lcore_count = 1});
    CHECK_EQUAL(report->error, 0);
    CHECK(report->thread_count >= 2);
    CHECK_EQUAL(report->deaf_threads, report->thread_count);
    CHECK(report->caller_hears);
}

static void missing_huge_pages_are_explained(void)
{
    const struct report *report = eal_try((struct eal_options){.memory_mib = 1u << 24, .huge_pages = true});
    CHECK_EQUAL(report->error, -ENOMEM);
    CHECK(strstr(report->error_text, "/proc/sys/vm/nr_hugepages") != NULL);
}

static void a_bad_device_is_named(void)
{
    static const char *const devices[] = {"net_nosuchdriver0"};
    const struct report *report =
        eal_try((struct eal_options){.memory_mib = 64, .devices = devices, .device_count = 1});
    CHECK(report->error < 0);
    printf("# %s\n", report->error_text);
    CHECK(strstr(report->error_text, "net_nosuchdriver0") != NULL);
}

/* EAL starts without it: the driver's own word is all there is. */
static void a_missing_interface_is_explained(void)
{
    static const char *const devices[] = {"net_af_packet0,iface=tally_nowhere"};
    const struct report *report =
        eal_try((struct eal_options){.memory_mib = 64, .devices = devices, .device_count = 1});
    printf("# %s: %s\n", report->error_text, report->complaint);
    CHECK_EQUAL(report->port_count, 0);
    CHECK(strstr(report->complaint, "net_af_packet0") != NULL);
    CHECK(strstr(report->complaint, "SIOCGIFINDEX") != NULL);
}

static void a_cpu_that_is_not_there_is_an_error(void)
{
    struct lcore_options lcore = {.cpu = 9999};
    const struct report *report =
        eal_try((struct eal_options){.memory_mib = 64, .lcores = &lcore, .lcore_count = 1});
    CHECK(report->error < 0);
    printf("# %s\n", report->error_text);
    CHECK(strstr(report->error_text, "9999") != NULL);
}

static const struct test_case cases[] = {
    {"it starts without huge pages and root, several lcores on one CPU", it_starts_without_huge_pages},
    {"its threads take no signals, the caller's mask is as before", its_threads_take_no_signals},
    {"missing huge pages are explained with the remedy", missing_huge_pages_are_explained},
    {"a device that does not come up is named", a_bad_device_is_named},
    {"an interface that is not there is explained", a_missing_interface_is_explained},
    {"a CPU that is not there is named", a_cpu_that_is_not_there_is_an_error},
};

TEST_MAIN(cases)
