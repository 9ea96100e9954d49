#!/usr/bin/python3
"""Many acts on both sides at once, with duplicates, reordering inside 10 seconds, echoes and 1 % poison: both sides end equal and
every record has exactly one outcome."""
import random
import time

import poison
from harness import SEED, check, consumed, outcomes, run, say, size, unaccounted, wait_until
from test_poison import produce
from world import World

TO3, TO2 = "status-to-altinn3", "status-to-altinn2"


def acted(stack):
    """Acts so far in Altinn 2, in Altinn 3."""
    return tuple(stack.one(f"SELECT count(*) FROM {side}.act") for side in ("altinn2sim", "altinn3sim"))


def wait_with_poison(stack, world, acts, names, end):
    """Until both sides have had so many acts; a record of poison for every hundred of Altinn 2. names gets the kinds sent."""
    told = 0
    while min(done := acted(stack)) < acts:
        check(time.monotonic() < end, f"{done} of {acts} acts in time")
        if time.monotonic() > told + 15:
            told = time.monotonic()
            say(f"{done[0]} acts in Altinn 2, {done[1]} in Altinn 3; {len(names)} poison")
        due = done[0] // 100 - len(names)
        if due >= 20:
            chosen = [random.choice(poison.kinds(random.randrange(world.first, world.last))) for _ in range(due)]
            produce(stack, [row[1:3] for row in chosen])
            names += [row[0] for row in chosen]
        mark = time.monotonic() + 0.5
        wait_until("it is time to look again", lambda: time.monotonic() >= mark, 60)


def mixed_acts_on_both_sides_end_equal(stack):
    acts, rate = size(10000, 100000), size(300, 500)
    # Users purge: with fewer messages than this most acts would meet one that is gone.
    world = World(stack, visible=9 * acts // 10, hidden=800, late=100, inserted=50, never=50, seed=SEED)
    world.load_start()
    say(f"{world.hidden[1] - world.first + 1} messages are loaded")
    stack.start_loop()
    world.start_simulators(rate2=rate, rate3=rate, insert_at=15,
                           extra2=["--echo", "mix", "--acts", str(acts), "--reorder-seconds", "10"])
    names, end = [], time.monotonic() + size(300, 1800)
    wait_with_poison(stack, world, acts // 2, names, end)
    world.load_late()
    wait_with_poison(stack, world, acts, names, end)
    world.stop_acting()
    say("all acts happened; waiting until the loop has run dry")
    result, open_work = world.finish(size(120, 300))
    wait_until("all poison is parked", lambda: outcomes(stack, TO3)["parked"] >= len(names), 60)
    counts = {scope: outcomes(stack, scope) for scope in (TO3, TO2)}
    print(f"FIGURE {acts} acts a side, {len(names)} poison of {len(set(names))} kinds, to Altinn 3 {counts[TO3]}, to Altinn 2 {counts[TO2]}")
    check(len(names) > acts // 125 and len(set(names)) >= 20, f"{len(names)} poison of {len(set(names))} kinds are too few")
    check(not open_work, f"work is left: {open_work}")
    check(result.differences() == 0, f"differences: {result.counts} {dict(result.witnesses)}")
    check(counts[TO3]["parked"] == len(names), f"{len(names)} poison records, {counts[TO3]['parked']} parked")
    check(world.hops() <= 1, f"a call changed Altinn 2 {world.hops()} times")
    check(not unaccounted(stack), f"unaccounted: {unaccounted(stack)}")
    for scope in counts:
        check(sum(counts[scope].values()) == consumed(stack, scope), f"the outcomes of {scope} sum to what it consumed")


if __name__ == "__main__":
    run([mixed_acts_on_both_sides_end_equal], "load")
