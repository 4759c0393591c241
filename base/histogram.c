/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include <math.h>
#include <string.h>

void histogram_init(struct histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
    histogram->minimum = UINT64_MAX;
}

/* Bucket 0 holds 0..2047 one by one; bucket k > 0 holds 1,024 steps of 2^k. */
static unsigned slot_of(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | (HISTOGRAM_SUB_BUCKETS - 1));
    unsigned bucket = bits - 11;
    if (bucket >= HISTOGRAM_BUCKETS) {
        return HISTOGRAM_COUNTS - 1;
    }
    return bucket * HISTOGRAM_SUB_BUCKETS_HALF + (unsigned)(value >> bucket);
}

static unsigned bucket_of_slot(unsigned slot)
{
    return slot < HISTOGRAM_SUB_BUCKETS ? 0 : slot / HISTOGRAM_SUB_BUCKETS_HALF - 1;
}

static uint64_t highest_in_slot(unsigned slot)
{
    unsigned bucket = bucket_of_slot(slot);
    uint64_t step = slot - (uint64_t)bucket * HISTOGRAM_SUB_BUCKETS_HALF;
    return ((step + 1) << bucket) - 1;
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
    histogram->counts[slot_of(value)]++;
    histogram->total_count++;
    if (value > histogram->maximum) {
        histogram->maximum = value;
    }
    if (value < histogram->minimum) {
        histogram->minimum = value;
    }
}

void histogram_add(struct histogram *histogram, const struct histogram *other)
{
    for (unsigned slot = 0; slot < HISTOGRAM_COUNTS; slot++) {
        histogram->counts[slot] += other->counts[slot];
    }
    histogram->total_count += other->total_count;
    if (other->maximum > histogram->maximum) {
        histogram->maximum = other->maximum;
    }
    if (other->minimum < histogram->minimum) {
        histogram->minimum = other->minimum;
    }
}

uint64_t histogram_percentile(const struct histogram *histogram, double percentile)
{
    /* a hair less, as HdrHistogram does: 7 % of 100 must not round up to rank 8 */
    uint64_t wanted = (uint64_t)ceil(nextafter(percentile, 0.0) * (double)histogram->total_count / 100.0);
    uint64_t seen = 0;
    if (wanted == 0) {
        wanted = 1;
    }
    for (unsigned slot = 0; slot < HISTOGRAM_COUNTS; slot++) {
        seen += histogram->counts[slot];
        if (seen >= wanted && seen > 0) {
            uint64_t value = highest_in_slot(slot);
            return value > histogram->maximum ? histogram->maximum : value;
        }
    }
    return histogram->maximum;
}

double histogram_mean(const struct histogram *histogram)
{
    double sum = 0;
    for (unsigned slot = 0; slot < HISTOGRAM_COUNTS; slot++) {
        unsigned bucket = bucket_of_slot(slot);
        double middle = (double)highest_in_slot(slot) - (double)((1ull << bucket) >> 1);
        sum += (double)histogram->counts[slot] * middle;
    }
    return histogram->total_count ? sum / (double)histogram->total_count : 0.0;
}

static double deviation(const struct histogram *histogram, double mean)
{
    double sum = 0;
    for (unsigned slot = 0; slot < HISTOGRAM_COUNTS; slot++) {
        unsigned bucket = bucket_of_slot(slot);
        double distance = (double)highest_in_slot(slot) - (double)((1ull << bucket) >> 1) - mean;
        sum += (double)histogram->counts[slot] * distance * distance;
    }
    return histogram->total_count ? sqrt(sum / (double)histogram->total_count) : 0.0;
}

static uint64_t count_up_to(const struct histogram *histogram, uint64_t value)
{
    uint64_t seen = 0;
    for (unsigned slot = 0; slot <= slot_of(value); slot++) {
        seen += histogram->counts[slot];
    }
    return seen;
}

static void write_row(const struct histogram *histogram, FILE *file, double unit, double percentile)
{
    uint64_t value = histogram_percentile(histogram, percentile);
    uint64_t seen = count_up_to(histogram, value);
    fprintf(file, "%12.3f %2.12f %10llu", (double)value / unit, percentile / 100.0, (unsigned long long)seen);
    if (percentile < 100.0) {
        fprintf(file, " %14.2f", 1.0 / (1.0 - percentile / 100.0));
    }
    fputc('\n', file);
}

void histogram_write_hgrm(const struct histogram *histogram, FILE *file, double unit, unsigned ticks)
{
    fprintf(file, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    double percentile = 0.0;
    while (histogram->total_count > 0) {
        write_row(histogram, file, unit, percentile);
        if (histogram_percentile(histogram, percentile) >= histogram->maximum) {
            break;
        }
        double half_distance = pow(2.0, floor(log2(100.0 / (100.0 - percentile))) + 1.0);
        percentile += 100.0 / ((double)ticks * half_distance);
    }
    write_row(histogram, file, unit, 100.0);
    double mean = histogram_mean(histogram);
    fprintf(file, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", mean / unit,
            deviation(histogram, mean) / unit);
    fprintf(file, "#[Max     = %12.3f, Total count    = %12llu]\n", (double)histogram->maximum / unit,
            (unsigned long long)histogram->total_count);
    fprintf(file, "#[Buckets = %12d, SubBuckets     = %12d]\n", HISTOGRAM_BUCKETS, HISTOGRAM_SUB_BUCKETS);
}
