/* SPDX-License-Identifier: Apache-2.0 */
#include "command_options.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_NS 250000000ull

static volatile sig_atomic_t stopped;

bool command_parse_number(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret_value)
{
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < minimum || value > maximum) {
        return false;
    }
    *ret_value = value;
    return true;
}

bool command_add_endpoint(struct command_options *options, const char *text)
{
    char id[24];
    const char *equals = strchr(text, '=');
    size_t id_bytes = equals ? (size_t)(equals - text) : 0;
    if (!equals || id_bytes >= sizeof(id) || options->endpoint_count == TALLY_NODES_MAX) {
        return false;
    }
    memcpy(id, text, id_bytes);
    id[id_bytes] = '\0';
    struct tally_endpoint endpoint = {.address = equals + 1};
    if (!command_parse_number(id, 1, INT64_MAX, &endpoint.node_id)) {
        return false;
    }
    options->endpoints[options->endpoint_count++] = endpoint;
    return true;
}

uint64_t command_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void stop(int signal_number)
{
    (void)signal_number;
    stopped = 1;
}

void command_catch_signals(void)
{
    struct sigaction action = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool command_is_stopped(void)
{
    return stopped != 0;
}

bool command_progress_is_due(uint64_t now_ns, uint64_t *due_ns)
{
    if (now_ns < *due_ns) {
        return false;
    }
    *due_ns = now_ns + PROGRESS_NS;
    return isatty(STDERR_FILENO) == 1;
}
