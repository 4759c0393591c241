#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# purity.sh ARCHIVE: the pure core asks for nothing but memcpy and its kin, ASSERT, and the pure leaves of base. So it
# has no clock, no heap, no I/O: they would be undefined symbols. What compilers and sanitizers add is let through.
set -euo pipefail
. "$(dirname "$0")/tap.bash"
archive=${1:?static library of the pure core}

allowed='memcpy|memmove|memset|memcmp|bcmp|check_failed|configuration_[a-z_]+|_GLOBAL_OFFSET_TABLE_'
allowed+='|__stack_chk_fail|__mem(cpy|move|set)_chk|__(asan|ubsan|tsan|sanitizer|sancov)_[a-z0-9_]+|__odr_asan.*'

# impure_symbols OBJECT_OR_ARCHIVE: undefined symbols that are neither allowed nor defined in it
impure_symbols() {
    comm -23 <(nm -u "$1" | awk 'NF == 2 && $1 == "U" { print $2 }' | sort -u) \
        <(nm --defined-only "$1" | awk 'NF == 3 { print $3 }' | sort -u) | { grep -vxE "$allowed" || true; }
}

defined=$(nm --defined-only "$archive" | awk '$2 == "T"' | wc -l)
report 'the library defines functions' "$([ "$defined" -gt 0 ] || echo "no function in $archive")"
report 'the pure core asks for nothing from outside' "$(impure_symbols "$archive")"

cat >"$planted/impure.c" <<'SOURCE'
#include <stdlib.h>
#include <string.h>
#include <time.h>
void *impure(void *from, size_t byte_count);
void *impure(void *from, size_t byte_count)
{
    void *to = malloc(byte_count + (size_t)time(NULL));
    return memcpy(to, from, byte_count);
}
SOURCE
${CC:-cc} -O2 -c -o "$planted/impure.o" "$planted/impure.c"
complaints=$(impure_symbols "$planted/impure.o")
report_found 'a call of malloc is found' malloc "$complaints"
report_found 'a call of time is found' time "$complaints"
report 'memcpy is not complained of' "$(printf '%s\n' "$complaints" | grep memcpy || true)"
finish
