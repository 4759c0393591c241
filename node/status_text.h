/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TALLY_STATUS_TEXT_H
#define TALLY_STATUS_TEXT_H

#include "node.h"

/* The node's status as text, or as one JSON object: identity, logs, quorums, dataplane and thread counters.
 * NULL, or why it is not whole: a consensus core did not answer within two seconds, or it does not fit. */
const char *status_text_write(struct node *node, bool json, char *text, size_t size);

/* Who leads the quorum as far as this node knows: its id, or 0. */
uint64_t status_leader_of(struct node *node, const char *quorum);

#endif
