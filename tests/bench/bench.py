#!/usr/bin/env python3
"""Benchmarks of altinn-sync, on Apache Kafka and a throw-away PostgreSQL. They print tables and judge nothing.

  bench.py apply [--events N] [--messages N] [--pairs N]   whole protocol against the bare ceiling of the same run
  bench.py delegations [--events N] [--parties N] [--pairs N]  the same for grants of delegations
  bench.py trickle [--rate N] [--seconds N] [--warm-up N] [--ways topic,push,rows]
                                                           commit-to-applied at a steady rate, both directions

Ground truth is what the tables hold after each run, never a counter of the program. "trickle" does its acts on a
fixed schedule and counts from when an act was due, or from the commit of the row; all clocks are this machine's, and a
commit time is taken just before the commit is flushed. The first seconds of each way are not counted: broker and server
are still warming up. The machine's load and steal are printed: a run on a busy machine says little.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
import psycopg2  # noqa: E402
from delegation_world import DelegationWorld  # noqa: E402
from harness import BUILD, SEED, TOPIC2, Failed, Stack, a3_id, insert_party, say, wait_until  # noqa: E402

BENCH_APPLY = os.path.join(BUILD, "tests/bench/apply/bench-apply")
BENCH_TRICKLE = os.path.join(BUILD, "tests/bench/trickle/bench-trickle")
PRODUCER = os.path.join(BUILD, "tests/test-status_producer")
CONSUMER = "status-to-altinn3"


# -- the machine ------------------------------------------------------------------------------------------

def cpu_ticks():
    with open("/proc/stat", encoding="ascii") as handle:
        return [int(word) for word in handle.readline().split()[1:]]


class Machine:
    """Load and steal while something runs."""

    def __enter__(self):
        self.before = cpu_ticks()
        return self

    def __exit__(self, *ignored):
        spent = [after - before for before, after in zip(self.before, cpu_ticks())]
        self.steal = 100.0 * spent[7] / max(1, sum(spent))
        self.load = os.getloadavg()[0]


def describe(options):
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as handle:
        model = next((line.split(":")[1].strip() for line in handle if line.startswith("model name")), "unknown CPU")
    print(f"machine: {os.cpu_count()} cores, {model}; load before: {os.getloadavg()[0]:.1f}; seed {SEED}")
    print("settings: " + ", ".join(f"{name} {value}" for name, value in sorted(vars(options).items()) if name != "what"))


# -- apply ------------------------------------------------------------------------------------------------

class Apply:
    """One topic with all events; a fresh copy of one prepared database for each run."""

    consumer, home, batch = CONSUMER, "dsn", 1000

    def __init__(self, stack, options, visible):
        self.stack, self.options, self.visible = stack, options, visible
        self.base = "bench_visible" if visible else "bench_hidden"
        self.first = int(time.time()) - 2 * 86400

    def dsn(self, name):
        return self.stack.dsn.rsplit("/", 1)[0] + "/" + name

    def admin(self, *statements):
        connection = psycopg2.connect(self.dsn("postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def query(self, sql):
        connection = psycopg2.connect(self.dsn("bench_run"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql)
            rows = cursor.fetchall() if cursor.description else None
        connection.close()
        return rows

    def program(self, mode, database, *flags):
        done = subprocess.run([BENCH_APPLY, mode, "--dsn", self.dsn(database), *self.sizes(), *flags],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"bench-apply {mode}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def sizes(self):
        return ["--events", str(self.options.events), "--messages", str(self.options.messages), "--seed", str(SEED),
                "--first-s", str(self.first)]

    def prepare(self):
        self.stack.disconnect()
        self.admin(f"CREATE DATABASE {self.base} TEMPLATE correspondence")
        self.program("setup", self.base, *(["--visible"] if self.visible else []))
        self.vacuum()

    def vacuum(self):
        connection = psycopg2.connect(self.dsn(self.base))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM sync.partition_owner")
            cursor.execute("VACUUM FREEZE ANALYZE")
        connection.close()

    def produce(self):
        with subprocess.Popen([BENCH_APPLY, "events", *self.sizes()], stdout=subprocess.PIPE) as events:
            done = subprocess.run([PRODUCER, "--bootstrap", self.stack.bootstrap, "--topic", TOPIC2], stdin=events.stdout,
                                  capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode != 0:
            raise Failed(f"producing: {done.stderr.strip()[-300:]}")

    def fresh(self):
        self.admin("DROP DATABASE IF EXISTS bench_run WITH (FORCE)",
                   f"CREATE DATABASE bench_run TEMPLATE {self.base} STRATEGY FILE_COPY", "CHECKPOINT")

    def check_rows(self, events):
        facts, statuses, versions = self.query("""
            SELECT (SELECT count(*) FROM sync.correspondence_fact),
                   (SELECT count(*) FROM correspondence."CorrespondenceStatuses"),
                   (SELECT sum(version) FROM sync.correspondence)""")[0]
        if not facts == statuses == versions == events:
            raise Failed(f"{events} events gave {facts} facts, {statuses} status rows, versions {versions}")

    def ceiling(self):
        self.fresh()
        answer = self.program("ceiling", "bench_run")
        self.check_rows(self.options.events)
        return answer["events_per_s"]

    def config(self, decisions):
        path = os.path.join(self.stack.directory, f"bench-{decisions}.yaml")
        with open(self.stack.config, encoding="utf-8") as handle:
            sections = json.load(handle)
        sections["database"][self.home] = self.dsn("bench_run")
        sections["decision_log"] = {"mode": decisions}
        sections["consumer"]["batch_records_max"] = self.batch
        with open(path, "w", encoding="utf-8") as handle:
            json.dump(sections, handle)
        return path

    def consume(self, events, decisions="off"):
        """Runs the consumer until it has decided so many events. Returns events/s and peak RSS in MiB."""
        process = self.stack.sync_process(self.consumer, "run", config=self.config(decisions)).start()
        connection = psycopg2.connect(self.dsn("bench_run"))
        connection.autocommit = True
        cursor = connection.cursor()

        def consumed():
            cursor.execute("SELECT coalesce(sum(position - first_position), 0)::bigint FROM sync.partition_owner")
            return cursor.fetchone()[0]

        start, first = wait_until("the first batch", lambda: consumed() and (time.monotonic(), consumed()), 60, 0.005)
        told = [time.monotonic()]

        def enough():
            done = consumed()
            if time.monotonic() > told[0] + 15:
                told[0] = time.monotonic()
                say(f"{done} of {events} events applied")
            return done if done >= events else False

        last = wait_until("all events", enough, 3600, 0.02)
        rate = (last - first) / (time.monotonic() - start)
        rss = process.peak_mib()
        connection.close()
        process.stop()
        return rate, rss

    def protocol(self):
        self.fresh()
        answer = self.consume(self.options.events)
        self.check_rows(self.options.events)
        return answer

    def protocol_without_goal(self, decisions):
        """A fifth of the events: what more of them cost, the pairs have shown."""
        self.fresh()
        answer = self.consume(self.options.events // 5, decisions)
        self.check_rows(self.query("SELECT sum(position - first_position)::bigint FROM sync.partition_owner")[0][0])
        return answer

    def replay(self):
        """The same window again on the state that the last run left."""
        before = self.query("SELECT (SELECT count(*) FROM sync.correspondence_fact), (SELECT count(*) FROM sync.outbox)")
        self.query("DELETE FROM sync.outcome_count; UPDATE sync.partition_owner SET position = first_position, tail_digest = NULL")
        answer = self.consume(self.options.events)
        after = self.query("SELECT (SELECT count(*) FROM sync.correspondence_fact), (SELECT count(*) FROM sync.outbox)")
        if before != after:
            raise Failed(f"the replay changed rows: {before} before, {after} after")
        return answer


def print_pairs(pairs):
    print(f"\n{'pair':>4} {'ceiling/s':>10} {'protocol/s':>10} {'ratio':>6} {'RSS MiB':>8} {'load':>5} {'steal %':>8}")
    for number, (ceiling, rate, rss, machine) in enumerate(pairs, 1):
        print(f"{number:>4} {ceiling:>10.0f} {rate:>10.0f} {rate / ceiling:>6.2f} {rss:>8.1f} {machine.load:>5.1f} {machine.steal:>8.1f}")
    ratios = [rate / ceiling for ceiling, rate, _, _ in pairs]
    print(f"median: ceiling {statistics.median(p[0] for p in pairs):.0f}/s, protocol {statistics.median(p[1] for p in pairs):.0f}/s, "
          f"ratio {statistics.median(ratios):.2f} (range {min(ratios):.2f} to {max(ratios):.2f}), "
          f"peak RSS {max(p[2] for p in pairs):.1f} MiB")


def apply(options):
    with Stack("bench-apply") as stack:
        stack.prepare()
        # No capture runs: its slot would keep the log of every run, 20 GiB and more.
        stack.query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
        bench = Apply(stack, options, visible=False)
        say(f"preparing {options.messages} hidden messages and {options.events} events")
        bench.prepare()
        bench.produce()
        pairs = measure(bench, options)
        print("\nHidden messages, decision log off, one consumer, batch 1,000, records from Apache Kafka")
        print_pairs(pairs)
        if options.pairs % 2 == 0:  # else the last pair ended with what the replay repeats
            bench.protocol()
        say("replay of the applied window")
        rate, rss = bench.replay()
        print(f"replay of the applied window: {rate:.0f}/s, 0 rows changed, peak RSS {rss:.1f} MiB")
        print("\nWithout a goal, the first fifth of the events")
        shown = Apply(stack, options, visible=True)
        shown.first = bench.first
        say(f"preparing {options.messages} visible messages")
        shown.prepare()
        for messages, one, decisions in (("hidden", bench, "off"), ("hidden", bench, "full"), ("visible", shown, "off"), ("visible", shown, "full")):
            title = f"{messages}, decision log {'on' if decisions == 'full' else 'off'}"
            say(title)
            rate, rss = one.protocol_without_goal(decisions)
            print(f"{title}: {rate:.0f}/s, peak RSS {rss:.1f} MiB")


# -- delegations ------------------------------------------------------------------------------------------

class Delegations(Apply):
    """Grants of rights to services, each on a key of its own: rows of the sync and of Altinn 3, with its triggers."""

    consumer, home, parents = "delegation-to-altinn3", "authorization_dsn", None

    def __init__(self, stack, options):
        super().__init__(stack, options, visible=True)
        self.base = "bench_delegations"
        # One key in two is a right to a service.
        self.world = DelegationWorld(stack, parties=options.parties, resources=50, keys=2 * options.events)

    def prepare(self):
        self.world.migrate()
        self.world.fill()
        self.world.load()
        self.stack.disconnect()
        self.admin(f"CREATE DATABASE {self.base} TEMPLATE \"authorization\"")
        self.vacuum()

    def produce(self):
        size = ["--parties", str(self.options.parties), "--resources", "50", "--keys", f"0-{2 * self.options.events - 1}", "--single"]
        with subprocess.Popen([os.path.join(BUILD, "dev/dev-make-delegation-events"), *size], stdout=subprocess.PIPE) as events:
            done = subprocess.run([os.path.join(BUILD, "tests/test-delegation_producer"), "--bootstrap", self.stack.bootstrap, "--topic",
                                   "altinn2.delegation.v1"], stdin=events.stdout, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode != 0:
            raise Failed(f"producing: {done.stderr.strip()[-300:]}")
        self.options.events = json.loads(done.stdout)["sent"]

    def check_rows(self, events):
        names = ("sync.seen", "sync.deleg_key", "sync.deleg_ref", "sync.history", "sync.policy_document", "dbo.assignmentresource")
        counts = {name: self.query(f"SELECT count(*) FROM {name}")[0][0] for name in names}
        if set(counts.values()) != {events}:
            raise Failed(f"{events} events gave {counts}")
        parents = self.query("SELECT count(*) FROM dbo.assignment")[0][0]
        if self.parents not in (None, parents):
            raise Failed(f"{parents} assignments, {self.parents} by the other contestant")
        self.parents = parents

    def ceiling(self):
        self.fresh()
        done = subprocess.run([os.path.join(BUILD, "tests/bench/delegations/bench-delegations"), "--dsn", self.dsn("bench_run"),
                               "--parties", str(self.options.parties), "--resources", "50", "--events", str(self.options.events),
                               "--batch", str(self.batch)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"bench-delegations: {done.stderr.strip()}")
        self.check_rows(self.options.events)
        return json.loads(done.stdout)["events_per_s"]

    def replay(self):
        tables = "SELECT (SELECT count(*) FROM sync.deleg_ref), (SELECT sum(version) FROM sync.deleg_key), (SELECT count(*) FROM sync.outbox)"
        before = self.query(tables)
        self.query("DELETE FROM sync.outcome_count; UPDATE sync.partition_owner SET position = first_position, tail_digest = NULL")
        answer = self.consume(self.options.events)
        if self.query(tables) != before:
            raise Failed(f"the replay changed rows: {before} before, {self.query(tables)} after")
        return answer


def measure(bench, options):
    """Pairs of ceiling and protocol, each first in turn."""
    pairs = []
    for number in range(options.pairs):
        with Machine() as machine:
            first, second = (bench.ceiling, bench.protocol) if number % 2 == 0 else (bench.protocol, bench.ceiling)
            results = {first.__name__: first(), second.__name__: second()}
        pairs.append((results["ceiling"], *results["protocol"], machine))
        say(f"pair {number + 1} of {options.pairs}: {pairs[-1][1] / pairs[-1][0]:.2f}")
    return pairs


def delegations(options):
    with Stack("bench-delegations") as stack:
        stack.verb("topics", "apply", "--yes")
        bench = Delegations(stack, options)
        say(f"preparing {options.parties} parties and {options.events} events")
        bench.prepare()
        bench.produce()
        pairs = measure(bench, options)
        print("\nGrants of rights to services, decision log off, one consumer, batch 1,000, records from Apache Kafka")
        print_pairs(pairs)
        if options.pairs % 2 == 0:  # else the last pair ended with what the replay repeats
            bench.protocol()
        say("replay of the applied window")
        rate, rss = bench.replay()
        print(f"replay of the applied window: {rate:.0f}/s, 0 rows changed, peak RSS {rss:.1f} MiB")


# -- trickle ----------------------------------------------------------------------------------------------

WAYS = ("topic", "push", "rows")  # how acts are done; each way has a kind of its own on the same messages

LATENCIES = {
    "topic": {"Altinn 2 to Altinn 3: record due to row readable": """
        SELECT altinn2_id, extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000 - occurred_at_us / 1000.0
          FROM sync.correspondence_fact WHERE source_system = 2 AND kind = 4"""},
    "push": {"Altinn 2 to Altinn 3: push due to row readable": """
        SELECT altinn2_id, extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000 - occurred_at_us / 1000.0
          FROM sync.correspondence_fact WHERE source_system = 2 AND kind = 9"""},
    "rows": {"Altinn 3 to Altinn 2: row committed to decision begun": """
        SELECT c.altinn2_id, extract(epoch FROM o.created_at - pg_xact_commit_timestamp(s.xmin)) * 1000
          FROM sync.outbox o JOIN sync.correspondence c ON c.altinn2_id = o.entity_key::int
          JOIN correspondence."CorrespondenceStatuses" s ON s."CorrespondenceId" = c.altinn3_id AND s."Status" = 6
         WHERE o.name = 'a2/confirm'""",
             "Altinn 3 to Altinn 2: row committed to call received": """
        SELECT c.altinn2_id, b.at_us / 1000.0 - extract(epoch FROM pg_xact_commit_timestamp(s.xmin)) * 1000
          FROM bench_call b JOIN sync.correspondence c USING (altinn2_id)
          JOIN correspondence."CorrespondenceStatuses" s ON s."CorrespondenceId" = c.altinn3_id AND s."Status" = 6"""},
}
TITLE_WIDTH = 54


class Trickle:
    def __init__(self, stack, options):
        self.stack, self.options = stack, options
        self.count = options.rate * (options.warm_up + options.seconds)
        self.settled = options.rate * options.warm_up  # acts up to this one are not counted

    def insert_messages(self):
        """As harness.insert_message does, many in one statement."""
        numbers = list(range(1, self.count + 1))
        ids = [a3_id(number) for number in numbers]
        for at in range(0, self.count, 5000):
            self.stack.query("""
                WITH m AS (INSERT INTO correspondence."Correspondences" ("Id", "Altinn2CorrespondenceId", "ResourceId",
                    "Recipient", "Sender", "SendersReference", "PartyId", "Created", "RequestedPublishTime", "Published",
                    "IsMigrating", "IsConfirmationNeeded", "PropertyList")
                  SELECT n.id, n.number, 'test-resource', 'urn:altinn:organization:identifier-no:310000001',
                    '0192:991825827', 'ref', 50000001, now() - interval '1 day', now() - interval '1 day',
                    now() - interval '1 day', false, true, '' FROM unnest(%s::uuid[], %s::int[]) AS n (id, number)
                  RETURNING "Id")
                INSERT INTO correspondence."CorrespondenceContents" ("Id", "CorrespondenceId", "Language", "MessageTitle",
                    "MessageSummary", "MessageBody") SELECT gen_random_uuid(), "Id", 'nb', 'title', 'summary', 'body' FROM m
                """, ids[at:at + 5000], numbers[at:at + 5000])
        for number in (1, 2):
            insert_party(self.stack, number)
        self.stack.query("VACUUM ANALYZE")

    def bridge(self):
        return self.stack.add("bench-bridge", [BENCH_TRICKLE, "bridge", "--listen", f"127.0.0.1:{self.stack.bridge_port}",
                                               "--count", str(self.count)]).start()

    def read_bridge(self, process):
        """Ends it, and stores what it noted; every call must have come once."""
        process.stop()
        with open(process.path, encoding="ascii") as log:
            notes = [tuple(int(word) for word in line.split()) for line in log if line[0].isdigit()]
        repeated = [number for number, _, calls in notes if calls != 1]
        if repeated or len(notes) != self.count:
            raise Failed(f"{len(notes)} messages noted, {len(repeated)} of them not called once: {repeated[:5]}")
        self.stack.query("CREATE TABLE bench_call AS SELECT * FROM unnest(%s::int[], %s::bigint[]) AS b (altinn2_id, at_us)",
                         [note[0] for note in notes], [note[1] for note in notes])

    def act(self, way):
        """Does all acts of one way. Returns how late the load itself was."""
        places = {"topic": ["--bootstrap", self.stack.bootstrap, "--topic", TOPIC2],
                  "push": ["--url", f"http://127.0.0.1:{self.stack.push_port}"],
                  "rows": ["--dsn", self.stack.dsn]}[way]
        say(f"{way}: {self.count} acts at {self.options.rate}/s, the first {self.settled} not counted")
        done = subprocess.run([BENCH_TRICKLE, way, *places, "--count", str(self.count), "--rate", str(self.options.rate),
                               "--from-us", str(int((time.time() + 1) * 1e6))],
                              capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode != 0:
            raise Failed(f"bench-trickle {way}: {done.stderr.strip()[-300:]}")
        return json.loads(done.stdout)

    def wait(self, way):
        what = {"topic": "sync.correspondence_fact WHERE kind = 4", "push": "sync.correspondence_fact WHERE kind = 9",
                "rows": "sync.outbox WHERE name = 'a2/confirm' AND state = 2"}[way]
        wait_until(f"all acts of {way}", lambda: self.stack.one(f"SELECT count(*) FROM {what}") == self.count, 120)

    def print_way(self, way, load, machine):
        for name, sql in LATENCIES[way].items():
            rows = self.stack.query(sql)
            if len(rows) != self.count:
                raise Failed(f"{name}: {self.count} acts gave {len(rows)} rows")
            values = sorted(float(value) for number, value in rows if number > self.settled)
            print(f"{name:<{TITLE_WIDTH}} {values[len(values) // 2]:>8.1f} {values[int(len(values) * 0.99)]:>8.1f} "
                  f"{values[-1]:>8.1f} {len(values):>8}")
        print(f"{'  the act itself, due to done':<{TITLE_WIDTH}} {load['done_ms_p50']:>8.1f} {load['done_ms_p99']:>8.1f} "
              f"{load['done_ms_max']:>8.1f} {load['acts']:>8}   load {machine.load:.1f}, steal {machine.steal:.1f} %")


def trickle(options):
    # One way after the other, each at the rate. The bridge answers at once and reports no echo.
    with Stack("bench-trickle", options={"decision_log": {"mode": "off"}}) as stack:
        stack.query("ALTER SYSTEM SET track_commit_timestamp = on")
        stack.disconnect()
        stack.shell("dev/postgres.sh", "restart", stack.postgres_directory)
        stack.prepare()
        bench = Trickle(stack, options)
        say(f"preparing {bench.count} visible messages")
        bench.insert_messages()
        bridge = bench.bridge()
        stack.start_loop()
        results = []
        for way in options.ways.split(","):
            with Machine() as machine:
                load = bench.act(way)
                bench.wait(way)
            results.append((way, load, machine))
        if "rows" in options.ways:
            bench.read_bridge(bridge)
        stack.query("ANALYZE")  # else the questions below may join each row with each
        print(f"\n{'rate ' + str(options.rate) + '/s':<{TITLE_WIDTH}} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'events':>8}")
        for result in results:
            bench.print_way(*result)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="what")
    one = parts.add_parser("apply")
    one.add_argument("--events", type=int, default=1000000)
    one.add_argument("--messages", type=int, default=200000)
    one.add_argument("--pairs", type=int, default=5)
    grants = parts.add_parser("delegations")
    grants.add_argument("--events", type=int, default=200000)
    grants.add_argument("--parties", type=int, default=20000)
    grants.add_argument("--pairs", type=int, default=3)
    two = parts.add_parser("trickle")
    two.add_argument("--rate", type=int, default=1000)
    two.add_argument("--seconds", type=int, default=20)
    two.add_argument("--warm-up", type=int, default=5)
    two.add_argument("--ways", default=",".join(WAYS))
    options = parser.parse_args()
    chosen = [options] if options.what else [parser.parse_args([name]) for name in ("apply", "delegations", "trickle")]
    try:
        for part in chosen:
            print(f"\nbenchmark: {part.what}")
            describe(part)
            {"apply": apply, "delegations": delegations, "trickle": trickle}[part.what](part)
    except Failed as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
