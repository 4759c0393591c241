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

# read_results FILE PROGRAM: runs an awk program on meson's testlog.json, one line a test, with these set: name, result,
# good (the result is no failure), and what the test printed as lines[1 .. line_count].
read_results() {
    awk '
    function between(start, from) {
        return substr($0, start, from - start)
    }
    {
        at = index($0, "\", \"result\": \"")
        text_at = index($0, "\"stdout\": \"")
        text = at && text_at ? between(text_at + 11, at) : ""
        result = at ? substr($0, at + 14) : substr($0, index($0, "null, \"result\": \"") + 17)
        sub(/".*/, "", result)
        name = $0
        sub(/^[{]"name": "/, "", name)
        sub(/".*/, "", name)
        good = result == "OK" || result == "EXPECTEDFAIL" || result == "SKIP"
        line_count = split(text, lines, /\\n/)
    }
    '"$2" "$1"
}

# count_results FILE: passed, failed and skipped. Each TAP line is one; so is a program that prints none. A program that
# ends badly without a line of its own for it (it crashed, or broke its plan) is one more failure.
count_results() {
    read_results "$1" '
    {
        ok = not_ok = skip = 0
        for (i = 1; i <= line_count; i++) {
            if (lines[i] ~ /^ok([ \t].*)?# *[Ss][Kk][Ii][Pp]/) skip++
            else if (lines[i] ~ /^not ok([ \t].*)?# *[Tt][Oo][D][Oo]/) skip++
            else if (lines[i] ~ /^ok([ \t]|$)/) ok++
            else if (lines[i] ~ /^not ok([ \t]|$)/) not_ok++
        }
        if (ok + not_ok + skip == 0) {
            if (result == "SKIP") skip++
            else if (good) ok++
        }
        if (!good && not_ok == 0) not_ok++
        passed += ok; failed += not_ok; skipped += skip
    }
    END { print passed + 0, failed + 0, skipped + 0 }'
}

# show_failures FILE: what the failed TAP programs said about it; meson keeps their lines to its log.
show_failures() {
    read_results "$1" '
    !good {
        print name ": " result
        for (i = 1; i <= line_count; i++) {
            gsub(/\\"/, "\"", lines[i])
            if (lines[i] ~ /^(#|not ok|Bail out)/) print "    " lines[i]
        }
    }' | head -n 200
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
        [ "${counts[1]}" -eq 0 ] || show_failures "$log"
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
