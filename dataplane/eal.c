/* SPDX-License-Identifier: Apache-2.0 */
/* Starts DPDK's environment as one process among others: its run-time files in a directory of ours, its
 * threads without signals, its log kept back unless it fails. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "dataplane.h"

#define EAL_ARGUMENTS_MAX 64
#define EAL_TEXT_BYTES    4096
#define ERROR_TEXT_BYTES  256
#define COMPLAINT_BYTES   181

/* EAL keeps pointers into its arguments. */
struct eal_arguments {
    char *values[EAL_ARGUMENTS_MAX];
    int count;
    char text[EAL_TEXT_BYTES];
    size_t text_bytes;
    bool full;
};

static struct eal_arguments eal_arguments;
/* What EAL and drivers said while they started. */
static char eal_log[EAL_TEXT_BYTES];

static void argument_add(struct eal_arguments *arguments, const char *name, const char *value)
{
    size_t left = sizeof(arguments->text) - arguments->text_bytes;
    char *text = arguments->text + arguments->text_bytes;
    int bytes = snprintf(text, left, "%s%s", name, value);
    if (bytes < 0 || (size_t)bytes >= left || arguments->count + 1 >= EAL_ARGUMENTS_MAX) {
        arguments->full = true;
        return;
    }
    arguments->values[arguments->count++] = text;
    arguments->text_bytes += (size_t)bytes + 1;
}

/* "0000:01:00.0" or "01:00.0", perhaps with ",options". Everything else is a virtual device. */
static bool device_is_pci(const char *device)
{
    unsigned domain;
    unsigned bus;
    unsigned slot;
    unsigned function;
    return sscanf(device, "%4x:%2x:%2x.%1x", &domain, &bus, &slot, &function) == 4 ||
           sscanf(device, "%2x:%2x.%1x", &bus, &slot, &function) == 3;
}

static void devices_add(struct eal_arguments *arguments, const struct eal_options *options)
{
    bool any_pci = false;
    for (unsigned i = 0; i < options->device_count; i++) {
        bool is_pci = device_is_pci(options->devices[i]);
        argument_add(arguments, is_pci ? "--allow=" : "--vdev=", options->devices[i]);
        any_pci = any_pci || is_pci;
    }
    if (!any_pci) {
        argument_add(arguments, "--no-pci", "");
        argument_add(arguments, "--iova-mode=", "va");
    }
}

/* "0@(0,1),1@0,2@1": the calling thread keeps every CPU it may use, polling threads have one each. */
static void lcores_add(struct eal_arguments *arguments, const struct eal_options *options)
{
    char text[EAL_TEXT_BYTES / 2];
    size_t bytes = (size_t)snprintf(text, sizeof(text), "0@(");
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    sched_getaffinity(0, sizeof(cpus), &cpus);
    const char *separator = "";
    for (unsigned cpu = 0; cpu < CPU_SETSIZE && bytes < sizeof(text); cpu++) {
        if (CPU_ISSET(cpu, &cpus)) {
            bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes, "%s%u", separator, cpu);
            separator = ",";
        }
    }
    for (unsigned i = 0; i < options->lcore_count && bytes < sizeof(text); i++) {
        bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes, "%s,%u@%u", i == 0 ? ")" : "", i + 1,
                                  options->lcores[i].cpu);
    }
    if (options->lcore_count == 0 && bytes < sizeof(text)) {
        bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes, ")");
    }
    arguments->full = arguments->full || bytes >= sizeof(text);
    argument_add(arguments, "--lcores=", text);
}

static int arguments_build(struct eal_arguments *arguments, const struct eal_options *options)
{
    char memory[16];
    snprintf(memory, sizeof(memory), "%u", options->memory_mib);
    argument_add(arguments, options->name, "");
    argument_add(arguments, "--file-prefix=", options->name);
    argument_add(arguments, "--log-level=", "*:error");
    argument_add(arguments, "--main-lcore=", "0");
    lcores_add(arguments, options);
    argument_add(arguments, "-m", "");
    argument_add(arguments, memory, "");
    /* In memory: huge pages without a mounted hugetlbfs, and none left behind in files by a killed process.
     */
    argument_add(arguments, options->huge_pages ? "--in-memory" : "--no-huge", "");
    devices_add(arguments, options);
    return arguments->full ? -E2BIG : 0;
}

/* EAL itself answers a wrong CPU with a page of usage. */
static int cpus_check(const struct eal_options *options, char *error_text)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    sched_getaffinity(0, sizeof(cpus), &cpus);
    for (unsigned i = 0; i < options->lcore_count; i++) {
        if (options->lcores[i].cpu >= CPU_SETSIZE || !CPU_ISSET(options->lcores[i].cpu, &cpus)) {
            snprintf(error_text, ERROR_TEXT_BYTES, "CPU %u is none of those this process may run on",
                     options->lcores[i].cpu);
            return -EINVAL;
        }
    }
    return 0;
}

