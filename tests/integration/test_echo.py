#!/usr/bin/python3
"""Altinn 2 reports every bridge call back as if its users had acted: exactly, shifted over a second border, under another party,
or both. An act must cross at most once, both sides must end equal, and the metrics must tell."""
import os

from harness import SEED, check, figures, run, size, unaccounted, wait_until
from world import World

TO3 = "status-to-altinn3"
next_id = 300001


def metric(stack, process, name, label=""):
    """Sum of the series of one metric whose labels contain a text."""
    rows = figures(stack, process).split("\n")
    return sum(float(row.rsplit(" ", 1)[1]) for row in rows
               if row.startswith(f"altinn_sync_{name}{{") and label in row or row.startswith(f"altinn_sync_{name} "))


def echoed(stack, mode, rule):
    """Users of Altinn 3 act, the echo of every call is pushed; then the world must be quiet and equal."""
    global next_id
    acts = size(200, 2000)
    # Users purge: with fewer messages than this most acts would meet one that is gone.
    world = World(stack, visible=3 * acts // 2, hidden=0, late=0, inserted=0, never=0, first=next_id, seed=SEED)
    next_id += 3 * acts // 2
    world.load_start()
    if TO3 not in stack.processes:
        stack.start_loop()
    before = metric(stack, TO3, "decisions_total", f'rule="{rule}"')
    stack.query("CREATE SCHEMA IF NOT EXISTS altinn3sim")
    world.start_simulators(rate2=0, rate3=size(40, 100), extra2=["--echo", mode])
    first = world.first

    def count():
        return stack.one("SELECT count(*) FROM altinn3sim.act WHERE altinn2_id >= %s", first)

    wait_until(f"{acts} acts", lambda: count() >= acts, 120)
    world.stop_acting()
    result, open_work = world.finish(60)
    for name in ("altinn2-sim", "altinn3-sim"):
        stack.processes[name].stop()
    check(not open_work, f"work is left: {open_work}")
    check(result.differences() == 0, f"differences: {result.counts} {dict(result.witnesses)}")
    check(world.hops() <= 1, f"one act crossed {world.hops()} times")
    echoes = stack.one("SELECT count(*) FROM altinn2sim.report WHERE request_id IS NOT NULL AND altinn2_id >= %s", first)
    told = metric(stack, TO3, "decisions_total", f'rule="{rule}"') - before
    check(echoes > 0 and told >= echoes / 2, f"{echoes} echoes, {told} decided by {rule}")
    check(metric(stack, TO3, "hops_exceeded_total") == 0, "hops_exceeded_total is 0")
    check(not unaccounted(stack), f"unaccounted: {unaccounted(stack)}")


def an_exact_echo_is_a_duplicate(stack):
    echoed(stack, "exact", "CS-20")


def an_echo_one_second_later_is_stored_and_tells_nobody(stack):
    echoed(stack, "second", "CS-29")


def an_echo_under_another_party_is_stored_and_tells_nobody(stack):
    echoed(stack, "party", "CS-29")


def an_echo_shifted_twice_is_stored_and_tells_nobody(stack):
    echoed(stack, "both", "CS-29")


if __name__ == "__main__":
    run([an_exact_echo_is_a_duplicate, an_echo_one_second_later_is_stored_and_tells_nobody,
         an_echo_under_another_party_is_stored_and_tells_nobody, an_echo_shifted_twice_is_stored_and_tells_nobody], "echo")
