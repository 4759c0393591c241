/* SPDX-License-Identifier: Apache-2.0 */
/* Making a cluster: where it lives, its files, its tapes. */
#include "cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "cluster_internal.h"

#define FORMAT_TIMEOUT_MS 120000
/* Longest Unix socket path: directory, "/N.admin". */
#define DIRECTORY_BYTES_MAX 90

uint64_t cluster_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

bool cluster_fail(struct cluster *cluster, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cluster->error, sizeof(cluster->error), format, arguments);
    va_end(arguments);
    return false;
}

const char *cluster_error(const struct cluster *cluster)
{
    return cluster->error;
}

const char *cluster_directory(const struct cluster *cluster)
{
    return cluster->directory;
}

unsigned cluster_node_count(const struct cluster *cluster)
{
    return cluster->options.node_count;
}

const struct tally_endpoint *cluster_endpoints(const struct cluster *cluster)
{
    return cluster->endpoints;
}

void cluster_path(const struct cluster *cluster, uint64_t node_id, const char *what, char *path,
                  unsigned path_bytes)
{
    snprintf(path, path_bytes, "%s/%llu.%s", cluster->directory, (unsigned long long)node_id, what);
}

const char *cluster_find_program(void)
{
    static const char *const places[] = {"tally", "../node/tally", "../../node/tally"};
    static char found[PATH_MAX + 32];
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length <= 0) {
        return NULL;
    }
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(found, sizeof(found), "%s/%s", self, places[i]);
        if (access(found, X_OK) == 0) {
            return found;
        }
    }
    return NULL;
}

static bool has_direct_io(const char *directory)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static const char *choose_parent(const struct cluster_options *options)
{
    const char *wanted = options->parent ? options->parent : getenv("TALLY_DIR");
    if (wanted && *wanted) {
        return wanted;
    }
    return has_direct_io("/var/tmp") || !has_direct_io(".") ? "/var/tmp" : ".";
}

static void set_defaults(struct cluster_options *options)
{
    options->node_count = options->node_count ? options->node_count : 3;
    options->cluster_id = options->cluster_id ? options->cluster_id : 1;
    options->tape_bytes = options->tape_bytes ? options->tape_bytes : 64u << 20;
    options->chunk_bytes = options->chunk_bytes ? options->chunk_bytes : 256u << 10;
    options->tape_memory_bytes = options->tape_memory_bytes ? options->tape_memory_bytes : 2u << 20;
    options->sync = options->sync ? options->sync : "fdatasync";
    options->profile = options->profile ? options->profile : "shared";
    options->election_timeout_ms = options->election_timeout_ms ? options->election_timeout_ms : 150;
    if (!options->heartbeat_interval_ms) {
        options->heartbeat_interval_ms = options->election_timeout_ms / 5;
    }
    uint64_t chunks = (options->tape_bytes + options->chunk_bytes - 1) / options->chunk_bytes;
    options->tape_bytes = chunks * options->chunk_bytes;
    if (options->shape == CLUSTER_2_2) {
        options->tape_memory_bytes /= 2; /* two logs share it */
    }
}

static bool make_directory(struct cluster *cluster)
{
    char absolute[PATH_MAX];
    const char *parent = choose_parent(&cluster->options);
    if (!realpath(parent, absolute)) {
        return cluster_fail(cluster, "%s: %s", parent, strerror(errno));
    }
    if (strlen(absolute) + sizeof("/tally-XXXXXX") > DIRECTORY_BYTES_MAX) {
        return cluster_fail(cluster, "%s is too long a path for Unix sockets; set TALLY_DIR", absolute);
    }
    int error = child_directory_create(absolute, cluster->directory);
    return error == 0 || cluster_fail(cluster, "a directory in %s: %s", absolute, strerror(-error));
}

static bool find_program(struct cluster *cluster)
{
    const char *program = cluster->options.program ? cluster->options.program : cluster_find_program();
    if (!program || access(program, X_OK) != 0) {
        return cluster_fail(cluster, "the tally program is not there%s%s", program ? ": " : "",
                            program ? program : "");
    }
    snprintf(cluster->program, sizeof(cluster->program), "%s", program);
    return true;
}

