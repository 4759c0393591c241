/* SPDX-License-Identifier: Apache-2.0 */
/* Submissions at a leader: bounded, all of a batch or none (rule 38). */
#include "host_internal.h"

#include <errno.h>

#include "check.h"

static struct host_byte_step *byte_step_at(struct host_quorum *quorum, uint32_t i)
{
    return &quorum->byte_steps[(quorum->byte_step_first + i) % HOST_BYTE_STEPS_MAX];
}

static void bytes_add(struct host_quorum *quorum, uint64_t bytes)
{
    quorum->bytes_total += bytes;
    if (quorum->byte_step_count < HOST_BYTE_STEPS_MAX) {
        quorum->byte_step_count++;
    }
    *byte_step_at(quorum, quorum->byte_step_count - 1) =
        (struct host_byte_step){quorum->replicator.last_index, quorum->bytes_total};
}

void host_bytes_reap(struct host_quorum *quorum)
{
    bool leads = quorum->replicator.role == REPLICATOR_LEADER;
    while (quorum->byte_step_count > 0 &&
           (!leads || byte_step_at(quorum, 0)->last_index <= quorum->replicator.commit_index)) {
        quorum->bytes_committed = byte_step_at(quorum, 0)->total_bytes;
        quorum->byte_step_first = (quorum->byte_step_first + 1) % HOST_BYTE_STEPS_MAX;
        quorum->byte_step_count--;
    }
}

static enum replicator_refusal refuse(int error, int *ret_error)
{
    *ret_error = error;
    return REPLICATOR_BUSY;
}

enum replicator_refusal host_submit(struct host *host, uint32_t slot, const struct host_entry *entries,
                                    uint32_t entry_count, uint64_t now_ns, struct host_receipt *ret_receipt,
                                    int *ret_error)
{
    ASSERT(slot < host->quorum_count);
    ASSERT(entry_count > 0);
    struct host_quorum *quorum = &host->quorums[slot];
    *ret_error = 0;
    if (quorum->replicator.role != REPLICATOR_LEADER) {
        return quorum->replicator.role == REPLICATOR_FAILED ? REPLICATOR_STOPPED : REPLICATOR_NOT_LEADER;
    }
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < entry_count; i++) {
        bytes +=
            record_padded_bytes(RECORD_HEAD_BYTES + (size_t)entries[i].head_bytes + entries[i].body_bytes);
    }
    if (quorum->bytes_total - quorum->bytes_committed + bytes > UNCOMMITTED_BYTES_MAX) {
        return refuse(-EAGAIN, ret_error);
    }
    int error = host->log_failed
                    ? -EIO
                    : host->options.log.room(host->options.log.context, bytes + HOST_OVERHEAD_BYTES,
                                             entry_count + HOST_OVERHEAD_RECORDS, false);
    if (error != 0) {
        return refuse(error, ret_error);
    }
    struct replicator_input input = {.now_ns = now_ns, .kind = INPUT_SUBMIT};
    input.submit.entry_count = entry_count;
    const struct host_source source = {.entries = entries};
    enum replicator_refusal refusal = host_step(host, quorum, &input, &source);
    if (refusal != REPLICATOR_ACCEPTED) {
        return refusal == REPLICATOR_BUSY ? refuse(-EAGAIN, ret_error) : refusal;
    }
    ret_receipt->first_index = quorum->replicator.last_index - entry_count + 1;
    ret_receipt->term = quorum->replicator.term;
    bytes_add(quorum, bytes);
    return REPLICATOR_ACCEPTED;
}
