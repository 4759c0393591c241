/* SPDX-License-Identifier: Apache-2.0 */
/* Log-linear histogram in HdrHistogram's layout: values 0 .. 2^42 ns (73 minutes), 2,048 sub-buckets, so
 * every value is kept to three significant digits. One writer; a reader on another thread sees each count
 * whole. */
#ifndef TALLY_HISTOGRAM_H
#define TALLY_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

#define HISTOGRAM_SUB_BUCKETS      2048
#define HISTOGRAM_SUB_BUCKETS_HALF 1024
#define HISTOGRAM_BUCKETS          32
#define HISTOGRAM_COUNTS           ((HISTOGRAM_BUCKETS + 1) * HISTOGRAM_SUB_BUCKETS_HALF)

struct histogram {
    uint64_t total_count;
    uint64_t maximum; /* exact */
    uint64_t minimum; /* exact; UINT64_MAX while empty */
    uint64_t counts[HISTOGRAM_COUNTS];
};

void histogram_init(struct histogram *histogram);

/* Counts one value; values above the range count as the highest one. */
void histogram_record(struct histogram *histogram, uint64_t value);

/* Adds all counts of `other`. */
void histogram_add(struct histogram *histogram, const struct histogram *other);

/* The smallest recorded value (rounded up to its bucket's end, as HdrHistogram does) such that `percentile`
 * percent of all values are not above it; 0 while empty. 100 gives the maximum. */
uint64_t histogram_percentile(const struct histogram *histogram, double percentile);

double histogram_mean(const struct histogram *histogram);

/* The text that HdrHistogram's outputPercentileDistribution writes (.hgrm), values divided by `unit`, `ticks`
 * rows per half distance (5 is usual). */
void histogram_write_hgrm(const struct histogram *histogram, FILE *file, double unit, unsigned ticks);

#endif
