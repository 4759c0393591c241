/* SPDX-License-Identifier: Apache-2.0 */
/* Entries on their way: as many as fit a frame, as far as the window is open. */
#include <string.h>

#include "check.h"
#include "client.h"
#include "publishing.h"

/* Nothing tells when a full ring has room again. */
#define FULL_PAUSE_NS 100000ull

/* Bytes of entries [from, to). */
static uint64_t bytes_between(const struct publishing *publishing, uint64_t from, uint64_t to)
{
    if (from >= to) {
        return 0;
    }
    uint64_t end =
        to == publishing->next ? publishing->tail_bytes : publishing_slot_of(publishing, to)->bytes_before;
    return end - publishing_slot_of(publishing, from)->bytes_before;
}

/* Sent, and not in the leader's log as far as it has said. */
static uint64_t window_used_bytes(const struct publishing *publishing)
{
    uint64_t from = publishing->held + 1 > publishing->first ? publishing->held + 1 : publishing->first;
    return bytes_between(publishing, from, publishing->send_next);
}

static bool is_window_open(const struct tally_client *client)
{
    const struct publishing *publishing = &client->publishing;
    const struct transport *transport = client->nodes[publishing->node].transport;
    uint64_t used_bytes = window_used_bytes(publishing);
    return publishing->is_probing ? used_bytes == 0 : used_bytes < transport->window_bytes;
}

/* Copies entries from send_next on into the tail while they fit. */
static uint32_t gather_entries(struct tally_client *client, uint32_t room, uint32_t *ret_tail_bytes)
{
    struct publishing *publishing = &client->publishing;
    uint8_t *tail = client_tail(client);
    uint32_t tail_bytes = 0;
    uint32_t count = 0;
    for (uint64_t sequence = publishing->send_next; sequence < publishing->next; sequence++) {
        const struct publishing_slot *slot = publishing_slot_of(publishing, sequence);
        uint32_t entry_bytes = PUBLISHING_ENTRY_HEAD_BYTES + slot->blocks_bytes;
        if (entry_bytes > room - tail_bytes) {
            break;
        }
        memcpy(tail + tail_bytes, (const uint8_t *)slot + offsetof(struct publishing_slot, blocks_bytes),
               entry_bytes);
        tail_bytes += entry_bytes;
        count++;
    }
    *ret_tail_bytes = tail_bytes;
    return count;
}

static bool send_frame(struct tally_client *client)
{
    struct publishing *publishing = &client->publishing;
    const struct transport *transport = client->nodes[publishing->node].transport;
    uint32_t tail_bytes = 0;
    uint32_t count = gather_entries(client, frame_tail_bytes_max(transport->frame_bytes_max, MESSAGE_PUBLISH),
                                    &tail_bytes);
    ASSERT(count > 0);
    struct message message = {.kind = MESSAGE_PUBLISH,
                              .publish = {.source_id = publishing->source_id,
                                          .first_source_sequence = publishing->send_next,
                                          .entry_count = count}};
    if (!client_send(client, publishing->node, &message, tail_bytes)) {
        return false;
    }
    if (publishing->send_next == publishing->first) {
        publishing->alive_ns = client->now_ns; /* nothing was on the way: the wait for an answer begins */
    }
    publishing->send_next += count;
    if (publishing->sent_end < publishing->send_next) {
        publishing->sent_end = publishing->send_next;
    }
    return true;
}

unsigned publishing_send(struct tally_client *client)
{
    struct publishing *publishing = &client->publishing;
    if (publishing->state != PUBLISHING_ATTACHED || publishing->is_refusing || client->quorum_number == 0 ||
        client->now_ns < publishing->pause_end_ns) {
        return 0;
    }
    unsigned frames = 0;
    publishing->send_due_ns = 0;
    while (publishing->send_next < publishing->next) {
        if (!is_window_open(client)) {
            publishing->send_due_ns = UINT64_MAX; /* an answer opens it, or the silence is noticed */
            break;
        }
        if (!send_frame(client)) {
            publishing->send_due_ns = client->now_ns + FULL_PAUSE_NS;
            break;
        }
        frames++;
    }
    return frames;
}
