/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzz target defines. It is called by libFuzzer, or by replay_main.c with the files of a corpus.
 * Anything wrong stops the process. */
#ifndef TALLY_FUZZ_H
#define TALLY_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count);

#endif
