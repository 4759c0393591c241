/* SPDX-License-Identifier: Apache-2.0 */
/* One receive and one transmit queue of any DPDK device, polled by one core. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_ethdev.h>

#include "check.h"
#include "dataplane_core.h"
#include "frame_buffer.h"

#define ARP_EVERY_NS     1000000000u
#define DESCRIPTORS_MAX  512
#define IPV4_UDP_BYTES   28
#define ERROR_TEXT_BYTES 256

/* ---- start ---- */

static int port_fail(char *error_text, const char *device, const char *what, int error)
{
    snprintf(error_text, ERROR_TEXT_BYTES, "device %s: %s: %s", device, what,
             strerror(error < 0 ? -error : error));
    return error < 0 ? error : -error;
}

static int port_configure(uint16_t port_id, const struct ethdev_options *options,
                          struct rte_eth_dev_info *info, char *error_text)
{
    int error = rte_eth_dev_info_get(port_id, info);
    if (error != 0) {
        return port_fail(error_text, options->device, "no information", error);
    }
    if (options->mtu > info->max_mtu) {
        snprintf(error_text, ERROR_TEXT_BYTES, "device %s: carries packets of at most %u bytes, mtu is %u",
                 options->device, info->max_mtu, options->mtu);
        return -EINVAL;
    }
    struct rte_eth_conf configuration = {.rxmode.mtu = options->mtu};
    error = rte_eth_dev_configure(port_id, 1, 1, &configuration);
    return error == 0 ? 0 : port_fail(error_text, options->device, "configure", error);
}

/* A receive ring of buffers must leave most of the pool to frames on their way. */
static uint16_t descriptors_wanted(const struct dataplane *dataplane)
{
    unsigned quarter = dataplane->options.mbuf_count / 4;
    return (uint16_t)(quarter < DESCRIPTORS_MAX ? quarter : DESCRIPTORS_MAX);
}

static int port_queues(const struct dataplane *dataplane, uint16_t port_id,
                       const struct ethdev_options *options, char *error_text)
{
    uint16_t receive_count = descriptors_wanted(dataplane);
    uint16_t send_count = receive_count;
    int error = rte_eth_dev_adjust_nb_rx_tx_desc(port_id, &receive_count, &send_count);
    if (error != 0 && error != -ENOTSUP) {
        return port_fail(error_text, options->device, "descriptors", error);
    }
    unsigned socket = (unsigned)rte_eth_dev_socket_id(port_id);
    error =
        rte_eth_rx_queue_setup(port_id, 0, receive_count, socket, NULL, dataplane->cores[options->core].pool);
    if (error != 0) {
        return port_fail(error_text, options->device, "receive queue", error);
    }
    error = rte_eth_tx_queue_setup(port_id, 0, send_count, socket, NULL);
    return error == 0 ? 0 : port_fail(error_text, options->device, "send queue", error);
}

int ethdev_port_start(struct dataplane *dataplane, unsigned index, char *error_text)
{
    const struct ethdev_options *options = &dataplane->options.ethdevs[index];
    struct ethdev_port *port = &dataplane->ports[index];
    struct rte_eth_dev_info info;
    if (rte_eth_dev_get_port_by_name(options->device, &port->port_id) != 0) {
        snprintf(error_text, ERROR_TEXT_BYTES, "device %.48s did not come up: %s", options->device,
                 eal_complaint(options->device));
        return -ENODEV;
    }
    int error = port_configure(port->port_id, options, &info, error_text);
    if (error == 0) {
        error = port_queues(dataplane, port->port_id, options, error_text);
    }
    if (error != 0) {
        return error;
    }
    /* Not every device can: the one below it may be right already. */
    rte_eth_dev_set_mtu(port->port_id, options->mtu);
    error = rte_eth_dev_start(port->port_id);
    if (error != 0) {
        return port_fail(error_text, options->device, "start", error);
    }
    rte_eth_promiscuous_enable(port->port_id);
    struct rte_ether_addr mac = {0};
    rte_eth_macaddr_get(port->port_id, &mac);
    memcpy(port->own.mac, mac.addr_bytes, sizeof(port->own.mac));
    port->own.ipv4 = options->ipv4;
    port->own.udp_port = htons(options->udp_port);
    port->index = (uint8_t)index;
    port->frame_bytes_max = (uint32_t)options->mtu - IPV4_UDP_BYTES;
    if (port->frame_bytes_max > FRAME_BYTES_MAX) {
        port->frame_bytes_max = FRAME_BYTES_MAX;
    }
    struct dataplane_core *core = &dataplane->cores[options->core];
    core->ports[core->port_count++] = port;
    return 0;
}

