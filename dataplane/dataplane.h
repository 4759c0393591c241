/* SPDX-License-Identifier: Apache-2.0 */
/* The dataplane: polling cores that own ports, and the rings between them and the consensus cores. It opens,
 * checks, orders and queues frames and knows nothing of what they mean: a codec given by the node turns bytes
 * into messages and back.
 *
 * Threads: dataplane_create, _attach_*, _fini and the shm part of dataplane_control belong to the control
 * thread; dataplane_core_poll to that core; the consensus_end_* functions to the consensus core that owns the
 * end. */
#ifndef TALLY_DATAPLANE_H
#define TALLY_DATAPLANE_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "bounds.h"
#include "dataplane_counters.h"

struct rte_mbuf;
struct dataplane;
struct consensus_end;

#define DATAPLANE_PORT_SHM     0xFF
#define DATAPLANE_CHANNELS_MAX 64 /* shm connections: nodes and clients of this host; more are told so */

/* Where a frame came from, so that an answer finds the way back; opaque but to the dataplane. All zero:
 * nowhere. */
struct frame_channel {
    uint8_t core;
    uint8_t port;  /* index into ethdevs, or DATAPLANE_PORT_SHM */
    uint16_t slot; /* shm: which connection; ethdev with ipv4 0: which neighbour */
    uint32_t generation;
    uint32_t ipv4;     /* ethdev: of the other end, network order */
    uint16_t udp_port; /* network order */
    uint8_t mac[6];
};

/* What passes between cores: 64 bytes, whole by value. The mbuf's private area holds the flat message. */
struct frame_descriptor {
    struct rte_mbuf *mbuf;
    uint8_t *tail; /* inside the mbuf */
    uint32_t tail_bytes;
    uint8_t lane; /* 0 control, 1 bulk */
    uint8_t zero[3];
    uint64_t node_id;    /* in: the sender's, 0 a client; out: the receiver's, 0: use `channel` */
    uint64_t arrival_ns; /* in: wall clock */
    struct frame_channel channel;
};

_Static_assert(sizeof(struct frame_channel) == 20, "fits the descriptor");
_Static_assert(sizeof(struct frame_descriptor) == 64, "one cache line");

/* Given by the node; encode writes what stands before the tail and returns where the frame begins. `message`
 * points to private_bytes of an mbuf. One codec object per dataplane core. */
struct frame_codec_port {
    uint32_t private_bytes;  /* of an mbuf's private area: sizeof(struct message) */
    uint32_t head_bytes_max; /* room that encode needs before the tail */
    /* Judges the bytes of a frame. 0 and *ret_message, tail, lane, node id and the consensus core it goes to
     * (CONSENSUS_CORES_MAX or more: to the control thread); else a verdict number below verdict_count. */
    unsigned (*decode)(void *context, const uint8_t *bytes, uint32_t byte_count, void *ret_message,
                       const uint8_t **ret_tail, uint32_t *ret_tail_bytes, uint8_t *ret_lane,
                       uint64_t *ret_node_id, unsigned *ret_consensus_core);
    uint8_t *(*encode)(void *context, const void *message, uint64_t sequence, uint8_t *tail,
                       uint32_t tail_bytes);
    unsigned verdict_count; /* at most DATAPLANE_VERDICTS_MAX */
    const char *(*verdict_name)(unsigned verdict);
};

enum poll_profile { POLL_SPIN = 1, POLL_ADAPTIVE = 2, POLL_SHARED = 3 };

/* One polling thread and the CPU it runs on. Several may name one CPU, unless one of them spins. */
struct lcore_options {
    unsigned cpu;
    enum poll_profile profile;
};

struct eal_options {
    const char *name; /* file prefix: one per process */
    unsigned memory_mib;
    bool huge_pages;            /* anonymous ones, no hugetlbfs; false: --no-huge, works without root */
    const char *runtime_dir;    /* EAL's run-time directory, made when missing */
    const char *const *devices; /* PCI addresses (-a) or virtual devices (--vdev), each with its options */
    unsigned device_count;
    /* EAL lcore i + 1 runs on lcores[i].cpu; lcore 0 is the calling thread, which keeps all its CPUs. */
    const struct lcore_options *lcores;
    unsigned lcore_count;
};

/* Starts EAL. 0 or -errno; `error_text` (256 bytes) has one line with the remedy: no huge pages, no such
 * device, ... */
int eal_start(const struct eal_options *options, char *error_text);
void eal_stop(void);
/* The first line that names `about` (if none does, the first) of what EAL and its drivers said at the last
 * start: EAL goes on without a device that it cannot probe, and that line is all there is to know. Valid
 * until the next call. */
const char *eal_complaint(const char *about);

