/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of the Unix socket and requests that travel between nodes. A connection is one request and its
 * answer. A request for another node is one control frame, repeated until its answer comes or its time is
 * over; the other node may carry it out twice, so every request is harmless when repeated. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin.h"
#include "boot_id.h"
#include "frame.h"
#include "status_text.h"

#define CONNECTIONS_MAX    16
#define FORWARD_REPEAT_NS  100000000ull
#define FORWARD_TIMEOUT_NS 3000000000ull
/* A connection that sends no whole line is closed after this. */
#define REQUEST_TIMEOUT_NS 5000000000ull
/* Requests of other nodes served in one turn. */
#define REMOTE_BURST 8

struct connection {
    int fd; /* -1: free */
    size_t used;
    char request[ADMIN_REQUEST_BYTES];
    uint64_t opened_ns;
    uint64_t forward_id; /* 0: not forwarded */
    uint64_t forward_node_id;
    uint64_t forward_sent_ns;
    uint64_t forwarded_ns;
    const char *forward_text;
};

struct admin_server {
    struct node *node;
    struct consensus_end *end;
    int listen_fd;
    int epoll_fd;
    uint64_t last_forward_id;
    struct connection connections[CONNECTIONS_MAX];
    char answer[ADMIN_ANSWER_BYTES];
};

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        close(fd);
        return -EADDRINUSE; /* a live node answers there */
    }
    unlink(path); /* a stale file of a dead one, or nothing */
    mode_t before = umask(0077);
    int error =
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, CONNECTIONS_MAX) != 0;
    umask(before);
    if (error) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static bool watch(struct admin_server *server, int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    return epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

struct admin_server *admin_server_create(struct node *node, char *error_text)
{
    struct admin_server *server = ARENA_NEW(&node->arena, struct admin_server);
    const char *path = node->config.admin_socket;
    server->node = node;
    server->end = dataplane_control_end(node->dataplane);
    /* an answer to a request of an earlier process is not taken for one of ours */
    server->last_forward_id = random_id_draw() >> 1;
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        server->connections[i].fd = -1;
    }
    server->listen_fd = listen_at(path);
    if (server->listen_fd < 0) {
        snprintf(error_text, NODE_ERROR_BYTES, "admin_socket %s: %s%s", path, strerror(-server->listen_fd),
                 server->listen_fd == -EADDRINUSE ? "; another node runs with this configuration" : "");
        return NULL;
    }
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server->epoll_fd < 0 || !watch(server, server->listen_fd, NULL)) {
        snprintf(error_text, NODE_ERROR_BYTES, "epoll: %s", strerror(errno));
        return NULL;
    }
    return server;
}

int admin_server_fd(const struct admin_server *server)
{
    return server->epoll_fd;
}

static void close_connection(struct connection *connection)
{
    close(connection->fd);
    connection->fd = -1;
}

/* An answer is at most 64 KiB and the socket's buffer is larger; whoever does not read it loses it. */
static void finish(struct admin_server *server, struct connection *connection)
{
    ssize_t sent = send(connection->fd, server->answer, strlen(server->answer), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
    close_connection(connection);
}

static void fail(struct admin_server *server, struct connection *connection, const char *text)
{
    snprintf(server->answer, sizeof(server->answer), "1\n%s\n", text);
    finish(server, connection);
}

static bool send_text(struct admin_server *server, uint64_t node_id, uint8_t kind, uint64_t request_id,
                      const char *text)
{
    struct frame_descriptor descriptor;
    uint32_t frame_bytes_max = 0;
    size_t text_bytes = strlen(text);
    if (!consensus_end_begin(server->end, node_id, NULL, 0, &descriptor, &frame_bytes_max)) {
        return false;
    }
    if (text_bytes > frame_tail_bytes_max(frame_bytes_max, kind)) {
        text = "1\nthe answer does not fit a frame; ask the node itself\n";
        text_bytes = strlen(text);
    }
    memcpy(descriptor.tail, text, text_bytes);
    struct message message = {
        .kind = kind,
        .in_reply = kind == MESSAGE_ADMIN_REPLY,
        .message_id = request_id,
        .sender_id = server->node->config.node_id,
        .receiver_id = node_id,
        .admin = {.request_id = request_id},
    };
    memcpy(frame_message(&descriptor), &message, sizeof(message));
    descriptor.tail_bytes = (uint32_t)text_bytes;
    consensus_end_send(server->end, &descriptor);
    return true;
}

/* "@ID REQUEST" or "@leader QUORUM REQUEST": who is to carry out which request. False: malformed. */
static bool parse_target(struct admin_server *server, const char *request, uint64_t *ret_node_id,
                         const char **ret_text)
{
    char quorum[QUORUM_NAME_BYTES_MAX + 1];
    unsigned long long id = 0;
    int used = 0;
    if (sscanf(request, "@leader %64s %n", quorum, &used) == 1 && used > 0) {
        *ret_node_id = status_leader_of(server->node, quorum);
    } else if (sscanf(request, "@%llu %n", &id, &used) == 1 && used > 0) {
        *ret_node_id = id;
    } else {
        return false;
    }
    *ret_text = request + used;
    return **ret_text != '\0' && **ret_text != '@';
}

static void start_forward(struct admin_server *server, struct connection *connection, uint64_t now_ns)
{
    uint64_t node_id = 0;
    const char *text = NULL;
    if (!parse_target(server, connection->request, &node_id, &text)) {
        fail(server, connection, "usage: @ID REQUEST, or @leader QUORUM REQUEST");
    } else if (node_id == 0) {
        fail(server, connection, "no leader is known");
    } else if (node_id == server->node->config.node_id) {
        admin_execute(server->node, text, server->answer);
        finish(server, connection);
    } else {
        connection->forward_id = ++server->last_forward_id;
        connection->forward_node_id = node_id;
        connection->forward_text = text;
        connection->forwarded_ns = now_ns;
        connection->forward_sent_ns = 0;
    }
}

static void read_request(struct admin_server *server, struct connection *connection, uint64_t now_ns)
{
    size_t room = sizeof(connection->request) - 1 - connection->used;
    ssize_t got = recv(connection->fd, connection->request + connection->used, room, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) {
            close_connection(connection);
        }
        return;
    }
    connection->used += (size_t)got;
    connection->request[connection->used] = '\0';
    char *end = strchr(connection->request, '\n');
    if (!end && connection->used == sizeof(connection->request) - 1) {
        fail(server, connection, "the request is too long");
    } else if (end && !connection->forward_id) {
        *end = '\0';
        if (connection->request[0] == '@') {
            start_forward(server, connection, now_ns);
        } else {
            admin_execute(server->node, connection->request, server->answer);
            finish(server, connection);
        }
    }
}

