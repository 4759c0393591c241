/* SPDX-License-Identifier: Apache-2.0 */
#include "packet.h"

#include <stdbool.h>
#include <string.h>

#include "bytes.h"

#define ETHERNET_BYTES 14
#define IPV4_BYTES_MIN 20
#define UDP_BYTES      8
#define ARP_BYTES      28

#define TYPE_IPV4 0x0800
#define TYPE_ARP  0x0806
#define TYPE_VLAN 0x8100
#define UDP       17

#define ARP_OP_REQUEST 1
#define ARP_OP_REPLY   2

static const uint8_t arp_ethernet_ipv4[6] = {0, 1, 8, 0, 6, 4};

/* Addresses and ports stay in network order. */
static uint32_t read_ipv4(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

uint16_t packet_checksum(const uint8_t *head, uint32_t byte_count)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i + 1 < byte_count; i += 2) {
        sum += load_be16(head + i);
    }
    while (sum > 0xFFFF) {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

static enum packet_kind arp_parse(const uint8_t *bytes, uint32_t byte_count, const struct packet_end *own,
                                  struct packet_view *view)
{
    if (byte_count < ARP_BYTES || memcmp(bytes, arp_ethernet_ipv4, 6) != 0) {
        return PACKET_NOT_OURS;
    }
    memcpy(view->source.mac, bytes + 8, 6);
    view->source.ipv4 = read_ipv4(bytes + 14);
    uint32_t target = read_ipv4(bytes + 24);
    if (target != own->ipv4) {
        /* An announcement (RFC 5227 3) names its sender twice. */
        return target == view->source.ipv4 ? PACKET_ARP_REPLY : PACKET_NOT_OURS;
    }
    switch (load_be16(bytes + 6)) {
    case ARP_OP_REQUEST:
        return PACKET_ARP_REQUEST;
    case ARP_OP_REPLY:
        return PACKET_ARP_REPLY;
    default:
        return PACKET_NOT_OURS;
    }
}

static enum packet_kind udp_parse(const uint8_t *bytes, uint32_t byte_count, const struct packet_end *own,
                                  struct packet_view *view)
{
    if (byte_count < UDP_BYTES || memcmp(bytes + 2, &own->udp_port, 2) != 0) {
        return PACKET_NOT_OURS;
    }
    uint32_t udp_bytes = load_be16(bytes + 4);
    if (udp_bytes < UDP_BYTES || udp_bytes > byte_count) {
        return PACKET_NOT_OURS;
    }
    memcpy(&view->source.udp_port, bytes, 2);
    view->frame = bytes + UDP_BYTES;
    view->frame_bytes = udp_bytes - UDP_BYTES;
    return PACKET_FRAME;
}

/* More fragments, or not the first one: reassembly is not ours. */
static bool ipv4_is_fragment(const uint8_t *bytes)
{
    return (load_be16(bytes + 6) & 0x3FFF) != 0;
}

static enum packet_kind ipv4_parse(const uint8_t *bytes, uint32_t byte_count, const struct packet_end *own,
                                   struct packet_view *view)
{
    if (byte_count < IPV4_BYTES_MIN || bytes[0] >> 4 != 4) {
        return PACKET_NOT_OURS;
    }
    uint32_t head_bytes = (bytes[0] & 0x0Fu) * 4u;
    uint32_t total_bytes = load_be16(bytes + 2);
    if (head_bytes < IPV4_BYTES_MIN || total_bytes < head_bytes || total_bytes > byte_count) {
        return PACKET_NOT_OURS;
    }
    if (bytes[9] != UDP || read_ipv4(bytes + 16) != own->ipv4 || ipv4_is_fragment(bytes) ||
        packet_checksum(bytes, head_bytes) != 0) {
        return PACKET_NOT_OURS;
    }
    view->source.ipv4 = read_ipv4(bytes + 12);
    return udp_parse(bytes + head_bytes, total_bytes - head_bytes, own, view);
}

enum packet_kind packet_parse(const uint8_t *bytes, uint32_t byte_count, const struct packet_end *own,
                              struct packet_view *ret_view)
{
    uint32_t offset = ETHERNET_BYTES;
    if (byte_count < offset) {
        return PACKET_NOT_OURS;
    }
    uint16_t type = load_be16(bytes + 12);
    if (type == TYPE_VLAN && byte_count >= offset + PACKET_VLAN_BYTES) {
        type = load_be16(bytes + 16);
        offset += PACKET_VLAN_BYTES;
    }
    memcpy(ret_view->source.mac, bytes + 6, 6);
    if (type == TYPE_IPV4) {
        return ipv4_parse(bytes + offset, byte_count - offset, own, ret_view);
    }
    if (type == TYPE_ARP) {
        return arp_parse(bytes + offset, byte_count - offset, own, ret_view);
    }
    return PACKET_NOT_OURS;
}

void packet_write_heads(uint8_t *heads, const struct packet_end *from, const struct packet_end *to,
                        uint32_t frame_bytes)
{
    memcpy(heads, to->mac, 6);
    memcpy(heads + 6, from->mac, 6);
    store_be16(heads + 12, TYPE_IPV4);
    uint8_t *ipv4 = heads + ETHERNET_BYTES;
    memset(ipv4, 0, IPV4_BYTES_MIN + UDP_BYTES);
    ipv4[0] = 0x45;
    store_be16(ipv4 + 2, (uint16_t)(IPV4_BYTES_MIN + UDP_BYTES + frame_bytes));
    ipv4[6] = 0x40; /* do not fragment, so the identification may be 0: RFC 6864 4.1 */
    ipv4[8] = 64;
    ipv4[9] = UDP;
    memcpy(ipv4 + 12, &from->ipv4, 4);
    memcpy(ipv4 + 16, &to->ipv4, 4);
    store_be16(ipv4 + 10, packet_checksum(ipv4, IPV4_BYTES_MIN));
    uint8_t *udp = ipv4 + IPV4_BYTES_MIN;
    memcpy(udp, &from->udp_port, 2);
    memcpy(udp + 2, &to->udp_port, 2);
    store_be16(udp + 4, (uint16_t)(UDP_BYTES + frame_bytes));
}

static void arp_write(uint8_t *bytes, const uint8_t *destination, uint16_t operation,
                      const struct packet_end *from, const struct packet_end *to)
{
    memset(bytes, 0, PACKET_ARP_BYTES);
    memcpy(bytes, destination, 6);
    memcpy(bytes + 6, from->mac, 6);
    store_be16(bytes + 12, TYPE_ARP);
    uint8_t *arp = bytes + ETHERNET_BYTES;
    memcpy(arp, arp_ethernet_ipv4, 6);
    store_be16(arp + 6, operation);
    memcpy(arp + 8, from->mac, 6);
    memcpy(arp + 14, &from->ipv4, 4);
    memcpy(arp + 18, to->mac, 6);
    memcpy(arp + 24, &to->ipv4, 4);
}

void packet_write_arp_request(uint8_t *bytes, const struct packet_end *from, uint32_t ipv4)
{
    static const uint8_t everybody[6] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    struct packet_end to = {.ipv4 = ipv4};
    arp_write(bytes, everybody, ARP_OP_REQUEST, from, &to);
}

void packet_write_arp_reply(uint8_t *bytes, const struct packet_end *from, const struct packet_end *to)
{
    arp_write(bytes, to->mac, ARP_OP_REPLY, from, to);
}
