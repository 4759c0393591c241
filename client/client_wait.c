/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <time.h>

#include "client.h"

/* Tells every channel that we sleep; what arrives from then on wakes us. */
static uint32_t prepare(struct tally_client *client, struct pollfd *fds, bool *ret_ready)
{
    uint32_t count = 0;
    for (uint32_t node = 0; node < client->node_count; node++) {
        struct transport *transport = client->nodes[node].transport;
        count += transport->operations->prepare_wait(transport, fds + count, ret_ready);
    }
    return count;
}

void tally_wait(struct tally_client *client, uint64_t timeout_ns)
{
    client->now_ns = client->hooks.now_ns(client->hooks.context);
    uint64_t due_ns = earlier(publishing_deadline_ns(client), subscription_deadline_ns(client));
    uint64_t wait_ns = due_ns > client->now_ns ? earlier(due_ns - client->now_ns, timeout_ns) : 0;
    struct pollfd fds[TALLY_NODES_MAX * TRANSPORT_FDS_MAX];
    bool is_ready = false;
    uint32_t count = prepare(client, fds, &is_ready);
    if (!is_ready && wait_ns > 0) {
        struct timespec timeout = {.tv_sec = (time_t)(wait_ns / 1000000000u),
                                   .tv_nsec = (long)(wait_ns % 1000000000u)};
        ppoll(fds, count, &timeout, NULL);
    }
    for (uint32_t node = 0; node < client->node_count; node++) {
        struct transport *transport = client->nodes[node].transport;
        transport->operations->finish_wait(transport);
    }
}
