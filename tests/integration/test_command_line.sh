#!/usr/bin/env bash
# Shows that bad input of every kind gives one clear sentence with where and what to do, and the exit code of
# docs/running.md. How: the built program, wrong command lines and files, a throw-away PostgreSQL, the
# embedded broker.
#
#   tests/integration/test_command_line.sh PROGRAM      (for example build/debug/altinn-sync)
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[ $# = 1 ] && [ -x "$1" ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
program=$(realpath "$1")
broker=$(dirname "$program")/dev/dev-broker
root=$PWD
passed=0
failed=0
work=$(mktemp -d /tmp/altinn-sync-cli.XXXXXX)
chmod 0755 "$work"
broker_pid=
unset "${!ALTINN_SYNC_@}" "${!PG@}" NO_COLOR
cleanup() {
    [ -z "$broker_pid" ] || kill "$broker_pid" 2>/dev/null
    [ ! -e "$work/pg" ] || dev/postgres.sh stop "$work/pg" >/dev/null 2>&1
    rm -rf "$work"
}
trap cleanup EXIT

fault() {
    failed=$((failed + 1))
    printf 'FAIL  %s\n' "$1"
    sed 's/^/      /' "$work/err" | head -8
}

# expect CODE PATTERN ARGUMENT…: the program ends with CODE and says one sentence that matches PATTERN. A second
# line may point to the help. Nothing is said twice and no secret is repeated.
expect() {
    local code=$1 pattern=$2 got sentences
    shift 2
    timeout 90 "$program" "$@" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    sentences=$(grep -cv '^See: ' "$work/err")
    if [ "$got" != "$code" ]; then
        fault "$*: exit $got instead of $code"
    elif [ "$sentences" != 1 ]; then
        fault "$*: $sentences lines instead of one sentence"
    elif ! grep -qE -- "$pattern" "$work/err"; then
        fault "$*: no match for $pattern"
    elif grep -q 'hunter2' "$work/err" "$work/out"; then
        fault "$*: repeats a secret"
    else
        passed=$((passed + 1))
    fi
}

# expect_config CODE PATTERN TEXT: a configuration of that text.
expect_config() {
    printf '%s\n' "$3" >"$work/c.yaml"
    expect "$1" "$2" -c "$work/c.yaml" config check
}

# expect_topics PATTERN SED-SCRIPT: topics.yaml with one change; validate says every fault with a caret.
expect_topics() {
    sed -e "$2" topics.yaml >"$work/t.yaml"
    "$program" topics validate -f "$work/t.yaml" >"$work/out" 2>"$work/err"
    local got=$?
    if [ $got != 2 ]; then
        fault "topics '$2': exit $got instead of 2"
    elif ! grep -qE "^$work/t.yaml:[0-9]+:[0-9]+: .*$1" "$work/err"; then
        fault "topics '$2': no match for $1"
    elif ! grep -qE '^ +\| +\^$' "$work/err" && ! grep -qE '^ +\| \^$' "$work/err"; then
        fault "topics '$2': no caret"
    else
        passed=$((passed + 1))
    fi
}

good() { # ARGUMENT…: ends with 0
    if "$program" "$@" >"$work/out" 2>"$work/err" </dev/null; then
        passed=$((passed + 1))
    else
        fault "$*: exit $?"
    fi
}

# Command line ---------------------------------------------------------------------------------------------
good help
good --help
good help config show
good config --help
good --version
good version -o json
good processors list
good processors describe status-to-altinn3 -o json
good topics validate
good --dev topics validate
expect 2 'a verb is missing; "altinn-sync help" lists them'
expect 2 'no verb "frobnicate"; "altinn-sync help" lists them' frobnicate
expect 2 'did you mean "topics validate"\?' topcis validate
expect 2 'did you mean "status"\?' statsu
expect 2 'not a verb by itself; there is config check, config show' config
expect 2 'did you mean --timeout\?' --tiemout 5s version
expect 2 'there is no flag --orign; did you mean --origin\?' config show --orign
expect 2 'it takes table or json' -o xml version
expect 2 'write 30s, 500ms or PT30S' --timeout 5 version
expect 2 '-c needs a value' version -c
expect 2 'write -X name=value' -X novalue version
expect 2 'is a secret' -X sasl.password=hunter2 config check
expect 2 '-F needs a value' version -F
expect 2 '-F b is one file too many' -F a -F b version
expect 2 'read /nonexistent: No such file or directory' -F /nonexistent config check
expect 2 'an argument is missing; it takes NAME' run
expect 2 'an argument is missing; it takes NAME' capture
expect 2 'an argument is missing; it takes .*FILE' load
expect 2 '"b" is one argument too many' config show a b
expect 2 'did you mean status-to-altinn3\?' run status-to-altin3
expect 2 'no source has the name' capture nothing
expect 2 '--limit' parked list --limit many
expect 2 'are numbers' parked show topic zero one
expect 2 '--interval takes' status --watch --interval 1
expect 2 '--reason needs a text' lanes open altinn2 --reason ""
expect 2 'an argument is missing' lanes open
expect 2 '--limit needs a number' drift list --limit none
expect 2 'there is no class "nothing"' drift list --class nothing
expect 2 'an argument is missing' drift release restore_parked
expect 2 '"" is one argument too many' status ""
expect 2 '--count takes' status --watch --count 0
expect 4 'did you mean "status-to-altinn3"\?' processors describe status-to-altin3
expect 4 'no section or option "nothing"' config show nothing

# Configuration --------------------------------------------------------------------------------------------
here="$work/c.yaml"
expect 2 'read /nonexistent.yaml: No such file or directory' -c /nonexistent.yaml config check
expect 2 "read $work: Is a directory" -c "$work" config check
expect_config 2 "^altinn-sync: $here:[0-9]+:[0-9]+: not valid YAML" 'kafka: ['
expect_config 2 "$here:1:1: there is no setting kafak; did you mean kafka\?" 'kafak: {}'
expect_config 2 "$here:1:9: .*did you mean kafka.bootstrap_servers\?" 'kafka: {bootstrap_server: x}'
expect_config 2 "$here:2:1: the key \"log\" stands twice" $'log: {}\nlog: {}'
expect_config 2 "$here:1:31: consumer.batch_records_max is \"0\"; it takes 1 to 1000" 'consumer: {batch_records_max: 0}'
expect_config 2 'it takes debug \| info \| warn \| error' 'log: {level: loud}'
expect_config 2 'kafka must be a map of settings' 'kafka: 3'
expect_config 2 'write "" for none' 'bridge: {base_url: }'
expect_config 2 "$here:1: .*set it to 20000 or less" 'kafka: {session_timeout_ms: 30s}'
expect_config 2 'kafka.properties.sasl.password_file: PATH' 'kafka: {properties: {sasl.password: hunter2}}'
client="$work/client.properties"
printf 'bootstrap.servers=127.0.0.1:9092\nclient.rack=a\nsasl.password=hunter2\n' >"$client"
chmod 0444 "$client"
expect 2 "$client:3: .*others must not read it" -F "$client" config check
chmod 0400 "$client"
if "$program" -F "$client" -X client.rack=b config show --origin kafka 2>&1 | tee "$work/out" | grep -qE 'client.rack +b +flag -X' &&
    grep -qE 'bootstrap_servers +127.0.0.1:9092 +.*client.properties:1' "$work/out" && ! grep -q hunter2 "$work/out" &&
    grep -qE 'sasl.password +[*]{8} +.*client.properties:3' "$work/out"; then
    passed=$((passed + 1))
else
    cp "$work/out" "$work/err"
    fault 'config show does not tell what -F and -X gave'
fi
rm -f "$client"
printf '# x\nssl.truststore.location=/x.jks\n' >"$client"
expect 2 "$client:2: .*Java client; write ssl.ca.location" -F "$client" config check
printf 'bootstrap.servers=broker.example:9092\n' >"$client"
expect 2 "$client:1: .*plaintext" -F "$client" config check
expect_config 2 'frobnicate' 'kafka: {properties: {frobnicate: 1}}'
expect_config 2 'enable.auto.commit is fixed at false; remove it' 'kafka: {properties: {enable.auto.commit: "true"}}'
expect_config 2 'group.id has its own option or is not used; remove it' 'kafka: {properties: {group.id: mine}}'
expect_config 2 'passfile=PATH or PGPASSFILE' 'database: {dsn: "postgresql://u:hunter2@127.0.0.1/d"}'
expect_config 2 'names a service that no service file has|no libpq URI' 'database: {dsn: "service=nothing"}'
printf 'hunter2\n' >"$work/secret"
chmod 0644 "$work/secret"
expect_config 2 'run chmod 0440 on it' "capture: {token_file: $work/secret}"
ALTINN_SYNC_LOG__LEVL=x expect 2 'environment ALTINN_SYNC_LOG__LEVL: .*did you mean log.level\?' config show
ALTINN_SYNC_LOG__LEVEL=x expect 2 'environment ALTINN_SYNC_LOG__LEVEL: log.level is "x"' config show
PGPASSWORD=hunter2 expect 2 'PGPASSFILE' config show
# The example with its comments taken away is the defaults: a comment there cannot go stale.
sed -e 's/^  # \([a-z_]*:\)/  \1/' examples/altinn-sync.yaml | sed -e '/_file:/d' >"$work/shown.yaml"
sed -e '/_file:/d' examples/altinn-sync.yaml >"$work/commented.yaml"
if [ "$("$program" -c "$work/shown.yaml" config show 2>&1)" = "$("$program" -c "$work/commented.yaml" config show 2>&1)" ] &&
    "$program" -c "$work/shown.yaml" config show >/dev/null 2>&1; then
    passed=$((passed + 1))
else
    "$program" -c "$work/shown.yaml" config show >/dev/null 2>"$work/err"
    fault "examples/altinn-sync.yaml: its comments are not the defaults"
fi

# Plaintext to an address that is not loopback -------------------------------------------------------------
expect_config 2 'kafka.bootstrap_servers leads to another machine in plaintext' \
    'kafka: {bootstrap_servers: "192.0.2.1:9092"}'
expect_config 2 'bridge.base_url leads to another machine over http; use https' 'bridge: {base_url: "http://192.0.2.1/"}'
expect_config 2 'capture.listen is open to other machines; set capture.token_file' 'capture: {listen: "0.0.0.0:8081"}'
expect_config 2 'database.dsn leads to an address that is not loopback without verified TLS' \
    'database: {dsn: "host=192.0.2.1 dbname=x"}'
expect_config 2 'never done' 'kafka: {properties: {enable.ssl.certificate.verification: false}}'
printf 'http: {listen: "0.0.0.0:9464"}\n' >"$work/c.yaml"
expect 2 '--dev is refused, because http.listen is not loopback' --dev -c "$work/c.yaml" config check

# topics.yaml ----------------------------------------------------------------------------------------------
expect 2 'read /nonexistent.yaml: No such file' topics validate -f /nonexistent.yaml
expect 2 '-f needs a file' topics validate -f
expect_topics 'unknown key "partitons"; did you mean "partitions"' '0,/partitions: 48/s//partitons: 48/'
expect_topics 'did you mean retention.ms' 's/retention.ms/retention.mz/'
expect_topics 'below the replayWindow' 's/retention.ms: P30D/retention.ms: P1D/'
expect_topics 'never compacted' 's/cleanup.policy: delete/cleanup.policy: compact/'
expect_topics "needs the broker's clock" 's/LogAppendTime/CreateTime/'
expect_topics 'equally many' '0,/partitions: 48/s//partitions: 24/'
expect_topics 'there is no consumer "nobody"' 's/\[status-to-altinn3\]/[nobody]/'
expect_topics 'reads records of no.altinn.sync.StatusChange' 's/schema: no.altinn.sync.StatusChange/schema: no.Other/'
expect_topics 'stands twice' 's/name: altinn3/name: altinn2/'
ALTINN_SYNC_SCHEMAS__DIR=/nonexistent expect 2 'check schemas.dir' topics validate

# Dependencies that cannot be reached ----------------------------------------------------------------------
export ALTINN_SYNC_HTTP__LISTEN=127.0.0.1:0 ALTINN_SYNC_CAPTURE__LISTEN=127.0.0.1:0
export ALTINN_SYNC_KAFKA__BOOTSTRAP_SERVERS=127.0.0.1:1 ALTINN_SYNC_DATABASE__DSN="host=127.0.0.1 port=1 dbname=x"
expect 7 'connect to the database: .*refused' status
expect 7 'connect to the database: .*refused' held list
expect 7 'connect to the database: .*refused' db status
expect 7 'ask the broker' --timeout 1s topics apply

# Dependencies that answer no ------------------------------------------------------------------------------
if ! dev/postgres.sh start "$work/pg" >"$work/err" 2>&1; then
    fault "dev/postgres.sh start"
fi
dsn=$(cat "$work/pg/dsn")
host="host=127.0.0.1 port=$(cat "$work/pg/port")"
"$broker" --topic nothing:1 --address-file "$work/address" >"$work/broker.log" 2>&1 &
broker_pid=$!
for _ in $(seq 100); do
    [ -s "$work/address" ] && break
    read -rt 0.1 <> <(:) || true
done
ALTINN_SYNC_KAFKA__BOOTSTRAP_SERVERS=$(head -1 "$work/address" 2>/dev/null)
export ALTINN_SYNC_KAFKA__BOOTSTRAP_SERVERS
export ALTINN_SYNC_DATABASE__DSN="$host user=postgres dbname=nothing"
expect 1 'database "nothing" does not exist; check database.dsn' status
export ALTINN_SYNC_DATABASE__DSN="$host user=nobody dbname=correspondence"
expect 1 'role "nobody" does not exist; check database.dsn and the role' status
export ALTINN_SYNC_DATABASE__DSN=$dsn
expect 1 'run "altinn-sync db migrate"' status
expect 1 'run "altinn-sync db migrate"' held list
expect 2 'open /nonexistent: No such file' load /nonexistent
expect 2 'bridge.base_url is empty' run status-to-altinn2
ALTINN_SYNC_SCHEMAS__DIR=/nonexistent expect 2 'read schemas in /nonexistent' --dev run status-to-altinn3
expect 5 'add --yes to go on' --dev topics apply
printf 'cluster: {id: other}\n' >"$work/o.yaml"
expect 5 'the file expects the cluster other' topics apply -f topics.yaml -f topics.dev.yaml -f "$work/o.yaml"
printf 'managedBy: strimzi\n' >"$work/o.yaml"
expect 5 'managedBy: strimzi' topics apply -f topics.yaml -f topics.dev.yaml -f "$work/o.yaml"
every_process() { # PATTERN: each process ends with 1 and this sentence
    local process
    for process in "run status-to-altinn3" "run status-to-altinn2" "capture altinn2-status" "capture altinn3-status"; do
        # shellcheck disable=SC2086
        ALTINN_SYNC_BRIDGE__BASE_URL=http://127.0.0.1:9 ALTINN_SYNC_CAPTURE__LISTEN=127.0.0.1:0 \
            ALTINN_SYNC_HTTP__LISTEN=127.0.0.1:0 expect 1 "$1" --dev $process
    done
}
every_process 'run "altinn-sync db migrate"'

# Missing grants and a wrong schema, on a migrated database. A missing topic needs a real broker, because the
# embedded one makes it: test_topics.py. ------------------------------------------------------------------
psql=(/usr/lib/postgresql/15/bin/psql -qX -v ON_ERROR_STOP=1 "$dsn")
"${psql[@]}" -c 'CREATE ROLE stranger LOGIN' 2>"$work/err" || fault "a role without grants"
good --yes db migrate
"${psql[@]}" -c "INSERT INTO sync.schema_version VALUES (9999, 'later', '', now())"
every_process 'later, which this program does not; .*"altinn-sync db migrate" applied it'
"${psql[@]}" -c "DELETE FROM sync.schema_version WHERE version = 9999;
    UPDATE sync.schema_version SET sha256 = sha256 || '\x00' WHERE version = 2"
every_process 'applied with another text .*"altinn-sync db migrate" applied it'
"${psql[@]}" -c "UPDATE sync.schema_version SET sha256 = substring(sha256 FOR 32) WHERE version = 2"
"${psql[@]}" -c "DELETE FROM sync.schema_version WHERE version = 2"
every_process 'lacks 1 migration .*run "altinn-sync db migrate"'
"${psql[@]}" -c 'SET client_min_messages = warning; DROP SCHEMA sync CASCADE'
good --yes db migrate
export ALTINN_SYNC_DATABASE__DSN="$host user=stranger dbname=correspondence"
expect 1 'permission denied.*examples/sql' status
expect 1 'permission denied' held list
export ALTINN_SYNC_DATABASE__DSN=$dsn
good status
good status -o json
good status --watch --count 2 --interval 100ms
expect 4 'none at nothing, partition 0, offset 1' parked show nothing 0 1
"${psql[@]}" -f examples/sql/roles.sql -f examples/sql/grants.sql >"$work/err" 2>&1 || fault "examples/sql on a migrated database"
export ALTINN_SYNC_DATABASE__DSN="$host user=altinn-sync-viewer dbname=correspondence"
good status
good parked list
expect 4 'none at nothing' parked show nothing 0 1
expect 1 'permission denied.*examples/sql' parked show --bytes nothing 0 1
expect 1 'replication role.*login of the capture' capture status altinn3-status
export ALTINN_SYNC_DATABASE__DSN="$host user=altinn-sync-altinn3-status dbname=correspondence"
expect 4 'run altinn-sync capture init first' capture status altinn3-status
expect 5 'their owner run connectors/altinn3/sql/publication.sql' capture init altinn3-status
export ALTINN_SYNC_DATABASE__DSN=$dsn
# A port in use passes by itself, so it is no fault of a file: exit 1, and a service manager tries again.
ALTINN_SYNC_HTTP__LISTEN=$(head -1 "$work/address") expect 1 'cannot be bound; is the port taken' --dev run status-to-altinn3
ALTINN_SYNC_CAPTURE__LISTEN=$(head -1 "$work/address") expect 1 'cannot be bound; is the port taken' --dev capture altinn2-status
mkdir -p "$work/schemas/no/altinn/sync"
sed 's/"altinn2_id"/"other_id"/' "$root/schemas/no/altinn/sync/StatusChange.avsc" >"$work/schemas/no/altinn/sync/StatusChange.avsc"
ALTINN_SYNC_SCHEMAS__DIR=$work/schemas expect 1 'altinn2_id' --dev run status-to-altinn3

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