void ethdev_port_stop(struct ethdev_port *port)
{
    rte_eth_dev_stop(port->port_id);
    rte_eth_dev_close(port->port_id);
}

uint64_t ethdev_port_lost(const struct ethdev_port *port)
{
    struct rte_eth_stats stats = {0};
    return rte_eth_stats_get(port->port_id, &stats) == 0 ? stats.imissed + stats.rx_nombuf : 0;
}

/* ---- sending ---- */

void ethdev_port_flush(struct dataplane_core *core, struct ethdev_port *port)
{
    if (port->tx_count == 0) {
        return;
    }
    uint64_t bytes = 0;
    for (uint16_t i = 0; i < port->tx_count; i++) {
        bytes += port->tx[i]->pkt_len;
    }
    uint16_t accepted = rte_eth_tx_burst(port->port_id, 0, port->tx, port->tx_count);
    for (uint16_t i = accepted; i < port->tx_count; i++) {
        bytes -= port->tx[i]->pkt_len;
        frame_buffer_give(port->tx[i]);
    }
    counter_add(&core->counters.sent_frames, accepted);
    counter_add(&core->counters.sent_bytes, bytes);
    counter_add(&core->counters.dropped_port_full, (uint64_t)(port->tx_count - accepted));
    port->tx_count = 0;
}

static void port_queue(struct dataplane_core *core, struct ethdev_port *port, struct rte_mbuf *mbuf)
{
    port->tx[port->tx_count++] = mbuf;
    if (port->tx_count == BURST_MAX) {
        ethdev_port_flush(core, port);
    }
}

static void neighbour_ask(struct dataplane_core *core, struct ethdev_port *port, struct neighbour *neighbour)
{
    uint64_t now_ns = lcore_now_ns();
    if (neighbour->asked && now_ns - neighbour->asked_ns < ARP_EVERY_NS) {
        return;
    }
    struct rte_mbuf *mbuf = frame_buffer_take(core->pool);
    if (mbuf == NULL) {
        return;
    }
    neighbour->asked = true;
    neighbour->asked_ns = now_ns;
    uint8_t *bytes = (uint8_t *)rte_pktmbuf_append(mbuf, PACKET_ARP_BYTES);
    packet_write_arp_request(bytes, &port->own, neighbour->end.ipv4);
    port_queue(core, port, mbuf);
}

/* Where the frame goes; false: not known yet, and asked for. */
static bool destination_find(struct dataplane_core *core, struct ethdev_port *port,
                             const struct frame_channel *channel, struct packet_end *ret_end)
{
    if (channel->ipv4 != 0) {
        *ret_end = (struct packet_end){.ipv4 = channel->ipv4, .udp_port = channel->udp_port};
        memcpy(ret_end->mac, channel->mac, sizeof(ret_end->mac));
        return true;
    }
    struct neighbour *neighbour = &core->dataplane->neighbours[channel->slot];
    if (!neighbour->mac_known) {
        neighbour_ask(core, port, neighbour);
        return false;
    }
    *ret_end = neighbour->end;
    return true;
}

