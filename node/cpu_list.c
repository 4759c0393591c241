/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu_list.h"

#include <stdio.h>

/* A number from 0 to 1023; moves `*at` behind it. */
static bool parse_cpu(const char **at, unsigned *ret_cpu)
{
    unsigned cpu = 0;
    const char *start = *at;
    while (**at >= '0' && **at <= '9' && cpu < CPU_SETSIZE) {
        cpu = cpu * 10 + (unsigned)(*(*at)++ - '0');
    }
    *ret_cpu = cpu;
    return *at != start && cpu < CPU_SETSIZE;
}

bool cpu_list_parse(const char *text, cpu_set_t *ret_cpus)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    for (const char *at = text;; at++) {
        unsigned first = 0;
        if (!parse_cpu(&at, &first)) {
            return false;
        }
        unsigned last = first;
        if (*at == '-') {
            at++;
            if (!parse_cpu(&at, &last) || last < first) {
                return false;
            }
        }
        for (unsigned cpu = first; cpu <= last; cpu++) {
            CPU_SET(cpu, &cpus);
        }
        if (*at == '\0') {
            *ret_cpus = cpus;
            return true;
        }
        if (*at != ',') {
            return false;
        }
    }
}

void cpu_list_write(const cpu_set_t *cpus, char *text, size_t text_bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned cpu = 0; cpu < CPU_SETSIZE && used < text_bytes; cpu++) {
        unsigned last = cpu;
        if (!CPU_ISSET(cpu, cpus)) {
            continue;
        }
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cpus)) {
            last++;
        }
        const char *comma = used ? "," : "";
        int wrote = last > cpu ? snprintf(text + used, text_bytes - used, "%s%u-%u", comma, cpu, last)
                               : snprintf(text + used, text_bytes - used, "%s%u", comma, cpu);
        used += (size_t)wrote;
        cpu = last;
    }
}
