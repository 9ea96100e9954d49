#!/usr/bin/python3
"""The demo: 10,000 messages and the delegations of 60 parties, users on both sides, one consumer killed half-way, and the tables of
differences at the end.

The live view is `altinn-sync status --watch`. Exit: 0 both sides are equal, 3 they differ, 1 something failed.
"""
import argparse
import os
import signal
import subprocess
import sys
import time

import delegation_checker
import demo_delegations
from harness import BUILD, Failed, Stack, outcomes, say, wait_until
from checker import one_way, orphan_keys, print_table
from world import World

KILL_AT, LATE_AT, INSERT_AT = 0.5, 0.5, 0.66  # of the time in which users act; 30 s, 30 s and 40 s of 60
TO3, TO2 = "status-to-altinn3", "status-to-altinn2"


def arguments():
    parser = argparse.ArgumentParser(prog="./run demo", description="Watch the loop work on an embedded broker.")
    parser.add_argument("--seconds", type=int, default=60, help="how long users act (at least 20)")
    parser.add_argument("--seed", type=int, default=None, help="repeats a run's acts")
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end")
    options = parser.parse_args()
    if options.seconds < 20:
        parser.error("--seconds: at least 20, so that a consumer can be killed and come back")
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(2), "big")
    return options


class Screen:
    """The live view as a child process: redraws on a terminal, prints a line a tick elsewhere."""

    def __init__(self, stack, config, seconds):
        argv = [os.path.join(BUILD, "altinn-sync"), "-c", config, "--dev", "status", "--watch",
                "--interval", "1s" if sys.stdout.isatty() else f"{max(5, seconds // 8)}s"]
        self.child = subprocess.Popen(argv, env=stack.env)

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(10)


def at(started, moment, what):
    wait_until(what, lambda: time.monotonic() - started >= moment, moment + 10, every=0.1)


def act(stack, world, rights, seconds):
    """The time in which users act: one consumer dies and comes back, messages arrive late."""
    started = time.monotonic()
    world.start_simulators(rate2=20, rate3=20, insert_at=int(seconds * INSERT_AT), extra2=["--echo", "mix"])
    demo_delegations.act(rights)
    with Screen(stack, rights.config, seconds):
        at(started, seconds * KILL_AT, "half of the time")
        stack.processes[TO3].kill()
        world.load_late()
        at(started, seconds * KILL_AT + 3, "three seconds without the consumer")
        stack.processes[TO3].start()
        at(started, seconds, "the end of the input")
        world.stop_acting()
        rights.stop_acting()
        say("the input has stopped; waiting until both loops have run dry (at most 60 s each)")
        return *world.finish(60), *rights.finish(60)


def report(stack, world, result, open_work):
    """Of messages; True when both sides are equal."""
    to3, to2 = outcomes(stack, TO3), outcomes(stack, TO2)
    never = stack.one("SELECT count(DISTINCT entity_key) FROM sync.hold WHERE entity_key::int BETWEEN %s AND %s", *world.never)
    print_table("Messages: differences between Altinn 2 and Altinn 3", result, [
        ("one-way facts of Altinn 3 (its bridge has no call for them)", f"{one_way(stack, world.acts2()):,}"),
        ("purge keys of Altinn 3 without a purge (aborted there)", f"{orphan_keys(stack):,}"),
        ("acts of users in Altinn 2", f"{len(world.acts2()):,}"),
        ("acts of users in Altinn 3", f"{stack.one('SELECT count(*) FROM altinn3sim.act'):,}"),
        ("records applied to Altinn 3, to Altinn 2", f"{to3['applied']:,}, {to2['applied']:,}"),
        ("duplicates", f"{to3['duplicate']:,}, {to2['duplicate']:,}"),
        ("echoes found at once, suspected and stored",
         f"{to3['echo']:,}, {stack.one('''SELECT count(*) FROM sync.decision WHERE rule = 'CS-29' '''):,}"),
        ("held for messages that never come", f"{to3['held']:,} ({never} messages)"),
        ("parked", f"{to3['parked'] + to2['parked']:,}"),
        ("most times one act crossed", str(world.hops())),
    ])
    if open_work:
        print(f"The loop of messages has not run dry: {open_work}.")
    return result.differences() == 0 and not open_work


def report_rights(rights, result, open_work):
    """Of delegations; True when both sides are equal."""
    delegation_checker.print_rights(rights.stack, rights.population)
    print_table("Delegations: differences between Altinn 2 and Altinn 3", result, demo_delegations.facts(rights, result))
    delegation_checker.print_stories(rights.stack, result)
    if open_work:
        print(f"The loop of delegations has not run dry: {open_work}.")
    return result.differences() == 0 and not open_work


def main():
    options = arguments()
    say(f"seed {options.seed} (./run demo --seed {options.seed} repeats the acts)")
    try:
        with Stack("demo", broker="embedded", keep=options.keep) as stack:
            say("broker and database are up; making tables, loading 10,000 messages")
            stack.prepare()
            world = World(stack, seed=options.seed)
            world.load_start()
            stack.start_loop()
            rights = demo_delegations.start(stack, options.seed)
            say("four captures and six consumers run; users act")
            result, open_work, rights_result, rights_open = act(stack, world, rights, options.seconds)
            equal = [report_rights(rights, rights_result, rights_open), report(stack, world, result, open_work)]
            if all(equal):
                print("Altinn 2 and Altinn 3 tell the same story.", flush=True)
            if options.keep:
                print(f"Everything runs until you press Enter. Look at it with\n"
                      f"  {os.path.relpath(BUILD)}/altinn-sync --dev -c {rights.config} status --watch\n"
                      f"  psql {stack.dsn}\n  psql {stack.authorization_dsn}")
                sys.stdin.readline()
            return 0 if all(equal) else 3
    except (Failed, subprocess.SubprocessError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
