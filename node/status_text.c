/* SPDX-License-Identifier: Apache-2.0 */
#include "status_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cpu_list.h"
#include "frame.h"
#include "replicator_names.h"

#define COMMAND_TIMEOUT_NS 2000000000ull

/* Text that grows until it is full; what does not fit is cut, and `is_cut` says so. */
struct text {
    char *bytes;
    size_t size;
    size_t used;
    bool is_cut;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(text->bytes + text->used, text->size - text->used, format, arguments);
    va_end(arguments);
    text->is_cut |= (size_t)wanted >= text->size - text->used;
    text->used += (size_t)wanted < text->size - text->used ? (size_t)wanted : text->size - text->used - 1;
}

#define U(value) ((unsigned long long)(value))

/* The status of one consensus core and its quorum at `position`. The memory is the core's until it answers.
 */
static const struct engine_status *ask(struct node *node, unsigned core, uint32_t position)
{
    static struct engine_status statuses[CONSENSUS_CORES_MAX];
    static struct engine_command commands[CONSENSUS_CORES_MAX];
    static bool asked[CONSENSUS_CORES_MAX];
    struct engine_command *command = &commands[core];
    if (asked[core] && !atomic_load(&command->done)) {
        return NULL;
    }
    asked[core] = true;
    command->kind = ENGINE_STATUS;
    command->quorum_position = position;
    command->status = &statuses[core];
    if (consensus_core_command(node->logs[core].core, node->logs[core].lcore, command, COMMAND_TIMEOUT_NS) !=
        0) {
        return NULL;
    }
    return &statuses[core];
}

static const char *sync_name(enum tape_sync sync)
{
    switch (sync) {
    case TAPE_SYNC_FDATASYNC:
        return "fdatasync";
    case TAPE_SYNC_DSYNC:
        return "dsync";
    case TAPE_SYNC_NONE:
        return "none";
    }
    return "unknown";
}

static void put_quorum_json(struct text *text, const struct engine_quorum_status *quorum, bool first)
{
    put(text, "%s{\"name\":\"%s\",\"number\":\"%016llx\",\"role\":\"%s\",\"leader_id\":%llu,\"term\":%llu,",
        first ? "" : ",", quorum->name, U(quorum->quorum_number), replicator_role_name(quorum->role),
        U(quorum->leader_id), U(quorum->term));
    put(text,
        "\"available\":%s,\"last_index\":%llu,\"durable_index\":%llu,\"commit_index\":%llu,\"applied_index\":"
        "%llu,",
        quorum->available ? "true" : "false", U(quorum->last_index), U(quorum->durable_index),
        U(quorum->commit_index), U(quorum->applied_index));
    put(text, "\"next_stream_sequence\":%llu,\"source_count\":%u,\"stream_fault\":%s,\"voters\":[",
        U(quorum->next_stream_sequence), quorum->source_count, quorum->stream_fault ? "true" : "false");
    for (unsigned i = 0; i < quorum->configuration.voter_count; i++) {
        put(text, "%s%llu", i ? "," : "", U(quorum->configuration.voters[i]));
    }
    put(text, "],\"peers\":[");
    for (unsigned i = 0; i < quorum->peer_count; i++) {
        put(text, "%s{\"node_id\":%llu,\"match_index\":%llu,\"durable_index\":%llu}", i ? "," : "",
            U(quorum->peers[i].node_id), U(quorum->peers[i].match_index), U(quorum->peers[i].durable_index));
    }
    put(text, "]}");
}

static void put_quorum(struct text *text, const struct engine_quorum_status *quorum)
{
    put(text, "quorum %s: %s, term %llu, leader ", quorum->name, replicator_role_name(quorum->role),
        U(quorum->term));
    put(text, quorum->leader_id ? "%llu" : "unknown", U(quorum->leader_id));
    put(text, ", last %llu, durable %llu, committed %llu, next sequence %llu%s\n", U(quorum->last_index),
        U(quorum->durable_index), U(quorum->commit_index), U(quorum->next_stream_sequence),
        quorum->stream_fault ? ", STREAM FAULT" : "");
    if (quorum->role == REPLICATOR_LEADER) {
        for (unsigned i = 0; i < quorum->peer_count; i++) {
            put(text, "  node %llu: received %llu, durable %llu\n", U(quorum->peers[i].node_id),
                U(quorum->peers[i].match_index), U(quorum->peers[i].durable_index));
        }
    }
}

static bool put_quorums(struct node *node, bool json, struct text *text)
{
    bool first = true;
    for (unsigned core = 0; core < node->config.log_count; core++) {
        const struct engine_status *status = ask(node, core, 0);
        uint32_t count = status ? status->quorum_count : 0;
        for (uint32_t position = 0; position < count; position++) {
            status = ask(node, core, position);
            if (!status) {
                return false;
            }
            if (json) {
                put_quorum_json(text, &status->quorum, first);
            } else {
                put_quorum(text, &status->quorum);
            }
            first = false;
        }
        if (!status) {
            return false;
        }
    }
    return true;
}

