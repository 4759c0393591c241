/* SPDX-License-Identifier: Apache-2.0 */
/* Administration of a running node, on its control thread: requests are lines of text, from the Unix socket
 * or, inside frames, from another node; the answer's first line is an exit status.
 *
 *   status [--json]                     this node and its quorums
 *   bootstrap QUORUM ID,ID,...          the quorum's first entry, here
 *   @ID REQUEST                         the request, carried out by node ID
 *   @leader QUORUM REQUEST              the request, carried out by whoever leads the quorum
 */
#ifndef TALLY_ADMIN_H
#define TALLY_ADMIN_H

#include "node.h"

#define ADMIN_REQUEST_BYTES 512
#define ADMIN_ANSWER_BYTES  65536

/* Carries out a request that is for this node; the answer (with its status line) is NUL-terminated. */
void admin_execute(struct node *node, const char *request, char answer[ADMIN_ANSWER_BYTES]);

struct admin_server;

/* Listens at the configured socket. NULL with one line in `error_text`. */
struct admin_server *admin_server_create(struct node *node, char *error_text);
int admin_server_fd(const struct admin_server *server); /* an epoll fd: readable when a turn has work */
/* Serves connections, and requests and answers of other nodes. */
void admin_server_poll(struct admin_server *server, uint64_t now_ns);
void admin_server_destroy(struct admin_server *server);

#endif
