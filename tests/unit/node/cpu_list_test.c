/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu_list.h"

#include "test.h"

static const char *round_trip(const char *text)
{
    static char written[128];
    cpu_set_t cpus;
    CHECK(cpu_list_parse(text, &cpus));
    cpu_list_write(&cpus, written, sizeof(written));
    return written;
}

static void lists(void)
{
    CHECK_STRING(round_trip("0"), "0");
    CHECK_STRING(round_trip("3,1,2"), "1-3");
    CHECK_STRING(round_trip("0,2-4,7"), "0,2-4,7");
    CHECK_STRING(round_trip("1023"), "1023");
}

static void nonsense(void)
{
    static const char *const texts[] = {
        "", ",", "1,", "-1", "1-", "4-2", "1024", "1 2", "99999999999999999999"};
    cpu_set_t cpus;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK(!cpu_list_parse(texts[i], &cpus));
    }
}

static void too_long(void)
{
    char written[8];
    cpu_set_t cpus;
    CHECK(cpu_list_parse("10,20,30,40", &cpus));
    cpu_list_write(&cpus, written, sizeof(written));
    CHECK(strlen(written) < sizeof(written));
}

static const struct test_case cases[] = {
    {"lists and ranges are read and written", lists},
    {"anything else is refused", nonsense},
    {"a list that does not fit is cut", too_long},
};

TEST_MAIN(cases)
