#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# mutants.sh DIR: each proof fails of the tape's defects that it is there for. DIR holds the programs
# storage_mutant_NAME_PROOF; one that ends by a failed case or an assertion has found its defect.
set -euo pipefail
directory=$1

# name, proof, case of test_faults (which stops there)
mutants=(
    "tape_chain_unchecked states"
    "tape_cuts_damage faults 1"
    "tape_durable_early states"
    "tape_error_ignored faults 6"
    "tape_mark_early states"
    "torn_tail_accepted states"
)

echo "1..${#mutants[@]}"
number=0
failed=0
for mutant in "${mutants[@]}"; do
    read -r name proof case <<<"$mutant"
    number=$((number + 1))
    status=0
    report=$("$directory/storage_mutant_${name}_$proof" ${case:+--case "$case"} 2>&1) || status=$?
    case $status:$report in
    1:*"not ok"* | 134:*"assertion failed"*)
        echo "ok $number - test_$proof finds $name"
        ;;
    *)
        printf '%s\n' "$report" | sed 's/^/# /'
        echo "# exit status $status"
        echo "not ok $number - test_$proof finds $name"
        failed=1
        ;;
    esac
done
exit "$failed"