static void set_endpoints(struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->options.node_count; i++) {
        char *address = cluster->addresses[i];
        if (cluster->options.port == CLUSTER_SHM) {
            snprintf(address, CHILD_PATH_BYTES, "shm:%.100s/%u.shm", cluster->directory, i + 1);
        } else {
            snprintf(address, CHILD_PATH_BYTES, "udp:" CLUSTER_NETWORK "%u:%u", i + 1, CLUSTER_UDP_PORT);
        }
        cluster->endpoints[i] = (struct tally_endpoint){.node_id = i + 1, .address = address};
    }
}

static bool write_configs(struct cluster *cluster)
{
    for (uint64_t id = 1; id <= cluster->options.node_count; id++) {
        int error = cluster_write_config(cluster, id);
        if (error != 0) {
            return cluster_fail(cluster, "configuration of node %llu: %s", (unsigned long long)id,
                                strerror(-error));
        }
    }
    return true;
}

/* All at once; a node's log begins with what its format said. */
static bool format_tapes(struct cluster *cluster)
{
    char config[CHILD_PATH_BYTES];
    char log[CHILD_PATH_BYTES];
    bool good = true;
    for (uint64_t id = 1; id <= cluster->options.node_count; id++) {
        cluster_path(cluster, id, "conf", config, sizeof(config));
        cluster_path(cluster, id, "log", log, sizeof(log));
        char *arguments[] = {cluster->program, "format", "-c", config, NULL};
        int error = child_start(&cluster->nodes[id].child, arguments, log);
        if (error != 0) {
            return cluster_fail(cluster, "no process: %s", strerror(-error));
        }
    }
    for (uint64_t id = 1; id <= cluster->options.node_count; id++) {
        struct child *child = &cluster->nodes[id].child;
        if (!child_wait(child, FORMAT_TIMEOUT_MS)) {
            child_kill(child);
        }
        if (good && child->status != 0) {
            good = cluster_fail(cluster, "the tape of node %llu cannot be formatted", (unsigned long long)id);
            cluster_add_log_tail(cluster, id);
        }
    }
    return good;
}

struct cluster *cluster_create(const struct cluster_options *options, char *error)
{
    struct cluster *cluster = calloc(1, sizeof(*cluster));
    ASSERT(cluster != NULL);
    cluster->options = *options;
    set_defaults(&cluster->options);
    ASSERT(cluster->options.node_count <= CLUSTER_NODES_MAX);
    cluster->home_fd = -1;
    for (unsigned id = 0; id <= CLUSTER_NODES_MAX; id++) {
        cluster->nodes[id].namespace_fd = -1;
    }
    cluster->consensus_count = cluster->options.shape == CLUSTER_2_2 ? 2 : 1;
    bool good = find_program(cluster) && make_directory(cluster);
    set_endpoints(cluster);
    good = good && (cluster->options.port == CLUSTER_SHM || cluster_network_up(cluster));
    good = good && write_configs(cluster) && format_tapes(cluster);
    if (!good) {
        snprintf(error, CLUSTER_ERROR_BYTES, "%s", cluster->error);
        cluster_destroy(cluster, false);
        return NULL;
    }
    return cluster;
}

void cluster_destroy(struct cluster *cluster, bool keep)
{
    for (uint64_t id = 1; id <= cluster->options.node_count; id++) {
        cluster_kill(cluster, id);
    }
    if (cluster->options.port == CLUSTER_AF_PACKET && cluster->directory[0]) {
        cluster_network_down(cluster);
    }
    child_directory_remove(keep);
    free(cluster);
}

bool cluster_port_of_name(const char *name, enum cluster_port *ret_port)
{
    bool shm = strcmp(name, "shm") == 0;
    if (!shm && strcmp(name, "af_packet") != 0) {
        return false;
    }
    *ret_port = shm ? CLUSTER_SHM : CLUSTER_AF_PACKET;
    return true;
}
