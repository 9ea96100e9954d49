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
results=build/logs/results # a line for each step: they may run side by side
: >"$results"
say "seed $SYNC_TEST_SEED (SYNC_TEST_SEED=$SYNC_TEST_SEED repeats this run's choices)"

# Once a minute: what a step that still runs has come to.
watch() { # NAME LOG
    local second
    for ((second = 1; ; second++)); do
        sleep 1
        [ $((second % 60)) != 0 ] || say "…     $1 ($second s): $(tail -n 1 "$2" | cut -c 1-110)"
    done
}

# step NAME COMMAND…: runs it with its output in a log, prints one line, notes how it ended.
step() {
    local name=$1 log start seconds watcher code=0
    shift
    log=build/logs/${name//[^a-zA-Z0-9_.-]/_}.log
    : >"$log"
    start=$SECONDS
    watch "$name" "$log" &
    watcher=$!
    "$@" >"$log" 2>&1 || code=$?
    seconds=$((SECONDS - start))
    { kill $watcher && wait $watcher; } 2>/dev/null
    if [ $code = 0 ]; then
        say "ok    $name ($seconds s)$(grep -hE '^(FIGURE|[0-9]+ passed)' "$log" | sed 's/^FIGURE//; s/^/ · /' | tail -6 | tr -d '\n')"
        echo "ok $name" >>"$results"
    else
        say "FAIL  $name ($seconds s): $log"
        grep -aE '^\[  (ERROR|FAILED) |^\[   LINE ' "$log" | head -40 | sed 's/^/      /' >&2 # of cmocka, wherever they stand
        tail -60 "$log" | sed 's/^/      /' >&2
        echo "FAIL $name" >>"$results"
    fi
}

aside() { # COMMAND…: in the background, as a process group of its own without a deaf ear for interrupts
    set -m
    "$@" &
    set +m
}
stop_side_by_side() { # an interrupt reaches the foreground only
    local pid
    for pid in $(jobs -p); do kill -INT -- "-$pid" 2>/dev/null; done
    wait
    exit 130
}

configure_and_build() {
    local preset=$1
    [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" || return 1
    cmake --build --preset "$preset" -- -j "$(nproc)"
}

part_build() { :; } # the release is built before any part, and the rest ahead of time
# While tests wait for time-outs and servers: what later parts need beside the release is compiled, then the small worlds are
# enumerated, both at low priority.
work_ahead() { # PART…
    local part
    renice -n 15 -p "$BASHPID" >/dev/null
    for part in "$@"; do
        case $part in
        build) step "build: clang" configure_and_build clang ;;
        asan)
            step "build: address and undefined-behaviour sanitizers" configure_and_build asan
            step "build: thread sanitizer" build_threads
            ;;
        fuzz) step "build: fuzz targets" configure_and_build fuzz ;;
        esac
    done
    case " $* " in *" sim "*) step "enumerator: every small world" tests/sim/run.sh ;; esac
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
part_unit() {
    step "unit and contract tests" with_database ctest --test-dir build/release -L unit -j 2 --output-on-failure
    step "a new processor from the template, and the example of the guide" with_database tests/contract/new_processor.sh
}
part_asan() {
    wait # for what is built ahead
    export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1
    step "unit and contract tests, sanitized" with_database ctest --test-dir build/asan -L unit -j 2 --output-on-failure
    step "rings, log, metrics and HTTP under the thread sanitizer" threads
}
# Only what has threads of ours: Debian's librdkafka uses C11 threads that this sanitizer does not know.
threaded=(test_ring test_log test_metrics test_health test_http_server)
build_threads() {
    [ -f build/tsan/build.ninja ] || cmake --preset tsan || return 1
    cmake --build --preset tsan --target "${threaded[@]}" -- -j "$(nproc)"
}
threads() { ctest --test-dir build/tsan --output-on-failure -R "^($(IFS='|'; echo "${threaded[*]}"))\$"; }
part_sim() { wait; } # it runs ahead
fuzz_all() { # all targets side by side: each is one thread, and the time is what finds
    local target code=0 pids=()
    for target in datum schema pgoutput topics client calls rows; do
        tests/fuzz/run.sh "$target" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || code=1; done
    return $code
}
part_fuzz() {
    wait # for what is built ahead
    step "fuzz: the seven parsers of foreign bytes" env SYNC_FUZZ_SECONDS=$((60 * 4 / $(nproc))) bash -c \
        "$(declare -f fuzz_all); fuzz_all"
}
part_embedded() {
    step "command line: bad input" tests/integration/test_command_line.sh build/release/altinn-sync
    step "demo on the embedded broker" $python tests/integration/demo.py --seconds 40
}
# Most of their time they wait for time-outs, rebalances and outages, so two run at a time, the longest first. Each has servers,
# ports and a directory of its own.
integration_tests() {
    local file long=(delegations delegation_caught_up delegation_sources capture outages load kills faults echo)
    for file in "${long[@]}"; do ls "tests/integration/test_$file.py"; done
    ls tests/integration/test_*.py | grep -vE "test_($(IFS='|'; echo "${long[*]}"))\.py"
}
living() { # PID…: how many of them run
    local pid count=0
    for pid in "$@"; do kill -0 "$pid" 2>/dev/null && count=$((count + 1)); done
    echo $count
}
part_kafka() {
    local file running=() alone=tests/integration/test_delegation_backlog.py # how long live takes beside it is a figure
    step "Apache Kafka: its artifacts" dev/kafka.sh fetch # before the clocks of the tests run
    for file in $(integration_tests | grep -v "^$alone$"); do
        while [ "$(living "${running[@]}")" -ge 2 ]; do wait -n; done
        aside step "kafka: $(basename "$file" .py | sed 's/^test_//; s/_/ /g')" $python "$file"
        running+=($!)
    done
    wait
    step "kafka: delegation backlog" $python "$alone"
    if [ "$size" = proof ]; then # they measure, too. A quarter of the events: with all of them ./run bench takes three quarters of an hour
        step "benchmark: apply" $python tests/bench/bench.py apply --events 250000 --messages 50000
        step "benchmark: delegations" $python tests/bench/bench.py delegations --events 50000
        step "benchmark: trickle" $python tests/bench/bench.py trickle
    fi
}

every_part="build lint unit embedded kafka sim asan fuzz"
parts=("$@")
[ ${#parts[@]} -gt 0 ] || read -ra parts <<<"$every_part"
for part in "${parts[@]}"; do
    declare -F "part_$part" >/dev/null || die 2 "unknown part '$part'; the parts are: $every_part"
done
case " ${parts[*]} " in *" build "* | *" unit "* | *" embedded "* | *" kafka "* | *" lint "* | *" sim "*)
    step "build: release, gcc" configure_and_build release ;;
esac
trap stop_side_by_side INT TERM
aside work_ahead "${parts[@]}"
for part in "${parts[@]}"; do
    "part_$part"
done
wait
sed -n 's/^FAIL /failed: /p' "$results"
failed=$(grep -c '^FAIL' "$results")
echo "$(grep -c '^ok' "$results") passed, $failed failed"
[ "$failed" = 0 ]
