/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdbool.h>

#include "packet.h"
#include "prng.h"
#include "test.h"

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 2};

static struct packet_end end_make(const char *ipv4, uint16_t udp_port, const uint8_t *mac)
{
    struct packet_end end = {.ipv4 = inet_addr(ipv4), .udp_port = htons(udp_port)};
    memcpy(end.mac, mac, 6);
    return end;
}

/* A datagram from the other end to us with a frame of `frame_bytes`. */
static uint32_t datagram_make(uint8_t *packet, uint32_t frame_bytes)
{
    struct packet_end own = end_make("192.0.2.1", 26480, own_mac);
    struct packet_end other = end_make("192.0.2.2", 40000, other_mac);
    packet_write_heads(packet, &other, &own, frame_bytes);
    memset(packet + PACKET_HEADS_BYTES, 'f', frame_bytes);
    return PACKET_HEADS_BYTES + frame_bytes;
}

static enum packet_kind judge(const uint8_t *packet, uint32_t byte_count, struct packet_view *ret_view)
{
    struct packet_end own = end_make("192.0.2.1", 26480, own_mac);
    return packet_parse(packet, byte_count, &own, ret_view);
}

static void checksum_renew(uint8_t *packet)
{
    uint8_t *ipv4 = packet + 14;
    ipv4[10] = 0;
    ipv4[11] = 0;
    uint16_t checksum = packet_checksum(ipv4, (ipv4[0] & 15u) * 4u);
    ipv4[10] = (uint8_t)(checksum >> 8);
    ipv4[11] = (uint8_t)checksum;
}

static void heads_are_what_the_rfcs_say(void)
{
    static const uint8_t expected[PACKET_HEADS_BYTES] = {
        2,    0,    0,    0,    0,   1,  2,    0, 0,  0,  0,    2,    8, 0, /* Ethernet */
        0x45, 0,    0,    32,   0,   0,  0x40, 0, 64, 17, 0xB6, 0xC9, /* IPv4: 32 bytes, do not fragment, UDP
                                                                       */
        192,  0,    2,    2,    192, 0,  2,    1,                     /* from, to */
        0x9C, 0x40, 0x67, 0x70, 0,   12, 0,    0, /* UDP: 40000 to 26480, 12 bytes, no checksum */
    };
    uint8_t packet[64];
    datagram_make(packet, 4);
    CHECK_BYTES(packet, expected, sizeof(expected));
}

static void a_datagram_to_us_is_a_frame(void)
{
    uint8_t packet[128];
    struct packet_view view;
    uint32_t bytes = datagram_make(packet, 10);
    CHECK_EQUAL(judge(packet, bytes, &view), PACKET_FRAME);
    CHECK(view.frame == packet + PACKET_HEADS_BYTES);
    CHECK_EQUAL(view.frame_bytes, 10);
    CHECK_EQUAL(view.source.ipv4, inet_addr("192.0.2.2"));
    CHECK_EQUAL(ntohs(view.source.udp_port), 40000);
    CHECK_BYTES(view.source.mac, other_mac, 6);
    /* padding behind the datagram is not part of the frame */
    CHECK_EQUAL(judge(packet, bytes + 20, &view), PACKET_FRAME);
    CHECK_EQUAL(view.frame_bytes, 10);
}

static void a_tag_and_ip_options_are_stepped_over(void)
{
    uint8_t packet[128];
    struct packet_view view;
    uint32_t bytes = datagram_make(packet, 10);
    memmove(packet + 16, packet + 12, bytes - 12);
    packet[12] = 0x81;
    packet[13] = 0x00;
    packet[14] = 0;
    packet[15] = 7;
    CHECK_EQUAL(judge(packet, bytes + 4, &view), PACKET_FRAME);
    CHECK_EQUAL(view.frame_bytes, 10);

    bytes = datagram_make(packet, 10);
    memmove(packet + 38, packet + 34, bytes - 34);
    memset(packet + 34, 1, 4); /* no-operation options */
    packet[14] = 0x46;
    packet[17] = (uint8_t)(packet[17] + 4);
    checksum_renew(packet);
    CHECK_EQUAL(judge(packet, bytes + 4, &view), PACKET_FRAME);
    CHECK_EQUAL(view.frame_bytes, 10);
    CHECK_EQUAL(view.frame[0], 'f');
}

struct damage {
    const char *what;
    uint32_t offset;
    uint8_t value;
};

static void what_is_not_for_us_is_dropped(void)
{
    static const struct damage damages[] = {
        {"another Ethernet type", 13, 0x06},
        {"not version 4", 14, 0x65},
        {"head too short", 14, 0x44},
        {"more than there is", 16, 0x10},
        {"a first fragment", 20, 0x20},
        {"a later fragment", 21, 0x01},
        {"another protocol", 23, 6},
        {"another address", 33, 9},
        {"another port", 37, 1},
        {"datagram longer than the packet", 38, 1},
        {"datagram shorter than its head", 39, 7},
    };
    uint8_t packet[128];
    struct packet_view view;
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        uint32_t bytes = datagram_make(packet, 10);
        CHECK(packet[damages[i].offset] != damages[i].value);
        packet[damages[i].offset] = damages[i].value;
        checksum_renew(packet);
        if (judge(packet, bytes, &view) != PACKET_NOT_OURS) {
            printf("# %s\n", damages[i].what);
            CHECK(false);
        }
    }
}

