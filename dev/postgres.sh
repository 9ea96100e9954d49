#!/usr/bin/env bash
# A throw-away PostgreSQL 15 with logical decoding, for demo and tests. Loopback and a Unix socket only, no
# passwords: never put data in it that is worth one.
#
#   dev/postgres.sh start DIR           new cluster, or the kept one of DIR; databases correspondence, authorization
#   dev/postgres.sh stop DIR [--keep]   ends it and removes its data, unless --keep
#   dev/postgres.sh kill DIR            SIGKILL to every process of it, as a power cut does
#   dev/postgres.sh restart DIR         clean restart, or start after kill; port and data stay
#
# DIR receives: dsn and dsn-authorization (loopback), dsn_socket, pid, port, location (where data, socket and log are: a place that
# user postgres can reach, whatever DIR is). Started by root, the server runs as user postgres.
set -euo pipefail

die() { echo "dev/postgres.sh: $*" >&2; exit 1; }
usage() { sed -n '2,12s/^# \{0,1\}//p' "$0"; }

here=$(cd "$(dirname "$0")" && pwd)
verb=${1:-}
case "$verb" in
    --help | -h) usage; exit 0 ;;
    start | stop | kill | restart) [ $# -ge 2 ] || { usage >&2; exit 2; } ;;
    *) usage >&2; exit 2 ;;
esac
[ "$verb" != start ] || mkdir -p "$2"
dir=$(cd "$2" 2>/dev/null && pwd) || die "$verb: there is no directory $2"
unset "${!PG@}" # the caller's connection settings must not reach psql

bin=/usr/lib/postgresql/15/bin
[ -x "$bin/initdb" ] || bin=$(pg_config --bindir 2>/dev/null) || die "PostgreSQL 15 is not installed (apt-get install postgresql-15)"
[ -x "$bin/initdb" ] || die "no initdb in $bin (apt-get install postgresql-15)"

# The server refuses to run as root.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups env HOME=/tmp "$@")
    else
        (cd / && exec "$@")
    fi
}

location() {
    [ -s "$dir/location" ] || die "$verb: no cluster was started in $dir"
    local place
    place=$(cat "$dir/location")
    case "$place" in /*/altinn-sync-postgres.*) echo "$place" ;; *) die "$dir/location names no cluster of ours: $place" ;; esac
}

is_running() { as_server "$bin/pg_ctl" -D "$1/data" status >/dev/null 2>&1; }

free_port() { # below the range from which the system takes ports for outgoing connections
    local port
    while :; do
        port=$((20000 + RANDOM % 10000))
        if ! (: </dev/tcp/127.0.0.1/$port) 2>/dev/null; then echo $port; return; fi
    done
}

serve() { # waits until the server answers
    local place=$1 port=$2
    as_server "$bin/pg_ctl" -D "$place/data" -l "$place/log" -o "-p $port" -w -t 60 -s start >/dev/null || return 1
    head -1 "$place/data/postmaster.pid" >"$dir/pid"
}

make_cluster() {
    local place
    place=$(mktemp -d "${TMPDIR:-/tmp}/altinn-sync-postgres.XXXXXX")
    chmod 755 "$place"
    [ "$(id -u)" != 0 ] || chown postgres: "$place"
    echo "$place" >"$dir/location"
    as_server "$bin/initdb" -D "$place/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-instructions >"$dir/initdb.log" 2>&1 ||
        die "initdb failed: see $dir/initdb.log"
    cat >>"$place/data/postgresql.conf" <<SETTINGS
listen_addresses = '127.0.0.1'
unix_socket_directories = '$place'
wal_level = logical
max_wal_senders = 20
max_replication_slots = 64
fsync = on
autovacuum_naptime = 5s # the application's temporary tables fill the catalogs, which a slot keeps from pruning
log_line_prefix = '%m [%p] %q%a '
SETTINGS
}

start() {
    local place port= attempt home
    if [ -s "$dir/location" ] && [ -d "$(location)/data" ]; then
        place=$(location)
        ! is_running "$place" || die "start: the cluster of $dir is running already"
        serve "$place" "$(cat "$dir/port")" || die "start: see $place/log"
        return
    fi
    make_cluster
    place=$(location)
    for attempt in 1 2 3 4 5; do # somebody may take the port between our look and the server's
        port=$(free_port)
        if serve "$place" "$port"; then break; fi
        [ "$attempt" != 5 ] || die "start: see $place/log"
    done
    for home in correspondence authorization; do
        "$bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$place" -p "$port" -U postgres -d postgres -c "CREATE DATABASE \"$home\""
        "$bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$place" -p "$port" -U postgres -d "$home" -f "$here/sql/altinn3-$home.sql"
    done
    echo "$port" >"$dir/port"
    echo "postgresql://postgres@/correspondence?host=$place&port=$port" >"$dir/dsn_socket"
    echo "postgresql://postgres@127.0.0.1:$port/authorization" >"$dir/dsn-authorization"
    echo "postgresql://postgres@127.0.0.1:$port/correspondence" >"$dir/dsn.new"
    mv "$dir/dsn.new" "$dir/dsn" # last, and at once: its presence means that the database serves
}

stop() {
    local place
    place=$(location)
    if is_running "$place"; then as_server "$bin/pg_ctl" -D "$place/data" -m fast -w -t 60 -s stop; fi
    rm -f "$dir/pid"
    if [ "${1:-}" != --keep ]; then
        rm -rf "$place"
        rm -f "$dir/location" "$dir/dsn" "$dir/dsn-authorization" "$dir/dsn_socket" "$dir/port" "$dir/initdb.log"
    fi
}

# A killed process that its parent has not looked at yet is over, too. One that goes between the two looks is over by the next call.
is_over() { [ ! -d "/proc/$1" ] || grep -qs "^State:[[:space:]]*Z" "/proc/$1/status"; }

# The postmaster is stopped first: else it would see its children die and begin to recover.
kill_all() {
    local place pid all
    place=$(location)
    is_running "$place" || die "kill: the cluster of $dir is not running"
    pid=$(head -1 "$place/data/postmaster.pid")
    kill -STOP "$pid"
    all="$(cat "/proc/$pid/task/$pid/children") $pid"
    # shellcheck disable=SC2086 # one word per process id
    kill -KILL $all 2>/dev/null || true
    for pid in $all; do
        for _ in $(seq 600); do
            if is_over "$pid"; then continue 2; fi
            sleep 0.05
        done
        die "kill: process $pid is still there"
    done
    # else a number that was not given back yet counts as a server
    rm -f "$place/data/postmaster.pid" "$place"/.s.PGSQL.* "$dir/pid"
}

restart() {
    local place
    place=$(location)
    if is_running "$place"; then as_server "$bin/pg_ctl" -D "$place/data" -m fast -w -t 60 -s stop; fi
    for _ in $(seq 20); do
        if serve "$place" "$(cat "$dir/port")"; then return; fi
        sleep 0.5
    done
    die "restart: see $place/log"
}

case "$verb" in
    start) start ;;
    stop) stop "${3:-}" ;;
    kill) kill_all ;;
    restart) restart ;;
esac
