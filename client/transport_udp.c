/* SPDX-License-Identifier: Apache-2.0 */
/* One connected socket a node: the kernel drops what comes from any other address. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport.h"

/* What the node's receive queue (kernel socket or NIC ring) surely holds; lost frames cost a whole window
 * again. */
#define WINDOW_BYTES (128u << 10)
/* A subscription's window and its retransmission arrive in one burst; the kernel may grant less. */
#define RECEIVE_BUFFER_BYTES (1 << 20)

struct transport_udp {
    struct transport base;
    struct sockaddr_in address;
    uint64_t retry_ns;
    int fd;
};

static int open_socket(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int discover = IP_PMTUDISC_DO;
    setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover));
    int buffer_bytes = RECEIVE_BUFFER_BYTES;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static bool udp_connect(struct transport *transport, uint64_t now_ns)
{
    struct transport_udp *udp = (struct transport_udp *)transport;
    if (transport->is_open) {
        return true;
    }
    if (now_ns < udp->retry_ns) {
        return false;
    }
    udp->retry_ns = now_ns + TRANSPORT_RECONNECT_NS;
    int fd = open_socket(&udp->address);
    if (fd < 0) {
        return false;
    }
    udp->fd = fd;
    transport->generation++;
    transport->is_open = true;
    return true;
}

/* Only a full send queue is "no room"; what any other error lost is found missing later, like any lost
 * datagram. */
static bool udp_send(struct transport *transport, enum frame_lane lane, const uint8_t *frame,
                     uint32_t frame_bytes)
{
    (void)lane;
    struct transport_udp *udp = (struct transport_udp *)transport;
    if (!transport->is_open) {
        return false;
    }
    ssize_t sent = send(udp->fd, frame, frame_bytes, MSG_NOSIGNAL);
    return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS && errno != EINTR);
}

/* Errors of earlier sends (nobody listens there) are taken off the socket and passed over. */
static uint32_t udp_receive(struct transport *transport, uint8_t *frame, uint32_t capacity)
{
    struct transport_udp *udp = (struct transport_udp *)transport;
    if (!transport->is_open) {
        return 0;
    }
    ssize_t received = recv(udp->fd, frame, capacity, 0);
    return received > 0 ? (uint32_t)received : 0;
}

static uint32_t udp_prepare_wait(struct transport *transport, struct pollfd *fds, bool *ret_ready)
{
    (void)ret_ready;
    struct transport_udp *udp = (struct transport_udp *)transport;
    if (!transport->is_open) {
        return 0;
    }
    fds[0] = (struct pollfd){.fd = udp->fd, .events = POLLIN};
    return 1;
}

static void udp_finish_wait(struct transport *transport)
{
    (void)transport;
}

static void udp_close(struct transport *transport)
{
    struct transport_udp *udp = (struct transport_udp *)transport;
    if (transport->is_open) {
        close(udp->fd);
        transport->is_open = false;
    }
}

static const struct transport_operations udp_operations = {
    .connect = udp_connect,
    .send = udp_send,
    .receive = udp_receive,
    .prepare_wait = udp_prepare_wait,
    .finish_wait = udp_finish_wait,
    .close = udp_close,
};

static bool parse_address(const char *text, struct sockaddr_in *ret_address)
{
    char host[INET_ADDRSTRLEN];
    const char *colon = strchr(text, ':');
    size_t host_bytes = colon ? (size_t)(colon - text) : strlen(text);
    if (host_bytes >= sizeof(host)) {
        return false;
    }
    memcpy(host, text, host_bytes);
    host[host_bytes] = '\0';
    unsigned long port = FRAME_PORT;
    if (colon) {
        char *end = NULL;
        port = strtoul(colon + 1, &end, 10);
        if (end == colon + 1 || *end != '\0' || port == 0 || port > UINT16_MAX) {
            return false;
        }
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        return false;
    }
    *ret_address = address;
    return true;
}

struct transport *transport_udp_create(struct arena *arena, const char *address)
{
    struct sockaddr_in parsed;
    if (!parse_address(address, &parsed)) {
        return NULL;
    }
    struct transport_udp *udp = ARENA_NEW(arena, struct transport_udp);
    udp->address = parsed;
    udp->base = (struct transport){
        .operations = &udp_operations, .frame_bytes_max = FRAME_BYTES_MAX_1500, .window_bytes = WINDOW_BYTES};
    return &udp->base;
}
