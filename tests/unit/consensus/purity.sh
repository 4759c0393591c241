#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The pure core needs nothing from outside but memory copies, the assertion and configurations: no clock, no heap, no
# I/O. Argument: the core's static library.
set -euo pipefail

defined=$(nm --defined-only "$1" | awk 'NF == 3 { print $3 }' | sort -u)
needed=$(nm --undefined-only "$1" | awk '$1 == "U" { print $2 }' | sort -u)
outside=$(comm -23 <(echo "$needed") <(echo "$defined"))
strange=$(grep -Ev '^(memcpy|memmove|memset|memcmp|check_failed|configuration_[a-z_]+)$' <<<"$outside" || true)

echo "1..2"
if [[ -z $strange ]]; then
    echo "ok 1 - the pure core uses only memcpy and its kin, check_failed and configuration_*"
else
    echo "# needed from outside: $(tr '\n' ' ' <<<"$strange")"
    echo "not ok 1 - the pure core uses only memcpy and its kin, check_failed and configuration_*"
fi
# The list is not empty because nm found nothing.
if grep -q '^check_failed$' <<<"$outside"; then
    echo "ok 2 - the library was read"
else
    echo "not ok 2 - the library was read"
fi
