#!/usr/bin/env bash
# The proof of the rules by enumeration: for status the whole world and the planted faults that it must find; for delegations every
# order of one key (SYNC_SIZE=proof: the larger worlds), and mistakes planted in copies of the rules.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
enumerator=build/release/tests/sim/enumerator
$enumerator --self-test
$enumerator --jobs "$(nproc)" | tee build/logs/enumerator.txt
sed -n 's/^sum */FIGURE worlds, states, steps, ends, runs before pruning, seconds: /p' build/logs/enumerator.txt
label=sim
[ "${SYNC_SIZE:-test}" = test ] || label=proof
ctest --test-dir build/release -j "$(nproc)" -L "^$label\$" -R '^delegation_' --output-on-failure
/usr/bin/python3 tests/sim/mutants.py | tee build/logs/mutants.txt
sed -n 's/^planted mistakes/FIGURE &/p' build/logs/mutants.txt
