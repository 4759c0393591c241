/* SPDX-License-Identifier: Apache-2.0 */
#include "publishers.h"

#include <errno.h>
#include <string.h>

#include "check.h"
#include "engine_internal.h"

/* Entries of one PUBLISH frame that are handed to the log at once: a 9,000-byte frame of 64-byte messages
 * holds 126. */
#define ENTRIES_MAX      128
#define ENTRY_HEAD_BYTES 4
/* A silent publisher's place is free for another after this; its source's state stays in the log. */
#define SILENCE_NS 10000000000ull

static uint32_t first_place(uint32_t slot, uint64_t source_id)
{
    uint64_t mixed = (source_id ^ ((uint64_t)slot << 40)) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(mixed >> 32) % PUBLISHER_PLACES;
}

/* The publisher's place, or the free place where it belongs. */
static struct publisher *find_place(struct publishers *publishers, uint32_t slot, uint64_t source_id)
{
    uint32_t place = first_place(slot, source_id);
    for (uint32_t i = 0; i < PUBLISHER_PLACES; i++) {
        struct publisher *publisher = &publishers->places[place];
        if (!publisher->in_use || (publisher->source_id == source_id && publisher->slot == slot)) {
            return publisher;
        }
        place = (place + 1) % PUBLISHER_PLACES;
    }
    ASSERT(false); /* at most half of the places are in use */
    return NULL;
}

static void owe(struct publishers *publishers, struct publisher *publisher)
{
    if (!publisher->owed) {
        publisher->owed = 1;
        publishers->owed[publishers->owed_count++] = (uint16_t)(publisher - publishers->places);
    }
}

/* Whether the message is older than the session: nothing of before may be taken, nor change where replies go.
 */
static bool is_stale(const struct publisher *publisher, const struct message *message)
{
    return publisher->in_use && message->message_id < publisher->opened_id;
}

/* A question opens a session when it names no number, comes another way than the one before, or is the first.
 * NULL: no place. */
static struct publisher *attach(struct engine *engine, uint32_t slot, const struct message *message,
                                const struct engine_channel *channel)
{
    struct publishers *publishers = &engine->publishers;
    struct publisher *publisher = find_place(publishers, slot, message->publish.source_id);
    bool opens = message->publish.first_source_sequence == 0 || !publisher->in_use ||
                 memcmp(&publisher->channel, channel, sizeof(*channel)) != 0;
    if (!publisher->in_use) {
        if (publishers->count == PUBLISHERS_MAX) {
            return NULL;
        }
        publishers->count++;
        *publisher = (struct publisher){
            .in_use = 1, .slot = slot, .source_id = message->publish.source_id, .status = PUBLISH_OK};
    }
    if (opens) {
        publisher->opened_id = message->message_id;
        publisher->channel = *channel;
    }
    return publisher;
}

/* The publisher whose session the entries belong to; NULL: it has to ask. */
static struct publisher *find_session(struct engine *engine, uint32_t slot, const struct message *message,
                                      const struct engine_channel *channel)
{
    struct publisher *publisher = find_place(&engine->publishers, slot, message->publish.source_id);
    bool is_its_own = publisher->in_use && memcmp(&publisher->channel, channel, sizeof(*channel)) == 0;
    return is_its_own ? publisher : NULL;
}

static void send_reply(struct engine *engine, const struct engine_channel *channel, uint64_t quorum_number,
                       uint64_t message_id, const struct publish_reply *reply)
{
    const struct engine_port *port = &engine->options.port;
    uint32_t capacity = 0;
    if (!port->begin(port->context, 0, channel, 0, &capacity)) {
        return; /* replies are cumulative and asked for again */
    }
    struct message message = {
        .kind = MESSAGE_PUBLISH_REPLY,
        .in_reply = 1,
        .message_id = message_id,
        .sender_id = engine->options.node_id,
        .quorum_number = quorum_number,
        .incarnation = engine->incarnation,
        .publish_reply = *reply,
    };
    port->send(port->context, &message, 0);
}

