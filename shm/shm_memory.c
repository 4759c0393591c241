/* SPDX-License-Identifier: Apache-2.0 */
#include "shm_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "bounds.h"

_Static_assert(FRAME_BYTES_MAX + SHM_PLACE_HEAD <= SHM_BULK_BYTES, "the largest frame fits a bulk place");
_Static_assert(SHM_BULK_COUNT - 1 > WINDOW_MESSAGES_MAX, "a full window fits the bulk ring");
_Static_assert((SHM_BULK_COUNT & (SHM_BULK_COUNT - 1)) == 0, "rte_ring counts in powers of two");
_Static_assert((SHM_CONTROL_COUNT & (SHM_CONTROL_COUNT - 1)) == 0, "rte_ring counts in powers of two");

#define SHM_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static const uint32_t place_bytes[2] = {[SHM_CONTROL] = SHM_CONTROL_BYTES, [SHM_BULK] = SHM_BULK_BYTES};
static const uint32_t place_count[2] = {[SHM_CONTROL] = SHM_CONTROL_COUNT, [SHM_BULK] = SHM_BULK_COUNT};

static size_t lane_ring_bytes(unsigned lane)
{
    ssize_t bytes = rte_ring_get_memsize_elem(place_bytes[lane], place_count[lane]);
    return ((size_t)bytes + 4095) & ~(size_t)4095;
}

/* Where the ring of `lane` towards `side` begins. */
static size_t ring_offset(uint32_t side, unsigned lane)
{
    size_t offset = SHM_HEAD_BYTES + side * (lane_ring_bytes(SHM_CONTROL) + lane_ring_bytes(SHM_BULK));
    return lane == SHM_CONTROL ? offset : offset + lane_ring_bytes(SHM_CONTROL);
}

size_t shm_memory_bytes(void)
{
    return ring_offset(2, SHM_CONTROL);
}

static struct shm_memory_head shm_memory_layout(void)
{
    return (struct shm_memory_head){
        .magic = SHM_MAGIC,
        .version = SHM_VERSION,
        .control_bytes = SHM_CONTROL_BYTES,
        .control_count = SHM_CONTROL_COUNT,
        .bulk_bytes = SHM_BULK_BYTES,
        .bulk_count = SHM_BULK_COUNT,
    };
}

static int memory_fill(uint8_t *memory)
{
    struct shm_memory_head layout = shm_memory_layout();
    memcpy(memory, &layout, offsetof(struct shm_memory_head, sleeping_0));
    for (uint32_t side = 0; side < 2; side++) {
        for (unsigned lane = 0; lane < 2; lane++) {
            struct rte_ring *ring = (struct rte_ring *)(void *)(memory + ring_offset(side, lane));
            int error = rte_ring_init(ring, lane == SHM_CONTROL ? "control" : "bulk", place_count[lane],
                                      RING_F_SP_ENQ | RING_F_SC_DEQ);
            if (error != 0) {
                return error;
            }
        }
    }
    return 0;
}

static int memory_prepare(int fd)
{
    size_t bytes = shm_memory_bytes();
    if (ftruncate(fd, (off_t)bytes) != 0) {
        return -errno;
    }
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    int error = memory_fill(memory);
    munmap(memory, bytes);
    if (error == 0 && fcntl(fd, F_ADD_SEALS, SHM_SEALS) != 0) {
        error = -errno;
    }
    return error;
}

int shm_memory_create(void)
{
    int fd = memfd_create("tally-channel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return -errno;
    }
    int error = memory_prepare(fd);
    if (error != 0) {
        close(fd);
        return error;
    }
    return fd;
}

/* A smaller or unsealed memory could make us read past its end (SIGBUS) whenever the other side wants. */
static bool memory_is_safe(int fd)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & SHM_SEALS) == SHM_SEALS && fstat(fd, &status) == 0 &&
           (size_t)status.st_size == shm_memory_bytes();
}

static struct shm_lane_ring lane_ring(uint8_t *memory, uint32_t side, unsigned lane)
{
    uint8_t *ring = memory + ring_offset(side, lane);
    return (struct shm_lane_ring){
        .ring = (struct rte_ring *)(void *)ring,
        .places = ring + sizeof(struct rte_ring),
        .place_bytes = place_bytes[lane],
        .place_count = place_count[lane],
    };
}

int shm_memory_map(int fd, uint32_t side, struct shm_channel *channel)
{
    if (!memory_is_safe(fd)) {
        return -EPROTO;
    }
    size_t bytes = shm_memory_bytes();
    uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    struct shm_memory_head layout = shm_memory_layout();
    if (memcmp(memory, &layout, offsetof(struct shm_memory_head, sleeping_0)) != 0) {
        munmap(memory, bytes);
        return -EPROTO;
    }
    channel->memory = memory;
    channel->memory_bytes = bytes;
    channel->side = side;
    for (unsigned lane = 0; lane < 2; lane++) {
        channel->send[lane] = lane_ring(memory, 1 - side, lane);
        channel->receive[lane] = lane_ring(memory, side, lane);
    }
    return 0;
}
