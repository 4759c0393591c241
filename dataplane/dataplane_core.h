/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the dataplane share among themselves; not for its users. */
#ifndef TALLY_DATAPLANE_CORE_H
#define TALLY_DATAPLANE_CORE_H

#include <stdatomic.h>

#include "dataplane.h"
#include "lcore.h"
#include "packet.h"
#include "shm_channel.h"
#include "spsc.h"

struct rte_ring;
struct rte_mempool;

#define LANE_COUNT 2 /* 0 control, 1 bulk */
#define BURST_MAX  32
#define ENDS_MAX   (CONSENSUS_CORES_MAX + 1) /* the last one in use is the control thread's */
#define PORTS_MAX  16
/* Added and removed once each before a core has looked. */
#define COMMANDS_MAX 256

/* Before the flat message in an mbuf's private area. */
struct frame_private {
    struct consensus_end *begun_by; /* keeps a place in a ring for it; NULL: received, or sent */
    uint64_t zero;
};

/* ---- ways: node id -> how to reach it; written by the control thread, read by every end ---- */

enum way_kind { WAY_NONE = 0, WAY_SHM = 1, WAY_ETHDEV = 2 };

/* One 64-bit word, so that it is whole whenever it is read. */
struct way {
    uint8_t kind;
    uint8_t core;
    uint16_t slot;       /* shm slot, or neighbour */
    uint32_t generation; /* of the shm slot */
};

struct way_row {
    _Atomic uint64_t node_id; /* 0: not in use; never changes afterwards */
    _Atomic uint64_t shm;
    _Atomic uint64_t ethdev;
};

/* ---- ports ---- */

struct neighbour {
    struct neighbour_options options;
    struct packet_end end; /* the MAC is known when mac_known */
    bool mac_known;
    bool mac_is_static;
    bool asked;
    uint64_t asked_ns; /* last ARP request: one a second at most */
};

struct ethdev_port {
    uint16_t port_id;
    uint8_t index;
    uint16_t tx_count;
    uint32_t frame_bytes_max;
    struct packet_end own;
    struct rte_mbuf *tx[BURST_MAX];
};

enum slot_state { SLOT_FREE, SLOT_OPEN, SLOT_CLOSING };

/* One shm connection. The control thread fills it and says so to the core that owns it (index % core_count);
 * only when that core has let it go is the memory unmapped. */
struct shm_slot {
    struct shm_channel channel;
    uint16_t index;
    uint8_t core;
    enum slot_state state; /* the control thread's view */
    uint64_t node_id;
    _Atomic uint32_t generation; /* of the open connection; 0: none. Read by ends */
    _Atomic uint32_t released;   /* set by the core: it no longer touches the channel */
    uint32_t next_generation;
    uint32_t used_generation; /* the core's: the connection it uses; 0: none */
};

struct slot_command {
    uint16_t slot;
    uint16_t add; /* 1: use it, 0: let it go */
};

/* ---- cores and ends ---- */

struct dataplane_core {
    struct dataplane *dataplane;
    unsigned index;
    struct rte_mempool *pool;
    struct lcore *lcore; /* NULL: polled by hand */
    void *codec_context;
    uint64_t sequence;
    struct ethdev_port *ports[PORTS_MAX];
    unsigned port_count;
    struct shm_slot *slots[DATAPLANE_CHANNELS_MAX];
    unsigned slot_count;
    unsigned next_slot; /* who is served first changes from turn to turn */
    unsigned next_end;
    unsigned ends_rung; /* bit per end that got something this turn */
    struct spsc commands;
    struct rte_ring *to_end[ENDS_MAX][LANE_COUNT];
    struct rte_ring *from_end[ENDS_MAX][LANE_COUNT];
    _Alignas(64) struct dataplane_counters counters;
};

struct consensus_end {
    struct dataplane *dataplane;
    unsigned index;
    struct rte_mempool *pool;
    struct lcore *lcore;
    unsigned next_core;
    uint32_t begun[DATAPLANE_CORES_MAX][LANE_COUNT]; /* places kept for begun frames */
};

struct dataplane {
    struct dataplane_options options;
    struct frame_codec_port codec;
    uint32_t frame_bytes_max; /* that any way carries */
    uint32_t tail_offset;     /* of a frame to send, from the mbuf's buffer address */
    uint32_t data_room_bytes;
    unsigned end_count;
    struct dataplane_core cores[DATAPLANE_CORES_MAX];
    struct consensus_end ends[ENDS_MAX];
    struct ethdev_port ports[PORTS_MAX];
    struct neighbour neighbours[NODES_MAX];
    struct way_row ways[NODES_MAX];
    struct shm_slot slots[DATAPLANE_CHANNELS_MAX];
    int epoll_fd;
    int listen_fd;
    int control_event_fd;
    _Atomic uint32_t control_rung; /* the eventfd was written since dataplane_control has looked */
    uint64_t slow_turn_ns;         /* when peers were called and losses collected last */
};

static inline void counter_add(uint64_t *counter, uint64_t count)
{
    __atomic_store_n(counter, *counter + count, __ATOMIC_RELAXED);
}

/* dataplane.c */
/* Decodes the frame at `bytes` inside the mbuf and pushes it to its end, or drops it with its verdict. False:
 * the ring to its end is full; nothing has happened and the mbuf is still the caller's. */
bool core_take_frame(struct dataplane_core *core, struct rte_mbuf *mbuf, const uint8_t *bytes,
                     uint32_t byte_count, const struct frame_channel *channel);

/* ethdev_port.c */
int ethdev_port_start(struct dataplane *dataplane, unsigned index, char *error_text);
void ethdev_port_stop(struct ethdev_port *port);
unsigned ethdev_port_receive(struct dataplane_core *core, struct ethdev_port *port, unsigned budget);
/* Queues `frame` (inside the descriptor's mbuf); takes the mbuf. */
void ethdev_port_send(struct dataplane_core *core, struct frame_descriptor *descriptor, uint8_t *frame,
                      uint32_t frame_bytes);
/* Packets the device has lost so far before we could see them. Control thread. */
uint64_t ethdev_port_lost(const struct ethdev_port *port);
void ethdev_port_flush(struct dataplane_core *core, struct ethdev_port *port);

/* shm_slots.c: the core's side */
/* A new connection is work: the core must not fall asleep before it has told it so. */
unsigned shm_slots_take_commands(struct dataplane_core *core);
unsigned shm_slots_receive(struct dataplane_core *core, enum shm_lane lane, unsigned budget);
void shm_slots_send(struct dataplane_core *core, struct frame_descriptor *descriptor, const uint8_t *frame,
                    uint32_t frame_bytes);
void shm_slots_set_sleeping(void *core, bool sleeping);

/* dataplane_control.c: the control thread's side */
int shm_slots_start(struct dataplane *dataplane, char *error_text);
void shm_slots_stop(struct dataplane *dataplane);

/* Frames wait at the control thread's end: dataplane_control_fd becomes readable. */
void control_thread_ring(struct dataplane *dataplane);

/* way.c */
struct way way_find(struct dataplane *dataplane, uint64_t node_id);
/* False: NODES_MAX nodes are known already. */
bool way_set(struct dataplane *dataplane, uint64_t node_id, struct way way);
/* Forgets the shm way of a node if it still is this one. */
void way_clear_shm(struct dataplane *dataplane, uint64_t node_id, struct way way);

#endif
