# SPDX-License-Identifier: Apache-2.0
# What the lints share. A lint is one function that prints a complaint per line and nothing when all is well; it is run
# on the project, where it must be silent, and on a planted fault in a directory of its own, where it must not.

tap_count=0
tap_failed=0

# report CLAIM COMPLAINTS: one TAP line; it passes when there are no complaints.
report() {
    tap_count=$((tap_count + 1))
    if [ -z "$2" ]; then
        echo "ok $tap_count - $1"
    else
        printf '%s\n' "$2" | sed 's/^/# /'
        echo "not ok $tap_count - $1"
        tap_failed=1
    fi
}

# report_found CLAIM WANTED COMPLAINTS: passes when the complaints name WANTED.
report_found() {
    case $3 in
    *"$2"*) report "$1" '' ;;
    *) report "$1" "not found: $2; complaints: ${3:-none}" ;;
    esac
}

finish() {
    echo "1..$tap_count"
    exit "$tap_failed"
}

# project_files DIR PATTERN...: files below DIR whose names match, sorted, without build and hidden directories.
project_files() {
    local root=$1 pattern names=()
    shift
    for pattern in "$@"; do
        names+=(-o -name "$pattern")
    done
    (cd "$root" && find . -path './build*' -prune -o -path './.*' -prune -o -type f \( "${names[@]:1}" \) -print |
        sed 's|^\./||' | sort)
}

planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
