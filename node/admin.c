/* SPDX-License-Identifier: Apache-2.0 */
#include "admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "status_text.h"

#define COMMAND_TIMEOUT_NS 2000000000ull

/* Commands in the hands of a consensus core that does not answer must outlive the request: one of each kind.
 */
static struct engine_command bootstrap_command = {.done = true};

static void answer_with(char *answer, int status, const char *text)
{
    snprintf(answer, ADMIN_ANSWER_BYTES, "%d\n%s\n", status, text);
}

/* "1,2,3" */
static bool parse_voters(const char *text, struct configuration *ret_voters)
{
    uint64_t ids[VOTERS_MAX];
    size_t count = 0;
    const char *at = text;
    while (count < VOTERS_MAX) {
        char *end = NULL;
        errno = 0;
        ids[count++] = strtoull(at, &end, 10);
        if (end == at || errno != 0 || (*end != ',' && *end != '\0')) {
            return false;
        }
        if (*end == '\0') {
            return configuration_init_stable(ret_voters, ids, count);
        }
        at = end + 1;
    }
    return false;
}

static const char *bootstrap_failure(const struct engine_command *command)
{
    if (command->error == -EEXIST) {
        return "a quorum of this name with other voters is already here";
    }
    if (command->error == -ENOSPC) {
        return "the tape is full";
    }
    if (command->error == -EUSERS) {
        return "no place for another quorum; raise [cluster] quorums";
    }
    if (command->error == -EINVAL) {
        return "the quorum's name must be 1 to 64 of a-z A-Z 0-9 . _ -";
    }
    if (command->error != 0) {
        return strerror(-command->error);
    }
    switch (command->refusal) {
    case REPLICATOR_ACCEPTED:
    case REPLICATOR_ALREADY_BOOTSTRAPPED:
        return NULL;
    case REPLICATOR_NOT_IN_SET:
        return "this node is not among the voters";
    case REPLICATOR_NOT_LEADER:
    case REPLICATOR_BUSY:
        return "busy, try again";
    case REPLICATOR_STOPPED:
        return "the quorum has failed on this node";
    }
    return "unknown";
}

static void execute_bootstrap(struct node *node, const char *arguments, char *answer)
{
    struct engine_command *command = &bootstrap_command;
    struct configuration voters;
    char name[QUORUM_NAME_BYTES_MAX + 1];
    char list[256];
    char rest = 0;
    if (sscanf(arguments, "%64s %255s %c", name, list, &rest) != 2) {
        answer_with(answer, 2, "usage: bootstrap QUORUM ID,ID,...");
        return;
    }
    if (!parse_voters(list, &voters)) {
        answer_with(answer, 2, "voters: 1 to 7 different node ids, none 0, separated by commas");
        return;
    }
    if (!atomic_load(&command->done)) {
        answer_with(answer, 1, "the bootstrap before has not been answered; is the disk stalled?");
        return;
    }
    command->kind = ENGINE_BOOTSTRAP;
    command->voters = voters;
    command->refusal = REPLICATOR_ACCEPTED;
    command->error = 0;
    strcpy(command->name, name);
    unsigned core = routes_find(node->routes, route_key_of_name((const uint8_t *)name, strlen(name)));
    int error =
        consensus_core_command(node->logs[core].core, node->logs[core].lcore, command, COMMAND_TIMEOUT_NS);
    const char *failure = error ? strerror(-error) : bootstrap_failure(command);
    if (failure) {
        answer_with(answer, 1, failure);
    } else {
        answer_with(answer, 0,
                    command->refusal == REPLICATOR_ACCEPTED ? "bootstrapped" : "already bootstrapped");
    }
}

void admin_execute(struct node *node, const char *request, char answer[ADMIN_ANSWER_BYTES])
{
    if (strcmp(request, "status") == 0 || strcmp(request, "status --json") == 0) {
        bool json = request[6] != '\0';
        answer[0] = '\0';
        int used = snprintf(answer, ADMIN_ANSWER_BYTES, "0\n");
        const char *failure = status_text_write(node, json, answer + used, ADMIN_ANSWER_BYTES - (size_t)used);
        if (failure) {
            answer_with(answer, 1, failure);
        }
    } else if (strncmp(request, "bootstrap ", 10) == 0) {
        execute_bootstrap(node, request + 10, answer);
    } else {
        answer_with(answer, 2,
                    "unknown request; known: status [--json], bootstrap QUORUM ID,..., @ID REQUEST, "
                    "@leader QUORUM REQUEST");
    }
}
