#!/usr/bin/env bash
# What an author of a consumer does first: "processors new" in a copy of this repository, build, test. Then the
# example of docs/consumers.md, with the very text of that page. Needs SYNC_TEST_DSN. Ends with "N passed, N failed".
set -uo pipefail
export SYNC_TEST_STRICT=1 SYNC_BATTERY_ONLY=mailbox-setting SYNC_BATTERY_ROUNDS=1
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
program=$root/${SYNC_BUILD:-build/release}/altinn-sync
copy=$(mktemp -d /tmp/altinn-sync-new.XXXXXX)
trap 'rm -rf "$copy"' EXIT
passed=0
failed=0

show() { # WHAT COMMAND…
    local what=$1
    shift
    if "$@" >"$copy.log" 2>&1; then
        passed=$((passed + 1))
        echo "ok    $what"
    else
        failed=$((failed + 1))
        echo "FAIL  $what"
        tail -30 "$copy.log" | sed 's/^/      /'
    fi
    rm -f "$copy.log"
}

refuses() { # CODE WORDS COMMAND…
    local code=$1 words=$2
    shift 2
    local said status=0
    said=$("$@" 2>&1) || status=$?
    echo "$status: $said"
    [ "$status" = "$code" ] && grep -q "$words" <<<"$said"
}

build() { cmake --build "$copy/build/debug" --target altinn-sync test_mailbox_setting test_contract test_battery -- -j "$(nproc)"; }
configure() { (cd "$copy" && cmake --preset debug) && build; }
tests() {
    "$copy/build/debug/tests/test_mailbox_setting" && "$copy/build/debug/tests/test_contract" &&
        "$copy/build/debug/tests/test_battery"
}
# The first block of that language on the page.
block() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" docs/consumers.md | sed '1d;/^```$/,$d'; }
example() { block diff | patch -d "$copy" -p1 && build; }
last_event_wins() { # a mistake that the laws must not let through
    sed -i 's/order <= 0/order == 0/' "$copy/processors/mailbox_setting.c" && build || return 1
    local said
    said=$(SYNC_BATTERY_ROUNDS=8 "$copy/build/debug/tests/test_battery" 2>&1) && return 1 # one order may be harmless
    grep "FAILED.*every_order_ends_equal" <<<"$said"
}
short() { [ "$(block diff | grep -c '^[+-][^+-]')" -le 60 ]; }

git ls-files --cached --others --exclude-standard | while read -r file; do [ -f "$file" ] && echo "$file"; done |
    tar -cf - -T - | tar -xf - -C "$copy"
show "processors new writes the files" "$program" processors new mailbox_setting --root "$copy"
show "it does not write over them" refuses 5 "is there already" "$program" processors new mailbox_setting --root "$copy"
show "it refuses what is no name" refuses 2 "is no name" "$program" processors new Mailbox --root "$copy"
show "it refuses a prefix that is taken" refuses 2 "prefix of their own" "$program" processors new other --rules CS --root "$copy"
show "it refuses a place that is no working copy" refuses 4 "working copy" "$program" processors new other --root /nowhere
show "the copy builds" configure
show "its tests and the battery pass untouched" tests
show "its topic is valid" env -C "$copy" build/debug/altinn-sync topics validate
show "the example of docs/consumers.md is short, and builds" eval "short && example"
show "the tests of the example pass" tests
show "the battery finds \"the last event wins\"" last_event_wins
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
