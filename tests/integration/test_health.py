#!/usr/bin/python3
"""The probes of every kind of process through an outage of the broker and one of the database, and the page of figures.

Alive all the time; not ready while a server is away; ready again soon, also with nothing to do.
"""
import re
import signal
import threading
import time

import harness
from harness import (CONFIRMED, READ, Bridge, act3, check, consumed, insert_message, insert_party, outcomes, party, push, run,
                     unaccounted, wait_until)
from stack import PROCESSES

P = party(1)
TO3, TO2 = "status-to-altinn3", "status-to-altinn2"
READY_SECONDS = 30
bridge = None
watch = None
SAMPLE = re.compile(r'^([a-z_][a-z0-9_]*)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (-?[0-9.eE+-]+|[+-]Inf|NaN)$')


def page(stack, name, path):
    """(code, text); code 0 when nobody answers."""
    try:
        return harness.page(stack, name, path)
    except OSError as error:
        return 0, str(error)


class Watch(threading.Thread):
    """Asks /livez of every process until it is told to stop; keeps whatever was not 200."""

    def __init__(self, stack):
        super().__init__(daemon=True)
        self.stack, self.ended, self.bad, self.asked = stack, threading.Event(), [], 0

    def run(self):
        while not self.ended.wait(0.2):
            for name in PROCESSES:
                code, text = page(self.stack, name, "/livez")
                self.asked += 1
                if code != 200:
                    self.bad.append((name, code, text))


def start(stack):
    global bridge, watch
    if bridge is None:
        bridge = Bridge(stack)
        insert_party(stack, 1)
        stack.start_loop()
        watch = Watch(stack)
        watch.start()


def all_ready(stack, seconds=READY_SECONDS):
    for name in PROCESSES:
        wait_until(f"{name} is ready", lambda: page(stack, name, "/readyz")[0] == 200 or page(stack, name, "/readyz")[1], seconds)


def none_ready(stack, word):
    """Every process says that it is not ready, and names what is away."""
    for name in PROCESSES:
        wait_until(f"{name} says that the {word} is away",
                   lambda: page(stack, name, "/readyz")[0] == 503 and f"[-] {word} not reachable" in page(stack, name, "/readyz")[1],
                   READY_SECONDS)


def every_process_starts_and_becomes_ready(stack):
    start(stack)
    all_ready(stack, 60)
    for name in PROCESSES:
        check(page(stack, name, "/startupz")[0] == 200, f"{name} has started")
        text = page(stack, name, "/readyz?verbose")[1]
        check("[+] kafka reachable" in text and "[+] database reachable" in text, f"{name} tells what it checks: {text}")
        check(page(stack, name, "/nothing")[0] == 404, f"{name} knows its paths")


def samples(stack, name):
    """{(metric, labels): value}; fails for a line that is not of the text format."""
    code, text = page(stack, name, "/metrics")
    check(code == 200 and text.endswith("\n"), f"{name} serves its figures")
    found, types = {}, {}
    for line in text[:-1].split("\n"):
        if line.startswith("# TYPE "):
            types[line.split()[2]] = line.split()[3]
        elif not line.startswith("# HELP "):
            parts = SAMPLE.match(line)
            check(parts, f"{name}: a line that is no sample: {line!r}")
            check((parts[1], parts[2]) not in found, f"{name}: twice: {line}")
            check(parts[1] in types or re.sub("_(bucket|sum|count)$", "", parts[1]) in types, f"{name}: without type: {line}")
            found[parts[1], parts[2] or ""] = float(parts[3])
    return found


def total(found, metric, *labels):
    return sum(value for (name, text), value in found.items() if name == metric and all(label in text for label in labels))


