/* SPDX-License-Identifier: Apache-2.0 */
/* A device whose wire is two rings in the test's hands: bytes in, bytes out. */
#include <arpa/inet.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane_rig.h"
#include "packet.h"

struct wire {
    struct rte_ring *to_us;
    struct rte_ring *from_us;
    struct rte_mempool *pool;
    char device[32];
    struct packet_end own;
    struct packet_end peer;
    struct arena arena;
    struct dataplane *dataplane;
    struct consensus_end *end;
    const struct dataplane_counters *counters;
};

static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 9};

static void wire_ends(struct wire *wire)
{
    static unsigned number;
    char name[16];
    snprintf(name, sizeof(name), "in%u", number);
    wire->to_us = rte_ring_create(name, 256, SOCKET_ID_ANY, 0);
    snprintf(name, sizeof(name), "out%u", number);
    wire->from_us = rte_ring_create(name, 256, SOCKET_ID_ANY, 0);
    snprintf(name, sizeof(name), "wire%u", number);
    wire->pool = rte_pktmbuf_pool_create(name, 255, 0, 0, 2176, SOCKET_ID_ANY);
    CHECK(wire->to_us != NULL);
    CHECK(wire->from_us != NULL);
    CHECK(wire->pool != NULL);
    CHECK(rte_eth_from_rings(name, &wire->to_us, 1, &wire->from_us, 1, 0) >= 0);
    snprintf(wire->device, sizeof(wire->device), "net_ring_%s", name);
    number++;
}

static void wire_open(struct wire *wire, const uint8_t *neighbour_mac)
{
    wire_ends(wire);
    struct ethdev_options ethdev = {
        .device = wire->device, .ipv4 = inet_addr("192.0.2.1"), .udp_port = 26480, .mtu = 1500};
    struct neighbour_options neighbour = {.node_id = 2, .ipv4 = inet_addr("192.0.2.2"), .udp_port = 26480};
    if (neighbour_mac != NULL) {
        memcpy(neighbour.mac, neighbour_mac, 6);
    }
    struct dataplane_options options = rig_options(1, 1);
    options.shm_path = NULL;
    options.ethdevs = &ethdev;
    options.ethdev_count = 1;
    options.neighbours = &neighbour;
    options.neighbour_count = 1;
    wire->dataplane = rig_create(&wire->arena, &options);
    wire->end = dataplane_consensus_end(wire->dataplane, 0);
    wire->counters = dataplane_counters_of(wire->dataplane, 0);
    uint16_t port_id;
    struct rte_ether_addr mac;
    CHECK(rte_eth_dev_get_port_by_name(wire->device, &port_id) == 0);
    CHECK(rte_eth_macaddr_get(port_id, &mac) == 0);
    wire->own = (struct packet_end){.ipv4 = ethdev.ipv4, .udp_port = htons(26480)};
    memcpy(wire->own.mac, mac.addr_bytes, 6);
    wire->peer = (struct packet_end){.ipv4 = neighbour.ipv4, .udp_port = htons(26480)};
    memcpy(wire->peer.mac, peer_mac, 6);
}

static void wire_close(struct wire *wire)
{
    rig_destroy(wire->dataplane, &wire->arena);
}

static void wire_send(struct wire *wire, const uint8_t *packet, uint32_t byte_count)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(wire->pool);
    CHECK(mbuf != NULL);
    memcpy(rte_pktmbuf_append(mbuf, (uint16_t)byte_count), packet, byte_count);
    CHECK(rte_ring_enqueue(wire->to_us, mbuf) == 0);
    dataplane_core_poll(wire->dataplane, 0, 128);
}

/* The next packet that left, copied; its bytes, 0 for none. */
static uint32_t wire_receive(struct wire *wire, uint8_t *ret_packet)
{
    void *object;
    if (rte_ring_dequeue(wire->from_us, &object) != 0) {
        return 0;
    }
    struct rte_mbuf *mbuf = object;
    uint32_t bytes = mbuf->pkt_len;
    memcpy(ret_packet, rte_pktmbuf_mtod(mbuf, void *), bytes);
    rte_pktmbuf_free(mbuf);
    return bytes;
}

static uint32_t packet_make(const struct wire *wire, uint8_t *packet, const struct rig_message *message)
{
    rig_encode(NULL, message, 0, packet + PACKET_HEADS_BYTES + RIG_HEAD_BYTES, 0);
    packet_write_heads(packet, &wire->peer, &wire->own, RIG_HEAD_BYTES);
    return PACKET_HEADS_BYTES + RIG_HEAD_BYTES;
}

