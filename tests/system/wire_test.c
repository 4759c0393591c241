/* SPDX-License-Identifier: Apache-2.0 */
/* A node's device on the kernel's network comes up whatever else uses packet sockets beside it. */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include "system_rig.h"
#include "test.h"

/* More than the nodes' commands start until the last of them runs. */
#define GROUPS 512

static bool take_group(int fd, unsigned interface, uint16_t group)
{
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)interface};
    uint32_t fanout = group | (uint32_t)PACKET_FANOUT_HASH << 16;
    return bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
           setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &fanout, sizeof(fanout)) == 0;
}

/* DPDK's af_packet calls its fanout group after the process id and the interface's number (below 16 here),
 * and the kernel refuses a group that another interface of the same network namespace has already. Two nodes
 * whose ids are near each other can want the same one. */
static void groups_taken(void)
{
    struct rig *rig = rig_begin();
    uint64_t leader = 0;
    int fds[GROUPS];
    unsigned first = (unsigned)getpid() & ~15u;
    CHECK(rig_create(rig, &(struct cluster_options){.port = CLUSTER_AF_PACKET, .tape_bytes = 16u << 20}));
    for (unsigned i = 0; i < GROUPS; i++) {
        fds[i] = socket(AF_PACKET, SOCK_RAW, 0);
        CHECK(fds[i] >= 0);
        CHECK(take_group(fds[i], if_nametoindex("bridge0"), (uint16_t)(first + i)));
    }
    RIG_CHECK(rig, rig_start(rig, &leader));
    for (unsigned i = 0; i < GROUPS; i++) {
        close(fds[i]);
    }
    RIG_CHECK(rig, cluster_stop_all(rig->cluster));
    rig_end(rig);
}

static const struct test_case cases[] = {
    {"nodes start beside packet sockets with the fanout groups they would take", groups_taken},
};

int main(void)
{
    char error[CLUSTER_ERROR_BYTES];
    if (!cluster_enter_namespace(error)) {
        printf("1..0 # SKIP %s\n", error);
        return 0;
    }
    return test_main(cases, sizeof(cases) / sizeof(cases[0]));
}
