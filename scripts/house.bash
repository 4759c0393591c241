# SPDX-License-Identifier: Apache-2.0
# What the scripts share; sourced with the project's root as the working directory.

if [ -t 1 ]; then
    bold=$'\e[1m' plain=$'\e[0m'
else
    bold='' plain=''
fi

say() {
    printf '%s%s%s\n' "$bold" "$*" "$plain"
}

# C and C++ files of the project, without build directories.
source_files() {
    find . -path './build*' -prune -o -path './.*' -prune -o -type f \
        \( -name '*.c' -o -name '*.h' -o -name '*.cc' \) -print | sort
}

# build_directory DIR [MESON OPTION...]: configures it when it is new, builds all of it. The compiler comes from CC and
# CXX, gcc and g++ where they are not set.
build_directory() {
    local directory=$1 log
    shift
    if [ ! -f "$directory/build.ninja" ]; then
        log=$(CC=${CC:-gcc} CXX=${CXX:-g++} nice meson setup "$directory" "$@" 2>&1) || {
            printf '%s\n' "$log"
            return 1
        }
    fi
    log=$(nice ninja -C "$directory" -j "$(nproc)" 2>&1) || {
        printf '%s\n' "$log"
        return 1
    }
}

# count_results FILE: passed, failed and skipped of meson's testlog.json. Each TAP line is one; so is a program that
# prints none. A program that ends badly without a line of its own for it (it crashed, or broke its plan) is one more
# failure.
count_results() {
    awk '
    {
        at = index($0, "\", \"result\": \"")
        result = at ? substr($0, at + 14) : "OK"
        if (at == 0 && match($0, /"stdout": null, "result": "/)) {
            result = substr($0, RSTART + RLENGTH)
        }
        sub(/".*/, "", result)
        start = index($0, "\"stdout\": \"")
        text = start && at ? substr($0, start + 11, at - start - 11) : ""
        line_count = split(text, lines, /\\n/)
        ok = not_ok = skip = 0
        for (i = 1; i <= line_count; i++) {
            if (lines[i] ~ /^ok([ \t].*)?# *[Ss][Kk][Ii][Pp]/) skip++
            else if (lines[i] ~ /^not ok([ \t].*)?# *[Tt][Oo][D][Oo]/) skip++
            else if (lines[i] ~ /^ok([ \t]|$)/) ok++
            else if (lines[i] ~ /^not ok([ \t]|$)/) not_ok++
        }
        good = result == "OK" || result == "EXPECTEDFAIL" || result == "SKIP"
        if (ok + not_ok + skip == 0) {
            if (result == "SKIP") skip++
            else if (good) ok++
        }
        if (!good && not_ok == 0) not_ok++
        passed += ok; failed += not_ok; skipped += skip
    }
    END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# run_tests DIR [MESON TEST OPTION...]: runs tests of a built directory and adds to passed, failed and skipped.
passed=0
failed=0
skipped=0
run_tests() {
    local directory=$1 log=$1/meson-logs/testlog.json counts status=0
    shift
    rm -f "$log"
    # shellcheck disable=SC2086 # the wrapper is words
    ${TEST_WRAPPER:-} meson test -C "$directory" --no-rebuild --print-errorlogs "$@" || status=$?
    if [ -f "$log" ]; then
        read -r -a counts < <(count_results "$log")
        passed=$((passed + counts[0]))
        failed=$((failed + counts[1]))
        skipped=$((skipped + counts[2]))
        [ "$status" -eq 0 ] || [ "${counts[1]}" -gt 0 ] || failed=$((failed + 1))
    else
        failed=$((failed + 1))
    fi
}

# The last line of test and check, and the exit status.
print_total() {
    local line="$passed passed, $failed failed"
    [ "$skipped" -eq 0 ] || line+=", $skipped skipped"
    echo "$line"
    [ "$failed" -eq 0 ]
}
