/* SPDX-License-Identifier: Apache-2.0 */
/* What a dataplane core counts: every frame that came, went or was dropped, by cause. */
#ifndef TALLY_DATAPLANE_COUNTERS_H
#define TALLY_DATAPLANE_COUNTERS_H

#include <stdint.h>

#define DATAPLANE_VERDICTS_MAX 32

struct dataplane_counters { /* one writer (its core), relaxed; readable from any thread */
    uint64_t received_frames;
    uint64_t received_bytes;
    uint64_t sent_frames;
    uint64_t sent_bytes;
    uint64_t
        dropped_no_buffer; /* by devices, for want of a buffer or a place; the control thread's to write */
    uint64_t dropped_ring_full; /* towards a consensus core, from a device */
    uint64_t dropped_port_full; /* towards the wire or a shm channel */
    uint64_t dropped_no_way;    /* no address, no connection */
    uint64_t not_ours;          /* not IPv4/UDP to our address and port, fragments, bad checksums */
    uint64_t arp_requests;      /* answered */
    uint64_t dropped_too_large; /* an encoded frame that its way does not carry */
    uint64_t stalled_no_buffer; /* turns in which a shm channel waited for a buffer */
    uint64_t stalled_ring_full; /* ... or for room towards a consensus core */
    uint64_t arp_replies;       /* neighbours learnt or confirmed */
    uint64_t verdicts[DATAPLANE_VERDICTS_MAX]; /* of the codec */
};

#endif
