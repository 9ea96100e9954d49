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
    return send(stack, ({"key": key, **({"null": True} if value is None else {"hex": value.hex()})} for key, value in rows))


def send(stack, records):
    """records: what one line of the producer says, see tests/support/status_producer.c."""
    lines = "".join(json.dumps(record) + "\n" for record in records)
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
    wait_until("everything is consumed", lambda: consumed(stack, TO3) == before + count, size(120, 600))
    check(outcomes(stack, TO3)["parked"] == parked + poisoned, f"{poisoned} poison records are parked")
    missing = []
    for message in MESSAGES:
        have = {(message, kind, second) for kind, who, second in a3_rows(stack, message)}
        missing += [row for row in expected if row[0] == message and row not in have]
    check(not missing, f"{len(missing)} good records have no row, first {missing[:3]}")
    check(not unaccounted(stack), f"unaccounted: {unaccounted(stack)}")


def a_backlog_is_read_within_the_promised_memory(stack):
    """The facts are locked, so that nothing is applied until every queue of the consumer is full."""
    start(stack)
    process, count = stack.processes[TO3], 90000
    process.stop()
    at_us, before = int(time.time() - 3000) * 1000000, consumed(stack, TO3)
    send(stack, ({"source": {"system": "ALTINN2", "stream": "backlog", "sequence": number}, "altinn2_id": chosen, "kind": 4,
                  "occurred_at_us": at_us, "captured_at_us": at_us, "party_uuid": poison.PARTY}
                 for number, chosen in enumerate(random.choices(MESSAGES, k=count))))
    seen = []

    def is_full():
        seen.append(process.peak_mib())
        return len(seen) > 30 and seen[-1] - seen[-30] < 0.5

    with stack.connect() as lock:
        lock.autocommit = False
        lock.cursor().execute("LOCK TABLE sync.correspondence_fact IN ACCESS EXCLUSIVE MODE")
        process.start()
        wait_until("its memory has not grown for 3 s", is_full, 60)
    wait_until("the backlog is consumed", lambda: consumed(stack, TO3) == before + count, 300)
    peak = process.peak_mib()
    print(f"FIGURE {peak:.0f} MiB at most with a backlog of {count}")
    check(peak <= 64, f"{peak:.1f} MiB")
    check(not unaccounted(stack), f"unaccounted: {unaccounted(stack)}")


def parked_records_are_shown_with_position_code_and_field(stack):
    done = stack.verb("-o", "json", "parked", "list")
    rows = json.loads(done.stdout)
    check(rows and all(row.get("code") for row in rows), "parked list tells the code")


if __name__ == "__main__":
    run([each_kind_of_poison_is_parked_with_its_code, neighbours_of_poison_are_applied,
         a_backlog_is_read_within_the_promised_memory, parked_records_are_shown_with_position_code_and_field], "poison")
