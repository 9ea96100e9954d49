#!/usr/bin/env bash
# Runs the parts of the test suite in order, with their times, and ends with "N passed, N failed".
# SYNC_SIZE=test|proof picks the numbers. Called by ./run test and ./run proof.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. dev/lib.sh
size=${SYNC_SIZE:-test}
export SYNC_SIZE=$size
export SYNC_TEST_STRICT=1 # a test that would be skipped fails
export SYNC_TEST_SEED=${SYNC_TEST_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
python=/usr/bin/python3
mkdir -p build/logs
passed=0
failed=0
failures=()
say "seed $SYNC_TEST_SEED (SYNC_TEST_SEED=$SYNC_TEST_SEED repeats this run's choices)"

# step NAME COMMAND…: runs it with its output in a log, prints one line, keeps count.
step() {
    local name=$1 log start seconds
    shift
    log=build/logs/${name//[^a-zA-Z0-9_.-]/_}.log
    start=$SECONDS
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        seconds=$((SECONDS - start))
        say "ok    $name (${seconds} s)$(grep -hE '^(FIGURE|[0-9]+ passed)' "$log" | sed 's/^FIGURE//; s/^/ · /' | tail -6 | tr -d '\n')"
    else
        failed=$((failed + 1))
        failures+=("$name")
        say "FAIL  $name ($((SECONDS - start)) s): $log"
        tail -60 "$log" | sed 's/^/      /' >&2
    fi
}

configure_and_build() {
    local preset=$1
    [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" || return 1
    cmake --build --preset "$preset" -- -j "$(nproc)"
}

part_build() {
    step "build: release, gcc" configure_and_build release
    step "build: clang" configure_and_build clang
}
part_lint() { step "lint" $python tests/lint/lint.py; }

with_database() { # COMMAND…: runs with SYNC_TEST_DSN of a throw-away cluster
    local dir code
    dir=$(mktemp -d /tmp/altinn-sync-test.XXXXXX)
    dev/postgres.sh start "$dir" || return 1
    SYNC_TEST_DSN="host=127.0.0.1 port=$(cat "$dir/port") user=postgres dbname=postgres" "$@"
    code=$?
    dev/postgres.sh stop "$dir"
    rm -rf "$dir"
    return $code
}
part_unit() { step "unit and contract tests" with_database ctest --test-dir build/release -L unit -j 2 --output-on-failure; }
part_asan() {
    step "build: address and undefined-behaviour sanitizers" configure_and_build asan
    export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1
    step "unit and contract tests, sanitized" with_database ctest --test-dir build/asan -L unit -j 2 --output-on-failure
    step "rings, log, metrics and HTTP under the thread sanitizer" threads
}
# Only what has threads of ours: Debian's librdkafka uses C11 threads that this sanitizer does not know.
threads() {
    local tests=(test_ring test_log test_metrics test_health test_http_server)
    [ -f build/tsan/build.ninja ] || cmake --preset tsan || return 1
    cmake --build --preset tsan --target "${tests[@]}" -- -j "$(nproc)" || return 1
    ctest --test-dir build/tsan --output-on-failure -R "^($(IFS='|'; echo "${tests[*]}"))\$"
}
part_sim() { step "enumerator: every small world" tests/sim/run.sh; }
fuzz_all() { # all targets side by side: each is one thread, and the time is what finds
    local target code=0 pids=()
    for target in datum schema pgoutput topics client; do
        tests/fuzz/run.sh "$target" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || code=1; done
    return $code
}
part_fuzz() {
    step "build: fuzz targets" configure_and_build fuzz
    step "fuzz: datum, schema, pgoutput, topics.yaml, client.properties" env SYNC_FUZZ_SECONDS=$((60 * 4 / $(nproc))) bash -c \
        "$(declare -f fuzz_all); fuzz_all"
}
part_embedded() {
    step "command line: bad input" tests/integration/test_command_line.sh build/release/altinn-sync
    step "demo on the embedded broker" $python tests/integration/demo.py --seconds 40
}
part_kafka() {
    local file
    for file in tests/integration/test_*.py; do
        step "kafka: $(basename "$file" .py | sed 's/^test_//; s/_/ /g')" $python "$file"
    done
    if [ "$size" = proof ]; then
        step "benchmark: apply" $python tests/bench/bench.py apply
        step "benchmark: trickle" $python tests/bench/bench.py trickle
    fi
}

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(build lint unit asan sim fuzz embedded kafka)
for part in "${parts[@]}"; do
    declare -F "part_$part" >/dev/null || die 2 "unknown part '$part'; the parts are: build lint unit asan sim fuzz embedded kafka"
done
case " ${parts[*]} " in
*" build "*) ;;
*" unit "* | *" embedded "* | *" kafka "* | *" lint "* | *" sim "*) configure_and_build release >build/logs/build.log 2>&1 || die 1 "build failed: build/logs/build.log" ;;
esac
for part in "${parts[@]}"; do
    "part_$part"
done
[ ${#failures[@]} -eq 0 ] || printf 'failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
