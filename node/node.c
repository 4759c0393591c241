/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "boot_id.h"
#include "codec_port.h"
#include "cpu_list.h"
#include "log_reader.h"
#include "uring_device.h"

/* Frames in and out of one dataplane core in one turn: bounds what a consensus core on the same thread waits.
 */
#define DATAPLANE_BUDGET 64
#define STOP_TIMEOUT_NS  10000000000ull

static bool start_eal(struct node *node, char *error_text)
{
    const struct config *config = &node->config;
    const char *devices[CONFIG_DEVICES_MAX];
    struct lcore_options lcores[CONFIG_THREADS_MAX];
    char name[64];
    for (unsigned i = 0; i < config->device_count; i++) {
        devices[i] = config->devices[i];
    }
    for (unsigned i = 0; i < config->thread_count; i++) {
        lcores[i] = (struct lcore_options){.cpu = (unsigned)config->threads[i].cpu,
                                           .profile = (enum poll_profile)config->threads[i].profile};
    }
    snprintf(name, sizeof(name), "tally-%llx-%llx", (unsigned long long)config->cluster_id,
             (unsigned long long)config->node_id);
    struct eal_options options = {
        .name = name,
        .memory_mib = (unsigned)(config->memory_bytes >> 20),
        .huge_pages = config->huge_pages,
        .runtime_dir = config->runtime_dir,
        .devices = devices,
        .device_count = config->device_count,
        .lcores = lcores,
        .lcore_count = config->thread_count,
    };
    return eal_start(&options, error_text) == 0;
}

static bool create_dataplane(struct node *node, char *error_text)
{
    const struct config *config = &node->config;
    struct ethdev_options ethdevs[CONFIG_ETHDEVS_MAX];
    struct neighbour_options neighbours[NODES_MAX];
    struct dataplane_options options = {
        .cluster_id = config->cluster_id,
        .node_id = config->node_id,
        .core_count = config->dataplane_count,
        .consensus_count = config->consensus_count,
        .mbuf_count = (unsigned)config->mbuf_count,
        .ethdevs = ethdevs,
        .ethdev_count = config->ethdev_count,
        .neighbours = neighbours,
        .shm_path = config->shm_socket[0] ? config->shm_socket : NULL,
        .shm_peer_paths = node->shm_peer_paths,
        .shm_peer_ids = node->shm_peer_ids,
        .codec = codec_port_functions(),
    };
    for (unsigned i = 0; i < config->ethdev_count; i++) {
        ethdevs[i] = (struct ethdev_options){.device = config->ethdevs[i].device,
                                             .ipv4 = config->ethdevs[i].address,
                                             .udp_port = (uint16_t)config->ethdevs[i].udp_port,
                                             .mtu = (uint16_t)config->ethdevs[i].mtu,
                                             .core = (unsigned)config->ethdevs[i].core};
    }
    for (unsigned i = 0; i < config->peer_count; i++) {
        const struct config_peer *peer = &config->peers[i];
        if (peer->address != 0) {
            struct neighbour_options *neighbour = &neighbours[options.neighbour_count++];
            *neighbour = (struct neighbour_options){.node_id = peer->node_id,
                                                    .ipv4 = peer->address,
                                                    .udp_port = (uint16_t)peer->udp_port,
                                                    .port = (uint8_t)peer->ethdev};
            memcpy(neighbour->mac, peer->mac, sizeof(peer->mac));
        } else if (peer->node_id < config->node_id) { /* the higher id connects */
            node->shm_peer_paths[options.shm_peer_count] = peer->shm;
            node->shm_peer_ids[options.shm_peer_count++] = peer->node_id;
        }
    }
    for (unsigned i = 0; i < config->dataplane_count; i++) {
        options.codec_contexts[i] = codec_port_create(&node->arena, config->node_id, node->routes);
    }
    return dataplane_create(&node->arena, &options, &node->dataplane, error_text) == 0;
}

/* Where the log's io_uring workers run. By themselves they may come to run on the very CPU on which a thread
 * spins, and then the write waits for the scheduler. NULL: left to the kernel. */
static const cpu_set_t *workers_place(struct node *node, unsigned index)
{
    const struct config *config = &node->config;
    cpu_set_t *cpus = &node->logs[index].worker_cpus;
    bool any_spins = false;
    CPU_ZERO(cpus);
    if (config->logs[index].worker_cpus[0]) {
        return cpu_list_parse(config->logs[index].worker_cpus, cpus) ? cpus : NULL;
    }
    *cpus = node->allowed_cpus;
    for (unsigned t = 0; t < config->thread_count; t++) {
        if (config->threads[t].profile == POLL_SPIN && config->threads[t].cpu < CPU_SETSIZE) {
            CPU_CLR(config->threads[t].cpu, cpus);
            any_spins = true;
        }
    }
    if (!any_spins) {
        CPU_ZERO(cpus);
    }
    return CPU_COUNT(cpus) > 0 ? cpus : NULL;
}

