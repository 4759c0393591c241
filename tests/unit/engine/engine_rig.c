/* SPDX-License-Identifier: Apache-2.0 */
#include "engine_rig.h"

#include <string.h>

#include "bytes.h"
#include "check.h"

static uint64_t wall_ns(void *context)
{
    const struct engine_rig *rig = context;
    return 1000000000000000000u + rig->now_ns;
}

static uint8_t *port_begin(void *context, uint64_t node_id, const struct engine_channel *channel,
                           unsigned lane, uint32_t *ret_capacity_bytes)
{
    struct engine_rig *rig = context;
    (void)lane;
    if (rig->is_port_shut || rig->sent_count == RIG_SENT_MAX) {
        return NULL;
    }
    rig->begin_node_id = node_id;
    rig->begin_channel = (struct engine_channel){0};
    if (channel) {
        rig->begin_channel = *channel;
    }
    *ret_capacity_bytes = rig->capacity_bytes;
    return rig->sent[rig->sent_count].tail;
}

static void port_send(void *context, const struct message *message, uint32_t tail_bytes)
{
    struct engine_rig *rig = context;
    struct rig_sent *sent = &rig->sent[rig->sent_count++];
    ASSERT(tail_bytes <= rig->capacity_bytes);
    sent->node_id = rig->begin_node_id;
    sent->channel = rig->begin_channel;
    sent->message = *message;
    sent->tail_bytes = tail_bytes;
}

static struct tape_identity identity(void)
{
    return (struct tape_identity){.cluster_id = 7, .node_id = 1, .incarnation = 9, .log_name = "main"};
}

static enum tape_verdict open_engine(struct engine_rig *rig)
{
    struct engine_options options = {
        .cluster_id = 7,
        .node_id = 1,
        .election_timeout_ns = 20 * RIG_MS,
        .heartbeat_interval_ns = 5 * RIG_MS,
        .retransmit_timeout_ns = 10 * RIG_MS,
        .disk_stall_limit_ns = 1000 * RIG_MS,
        .random_seed = 1,
        .quorum_count_max = rig->quorum_count_max,
        .data_blocks_bytes_max = RIG_BLOCKS_MAX,
        .tape = {.identity = identity(),
                 .memory_chunks = 4,
                 .reader_chunks = 2,
                 .write_bytes_max = RIG_CHUNK_BYTES / 2,
                 .boot_id = 5},
        .device = fake_device_port(rig->fake),
        .port = {.context = rig, .begin = port_begin, .send = port_send},
        .wall_ns = wall_ns,
        .wall_context = rig,
    };
    arena_init(&rig->arena);
    rig->engine = NULL;
    return engine_create(&rig->arena, &options, rig->now_ns, &rig->engine, &rig->report);
}

void rig_start(struct engine_rig *rig, uint32_t chunk_count, bool manual_disk)
{
    uint64_t size_bytes = (uint64_t)chunk_count * RIG_CHUNK_BYTES;
    struct fake_device_options device = {tape_device_bytes(size_bytes), 512, manual_disk};
    struct tape_format_options format = {.identity = identity(),
                                         .size_bytes = size_bytes,
                                         .chunk_bytes = RIG_CHUNK_BYTES,
                                         .sync = TAPE_SYNC_FDATASYNC};
    *rig = (struct engine_rig){.fake = fake_device_create(&device),
                               .quorum_count_max = 2,
                               .now_ns = 1000 * RIG_MS,
                               .capacity_bytes = 1300};
    int error = tape_format(fake_device_port(rig->fake), &format);
    ASSERT(error == 0);
    enum tape_verdict verdict = open_engine(rig);
    ASSERT(verdict == TAPE_OPEN);
}

enum tape_verdict rig_reopen(struct engine_rig *rig)
{
    struct prng prng = {1};
    while (fake_device_pending(rig->fake) > 0) {
        fake_device_complete(rig->fake, 0, 0); /* the kernel finishes what a dead process began */
    }
    fake_device_crash(rig->fake, &prng); /* and tells nobody */
    arena_fini(&rig->arena);
    rig->sent_count = 0;
    return open_engine(rig);
}

void rig_end(struct engine_rig *rig)
{
    arena_fini(&rig->arena);
    fake_device_destroy(rig->fake);
}

