/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread's side of shm connections: who comes, who has gone, whom to call. A connection is opened
 * here, used by one core, let go by that core, and only then unmapped here. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "check.h"
#include "dataplane_core.h"

#define ERROR_TEXT_BYTES   256
#define SLOW_TURN_EVERY_NS 100000000u
#define CONNECT_WAIT_MS    100
#define ACCEPTS_PER_TURN   8

static struct way slot_way(const struct shm_slot *slot)
{
    return (struct way){
        .kind = WAY_SHM, .core = slot->core, .slot = slot->index, .generation = slot->next_generation};
}

static void slot_command_push(struct dataplane *dataplane, const struct shm_slot *slot, bool add)
{
    struct dataplane_core *core = &dataplane->cores[slot->core];
    struct slot_command command = {.slot = slot->index, .add = add};
    bool pushed = spsc_push(&core->commands, &command);
    ASSERT(pushed);
    if (core->lcore != NULL) {
        lcore_ring_doorbell(core->lcore);
    }
}

static void slot_retire(struct dataplane *dataplane, struct shm_slot *slot)
{
    slot->state = SLOT_CLOSING;
    atomic_store_explicit(&slot->generation, 0, memory_order_release);
    if (slot->node_id != 0) {
        way_clear_shm(dataplane, slot->node_id, slot_way(slot));
    }
    epoll_ctl(dataplane->epoll_fd, EPOLL_CTL_DEL, slot->channel.socket_fd, NULL);
    slot_command_push(dataplane, slot, false);
}

/* Returns whether anything changed. */
static bool slot_check(struct dataplane *dataplane, struct shm_slot *slot)
{
    switch (slot->state) {
    case SLOT_FREE:
        return false;
    case SLOT_OPEN:
        if (!shm_is_closed(&slot->channel)) {
            return false;
        }
        slot_retire(dataplane, slot);
        return true;
    case SLOT_CLOSING:
        if (atomic_load_explicit(&slot->released, memory_order_acquire) == 0) {
            return false;
        }
        shm_close(&slot->channel);
        slot->state = SLOT_FREE;
        return true;
    }
    return false;
}

static struct shm_slot *slot_find_free(struct dataplane *dataplane)
{
    for (unsigned i = 0; i < DATAPLANE_CHANNELS_MAX; i++) {
        if (dataplane->slots[i].state == SLOT_FREE) {
            return &dataplane->slots[i];
        }
    }
    return NULL;
}

static struct shm_slot *slot_find_node(struct dataplane *dataplane, uint64_t node_id)
{
    for (unsigned i = 0; i < DATAPLANE_CHANNELS_MAX; i++) {
        struct shm_slot *slot = &dataplane->slots[i];
        if (slot->state == SLOT_OPEN && slot->node_id == node_id) {
            return slot;
        }
    }
    return NULL;
}

/* A node that comes again has died since: its newer connection counts. */
static void slot_open(struct dataplane *dataplane, struct shm_slot *slot, const struct shm_channel *channel,
                      uint64_t node_id)
{
    struct shm_slot *older = node_id == 0 ? NULL : slot_find_node(dataplane, node_id);
    if (older != NULL) {
        slot_retire(dataplane, older);
    }
    slot->channel = *channel;
    slot->state = SLOT_OPEN;
    slot->node_id = node_id;
    slot->next_generation = slot->next_generation == UINT32_MAX ? 1 : slot->next_generation + 1;
    atomic_store_explicit(&slot->released, 0, memory_order_relaxed);
    struct epoll_event event = {.events = EPOLLRDHUP, .data.fd = channel->socket_fd};
    epoll_ctl(dataplane->epoll_fd, EPOLL_CTL_ADD, channel->socket_fd, &event);
    slot_command_push(dataplane, slot, true);
    atomic_store_explicit(&slot->generation, slot->next_generation, memory_order_release);
    if (node_id != 0) {
        way_set(dataplane, node_id, slot_way(slot));
    }
}

static unsigned slots_accept(struct dataplane *dataplane)
{
    unsigned work = 0;
    for (bool more = dataplane->listen_fd >= 0; more && work < ACCEPTS_PER_TURN;) {
        struct shm_slot *slot = slot_find_free(dataplane);
        if (slot == NULL) {
            shm_refuse(dataplane->listen_fd);
            return work;
        }
        struct shm_channel channel;
        int error;
        enum shm_verdict verdict =
            shm_accept(dataplane->listen_fd, dataplane->options.cluster_id, &channel, &error);
        if (verdict == SHM_GOOD) {
            slot_open(dataplane, slot, &channel, channel.peer.node_id);
        }
        more = verdict != SHM_ERROR;
        work += more;
    }
    return work;
}

