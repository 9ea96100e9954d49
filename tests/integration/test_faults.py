#!/usr/bin/python3
"""One fault at a time on Apache Kafka: what must happen, and that nothing is lost or doubled by it."""
import os
import signal
import threading
import time

from harness import (CONFIRMED, PURGED_BY_RECIPIENT, READ, Bridge, TOPIC2, a3_rows, act3, check, consumed, insert_message,
                     insert_party, outcomes, party, push, run, size, unaccounted, wait_until)

P = party(1)
TO3, TO2 = "status-to-altinn3", "status-to-altinn2"
answers = {"code": 200}
bridge = None


def start(stack):
    global bridge
    if bridge is None:
        bridge = Bridge(stack, lambda call: answers["code"])
        insert_party(stack, 1)
        stack.start_loop()


def flags(stack, message):
    return stack.query("SELECT a2_read, a2_confirmed, a2_deleted FROM sync.correspondence WHERE altinn2_id = %s", message)


def a_bridge_that_answers_503_is_asked_again_until_it_works(stack):
    start(stack)
    insert_message(stack, 2001)
    answers["code"] = 503
    act3(stack, 2001, READ, P, int(time.time()) - 50)
    wait_until("it was tried three times", lambda: len(bridge.of(2001)) >= 3, 30)
    check(flags(stack, 2001) == [(1, 0, 0)], "the flag is queued, not held")
    answers["code"] = 200
    wait_until("the flag is held", lambda: flags(stack, 2001) == [(2, 0, 0)], 40)
    keys = {c["key"] for c in bridge.calls if c["correspondenceId"] == 2001}
    check(len(keys) == 1, "every attempt carried the same idempotency key")
    bodies = {(c["eventTimestamp"], c["partyId"]) for c in bridge.calls if c["correspondenceId"] == 2001}
    check(len(bodies) == 1, "every attempt had the same body")


def a_lost_answer_is_an_unknown_outcome_and_the_call_is_repeated(stack):
    start(stack)
    insert_message(stack, 2002)
    answers["code"] = None
    act3(stack, 2002, CONFIRMED, P, int(time.time()) - 50)
    wait_until("it was tried twice", lambda: len(bridge.of(2002)) >= 2, 30)
    answers["code"] = 200
    wait_until("the flag is held", lambda: flags(stack, 2002) == [(0, 2, 0)], 40)


def a_refused_call_is_parked_and_the_purge_after_it_still_goes(stack):
    start(stack)
    insert_message(stack, 2003)
    answers["code"] = 400
    act3(stack, 2003, READ, P, int(time.time()) - 50)
    wait_until("parked", lambda: stack.query("SELECT state FROM sync.outbox WHERE entity_key = '2003' AND name = 'a2/read'") == [(4,)], 30)
    check(flags(stack, 2003) == [(0, 0, 0)], "the flag is back to no")
    answers["code"] = 200
    act3(stack, 2003, PURGED_BY_RECIPIENT, P, int(time.time()) - 40)
    wait_until("the purge arrived", lambda: flags(stack, 2003)[0][2] == 2, 30)


def a_stopped_broker_is_never_answered_with_200(stack):
    start(stack)
    insert_message(stack, 2004)
    insert_message(stack, 2005)
    now = int(time.time()) - 50
    check(push(stack, 2004, [(READ, P, now)]) == 200, "before")
    before = consumed(stack, TO3)
    stack.shell("dev/kafka.sh", "pause", stack.kafka_directory)
    try:
        code = push(stack, 2005, [(READ, P, now)], timeout=40)
    finally:
        stack.shell("dev/kafka.sh", "resume", stack.kafka_directory)
    check(code == 503, f"stopped broker: {code}, wanted 503")
    wait_until("the repeat is answered 200", lambda: push(stack, 2005, [(READ, P, now)]) == 200, 60, every=1)
    wait_until("applied once", lambda: a3_rows(stack, 2005) == [(READ, P, now)], 60)
    wait_until("the repeat was consumed", lambda: consumed(stack, TO3) > before, 30)
    check(not unaccounted(stack), "accounted")


