/* SPDX-License-Identifier: Apache-2.0 */
/* The account that the kill program and the system tests rely on must find each fault. */
#include "ledger.h"

#include "test.h"

enum { MESSAGES = 5 };

static uint8_t messages[LEDGER_SOURCES + 1][MESSAGES + 1][LEDGER_MESSAGE_BYTES];

/* messages[source][n] is the source's n-th one. */
static void make_messages(void)
{
    for (uint64_t id = 1; id <= LEDGER_SOURCES; id++) {
        struct ledger_source source = {.id = id};
        for (unsigned n = 1; n <= MESSAGES; n++) {
            const uint8_t *message = NULL;
            CHECK_EQUAL(ledger_source_next(&source, &message), LEDGER_MESSAGE_BYTES);
            memcpy(messages[id][n], message, LEDGER_MESSAGE_BYTES);
        }
    }
}

static void enter(struct ledger *ledger, unsigned source, unsigned n)
{
    ledger_enter(ledger, messages[source][n], LEDGER_MESSAGE_BYTES);
}

static void whole(void)
{
    struct ledger ledger = {0};
    make_messages();
    for (unsigned n = 1; n <= MESSAGES; n++) {
        enter(&ledger, 1, n);
        enter(&ledger, 2, n);
    }
    CHECK(ledger_is_good(&ledger));
    CHECK_EQUAL(ledger_count(&ledger, 1), MESSAGES);
    CHECK_EQUAL(ledger_count(&ledger, 2), MESSAGES);
    CHECK_EQUAL(ledger.entered_count, 2 * MESSAGES);
}

static void lost(void)
{
    struct ledger ledger = {0};
    make_messages();
    enter(&ledger, 1, 1);
    enter(&ledger, 1, 4);
    CHECK_EQUAL(ledger.missing_count, 2);
    CHECK(!ledger_is_good(&ledger));
}

static void lost_at_the_end(void)
{
    struct ledger ledger = {0};
    make_messages();
    enter(&ledger, 1, 1);
    CHECK_EQUAL(ledger_count(&ledger, 1), 1);
    CHECK_EQUAL(ledger_count(&ledger, 2), 0);
}

static void doubled(void)
{
    struct ledger ledger = {0};
    make_messages();
    enter(&ledger, 1, 1);
    enter(&ledger, 1, 2);
    enter(&ledger, 1, 2);
    CHECK_EQUAL(ledger.doubled_count, 1);
    CHECK(!ledger_is_good(&ledger));
}

static void out_of_order(void)
{
    struct ledger ledger = {0};
    make_messages();
    enter(&ledger, 1, 2);
    enter(&ledger, 1, 1);
    CHECK(!ledger_is_good(&ledger));
}

static void changed(void)
{
    make_messages();
    for (unsigned at = 0; at < LEDGER_MESSAGE_BYTES; at++) {
        struct ledger ledger = {0};
        messages[1][1][at] ^= 4;
        enter(&ledger, 1, 1);
        CHECK_EQUAL(ledger.foreign_count, 1);
        messages[1][1][at] ^= 4;
    }
}

static void cut(void)
{
    struct ledger ledger = {0};
    make_messages();
    ledger_enter(&ledger, messages[1][1], LEDGER_MESSAGE_BYTES - 1);
    ledger_enter(&ledger, messages[1][1], 0);
    CHECK_EQUAL(ledger.foreign_count, 2);
}

static const struct test_case cases[] = {
    {"whole, interleaved sources are good", whole},
    {"a message that is missing in the middle is found", lost},
    {"messages missing at the end show in the count", lost_at_the_end},
    {"a doubled message is found", doubled},
    {"a wrong order is found", out_of_order},
    {"a changed byte is found wherever it is", changed},
    {"a cut message is found", cut},
};

TEST_MAIN(cases)
