#!/usr/bin/env bash
# The proof of the status rules by enumeration: the whole world of the issue, and the planted faults that it must find.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
enumerator=build/release/tests/sim/enumerator
$enumerator --self-test
$enumerator --jobs "$(nproc)" | tee build/logs/enumerator.txt
sed -n 's/^sum */FIGURE worlds, states, steps, ends, runs before pruning, seconds: /p' build/logs/enumerator.txt
