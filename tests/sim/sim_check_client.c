/* SPDX-License-Identifier: Apache-2.0 */
/* Outcomes: each publish gets exactly one and it is true; each operation stands in the log at most once.
 * Deliveries: every committed entry, in order, each once, and nothing that is not committed. */
#include "sim_check.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

void check_published(struct sim_client *client, uint64_t source_sequence)
{
    if (client->operation_count == client->operation_capacity) {
        client->operation_capacity = client->operation_capacity ? 2 * client->operation_capacity : 256;
        client->operations =
            realloc(client->operations, client->operation_capacity * sizeof(client->operations[0]));
        ASSERT(client->operations != NULL);
    }
    if (client->undecided_count > client->sim->options.in_flight_max) {
        sim_fail(client->sim, SIM_SAFETY, "outcome: publisher %u has more in flight than it may",
                 client->index);
        return;
    }
    client->undecided[client->undecided_count++] = client->operation_count;
    client->operations[client->operation_count++] =
        (struct sim_operation){.source_sequence = source_sequence};
}

/* Operations published before libtally knew the source's place have got their numbers meanwhile: the last
 * ones. */
static void learn_numbers(struct sim_client *client)
{
    const struct publishing *publishing = &client->tally->publishing;
    if (!publishing->is_numbered || client->undecided_count == 0) {
        return;
    }
    uint64_t number = publishing->next;
    for (uint32_t i = client->undecided_count; i > 0 && number > 0; i--) {
        struct sim_operation *operation = &client->operations[client->undecided[i - 1]];
        number--;
        if (operation->source_sequence != 0) {
            return;
        }
        operation->source_sequence = number;
    }
}

/* Takes the undecided operation of that number; NULL: there is none. */
static struct sim_operation *decide(struct sim_client *client, uint64_t source_sequence, uint32_t *ret_number)
{
    for (uint32_t i = 0; i < client->undecided_count; i++) {
        struct sim_operation *operation = &client->operations[client->undecided[i]];
        if (operation->source_sequence == source_sequence) {
            *ret_number = client->undecided[i];
            client->undecided_count--;
            memmove(&client->undecided[i], &client->undecided[i + 1],
                    (client->undecided_count - i) * sizeof(client->undecided[0]));
            return operation;
        }
    }
    return NULL;
}

static void decide_committed(struct sim_client *client, const struct tally_event *event)
{
    for (uint64_t number = event->first_source_sequence; number <= event->source_sequence; number++) {
        uint32_t place = 0;
        struct sim_operation *operation = decide(client, number, &place);
        if (!operation) {
            sim_fail(client->sim, SIM_SAFETY,
                     "outcome: publisher %u is told of entry %lu, which is decided or unknown", client->index,
                     number);
            return;
        }
        operation->state = OPERATION_COMMITTED;
        bool is_last = number == event->source_sequence;
        if (operation->committed_index == 0 || (is_last && operation->committed_index != event->index)) {
            sim_fail(client->sim, SIM_SAFETY,
                     "outcome: publisher %u is told that entry %lu (operation %u) is committed at %lu, the "
                     "log has it "
                     "at %lu (0: nowhere)",
                     client->index, number, place, event->index, operation->committed_index);
        }
    }
}

static void decide_other(struct sim_client *client, uint64_t source_sequence, enum operation_state state)
{
    uint32_t place = 0;
    struct sim_operation *operation = decide(client, source_sequence, &place);
    if (!operation) {
        sim_fail(client->sim, SIM_SAFETY,
                 "outcome: publisher %u is told of entry %lu, which is decided or unknown", client->index,
                 source_sequence);
        return;
    }
    operation->state = state;
    if (state == OPERATION_REFUSED && operation->committed_index != 0) {
        sim_fail(client->sim, SIM_SAFETY,
                 "outcome: publisher %u is told that operation %u is refused, it is committed", client->index,
                 place);
    }
}

static void check_delivered(struct sim_client *client, const struct tally_event *event)
{
    struct sim *sim = client->sim;
    const struct seen_entry *committed = truth_committed(&sim->truths[client->quorum], event->index);
    sim->counters.delivered++;
    if (event->index != client->next_index) {
        sim_fail(sim, SIM_SAFETY, "delivery: entry %lu came, expected %lu", event->index, client->next_index);
    } else if (!committed) {
        sim_fail(sim, SIM_SAFETY, "delivery: entry %lu is not committed", event->index);
    } else if (committed->crc != load_le32(event->record) || committed->term != event->term) {
        sim_fail(sim, SIM_SAFETY, "delivery: entry %lu is not the one that is committed", event->index);
    }
    client->next_index = event->index + 1;
}

void check_client_event(void *context, const struct tally_event *event)
{
    struct sim_client *client = context;
    learn_numbers(client);
    sim_trace(client->sim, TRACE_OUTCOME, client->index, event->kind, event->source_sequence, event->index);
    switch (event->kind) {
    case TALLY_COMMITTED:
        decide_committed(client, event);
        break;
    case TALLY_REFUSED:
        decide_other(client, event->source_sequence, OPERATION_REFUSED);
        break;
    case TALLY_GIVEN_UP:
        decide_other(client, event->source_sequence, OPERATION_UNKNOWN);
        break;
    case TALLY_DELIVERED:
        check_delivered(client, event);
        break;
    case TALLY_RECEIPT:
    case TALLY_LEADER:
    case TALLY_PROBLEM:
        break;
    }
}

void check_operation_committed(struct sim *sim, uint32_t quorum, const struct seen_entry *entry)
{
    uint32_t index = (uint32_t)(entry->operation >> 32);
    uint32_t place = (uint32_t)entry->operation;
    struct sim_client *client = &sim->clients[index];
    if (index >= sim->options.publisher_count || place >= client->operation_count ||
        client->quorum != quorum || client->source_id != entry->source_id) {
        sim_fail(sim, SIM_SAFETY, "commit: entry %lu was never published", entry->index);
        return;
    }
    struct sim_operation *operation = &client->operations[place];
    if (operation->committed_index != 0) {
        sim_fail(sim, SIM_SAFETY, "exactly once: operation %u of publisher %u is committed at %lu and %lu",
                 place, index, operation->committed_index, entry->index);
    }
    if (operation->state == OPERATION_REFUSED) {
        sim_fail(sim, SIM_SAFETY, "outcome: operation %u of publisher %u was refused and is committed at %lu",
                 place, index, entry->index);
    }
    operation->committed_index = entry->index;
}