static struct connection *find_free(struct admin_server *server)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        if (server->connections[i].fd < 0) {
            return &server->connections[i];
        }
    }
    return NULL;
}

/* One too many is told so: left waiting, it would keep this thread from sleeping. */
static void accept_connections(struct admin_server *server, uint64_t now_ns)
{
    int fd = -1;
    while ((fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection extra;
        struct connection *connection = find_free(server);
        bool is_extra = connection == NULL;
        connection = is_extra ? &extra : connection;
        *connection = (struct connection){.fd = fd, .opened_ns = now_ns};
        if (is_extra) {
            fail(server, connection, "too many requests at once");
        } else if (!watch(server, fd, connection)) {
            close_connection(connection);
        }
    }
}

static void push_forwards(struct admin_server *server, uint64_t now_ns)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &server->connections[i];
        if (connection->fd < 0) {
            continue;
        }
        if (!connection->forward_id) {
            if (now_ns - connection->opened_ns > REQUEST_TIMEOUT_NS) {
                close_connection(connection);
            }
        } else if (now_ns - connection->forwarded_ns > FORWARD_TIMEOUT_NS) {
            fail(server, connection, "the other node does not answer");
        } else if (now_ns - connection->forward_sent_ns > FORWARD_REPEAT_NS) {
            connection->forward_sent_ns = now_ns;
            send_text(server, connection->forward_node_id, MESSAGE_ADMIN, connection->forward_id,
                      connection->forward_text);
        }
    }
}

static void take_answer(struct admin_server *server, const struct message *message, const char *text,
                        uint32_t text_bytes)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &server->connections[i];
        if (connection->fd >= 0 && connection->forward_id == message->admin.request_id &&
            connection->forward_node_id == message->sender_id) {
            uint32_t kept =
                text_bytes < sizeof(server->answer) ? text_bytes : (uint32_t)sizeof(server->answer) - 1;
            memcpy(server->answer, text, kept);
            server->answer[kept] = '\0';
            finish(server, connection);
            return;
        }
    }
}

static void serve_other_nodes(struct admin_server *server)
{
    struct frame_descriptor descriptors[REMOTE_BURST];
    for (unsigned lane = 0; lane < 2; lane++) {
        unsigned count = consensus_end_receive(server->end, lane, descriptors, REMOTE_BURST);
        for (unsigned i = 0; i < count; i++) {
            const struct message *message = frame_message(&descriptors[i]);
            const char *text = (const char *)descriptors[i].tail;
            char request[ADMIN_REQUEST_BYTES];
            if (message->kind == MESSAGE_ADMIN_REPLY) {
                take_answer(server, message, text, descriptors[i].tail_bytes);
            } else if (message->sender_id != 0 && descriptors[i].tail_bytes < sizeof(request)) {
                memcpy(request, text, descriptors[i].tail_bytes);
                request[descriptors[i].tail_bytes] = '\0';
                admin_execute(server->node, request, server->answer);
                send_text(server, message->sender_id, MESSAGE_ADMIN_REPLY, message->admin.request_id,
                          server->answer);
            }
            frame_give(&descriptors[i]);
        }
    }
}

void admin_server_poll(struct admin_server *server, uint64_t now_ns)
{
    struct epoll_event events[CONNECTIONS_MAX + 1];
    int count = epoll_wait(server->epoll_fd, events, CONNECTIONS_MAX + 1, 0);
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (!connection) {
            accept_connections(server, now_ns);
        } else if (connection->fd >= 0) {
            read_request(server, connection, now_ns);
        }
    }
    push_forwards(server, now_ns);
    serve_other_nodes(server);
}

void admin_server_destroy(struct admin_server *server)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        if (server->connections[i].fd >= 0) {
            close_connection(&server->connections[i]);
        }
    }
    close(server->listen_fd);
    close(server->epoll_fd);
    unlink(server->node->config.admin_socket);
}
