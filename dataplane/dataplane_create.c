/* SPDX-License-Identifier: Apache-2.0 */
/* Everything the dataplane will ever have: pools, rings, ports, the socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "check.h"
#include "dataplane_core.h"

#define ERROR_TEXT_BYTES 256
/* Heads, a VLAN tag, and up to a cache line, before what the codec writes. */
#define SEND_HEAD_BYTES 64
#define LINE_BYTES      64
/* What devices take at least for a packet. */
#define RECEIVE_BYTES_MIN 2048
#define POOL_CACHE_COUNT  64
#define RING_COUNT_MIN    64
#define RING_COUNT_MAX    2048

_Static_assert(SEND_HEAD_BYTES >= PACKET_HEADS_BYTES + PACKET_VLAN_BYTES, "heads fit before a frame");
_Static_assert(sizeof(struct frame_private) % 8 == 0, "the message behind it is aligned");

static uint32_t round_up(uint32_t value, uint32_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static void sizes_decide(struct dataplane *dataplane)
{
    const struct dataplane_options *options = &dataplane->options;
    bool large = options->shm_path != NULL || options->shm_peer_count > 0;
    for (unsigned i = 0; i < options->ethdev_count; i++) {
        large = large || options->ethdevs[i].mtu > 1500;
    }
    dataplane->frame_bytes_max = large ? FRAME_BYTES_MAX : FRAME_BYTES_MAX_1500;
    dataplane->tail_offset = round_up(SEND_HEAD_BYTES + options->codec.head_bytes_max, LINE_BYTES);
    uint32_t receive_bytes = dataplane->frame_bytes_max + PACKET_HEADS_BYTES + PACKET_VLAN_BYTES;
    if (receive_bytes < RECEIVE_BYTES_MIN) {
        receive_bytes = RECEIVE_BYTES_MIN;
    }
    uint32_t send_bytes = dataplane->tail_offset + dataplane->frame_bytes_max;
    receive_bytes += RTE_PKTMBUF_HEADROOM;
    dataplane->data_room_bytes =
        round_up(receive_bytes > send_bytes ? receive_bytes : send_bytes, LINE_BYTES);
}

static int no_memory(char *error_text, const char *what)
{
    int error = rte_errno != 0 ? -rte_errno : -ENOMEM;
    snprintf(error_text, ERROR_TEXT_BYTES, "no memory for %s (%s): give DPDK more, or fewer buffers", what,
             strerror(-error));
    return error;
}

/* ring_mt_rts: other multi-thread rings wait for a thread that was taken off its CPU in the middle of an
 * operation. */
static struct rte_mempool *pool_create(const struct dataplane *dataplane, const char *kind, unsigned index)
{
    char name[RTE_MEMPOOL_NAMESIZE];
    snprintf(name, sizeof(name), "tally_%s_%u", kind, index);
    unsigned count = dataplane->options.mbuf_count;
    uint32_t private_bytes =
        round_up((uint32_t)sizeof(struct frame_private) + dataplane->codec.private_bytes, 8);
    return rte_pktmbuf_pool_create_by_ops(name, count, count >= 16 * POOL_CACHE_COUNT ? POOL_CACHE_COUNT : 0,
                                          (uint16_t)private_bytes, (uint16_t)dataplane->data_room_bytes,
                                          SOCKET_ID_ANY, "ring_mt_rts");
}

/* Full rings of all ends together hold at most half of a receive pool, bulk and control alike, so that a
 * consensus core that has stopped cannot take the buffers of another one's heartbeats. */
static unsigned ring_count(const struct dataplane *dataplane)
{
    unsigned count = RING_COUNT_MIN;
    unsigned limit = dataplane->options.mbuf_count / (2 * LANE_COUNT * dataplane->end_count);
    while (count * 2 <= limit && count < RING_COUNT_MAX) {
        count *= 2;
    }
    return count;
}

static struct rte_ring *ring_create(const struct dataplane *dataplane, const char *kind, unsigned core,
                                    unsigned end, unsigned lane)
{
    char name[RTE_RING_NAMESIZE];
    snprintf(name, sizeof(name), "tally_%s_%u_%u_%u", kind, core, end, lane);
    return rte_ring_create_elem(name, sizeof(struct frame_descriptor), ring_count(dataplane), SOCKET_ID_ANY,
                                RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static int core_rings_create(struct dataplane_core *core, char *error_text)
{
    for (unsigned end = 0; end < core->dataplane->end_count; end++) {
        for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
            core->to_end[end][lane] = ring_create(core->dataplane, "in", core->index, end, lane);
            core->from_end[end][lane] = ring_create(core->dataplane, "out", core->index, end, lane);
            if (core->to_end[end][lane] == NULL || core->from_end[end][lane] == NULL) {
                return no_memory(error_text, "rings between cores");
            }
        }
    }
    return 0;
}

static int cores_create(struct dataplane *dataplane, struct arena *arena, char *error_text)
{
    for (unsigned i = 0; i < dataplane->options.core_count; i++) {
        struct dataplane_core *core = &dataplane->cores[i];
        core->dataplane = dataplane;
        core->index = i;
        core->codec_context = dataplane->options.codec_contexts[i];
        spsc_init(&core->commands, ARENA_ARRAY(arena, struct slot_command, COMMANDS_MAX), COMMANDS_MAX,
                  sizeof(struct slot_command));
        core->pool = pool_create(dataplane, "receive", i);
        if (core->pool == NULL) {
            return no_memory(error_text, "received frames");
        }
        int error = core_rings_create(core, error_text);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

static int ends_create(struct dataplane *dataplane, char *error_text)
{
    for (unsigned i = 0; i < dataplane->end_count; i++) {
        struct consensus_end *end = &dataplane->ends[i];
        end->dataplane = dataplane;
        end->index = i;
        end->pool = pool_create(dataplane, "send", i);
        if (end->pool == NULL) {
            return no_memory(error_text, "frames to send");
        }
    }
    return 0;
}

static void neighbours_init(struct dataplane *dataplane)
{
    static const uint8_t mac_none[6];
    for (unsigned i = 0; i < dataplane->options.neighbour_count; i++) {
        struct neighbour *neighbour = &dataplane->neighbours[i];
        neighbour->options = dataplane->options.neighbours[i];
        neighbour->end.ipv4 = neighbour->options.ipv4;
        neighbour->end.udp_port = htons(neighbour->options.udp_port);
        memcpy(neighbour->end.mac, neighbour->options.mac, sizeof(neighbour->end.mac));
        neighbour->mac_is_static = memcmp(neighbour->options.mac, mac_none, sizeof(mac_none)) != 0;
        neighbour->mac_known = neighbour->mac_is_static;
        if (neighbour->options.node_id != 0) {
            struct way way = {
                .kind = WAY_ETHDEV,
                .core = (uint8_t)dataplane->options.ethdevs[neighbour->options.port].core,
                .slot = (uint16_t)i,
            };
            bool known = way_set(dataplane, neighbour->options.node_id, way);
            ASSERT(known);
        }
    }
}

static int ports_start(struct dataplane *dataplane, char *error_text)
{
    int error = 0;
    for (unsigned i = 0; i < dataplane->options.ethdev_count && error == 0; i++) {
        error = ethdev_port_start(dataplane, i, error_text);
    }
    return error;
}

/* What the configuration lets a user get wrong; the rest of the options is the node's own work. */
static int options_check(const struct dataplane_options *options, char *error_text)
{
    ASSERT(options->core_count >= 1);
    ASSERT(options->core_count <= DATAPLANE_CORES_MAX);
    ASSERT(options->consensus_count >= 1);
    ASSERT(options->consensus_count <= CONSENSUS_CORES_MAX);
    ASSERT(options->codec.verdict_count <= DATAPLANE_VERDICTS_MAX);
    const char *problem = NULL;
    if (options->mbuf_count < DATAPLANE_MBUFS_MIN) {
        problem = "too few buffers";
    } else if (options->ethdev_count > PORTS_MAX) {
        problem = "too many devices";
    } else if (options->neighbour_count > NODES_MAX) {
        problem = "too many neighbours";
    }
    for (unsigned i = 0; i < options->ethdev_count && problem == NULL; i++) {
        problem =
            options->ethdevs[i].core >= options->core_count ? "a device on a core that is not there" : NULL;
    }
    for (unsigned i = 0; i < options->neighbour_count && problem == NULL; i++) {
        problem = options->neighbours[i].port >= options->ethdev_count ? "a neighbour on no device" : NULL;
    }
    if (problem != NULL) {
        snprintf(error_text, ERROR_TEXT_BYTES, "dataplane: %s", problem);
        return -EINVAL;
    }
    return 0;
}

int dataplane_create(struct arena *arena, const struct dataplane_options *options,
                     struct dataplane **ret_dataplane, char *error_text)
{
    int error = options_check(options, error_text);
    if (error != 0) {
        return error;
    }
    struct dataplane *dataplane = ARENA_NEW(arena, struct dataplane);
    dataplane->options = *options;
    dataplane->codec = options->codec;
    dataplane->end_count = options->consensus_count + 1;
    sizes_decide(dataplane);
    neighbours_init(dataplane);
    error = cores_create(dataplane, arena, error_text);
    if (error == 0) {
        error = ends_create(dataplane, error_text);
    }
    if (error == 0) {
        error = ports_start(dataplane, error_text);
    }
    if (error == 0) {
        error = shm_slots_start(dataplane, error_text);
    }
    if (error == 0) {
        *ret_dataplane = dataplane;
    }
    return error;
}

static void ring_free_all(struct rte_ring *ring)
{
    struct frame_descriptor descriptor;
    while (rte_ring_dequeue_elem(ring, &descriptor, sizeof(descriptor)) == 0) {
        rte_pktmbuf_free(descriptor.mbuf);
    }
    rte_ring_free(ring);
}

void dataplane_fini(struct dataplane *dataplane)
{
    shm_slots_stop(dataplane);
    for (unsigned i = 0; i < dataplane->options.core_count; i++) {
        for (unsigned end = 0; end < dataplane->end_count; end++) {
            for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
                ring_free_all(dataplane->cores[i].to_end[end][lane]);
                ring_free_all(dataplane->cores[i].from_end[end][lane]);
            }
        }
    }
    for (unsigned i = 0; i < dataplane->options.ethdev_count; i++) {
        ethdev_port_stop(&dataplane->ports[i]);
    }
    for (unsigned i = 0; i < dataplane->options.core_count; i++) {
        rte_mempool_free(dataplane->cores[i].pool);
    }
    for (unsigned i = 0; i < dataplane->end_count; i++) {
        rte_mempool_free(dataplane->ends[i].pool);
    }
}

void dataplane_set_core_lcore(struct dataplane *dataplane, unsigned core, struct lcore *lcore)
{
    ASSERT(dataplane->cores[core].slot_count == 0);
    dataplane->cores[core].lcore = lcore;
    lcore_on_sleep(lcore, shm_slots_set_sleeping, &dataplane->cores[core]);
}

void dataplane_set_consensus_lcore(struct dataplane *dataplane, unsigned consensus_core, struct lcore *lcore)
{
    ASSERT(consensus_core < dataplane->options.consensus_count);
    dataplane->ends[consensus_core].lcore = lcore;
}
