/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster of real node processes on this machine, for the demo, the kill program, the system tests and the
 * benchmark. Everything lies in one fresh directory: node N has N.conf, N.tape, N.log, N.admin, N.shm.
 * Nothing of it, process or file, outlives the calling process (child.h). One cluster at a time; main thread
 * only, except cluster_endpoints, whose result any thread may use.
 *
 * Functions that return bool say in cluster_error what went wrong. All waiting goes by answers of the nodes
 * and by process ids, never by a fixed time; every wait also notices a node that ended by itself and then
 * fails. */
#ifndef TALLY_CLUSTER_H
#define TALLY_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "tally.h"

#define CLUSTER_NODES_MAX   7
#define CLUSTER_ERROR_BYTES 4096

/* af_packet: veth pairs on a bridge; needs cluster_enter_namespace. */
enum cluster_port { CLUSTER_SHM, CLUSTER_AF_PACKET };

/* Dataplane and consensus cores of each node; every part but those of FUSED has its own thread. */
enum cluster_shape { CLUSTER_FUSED, CLUSTER_1_1, CLUSTER_2_1, CLUSTER_2_2 };

struct cluster_options {
    const char *program; /* the tally binary; NULL: see cluster_find_program */
    const char *
        parent; /* of the directory; NULL: $TALLY_DIR, /var/tmp or the present one, the first with O_DIRECT */
    unsigned node_count; /* 0: 3 */
    enum cluster_port port;
    enum cluster_shape shape;
    uint64_t cluster_id;          /* 0: 1 */
    uint64_t tape_bytes;          /* of each log; rounded up to a chunk; 0: 64 MiB */
    uint32_t chunk_bytes;         /* 0: 256 KiB */
    uint32_t tape_memory_bytes;   /* 0: 2 MiB, so that three nodes stay below 8 MiB of locked memory a user */
    const char *sync;             /* 0: "fdatasync" */
    const char *profile;          /* of every thread; 0: "shared" */
    unsigned election_timeout_ms; /* 0: 150 */
    unsigned heartbeat_interval_ms; /* 0: a fifth of it */
};

struct cluster;

/* "shm", "af_packet"; false: no such port. */
bool cluster_port_of_name(const char *name, enum cluster_port *ret_port);

/* "tally" beside this program, in ../node of its directory, or two levels up; NULL: not there. */
const char *cluster_find_program(void);

/* For af_packet, before any thread is started: a network namespace of our own (as root), and a user namespace
 * with it (as anybody else). False: `error` (CLUSTER_ERROR_BYTES) says what the machine refuses. */
bool cluster_enter_namespace(char *error);

/* Directory, configurations, network; formats all tapes. NULL: `error` (CLUSTER_ERROR_BYTES) says why. */
struct cluster *cluster_create(const struct cluster_options *options, char *error);
/* Kills what runs and removes the directory (keep: leaves it, for a look at its files). */
void cluster_destroy(struct cluster *cluster, bool keep);

const char *cluster_error(const struct cluster *cluster);
const char *cluster_directory(const struct cluster *cluster);
unsigned cluster_node_count(const struct cluster *cluster);

/* What a libtally client needs; lives as long as the cluster. */
const struct tally_endpoint *cluster_endpoints(const struct cluster *cluster);

/* Path of a node's file: "conf", "log", "tape" (the tape of its first log), "1.tape" (of its second one). */
void cluster_path(const struct cluster *cluster, uint64_t node_id, const char *what, char *path,
                  unsigned path_bytes);

/* ---- processes ---- */

bool cluster_start(struct cluster *cluster, uint64_t node_id); /* does not wait until it serves */
bool cluster_start_all(struct cluster *cluster);               /* and waits until all serve */
void cluster_kill(struct cluster *cluster, uint64_t node_id);  /* SIGKILL, gone on return */
bool cluster_stop(struct cluster *cluster, uint64_t node_id);  /* SIGTERM; false: it did not end well */
bool cluster_stop_all(struct cluster *cluster);
bool cluster_is_running(const struct cluster *cluster, uint64_t node_id);

/* False: a node that was neither killed nor stopped has ended; the error has its log's last lines. */
bool cluster_check(struct cluster *cluster);
/* The same, and spends up to `pause_ms` on it: returns early when a node ends. */
bool cluster_pause(struct cluster *cluster, int pause_ms);

/* Runs the tally program with `arguments` (NULL-terminated, without its name) to its end; output goes to the
 * file "command.log", anew. Returns its exit status, -1 when it did not exit by itself. */
int cluster_run(struct cluster *cluster, char *const *arguments);

/* ---- what the nodes say ---- */

struct cluster_status {
    char role[16];
    uint64_t leader_id;
    uint64_t term;
    uint64_t last_index;
    uint64_t durable_index;
    uint64_t commit_index;
    uint64_t next_stream_sequence;
    uint64_t free_bytes; /* of the first log's tape */
    bool available;
};

/* False: no answer, or the node does not know the quorum; no error is kept for it. */
bool cluster_status(struct cluster *cluster, uint64_t node_id, const char *quorum,
                    struct cluster_status *ret_status);

/* The node that says it leads, with the highest term; 0: nobody does. One round of questions. */
uint64_t cluster_leader(struct cluster *cluster, const char *quorum);

bool cluster_bootstrap(struct cluster *cluster, const char *quorum);
bool cluster_wait_ready(struct cluster *cluster, uint64_t node_id, unsigned timeout_ms);
bool cluster_wait_leader(struct cluster *cluster, const char *quorum, unsigned timeout_ms,
                         uint64_t *ret_node_id);
/* Writes what every running node says of itself (`tally status`) to standard error: for failures. */
void cluster_describe(struct cluster *cluster);

/* Until every running node has committed all that the leader's log holds, and the leader's log has stood
 * still. */
bool cluster_wait_equal(struct cluster *cluster, const char *quorum, unsigned timeout_ms);

/* `tally log export` of a node that is stopped, from whichever of its tapes has the quorum, to "N.export". */
bool cluster_export(struct cluster *cluster, uint64_t node_id, const char *quorum);

#endif
