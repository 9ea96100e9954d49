#!/usr/bin/env bash
# One node of Apache Kafka 4.3.1 (broker and controller, KRaft) from its Maven artifacts, on loopback, no container.
#
#   dev/kafka.sh fetch              fetches the artifacts, once; "start" does it too
#   dev/kafka.sh start DIR [PORT]   new node, or the stopped one of DIR; waits until it serves
#   dev/kafka.sh stop DIR           clean shut-down; the data stays in DIR/data
#   dev/kafka.sh kill DIR           SIGKILL
#   dev/kafka.sh pause DIR          SIGSTOP: connections stay open and nothing answers
#   dev/kafka.sh resume DIR         SIGCONT
#   dev/kafka.sh tool DIR CLASS …   runs a class of the same jars, e.g. org.apache.kafka.tools.TopicCommand
#
# DIR receives: address, pid, log, server.properties, data. The jars are fetched once into build/kafka/libs.
# Needs Java 17 and Maven (apt-get install openjdk-17-jre-headless maven).
set -euo pipefail

die() { echo "dev/kafka.sh: $*" >&2; exit 1; }
usage() { sed -n '2,14s/^# \{0,1\}//p' "$0"; }

root=$(cd "$(dirname "$0")/.." && pwd)
libs=$root/build/kafka/libs
verb=${1:-}
case "$verb" in
    --help | -h) usage; exit 0 ;;
    fetch) ;;
    start | stop | kill | pause | resume) [ $# -ge 2 ] || { usage >&2; exit 2; } ;;
    tool) [ $# -ge 3 ] || { usage >&2; exit 2; } ;;
    *) usage >&2; exit 2 ;;
esac
[ "$verb" != start ] || mkdir -p "$2"
[ "$verb" = fetch ] || dir=$(cd "$2" 2>/dev/null && pwd) || die "$verb: there is no directory $2"

fetch() { # into a directory beside, then renamed: an interrupted fetch leaves nothing that looks complete
    [ ! -d "$libs" ] || return 0
    command -v java >/dev/null || die "no java (apt-get install openjdk-17-jre-headless)"
    command -v mvn >/dev/null || die "no mvn (apt-get install maven)"
    mkdir -p "$root/build/kafka"
    local fresh
    fresh=$(mktemp -d "$root/build/kafka/libs.XXXXXX")
    mvn -q -B -f "$root/dev/kafka/pom.xml" dependency:copy-dependencies -DoutputDirectory="$fresh" >"$root/build/kafka/fetch.log" 2>&1 ||
        { rm -rf "$fresh"; die "fetching the jars failed: see $root/build/kafka/fetch.log"; }
    mv -T "$fresh" "$libs" 2>/dev/null || rm -rf "$fresh" # somebody else was faster
}

is_running() { # a killed process that nobody has reaped is over, too
    [ -s "$dir/pid" ] && [ -d "/proc/$(cat "$dir/pid")" ] && ! grep -qs "^State:[[:space:]]*Z" "/proc/$(cat "$dir/pid")/status"
}

need_running() { is_running || die "$verb: the node of $dir is not running"; }

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 10000))
        if ! (: </dev/tcp/127.0.0.1/$port) 2>/dev/null; then echo $port; return; fi
    done
}

configure() {
    local port=${1:-$(free_port)} controller
    controller=$(free_port)
    [[ $port =~ ^[0-9]+$ ]] && [ "$port" -ge 1024 ] && [ "$port" -le 65535 ] || die "start: PORT must be 1024 to 65535, not $port"
    cat >"$dir/server.properties" <<SETTINGS
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$dir/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
SETTINGS
    local id
    id=A$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 2-21)g # as StorageTool random-uuid, without its JVM
    java -cp "$libs/*" kafka.tools.StorageTool format --standalone -t "$id" -c "$dir/server.properties" >"$dir/format.log" 2>&1 ||
        die "start: formatting failed: see $dir/format.log"
    echo "127.0.0.1:$port" >"$dir/address.new"
}

# Serving means that a request is answered; an open port is not enough. Deadline 100 s, for a machine that does much else.
wait_until_serving() {
    local address deadline=$((SECONDS + 100))
    address=$(cat "$dir/address.new" 2>/dev/null || cat "$dir/address")
    while [ $SECONDS -lt $deadline ]; do
        is_running || die "start: the node ended: see $dir/log"
        if grep -qs "Kafka Server started" "$dir/log" && (: </dev/tcp/127.0.0.1/"${address##*:}") 2>/dev/null; then
            [ ! -e "$dir/address.new" ] || mv "$dir/address.new" "$dir/address"
            return
        fi
        sleep 0.1
    done
    die "start: the node does not serve after 100 s: see $dir/log"
}

start() {
    ! is_running || die "start: the node of $dir is running already"
    fetch
    [ -s "$dir/server.properties" ] && [ -d "$dir/data" ] || configure "${1:-}"
    # Only WARN and above, and the line that says it serves. Its own session: a Ctrl-C of the caller is not for it.
    setsid java -Xms256m -Xmx512m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
        -Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info \
        -cp "$libs/*" kafka.Kafka "$dir/server.properties" >"$dir/log" 2>&1 </dev/null &
    echo $! >"$dir/pid"
    wait_until_serving
}

wait_until_over() {
    for _ in $(seq 600); do
        if ! is_running; then rm -f "$dir/pid"; return; fi
        sleep 0.05
    done
    die "$verb: process $(cat "$dir/pid") is still there after 30 s"
}

case "$verb" in
    fetch) fetch ;;
    start) start "${3:-}" ;;
    stop)
        if is_running; then kill -CONT "$(cat "$dir/pid")"; kill -TERM "$(cat "$dir/pid")"; wait_until_over; fi ;;
    kill) need_running; kill -KILL "$(cat "$dir/pid")"; wait_until_over ;;
    pause) need_running; kill -STOP "$(cat "$dir/pid")" ;;
    resume) need_running; kill -CONT "$(cat "$dir/pid")" ;;
    tool) shift 2; exec java -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$libs/*" "$@" ;;
esac
