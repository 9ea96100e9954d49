#!/usr/bin/python3
"""Many acts on both sides at once, with duplicates, reordering inside 10 seconds, echoes and 1 % poison: both sides end equal and
every record has exactly one outcome."""
import random
import time

import poison
from harness import SEED, check, consumed, outcomes, run, size, unaccounted, wait_until
from test_poison import produce
from world import World

TO3, TO2 = "status-to-altinn3", "status-to-altinn2"


def mixed_acts_on_both_sides_end_equal(stack):
    acts, rate = size(10000, 100000), size(300, 500)
    world = World(stack, visible=9000, hidden=800, late=100, inserted=50, never=50, seed=SEED)
    world.load_start()
    stack.start_loop()
    world.start_simulators(rate2=rate, rate3=rate, insert_at=15,
                           extra2=["--echo", "mix", "--acts", str(acts), "--reorder-seconds", "10"])
    chooser = random.Random(SEED)
    poisoned = 0
    while stack.one("SELECT count(*) FROM altinn2sim.act") < acts // 2:
        rows = [chooser.choice(poison.kinds(chooser.randrange(world.first, world.last)))[1:3] for _ in range(20)]
        produce(stack, rows)
        poisoned += len(rows)
        mark = time.monotonic() + acts / rate / 12
        wait_until("the next handful of poison", lambda: time.monotonic() >= mark, 60)
    world.load_late()
    wait_until("all acts happened", lambda: stack.one("SELECT count(*) FROM altinn2sim.act") >= acts
               and stack.one("SELECT count(*) FROM altinn3sim.act") >= acts, size(180, 900), every=0.5)
    world.stop_acting()
    result, open_work = world.finish(size(120, 300))
    counts = {scope: outcomes(stack, scope) for scope in (TO3, TO2)}
    print(f"FIGURE {acts} acts a side, {poisoned} poison, to Altinn 3 {counts[TO3]}, to Altinn 2 {counts[TO2]}")
    check(not open_work, f"work is left: {open_work}")
    check(result.differences() == 0, f"differences: {result.counts} {dict(result.witnesses)}")
    check(counts[TO3]["parked"] == poisoned, f"{poisoned} poison records, {counts[TO3]['parked']} parked")
    check(world.hops() <= 1, f"a call changed Altinn 2 {world.hops()} times")
    check(not unaccounted(stack), f"unaccounted: {unaccounted(stack)}")
    for scope in counts:
        check(sum(counts[scope].values()) == consumed(stack, scope), f"the outcomes of {scope} sum to what it consumed")


if __name__ == "__main__":
    run([mixed_acts_on_both_sides_end_equal], "load")