static bool open_devices(struct node *node, unsigned index, void *memory, size_t memory_bytes,
                         char *error_text)
{
    const struct config_log *log = &node->config.logs[index];
    struct node_log *place = &node->logs[index];
    place->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (place->event_fd < 0) {
        snprintf(error_text, NODE_ERROR_BYTES, "log %s: no eventfd: %s", log->name, strerror(errno));
        return false;
    }
    struct uring_device_options options = {.path = log->path,
                                           .memory = memory,
                                           .memory_bytes = memory_bytes,
                                           .event_fd = place->event_fd,
                                           .worker_cpus = workers_place(node, index)};
    struct uring_device_options reader_options = {.path = log->path, .read_only = true, .event_fd = -1};
    return uring_device_open(&node->arena, &options, &place->device, error_text) == 0 &&
           uring_device_open(&node->arena, &reader_options, &place->reader_device, error_text) == 0;
}

static bool accept_tape(const struct config_log *log, enum tape_verdict verdict,
                        const struct tape_report *report, char *error_text)
{
    if (verdict == TAPE_READ_ERROR) {
        snprintf(error_text, NODE_ERROR_BYTES, "log %s (%s): %s%s", log->name, log->path,
                 strerror(-report->error),
                 report->error == -EUSERS ? "; it holds more quorums than [cluster] quorums allows" : "");
        return false;
    }
    if (verdict != TAPE_OPEN) {
        snprintf(
            error_text, NODE_ERROR_BYTES,
            "log %s (%s): %s (the tape is cluster %llu, node %llu, incarnation %llx, log %s; bad block at "
            "%llu)",
            log->name, log->path, tape_verdict_name(verdict), (unsigned long long)report->identity.cluster_id,
            (unsigned long long)report->identity.node_id, (unsigned long long)report->identity.incarnation,
            report->identity.log_name, (unsigned long long)report->damage_offset);
        return false;
    }
    if ((log->size_bytes != 0 && report->size_bytes != log->size_bytes) ||
        report->chunk_bytes != log->chunk_bytes) {
        snprintf(error_text, NODE_ERROR_BYTES,
                 "log %s (%s): formatted with size %llu and chunk %u, the configuration says %llu and %llu",
                 log->name, log->path, (unsigned long long)report->size_bytes, report->chunk_bytes,
                 (unsigned long long)log->size_bytes, (unsigned long long)log->chunk_bytes);
        return false;
    }
    if (log->sync != 0 && (uint64_t)report->sync != log->sync) {
        snprintf(error_text, NODE_ERROR_BYTES,
                 "log %s (%s): the configuration's sync is not the one it was formatted with; sync = probe "
                 "takes that",
                 log->name, log->path);
        return false;
    }
    return true;
}

static bool open_log(struct node *node, unsigned index, char *error_text)
{
    const struct config *config = &node->config;
    const struct config_log *log = &config->logs[index];
    struct tape_report report = {0};
    struct engine_options options = {
        .cluster_id = config->cluster_id,
        .node_id = config->node_id,
        .election_timeout_ns = config->election_timeout_ns,
        .heartbeat_interval_ns = config->heartbeat_interval_ns,
        .retransmit_timeout_ns = config->retransmit_timeout_ns,
        .disk_stall_limit_ns = config->disk_stall_limit_ns,
        .commit_news_delay_ns = config->commit_news_delay_ns,
        .random_seed = random_id_draw(),
        .quorum_count_max = (uint32_t)config->quorum_count_max,
        .data_blocks_bytes_max = (uint32_t)config->data_bytes_max,
        .tape = {.identity = {.cluster_id = config->cluster_id, .node_id = config->node_id},
                 .memory_chunks = (uint32_t)(log->memory_bytes / log->chunk_bytes),
                 .reader_chunks = 4,
                 .write_bytes_max = (uint32_t)(log->chunk_bytes / 2),
                 .boot_id = boot_id_read(),
                 .slow_write_ns = log->slow_write_ns},
    };
    memcpy(options.tape.identity.log_name, log->name, sizeof(log->name));
    options.tape.memory_bytes = tape_memory_bytes(&options.tape, (uint32_t)log->chunk_bytes);
    options.tape.memory = arena_take(&node->arena, options.tape.memory_bytes, 4096);
    if (!open_devices(node, index, options.tape.memory, options.tape.memory_bytes, error_text)) {
        return false;
    }
    options.device = node->logs[index].device;
    enum tape_verdict verdict = consensus_core_create(&node->arena, index, node->dataplane, node->routes,
                                                      &options, &node->logs[index].core, &report);
    return accept_tape(log, verdict, &report, error_text);
}

static unsigned poll_dataplane_core(void *part, uint64_t now_ns)
{
    const struct node_dataplane_core *core = part;
    (void)now_ns;
    return dataplane_core_poll(core->dataplane, core->index, DATAPLANE_BUDGET);
}

/* The kernel's and the reader's signals are drained once they have ended a sleep. */
static void on_sleep(void *context, bool sleeping)
{
    const struct node_log *log = context;
    uint64_t count = 0;
    if (!sleeping && read(log->event_fd, &count, sizeof(count)) < 0) {
        return; /* nothing was signalled */
    }
}

