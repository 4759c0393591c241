/* SPDX-License-Identifier: Apache-2.0 */
/* A consensus core: an engine between its end of the dataplane's rings and its tape. */
#ifndef TALLY_CONSENSUS_CORE_H
#define TALLY_CONSENSUS_CORE_H

#include "dataplane.h"
#include "engine.h"
#include "lcore.h"
#include "routes.h"

struct consensus_core;

/* `engine_options` without port and wall clock, which are filled in. The verdict is the tape's. */
enum tape_verdict consensus_core_create(struct arena *arena, unsigned index, struct dataplane *dataplane,
                                        struct routes *routes, const struct engine_options *engine_options,
                                        struct consensus_core **ret_core, struct tape_report *ret_report);

/* The lcore's parts: the turn, and the log's write, which comes after the dataplane has had its turn. */
struct lcore_part consensus_core_part(struct consensus_core *core);
struct lcore_part consensus_core_log_part(struct consensus_core *core);

/* ---- the control thread ---- */

/* Hands a command over and waits for it, at most `timeout_ns`; then -ETIMEDOUT, and the command stays the
 * core's until its `done` is set. `lcore` is woken. */
int consensus_core_command(struct consensus_core *core, struct lcore *lcore, struct engine_command *command,
                           uint64_t timeout_ns);
bool consensus_core_next_event(struct consensus_core *core, struct engine_event *ret_event);
struct tape *consensus_core_tape(struct consensus_core *core);

#endif
