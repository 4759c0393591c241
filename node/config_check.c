/* SPDX-License-Identifier: Apache-2.0 */
#include "config_check.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cpu_list.h"

static char section_text[CONFIG_TEXT_BYTES];

static const char *thread_section(const struct config_thread *thread)
{
    snprintf(section_text, sizeof(section_text), "thread %llu", (unsigned long long)thread->number);
    return section_text;
}

/* Counts each part; -1 when one is named twice. */
static int count_parts(const struct config *config, enum config_part_kind kind, unsigned *ret_count,
                       const struct config_thread **ret_thread)
{
    unsigned seen = 0;
    unsigned count = 0;
    for (unsigned t = 0; t < config->thread_count; t++) {
        for (unsigned p = 0; p < config->threads[t].part_count; p++) {
            if (config->threads[t].parts[p].kind != kind) {
                continue;
            }
            if (seen & (1u << config->threads[t].parts[p].index)) {
                *ret_thread = &config->threads[t];
                return -1;
            }
            seen |= 1u << config->threads[t].parts[p].index;
            count++;
        }
    }
    *ret_count = count;
    return seen == (1u << count) - 1 ? 0 : 1;
}

static const char *check_threads(struct config *config, const char **ret_section)
{
    const struct config_thread *twice = NULL;
    int dataplane = count_parts(config, CONFIG_DATAPLANE, &config->dataplane_count, &twice);
    int consensus =
        dataplane < 0 ? 0 : count_parts(config, CONFIG_CONSENSUS, &config->consensus_count, &twice);
    if (twice) {
        *ret_section = thread_section(twice);
        return "runs a part that another thread runs";
    }
    *ret_section = "node";
    if (dataplane != 0 || consensus != 0 || config->dataplane_count == 0 || config->consensus_count == 0) {
        return "the threads must run dataplane0.. and consensus0.., each once, without a gap";
    }
    for (unsigned a = 0; a < config->thread_count; a++) {
        for (unsigned b = 0; b < config->thread_count; b++) {
            if (a != b && config->threads[a].cpu == config->threads[b].cpu &&
                config->threads[a].profile == POLL_SPIN) {
                *ret_section = thread_section(&config->threads[a]);
                return "spins on a CPU that another thread uses";
            }
        }
    }
    return NULL;
}

static const char *check_logs(const struct config *config, const char **ret_section)
{
    *ret_section = "node";
    if (config->log_count != config->consensus_count) {
        return "there must be one [log NAME] for each consensus core";
    }
    for (unsigned i = 0; i < config->log_count; i++) {
        const struct config_log *log = &config->logs[i];
        snprintf(section_text, sizeof(section_text), "log %s", log->name);
        *ret_section = section_text;
        if ((log->chunk_bytes & (log->chunk_bytes - 1)) != 0) {
            return "chunk must be a power of two";
        }
        cpu_set_t cpus;
        if (log->worker_cpus[0] && strcmp(log->worker_cpus, "any") != 0 &&
            !cpu_list_parse(log->worker_cpus, &cpus)) {
            return "worker_cpus must be a list of CPUs like 0,2-3, or any";
        }
        if (log->size_bytes == 0 && strncmp(log->path, "/dev/", 5) != 0) {
            return "the key size is missing; only a partition (/dev/...) has a size of its own";
        }
        if (log->size_bytes % log->chunk_bytes != 0) {
            return "size must be a multiple of chunk";
        }
        if (log->size_bytes != 0 && log->size_bytes / log->chunk_bytes < 4) {
            return "size must be at least four chunks";
        }
        if (log->memory_bytes / log->chunk_bytes < 4) {
            return "memory must hold at least four chunks";
        }
        for (unsigned other = 0; other < i; other++) {
            if (strcmp(config->logs[other].path, log->path) == 0) {
                return "two logs have one path";
            }
        }
    }
    return NULL;
}

static const char *check_ports(const struct config *config, const char **ret_section)
{
    for (unsigned i = 0; i < config->ethdev_count; i++) {
        snprintf(section_text, sizeof(section_text), "ethdev %u", i);
        *ret_section = section_text;
        if (config->ethdevs[i].core >= config->dataplane_count) {
            return "core names a dataplane core that no thread runs";
        }
        if (config->ethdevs[i].mtu != 1500 && config->ethdevs[i].mtu != 9000) {
            return "mtu must be 1500 or 9000";
        }
        if (config->ethdevs[i].mtu == 1500 && config->data_bytes_max > DATA_BLOCKS_BYTES_MAX) {
            return "entry_bytes above 1260 need mtu = 9000 on every ethdev";
        }
    }
    *ret_section = "node";
    if (config->ethdev_count == 0 && config->shm_socket[0] == '\0') {
        return "there is no port: neither shm_socket nor an [ethdev 0]";
    }
    return NULL;
}

static const char *check_peers(const struct config *config, const char **ret_section)
{
    for (unsigned i = 0; i < config->peer_count; i++) {
        const struct config_peer *peer = &config->peers[i];
        snprintf(section_text, sizeof(section_text), "peer %llu", (unsigned long long)peer->node_id);
        *ret_section = section_text;
        if (peer->node_id == config->node_id) {
            return "is this node itself";
        }
        if ((peer->shm[0] != '\0') == (peer->address != 0)) {
            return "needs either shm or address";
        }
        if (peer->shm[0] != '\0' && config->shm_socket[0] == '\0') {
            return "is reached over shm, but [node] has no shm_socket";
        }
        if (peer->address != 0 && peer->ethdev >= config->ethdev_count) {
            return "ethdev names a port that is not there";
        }
    }
    return NULL;
}

const char *config_contradiction(struct config *config, const char **ret_section)
{
    const char *what = check_threads(config, ret_section);
    what = what ? what : check_logs(config, ret_section);
    what = what ? what : check_ports(config, ret_section);
    what = what ? what : check_peers(config, ret_section);
    if (what) {
        return what;
    }
    *ret_section = "cluster";
    if (!config->insecure) {
        return "insecure = no needs sealed frames, which this version does not have";
    }
    if (config->heartbeat_interval_ns * 2 >= config->election_timeout_ns) {
        return "heartbeat_interval must be below half of election_timeout";
    }
    return NULL;
}

unsigned config_first_bad_line(const char *path)
{
    char line[1024];
    unsigned number = 0;
    unsigned found = 0;
    FILE *file = fopen(path, "r");
    while (file && !found && fgets(line, sizeof(line), file)) {
        const char *text = line;
        number++;
        while (isspace((unsigned char)*text)) {
            text++;
        }
        bool good = *text == '\0' || *text == '#' || (*text == '[' && strchr(text, ']')) ||
                    (*text != '[' && strchr(text, '='));
        found = good ? 0 : number;
    }
    if (file) {
        fclose(file);
    }
    return found;
}