void ethdev_port_send(struct dataplane_core *core, struct frame_descriptor *descriptor, uint8_t *frame,
                      uint32_t frame_bytes)
{
    struct ethdev_port *port = &core->dataplane->ports[descriptor->channel.port];
    struct rte_mbuf *mbuf = descriptor->mbuf;
    struct packet_end to;
    uint64_t *drop = NULL;
    if (frame_bytes > port->frame_bytes_max) {
        drop = &core->counters.dropped_too_large;
    } else if (!destination_find(core, port, &descriptor->channel, &to)) {
        drop = &core->counters.dropped_no_way;
    }
    if (drop != NULL) {
        counter_add(drop, 1);
        frame_buffer_give(mbuf);
        return;
    }
    uint8_t *heads = frame - PACKET_HEADS_BYTES;
    packet_write_heads(heads, &port->own, &to, frame_bytes);
    mbuf->data_off = (uint16_t)(heads - (uint8_t *)mbuf->buf_addr);
    mbuf->data_len = (uint16_t)(PACKET_HEADS_BYTES + frame_bytes);
    mbuf->pkt_len = mbuf->data_len;
    port_queue(core, port, mbuf);
}

/* ---- receiving ---- */

/* A neighbour that asks or answers tells its MAC. */
static void neighbour_learn(struct dataplane_core *core, const struct ethdev_port *port,
                            const struct packet_end *source)
{
    for (unsigned i = 0; i < core->dataplane->options.neighbour_count; i++) {
        struct neighbour *neighbour = &core->dataplane->neighbours[i];
        if (neighbour->options.port == port->index && neighbour->end.ipv4 == source->ipv4 &&
            !neighbour->mac_is_static) {
            memcpy(neighbour->end.mac, source->mac, sizeof(neighbour->end.mac));
            neighbour->mac_known = true;
            counter_add(&core->counters.arp_replies, 1);
        }
    }
}

/* The request's buffer carries the reply. */
static void arp_answer(struct dataplane_core *core, struct ethdev_port *port, struct rte_mbuf *mbuf,
                       const struct packet_end *to)
{
    rte_pktmbuf_reset(mbuf);
    uint8_t *bytes = (uint8_t *)rte_pktmbuf_append(mbuf, PACKET_ARP_BYTES);
    packet_write_arp_reply(bytes, &port->own, to);
    counter_add(&core->counters.arp_requests, 1);
    port_queue(core, port, mbuf);
}

static void frame_receive(struct dataplane_core *core, const struct ethdev_port *port, struct rte_mbuf *mbuf,
                          const struct packet_view *view)
{
    struct frame_channel channel = {
        .core = (uint8_t)core->index,
        .port = port->index,
        .ipv4 = view->source.ipv4,
        .udp_port = view->source.udp_port,
    };
    memcpy(channel.mac, view->source.mac, sizeof(channel.mac));
    if (!core_take_frame(core, mbuf, view->frame, view->frame_bytes, &channel)) {
        counter_add(&core->counters.dropped_ring_full, 1);
        frame_buffer_give(mbuf);
    }
}

static void packet_receive(struct dataplane_core *core, struct ethdev_port *port, struct rte_mbuf *mbuf)
{
    struct packet_view view;
    enum packet_kind kind = mbuf->nb_segs == 1 ? packet_parse(rte_pktmbuf_mtod(mbuf, uint8_t *),
                                                              mbuf->data_len, &port->own, &view)
                                               : PACKET_NOT_OURS;
    switch (kind) {
    case PACKET_FRAME:
        frame_receive(core, port, mbuf, &view);
        return;
    case PACKET_ARP_REQUEST:
        neighbour_learn(core, port, &view.source);
        arp_answer(core, port, mbuf, &view.source);
        return;
    case PACKET_ARP_REPLY:
        neighbour_learn(core, port, &view.source);
        frame_buffer_give(mbuf);
        return;
    case PACKET_NOT_OURS:
        counter_add(&core->counters.not_ours, 1);
        frame_buffer_give(mbuf);
        return;
    }
}

unsigned ethdev_port_receive(struct dataplane_core *core, struct ethdev_port *port, unsigned budget)
{
    struct rte_mbuf *burst[BURST_MAX];
    uint16_t count =
        rte_eth_rx_burst(port->port_id, 0, burst, (uint16_t)(budget < BURST_MAX ? budget : BURST_MAX));
    for (uint16_t i = 0; i < count; i++) {
        if (i + 1 < count) {
            rte_prefetch0(rte_pktmbuf_mtod(burst[i + 1], void *));
        }
        packet_receive(core, port, burst[i]);
    }
    return count;
}