def figures_agree(stack):
    """What the processes count since their start and what the tables hold: nothing was there before them."""
    for name in PROCESSES:
        samples(stack, name)
    for scope in (TO3, TO2):
        found = samples(stack, scope)
        check(total(found, "altinn_sync_changes_consumed_total") == consumed(stack, scope), f"{scope}: consumed")
        for outcome, count in outcomes(stack, scope).items():
            counted = total(found, "altinn_sync_changes_total", f'outcome="{outcome}"')
            check(counted == count, f"{scope}: {outcome}: {counted} counted, {count} in sync.outcome_count")
    check(not unaccounted(stack), "accounted")


def work(stack, first, count=10):
    """Acts on both sides, until both are through."""
    now = int(time.time()) - 500
    for message in range(first, first + count):
        insert_message(stack, message)
        check(push(stack, message, [(READ, P, now)]) == 200, "push")
        act3(stack, message, CONFIRMED, P, now + 1)
    wait_until("Altinn 2 holds both flags of all", lambda: stack.query(
        """SELECT count(*) FROM sync.correspondence WHERE altinn2_id BETWEEN %s AND %s AND a2_read = 2 AND a2_confirmed = 2""",
        first, first + count - 1) == [(count,)], 60)


def figures_are_those_of_the_tables(stack):
    start(stack)
    work(stack, 3001)
    check(consumed(stack, TO3) >= 10 and consumed(stack, TO2) >= 10, "there is something to compare")
    figures_agree(stack)


def a_broker_that_is_away_is_told_and_its_return_noticed(stack):
    start(stack)
    for way, back in (("kill", "start"), ("pause", "resume")):
        stack.shell("dev/kafka.sh", way, stack.kafka_directory)
        try:
            none_ready(stack, "kafka")
        finally:
            stack.shell("dev/kafka.sh", back, stack.kafka_directory)
        all_ready(stack)


def a_broker_that_is_away_while_there_is_work_is_noticed_too(stack):
    start(stack)
    insert_message(stack, 3101)
    stack.shell("dev/kafka.sh", "pause", stack.kafka_directory)
    try:
        act3(stack, 3101, READ, P, int(time.time()) - 50)
        check(push(stack, 3101, [(CONFIRMED, P, int(time.time()) - 40)]) == 503, "no answer of the broker, no 200")
        none_ready(stack, "kafka")
    finally:
        stack.shell("dev/kafka.sh", "resume", stack.kafka_directory)
    all_ready(stack)
    work(stack, 3110)


def a_database_that_is_away_is_told_and_its_return_noticed(stack):
    start(stack)
    stack.shell("dev/postgres.sh", "kill", stack.postgres_directory)
    try:
        none_ready(stack, "database")
    finally:
        stack.shell("dev/postgres.sh", "restart", stack.postgres_directory)
    all_ready(stack)
    work(stack, 3201)
    figures_agree(stack)


def every_process_was_alive_all_the_time(stack):
    start(stack)
    watch.ended.set()
    watch.join()
    check(watch.asked > 0 and watch.bad == [], f"{len(watch.bad)} of {watch.asked} answers were not 200: {watch.bad[:3]}")
    for name in PROCESSES:
        check(stack.processes[name].alive() and stack.processes[name].starts == 1, f"{name} is the process of the beginning")


def a_process_that_stands_still_is_not_alive(stack):
    """That the probe can fail at all: the process is stopped, so that nobody answers."""
    start(stack)
    stack.processes[TO3].signal(signal.SIGSTOP)
    try:
        wait_until("nobody answers", lambda: page(stack, TO3, "/livez")[0] == 0, 10)  # its threads stop one by one
    finally:
        stack.processes[TO3].signal(signal.SIGCONT)
    all_ready(stack)


run([every_process_starts_and_becomes_ready, figures_are_those_of_the_tables, a_broker_that_is_away_is_told_and_its_return_noticed,
     a_broker_that_is_away_while_there_is_work_is_noticed_too, a_database_that_is_away_is_told_and_its_return_noticed,
     every_process_was_alive_all_the_time, a_process_that_stands_still_is_not_alive], "health")
