#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# words.sh ROOT: every source file starts with its licence, no test waits by the clock, nothing is left open.
set -euo pipefail
. "$(dirname "$0")/tap.bash"
root=${1:?root of the project}

licence='SPDX-License-Identifier: Apache-2.0'

without_licence() {
    project_files "$1" '*.c' '*.h' '*.cc' | while read -r file; do
        [ "$(head -n 1 "$1/$file")" = "/* $licence */" ] || echo "$file: the first line is not /* $licence */"
    done
    project_files "$1" '*.sh' '*.bash' | while read -r file; do
        head -n 2 "$1/$file" | grep -qxF "# $licence" || echo "$file: no line # $licence at its head"
    done
}

# lines_with ROOT EXPRESSION PATTERN...: lines below ROOT that match
lines_with() {
    local top=$1 expression=$2
    shift 2
    project_files "$top" "$@" | (cd "$top" && xargs -r grep -nHE "$expression" || true)
}

waiting='(^|[^a-z_])((u|nano)?sleep|clock_nanosleep|rte_delay_[mu]s(_block|_sleep)?)[ ]*\('
open_words='(^|[^A-Za-z_])(TO''DO|FIX''ME|XX''X)([^A-Za-z_]|$)'

report 'every source file starts with its licence' "$(without_licence "$root")"
report 'no test sleeps' "$(lines_with "$root" "$waiting" '*.c' '*.h' '*.cc' | grep '^tests/' || true)"
report 'nothing is left open in the sources' \
    "$(lines_with "$root" "$open_words" '*.c' '*.h' '*.cc' '*.sh' '*.bash' 'meson.build' run)"

mkdir -p "$planted/tests"
printf 'int x;\n' >"$planted/bare.c"
printf '#!/usr/bin/env bash\n' >"$planted/bare.sh"
printf '    usleep (10);\n' >"$planted/tests/slow.c"
printf '/* TO''DO: later */\n' >"$planted/open.h"
report_found 'a source without a licence is found' 'bare.c:' "$(without_licence "$planted")"
report_found 'a script without a licence is found' 'bare.sh:' "$(without_licence "$planted")"
report_found 'a sleep is found' 'tests/slow.c:1' "$(lines_with "$planted" "$waiting" '*.c')"
report_found 'an open word is found' 'open.h:1' "$(lines_with "$planted" "$open_words" '*.h')"
finish
