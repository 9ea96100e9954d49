#!/usr/bin/python3
"""The bridge away, and everything away at once: each process lives on and is ready again by itself; nothing is lost.

Broker and database one at a time: test_health.py."""
import time

from harness import (CONFIRMED, READ, Bridge, a3_rows, act3, check, insert_message, insert_party, page, party, push, run, size,
                     unaccounted, wait_until)

P = party(1)
bridge = None


def start(stack):
    global bridge
    if bridge is None:
        insert_party(stack, 1)
        stack.start_loop()
        bridge = Bridge(stack)
        for name in stack.processes:
            wait_until(f"{name} is ready", lambda: page(stack, name, "/readyz")[0] == 200, 60)


def all_ready(stack, seconds):
    end = time.monotonic() + seconds
    for name in stack.processes:
        wait_until(f"{name} is ready again", lambda: page(stack, name, "/readyz")[0] == 200 or page(stack, name, "/readyz")[1],
                   max(1, end - time.monotonic()))


def stay_live(stack, seconds):
    """A restart by the kubelet is what a failed /livez means: none may fail, however long it lasts."""
    end = time.monotonic() + seconds

    def lived():
        for name, process in stack.processes.items():
            check(process.alive(), f"{name} ended: {process.tail()}")
            check(page(stack, name, "/livez")[0] == 200, f"{name} is not live: {page(stack, name, '/livez')[1]}")
        return time.monotonic() >= end
    wait_until("they lived through it", lived, seconds + 10)


def both_ways(stack, message):
    """One act each way reaches the other side."""
    now = int(time.time()) - 100
    insert_message(stack, message)
    wait_until("the push is answered 200", lambda: push(stack, message, [(READ, P, now)]) == 200, 60)
    act3(stack, message, CONFIRMED, P, now + 1)
    wait_until("the read is in Altinn 3", lambda: (READ, P, now) in a3_rows(stack, message), 60)
    wait_until("the confirmation is in Altinn 2", lambda: "confirm" in bridge.of(message), 60)
    check(not unaccounted(stack), "accounted")


def a_bridge_that_is_not_there_is_said_and_waited_for(stack):
    global bridge
    start(stack)
    now = int(time.time()) - 100
    bridge.__exit__()
    insert_message(stack, 3004)
    act3(stack, 3004, READ, P, now)
    wait_until("it says that the bridge is away", lambda: "[-] bridge" in page(stack, "status-to-altinn2", "/readyz")[1], 30)
    stay_live(stack, size(20, 60))
    bridge = Bridge(stack)
    wait_until("the read is in Altinn 2", lambda: "read" in bridge.of(3004), 30)
    check(len(bridge.of(3004)) == 1, "it was called once")
    all_ready(stack, 30)
    both_ways(stack, 3005)


def all_three_away_at_once_are_waited_for(stack):
    global bridge
    start(stack)
    now = int(time.time()) - 100
    insert_message(stack, 3006)
    bridge.__exit__()
    act3(stack, 3006, READ, P, now)
    stack.shell("dev/kafka.sh", "stop", stack.kafka_directory)
    stack.shell("dev/postgres.sh", "stop", stack.postgres_directory, "--keep")
    stay_live(stack, size(70, 150))  # the latter is longer than a client keeps a record
    bridge = Bridge(stack)
    stack.shell("dev/postgres.sh", "start", stack.postgres_directory)
    stack.shell("dev/kafka.sh", "start", stack.kafka_directory)
    all_ready(stack, 90)
    wait_until("the read is in Altinn 2", lambda: "read" in bridge.of(3006), 60)
    both_ways(stack, 3007)


if __name__ == "__main__":
    run([a_bridge_that_is_not_there_is_said_and_waited_for, all_three_away_at_once_are_waited_for], "outages")