/* An answer to one that is not attached: wrong quorum, wrong node, no place. */
static void refuse(struct engine *engine, const struct message *message, const struct engine_channel *channel,
                   uint64_t quorum_number, enum publish_status status, const struct replicator *replicator)
{
    struct publish_reply reply = {.source_id = message->publish.source_id, .status = (uint8_t)status};
    if (replicator) {
        reply.leader_id = replicator->leader_id == engine->options.node_id ? 0 : replicator->leader_id;
        reply.term = replicator->term;
    }
    send_reply(engine, channel, quorum_number, message->message_id, &reply);
}

static enum publish_status status_of_refusal(enum replicator_refusal refusal, int error)
{
    if (error == -ENOSPC) {
        return PUBLISH_NO_SPACE;
    }
    switch (refusal) {
    case REPLICATOR_ACCEPTED:
        return PUBLISH_OK;
    case REPLICATOR_NOT_LEADER:
        return PUBLISH_NOT_LEADER;
    case REPLICATOR_BUSY:
        return PUBLISH_BUSY;
    case REPLICATOR_STOPPED:
    case REPLICATOR_ALREADY_BOOTSTRAPPED:
    case REPLICATOR_NOT_IN_SET:
        return PUBLISH_FAILED;
    }
    return PUBLISH_FAILED;
}

static enum publish_status status_of_admission(enum stream_verdict verdict)
{
    switch (verdict) {
    case STREAM_SEQUENCE_GAP:
        return PUBLISH_SEQUENCE_GAP;
    case STREAM_SOURCES_FULL:
        return PUBLISH_SOURCES_FULL;
    case STREAM_NO_SESSION:
        return PUBLISH_NOT_LEADER;
    default:
        return PUBLISH_MALFORMED;
    }
}

/* The entries of one frame that are new to the log, ready for it. */
struct batch {
    uint32_t count;
    struct host_entry entries[ENTRIES_MAX];
    uint8_t heads[ENTRIES_MAX][STREAM_DATA_HEAD_BYTES];
};

struct frame_entries {
    const uint8_t *at;
    const uint8_t *end;
    uint64_t source_sequence;
    uint32_t left;
};

/* Collects entries from `entries` into `batch` while they are good; returns why it stopped (OK: at the end of
 * the frame, or the batch is full). */
static enum publish_status gather(struct engine *engine, struct stream_state *tail,
                                  struct frame_entries *entries, uint64_t source_id, uint64_t arrival_ns,
                                  struct batch *batch)
{
    uint64_t base = stream_next_sequence(tail);
    batch->count = 0;
    while (entries->left > 0 && batch->count < ENTRIES_MAX) {
        if (entries->end - entries->at < ENTRY_HEAD_BYTES) {
            return PUBLISH_MALFORMED;
        }
        uint32_t blocks_bytes = load_le16(entries->at);
        uint32_t message_count = load_le16(entries->at + 2);
        const uint8_t *blocks = entries->at + ENTRY_HEAD_BYTES;
        if ((size_t)(entries->end - blocks) < blocks_bytes) {
            return PUBLISH_MALFORMED;
        }
        /* The batch is not applied yet: an entry behind `count` fresh ones is as fresh as the first of them.
         */
        enum stream_verdict verdict = stream_admit(tail, source_id, entries->source_sequence - batch->count,
                                                   blocks, blocks_bytes, message_count);
#ifdef TALLY_MUTANT_DOUBLED_RETRY
        struct stream_source known;
        if (verdict == STREAM_DUPLICATE && stream_find_source(tail, source_id, &known)) {
            entries->source_sequence = known.sequence + 1 + batch->count;
            verdict = STREAM_FRESH;
        }
#endif
        if (verdict == STREAM_FRESH && blocks_bytes > engine->options.data_blocks_bytes_max) {
            return PUBLISH_TOO_LARGE;
        }
        if (verdict == STREAM_FRESH) {
            uint8_t *head = batch->heads[batch->count];
            stream_data_head_encode(&(struct stream_data_head){.base_sequence = base,
                                                               .source_id = source_id,
                                                               .source_sequence = entries->source_sequence,
                                                               .message_count = (uint16_t)message_count},
                                    head);
            batch->entries[batch->count++] = (struct host_entry){.type = RECORD_DATA,
                                                                 .head = head,
                                                                 .head_bytes = STREAM_DATA_HEAD_BYTES,
                                                                 .body = blocks,
                                                                 .body_bytes = blocks_bytes,
                                                                 .arrival_ns = arrival_ns};
            base += message_count;
        } else if (verdict != STREAM_DUPLICATE) {
            return status_of_admission(verdict);
        }
        entries->at = blocks + blocks_bytes;
        entries->source_sequence++;
        entries->left--;
    }
    bool is_longer = entries->left == 0 && entries->at != entries->end;
    return is_longer ? PUBLISH_MALFORMED : PUBLISH_OK;
}

