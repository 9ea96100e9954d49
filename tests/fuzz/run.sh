#!/usr/bin/env bash
# Runs one fuzz target: run.sh datum|schema|pgoutput|topics|client|calls|rows. SYNC_FUZZ_SECONDS bounds it (60),
# SYNC_TEST_SEED repeats it. What it finds stays in build/fuzz/found; seeds lie in corpus/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=${1:?which target: datum, schema, pgoutput, topics, client, calls or rows}
program=build/fuzz/tests/fuzz/fuzz_$target
[ -x "$program" ] || { echo "build it first: cmake --preset fuzz && cmake --build --preset fuzz" >&2; exit 2; }
seeds=tests/fuzz/corpus/$target
grown=build/fuzz/corpus/$target
found=build/fuzz/found
mkdir -p "$grown" "$found"
log=build/fuzz/$target.log
# The largest input of each target: a few records, a schema or a file at its bound, a call, a few rows.
case $target in
datum) longest=8192 ;;
schema) longest=65600 ;;
pgoutput) longest=16384 ;;
topics) longest=65536 ;;
client) longest=65600 ;;
calls) longest=32768 ;;
rows) longest=16384 ;;
*) echo "unknown target '$target': datum, schema, pgoutput, topics, client, calls or rows" >&2; exit 2 ;;
esac
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1:quarantine_size_mb=16
export UBSAN_OPTIONS=print_stacktrace=1
code=0
"$program" -seed="${SYNC_TEST_SEED:-0}" -max_total_time="${SYNC_FUZZ_SECONDS:-60}" \
    -max_len=$longest -timeout=5 -malloc_limit_mb=64 -rss_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="$found/$target-" "$grown" "$seeds" >"$log" 2>&1 || code=$?
if [ $code -ne 0 ]; then
    tail -80 "$log" >&2
    exit 1
fi
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
echo "FIGURE $target: $runs executions, $rate a second, 0 findings"
