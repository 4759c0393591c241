/* SPDX-License-Identifier: Apache-2.0 */
#include "quorum_number.h"

#include "test.h"

static uint64_t number(uint64_t cluster_id, const char *name, const uint64_t *voters, size_t voter_count)
{
    return quorum_number(cluster_id, name, strlen(name), voters, voter_count);
}

static void numbers_are_fixed_for_ever(void)
{
    static const uint64_t voters[] = {1, 2, 3, 4, 5, 6, 7};
    CHECK_EQUAL(number(1, "itch", voters, 3), 0x90E84DB84191B0B6u);
    CHECK_EQUAL(number(0, "a", voters, 1), 0x0A6B925AE149260Fu);
    CHECK_EQUAL(number(UINT64_MAX, "Feed_A-2026.11", voters, 7), 0x47BA6D1FE2EC356Fu);
}

static void the_order_of_voters_does_not_matter(void)
{
    static const uint64_t voters[] = {9, 300, 70000};
    static const uint64_t turned[] = {70000, 9, 300};
    CHECK_EQUAL(number(5, "itch", turned, 3), number(5, "itch", voters, 3));
}

static void cluster_name_and_voters_all_count(void)
{
    static const uint64_t voters[] = {1, 2, 3};
    static const uint64_t others[] = {1, 2, 4};
    uint64_t usual = number(5, "itch", voters, 3);
    CHECK(number(6, "itch", voters, 3) != usual);
    CHECK(number(5, "itcg", voters, 3) != usual);
    CHECK(number(5, "itc", voters, 3) != usual);
    CHECK(number(5, "itch", others, 3) != usual);
    CHECK(number(5, "itch", voters, 2) != usual);
}

static void names_are_judged(void)
{
    char longest[65];
    memset(longest, 'z', sizeof(longest));
    CHECK(quorum_name_is_legal("a", 1));
    CHECK(quorum_name_is_legal("AZaz09._-", 9));
    CHECK(quorum_name_is_legal(longest, 64));
    CHECK(!quorum_name_is_legal(longest, 65));
    CHECK(!quorum_name_is_legal("", 0));
    CHECK(!quorum_name_is_legal("a/b", 3));
    CHECK(!quorum_name_is_legal("a b", 3));
    CHECK(!quorum_name_is_legal("a\0b", 3));
    CHECK(!quorum_name_is_legal("\xc3\xa4", 2));
}

static const struct test_case cases[] = {
    {"numbers are fixed for ever", numbers_are_fixed_for_ever},
    {"the order of voters does not matter", the_order_of_voters_does_not_matter},
    {"cluster, name and voters all count", cluster_name_and_voters_all_count},
    {"names are judged", names_are_judged},
};

TEST_MAIN(cases)
