/* SPDX-License-Identifier: Apache-2.0 */
/* ASSERT: our own bug, found. Always on; it stops the process before wrong state can reach the disk or a
 * peer. What the world may do to us (a peer's bytes, a full ring, a failing disk) is never asserted. */
#ifndef TALLY_CHECK_H
#define TALLY_CHECK_H

/* Prints the place and stops the process with SIGABRT. */
_Noreturn void check_failed(const char *expression, const char *file, int line);

#define ASSERT(expression)                                                                                   \
    do {                                                                                                     \
        if (__builtin_expect(!(expression), 0)) {                                                            \
            check_failed(#expression, __FILE__, __LINE__);                                                   \
        }                                                                                                    \
    } while (0)

#endif