static void put_slow_json(struct text *text, const char *name, const struct slow_write *slow)
{
    put(text, ",\"%s\":{\"queued_ns\":%llu,\"device_ns\":%llu,\"unseen_ns\":%llu,\"cause\":\"%s\"}", name,
        U(slow->queued_ns), U(slow->device_ns), U(slow->unseen_ns), write_cause_name(slow->cause));
}

static void put_writes_json(struct text *text, const struct write_summary *writes, const char *workers)
{
    put(text,
        "\"worker_cpus\":\"%s\",\"writes\":{\"count\":%llu,\"p50_ns\":%llu,\"p99_ns\":%llu,\"max_ns\":%llu,"
        "\"slow_limit_ns\":%llu,\"slow_count\":%llu",
        workers, U(writes->count), U(writes->p50_ns), U(writes->p99_ns), U(writes->maximum_ns),
        U(writes->slow_limit_ns), U(writes->slow_count));
    if (writes->slow_count) {
        put(text, ",\"last_slow_age_ns\":%llu", U(writes->last_age_ns));
        put_slow_json(text, "last_slow", &writes->last);
        put_slow_json(text, "worst_slow", &writes->worst);
    }
    put(text, "}");
}

static void put_slow(struct text *text, const struct slow_write *slow)
{
    put(text, "%.1f ms (queue %.1f, device %.1f, core %.1f): %s",
        (double)(slow->queued_ns + slow->device_ns + slow->unseen_ns) / 1e6, (double)slow->queued_ns / 1e6,
        (double)slow->device_ns / 1e6, (double)slow->unseen_ns / 1e6, write_cause_name(slow->cause));
}

static void put_writes(struct text *text, const struct write_summary *writes, const char *workers)
{
    put(text, "  %llu writes, p50 %.1f us, p99 %.1f us, max %.1f us; workers on CPUs %s\n", U(writes->count),
        (double)writes->p50_ns / 1e3, (double)writes->p99_ns / 1e3, (double)writes->maximum_ns / 1e3,
        workers);
    if (writes->slow_count) {
        put(text, "  %llu writes slower than %.1f ms; last %.1f s ago, ", U(writes->slow_count),
            (double)writes->slow_limit_ns / 1e6, (double)writes->last_age_ns / 1e9);
        put_slow(text, &writes->last);
        put(text, "; worst ");
        put_slow(text, &writes->worst);
        put(text, "\n");
    }
}

static void put_log(struct text *text, const struct config_log *log, const struct engine_status *status,
                    const char *workers, bool json, bool first)
{
    if (json) {
        put(text,
            "%s{\"name\":\"%s\",\"path\":\"%s\",\"size_bytes\":%llu,\"free_bytes\":%llu,\"sync\":\"%s\","
            "\"error\":%d,\"stall_ns\":%llu,\"open_count\":%llu,\"entries\":%llu,\"busy\":%llu,\"refused\":%"
            "llu,"
            "\"publishers\":%u,\"subscribers\":%u,\"commit_p50_ns\":%llu,\"commit_p99_ns\":%llu,"
            "\"commit_max_ns\":%llu,",
            first ? "" : ",", log->name, log->path, U(status->tape.size_bytes), U(status->tape_free_bytes),
            sync_name(status->tape.sync), status->tape_error, U(status->disk_stall_ns),
            U(status->tape.open_count), U(status->entry_count), U(status->busy_count),
            U(status->refused_count), status->publisher_count, status->subscriber_count,
            U(status->commit_p50_ns), U(status->commit_p99_ns), U(status->commit_maximum_ns));
        put_writes_json(text, &status->writes, workers);
        put(text, "}");
        return;
    }
    put(text, "log %s: %s, %llu of %llu MiB free, sync %s", log->name, log->path,
        U(status->tape_free_bytes >> 20), U(status->tape.size_bytes >> 20), sync_name(status->tape.sync));
    put(text, status->tape.sync == TAPE_SYNC_NONE ? " (VOLATILE: a power cut loses what was committed)" : "");
    if (status->disk_stall_ns) {
        put(text, ", a write under way for %.1f ms", (double)status->disk_stall_ns / 1e6);
    }
    put(text, status->tape_error ? ", FAILED: %s\n" : "\n", strerror(-status->tape_error));
    if (status->entry_count) {
        put(text, "  %llu entries published here, arrival to commit p50 %.1f us, p99 %.1f us, max %.1f us\n",
            U(status->entry_count), (double)status->commit_p50_ns / 1e3, (double)status->commit_p99_ns / 1e3,
            (double)status->commit_maximum_ns / 1e3);
    }
    put_writes(text, &status->writes, workers);
}

