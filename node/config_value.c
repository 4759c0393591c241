/* SPDX-License-Identifier: Apache-2.0 */
#include "config_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane.h"
#include "tape.h"

#define ALLOWED_BYTES 128

struct unit {
    const char *name;
    uint64_t factor;
};

struct word {
    const char *name;
    uint64_t value;
};

static const struct unit byte_units[] = {{"", 1},           {"K", 1ull << 10}, {"M", 1ull << 20},
                                         {"G", 1ull << 30}, {"T", 1ull << 40}, {NULL, 0}};
static const struct unit duration_units[] = {
    {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct word profiles[] = {
    {"spin", POLL_SPIN}, {"adaptive", POLL_ADAPTIVE}, {"shared", POLL_SHARED}, {NULL, 0}};
static const struct word syncs[] = {{"probe", 0},
                                    {"fdatasync", TAPE_SYNC_FDATASYNC},
                                    {"dsync", TAPE_SYNC_DSYNC},
                                    {"none", TAPE_SYNC_NONE},
                                    {NULL, 0}};
static const struct word yes_no[] = {{"no", 0}, {"yes", 1}, {NULL, 0}};

static bool read_scaled(const char *text, const struct unit *units, uint64_t *ret_value)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    unsigned long long number = strtoull(text, &end, text[0] == '0' && text[1] == 'x' ? 16 : 10);
    if (errno != 0) {
        return false;
    }
    for (; units->name; units++) {
        if (strcmp(end, units->name) == 0) {
            return !__builtin_mul_overflow((uint64_t)number, units->factor, ret_value);
        }
    }
    return false;
}

static bool read_number(const struct config_key *key, const char *text, const struct unit *units, void *place,
                        char *allowed)
{
    uint64_t value = 0;
    const char *hint = units == byte_units ? ", with K, M, G or T" : "";
    if (units == duration_units) {
        snprintf(allowed, ALLOWED_BYTES, "a time with ns, us, ms or s between %llu and %llu ms",
                 (unsigned long long)(key->minimum / 1000000), (unsigned long long)(key->maximum / 1000000));
    } else {
        snprintf(allowed, ALLOWED_BYTES, "a number from %llu to %llu%s", (unsigned long long)key->minimum,
                 (unsigned long long)key->maximum, hint);
    }
    if (!read_scaled(text, units, &value) || value < key->minimum || value > key->maximum) {
        return false;
    }
    *(uint64_t *)place = value;
    return true;
}

static bool read_word(const char *text, const struct word *words, uint64_t *ret_value, char *allowed)
{
    allowed[0] = '\0';
    for (const struct word *word = words; word->name; word++) {
        if (strcmp(text, word->name) == 0) {
            *ret_value = word->value;
            return true;
        }
        strncat(allowed, word == words ? "" : " | ", ALLOWED_BYTES - strlen(allowed) - 1);
        strncat(allowed, word->name, ALLOWED_BYTES - strlen(allowed) - 1);
    }
    return false;
}

static bool read_text(const struct config_key *key, const char *text, char *place, char *allowed)
{
    snprintf(allowed, ALLOWED_BYTES, "1 to %llu characters", (unsigned long long)(key->maximum - 1));
    size_t length = strlen(text);
    if (length == 0 || length >= key->maximum) {
        return false;
    }
    memcpy(place, text, length + 1);
    return true;
}

static bool read_mac(const char *text, uint8_t *place, char *allowed)
{
    unsigned bytes[6];
    char rest = 0;
    snprintf(allowed, ALLOWED_BYTES, "six bytes like 02:00:00:00:00:01");
    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &bytes[0], &bytes[1], &bytes[2], &bytes[3], &bytes[4],
               &bytes[5], &rest) != 6) {
        return false;
    }
    for (unsigned i = 0; i < 6; i++) {
        place[i] = (uint8_t)bytes[i];
    }
    return true;
}

bool config_value_read(const struct config_key *key, const char *text, void *place, char *allowed)
{
    uint64_t value = 0;
    switch (key->kind) {
    case VALUE_NUMBER:
        return read_number(key, text, no_units, place, allowed);
    case VALUE_BYTES:
        return read_number(key, text, byte_units, place, allowed);
    case VALUE_DURATION:
        return read_number(key, text, duration_units, place, allowed);
    case VALUE_YES_NO:
        if (!read_word(text, yes_no, &value, allowed)) {
            return false;
        }
        *(bool *)place = value != 0;
        return true;
    case VALUE_TEXT:
        return read_text(key, text, place, allowed);
    case VALUE_PROFILE:
        return read_word(text, profiles, place, allowed);
    case VALUE_SYNC:
        return read_word(text, syncs, place, allowed);
    case VALUE_IPV4:
        snprintf(allowed, ALLOWED_BYTES, "an IPv4 address");
        return inet_pton(AF_INET, text, place) == 1;
    case VALUE_MAC:
        return read_mac(text, place, allowed);
    }
    return false;
}
