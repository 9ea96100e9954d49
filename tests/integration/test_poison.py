#!/usr/bin/python3
"""1 % poison of more than 30 kinds among good records on Apache Kafka: each is parked with its code, its neighbours are not
touched, and every record has exactly one outcome."""
import json
import os
import random
import subprocess
import time

import poison
from harness import (BUILD, SEED, TOPIC2, a3_rows, check, consumed, insert_message, outcomes, run, size, unaccounted,
                     wait_until)

TO3 = "status-to-altinn3"
MESSAGES = range(3001, 3101)


def produce(stack, rows):
    """rows: (key, value or None). Through the project's own producer, byte by byte as given."""
    lines = "".join(json.dumps({"key": key, **({"null": True} if value is None else {"hex": value.hex()})}) + "\n" for key, value in rows)
    done = subprocess.run([os.path.join(BUILD, "tests/test-status_producer"), "--bootstrap", stack.bootstrap, "--topic", TOPIC2],
                          input=lines, text=True, capture_output=True, timeout=120)
    check(done.returncode == 0, f"status_producer: {done.stderr[-300:]}")
    return json.loads(done.stdout.strip().split("\n")[-1])


def start(stack):
    if TO3 not in stack.processes:
        for message in MESSAGES:
            insert_message(stack, message)
        stack.sync_process(TO3, "run").start()


def each_kind_of_poison_is_parked_with_its_code(stack):
    start(stack)
    kinds = poison.kinds(3001)
    check(len(kinds) >= 20, "at least 20 kinds")
    before = consumed(stack, TO3)
    wrong = []
    for name, key, value, code in kinds:
        produce(stack, [(key, value)])
        before += 1
        wait_until(f"{name} is consumed", lambda: consumed(stack, TO3) >= before, 30, every=0.02)
        row = stack.query("SELECT code, field, reason, rule FROM sync.parked ORDER BY since DESC, record_offset DESC LIMIT 1")
        if not row or row[0][0] != code:
            wrong.append(f"{name}: {row} instead of {code}")
    check(not wrong, "; ".join(wrong))
    check(outcomes(stack, TO3)["parked"] == len(kinds), "each is parked, none is counted otherwise")


def neighbours_of_poison_are_applied(stack):
    start(stack)
    random.seed(SEED)
    count = size(10000, 100000)
    now = int(time.time()) - 3000
    bad = [row for message in MESSAGES for row in poison.kinds(message)]
    rows, expected, poisoned = [], set(), 0
    for number in range(count):
        if number % 100 == 50:
            name, key, value, code = random.choice(bad)
            rows.append((key, value))
            poisoned += 1
        else:
            message, second = random.choice(MESSAGES), now + random.randrange(2000)
            kind = random.choice((4, 4, 4, 6, 9, 13, 14))
            rows.append((str(message), poison.record(a2=message, number=number, kind=poison.long(kind),
                                                     occurred_at_us=poison.long(second * 1000000 + 5))))
            expected.add((message, kind, second))
    parked, before = outcomes(stack, TO3)["parked"], consumed(stack, TO3)
    produce(stack, rows)
    wait_until("everything is consumed", lambda: consumed(stack, TO3) == before + count, 120)
    check(outcomes(stack, TO3)["parked"] == parked + poisoned, f"{poisoned} poison records are parked")
    missing = []
    for message in MESSAGES:
        have = {(message, kind, second) for kind, who, second in a3_rows(stack, message)}
        missing += [row for row in expected if row[0] == message and row not in have]
    check(not missing, f"{len(missing)} good records have no row, first {missing[:3]}")
    check(not unaccounted(stack), f"unaccounted: {unaccounted(stack)}")


def parked_records_are_shown_with_position_code_and_field(stack):
    done = stack.verb("-o", "json", "parked", "list")
    rows = json.loads(done.stdout)
    check(rows and all(row.get("code") for row in rows), "parked list tells the code")


if __name__ == "__main__":
    run([each_kind_of_poison_is_parked_with_its_code, neighbours_of_poison_are_applied,
         parked_records_are_shown_with_position_code_and_field], "poison")
