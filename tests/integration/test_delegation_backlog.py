#!/usr/bin/python3
"""A backlog of delegations of Altinn 2 beside live at 100 events a second, on Apache Kafka: it gives way while live is behind, goes on by
itself, finishes, is right to the last row, brings nothing back and doubles nothing. Rate, progress and time left are printed; how long
live took is printed as a figure, because the machine decides about it, too.
"""
import json
import os
import re
import subprocess
import threading
import time
import uuid

from delegation_checker import Mapping, overlaps, shown_by_altinn3, unaccounted
from delegation_world import BACKLOG_TO3, TO3, TOPICS, DelegationWorld
from harness import BUILD, ROOT, SEED, check, figures, run, say, size, wait_until

COUNT = size(100000, 1000000)
PARTIES, RESOURCES = size(4000, 40000), 50
RATE = 100
REVOKED = f"{COUNT * 4 // 5}-{COUNT * 4 // 5 + 999}"  # rights to services, taken back meanwhile
LIVE_FIRST = COUNT  # keys from here on are live's alone


def consumed(stack, scope):
    return int(stack.query_authorization(
        "SELECT coalesce(sum(position - first_position), 0) FROM sync.partition_owner WHERE scope = %s", scope)[0][0])


def grants(keys, *options):
    """Grants on these keys as JSON lines; the same numbers give the same lines."""
    return subprocess.Popen([os.path.join(BUILD, "dev/dev-make-delegation-events"), "--parties", str(PARTIES), "--resources",
                             str(RESOURCES), "--keys", keys, *options], stdout=subprocess.PIPE, text=True)


