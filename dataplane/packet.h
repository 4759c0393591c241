/* SPDX-License-Identifier: Apache-2.0 */
/* Ethernet, IPv4, UDP and ARP as bytes: pure functions, total on any input. RFC 791, 768, 826; IEEE 802.1Q.
 */
#ifndef TALLY_PACKET_H
#define TALLY_PACKET_H

#include <stdint.h>

#define PACKET_HEADS_BYTES 42 /* Ethernet 14, IPv4 20, UDP 8 */
#define PACKET_VLAN_BYTES  4
#define PACKET_ARP_BYTES   60 /* the shortest Ethernet frame without its checksum */

enum packet_kind {
    PACKET_FRAME,       /* UDP to us */
    PACKET_ARP_REQUEST, /* somebody asks for our address */
    PACKET_ARP_REPLY,   /* somebody tells us, or everybody, his */
    PACKET_NOT_OURS /* anything else: other protocols and addresses, fragments, bad lengths or checksums */
};

struct packet_end {
    uint32_t ipv4;     /* network order */
    uint16_t udp_port; /* network order */
    uint8_t mac[6];
};

struct packet_view {
    struct packet_end source;
    const uint8_t *frame;
    uint32_t frame_bytes;
};

/* Judges a packet that reached the end `own` (its MAC is not looked at: a promiscuous port sees others'
 * packets, and the address decides). The lengths of IP and UDP count, not that of the packet, which may be
 * padded. */
enum packet_kind packet_parse(const uint8_t *bytes, uint32_t byte_count, const struct packet_end *own,
                              struct packet_view *ret_view);

/* Writes the 42 bytes of heads that stand before a frame of `frame_bytes`. The UDP checksum is 0 (none: RFC
 * 768); frames have their own. */
void packet_write_heads(uint8_t *heads, const struct packet_end *from, const struct packet_end *to,
                        uint32_t frame_bytes);

/* Writes PACKET_ARP_BYTES: to everybody, who has `ipv4`? And to him who asked: we have ours. */
void packet_write_arp_request(uint8_t *bytes, const struct packet_end *from, uint32_t ipv4);
void packet_write_arp_reply(uint8_t *bytes, const struct packet_end *from, const struct packet_end *to);

/* RFC 1071 over an IPv4 head of `byte_count` bytes, as it is written into the head; 0 over a correct one. */
uint16_t packet_checksum(const uint8_t *head, uint32_t byte_count);

#endif