struct ethdev_options {
    const char *device; /* DPDK device name as EAL knows it */
    uint32_t ipv4;      /* own, network order */
    uint16_t udp_port;  /* own, host order */
    uint16_t mtu;       /* 1500 or 9000 */
    unsigned core;      /* dataplane core that owns it */
};

struct neighbour_options {
    uint64_t node_id;  /* 0: only ARP */
    uint32_t ipv4;     /* network order */
    uint16_t udp_port; /* host order */
    uint8_t mac[6];    /* all zero: by ARP */
    uint8_t port;      /* index into ethdevs */
};

struct dataplane_options {
    uint64_t cluster_id;
    uint64_t node_id;
    unsigned core_count;      /* dataplane cores, 1 .. DATAPLANE_CORES_MAX */
    unsigned consensus_count; /* consensus cores, 1 .. CONSENSUS_CORES_MAX */
    unsigned mbuf_count; /* per pool: one receive pool a dataplane core, one send pool a consensus core and
                            one for the control thread; at least DATAPLANE_MBUFS_MIN. A buffer of 9,000-byte
                            packets or of shm is 9.4 KiB, of 1,500-byte ones 2.4 KiB. Half of a pool fills the
                            rings of all ends, so a ring between two cores has mbuf_count / (4 x
                            (consensus_count + 1)) places, 64 to 2,048. */
    const struct ethdev_options *ethdevs;
    unsigned ethdev_count;
    const struct neighbour_options *neighbours;
    unsigned neighbour_count;
    const char *shm_path;              /* listen here for nodes and clients of this host; NULL: no shm */
    const char *const *shm_peer_paths; /* connect to these nodes (those with a lower id than ours) ... */
    const uint64_t *shm_peer_ids;
    unsigned shm_peer_count;
    struct frame_codec_port codec;
    void *codec_contexts[DATAPLANE_CORES_MAX];
};

#define DATAPLANE_MBUFS_MIN 256

/* Makes pools and rings, starts the ports, listens. EAL runs. 0 or -errno with one line in `error_text` (256
 * bytes); after a failure the process ends (what DPDK holds is not given back). */
int dataplane_create(struct arena *arena, const struct dataplane_options *options,
                     struct dataplane **ret_dataplane, char *error_text);
/* Stops the ports, closes all channels, frees pools and rings; no thread polls any more, no frame is held. */
void dataplane_fini(struct dataplane *dataplane);

/* One turn of dataplane core `core`: receive, answer ARP, hand over; send what consensus cores queued. Work
 * done. */
unsigned dataplane_core_poll(struct dataplane *dataplane, unsigned core, unsigned budget);

/* The control thread's turn: accepts and connects shm channels, drops dead ones, unmaps what cores no longer
 * use. Call it, and then look at dataplane_control_end, when dataplane_control_fd (an epoll fd) is readable
 * and at least every 100 ms. Blocks at most 100 ms on a silent peer. Work done. */
unsigned dataplane_control(struct dataplane *dataplane);
int dataplane_control_fd(const struct dataplane *dataplane);

/* ---- the consensus core's end ---- */

struct consensus_end *dataplane_consensus_end(struct dataplane *dataplane, unsigned consensus_core);

/* Takes up to `max` descriptors of a lane. The caller gives each mbuf back with frame_give within its turn.
 */
unsigned consensus_end_receive(struct consensus_end *end, unsigned lane,
                               struct frame_descriptor *ret_descriptors, unsigned max);
void frame_give(struct frame_descriptor *descriptor);
/* The flat message in the private area of the descriptor's mbuf. */
void *frame_message(const struct frame_descriptor *descriptor);

/* Begins a frame to a node, or (node_id 0) down a channel: *ret_descriptor.tail is where its tail goes, and
 * *ret_frame_bytes_max the largest frame, head to tag, that this way carries (it bounds the tail). False: no
 * buffer, no room in the ring, or no way there now. A begun frame that is not sent is given back with
 * frame_give. */
bool consensus_end_begin(struct consensus_end *end, uint64_t node_id, const struct frame_channel *channel,
                         unsigned lane, struct frame_descriptor *ret_descriptor,
                         uint32_t *ret_frame_bytes_max);
/* Sends it; descriptor->tail_bytes says how much of the tail was filled, frame_message has the message.
 * Always succeeds: its place was kept when it was begun. */
void consensus_end_send(struct consensus_end *end, struct frame_descriptor *descriptor);

/* The control thread has an end of its own, for administration. */
struct consensus_end *dataplane_control_end(struct dataplane *dataplane);

const struct dataplane_counters *dataplane_counters_of(const struct dataplane *dataplane, unsigned core);

#endif
