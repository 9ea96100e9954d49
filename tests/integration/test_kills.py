#!/usr/bin/python3
"""SIGKILL of any process of ours, the simulators, PostgreSQL or the broker at random moments, many times in a row under load,
while the bridge fails now and then. At the end: nothing lost, nothing doubled, both sides equal, no manual step."""
import os
import random

from harness import SEED, check, kill_by_plan, run, say, size, unaccounted, wait_until
from stack import PROCESSES
from world import World

FAULTS = """\
bridge lose-answer 1%
bridge apply-twice 1%
at {at}s for {length}s bridge 503
"""


def killed_at_random_the_loop_still_ends_equal(stack):
    kills, seconds = size(12, 50), size(5, 5)
    faults = os.path.join(stack.directory, "faults.txt")
    with open(faults, "w", encoding="utf-8") as handle:
        handle.write(FAULTS.format(at=10, length=size(10, 60)))
    world = World(stack, visible=1800, hidden=100, late=40, inserted=20, never=10, seed=SEED)
    world.load_start()
    stack.start_loop()
    world.start_simulators(rate2=40, rate3=40, insert_at=20, faults=faults, extra2=["--echo", "mix"])
    chooser = random.Random(SEED)
    victims = [*PROCESSES, "altinn2-sim", "altinn3-sim", "postgresql"]
    # Every kind of process is killed at least once; the broker once, because it takes long to come back.
    plan = [*victims, "kafka"] + [chooser.choice(victims) for _ in range(max(0, kills - len(victims) - 1))]
    chooser.shuffle(plan)
    kill_by_plan(stack, plan, chooser, seconds,
                 lambda: wait_until("the late messages are loaded", lambda: stack_loads(world), 60, every=1), 60)
    world.stop_acting()
    ended = [p.name for p in stack.processes.values() if not p.alive()]
    check(not ended, f"ended by themselves: {ended}")
    result, open_work = world.finish(size(90, 120))
    print(f"FIGURE {len(plan)} kills, {len(world.acts2())} acts in Altinn 2, "
          f"{stack.one('SELECT count(*) FROM altinn3sim.act')} in Altinn 3")
    check(not open_work, f"work is left: {open_work}")
    check(result.differences() == 0, f"differences: {result.counts} {dict(result.witnesses)}")
    check(world.hops() <= 1, f"a call changed Altinn 2 {world.hops()} times")
    check(not unaccounted(stack), f"unaccounted: {unaccounted(stack)}")


def stack_loads(world):
    try:
        world.load_late()
        return True
    except Exception as error:  # the database may be the victim of this very moment; load may be repeated
        say(f"load: {error}")
        return False


if __name__ == "__main__":
    run([killed_at_random_the_loop_still_ends_equal], "kills")
