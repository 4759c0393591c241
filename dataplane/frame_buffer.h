/* SPDX-License-Identifier: Apache-2.0 */
/* Taking and giving back buffers. A buffer goes from the core that gives it to the core that takes it next
 * through rings inside DPDK's own libraries, which are not built for the thread sanitizer; it is told of that
 * way here. */
#ifndef TALLY_FRAME_BUFFER_H
#define TALLY_FRAME_BUFFER_H

#include <rte_mbuf.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TALLY_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define TALLY_THREAD_SANITIZER 1
#endif

#ifdef TALLY_THREAD_SANITIZER
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define BUFFER_ACQUIRE(mbuf) __tsan_acquire(mbuf)
#define BUFFER_RELEASE(mbuf) __tsan_release(mbuf)
#else
#define BUFFER_ACQUIRE(mbuf) ((void)(mbuf))
#define BUFFER_RELEASE(mbuf) ((void)(mbuf))
#endif

/* NULL: the pool is empty. */
static inline struct rte_mbuf *frame_buffer_take(struct rte_mempool *pool)
{
    struct rte_mbuf *mbuf = rte_mbuf_raw_alloc(pool);
    if (mbuf != NULL) {
        BUFFER_ACQUIRE(mbuf);
        rte_pktmbuf_reset(mbuf);
    }
    return mbuf;
}

static inline void frame_buffer_give(struct rte_mbuf *mbuf)
{
    if (mbuf->nb_segs != 1) {
        rte_pktmbuf_free(mbuf);
        return;
    }
    mbuf = rte_pktmbuf_prefree_seg(mbuf);
    if (mbuf != NULL) {
        BUFFER_RELEASE(mbuf);
        rte_mbuf_raw_free(mbuf);
    }
}

#endif
