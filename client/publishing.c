/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of entries and how they go out. */
#include "publishing.h"

#include <string.h>

#include "blocks.h"
#include "bytes.h"
#include "check.h"
#include "client.h"

/* Questions in a row to which the leader gave no answer: then others are asked. */
#define SILENT_ASK_COUNT 3
#define NEVER_NS         UINT64_MAX

void publishing_init(struct tally_client *client, uint64_t source_id, uint32_t slot_count)
{
    struct publishing *publishing = &client->publishing;
    *publishing = (struct publishing){
        .slots = ARENA_ARRAY(&client->arena, struct publishing_slot, slot_count),
        .slot_count = slot_count,
        .source_id = source_id,
        .is_numbered = source_id == 0, /* a source drawn at random is new: its first entry is 1 */
        .is_confirmed = source_id == 0,
        .first = 1,
        .send_next = 1,
        .sent_end = 1,
        .next = 1,
        .elsewhere = 1,
        .node = CLIENT_NO_NODE,
    };
}

struct publishing_slot *publishing_slot_of(const struct publishing *publishing, uint64_t sequence)
{
    ASSERT(sequence >= publishing->first);
    ASSERT(sequence - publishing->first < publishing->slot_count);
    uint64_t place = publishing->first_slot + (sequence - publishing->first);
    return &publishing->slots[place % publishing->slot_count];
}

/* What the leader would refuse is refused here, before it has a number: a refused number would stop those
 * behind it. */
static enum tally_status check_blocks(const struct tally_client *client, const uint8_t *blocks,
                                      size_t blocks_bytes, unsigned message_count)
{
    if (blocks_bytes > client->blocks_bytes_max) {
        return TALLY_TOO_LARGE;
    }
    if (message_count == 0 || message_count > UINT16_MAX) {
        return TALLY_MALFORMED;
    }
    struct blocks view = {
        .bytes = blocks, .byte_count = (uint32_t)blocks_bytes, .message_count = (uint16_t)message_count};
    return blocks_check(&view) == BLOCKS_GOOD ? TALLY_OK : TALLY_MALFORMED;
}

/* The next free slot; NULL when in_flight_max entries are undecided. */
static struct publishing_slot *begin_entry(struct tally_client *client)
{
    struct publishing *publishing = &client->publishing;
    if (publishing->next - publishing->first == publishing->slot_count || publishing->is_refusing) {
        return NULL;
    }
    return publishing_slot_of(publishing, publishing->next);
}

static void finish_entry(struct tally_client *client, struct publishing_slot *slot, size_t blocks_bytes,
                         unsigned message_count, uint64_t *ret_source_sequence)
{
    struct publishing *publishing = &client->publishing;
    client->now_ns = client->hooks.now_ns(client->hooks.context);
    slot->published_ns = client->now_ns;
    slot->bytes_before = publishing->tail_bytes;
    slot->blocks_bytes = (uint16_t)blocks_bytes;
    slot->message_count = (uint16_t)message_count;
    publishing->tail_bytes += PUBLISHING_ENTRY_HEAD_BYTES + blocks_bytes;
    *ret_source_sequence = publishing->is_numbered ? publishing->next : 0;
    publishing->next++;
    publishing->send_due_ns = 0;
    if (publishing->state == PUBLISHING_IDLE) {
        publishing_ask_at(client, 0, client->now_ns);
    }
}

enum tally_status tally_publish(struct tally_client *client, const void *blocks, size_t blocks_bytes,
                                unsigned message_count, uint64_t *ret_source_sequence)
{
    enum tally_status status = check_blocks(client, blocks, blocks_bytes, message_count);
    if (status != TALLY_OK) {
        return status;
    }
    struct publishing_slot *slot = begin_entry(client);
    if (!slot) {
        return TALLY_BUSY;
    }
    memcpy(slot->blocks, blocks, blocks_bytes);
    finish_entry(client, slot, blocks_bytes, message_count, ret_source_sequence);
    return TALLY_OK;
}

enum tally_status tally_publish_message(struct tally_client *client, const void *message,
                                        size_t message_bytes, uint64_t *ret_source_sequence)
{
    if (message_bytes == 0) {
        return TALLY_MALFORMED;
    }
    if (message_bytes > client->blocks_bytes_max - 2) {
        return TALLY_TOO_LARGE;
    }
    struct publishing_slot *slot = begin_entry(client);
    if (!slot) {
        return TALLY_BUSY;
    }
    store_be16(slot->blocks, (uint16_t)message_bytes);
    memcpy(slot->blocks + 2, message, message_bytes);
    finish_entry(client, slot, message_bytes + 2, 1, ret_source_sequence);
    return TALLY_OK;
}

/* The oldest entry of which no outcome was told. */
static uint64_t oldest_untold(const struct publishing *publishing)
{
    return publishing->given_up >= publishing->first ? publishing->given_up + 1 : publishing->first;
}

uint32_t tally_in_flight(const struct tally_client *client)
{
    const struct publishing *publishing = &client->publishing;
    return (uint32_t)(publishing->next - oldest_untold(publishing));
}

