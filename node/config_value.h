/* SPDX-License-Identifier: Apache-2.0 */
/* Values of a configuration file. Each parser is total and says what it would have allowed. */
#ifndef TALLY_CONFIG_VALUE_H
#define TALLY_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum value_kind {
    VALUE_NUMBER,   /* decimal or 0x.. */
    VALUE_BYTES,    /* with K, M, G or T (powers of 1,024) */
    VALUE_DURATION, /* with ns, us, ms or s */
    VALUE_YES_NO,
    VALUE_TEXT, /* into a char array of `maximum` bytes, its NUL included */
    VALUE_PROFILE,
    VALUE_SYNC,
    VALUE_IPV4, /* u32, network order */
    VALUE_MAC,  /* u8[6] */
};

/* One key of a section: how its value is read and where it goes. */
struct config_key {
    const char *name;
    enum value_kind kind;
    size_t offset; /* in the section's struct: u64, bool, char[], u32 or u8[6] as the kind says */
    uint64_t minimum;
    uint64_t maximum;
    bool required;
};

/* Reads `text` to `place`. False with "what is allowed" in `allowed` (128 bytes). */
bool config_value_read(const struct config_key *key, const char *text, void *place, char *allowed);

#endif
