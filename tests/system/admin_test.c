/* SPDX-License-Identifier: Apache-2.0 */
/* A node's socket for administration, and whoever uses it carelessly. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "system_rig.h"
#include "test.h"

/* The node serves 16 at a time. */
#define CONNECTIONS 20

static int connect_to(struct rig *rig)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval timeout = {.tv_sec = 10};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cluster_path(rig->cluster, 1, "admin", address.sun_path, sizeof(address.sun_path));
    CHECK(fd >= 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static void say(int fd, const char *text)
{
    CHECK_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What the node answers until it closes. */
static const char *hear(int fd)
{
    static char answer[1u << 17];
    size_t used = 0;
    ssize_t got = 0;
    while ((got = recv(fd, answer + used, sizeof(answer) - 1 - used, 0)) > 0) {
        used += (size_t)got;
    }
    close(fd);
    answer[used] = '\0';
    return answer;
}

static struct rig *start(void)
{
    struct rig *rig = rig_begin();
    CHECK(rig_create(rig, &(struct cluster_options){.tape_bytes = 1u << 20}));
    RIG_CHECK(rig, cluster_start(rig->cluster, 1));
    RIG_CHECK(rig, cluster_wait_ready(rig->cluster, 1, RIG_TIMEOUT_MS));
    return rig;
}

static void lines_of_any_shape(void)
{
    struct rig *rig = start();
    int fd = connect_to(rig);
    say(fd, "sta");
    RIG_CHECK(rig, cluster_pause(rig->cluster, 5));
    say(fd, "tus\nand more");
    CHECK(strncmp(hear(fd), "0\ncluster 1, node 1", 19) == 0);
    fd = connect_to(rig);
    char line[512]; /* a byte more than the longest request and its end */
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    say(fd, line);
    CHECK(strncmp(hear(fd), "1\nthe request is too long", 25) == 0);
    fd = connect_to(rig);
    say(fd, "@");
    say(fd, "\n");
    CHECK(strncmp(hear(fd), "1\nusage:", 8) == 0);
    fd = connect_to(rig);
    say(fd, "bootstrap a/b 1,2,3\n");
    CHECK(strncmp(hear(fd), "1\nthe quorum's name", 19) == 0);
    fd = connect_to(rig);
    say(fd, "bootstrap ab 1,1\n");
    CHECK(strncmp(hear(fd), "2\nvoters:", 9) == 0);
    fd = connect_to(rig);
    say(fd, "no such thing\n");
    CHECK(strncmp(hear(fd), "2\nunknown request", 17) == 0);
    close(connect_to(rig)); /* and gone without a word */
    RIG_CHECK(rig, cluster_stop_all(rig->cluster));
    rig_end(rig);
}

static void too_many_at_once(void)
{
    struct rig *rig = start();
    int fds[CONNECTIONS];
    unsigned refused_count = 0;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        fds[i] = connect_to(rig);
        if (i < 16) { /* the others are refused before they have said anything */
            say(fds[i], "stat");
        }
    }
    for (unsigned i = 16; i < CONNECTIONS; i++) {
        refused_count += strncmp(hear(fds[i]), "1\ntoo many requests", 19) == 0;
    }
    CHECK_EQUAL(refused_count, CONNECTIONS - 16);
    for (unsigned i = 0; i < 16; i++) {
        say(fds[i], "us\n");
        CHECK(strncmp(hear(fds[i]), "0\ncluster 1, node 1", 19) == 0);
    }
    RIG_CHECK(rig, cluster_stop_all(rig->cluster));
    rig_end(rig);
}

static const struct test_case cases[] = {
    {"lines in pieces, too long, of nonsense or never sent do no harm", lines_of_any_shape},
    {"more requests at once than there are places for are refused, the others are served", too_many_at_once},
};

TEST_MAIN(cases)