static void a_bad_head_checksum_is_seen(void)
{
    uint8_t packet[128];
    struct packet_view view;
    uint32_t bytes = datagram_make(packet, 10);
    packet[22] ^= 1; /* time to live */
    CHECK_EQUAL(judge(packet, bytes, &view), PACKET_NOT_OURS);
}

static void a_cut_packet_is_not_read_past_its_end(void)
{
    uint8_t packet[128];
    struct packet_view view;
    uint32_t bytes = datagram_make(packet, 10);
    for (uint32_t cut = 0; cut < bytes; cut++) {
        uint8_t *copy = malloc(cut + 1); /* so that the address sanitizer sees a step too far */
        memcpy(copy + 1, packet, cut);
        CHECK_EQUAL(judge(copy + 1, cut, &view), PACKET_NOT_OURS);
        free(copy);
    }
}

/* Whatever is flipped: a frame lies inside its packet. */
static void any_bytes_give_a_verdict(void)
{
    struct prng prng = {.state = 1};
    unsigned frames = 0;
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t packet[128];
        uint32_t bytes = datagram_make(packet, 10);
        for (unsigned k = 0; k < 1 + i % 3; k++) {
            packet[12 + prng_next(&prng) % 32] = (uint8_t)prng_next(&prng);
        }
        if (i % 2 == 0) {
            checksum_renew(packet);
        }
        struct packet_view view;
        if (judge(packet, bytes, &view) == PACKET_FRAME) {
            frames++;
            CHECK(view.frame >= packet + PACKET_HEADS_BYTES);
            CHECK(view.frame + view.frame_bytes <= packet + bytes);
        }
    }
    CHECK(frames > 0);
}

static void arp_is_read_and_written(void)
{
    static const uint8_t expected_reply[PACKET_ARP_BYTES] = {
        2, 0, 0, 0, 0, 2, 2,   0, 0, 0, 0, 1, 8, 6, /* Ethernet */
        0, 1, 8, 0, 6, 4, 0,   2,                   /* a reply */
        2, 0, 0, 0, 0, 1, 192, 0, 2, 1,             /* who answers */
        2, 0, 0, 0, 0, 2, 192, 0, 2, 2,             /* who asked */
    };
    struct packet_end own = end_make("192.0.2.1", 26480, own_mac);
    struct packet_end other = end_make("192.0.2.2", 0, other_mac);
    uint8_t packet[PACKET_ARP_BYTES];
    packet_write_arp_reply(packet, &own, &other);
    CHECK_BYTES(packet, expected_reply, sizeof(expected_reply));

    struct packet_view view;
    packet_write_arp_request(packet, &other, own.ipv4);
    CHECK_EQUAL(packet[0], 0xFF);
    CHECK_EQUAL(packet[5], 0xFF);
    CHECK_EQUAL(judge(packet, sizeof(packet), &view), PACKET_ARP_REQUEST);
    CHECK_EQUAL(view.source.ipv4, other.ipv4);
    CHECK_BYTES(view.source.mac, other_mac, 6);

    packet_write_arp_reply(packet, &other, &own);
    CHECK_EQUAL(judge(packet, sizeof(packet), &view), PACKET_ARP_REPLY);
    CHECK_EQUAL(judge(packet, 41, &view), PACKET_NOT_OURS);
    packet[41] = 9; /* for somebody else */
    CHECK_EQUAL(judge(packet, sizeof(packet), &view), PACKET_NOT_OURS);
    packet_write_arp_request(packet, &other, other.ipv4); /* an announcement */
    CHECK_EQUAL(judge(packet, sizeof(packet), &view), PACKET_ARP_REPLY);
    CHECK_EQUAL(view.source.ipv4, other.ipv4);
}

static const struct test_case cases[] = {
    {"heads have the bytes that RFC 791 and 768 ask for", heads_are_what_the_rfcs_say},
    {"a datagram to us is a frame, padding is not part of it", a_datagram_to_us_is_a_frame},
    {"a VLAN tag and IP options are stepped over", a_tag_and_ip_options_are_stepped_over},
    {"other protocols, addresses, ports, fragments and wrong lengths are not ours",
     what_is_not_for_us_is_dropped},
    {"a bad IPv4 head checksum is seen", a_bad_head_checksum_is_seen},
    {"a cut packet is not read past its end", a_cut_packet_is_not_read_past_its_end},
    {"any bytes give a verdict, and a frame lies inside its packet", any_bytes_give_a_verdict},
    {"ARP is read and written as RFC 826 says", arp_is_read_and_written},
};

TEST_MAIN(cases)