/* The log has taken the batch: the leader's view of the stream follows. */
static void apply_batch(struct engine_quorum *quorum, const struct batch *batch, uint64_t first_index)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct host_entry *entry = &batch->entries[i];
        stream_note_data(quorum->tail, first_index + i, entry->head);
    }
    quorum->tail_index = first_index + batch->count - 1;
}

/* The last reserve's worth before the reserve itself is for followers: their tapes hold the same records in
 * other blocks, so one may be fuller than the leader's. */
static bool take_entries(struct engine *engine, struct engine_quorum *quorum, struct publisher *publisher,
                         const struct message *message, const uint8_t *tail, uint32_t tail_bytes,
                         uint64_t arrival_ns)
{
    static _Thread_local struct batch batch;
    struct frame_entries entries = {.at = tail,
                                    .end = tail + tail_bytes,
                                    .source_sequence = message->publish.first_source_sequence,
                                    .left = message->publish.entry_count};
    enum publish_status status = PUBLISH_OK;
    while (entries.left > 0 && status == PUBLISH_OK) {
        if (tape_free_bytes(engine->tape) < 2 * tape_reserve_bytes(engine->tape)) {
            status = PUBLISH_NO_SPACE;
            break;
        }
        status = gather(engine, quorum->tail, &entries, publisher->source_id, arrival_ns, &batch);
        if (batch.count == 0) {
            continue;
        }
        struct host_receipt receipt;
        int error = 0;
        enum replicator_refusal refusal =
            host_submit(engine->host, engine_slot_of(engine, quorum), batch.entries, batch.count,
                        engine->now_ns, &receipt, &error);
        if (refusal == REPLICATOR_BUSY && error == -EBUSY) {
            return false; /* nothing else of this lane could be logged either */
        }
        if (refusal != REPLICATOR_ACCEPTED) {
            status = status_of_refusal(refusal, error);
            break;
        }
        apply_batch(quorum, &batch, receipt.first_index);
        engine->entry_count += batch.count;
    }
    if (status != PUBLISH_OK &&
        publisher->status == PUBLISH_OK) { /* the first of a turn: what follows comes of it */
        publisher->status = (uint8_t)status;
    }
    return true;
}

bool publishers_receive(struct engine *engine, const struct message *message, const uint8_t *tail,
                        uint32_t tail_bytes, const struct engine_channel *channel, uint64_t arrival_ns)
{
    bool by_name = message->quorum_number == 0;
    struct engine_quorum *quorum = NULL;
    if (by_name) {
        quorum = engine_find_by_name(engine, tail, tail_bytes);
    } else {
        uint32_t slot = host_find(engine->host, message->quorum_number);
        quorum = slot == HOST_NO_SLOT ? NULL : &engine->quorums[slot];
    }
    if (!quorum) {
        refuse(engine, message, channel, message->quorum_number, PUBLISH_UNKNOWN_QUORUM, NULL);
        return true;
    }
    uint32_t slot = engine_slot_of(engine, quorum);
    const struct replicator *replicator = host_replicator(engine->host, slot);
    if (replicator->role == REPLICATOR_FAILED || quorum->stream_fault) {
        refuse(engine, message, channel, quorum->number, PUBLISH_FAILED, replicator);
        return true;
    }
    if (!quorum->leads || !quorum->tail_ready) {
        refuse(engine, message, channel, quorum->number, PUBLISH_NOT_LEADER, replicator);
        return true;
    }
    if (message->publish.entry_count == 0 && !replicator_is_in_office(replicator, engine->now_ns)) {
        refuse(engine, message, channel, quorum->number, PUBLISH_NOT_LEADER,
               replicator); /* it may be out of date */
        return true;
    }
    if (is_stale(find_place(&engine->publishers, slot, message->publish.source_id), message)) {
        return true;
    }
    bool asks = by_name || message->publish.entry_count == 0;
    struct publisher *publisher =
        asks ? attach(engine, slot, message, channel) : find_session(engine, slot, message, channel);
    if (!publisher) {
        refuse(engine, message, channel, quorum->number, PUBLISH_BUSY, replicator);
        return true;
    }
    publisher->heard_ns = engine->now_ns;
    if (message->message_id > publisher->message_id) {
        publisher->message_id = message->message_id;
    }
    if (!asks && !take_entries(engine, quorum, publisher, message, tail, tail_bytes, arrival_ns)) {
        return false;
    }
    owe(&engine->publishers, publisher);
    return true;
}

