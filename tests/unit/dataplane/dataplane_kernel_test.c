/* SPDX-License-Identifier: Apache-2.0 */
/* The dataplane against the kernel's own UDP and ARP, in a network namespace of the test's own:
 *
 *   dataplane 192.0.2.1 - net_af_packet - tally_a == veth == tally_b - kernel 192.0.2.2 - UDP socket
 *
 * Skipped where user namespaces are not allowed. */
#include <arpa/inet.h>
#include <sched.h>
#include <sys/socket.h>

#include "dataplane_rig.h"

static const char *const devices[] = {"net_af_packet0,iface=tally_a"};
static struct arena arena;
static struct dataplane *dataplane;
static struct consensus_end *end;

/* Answers until the socket has something to read. */
static ssize_t answer_await(int fd, uint8_t *ret_frame, size_t size)
{
    for (unsigned turns = 0; turns < 200000000u; turns++) {
        dataplane_core_poll(dataplane, 0, 128);
        rig_echo(end, 32);
        ssize_t bytes = recv(fd, ret_frame, size, MSG_DONTWAIT);
        if (bytes >= 0) {
            return bytes;
        }
        sched_yield();
    }
    return -1;
}

static int socket_open(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(26480), .sin_addr.s_addr = inet_addr("192.0.2.1")};
    CHECK(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
    return fd;
}

static void a_kernel_socket_is_answered(void)
{
    CHECK(dataplane != NULL);
    CHECK(system("ip neigh flush dev tally_b") == 0); /* so that it has to ask, too */
    int fd = socket_open();
    for (uint32_t tail_bytes = 0; tail_bytes <= FRAME_BYTES_MAX_1500 - RIG_HEAD_BYTES; tail_bytes += 181) {
        uint8_t frame[FRAME_BYTES_MAX_1500] = {0};
        uint8_t answer[FRAME_BYTES_MAX_1500];
        struct rig_message message = {.number = tail_bytes};
        rig_encode(NULL, &message, 0, frame + RIG_HEAD_BYTES, tail_bytes);
        ssize_t bytes = RIG_HEAD_BYTES + (ssize_t)tail_bytes;
        CHECK_EQUAL(send(fd, frame, (size_t)bytes, 0), bytes);
        CHECK_EQUAL(answer_await(fd, answer, sizeof(answer)), bytes);
        CHECK_BYTES(answer, frame, RIG_HEAD_BYTES + tail_bytes);
    }
    CHECK(dataplane_counters_of(dataplane, 0)->arp_requests > 0);
    close(fd);
}

static void the_kernel_tells_its_mac(void)
{
    CHECK(dataplane != NULL);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in own = {
        .sin_family = AF_INET, .sin_port = htons(4000), .sin_addr.s_addr = inet_addr("192.0.2.2")};
    CHECK(bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0);
    uint8_t frame[FRAME_BYTES_MAX_1500];
    ssize_t bytes = -1;
    while (bytes < 0) {
        struct frame_descriptor descriptor;
        uint32_t frame_bytes_max;
        if (consensus_end_begin(end, 2, NULL, 0, &descriptor, &frame_bytes_max)) {
            *(struct rig_message *)frame_message(&descriptor) = (struct rig_message){.number = 31};
            consensus_end_send(end, &descriptor);
        }
        dataplane_core_poll(dataplane, 0, 128);
        bytes = recv(fd, frame, sizeof(frame), MSG_DONTWAIT);
        sched_yield();
    }
    CHECK_EQUAL(bytes, RIG_HEAD_BYTES);
    CHECK_EQUAL(load_le64(frame + 16), 31);
    close(fd);
}

static bool text_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    bool written = file != NULL && fputs(text, file) >= 0;
    return file != NULL && fclose(file) == 0 && written;
}

/* Root of a namespace of our own, so that `ip` keeps its rights. */
static bool network_make(void)
{
    char map[32];
    snprintf(map, sizeof(map), "0 %u 1", (unsigned)getuid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && text_write("/proc/self/uid_map", map) &&
           system(
               "ip link add tally_a type veth peer name tally_b && ip addr add 192.0.2.2/24 dev tally_b && "
               "ip link set tally_a up && ip link set tally_b up") == 0;
}

static void the_dataplane_starts_on_a_veth(void)
{
    struct ethdev_options ethdev = {
        .device = "net_af_packet0", .ipv4 = inet_addr("192.0.2.1"), .udp_port = 26480, .mtu = 1500};
    struct neighbour_options neighbour = {.node_id = 2, .ipv4 = inet_addr("192.0.2.2"), .udp_port = 4000};
    struct dataplane_options options = rig_options(1, 1);
    options.shm_path = NULL;
    options.ethdevs = &ethdev;
    options.ethdev_count = 1;
    options.neighbours = &neighbour;
    options.neighbour_count = 1;
    dataplane = rig_create(&arena, &options);
    end = dataplane_consensus_end(dataplane, 0);
}

static const struct test_case cases[] = {
    {"the dataplane starts on one end of a veth", the_dataplane_starts_on_a_veth},
    {"a frame to a node reaches a kernel socket once ARP has found it", the_kernel_tells_its_mac},
    {"a kernel socket is answered at every size a link of 1,500 bytes carries", a_kernel_socket_is_answered},
};

int main(void)
{
    if (!network_make()) {
        printf("1..0 # SKIP no user and network namespaces here\n");
        return 0;
    }
    rig_devices = devices;
    rig_device_count = 1;
    rig_eal_start(NULL, 0);
    int status = test_main(cases, sizeof(cases) / sizeof(cases[0]));
    if (dataplane != NULL) {
        rig_destroy(dataplane, &arena);
    }
    rig_eal_stop();
    return status;
}