static unsigned long number_read(const char *path)
{
    unsigned long number = 0;
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%lu", &number) != 1) {
            number = 0;
        }
        fclose(file);
    }
    return number;
}

static unsigned long huge_free_mib(void)
{
    static const char directory[] = "/sys/kernel/mm/hugepages";
    unsigned long free_mib = 0;
    DIR *sizes = opendir(directory);
    if (sizes == NULL) {
        return 0;
    }
    for (struct dirent *entry = readdir(sizes); entry != NULL; entry = readdir(sizes)) {
        unsigned long page_kib;
        if (sscanf(entry->d_name, "hugepages-%lukB", &page_kib) == 1) {
            char path[320];
            snprintf(path, sizeof(path), "%s/%s/free_hugepages", directory, entry->d_name);
            free_mib += number_read(path) * page_kib / 1024;
        }
    }
    closedir(sizes);
    return free_mib;
}

static int huge_pages_check(const struct eal_options *options, char *error_text)
{
    unsigned long free_mib = huge_free_mib();
    if (!options->huge_pages || free_mib >= options->memory_mib) {
        return 0;
    }
    snprintf(error_text, ERROR_TEXT_BYTES,
             "%lu MiB of huge pages are free, %u are needed: `echo %u > /proc/sys/vm/nr_hugepages` as root, "
             "or turn "
             "huge pages off",
             free_mib, options->memory_mib, (options->memory_mib + 1) / 2 + 16);
    return -ENOMEM;
}

/* EAL looks into the first as root and into the second as anybody else. */
static int runtime_dir_prepare(const char *runtime_dir, char *error_text)
{
    if (mkdir(runtime_dir, 0700) != 0 && errno != EEXIST) {
        int error = -errno;
        snprintf(error_text, ERROR_TEXT_BYTES, "run-time directory %s: %s", runtime_dir, strerror(-error));
        return error;
    }
    setenv("RUNTIME_DIRECTORY", runtime_dir, 1);
    setenv("XDG_RUNTIME_DIR", runtime_dir, 1);
    return 0;
}

/* Threads that EAL starts inherit this mask, so that signals go to the process's own threads. Signals of a
 * thread's own faults stay: EAL itself catches SIGBUS while it maps huge pages. */
static void signals_block(sigset_t *ret_before)
{
    sigset_t blocked;
    sigfillset(&blocked);
    static const int faults[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigdelset(&blocked, faults[i]);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, ret_before);
}

const char *eal_complaint(const char *about)
{
    static char line[COMPLAINT_BYTES];
    const char *begin = strstr(eal_log, about);
    begin = begin == NULL ? eal_log : begin;
    while (begin > eal_log && begin[-1] != '\n') {
        begin--;
    }
    snprintf(line, sizeof(line), "%.*s", (int)strcspn(begin, "\n"), begin);
    return line[0] == '\0' ? "no reason given" : line;
}

static int eal_init_quietly(struct eal_arguments *arguments, char *error_text)
{
    char *log = NULL;
    size_t log_bytes = 0;
    FILE *stream = open_memstream(&log, &log_bytes);
    if (stream != NULL) {
        rte_openlog_stream(stream);
    }
    sigset_t before;
    signals_block(&before);
    int error = 0;
    if (rte_eal_init(arguments->count, arguments->values) < 0) {
        error = rte_errno != 0 ? -rte_errno : -EIO;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    rte_openlog_stream(stderr);
    if (stream != NULL) {
        fclose(stream);
    }
    snprintf(eal_log, sizeof(eal_log), "%s", log == NULL ? "" : log);
    free(log);
    if (error != 0) {
        snprintf(error_text, ERROR_TEXT_BYTES, "DPDK does not start: %s (%s)", strerror(-error),
                 eal_complaint("EAL: "));
    }
    return error;
}

int eal_start(const struct eal_options *options, char *error_text)
{
    struct eal_arguments *arguments = &eal_arguments;
    *arguments = (struct eal_arguments){0};
    int error = arguments_build(arguments, options);
    if (error != 0) {
        snprintf(error_text, ERROR_TEXT_BYTES, "too many devices or CPUs for DPDK's command line");
        return error;
    }
    error = cpus_check(options, error_text);
    if (error == 0) {
        error = huge_pages_check(options, error_text);
    }
    if (error == 0) {
        error = runtime_dir_prepare(options->runtime_dir, error_text);
    }
    return error != 0 ? error : eal_init_quietly(arguments, error_text);
}

void eal_stop(void)
{
    rte_eal_cleanup();
}
