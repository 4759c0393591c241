/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one named operation a given number of times, for bench/instructions, which counts its instructions
 * under valgrind: what is counted happens inside operation_run, and nothing else does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec_rig.h"
#include "null_tape.h"
#include "replicator_rig.h"

#define BATCH_COUNT   64
#define PAYLOAD_BYTES 256

static struct replicator_rig *replicators;
static struct codec_rig *codec;
static struct null_tape *tape;

static void follower_append(void)
{
    replicator_rig_follow(replicators, BATCH_COUNT);
}

static void leader_acknowledgement(void)
{
    replicator_rig_acknowledge(replicators, BATCH_COUNT);
}

static void leader_submit(void)
{
    replicator_rig_submit(replicators, BATCH_COUNT);
}

static void leader_idle_tick(void)
{
    replicator_rig_tick_leader(replicators);
}

static void follower_idle_tick(void)
{
    replicator_rig_tick_follower(replicators);
}

static void commit_1(void)
{
    replicator_rig_commit(replicators, 1);
}

static void commit_64(void)
{
    replicator_rig_commit(replicators, BATCH_COUNT);
}

static void encode_append(void)
{
    codec_rig_encode(codec, CODEC_RIG_APPEND);
}

static void decode_append(void)
{
    codec_rig_decode(codec, CODEC_RIG_APPEND);
}

static void encode_append_reply(void)
{
    codec_rig_encode(codec, CODEC_RIG_APPEND_REPLY);
}

static void decode_append_reply(void)
{
    codec_rig_decode(codec, CODEC_RIG_APPEND_REPLY);
}

static void decode_publish(void)
{
    codec_rig_decode(codec, CODEC_RIG_PUBLISH);
}

static void tape_append_1(void)
{
    null_tape_append(tape, 1, PAYLOAD_BYTES);
}

static void tape_append_64(void)
{
    null_tape_append(tape, BATCH_COUNT, PAYLOAD_BYTES);
}

static const struct operation {
    const char *name;
    void (*run)(void);
    unsigned entry_count; /* 0: it is not about entries */
} operations[] = {
    {"follower_append", follower_append, BATCH_COUNT},
    {"leader_acknowledgement", leader_acknowledgement, BATCH_COUNT},
    {"leader_submit", leader_submit, BATCH_COUNT},
    {"leader_idle_tick", leader_idle_tick, 0},
    {"follower_idle_tick", follower_idle_tick, 0},
    {"three_nodes_commit_1", commit_1, 1},
    {"three_nodes_commit_64", commit_64, BATCH_COUNT},
    {"encode_append", encode_append, 0},
    {"decode_append", decode_append, 0},
    {"encode_append_reply", encode_append_reply, 0},
    {"decode_append_reply", decode_append_reply, 0},
    {"decode_publish", decode_publish, 0},
    {"tape_append_1", tape_append_1, 1},
    {"tape_append_64", tape_append_64, BATCH_COUNT},
};
#define OPERATION_COUNT (sizeof(operations) / sizeof(operations[0]))

/* Not static and not inlined: valgrind finds it by name. */
void operation_run(const struct operation *operation, unsigned long count);

__attribute__((noinline)) void operation_run(const struct operation *operation, unsigned long count)
{
    for (unsigned long i = 0; i < count; i++) {
        operation->run();
    }
}

static int list_operations(void)
{
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        printf("%s %u\n", operations[i].name, operations[i].entry_count);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        return list_operations();
    }
    for (size_t i = 0; argc == 3 && i < OPERATION_COUNT; i++) {
        if (strcmp(argv[1], operations[i].name) == 0) {
            replicators = replicator_rig_create();
            codec = codec_rig_create();
            tape = null_tape_create();
            operations[i].run(); /* what happens only once */
            operation_run(&operations[i], strtoul(argv[2], NULL, 10));
            null_tape_destroy(tape);
            codec_rig_destroy(codec);
            replicator_rig_destroy(replicators);
            return 0;
        }
    }
    fprintf(stderr, "usage: %s OPERATION COUNT | --list\n", argv[0]);
    return 2;
}
