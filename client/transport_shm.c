/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include "shm_channel.h"
#include "transport.h"

/* How long a node's control thread may take to hand the memory over. */
#define CONNECT_TIMEOUT_MS 100
/* A dead process is noticed this late: looking is a system call. */
#define LOOK_NS 1000000ull

struct transport_shm {
    struct transport base;
    const char *path;
    uint64_t retry_ns; /* not before this */
    uint64_t look_ns;  /* whether the other side is alive, not before this */
    struct shm_channel channel;
};

static void forget(struct transport_shm *shm)
{
    shm_close(&shm->channel);
    shm->base.is_open = false;
}

static bool shm_transport_connect(struct transport *transport, uint64_t now_ns)
{
    struct transport_shm *shm = (struct transport_shm *)transport;
    if (transport->is_open) {
        if (now_ns < shm->look_ns) {
            return true;
        }
        shm->look_ns = now_ns + LOOK_NS;
        if (!shm_is_closed(&shm->channel)) {
            return true;
        }
        forget(shm);
    }
    if (now_ns < shm->retry_ns) {
        return false;
    }
    struct shm_hello hello = {0};
    int error = shm_connect(shm->path, &hello, CONNECT_TIMEOUT_MS, &shm->channel);
    if (error) {
        bool stuck = error == -ETIMEDOUT || error == -EAGAIN;
        shm->retry_ns = now_ns + (stuck ? TRANSPORT_STUCK_NS : TRANSPORT_RECONNECT_NS);
        return false;
    }
    shm->retry_ns = now_ns + TRANSPORT_RECONNECT_NS;
    transport->generation++;
    transport->is_open = true;
    return true;
}

static bool shm_transport_send(struct transport *transport, enum frame_lane lane, const uint8_t *frame,
                               uint32_t frame_bytes)
{
    struct transport_shm *shm = (struct transport_shm *)transport;
    if (!transport->is_open) {
        return false;
    }
    enum shm_lane shm_lane = lane == FRAME_BULK ? SHM_BULK : SHM_CONTROL;
    uint32_t capacity = 0;
    uint8_t *place = shm_send_begin(&shm->channel, shm_lane, &capacity);
    if (!place || capacity < frame_bytes) {
        return false;
    }
    memcpy(place, frame, frame_bytes);
    shm_send_commit(&shm->channel, shm_lane, frame_bytes);
    return true;
}

static uint32_t receive_from(struct transport_shm *shm, enum shm_lane lane, uint8_t *frame, uint32_t capacity)
{
    uint32_t frame_bytes = 0;
    const uint8_t *place = shm_receive_begin(&shm->channel, lane, &frame_bytes);
    if (!place) {
        return 0;
    }
    if (frame_bytes > capacity) {
        frame_bytes = capacity;
    }
    memcpy(frame, place, frame_bytes);
    shm_receive_end(&shm->channel, lane);
    return frame_bytes;
}

/* Control first; a frame of length 0 reads as none and is gone. */
static uint32_t shm_transport_receive(struct transport *transport, uint8_t *frame, uint32_t capacity)
{
    struct transport_shm *shm = (struct transport_shm *)transport;
    if (!transport->is_open) {
        return 0;
    }
    uint32_t frame_bytes = receive_from(shm, SHM_CONTROL, frame, capacity);
    return frame_bytes ? frame_bytes : receive_from(shm, SHM_BULK, frame, capacity);
}

static bool has_frame(struct transport_shm *shm)
{
    uint32_t frame_bytes = 0;
    return shm_receive_begin(&shm->channel, SHM_CONTROL, &frame_bytes) ||
           shm_receive_begin(&shm->channel, SHM_BULK, &frame_bytes);
}

static uint32_t shm_transport_prepare_wait(struct transport *transport, struct pollfd *fds, bool *ret_ready)
{
    struct transport_shm *shm = (struct transport_shm *)transport;
    if (!transport->is_open) {
        return 0;
    }
    shm_set_sleeping(&shm->channel, true);
    if (has_frame(shm)) {
        *ret_ready = true;
    }
    fds[0] = (struct pollfd){.fd = shm->channel.own_event_fd, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = shm->channel.socket_fd, .events = POLLRDHUP};
    return 2;
}

static void shm_transport_finish_wait(struct transport *transport)
{
    struct transport_shm *shm = (struct transport_shm *)transport;
    if (transport->is_open) {
        shm_set_sleeping(&shm->channel, false);
    }
}

static void shm_transport_close(struct transport *transport)
{
    if (transport->is_open) {
        forget((struct transport_shm *)transport);
    }
}

static const struct transport_operations shm_operations = {
    .connect = shm_transport_connect,
    .send = shm_transport_send,
    .receive = shm_transport_receive,
    .prepare_wait = shm_transport_prepare_wait,
    .finish_wait = shm_transport_finish_wait,
    .close = shm_transport_close,
};

struct transport *transport_shm_create(struct arena *arena, const char *path)
{
    struct sockaddr_un address;
    if (path[0] == '\0' || strlen(path) >= sizeof(address.sun_path)) {
        return NULL;
    }
    struct transport_shm *shm = ARENA_NEW(arena, struct transport_shm);
    shm->path = path;
    shm->base = (struct transport){
        .operations = &shm_operations, .frame_bytes_max = FRAME_BYTES_MAX, .window_bytes = UINT32_MAX};
    return &shm->base;
}
