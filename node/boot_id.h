/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TALLY_BOOT_ID_H
#define TALLY_BOOT_ID_H

#include <stdint.h>

/* Another number after each boot of the machine (/proc/sys/kernel/random/boot_id); 0 when the kernel does not
 * say. */
uint64_t boot_id_read(void);

/* A random number that is not 0, from the kernel (getrandom). */
uint64_t random_id_draw(void);

#endif
