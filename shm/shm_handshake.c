/* SPDX-License-Identifier: Apache-2.0 */
/* How a channel comes to be: the connecting side says hello, the listener judges it and answers with a
 * verdict and, if that is good, with the memory and two eventfds. SOCK_SEQPACKET: a message is whole or not
 * there. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "shm_memory.h"

#define HELLO_WAIT_MS 100
#define LISTEN_COUNT  64

union shm_control_message {
    struct cmsghdr head;
    uint8_t bytes[CMSG_SPACE(sizeof(int) * SHM_FD_COUNT)];
};

static int address_set(const char *path, struct sockaddr_un *ret_address)
{
    size_t bytes = strlen(path);
    if (bytes == 0 || bytes >= sizeof(ret_address->sun_path)) {
        return -ENAMETOOLONG;
    }
    memset(ret_address, 0, sizeof(*ret_address));
    ret_address->sun_family = AF_UNIX;
    memcpy(ret_address->sun_path, path, bytes);
    return 0;
}

static void channel_clear(struct shm_channel *channel)
{
    memset(channel, 0, sizeof(*channel));
    channel->socket_fd = -1;
    channel->own_event_fd = -1;
    channel->other_event_fd = -1;
}

static int socket_wait(int fd, short events, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    int ready = poll(&poll_fd, 1, timeout_ms);
    if (ready < 0) {
        return -errno;
    }
    return ready == 0 ? -ETIMEDOUT : 0;
}

/* ---- listening ---- */

/* A socket file that nobody listens on any more belongs to a dead process. */
static bool address_is_stale(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    bool stale =
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

static int socket_bind(int fd, const struct sockaddr_un *address)
{
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0) {
        return 0;
    }
    if (errno != EADDRINUSE || !address_is_stale(address)) {
        return -errno;
    }
    unlink(address->sun_path);
    return bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : -errno;
}

int shm_listen(const char *path)
{
    struct sockaddr_un address;
    int error = address_set(path, &address);
    if (error != 0) {
        return error;
    }
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    error = socket_bind(fd, &address);
    if (error == 0 && listen(fd, LISTEN_COUNT) != 0) {
        error = -errno;
    }
    if (error != 0) {
        close(fd);
        return error;
    }
    return fd;
}

static enum shm_verdict hello_receive(int fd, uint64_t cluster_id, struct shm_hello *ret_hello,
                                      int *ret_error)
{
    *ret_error = socket_wait(fd, POLLIN, HELLO_WAIT_MS);
    if (*ret_error != 0) {
        return SHM_ERROR;
    }
    struct shm_hello hello;
    ssize_t bytes = recv(fd, &hello, sizeof(hello), MSG_DONTWAIT | MSG_TRUNC);
    if (bytes != (ssize_t)sizeof(hello) || hello.magic != SHM_MAGIC || hello.zero != 0) {
        return SHM_BAD_HELLO;
    }
    if (hello.version != SHM_VERSION) {
        return SHM_OTHER_VERSION;
    }
    bool is_client = hello.cluster_id == 0 && hello.node_id == 0;
    if (!is_client && hello.cluster_id != cluster_id) {
        return SHM_OTHER_CLUSTER;
    }
    *ret_hello = hello;
    return SHM_GOOD;
}

static int answer_send(int fd, enum shm_verdict verdict, uint64_t cluster_id, const int *fds)
{
    struct shm_answer answer = {
        .magic = SHM_MAGIC, .version = SHM_VERSION, .verdict = (uint16_t)verdict, .cluster_id = cluster_id};
    struct iovec part = {.iov_base = &answer, .iov_len = sizeof(answer)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union shm_control_message control = {0};
    if (fds != NULL) {
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int) * SHM_FD_COUNT);
        memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * SHM_FD_COUNT);
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
    }
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int event_fd_open(int *ret_fd)
{
    *ret_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return *ret_fd < 0 ? -errno : 0;
}

/* Makes memory and eventfds and sends them. What it opened is in the channel, also on failure. */
static int channel_hand_over(struct shm_channel *channel, uint64_t cluster_id)
{
    int error = event_fd_open(&channel->own_event_fd);
    if (error == 0) {
        error = event_fd_open(&channel->other_event_fd);
    }
    if (error != 0) {
        return error;
    }
    int memory_fd = shm_memory_create();
    if (memory_fd < 0) {
        return memory_fd;
    }
    error = shm_memory_map(memory_fd, 0, channel);
    if (error == 0) {
        int fds[SHM_FD_COUNT] = {memory_fd, channel->own_event_fd, channel->other_event_fd};
        error = answer_send(channel->socket_fd, SHM_GOOD, cluster_id, fds);
    }
    close(memory_fd);
    return error;
}