static bool put_logs(struct node *node, bool json, struct text *text)
{
    for (unsigned core = 0; core < node->config.log_count; core++) {
        const struct engine_status *status = ask(node, core, 0);
        if (!status) {
            return false;
        }
        char workers[CONFIG_TEXT_BYTES] = "any";
        if (CPU_COUNT(&node->logs[core].worker_cpus) > 0) {
            cpu_list_write(&node->logs[core].worker_cpus, workers, sizeof(workers));
        }
        put_log(text, &node->config.logs[core], status, workers, json, core == 0);
    }
    return true;
}

static void put_verdicts(struct text *text, const struct dataplane_counters *counters, bool json)
{
    for (unsigned verdict = 1; verdict < FRAME_VERDICT_COUNT; verdict++) {
        if (json) {
            put(text, ",\"%s\":%llu", frame_verdict_name((enum frame_verdict)verdict),
                U(counters->verdicts[verdict]));
        } else if (counters->verdicts[verdict]) {
            put(text, ", %s %llu", frame_verdict_name((enum frame_verdict)verdict),
                U(counters->verdicts[verdict]));
        }
    }
}

static void put_dataplane(struct node *node, bool json, struct text *text)
{
    for (unsigned core = 0; core < node->config.dataplane_count; core++) {
        const struct dataplane_counters *c = dataplane_counters_of(node->dataplane, core);
        const char *format =
            json ? "%s{\"core\":%u,\"received\":%llu,\"sent\":%llu,\"ring_full\":%llu,\"port_full\":%llu,"
                   "\"no_way\":%llu,\"too_large\":%llu,\"not_ours\":%llu,\"arp_requests\":%llu,\"arp_"
                   "replies\":%llu,"
                   "\"waited_for_buffer\":%llu,\"waited_for_ring\":%llu"
                 : "%sdataplane %u: received %llu, sent %llu; dropped: ring full %llu, port full %llu, no "
                   "way %llu, too "
                   "large %llu, not ours %llu; arp requests %llu, replies %llu; turns waiting for a buffer "
                   "%llu, for a "
                   "ring %llu";
        put(text, format, json && core ? "," : "", core, U(c->received_frames), U(c->sent_frames),
            U(c->dropped_ring_full), U(c->dropped_port_full), U(c->dropped_no_way), U(c->dropped_too_large),
            U(c->not_ours), U(c->arp_requests), U(c->arp_replies), U(c->stalled_no_buffer),
            U(c->stalled_ring_full));
        put_verdicts(text, c, json);
        put(text, json ? "}" : "\n");
    }
}

static void put_threads(struct node *node, bool json, struct text *text)
{
    for (unsigned t = 0; t < node->lcore_count; t++) {
        const struct lcore_counters *c = lcore_counters_of(node->lcores[t]);
        double all = (double)(c->busy_ns + c->idle_ns);
        double busy = all > 0 ? 100.0 * (double)c->busy_ns / all : 0.0;
        put(text,
            json
                ? "%s{\"thread\":%llu,\"cpu\":%llu,\"busy_percent\":%.2f,\"busy_turns\":%llu,\"sleeps\":%llu}"
                : "%sthread %llu: cpu %llu, busy %.2f %%, busy turns %llu, sleeps %llu\n",
            json && t ? "," : "", U(node->config.threads[t].number), U(node->config.threads[t].cpu), busy,
            U(c->busy_turns), U(c->sleeps));
    }
}

const char *status_text_write(struct node *node, bool json, char *bytes, size_t size)
{
    struct text text = {.bytes = bytes, .size = size};
    put(&text,
        json ? "{\"cluster_id\":%llu,\"node_id\":%llu,\"insecure\":true,\"quorums\":["
             : "cluster %llu, node %llu (INSECURE: frames are not sealed)\n",
        U(node->config.cluster_id), U(node->config.node_id));
    bool answered = put_quorums(node, json, &text);
    put(&text, json ? "],\"logs\":[" : "");
    answered = answered && put_logs(node, json, &text);
    put(&text, json ? "],\"dataplane\":[" : "");
    put_dataplane(node, json, &text);
    put(&text, json ? "],\"threads\":[" : "");
    put_threads(node, json, &text);
    put(&text, json ? "]}\n" : "");
    if (!answered) {
        return "a consensus core does not answer; is its disk stalled?";
    }
    return text.is_cut ? "the answer is longer than 64 KiB: too many quorums" : NULL;
}

uint64_t status_leader_of(struct node *node, const char *quorum)
{
    for (unsigned core = 0; core < node->config.log_count; core++) {
        const struct engine_status *status = ask(node, core, 0);
        uint32_t count = status ? status->quorum_count : 0;
        for (uint32_t position = 0; position < count; position++) {
            status = ask(node, core, position);
            if (status && strcmp(status->quorum.name, quorum) == 0) {
                return status->quorum.leader_id;
            }
        }
    }
    return 0;
}
