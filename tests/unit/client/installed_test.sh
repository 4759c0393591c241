#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# installed_test.sh BUILD SOURCE: a stranger with nothing but the installed header, library and tally.pc builds the
# example, and it runs.
set -euo pipefail
build=$1
source=$2
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

echo 1..3
DESTDIR=$place meson install -C "$build" --no-rebuild --tags devel,runtime > "$place/log" 2>&1 || true
pc=$(find "$place" -name tally.pc)
if [ -z "$pc" ]; then
    echo 'not ok 1 - tally.pc is installed'
    exit 1
fi
echo 'ok 1 - tally.pc is installed'

export PKG_CONFIG_SYSROOT_DIR=$place PKG_CONFIG_LIBDIR=${pc%/*}
cp "$source/client/example.c" "$place/example.c"
read -ra flags <<< "$(pkg-config --cflags --libs tally)"
if cc -std=c11 -Wall -Wextra -Werror "$place/example.c" "${flags[@]}" -o "$place/example" 2> "$place/log"; then
    echo 'ok 2 - the example builds with what pkg-config says and nothing else'
else
    sed 's/^/# /' "$place/log"
    echo 'not ok 2 - the example builds with what pkg-config says and nothing else'
fi

printf '' > "$place/none"
if [ "$(LD_LIBRARY_PATH=${pc%/pkgconfig/*} "$place/example" prices 1=shm:/nonexistent < "$place/none")" = '0 committed' ]; then
    echo 'ok 3 - the example starts with the installed library'
else
    echo 'not ok 3 - the example starts with the installed library'
fi