void publishers_note_commit(struct engine *engine, uint32_t slot, uint64_t source_id)
{
    struct publisher *publisher = find_place(&engine->publishers, slot, source_id);
    if (publisher->in_use) {
        owe(&engine->publishers, publisher);
    }
}

void publishers_dismiss(struct engine *engine, uint32_t slot)
{
    for (uint32_t i = 0; i < PUBLISHER_PLACES; i++) {
        struct publisher *publisher = &engine->publishers.places[i];
        if (publisher->in_use && publisher->slot == slot) {
            publisher->status = PUBLISH_NOT_LEADER;
            owe(&engine->publishers, publisher);
        }
    }
}

static struct publish_reply reply_of(struct engine *engine, const struct publisher *publisher)
{
    const struct engine_quorum *quorum = &engine->quorums[publisher->slot];
    const struct replicator *replicator = host_replicator(engine->host, publisher->slot);
    struct publish_reply reply = {.source_id = publisher->source_id,
                                  .status = publisher->status,
                                  .leader_id = replicator->leader_id,
                                  .term = replicator->term};
    struct stream_source source;
    if (stream_find_source(quorum->committed, publisher->source_id, &source)) {
        reply.committed_source_sequence = source.sequence;
#ifdef TALLY_MUTANT_DROPPED_OUTCOME
        reply.committed_source_sequence -= source.index == replicator->last_index;
#endif
        reply.committed_index = source.index;
        reply.replicated_source_sequence = source.sequence;
        reply.next_stream_sequence = stream_next_sequence(quorum->committed);
    }
    if (!quorum->leads || !quorum->tail_ready) {
        reply.status = PUBLISH_NOT_LEADER;
        return reply;
    }
    if (stream_find_source(quorum->tail, publisher->source_id, &source)) {
        reply.logged_source_sequence = source.sequence;
        reply.logged_index = source.index;
        reply.wanted_source_sequence = source.sequence + 1;
    } else {
        reply.wanted_source_sequence = 1;
    }
    return reply;
}

unsigned publishers_reply(struct engine *engine)
{
    struct publishers *publishers = &engine->publishers;
    unsigned count = publishers->owed_count;
    for (unsigned i = 0; i < count; i++) {
        struct publisher *publisher = &publishers->places[publishers->owed[i]];
        struct publish_reply reply = reply_of(engine, publisher);
        send_reply(engine, &publisher->channel, engine->quorums[publisher->slot].number,
                   publisher->message_id, &reply);
        publisher->owed = 0;
        publisher->status = PUBLISH_OK;
    }
    publishers->owed_count = 0;
    return count;
}

/* Takes the publisher at `place` out and puts back those behind it, so that no search stops too early. */
static void remove_at(struct publishers *publishers, uint32_t place)
{
    publishers->places[place].in_use = 0;
    publishers->count--;
    for (uint32_t next = (place + 1) % PUBLISHER_PLACES; publishers->places[next].in_use;
         next = (next + 1) % PUBLISHER_PLACES) {
        struct publisher moved = publishers->places[next];
        publishers->places[next].in_use = 0;
        *find_place(publishers, moved.slot, moved.source_id) = moved;
    }
}

void publishers_expire(struct engine *engine)
{
    struct publishers *publishers = &engine->publishers;
    ASSERT(publishers->owed_count == 0); /* places move: only between turns */
    for (uint32_t place = 0; place < PUBLISHER_PLACES; place++) {
        const struct publisher *publisher = &publishers->places[place];
        if (publisher->in_use && engine->now_ns - publisher->heard_ns > SILENCE_NS) {
            remove_at(publishers, place);
        }
    }
}