enum shm_verdict shm_accept(int listen_fd, uint64_t cluster_id, struct shm_channel *ret_channel,
                            int *ret_error)
{
    *ret_error = 0;
    struct shm_channel channel;
    channel_clear(&channel);
    channel.socket_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (channel.socket_fd < 0) {
        *ret_error = -errno;
        return SHM_ERROR;
    }
    enum shm_verdict verdict = hello_receive(channel.socket_fd, cluster_id, &channel.peer, ret_error);
    if (verdict == SHM_GOOD) {
        *ret_error = channel_hand_over(&channel, cluster_id);
        verdict = *ret_error == 0 ? SHM_GOOD : SHM_ERROR;
    } else {
        answer_send(channel.socket_fd, verdict, cluster_id, NULL);
    }
    if (verdict != SHM_GOOD) {
        shm_close(&channel);
        return verdict;
    }
    *ret_channel = channel;
    return SHM_GOOD;
}

void shm_refuse(int listen_fd)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        /* Closing with an unread hello would reset the connection and lose the answer. */
        struct shm_hello hello;
        int error;
        hello_receive(fd, 0, &hello, &error);
        answer_send(fd, SHM_FULL, 0, NULL);
        close(fd);
    }
}

/* ---- connecting ---- */

/* Descriptors are the process's from here on: those of a message that we refuse are closed. */
static int fds_take(struct msghdr *message, int *ret_fds)
{
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    if (head == NULL || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) {
        return -EPROTO;
    }
    size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    int fds[sizeof(union shm_control_message) / sizeof(int)];
    memcpy(fds, CMSG_DATA(head), sizeof(int) * count);
    if (count == SHM_FD_COUNT && (message->msg_flags & MSG_CTRUNC) == 0) {
        memcpy(ret_fds, fds, sizeof(int) * SHM_FD_COUNT);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        close(fds[i]);
    }
    return -EPROTO;
}

static enum shm_verdict answer_judge(const struct shm_answer *answer, ssize_t bytes)
{
    if (bytes != (ssize_t)sizeof(*answer) || answer->magic != SHM_MAGIC) {
        return SHM_BAD_HELLO;
    }
    if (answer->version != SHM_VERSION) {
        return SHM_OTHER_VERSION;
    }
    return answer->verdict <= SHM_ERROR ? (enum shm_verdict)answer->verdict : SHM_ERROR;
}

static int answer_receive(int fd, int timeout_ms, struct shm_answer *ret_answer, int *ret_fds)
{
    int error = socket_wait(fd, POLLIN, timeout_ms);
    if (error != 0) {
        return error;
    }
    struct iovec part = {.iov_base = ret_answer, .iov_len = sizeof(*ret_answer)};
    union shm_control_message control = {0};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t bytes = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (bytes < 0) {
        return -errno;
    }
    if (bytes == 0) {
        return -ECONNRESET;
    }
    error = fds_take(&message, ret_fds);
    enum shm_verdict verdict = answer_judge(ret_answer, bytes);
    if (error == 0 && verdict != SHM_GOOD) {
        for (int i = 0; i < SHM_FD_COUNT; i++) {
            close(ret_fds[i]);
        }
    }
    if (verdict == SHM_FULL) {
        return -EBUSY;
    }
    return verdict == SHM_GOOD ? error : -EPROTO;
}

static int channel_take_over(struct shm_channel *channel, const struct shm_hello *hello, int timeout_ms)
{
    struct shm_hello full = *hello;
    full.magic = SHM_MAGIC;
    full.version = SHM_VERSION;
    full.zero = 0;
    if (send(channel->socket_fd, &full, sizeof(full), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        return -errno;
    }
    struct shm_answer answer;
    int fds[SHM_FD_COUNT] = {-1, -1, -1};
    int error = answer_receive(channel->socket_fd, timeout_ms, &answer, fds);
    if (error != 0) {
        return error;
    }
    channel->other_event_fd = fds[1];
    channel->own_event_fd = fds[2];
    channel->peer.cluster_id = answer.cluster_id;
    error = shm_memory_map(fds[0], 1, channel);
    close(fds[0]);
    return error;
}

int shm_connect(const char *path, const struct shm_hello *hello, int timeout_ms,
                struct shm_channel *ret_channel)
{
    struct sockaddr_un address;
    int error = address_set(path, &address);
    if (error != 0) {
        return error;
    }
    struct shm_channel channel;
    channel_clear(&channel);
    /* Non-blocking: a full backlog answers EAGAIN at once, and a Unix socket never connects later. */
    channel.socket_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (channel.socket_fd < 0) {
        return -errno;
    }
    error = connect(channel.socket_fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : -errno;
    if (error == 0) {
        error = channel_take_over(&channel, hello, timeout_ms);
    }
    if (error != 0) {
        shm_close(&channel);
        return error;
    }
    *ret_channel = channel;
    return 0;
}