/* One lcore a thread: its parts in their order, the logs' writes after all of them. */
static bool create_lcores(struct node *node, char *error_text)
{
    const struct config *config = &node->config;
    for (unsigned t = 0; t < config->thread_count; t++) {
        const struct config_thread *thread = &config->threads[t];
        struct lcore *lcore = lcore_create(&node->arena, (enum poll_profile)thread->profile);
        if (!lcore) {
            snprintf(error_text, NODE_ERROR_BYTES,
                     "thread %llu: no descriptors left; raise the limit (ulimit -n)",
                     (unsigned long long)thread->number);
            return false;
        }
        node->lcores[node->lcore_count++] = lcore;
        for (unsigned pass = 0; pass < 3; pass++) {
            for (unsigned p = 0; p < thread->part_count; p++) {
                unsigned index = thread->parts[p].index;
                bool consensus = thread->parts[p].kind == CONFIG_CONSENSUS;
                if (pass == 0 && consensus) {
                    lcore_add_part(lcore, consensus_core_part(node->logs[index].core));
                    dataplane_set_consensus_lcore(node->dataplane, index, lcore);
                    node->logs[index].lcore = lcore;
                    lcore_on_sleep(lcore, on_sleep, &node->logs[index]);
                    if (lcore_watch_fd(lcore, node->logs[index].event_fd) != 0) {
                        snprintf(error_text, NODE_ERROR_BYTES, "thread %llu: epoll: %s",
                                 (unsigned long long)thread->number, strerror(errno));
                        return false;
                    }
                } else if (pass == 1 && !consensus) {
                    node->dataplane_cores[index] =
                        (struct node_dataplane_core){.dataplane = node->dataplane, .index = index};
                    lcore_add_part(lcore, (struct lcore_part){.poll = poll_dataplane_core,
                                                              .part = &node->dataplane_cores[index]});
                    dataplane_set_core_lcore(node->dataplane, index, lcore);
                } else if (pass == 2 && consensus) {
                    lcore_add_part(lcore, consensus_core_log_part(node->logs[index].core));
                }
            }
        }
    }
    return true;
}

static bool start_threads(struct node *node, char *error_text)
{
    for (unsigned i = 0; i < node->config.log_count; i++) {
        struct node_log *log = &node->logs[i];
        int error = log_reader_start(&node->arena, consensus_core_tape(log->core), log->reader_device,
                                     log->event_fd, &log->reader);
        if (error != 0) {
            snprintf(error_text, NODE_ERROR_BYTES, "log %s: no reader thread: %s", node->config.logs[i].name,
                     strerror(-error));
            return false;
        }
    }
    for (unsigned t = 0; t < node->lcore_count; t++) {
        int error = lcore_launch(node->lcores[t], t + 1, &node->stop);
        if (error != 0) {
            snprintf(error_text, NODE_ERROR_BYTES, "thread %llu does not start: %s",
                     (unsigned long long)node->config.threads[t].number, strerror(-error));
            return false;
        }
    }
    return true;
}

bool node_start(struct node *node, char *error_text)
{
    arena_init(&node->arena);
    CPU_ZERO(&node->allowed_cpus);
    (void)sched_getaffinity(0, sizeof(node->allowed_cpus), &node->allowed_cpus);
    if (!start_eal(node, error_text)) {
        return false;
    }
    node->routes = ARENA_NEW(&node->arena, struct routes);
    node->routes->core_count = node->config.consensus_count;
    if (!create_dataplane(node, error_text)) {
        return false;
    }
    for (unsigned i = 0; i < node->config.log_count; i++) {
        if (!open_log(node, i, error_text)) {
            return false;
        }
    }
    return create_lcores(node, error_text) && start_threads(node, error_text);
}

/* The log's last word: commit bounds, then everything durable. */
static int stop_log(struct node *node, unsigned index)
{
    static struct engine_command commands[CONSENSUS_CORES_MAX]; /* outlives a core that does not answer */
    struct engine_command *command = &commands[index];
    command->kind = ENGINE_STOP;
    int error =
        consensus_core_command(node->logs[index].core, node->logs[index].lcore, command, STOP_TIMEOUT_NS);
    return error != 0 ? error : command->error;
}

int node_stop(struct node *node)
{
    int first_error = 0;
    for (unsigned i = 0; i < node->config.log_count; i++) {
        int error = stop_log(node, i);
        first_error = first_error ? first_error : error;
    }
    atomic_store(&node->stop, true);
    for (unsigned t = 0; t < node->lcore_count; t++) {
        lcore_ring_doorbell(node->lcores[t]);
        lcore_join(t + 1);
    }
    for (unsigned i = 0; i < node->config.log_count; i++) {
        log_reader_stop(node->logs[i].reader);
        node->logs[i].device->close(node->logs[i].device);
        node->logs[i].reader_device->close(node->logs[i].reader_device);
        close(node->logs[i].event_fd);
    }
    dataplane_fini(node->dataplane);
    eal_stop();
    arena_fini(&node->arena);
    return first_error;
}
