/* SPDX-License-Identifier: Apache-2.0 */
/* What a node refuses to start with, and how it says so. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "system_rig.h"
#include "test.h"

/* Runs `tally node` on node 1's configuration to its end; true when it refuses with `text`. */
static bool refuses(struct rig *rig, const char *text)
{
    char config[256];
    char path[256];
    char said[4096] = "";
    cluster_path(rig->cluster, 1, "conf", config, sizeof(config));
    char *arguments[] = {"node", "-c", config, NULL};
    int status = cluster_run(rig->cluster, arguments);
    snprintf(path, sizeof(path), "%.200s/command.log", cluster_directory(rig->cluster));
    FILE *file = fopen(path, "r");
    if (file) {
        said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
        fclose(file);
    }
    bool refused = status > 0 && strstr(said, text);
    if (!refused) {
        rig_print("status %d: %s", status, said);
    }
    return refused;
}

/* Writes over the first line that begins with `key`. */
static bool change_config(struct rig *rig, const char *key, const char *line)
{
    char path[256];
    char text[4096];
    char changed[8192];
    cluster_path(rig->cluster, 1, "conf", path, sizeof(path));
    FILE *file = fopen(path, "r");
    if (!file) {
        return false;
    }
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    char *found = strstr(text, key);
    file = found ? fopen(path, "w") : NULL;
    if (!file) {
        return false;
    }
    snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(found - text), text, line,
             found + strcspn(found, "\n"));
    fputs(changed, file);
    return fclose(file) == 0;
}

static bool swap_tapes(struct rig *rig)
{
    char first[256];
    char second[256];
    cluster_path(rig->cluster, 1, "tape", first, sizeof(first));
    cluster_path(rig->cluster, 2, "tape", second, sizeof(second));
    return rename(second, first) == 0;
}

static struct rig *create(void)
{
    struct rig *rig = rig_begin();
    CHECK(rig_create(rig, &(struct cluster_options){.tape_bytes = 1u << 20}));
    return rig;
}

static void unknown_key(void)
{
    struct rig *rig = create();
    CHECK(change_config(rig, "mbufs = 1024", "mbuffs = 1024"));
    CHECK(refuses(rig, "1.conf:14: [node] mbuffs: unknown key"));
    rig_end(rig);
}

static void bad_value(void)
{
    struct rig *rig = create();
    CHECK(change_config(rig, "profile = shared", "profile = busy"));
    CHECK(refuses(rig, "bad value \"busy\"; allowed: spin | adaptive | shared"));
    rig_end(rig);
}

static void contradiction(void)
{
    struct rig *rig = create();
    CHECK(change_config(rig, "heartbeat_interval", "heartbeat_interval = 100ms"));
    CHECK(refuses(rig, "heartbeat_interval must be below half of election_timeout"));
    rig_end(rig);
}

/* Found out last, when everything else runs already: it ends in order, and leaves no socket. */
static void no_place_for_administration(void)
{
    struct rig *rig = create();
    char path[256];
    CHECK(change_config(rig, "admin_socket", "admin_socket = /nowhere/at/all"));
    CHECK(refuses(rig, "admin_socket /nowhere/at/all"));
    cluster_path(rig->cluster, 1, "shm", path, sizeof(path));
    CHECK(access(path, F_OK) != 0);
    rig_end(rig);
}

static void other_node(void)
{
    struct rig *rig = create();
    CHECK(swap_tapes(rig));
    CHECK(refuses(rig, "node 2"));
    rig_end(rig);
}

static void other_cluster(void)
{
    struct rig *rig = create();
    CHECK(change_config(rig, "id = 1", "id = 77"));
    CHECK(refuses(rig, "cluster 1"));
    rig_end(rig);
}

static void no_tape(void)
{
    struct rig *rig = create();
    char path[256];
    cluster_path(rig->cluster, 1, "tape", path, sizeof(path));
    CHECK(truncate(path, 0) == 0);
    CHECK(refuses(rig, "1.tape"));
    rig_end(rig);
}

