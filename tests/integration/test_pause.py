#!/usr/bin/python3
"""pause and resume by verb while the loop runs: nothing is applied or sent meanwhile, the same process goes on afterwards with
the same epoch, and status, probe and figures say what is going on."""
import json
import time

from harness import (CONFIRMED, READ, Bridge, a3_rows, act3, check, consumed, figures, insert_message, insert_party, page, party, push, run,
                     unaccounted, wait_until)

P = party(1)
TO3, TO2 = "status-to-altinn3", "status-to-altinn2"
bridge = None


def start(stack):
    global bridge
    if bridge is None:
        insert_party(stack, 1)
        stack.start_loop()
        bridge = Bridge(stack)


def figure(stack, name):
    """What the process shows as its own switch."""
    line = next((l for l in figures(stack, name).split("\n") if l.startswith("altinn_sync_paused{")), None)
    return line and float(line.split()[-1])


def owners(stack, scope):
    return stack.query("SELECT partition, epoch FROM sync.partition_owner WHERE scope = %s ORDER BY 1", scope)


def change(stack, verb, scope, figure_after):
    stack.verb(verb, "--reason", "the test says so", "--yes", scope)
    wait_until(f"{scope} has heard of {verb}", lambda: figure(stack, scope) == figure_after, 10)


def state(stack, scope):
    routes = json.loads(stack.verb("status", "-o", "json").stdout)["routes"]
    return next(route for route in routes if route["scope"] == scope)


def look_on(stack, first, seconds):
    """A record made after the pause lies on the topic for some turns of the process: reports where it stands."""
    end = time.monotonic() + seconds

    def over():
        check(first() == 0, "something was done while paused")
        return time.monotonic() >= end
    wait_until("the pause is looked on", over, seconds + 5)


def a_paused_consumer_applies_nothing_and_goes_on_without_a_restart(stack):
    start(stack)
    now = int(time.time()) - 100
    insert_message(stack, 3001)
    check(push(stack, 3001, [(READ, P, now)]) == 200, "the push was taken")
    wait_until("the read is in Altinn 3", lambda: (READ, P, now) in a3_rows(stack, 3001), 60)
    change(stack, "pause", TO3, 1)
    before, position, pid = owners(stack, TO3), consumed(stack, TO3), stack.processes[TO3].child.pid
    insert_message(stack, 3002)
    check(push(stack, 3002, [(READ, P, now)]) == 200, "a source is not paused with it")
    check(push(stack, 3001, [(CONFIRMED, P, now)]) == 200, "a source is not paused with it")
    wait_until("the topic has more than was applied", lambda: (state(stack, TO3)["lag"] or 0) >= 2, 30)
    look_on(stack, lambda: consumed(stack, TO3) - position, 4)
    told = state(stack, TO3)
    check(told["state"] == "paused" and told["pause_reason"] == "the test says so" and told["paused_since"], f"status: {told}")
    check("paused" in stack.verb("status").stdout, "the screen says so")
    check("[+] paused by an operator" in page(stack, TO3, "/readyz?verbose")[1], "it stays ready and says why it stands still")
    change(stack, "resume", TO3, 0)
    wait_until("what waited is in Altinn 3", lambda: (READ, P, now) in a3_rows(stack, 3002) and
               (CONFIRMED, P, now) in a3_rows(stack, 3001), 30)
    check(owners(stack, TO3) == before, "no partition changed its owner")
    check(stack.processes[TO3].child.pid == pid and stack.processes[TO3].alive(), "it is the same process")
    check(state(stack, TO3)["state"] != "paused", "status has forgotten it")
    check(not unaccounted(stack), "accounted")


def a_paused_route_with_a_target_sends_nothing(stack):
    """An effect that somebody else queues in its lane waits as well."""
    start(stack)
    now = int(time.time()) - 100
    insert_message(stack, 3003)
    act3(stack, 3003, READ, P, now)
    wait_until("the read is in Altinn 2", lambda: bridge.of(3003) == ["read"], 60)
    change(stack, "pause", TO2, 1)
    before = owners(stack, TO2)
    check(stack.query("""UPDATE sync.outbox SET state = 0, ended_at = NULL, not_before = now()
                          WHERE entity_key = '3003' AND name = 'a2/read'""") == 1, "the call waits again")
    stack.query("UPDATE sync.correspondence SET a2_read = 1 WHERE altinn2_id = 3003")
    act3(stack, 3003, CONFIRMED, P, now + 1)
    wait_until("the topic has more than was applied", lambda: (state(stack, TO2)["lag"] or 0) >= 1, 30)
    look_on(stack, lambda: len(bridge.of(3003)) - 1, 4)
    change(stack, "resume", TO2, 0)
    wait_until("both calls are made", lambda: bridge.of(3003) == ["read", "read", "confirm"], 30)
    check(owners(stack, TO2) == before, "no partition changed its owner")


def a_pause_outlives_a_restart(stack):
    start(stack)
    now = int(time.time()) - 100
    change(stack, "pause", TO3, 1)
    insert_message(stack, 3004)
    check(push(stack, 3004, [(READ, P, now)]) == 200, "the push was taken")
    position = consumed(stack, TO3)
    stack.processes[TO3].kill()
    stack.processes[TO3].start()
    wait_until("it is paused from its first look on", lambda: figure(stack, TO3) == 1, 30)
    wait_until("it claims its partitions all the same", lambda: "[+] started" in page(stack, TO3, "/readyz?verbose")[1], 60)
    look_on(stack, lambda: consumed(stack, TO3) - position, 3)
    change(stack, "resume", TO3, 0)
    wait_until("what waited is in Altinn 3", lambda: (READ, P, now) in a3_rows(stack, 3004), 30)
    check(not unaccounted(stack), "accounted")


if __name__ == "__main__":
    run([a_paused_consumer_applies_nothing_and_goes_on_without_a_restart, a_paused_route_with_a_target_sends_nothing,
         a_pause_outlives_a_restart], "pause")