def produce(stack, topic, keys, *options, rate=0):
    """Starts grants on these keys; returns the process that puts them on the topic."""
    events = grants(keys, *options)
    return subprocess.Popen([os.path.join(BUILD, "tests/test-delegation_producer"), "--bootstrap", stack.bootstrap, "--topic", topic,
                             *(["--rate", str(rate)] if rate else [])], stdin=events.stdout, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def take_back(stack):
    """A person has taken some services away by now: live says so before the row of the older grant comes. Returns how many."""
    events = []
    for line in grants(REVOKED).stdout:
        event = json.loads(line)
        if event["kind"] == "SINGLE":
            events.append({**event, "op": "REVOKE", "seq": 10 ** 9 + len(events), "event_time": int(time.time() * 1e6)})
    process = subprocess.Popen([os.path.join(BUILD, "tests/test-delegation_producer"), "--bootstrap", stack.bootstrap, "--topic",
                                TOPICS["altinn2"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    text = process.communicate("\n".join(json.dumps(event) for event in events))[0]
    check(process.returncode == 0 and events, f"producing: {text}")
    return len(events)


def sent(process):
    text = process.communicate()[0]
    check(process.returncode == 0, f"producing: {text}")
    return json.loads(text)["sent"]


def latencies(stack):
    """Live events by the most seconds that they took from capture to commit."""
    found = re.findall(r'end_to_end_latency_seconds_bucket\{direction="to_altinn3",mode="live",le="([^"]+)"\} (\S+)', figures(stack, TO3))
    return {float(bound): float(count) for bound, count in found}


def quantile(before, after, share):
    counts = {bound: after[bound] - before.get(bound, 0) for bound in sorted(after)}
    most = max(counts.values())
    return next(bound for bound, count in counts.items() if count >= share * most), most


def state(stack, world):
    routes = json.loads(stack.verb("status", "-o", "json", config=world.config).stdout)["routes"]
    return next(route for route in routes if route["scope"] == BACKLOG_TO3)


def expected(keys, world):
    """What Altinn 3 shows once these grants are there, computed from the grants alone."""
    mapping, out = Mapping(world.population["resource"]), {}
    for line in grants(keys).stdout:
        event = json.loads(line)
        kind, target = event["kind"].lower(), event["target"]["id"].lower()
        key = (kind, event["from"]["uuid"], event["to"]["uuid"], target, event.get("instance", ""))
        names = [right.lower() for right in event["rights"]]
        actions = set().union(*(mapping.actions(kind, target, name, names) for name in names))
        out[key] = actions & ({"*"} if kind == "role" else mapping.offers[target])
    return out


def taken_back():
    lines = [json.loads(line) for line in grants(REVOKED).stdout]
    return {("single", e["from"]["uuid"], e["to"]["uuid"], e["target"]["id"], "") for e in lines if e["kind"] == "SINGLE"}


def judge(stack, world, events, revoked):
    """Every grant stands in Altinn 3 as one row that was written once, and nothing else does: no old row brought anything back."""
    want = {**expected(f"0-{events - 1}", world), **dict.fromkeys(taken_back(), set())}
    shown, blind = shown_by_altinn3(stack)
    wrong = [key for key in {*want, *shown} if want.get(key, set()) != shown.get(key, set())]
    check(not wrong, f"{len(wrong)} of {len(want)} keys are wrong, as {[(k, want.get(k), shown.get(k)) for k in wrong[:3]]}")
    check(not blind and not overlaps(stack) and not unaccounted(stack), "documents, history and counts")
    ask = lambda sql: stack.query_authorization(sql)[0][0]  # noqa: E731
    check(ask("SELECT count(*) FROM sync.seen") == events + revoked, "each event is in the ledger once")
    for table in ("assignmentresource", "assignmentinstance", "assignment"):
        check(ask(f"SELECT count(*) FROM dbo_history.audit{table}") == 0, f"rows of {table} were written twice")
    check(ask("SELECT count(*) FROM sync.deleg_key WHERE version > 1 AND kind <= 1") == 0, "a key moved twice")
    for table in ("sync.hold", "sync.parked", "sync.pending", "sync.outbox WHERE target = 'altinn2'"):
        check(ask(f"SELECT count(*) FROM {table}") == 0, f"{table} is not empty")
    check(ask(f"SELECT count(*) FROM sync.outbox WHERE scope = '{BACKLOG_TO3}'") == 0, "the backlog called nobody (DL-109)")
    check(ask("SELECT sum(decided)::bigint FROM sync.snapshot") == COUNT, "rows of the snapshot that are decided")


class Progress(threading.Thread):
    """Prints what "status" tells of the backlog, until it is stopped."""

    def __init__(self, stack, world):
        super().__init__(daemon=True)
        self.stack, self.world, self.over = stack, world, threading.Event()

    def run(self):
        while not self.over.wait(10):
            done = self.stack.verb("status", "--watch", "--count", "3", config=self.world.config, check=False)
            lines = [line for line in done.stdout.splitlines() if BACKLOG_TO3 in line]
            say(lines[-1] if lines else done.stderr)


def prepare(stack):
    world = DelegationWorld(stack, parties=PARTIES, resources=RESOURCES, keys=COUNT, seed=SEED,
                            options={"decision_log": {"mode": "off"}})
    world.migrate()
    world.fill()
    world.load()
    return world


def the_backlog_rests(stack, world):
    """While live does not move it may not, either; it goes on once live has caught up."""
    stack.verb("pause", "--reason", "the test says so", "--yes", TO3, config=world.config)
    wait_until("the backlog gives way", lambda: state(stack, world)["yields_reason"] == "live_behind" or str(state(stack, world)), 60)
    here = consumed(stack, BACKLOG_TO3)
    check("yields to delegation-to-altinn3" in stack.verb("status", config=world.config).stdout, "the screen says so")
    check(re.search(r'yielding\{[^}]*reason="live_behind"\} 1', figures(stack, BACKLOG_TO3)), "the figure says so")
    time_up = time.monotonic() + 4
    wait_until("it is looked on", lambda: check(consumed(stack, BACKLOG_TO3) == here, "it moved while live stood") or
               time.monotonic() > time_up, 10)
    stack.verb("resume", "--reason", "the test says so", "--yes", TO3, config=world.config)
    wait_until("live has caught up", lambda: state(stack, world)["yields_reason"] != "live_behind" or str(state(stack, world)), 60)
    wait_until("the backlog goes on", lambda: consumed(stack, BACKLOG_TO3) > here or here == COUNT, 60)
    logged = next((line for line in stack.processes[BACKLOG_TO3].lines() if line.get("msg") == "yields"), None)
    check(logged and logged["to"] == TO3, f"the log says {logged}")


def a_backlog_gives_way_to_live_and_ends_with_every_row_once(stack):
    world = prepare(stack)
    say(f"producing {COUNT} rows of a snapshot")
    rows = sent(produce(stack, TOPICS["backlog2"], f"0-{COUNT - 1}", "--snapshot", str(uuid.UUID(int=SEED + 1)), "--position", "0"))
    check(rows == COUNT, f"{rows} rows were made")
    stack.sync_process(TO3, "run", config=world.loop_config).start()
    revoked = take_back(stack)
    wait_until("live has taken back", lambda: consumed(stack, TO3) >= revoked, 60)
    live = produce(stack, TOPICS["altinn2"], f"{LIVE_FIRST}-{LIVE_FIRST + RATE * size(20, 300) - 1}", "--first-seq", "1", rate=RATE)
    wait_until("live moves", lambda: consumed(stack, TO3) > revoked + RATE, 60)
    stack.sync_process(BACKLOG_TO3, "run", config=world.loop_config).start()
    progress = Progress(stack, world)
    progress.start()
    wait_until("the backlog moves", lambda: consumed(stack, BACKLOG_TO3) > 0, 60)
    before, started = latencies(stack), time.monotonic()
    first = sent(live)
    wait_until("live has ended", lambda: consumed(stack, TO3) >= revoked + first, 60)
    half, _ = quantile(before, latencies(stack), 0.5)
    bound, count = quantile(before, latencies(stack), 0.99)
    moved, seconds = consumed(stack, BACKLOG_TO3), time.monotonic() - started
    slowest, _ = quantile(before, latencies(stack), 1)
    print(f"FIGURE live at {RATE}/s beside the backlog: half within {half * 1000:.0f} ms, p99 at most {bound * 1000:.0f} ms, slowest at "
          f"most {slowest:.3g} s, {count:.0f} events; backlog {moved / seconds:.0f}/s meanwhile")
    live = produce(stack, TOPICS["altinn2"], f"{LIVE_FIRST + first}-{LIVE_FIRST + first + RATE * 30 - 1}", "--first-seq", str(first + 1),
                   rate=RATE)
    the_backlog_rests(stack, world)
    second = sent(live)
    started, moved = time.monotonic(), consumed(stack, BACKLOG_TO3)
    wait_until("the backlog has ended", lambda: consumed(stack, BACKLOG_TO3) >= COUNT, size(1500, 3600), every=1)
    seconds = time.monotonic() - started
    wait_until("live has ended", lambda: consumed(stack, TO3) >= revoked + first + second, 60)
    progress.over.set()
    if COUNT > moved:
        print(f"FIGURE backlog without live at the end: {(COUNT - moved) / seconds:.0f}/s; {COUNT} rows in all; "
              f"peak {stack.processes[BACKLOG_TO3].peak_mib():.0f} MiB")
    judge(stack, world, COUNT + first + second, revoked)


if __name__ == "__main__":
    run([a_backlog_gives_way_to_live_and_ends_with_every_row_once], "delegation-backlog")