static bool node_send(struct wire *wire, uint32_t tail_bytes)
{
    struct frame_descriptor frame;
    uint32_t frame_bytes_max;
    CHECK(consensus_end_begin(wire->end, 2, NULL, 0, &frame, &frame_bytes_max));
    CHECK_EQUAL(frame_bytes_max, FRAME_BYTES_MAX_1500);
    *(struct rig_message *)frame_message(&frame) = (struct rig_message){.number = 77};
    frame.tail_bytes = tail_bytes;
    memset(frame.tail, 't', tail_bytes);
    consensus_end_send(wire->end, &frame);
    return dataplane_core_poll(wire->dataplane, 0, 128) > 0;
}

static void an_arp_request_is_answered(void)
{
    struct wire wire;
    wire_open(&wire, NULL);
    uint8_t packet[2048];
    packet_write_arp_request(packet, &wire.peer, wire.own.ipv4);
    wire_send(&wire, packet, PACKET_ARP_BYTES);
    uint8_t expected[PACKET_ARP_BYTES];
    packet_write_arp_reply(expected, &wire.own, &wire.peer);
    CHECK_EQUAL(wire_receive(&wire, packet), PACKET_ARP_BYTES);
    CHECK_BYTES(packet, expected, PACKET_ARP_BYTES);
    CHECK_EQUAL(wire.counters->arp_requests, 1);
    wire_close(&wire);
}

static void a_neighbour_is_asked_for_once_and_learnt(void)
{
    struct wire wire;
    wire_open(&wire, NULL);
    uint8_t packet[2048];
    CHECK(node_send(&wire, 0));
    CHECK_EQUAL(wire.counters->dropped_no_way, 1);
    uint8_t expected[PACKET_ARP_BYTES];
    packet_write_arp_request(expected, &wire.own, wire.peer.ipv4);
    CHECK_EQUAL(wire_receive(&wire, packet), PACKET_ARP_BYTES);
    CHECK_BYTES(packet, expected, PACKET_ARP_BYTES);
    /* at most one question a second */
    CHECK(node_send(&wire, 0));
    CHECK_EQUAL(wire_receive(&wire, packet), 0);
    packet_write_arp_reply(packet, &wire.peer, &wire.own);
    wire_send(&wire, packet, PACKET_ARP_BYTES);
    CHECK_EQUAL(wire.counters->arp_replies, 1);
    CHECK(node_send(&wire, 0));
    CHECK_EQUAL(wire_receive(&wire, packet), PACKET_HEADS_BYTES + RIG_HEAD_BYTES);
    CHECK_BYTES(packet, peer_mac, 6);
    wire_close(&wire);
}

static void a_frame_to_a_node_has_its_heads(void)
{
    struct wire wire;
    wire_open(&wire, peer_mac);
    uint8_t packet[2048];
    uint32_t tail_bytes = FRAME_BYTES_MAX_1500 - RIG_HEAD_BYTES;
    CHECK(node_send(&wire, tail_bytes));
    CHECK_EQUAL(wire_receive(&wire, packet), 1514);
    uint8_t expected[PACKET_HEADS_BYTES];
    packet_write_heads(expected, &wire.own, &wire.peer, FRAME_BYTES_MAX_1500);
    CHECK_BYTES(packet, expected, sizeof(expected));
    CHECK_EQUAL(packet[PACKET_HEADS_BYTES], 'R');
    CHECK_EQUAL(load_le64(packet + PACKET_HEADS_BYTES + 16), 77);
    CHECK_EQUAL(packet[1513], 't');
    CHECK(node_send(&wire, tail_bytes + 1));
    CHECK_EQUAL(wire_receive(&wire, packet), 0);
    CHECK_EQUAL(wire.counters->dropped_too_large, 1);
    CHECK_EQUAL(wire.counters->sent_frames, 1);
    wire_close(&wire);
}

static void an_answer_goes_back_to_where_the_question_came_from(void)
{
    struct wire wire;
    wire_open(&wire, NULL);
    uint8_t packet[2048];
    wire.peer.ipv4 = inet_addr("192.0.2.77");
    wire.peer.udp_port = htons(5555);
    struct rig_message message = {.lane = 0, .number = 4};
    uint32_t bytes = packet_make(&wire, packet, &message);
    wire_send(&wire, packet, bytes);
    CHECK_EQUAL(rig_echo(wire.end, 32), 1);
    dataplane_core_poll(wire.dataplane, 0, 128);
    CHECK_EQUAL(wire_receive(&wire, packet), bytes);
    uint8_t expected[PACKET_HEADS_BYTES];
    packet_write_heads(expected, &wire.own, &wire.peer, RIG_HEAD_BYTES);
    CHECK_BYTES(packet, expected, sizeof(expected));
    CHECK_EQUAL(load_le64(packet + PACKET_HEADS_BYTES + 16), 4);
    wire_close(&wire);
}