static bool peer_connect(struct dataplane *dataplane, unsigned peer)
{
    uint64_t node_id = dataplane->options.shm_peer_ids[peer];
    struct shm_slot *slot = slot_find_free(dataplane);
    if (slot == NULL || slot_find_node(dataplane, node_id) != NULL) {
        return false;
    }
    struct shm_hello hello = {.cluster_id = dataplane->options.cluster_id,
                              .node_id = dataplane->options.node_id};
    struct shm_channel channel;
    if (shm_connect(dataplane->options.shm_peer_paths[peer], &hello, CONNECT_WAIT_MS, &channel) != 0) {
        return false;
    }
    slot_open(dataplane, slot, &channel, node_id);
    return true;
}

static void losses_collect(struct dataplane *dataplane)
{
    for (unsigned i = 0; i < dataplane->options.core_count; i++) {
        const struct dataplane_core *core = &dataplane->cores[i];
        uint64_t lost = 0;
        for (unsigned port = 0; port < core->port_count; port++) {
            lost += ethdev_port_lost(core->ports[port]);
        }
        __atomic_store_n(&dataplane->cores[i].counters.dropped_no_buffer, lost, __ATOMIC_RELAXED);
    }
}

/* What is done ten times a second however often the control thread wakes. */
static unsigned slow_turn(struct dataplane *dataplane)
{
    uint64_t now_ns = lcore_now_ns();
    if (now_ns - dataplane->slow_turn_ns < SLOW_TURN_EVERY_NS && dataplane->slow_turn_ns != 0) {
        return 0;
    }
    dataplane->slow_turn_ns = now_ns;
    losses_collect(dataplane);
    unsigned work = 0;
    for (unsigned i = 0; i < dataplane->options.shm_peer_count; i++) {
        work += peer_connect(dataplane, i);
    }
    return work;
}

void control_thread_ring(struct dataplane *dataplane)
{
    /* seq_cst: the frame is in its ring before; partner of bell_clear. */
    if (atomic_exchange(&dataplane->control_rung, 1) == 0) {
        uint64_t one = 1;
        ssize_t ignored = write(dataplane->control_event_fd, &one, sizeof(one));
        (void)ignored;
    }
}

/* What is pushed from now on rings again; what came before is found when the caller looks at its end. */
static void bell_clear(struct dataplane *dataplane)
{
    uint64_t count;
    ssize_t ignored = read(dataplane->control_event_fd, &count, sizeof(count));
    (void)ignored;
    atomic_exchange(&dataplane->control_rung, 0);
}

unsigned dataplane_control(struct dataplane *dataplane)
{
    bell_clear(dataplane);
    unsigned work = 0;
    for (unsigned i = 0; i < DATAPLANE_CHANNELS_MAX; i++) {
        work += slot_check(dataplane, &dataplane->slots[i]);
    }
    return work + slots_accept(dataplane) + slow_turn(dataplane);
}

int dataplane_control_fd(const struct dataplane *dataplane)
{
    return dataplane->epoll_fd;
}

static int fd_watch(struct dataplane *dataplane, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(dataplane->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int listen_start(struct dataplane *dataplane, char *error_text)
{
    const char *path = dataplane->options.shm_path;
    if (path == NULL) {
        return 0;
    }
    dataplane->listen_fd = shm_listen(path);
    if (dataplane->listen_fd < 0) {
        snprintf(error_text, ERROR_TEXT_BYTES, "socket %s: %s", path,
                 dataplane->listen_fd == -EADDRINUSE ? "another process listens there"
                                                     : strerror(-dataplane->listen_fd));
        return dataplane->listen_fd;
    }
    return fd_watch(dataplane, dataplane->listen_fd);
}

int shm_slots_start(struct dataplane *dataplane, char *error_text)
{
    for (unsigned i = 0; i < DATAPLANE_CHANNELS_MAX; i++) {
        dataplane->slots[i].index = (uint16_t)i;
        dataplane->slots[i].core = (uint8_t)(i % dataplane->options.core_count);
    }
    dataplane->listen_fd = -1;
    dataplane->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    dataplane->control_event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (dataplane->epoll_fd < 0 || dataplane->control_event_fd < 0 ||
        fd_watch(dataplane, dataplane->control_event_fd) != 0) {
        int error = -errno;
        snprintf(error_text, ERROR_TEXT_BYTES, "descriptors of the control thread: %s", strerror(-error));
        return error;
    }
    return listen_start(dataplane, error_text);
}

void shm_slots_stop(struct dataplane *dataplane)
{
    for (unsigned i = 0; i < DATAPLANE_CHANNELS_MAX; i++) {
        if (dataplane->slots[i].state != SLOT_FREE) {
            shm_close(&dataplane->slots[i].channel);
            dataplane->slots[i].state = SLOT_FREE;
        }
    }
    if (dataplane->listen_fd >= 0) {
        close(dataplane->listen_fd);
        unlink(dataplane->options.shm_path);
    }
    close(dataplane->control_event_fd);
    close(dataplane->epoll_fd);
}
