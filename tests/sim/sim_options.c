/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_options.h"

#include "bounds.h"
#include "prng.h"

static uint64_t between(struct prng *prng, uint64_t least, uint64_t most)
{
    return least + prng_below(prng, most - least + 1);
}

static bool one_in(struct prng *prng, uint64_t count)
{
    return prng_below(prng, count) == 0;
}

/* Off in one run of three, extreme in one of six, somewhere below `usual` otherwise. */
static uint32_t draw_ppm(struct prng *prng, uint32_t usual, uint32_t extreme)
{
    uint64_t kind = prng_below(prng, 6);
    return kind < 2 ? 0 : kind == 2 ? extreme : (uint32_t)between(prng, 1, usual);
}

/* The same for the time between two faults of a kind. */
static uint64_t draw_interval(struct prng *prng, uint64_t usual_ns, uint64_t extreme_ns)
{
    uint64_t kind = prng_below(prng, 6);
    return kind < 3 ? 0 : kind == 3 ? extreme_ns : between(prng, usual_ns / 2, 2 * usual_ns);
}

static void draw_cluster(struct sim_options *options, struct prng *prng)
{
    options->node_count = one_in(prng, 5) ? 5 : 3;
    options->quorum_count = one_in(prng, 3) ? (uint32_t)between(prng, 2, SIM_QUORUMS_MAX) : 1;
    options->bootstrap_count =
        one_in(prng, 2) ? options->node_count
                        : (uint32_t)between(prng, options->node_count / 2 + 1, options->node_count);
    options->election_timeout_ns = between(prng, 20, 150) * MILLISECOND;
    options->heartbeat_interval_ns = options->election_timeout_ns / between(prng, 4, 10);
    options->retransmit_timeout_ns = between(prng, 2, 20) * MILLISECOND;
    options->disk_stall_limit_ns = options->election_timeout_ns * between(prng, 1, 4);
    options->commit_news_delay_ns = one_in(prng, 2) ? 0 : between(prng, 10, 5000) * MICROSECOND;
    options->fills_tape = one_in(prng, 12);
    options->chunk_bytes = 64u << 10;
    options->block_bytes = one_in(prng, 4) ? 4096 : 512;
    options->tape_bytes =
        options->block_bytes == 4096 ? 16u << 20 : 6u << 20; /* a write takes a block at least */
    if (options->fills_tape) {
        options->tape_bytes /= 6;
        options->tape_bytes -= options->tape_bytes % options->chunk_bytes;
    }
    options->memory_chunks = (uint32_t)between(prng, 4, 8);
    options->frame_bytes_max = one_in(prng, 3) ? FRAME_BYTES_MAX : FRAME_BYTES_MAX_1500;
    options->turn_ns = between(prng, 1, 50) * MICROSECOND;
}

static void draw_clients(struct sim_options *options, struct prng *prng)
{
    static const uint32_t windows[] = {1, 8, 64, 256};
    options->publisher_count = (uint32_t)between(prng, 1, SIM_PUBLISHERS_MAX);
    if (options->publisher_count < options->quorum_count) {
        options->publisher_count = options->quorum_count;
    }
    options->operation_count = 2000;
    options->in_flight_max = windows[prng_below(prng, 4)];
    options->burst_max = (uint32_t)between(prng, 1, 40);
    options->message_bytes_max = (uint32_t)between(prng, 8, one_in(prng, 4) ? 600 : 120);
    options->publish_interval_ns = between(prng, 200, 4000) * MICROSECOND;
    options->retry_ns = between(prng, 5, 40) * MILLISECOND;
    options->give_up_ns = one_in(prng, 3) ? between(prng, 100, 1000) * MILLISECOND : 0;
    options->connected = one_in(prng, 2);
}

static void draw_network(struct sim_options *options, struct prng *prng)
{
    options->delay_min_ns = between(prng, 2, 200) * MICROSECOND;
    options->delay_spread_ns = one_in(prng, 3) ? 0 : between(prng, 1, 2000) * MICROSECOND;
    options->keeps_order = !one_in(prng, 4);
    options->loss_ppm = draw_ppm(prng, 20000, 200000);
    options->duplicate_ppm = draw_ppm(prng, 20000, 200000);
    options->late_ppm = draw_ppm(prng, 5000, 50000);
    options->late_ns = between(prng, 1, 300) * MILLISECOND;
    options->cut_short_ppm = draw_ppm(prng, 1000, 20000);
    options->no_room_ppm = draw_ppm(prng, 5000, 100000);
}

static void draw_disks(struct sim_options *options, struct prng *prng)
{
    options->write_min_ns = between(prng, 5, 500) * MICROSECOND;
    options->write_spread_ns = one_in(prng, 3) ? 0 : between(prng, 1, 5000) * MICROSECOND;
    options->slow_write_ppm = draw_ppm(prng, 5000, 50000);
    options->slow_write_ns = between(prng, 5, 200) * MILLISECOND;
}

static void draw_faults(struct sim_options *options, struct prng *prng)
{
    options->safety_ns = between(prng, 3000, 6000) * MILLISECOND;
    options->crash_interval_ns = draw_interval(prng, 500 * MILLISECOND, 100 * MILLISECOND);
    options->power_cut_interval_ns = draw_interval(prng, 2 * SECOND, 500 * MILLISECOND);
    options->partition_interval_ns = draw_interval(prng, 700 * MILLISECOND, 100 * MILLISECOND);
    options->one_way_interval_ns = draw_interval(prng, 500 * MILLISECOND, 50 * MILLISECOND);
    options->isolate_leader_interval_ns = draw_interval(prng, 700 * MILLISECOND, 200 * MILLISECOND);
    options->disk_stall_interval_ns = draw_interval(prng, 700 * MILLISECOND, 200 * MILLISECOND);
    options->disk_error_interval_ns = draw_interval(prng, 2 * SECOND, 500 * MILLISECOND);
    options->pause_interval_ns = draw_interval(prng, 700 * MILLISECOND, 100 * MILLISECOND);
    options->client_restart_interval_ns = draw_interval(prng, 1 * SECOND, 200 * MILLISECOND);
    options->down_ns = between(prng, 1, 600) * MILLISECOND;
    options->fault_ns = between(prng, 10, 800) * MILLISECOND;
    options->liveness_ns = 5 * SECOND;
}

void sim_options_draw(struct sim_options *options, uint64_t seed)
{
    struct prng prng = {.state = seed ^ 0x6F7074696F6E73u};
    *options = (struct sim_options){0};
    draw_cluster(options, &prng);
    draw_clients(options, &prng);
    draw_network(options, &prng);
    draw_disks(options, &prng);
    draw_faults(options, &prng);
}

void sim_options_make_late(struct sim_options *options)
{
    options->late_clients = true;
    options->connected = false;
    options->client_restart_interval_ns = 3 * SECOND; /* longer than it takes a life to settle */
    options->down_ns = options->down_ns < 20 * MILLISECOND ? options->down_ns : 20 * MILLISECOND;
}