void rig_turn(struct engine_rig *rig)
{
    rig->now_ns += RIG_MS;
    while (tape_reader_poll(tape_reader_of(engine_tape(rig->engine)), fake_device_port(rig->fake), 1) > 0) {
    }
    engine_begin(rig->engine, rig->now_ns);
    engine_end(rig->engine);
    engine_write_log(rig->engine);
}

void rig_turns(struct engine_rig *rig, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        rig_turn(rig);
    }
}

void rig_bootstrap(struct engine_rig *rig, const char *name, uint64_t voter_count,
                   struct engine_command *ret_command)
{
    static const uint64_t ids[] = {1, 2, 3, 4, 5};
    *ret_command = (struct engine_command){.kind = ENGINE_BOOTSTRAP};
    strcpy(ret_command->name, name);
    bool legal = configuration_init_stable(&ret_command->voters, ids, voter_count);
    ASSERT(legal);
    engine_command(rig->engine, ret_command, rig->now_ns);
    for (unsigned turn = 0; turn < 50 && !ret_command->done; turn++) {
        rig_turns(rig, 1); /* until it is durable */
        if (fake_device_pending(rig->fake) > 0) {
            fake_device_complete(rig->fake, 0, 0);
        }
    }
    ASSERT(ret_command->done);
}

struct engine_quorum_status rig_status(struct engine_rig *rig)
{
    static struct engine_status status;
    struct engine_command command = {.kind = ENGINE_STATUS, .status = &status};
    memset(&status, 0, sizeof(status));
    engine_command(rig->engine, &command, rig->now_ns);
    return status.quorum;
}

uint64_t rig_lead(struct engine_rig *rig, const char *name)
{
    struct engine_command command;
    rig_bootstrap(rig, name, 1, &command);
    ASSERT(command.error == 0);
    for (uint32_t i = 0; i < 200 && !rig_status(rig).available; i++) {
        rig_turn(rig);
    }
    struct engine_quorum_status status = rig_status(rig);
    ASSERT(status.available);
    rig_turns(rig, 5);
    rig->sent_count = 0;
    return status.quorum_number;
}

bool rig_receive(struct engine_rig *rig, struct message *message, const void *tail, uint32_t tail_bytes,
                 uint8_t channel)
{
    struct engine_channel way = {.bytes = {channel}};
    if (message->message_id == 0) {
        message->message_id = ++rig->message_id;
    }
    message->receiver_id = 1;
    rig->sent_count = 0;
    return engine_receive(rig->engine, message, tail, tail_bytes, &way, wall_ns(rig));
}

void rig_open_source(struct engine_rig *rig, uint64_t quorum_number, uint64_t source_id, uint8_t channel)
{
    struct message message = {
        .kind = MESSAGE_PUBLISH, .quorum_number = quorum_number, .publish = {.source_id = source_id}};
    bool taken = rig_receive(rig, &message, NULL, 0, channel);
    ASSERT(taken);
}

bool rig_publish(struct engine_rig *rig, uint64_t quorum_number, uint64_t source_id, uint64_t first,
                 uint32_t entry_count, uint16_t message_bytes, uint8_t channel)
{
    static uint8_t tail[1u << 16];
    uint32_t used = 0;
    for (uint32_t i = 0; i < entry_count; i++) {
        ASSERT(used + 6u + message_bytes <= sizeof(tail));
        store_le16(tail + used, (uint16_t)(2 + message_bytes));
        store_le16(tail + used + 2, 1);
        store_be16(tail + used + 4, message_bytes);
        memset(tail + used + 6, (int)(first + i), message_bytes);
        used += 6u + message_bytes;
    }
    struct message message = {
        .kind = MESSAGE_PUBLISH,
        .quorum_number = quorum_number,
        .publish = {.source_id = source_id, .first_source_sequence = first, .entry_count = entry_count}};
    return rig_receive(rig, &message, tail, used, channel);
}

const struct rig_sent *rig_last(const struct engine_rig *rig, uint8_t kind)
{
    for (uint32_t i = rig->sent_count; i > 0; i--) {
        if (rig->sent[i - 1].message.kind == kind) {
            return &rig->sent[i - 1];
        }
    }
    return NULL;
}

struct publish_reply rig_reply(struct engine_rig *rig)
{
    rig_turn(rig);
    const struct rig_sent *sent = rig_last(rig, MESSAGE_PUBLISH_REPLY);
    return sent ? sent->message.publish_reply : (struct publish_reply){0};
}
