#!/usr/bin/python3
"""Delegations on Apache Kafka, given and taken on both sides at once: interleaved, reported twice, told in another order, by clocks that
differ, with a role feed that is read again from an older place, through kills of every process. At the end both sides show the same
rights, none of them resurrected.
"""
import os
import random

from delegation_world import AWKWARD, CAPTURES, CONSUMERS, DelegationWorld, must_be_equal
from harness import SEED, check, kill_by_plan, run, say, size, wait_until

FAULTS = """\
bridge lose-answer 1%
bridge apply-twice 1%
bridge delay 20ms
feed repeat 2%
feed 503 2%
at {at}s for {length}s bridge 503
"""


def faults_of(stack):
    path = os.path.join(stack.directory, "faults.txt")
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(FAULTS.format(at=15, length=size(10, 60)))
    return path


def read_the_feed_again(stack):
    """The capture stands at an older link than the one that it confirmed."""
    capture = stack.processes["altinn2-delegation"]
    place = "SELECT continuation FROM sync.source WHERE continuation LIKE '%after=%'"
    before = wait_until("the capture stands at a link", lambda: stack.query_authorization(place), 90)
    capture.kill()
    stack.query_authorization("UPDATE sync.source SET continuation = regexp_replace(continuation, 'after=[0-9]+', 'after=0')"
                              " WHERE continuation LIKE '%after=%'")
    capture.start(0)
    say(f"the role feed is read again: {before} became {stack.query_authorization(place)}")


def both_sides_end_equal_through_kills_and_a_feed_read_again(stack):
    acts, rate = size(10000, 100000), size(160, 250)
    world = DelegationWorld(stack, parties=400, resources=50, keys=size(3000, 20000), seed=SEED)
    world.prepare()
    # A slot that no capture reads keeps dead rows in the catalogs of every database, and each act there makes a temporary table.
    stack.query("SELECT pg_drop_replication_slot('altinn_sync_status')")
    world.start_loop()
    faults = faults_of(stack)
    world.start_altinn2(rate, faults, [*AWKWARD, "--acts", str(acts), "--skew-seconds", "0.7"])
    # More than one of them, since each act waits for its commit and the larger run would take half an hour.
    world.start_altinn3(rate, faults, ["--skew-seconds", "-0.7", "--machine-percent", "2"], acts, actors=size(1, 3))
    chooser = random.Random(SEED)
    victims = [*CAPTURES, *CONSUMERS, "altinn2-delegation-sim", "altinn3-delegation-sim", "postgresql"]
    plan = [*victims, "kafka"] + [chooser.choice(victims) for _ in range(size(0, 20))]
    chooser.shuffle(plan)
    kill_by_plan(stack, plan, chooser, size(6, 15), lambda: read_the_feed_again(stack), 90)
    wait_until("the users have acted", lambda: world.has_acted(acts) or str(world.acts_done()), size(600, 3600), every=1)
    world.stop_acting()
    ended = [p.name for p in stack.processes.values() if not p.alive()]
    check(not ended, f"ended by themselves: {ended}")
    result = must_be_equal(world, size(120, 600))
    state = world.state()
    print(f"FIGURE {world.acts_done()} acts in Altinn 2 and 3, {len(plan)} kills, {state['repeated']} pushes made twice, "
          f"{state['commands']} commands, " + ", ".join(f"{n} {c}" for c, n in result.figures.items()))


if __name__ == "__main__":
    run([both_sides_end_equal_through_kills_and_a_feed_read_again], "delegations")
