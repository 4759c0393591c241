/* SPDX-License-Identifier: Apache-2.0 */
#include "boot_id.h"

#include <stdio.h>
#include <sys/random.h>

#include "check.h"

uint64_t boot_id_read(void)
{
    char text[64] = "";
    uint64_t id = 0xCBF29CE484222325u; /* FNV-1a */
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (!file) {
        return 0;
    }
    if (!fgets(text, sizeof(text), file)) {
        text[0] = '\0';
    }
    fclose(file);
    for (const char *at = text; *at; at++) {
        id = (id ^ (uint8_t)*at) * 0x100000001B3u;
    }
    return id;
}

uint64_t random_id_draw(void)
{
    uint64_t id = 0;
    while (id == 0) {
        ASSERT(getrandom(&id, sizeof(id), 0) ==
               sizeof(id)); /* up to 256 bytes are never short (getrandom(2)) */
        id &= INT64_MAX;
    }
    return id;
}
