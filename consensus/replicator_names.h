/* SPDX-License-Identifier: Apache-2.0 */
/* Words for what the core says in numbers: for logs, status and scenarios. Any number has one. */
#ifndef TALLY_REPLICATOR_NAMES_H
#define TALLY_REPLICATOR_NAMES_H

#include <stdint.h>

const char *replicator_role_name(uint64_t role);       /* enum replicator_role */
const char *replicator_failure_name(uint64_t failure); /* enum replicator_failure */
const char *replicator_event_name(uint64_t kind);      /* enum replicator_event_kind */

#endif
