/* SPDX-License-Identifier: Apache-2.0 */
#include "routes.h"

#include "test.h"

static struct routes routes;

static void test_known(void)
{
    memset(&routes, 0, sizeof(routes));
    routes.core_count = 4;
    for (uint64_t key = 1; key <= 2000; key++) {
        routes_add(&routes, key * 0x1000, (unsigned)(key % 4));
    }
    for (uint64_t key = 1; key <= 2000; key++) {
        CHECK_EQUAL(routes_find(&routes, key * 0x1000), key % 4);
    }
    routes_add(&routes, 0x1000, 3);
    CHECK_EQUAL(routes_find(&routes, 0x1000), 3);
}

static void test_unknown(void)
{
    unsigned seen = 0;
    memset(&routes, 0, sizeof(routes));
    routes.core_count = 4;
    for (uint64_t key = 1; key <= 100; key++) {
        unsigned core = routes_find(&routes, key);
        CHECK(core < 4);
        CHECK_EQUAL(routes_find(&routes, key), core);
        seen |= 1u << core;
    }
    CHECK_EQUAL(seen, 15);
}

static void test_names(void)
{
    CHECK(route_key_of_name((const uint8_t *)"itch", 4) != route_key_of_name((const uint8_t *)"itci", 4));
    CHECK(route_key_of_name((const uint8_t *)"", 0) != 0);
}

static const struct test_case cases[] = {
    {"a known key leads to its core, the latest one said", test_known},
    {"an unknown key leads always to the same core, and all cores are used", test_unknown},
    {"names have keys of their own, never 0", test_names},
};

TEST_MAIN(cases)