def postgresql_killed_and_back_loses_nothing(stack):
    start(stack)
    now = int(time.time()) - 500
    for message in range(2100, 2120):
        insert_message(stack, message)
    for message in range(2100, 2110):
        check(push(stack, message, [(READ, P, now)]) == 200, "push")
    stack.shell("dev/postgres.sh", "kill", stack.postgres_directory)
    check(push(stack, 2110, [(READ, P, now)], timeout=30) == 503, "no look-up: 503, never 404")
    stack.shell("dev/postgres.sh", "restart", stack.postgres_directory)
    for message in range(2110, 2120):
        wait_until("the push is answered 200", lambda: push(stack, message, [(READ, P, now)]) == 200, 30, every=0.5)
    for message in range(2100, 2120):
        wait_until(f"the row of {message}", lambda: a3_rows(stack, message) == [(READ, P, now)], 60)
    act3(stack, 2100, CONFIRMED, P, now + 1)
    wait_until("the capture goes on", lambda: "confirm" in bridge.of(2100), 60)
    check(all(p.alive() for p in stack.processes.values()), "no process ended because the database was away")
    check(not unaccounted(stack), "accounted")


def broker_killed_and_back_loses_nothing(stack):
    start(stack)
    now = int(time.time()) - 500
    for message in range(2200, 2210):
        insert_message(stack, message)
        check(push(stack, message, [(READ, P, now)]) == 200, "push")
    stack.shell("dev/kafka.sh", "kill", stack.kafka_directory)
    for message in range(2200, 2210):
        act3(stack, message, CONFIRMED, P, now + 1)
    stack.shell("dev/kafka.sh", "start", stack.kafka_directory)
    for message in range(2200, 2210):
        wait_until(f"{message} was read", lambda: (READ, P, now) in a3_rows(stack, message), 90)
        wait_until(f"{message} is confirmed in Altinn 2", lambda: flags(stack, message)[0][1] == 2, 90)
    check(all(p.alive() for p in stack.processes.values()), "no process ended because the broker was away")
    check(not unaccounted(stack), "accounted")


def broker_stopped_for_a_while_is_waited_for(stack):
    """In the proof for longer than the client keeps a record (120 s): what it gave up is sent again."""
    start(stack)
    now = int(time.time()) - 500
    insert_message(stack, 2301)
    insert_message(stack, 2302)
    stack.shell("dev/kafka.sh", "pause", stack.kafka_directory)
    timer = threading.Timer(size(15, 150), stack.shell, ("dev/kafka.sh", "resume", stack.kafka_directory))
    timer.start()
    act3(stack, 2301, READ, P, now)
    check(push(stack, 2302, [(READ, P, now)], timeout=40) == 503, "no answer of the broker, no 200")
    wait_until("the act reached Altinn 2", lambda: flags(stack, 2301) == [(2, 0, 0)], size(120, 300), every=0.5)
    timer.join()
    wait_until("the repeat is answered 200", lambda: push(stack, 2302, [(READ, P, now)]) == 200, 60, every=1)
    wait_until("applied once", lambda: a3_rows(stack, 2302) == [(READ, P, now)], 60)
    check(all(p.alive() for p in stack.processes.values()), "no process ended")
    check(not unaccounted(stack), "accounted")


def a_zombie_commits_nothing_and_says_fenced(stack):
    """The consumer stops itself between gate and commit; another takes over; then the first goes on."""
    start(stack)
    stack.processes[TO3].stop()
    trigger = os.path.join(stack.directory, "stop-after-gate")
    first = stack.sync_process(TO3, "run", key="zombie", env={"SYNC_TEST_STOP_AFTER_GATE": trigger}).start()
    now = int(time.time()) - 50
    insert_message(stack, 2401)
    with open(trigger, "w", encoding="utf-8"):
        pass
    check(push(stack, 2401, [(READ, P, now)]) == 200, "push")
    wait_until("the first one stopped itself", lambda: open(f"/proc/{first.child.pid}/stat").read().split(")")[1].split()[0] == "T", 40)
    second = stack.sync_process(TO3, "run", key="successor").start(60)
    wait_until("the second one applied it", lambda: a3_rows(stack, 2401) == [(READ, P, now)], 60)
    first.signal(signal.SIGCONT)
    wait_until("the first one says fenced", lambda: any(l.get("msg") == "fenced" for l in first.lines()), 40)
    check(stack.query("SELECT count(*) FROM sync.correspondence_fact WHERE altinn2_id = 2401") == [(1,)], "one fact")
    check(a3_rows(stack, 2401) == [(READ, P, now)], "one row")
    check(not unaccounted(stack), "accounted")
    first.stop()
    second.stop()
    stack.processes[TO3].start()


if __name__ == "__main__":
    run([a_bridge_that_answers_503_is_asked_again_until_it_works, a_lost_answer_is_an_unknown_outcome_and_the_call_is_repeated,
         a_refused_call_is_parked_and_the_purge_after_it_still_goes, a_stopped_broker_is_never_answered_with_200,
         postgresql_killed_and_back_loses_nothing, broker_killed_and_back_loses_nothing,
         broker_stopped_for_a_while_is_waited_for, a_zombie_commits_nothing_and_says_fenced], "faults")
