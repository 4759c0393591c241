/* SPDX-License-Identifier: Apache-2.0 */
#include "engine_internal.h"

#include <errno.h>
#include <string.h>

#include "check.h"
#include "quorum_number.h"

static uint64_t number_of(const struct engine *engine, const char *name, const struct configuration *voters)
{
    return quorum_number(engine->options.cluster_id, name, strlen(name), voters->voters, voters->voter_count);
}

struct engine_quorum *engine_find_by_name(struct engine *engine, const uint8_t *name, size_t name_bytes)
{
    for (uint32_t i = 0; i < engine->quorum_count; i++) {
        struct engine_quorum *quorum = &engine->quorums[i];
        if (strlen(quorum->name) == name_bytes && memcmp(quorum->name, name, name_bytes) == 0) {
            return quorum;
        }
    }
    return NULL;
}

struct engine_quorum *engine_open_quorum(struct engine *engine, const struct recovered_quorum *recovered)
{
    struct replicator_restart restart = recovery_restart(recovered);
    /* The host gives slots in order; what its first events name must be there before it speaks. */
    struct engine_quorum *quorum = &engine->quorums[engine->quorum_count];
    strcpy(quorum->name, recovered->name);
    quorum->number = recovered->number;
    uint32_t slot = host_open_quorum(engine->host, recovered->number, &restart, recovered->last_log_time_ns,
                                     engine->now_ns);
    if (slot == HOST_NO_SLOT) {
        return NULL;
    }
    ASSERT(slot == engine->quorum_count);
    for (uint32_t i = 0; i < recovered->peer_count; i++) {
        host_restore_peer(engine->host, slot, recovered->peers[i].node_id, recovered->peers[i].incarnation);
    }
    stream_state_init(quorum->committed);
    tape_cursor_init(&quorum->applier_cursor, quorum->number);
    tape_cursor_init(&quorum->tail_cursor, quorum->number);
    engine->quorum_count = slot + 1;
    return quorum;
}

/* Binds name and number to this log, durably with the next write, and opens the quorum. NULL: -error. */
static struct engine_quorum *bind_quorum(struct engine *engine, const char *name,
                                         const struct configuration *voters, int *ret_error)
{
    uint64_t number = number_of(engine, name, voters);
    struct engine_quorum *known = engine_find_by_name(engine, (const uint8_t *)name, strlen(name));
    if (known) {
        *ret_error = known->number == number ? 0 : -EEXIST;
        return known->number == number ? known : NULL;
    }
    if (engine->quorum_count == engine->options.quorum_count_max) {
        *ret_error = -EUSERS;
        return NULL;
    }
    uint8_t payload[QUORUM_PAYLOAD_BYTES_MAX];
    size_t payload_bytes = quorum_payload_encode(voters, name, payload);
    uint8_t *place = tape_reserve(engine->tape, payload_bytes, false, ret_error);
    if (!place) {
        return NULL;
    }
    memcpy(place + RECORD_HEAD_BYTES, payload, payload_bytes);
    struct record_head head = {.type = RECORD_QUORUM, .quorum_number = number};
    record_finish(place, &head, payload_bytes);
    tape_append(engine->tape);
    static _Thread_local struct recovered_quorum fresh;
    memset(&fresh, 0, sizeof(fresh));
    fresh.number = number;
    strcpy(fresh.name, name);
    *ret_error = 0;
    return engine_open_quorum(engine, &fresh);
}

void engine_bootstrap(struct engine *engine, struct engine_command *command)
{
    if (!quorum_name_is_legal(command->name, strlen(command->name))) {
        command->error = -EINVAL;
        return;
    }
    if (!configuration_has_voter(&command->voters, engine->options.node_id)) {
        command->refusal = REPLICATOR_NOT_IN_SET;
        return;
    }
    struct engine_quorum *quorum = bind_quorum(engine, command->name, &command->voters, &command->error);
    if (quorum) {
        command->refusal = host_bootstrap(engine->host, engine_slot_of(engine, quorum), &command->voters,
                                          quorum->name, engine->now_ns);
    }
}

/* Asks the leader for the log's beginning: nothing is promised and nothing known of this quorum's terms. */
static void ask_for_beginning(struct engine *engine, const struct message *message)
{
    const struct engine_port *port = &engine->options.port;
    uint32_t capacity = 0;
    if (!port->begin(port->context, message->sender_id, NULL, 0, &capacity)) {
        return;
    }
    struct message reply = {
        .kind = MESSAGE_APPEND_ENTRIES_REPLY,
        .in_reply = 1,
        .message_id = message->message_id,
        .sender_id = engine->options.node_id,
        .receiver_id = message->sender_id,
        .quorum_number = message->quorum_number,
        .incarnation = engine->incarnation,
        .append_entries_reply = {.term = message->append_entries.term,
                                 .next_index_hint = 1,
                                 .refused_prev_index = message->append_entries.prev_log_index},
    };
    port->send(port->context, &reply, 0);
}

/* Rule 8: nodes were bootstrapped with different sets. It comes again with every append; it is said once. */
static void name_taken_tell(struct engine *engine, struct engine_quorum *quorum,
                            const struct message *message)
{
    if (quorum->name_taken_told) {
        return;
    }
    quorum->name_taken_told = true;
    struct engine_event told = {.quorum_number = quorum->number,
                                .event = {.kind = EVENT_NAME_TAKEN,
                                          .node_id = message->sender_id,
                                          .term = message->append_entries.term,
                                          .index = message->quorum_number}};
    strcpy(told.name, quorum->name);
    spsc_push(&engine->events, &told);
}

bool engine_receive_unknown(struct engine *engine, const struct message *message, const uint8_t *tail,
                            uint32_t tail_bytes)
{
    struct record_head head;
    struct configuration voters;
    char name[QUORUM_NAME_BYTES_MAX + 1];
    int error = 0;
    if (message->kind != MESSAGE_APPEND_ENTRIES) {
        return true;
    }
    if (message->append_entries.prev_log_index != 0 || tail_bytes == 0) {
        ask_for_beginning(engine, message);
        return true;
    }
    if (record_check(tail, tail_bytes, &head) != RECORD_GOOD || head.type != RECORD_CONFIGURATION ||
        head.index != 1 ||
        !quorum_payload_decode(tail + RECORD_HEAD_BYTES, head.length - (size_t)RECORD_HEAD_BYTES, &voters,
                               name) ||
        number_of(engine, name, &voters) != message->quorum_number) {
        engine->refused_count++;
        return true;
    }
    struct engine_quorum *quorum = bind_quorum(engine, name, &voters, &error);
    if (!quorum) {
        if (error == -EEXIST) {
            name_taken_tell(engine, engine_find_by_name(engine, (const uint8_t *)name, strlen(name)),
                            message);
        }
        engine->refused_count++;
        return error != -EBUSY;
    }
    return host_receive(engine->host, engine_slot_of(engine, quorum), message, tail, tail_bytes,
                        engine->now_ns) != HOST_BUSY;
}
