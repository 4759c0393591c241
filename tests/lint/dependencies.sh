#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# dependencies.sh ROOT: includes point one way. Each folder may include its own headers and those of the folders in the
# table; each foreign library has its few users. The build's include directories already refuse most of this; the
# table also holds where a path would get around them, and says it in one place.
set -euo pipefail
. "$(dirname "$0")/tap.bash"
root=${1:?root of the project}

every='base proto shm consensus storage dataplane feed engine client cluster node'

# What a folder may include beside itself. A unit test stands on the side of the folder it tests.
allowed_folders() {
    case $1 in
    base) echo '' ;;
    proto | shm | consensus | storage | feed) echo 'base' ;;
    dataplane) echo 'base shm' ;;
    engine) echo 'base proto consensus storage feed' ;;
    client) echo 'base proto shm feed' ;;
    cluster) echo 'base feed client' ;;
    node | bench | tests) echo "$every bench tests" ;;
    tests/unit/*) echo "$(allowed_folders "${1#tests/unit/}") ${1#tests/unit/} tests" ;;
    *) echo "$every" ;;
    esac
}

# The folder whose rules hold for a file.
folder_of() {
    case $1 in
    tests/unit/*/*) echo "$1" | cut -d/ -f1-3 ;;
    *) echo "${1%%/*}" ;;
    esac
}

# file:line:header of every include in quotes, below ROOT
quoted_includes() {
    project_files "$1" '*.c' '*.h' '*.cc' | (cd "$1" && xargs -r grep -nHE '^[ \t]*#[ \t]*include[ \t]+"') |
        sed -nE 's/^([^:]*):([0-9]+):[^"]*"([^"]*)".*/\1 \2 \3/p' || true
}

wrong_folders() {
    local file line header folder owner
    declare -A owners=() allowed=()
    while read -r file; do
        owners[${file##*/}]=$(folder_of "$file")
    done < <(project_files "$1" '*.h')
    while read -r file line header; do
        folder=$(folder_of "$file")
        owner=${owners[${header##*/}]:-}
        [ -n "${allowed[$folder]:-}" ] || allowed[$folder]=" $(allowed_folders "$folder") "
        [ -n "$owner" ] && [ "$owner" != "$folder" ] || continue
        case ${allowed[$folder]} in
        *" $owner "* | *" ${owner%%/*} "*) ;;
        *) echo "$file:$line: $folder includes $header of $owner" ;;
        esac
    done < <(quoted_includes "$1")
}

# wrong_users ROOT LIBRARY HEADERS USERS: includes that match the first expression in files that do not match the second
wrong_users() {
    project_files "$1" '*.c' '*.h' '*.cc' |
        (cd "$1" && xargs -r grep -nHE "^[ \t]*#[ \t]*include[ \t]+[<\"]($3)" || true) |
        { grep -vE "^($4)/" || true; } | sed "s/^/$2: /"
}

uring='liburing'
uring_users='storage|bench|tests/unit/storage'
protobuf='protobuf-c/|[a-z_]*\.pb-c\.h'
protobuf_users='proto|tests/unit/proto'
dpdk='rte_'
dpdk_users='dataplane|node|shm|client|bench|tests/unit/(dataplane|node|shm|client)|tests/(system|fuzz)'
doubled_headers() {
    project_files "$1" '*.h' | sed 's|.*/||' | sort | uniq -d | sed 's/^/two headers are named /'
}

report 'folders include only what is below them' "$(wrong_folders "$root")"
report 'only storage and bench use liburing' "$(wrong_users "$root" liburing "$uring" "$uring_users")"
report 'only proto uses protobuf-c' "$(wrong_users "$root" protobuf-c "$protobuf" "$protobuf_users")"
report 'only dataplane, node, client, shm and bench use DPDK' "$(wrong_users "$root" dpdk "$dpdk" "$dpdk_users")"
report 'no two headers have the same name' "$(doubled_headers "$root")"

for folder in $every bench tests; do
    [ ! -d "$root/$folder" ] || cp -r "$root/$folder" "$planted/"
done
# plant FILE LINE...
plant() {
    mkdir -p "$planted/${1%/*}"
    printf '%s\n' "${@:2}" >"$planted/$1"
}
plant storage/planted_tape.h '#define PLANTED 1'
plant consensus/planted.c '#include "planted_tape.h"' '#include <liburing.h>'
plant base/planted.c '#include "../storage/planted_tape.h"' '#include <rte_ring.h>'
plant feed/planted.c '#  include "tally.pb-c.h"'
plant node/planted_tape.h ''
complaints=$(wrong_folders "$planted")
report_found 'a header above its user is found' 'base/planted.c:1' "$complaints"
rm "$planted/node/planted_tape.h"
report_found 'a header of a neighbour is found' 'consensus/planted.c:1: consensus includes planted_tape.h of storage' \
    "$(wrong_folders "$planted")"
report_found 'liburing in consensus is found' 'consensus/planted.c:2' \
    "$(wrong_users "$planted" liburing "$uring" "$uring_users")"
report_found 'protobuf-c in feed is found' 'feed/planted.c:1' \
    "$(wrong_users "$planted" protobuf-c "$protobuf" "$protobuf_users")"
report_found 'DPDK in base is found' 'base/planted.c:2' "$(wrong_users "$planted" dpdk "$dpdk" "$dpdk_users")"
plant node/planted_tape.h ''
report_found 'a doubled header name is found' 'planted_tape.h' "$(doubled_headers "$planted")"
finish
