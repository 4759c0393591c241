/* SPDX-License-Identifier: Apache-2.0 */
/* Against a naive twin: all values in a sorted array, ranks by whole numbers. */
#include "histogram.h"
#include "prng.h"
#include "test.h"

#define VALUES_MAX 3000

static struct histogram histogram;
static uint64_t values[VALUES_MAX];

static int compare_values(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* The last value that shares a bucket with `value`: its 11 leading bits kept, the rest ones. */
static uint64_t bucket_end(uint64_t value)
{
    unsigned dropped = 0;
    while ((value >> dropped) >= HISTOGRAM_SUB_BUCKETS) {
        dropped++;
    }
    return (((value >> dropped) + 1) << dropped) - 1;
}

/* The value of rank ceil(n * percentile), `percentile_thousandths` of a percent, in the sorted array. */
static uint64_t naive_percentile(size_t count, uint64_t percentile_thousandths)
{
    uint64_t rank = (count * percentile_thousandths + 99999) / 100000;
    uint64_t end = bucket_end(values[rank > 0 ? rank - 1 : 0]);
    return end > values[count - 1] ? values[count - 1] : end;
}

/* Fills array and histogram with `count` values of up to `bits` bits, of all magnitudes alike. */
static void draw(struct prng *prng, size_t count, unsigned bits)
{
    histogram_init(&histogram);
    for (size_t i = 0; i < count; i++) {
        values[i] = prng_next(prng) >> (64 - 1 - prng_below(prng, bits));
        histogram_record(&histogram, values[i]);
    }
    qsort(values, count, sizeof(values[0]), compare_values);
}

static void percentiles_equal_the_twin(void)
{
    static const uint64_t thousandths[] = {0,     1,     1000,  7000,  29000, 50000,
                                           57000, 90000, 99000, 99900, 99990, 100000};
    struct prng prng = {9};
    for (unsigned round = 0; round < 60; round++) {
        size_t count = 1 + prng_below(&prng, VALUES_MAX);
        draw(&prng, count, 42);
        for (size_t i = 0; i < sizeof(thousandths) / sizeof(thousandths[0]); i++) {
            CHECK_EQUAL(histogram_percentile(&histogram, (double)thousandths[i] / 1000.0),
                        naive_percentile(count, thousandths[i]));
        }
    }
}

/* 7 % of 100 values is rank 7, although 7 / 100.0 * 100 is a little more than 7. */
static void whole_ranks_are_exact(void)
{
    histogram_init(&histogram);
    for (uint64_t value = 1; value <= 1000; value++) {
        histogram_record(&histogram, value);
        values[value - 1] = value;
        for (uint64_t percent = 0; percent <= 100 && value % 100 == 0; percent++) {
            CHECK_EQUAL(histogram_percentile(&histogram, (double)percent),
                        naive_percentile(value, percent * 1000));
        }
    }
    CHECK_EQUAL(histogram_percentile(&histogram, 99.9), 999);
}

static void three_digits_are_kept(void)
{
    struct prng prng = {10};
    for (unsigned round = 0; round < 100; round++) {
        draw(&prng, 1, 42);
        histogram_record(&histogram, (1ull << 42) - 1);
        uint64_t value = histogram_percentile(&histogram, 50.0);
        CHECK(value >= values[0]);
        CHECK(value - values[0] <= values[0] / 1000);
    }
}

static void the_ends_are_exact(void)
{
    histogram_init(&histogram);
    CHECK_EQUAL(histogram_percentile(&histogram, 50.0), 0);
    CHECK(histogram.minimum == UINT64_MAX);
    histogram_record(&histogram, 123456789);
    histogram_record(&histogram, 1000001);
    CHECK_EQUAL(histogram.minimum, 1000001);
    CHECK_EQUAL(histogram.maximum, 123456789);
    CHECK_EQUAL(histogram_percentile(&histogram, 100.0), 123456789);
    CHECK_EQUAL(histogram.total_count, 2);
}

static void values_above_the_range_count_as_the_highest(void)
{
    histogram_init(&histogram);
    histogram_record(&histogram, (1ull << 42) - 1);
    histogram_record(&histogram, 1ull << 42);
    histogram_record(&histogram, UINT64_MAX);
    CHECK_EQUAL(histogram.counts[HISTOGRAM_COUNTS - 1], 3);
    CHECK(histogram.maximum == UINT64_MAX);
}

static void adding_is_recording_both(void)
{
    static struct histogram both;
    static struct histogram other;
    struct prng prng = {11};
    histogram_init(&both);
    histogram_init(&histogram);
    histogram_init(&other);
    for (unsigned i = 0; i < 5000; i++) {
        uint64_t value = prng_next(&prng) >> (22 + prng_below(&prng, 42));
        histogram_record(i % 3 ? &histogram : &other, value);
        histogram_record(&both, value);
    }
    histogram_add(&histogram, &other);
    CHECK_BYTES(&histogram, &both, sizeof(both));
}

static const char golden_hgrm[] = "       Value     Percentile TotalCount 1/(1-Percentile)\n"
                                  "\n"
                                  "       1.000 0.000000000000          1           1.00\n"
                                  "       1.000 0.100000000000          1           1.11\n"
                                  "       2.000 0.200000000000          2           1.25\n"
                                  "       3.000 0.300000000000          3           1.43\n"
                                  "       4.000 0.400000000000          4           1.67\n"
                                  "       5.000 0.500000000000          5           2.00\n"
                                  "       6.000 0.550000000000          6           2.22\n"
                                  "       6.000 0.600000000000          6           2.50\n"
                                  "       7.000 0.650000000000          7           2.86\n"
                                  "       7.000 0.700000000000          7           3.33\n"
                                  "       8.000 0.750000000000          8           4.00\n"
                                  "       8.000 0.775000000000          8           4.44\n"
                                  "       8.000 0.800000000000          8           5.00\n"
                                  "       9.000 0.825000000000          9           5.71\n"
                                  "       9.000 0.850000000000          9           6.67\n"
                                  "       9.000 0.875000000000          9           8.00\n"
                                  "       9.000 0.887500000000          9           8.89\n"
                                  "       9.000 0.900000000000          9          10.00\n"
                                  "      10.000 0.912500000000         10          11.43\n"
                                  "      10.000 1.000000000000         10\n"
                                  "#[Mean    =        5.500, StdDeviation   =        2.872]\n"
                                  "#[Max     =       10.000, Total count    =           10]\n"
                                  "#[Buckets =           32, SubBuckets     =         2048]\n";

static void hgrm_is_golden(void)
{
    char text[4096] = "";
    histogram_init(&histogram);
    for (uint64_t value = 1; value <= 10; value++) {
        histogram_record(&histogram, value);
    }
    FILE *file = fmemopen(text, sizeof(text), "w");
    CHECK(file != NULL);
    histogram_write_hgrm(&histogram, file, 1.0, 5);
    fclose(file);
    CHECK_STRING(text, golden_hgrm);
}

static const struct test_case cases[] = {
    {"percentiles equal those of a sorted array, up to a bucket's end", percentiles_equal_the_twin},
    {"a percentile that falls on a whole rank gives that rank", whole_ranks_are_exact},
    {"a value is kept to three significant digits", three_digits_are_kept},
    {"minimum, maximum and count are exact, and an empty histogram gives 0", the_ends_are_exact},
    {"values above the range count as the highest one", values_above_the_range_count_as_the_highest},
    {"adding two histograms is recording both", adding_is_recording_both},
    {"the .hgrm text is that of HdrHistogram", hgrm_is_golden},
};

TEST_MAIN(cases)