static void formatted_over(void)
{
    struct rig *rig = create();
    char config[256];
    cluster_path(rig->cluster, 1, "conf", config, sizeof(config));
    char *arguments[] = {"format", "-c", config, NULL};
    CHECK_EQUAL(cluster_run(rig->cluster, arguments), 1);
    rig_end(rig);
}

/* ramfs has no O_DIRECT; a mount namespace of our own may have one without being root. */
static void no_direct_io(void)
{
    struct rig *rig = create();
    char config[256];
    char line[512];
    char command[2048];
    char said[1024] = "";
    const char *directory = cluster_directory(rig->cluster);
    cluster_path(rig->cluster, 1, "conf", config, sizeof(config));
    snprintf(line, sizeof(line), "path = %s/1.run/1.tape", directory);
    CHECK(change_config(rig, "path = ", line));
    snprintf(command, sizeof(command),
             "mkdir %s/1.run; unshare %s sh -c 'mount -t ramfs none %s/1.run && exec %s format -c %s' 2>&1",
             directory, geteuid() == 0 ? "-m" : "-Urm", directory, cluster_find_program(), config);
    FILE *output = popen(command, "r");
    CHECK(output != NULL);
    said[fread(said, 1, sizeof(said) - 1, output)] = '\0';
    int status = pclose(output);
    rig_print("%s", said);
    CHECK(status != 0);
    CHECK(strstr(said, "O_DIRECT") || strstr(said, "unshare:"));
    rig_end(rig);
}

/* The disk of a voter is lost and made anew under its old name: it must not vote as the node it replaces. */
static void wiped_disk(void)
{
    struct rig *rig = create();
    char path[256];
    char config[256];
    uint64_t leader = 0;
    RIG_CHECK(rig, rig_start(rig, &leader));
    CHECK(rig_publish(rig, RIG_QUORUM, 100, 0));
    CHECK(rig_wait_decided(rig, 100));
    RIG_CHECK(rig, cluster_wait_equal(rig->cluster, RIG_QUORUM, RIG_TIMEOUT_MS));
    uint64_t wiped = leader % 3 + 1;
    cluster_kill(rig->cluster, wiped);
    cluster_path(rig->cluster, wiped, "tape", path, sizeof(path));
    cluster_path(rig->cluster, wiped, "conf", config, sizeof(config));
    CHECK(unlink(path) == 0);
    char *arguments[] = {"format", "-c", config, NULL};
    CHECK_EQUAL(cluster_run(rig->cluster, arguments), 0);
    cluster_kill(rig->cluster, 6 - leader - wiped);
    RIG_CHECK(rig, cluster_start(rig->cluster, wiped));
    RIG_CHECK(rig, cluster_wait_ready(rig->cluster, wiped, RIG_TIMEOUT_MS));
    CHECK(rig_publish(rig, RIG_QUORUM, 200, 0)); /* numbers 1 to 100 are known: only the rest is new */
    uint64_t end_ns = feeder_now_ns() + 1500000000u;
    while (feeder_now_ns() < end_ns) {
        RIG_CHECK(rig, cluster_pause(rig->cluster, 5));
    }
    CHECK_EQUAL(rig->feeder.committed_count, 0);
    rig_end(rig);
}

static const struct test_case cases[] = {
    {"a node that cannot be administered does not run, and leaves no socket", no_place_for_administration},
    {"an unknown key is refused with its line", unknown_key},
    {"a bad value is refused with what is allowed", bad_value},
    {"a contradiction between two keys is refused", contradiction},
    {"the tape of another node is refused", other_node},
    {"the tape of another cluster is refused", other_cluster},
    {"an empty file is not a tape", no_tape},
    {"a tape is never formatted over", formatted_over},
    {"a file system without O_DIRECT is refused", no_direct_io},
    {"a node with a wiped disk does not vote or acknowledge under its old name", wiped_disk},
};

TEST_MAIN(cases)
