/* SPDX-License-Identifier: Apache-2.0 */
#include "floor_port.h"

#include <errno.h>
#include <rte_ring_peek_zc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "floor_process.h"

enum {
    PAGE_BYTES = 4096,
    SOCKET_BUFFER_BYTES = 16 << 20,
    /* What the kernel charges to a socket's buffer for a datagram of the longest frame, rounded up. */
    DATAGRAM_CHARGE_BYTES = 5120,
};

static unsigned power_of_two_above(unsigned count)
{
    unsigned power = 64;

    while (power <= count) {
        power *= 2;
    }
    return power;
}

static void open_socket(struct floor_port *port, unsigned node)
{
    struct sockaddr_in *address = &port->address[node];
    socklen_t length = sizeof(*address);
    int bytes = SOCKET_BUFFER_BYTES;

    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    port->socket[node] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (port->socket[node] < 0 ||
        bind(port->socket[node], (struct sockaddr *)address, sizeof(*address)) != 0 ||
        getsockname(port->socket[node], (struct sockaddr *)address, &length) != 0) {
        floor_die("socket");
    }
    if (setsockopt(port->socket[node], SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0 &&
        setsockopt(port->socket[node], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) != 0) {
        floor_die("SO_RCVBUF");
    }
    length = sizeof(bytes);
    getsockopt(port->socket[node], SOL_SOCKET, SO_RCVBUF, &bytes, &length);
    if (port->frame_count > (unsigned)bytes / DATAGRAM_CHARGE_BYTES) {
        port->frame_count = (unsigned)bytes / DATAGRAM_CHARGE_BYTES;
    }
}

void floor_port_create(struct floor_port *port, const char *word, unsigned frame_bytes, unsigned frame_count)
{
    memset(port, 0, sizeof(*port));
    port->is_shm = strcmp(word, "shm") == 0;
    port->frame_bytes = frame_bytes;
    port->frame_count = frame_count;
    port->ring_slots = power_of_two_above(frame_count);
    for (unsigned node = 0; !port->is_shm && node < FLOOR_NODE_MAX; node++) {
        open_socket(port, node);
    }
}

void floor_port_connect(struct floor_port *port, unsigned first, unsigned second)
{
    if (!port->is_shm) {
        return;
    }
    ssize_t needed = rte_ring_get_memsize_elem(port->frame_bytes, port->ring_slots);
    size_t bytes = ((size_t)needed + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    int memory = memfd_create("tally-floor", MFD_CLOEXEC);
    if (needed < 0 || memory < 0 || ftruncate(memory, (off_t)(2 * bytes)) != 0) {
        floor_die("memfd");
    }
    char *base = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memory, 0);
    if (base == MAP_FAILED) {
        floor_die("mmap");
    }
    close(memory);
    port->ring[first][second] = (struct rte_ring *)base;
    port->ring[second][first] = (struct rte_ring *)(base + bytes);
    if (rte_ring_init(port->ring[first][second], "there", port->ring_slots, RING_F_SP_ENQ | RING_F_SC_DEQ) !=
            0 ||
        rte_ring_init(port->ring[second][first], "back", port->ring_slots, RING_F_SP_ENQ | RING_F_SC_DEQ) !=
            0) {
        floor_refuse("rte_ring_init", "failed");
    }
}

static void send_datagram(struct floor_port *port, unsigned from, unsigned to, const void *frame,
                          size_t bytes)
{
    const struct sockaddr *address = (const struct sockaddr *)&port->address[to];

    if (sendto(port->socket[from], frame, bytes, 0, address, sizeof(port->address[to])) != (ssize_t)bytes) {
        floor_die("sendto");
    }
}

void floor_port_send(struct floor_port *port, unsigned from, unsigned to, const void *frame, size_t bytes)
{
    struct rte_ring *ring = port->ring[from][to];
    struct rte_ring_zc_data slot;

    if (!port->is_shm) {
        send_datagram(port, from, to, frame, bytes);
        return;
    }
    if (rte_ring_enqueue_zc_bulk_elem_start(ring, port->frame_bytes, 1, &slot, NULL) != 1) {
        floor_refuse("send", "the ring is full");
    }
    memcpy(slot.ptr1, frame, bytes);
    rte_ring_enqueue_zc_elem_finish(ring, 1);
}

static const void *peek_datagram(struct floor_port *port, unsigned self)
{
    int flags = port->blocking ? 0 : MSG_DONTWAIT;
    ssize_t bytes = recv(port->socket[self], port->datagram, sizeof(port->datagram), flags);

    if (bytes < 0 && errno != EAGAIN && errno != EINTR) {
        floor_die("recv");
    }
    return bytes > 0 ? port->datagram : NULL;
}

const void *floor_port_peek(struct floor_port *port, unsigned self)
{
    struct rte_ring_zc_data slot;

    if (!port->is_shm) {
        return peek_datagram(port, self);
    }
    for (unsigned from = 0; from < FLOOR_NODE_MAX; from++) {
        struct rte_ring *ring = port->ring[from][self];
        if (ring != NULL &&
            rte_ring_dequeue_zc_bulk_elem_start(ring, port->frame_bytes, 1, &slot, NULL) == 1) {
            port->peeked_from = from;
            return slot.ptr1;
        }
    }
    return NULL;
}

void floor_port_release(struct floor_port *port, unsigned self)
{
    if (port->is_shm) {
        rte_ring_dequeue_zc_elem_finish(port->ring[port->peeked_from][self], 1);
    }
}