static void garbage_and_fragments_are_counted(void)
{
    struct wire wire;
    wire_open(&wire, NULL);
    uint8_t packet[2048];
    struct rig_message message = {.lane = 0, .number = 4};
    uint32_t bytes = packet_make(&wire, packet, &message);
    packet[PACKET_HEADS_BYTES] = 'X';
    wire_send(&wire, packet, bytes);
    CHECK_EQUAL(wire.counters->verdicts[RIG_BAD_MAGIC], 1);
    bytes = packet_make(&wire, packet, &message);
    packet[20] = 0x20; /* more fragments; its checksum is made right again */
    memset(packet + 24, 0, 2);
    uint16_t checksum = htons(packet_checksum(packet + 14, 20));
    memcpy(packet + 24, &checksum, 2);
    wire_send(&wire, packet, bytes);
    CHECK_EQUAL(wire.counters->not_ours, 1);
    memset(packet, 0xA5, sizeof(packet));
    wire_send(&wire, packet, 60);
    CHECK_EQUAL(wire.counters->not_ours, 2);
    CHECK_EQUAL(rig_echo(wire.end, 32), 0);
    CHECK_EQUAL(rte_mempool_avail_count(wire.pool), 255);
    wire_close(&wire);
}

static void control_leaves_before_bulk(void)
{
    struct wire wire;
    wire_open(&wire, peer_mac);
    for (unsigned lane = 2; lane-- > 0;) {
        struct frame_descriptor frame;
        uint32_t frame_bytes_max;
        CHECK(consensus_end_begin(wire.end, 2, NULL, lane, &frame, &frame_bytes_max));
        *(struct rig_message *)frame_message(&frame) = (struct rig_message){.lane = (uint8_t)lane};
        consensus_end_send(wire.end, &frame);
    }
    dataplane_core_poll(wire.dataplane, 0, 128);
    uint8_t packet[2048];
    CHECK(wire_receive(&wire, packet) > 0);
    CHECK_EQUAL(packet[PACKET_HEADS_BYTES + 1], 0);
    CHECK(wire_receive(&wire, packet) > 0);
    CHECK_EQUAL(packet[PACKET_HEADS_BYTES + 1], 1);
    wire_close(&wire);
}

static void a_full_wire_drops_and_counts(void)
{
    struct wire wire;
    wire_open(&wire, peer_mac);
    for (unsigned i = 0; i < 300; i++) {
        CHECK(node_send(&wire, 0));
    }
    CHECK_EQUAL(wire.counters->sent_frames, 255);
    CHECK_EQUAL(wire.counters->dropped_port_full, 45);
    wire_close(&wire);
}

static void a_device_that_is_not_there_is_named(void)
{
    struct arena arena;
    arena_init(&arena);
    struct ethdev_options ethdev = {.device = "net_nowhere0", .mtu = 1500};
    struct dataplane_options options = rig_options(1, 2);
    options.shm_path = NULL;
    options.ethdevs = &ethdev;
    options.ethdev_count = 1;
    struct dataplane *dataplane;
    char error_text[256];
    CHECK_EQUAL(dataplane_create(&arena, &options, &dataplane, error_text), -ENODEV);
    CHECK(strstr(error_text, "net_nowhere0") != NULL);
    arena_fini(&arena);
}

static const struct test_case cases[] = {
    {"an ARP request for our address is answered, byte for byte", an_arp_request_is_answered},
    {"a neighbour without a MAC is asked for, once, and learnt", a_neighbour_is_asked_for_once_and_learnt},
    {"a frame to a node has its heads; one longer than the link is dropped", a_frame_to_a_node_has_its_heads},
    {"an answer goes back to where the question came from",
     an_answer_goes_back_to_where_the_question_came_from},
    {"garbage and fragments are dropped, counted, and their buffers come back",
     garbage_and_fragments_are_counted},
    {"control leaves before bulk", control_leaves_before_bulk},
    {"a full wire drops and counts", a_full_wire_drops_and_counts},
    {"a device that is not there is named", a_device_that_is_not_there_is_named},
};

int main(void)
{
    rig_eal_start(NULL, 0);
    int status = test_main(cases, sizeof(cases) / sizeof(cases[0]));
    rig_eal_stop();
    return status;
}
