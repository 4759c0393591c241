#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sizes.sh ROOT: no function above 70 lines, no source above 600, no header above 200. A function is what stands
# between a line `{` and the next line `}`, both at the left edge.
set -euo pipefail
. "$(dirname "$0")/tap.bash"
root=${1:?root of the project}

long_functions() {
    project_files "$1" '*.c' '*.h' '*.cc' | while read -r file; do
        awk -v file="$file" '
            /^\{/ { start = NR }
            /^\}/ && start { if (NR - start - 1 > 70) print file ":" start ": function of " NR - start - 1 " lines"; start = 0 }
        ' "$1/$file"
    done
}

# The pure core's whole contract (state, inputs, outputs) stands in one header; it may be as long as it was agreed.
contract=consensus/replicator.h
contract_lines=360

# long_files ROOT LINES PATTERN...
long_files() {
    local top=$1 most=$2
    shift 2
    project_files "$top" "$@" | while read -r file; do
        limit=$most
        [ "$file" != "$contract" ] || limit=$contract_lines
        awk -v file="$file" -v most="$limit" 'END { if (NR > most) print file ": " NR " lines" }' "$top/$file"
    done
}

report 'no function has more than 70 lines' "$(long_functions "$root")"
report 'no source file has more than 600 lines' "$(long_files "$root" 600 '*.c' '*.cc')"
report 'no header has more than 200 lines' "$(long_files "$root" 200 '*.h')"

# lines COUNT: that many lines of a body
lines() {
    awk -v count="$1" 'BEGIN { for (i = 0; i < count; i++) print "    work();" }'
}
{ printf 'int short_one(void)\n{\n' && lines 70 && printf '}\nint long_one(void)\n{\n' && lines 71 && printf '}\n'; } \
    >"$planted/long.c"
lines 601 >"$planted/tall.c"
lines 201 >"$planted/tall.h"
report_found 'a function of 71 lines is found' 'long.c:75: function of 71 lines' "$(long_functions "$planted")"
report_found 'a source of 601 lines is found' 'tall.c: 601' "$(long_files "$planted" 600 '*.c')"
report_found 'a header of 201 lines is found' 'tall.h: 201' "$(long_files "$planted" 200 '*.h')"
finish