/* Asks the present node where the source stands: a PUBLISH without entries. Without a number while we look
 * for the leader: then it opens a session, and nothing that was sent before is taken any more. */
static bool ask(struct tally_client *client)
{
    struct publishing *publishing = &client->publishing;
    publishing->ask_count++;
    uint64_t number = publishing->state == PUBLISHING_ATTACHED ? publishing->send_next : 0;
    struct message message = {
        .kind = MESSAGE_PUBLISH,
        .publish = {.source_id = publishing->source_id, .first_source_sequence = number}};
    if (!client_send(client, publishing->node, &message, 0)) {
        return false;
    }
    publishing->ask_id = client->message_id;
    return true;
}

void publishing_give_up_to(struct tally_client *client, uint64_t last)
{
    struct publishing *publishing = &client->publishing;
    while (oldest_untold(publishing) <= last) {
        publishing->given_up = oldest_untold(publishing);
        client_tell(client, &(struct tally_event){.kind = TALLY_GIVEN_UP,
                                                  .status = TALLY_UNKNOWN,
                                                  .source_sequence = publishing->given_up});
    }
}

/* Entries whose time is over. Of those that have a number it is not known whether they are in the log; one
 * without was never sent, and is not. */
static unsigned give_up(struct tally_client *client)
{
    struct publishing *publishing = &client->publishing;
    unsigned count = 0;
    if (client->give_up_ns == 0) {
        return 0;
    }
    for (;;) {
        uint64_t oldest = oldest_untold(publishing);
        if (oldest == publishing->next ||
            client->now_ns - publishing_slot_of(publishing, oldest)->published_ns < client->give_up_ns) {
            return count;
        }
        if (publishing->is_numbered) {
            publishing_give_up_to(client, oldest);
        } else {
            publishing->first_slot = (publishing->first_slot + 1) % publishing->slot_count;
            publishing->next--;
            client_tell(client, &(struct tally_event){.kind = TALLY_REFUSED, .status = TALLY_NO_LEADER});
        }
        count++;
    }
}

static unsigned poll_asking(struct tally_client *client)
{
    struct publishing *publishing = &client->publishing;
    if (client->now_ns < publishing->ask_due_ns) {
        return 0;
    }
    if (publishing->ask_id != 0) {
        publishing_ask_another(client, 0); /* no answer */
    }
    if (!client_connect(client, publishing->node) || !ask(client)) {
        publishing_ask_another(client, client->retry_ns / 4);
        return 0;
    }
    publishing->ask_due_ns = client->now_ns + client->retry_ns;
    return 1;
}

/* A leader that owes answers and is silent is asked, and in the end left. */
static unsigned poll_attached(struct tally_client *client)
{
    struct publishing *publishing = &client->publishing;
    struct transport *transport = client->nodes[publishing->node].transport;
    if (!client_connect(client, publishing->node) || transport->generation != publishing->generation) {
        publishing_ask_at(client, publishing->node, client->now_ns);
        return 1;
    }
    unsigned work = publishing_send(client);
    if (publishing->send_next == publishing->first ||
        client->now_ns - publishing->alive_ns < client->retry_ns) {
        return work;
    }
    if (publishing->ask_count >= SILENT_ASK_COUNT) {
        publishing_ask_at(client, publishing->node, client->now_ns);
        publishing_ask_another(client, 0);
        return work + 1;
    }
    publishing->alive_ns = client->now_ns;
    return work + (ask(client) ? 1 : 0);
}

unsigned publishing_poll(struct tally_client *client)
{
    unsigned work = give_up(client);
    switch (client->publishing.state) {
    case PUBLISHING_IDLE:
        return work;
    case PUBLISHING_ASKING:
        return work + poll_asking(client);
    case PUBLISHING_ATTACHED:
        return work + poll_attached(client);
    }
    return work;
}

static uint64_t give_up_deadline_ns(const struct tally_client *client)
{
    const struct publishing *publishing = &client->publishing;
    uint64_t oldest = oldest_untold(publishing);
    if (client->give_up_ns == 0 || oldest == publishing->next) {
        return NEVER_NS;
    }
    return publishing_slot_of(publishing, oldest)->published_ns + client->give_up_ns;
}

uint64_t publishing_deadline_ns(const struct tally_client *client)
{
    const struct publishing *publishing = &client->publishing;
    uint64_t due_ns = give_up_deadline_ns(client);
    uint64_t next_ns = NEVER_NS;
    switch (publishing->state) {
    case PUBLISHING_IDLE:
        break;
    case PUBLISHING_ASKING:
        next_ns = publishing->ask_due_ns;
        break;
    case PUBLISHING_ATTACHED:
        if (publishing->send_next > publishing->first) {
            next_ns = publishing->alive_ns + client->retry_ns;
        }
        if (publishing->send_next < publishing->next) {
            uint64_t send_ns = later(publishing->pause_end_ns, publishing->send_due_ns);
            next_ns = earlier(next_ns, send_ns);
        }
        break;
    }
    return earlier(next_ns, due_ns);
}
