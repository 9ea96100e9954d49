#!/usr/bin/env python3
"""Benchmarks of altinn-sync, on Apache Kafka and a throw-away PostgreSQL. They print tables and judge nothing.

  bench.py apply [--events N] [--messages N] [--pairs N]   whole protocol against the bare ceiling of the same run
  bench.py trickle [--rate N] [--seconds N]                commit-to-applied at a steady rate, both directions

Ground truth is what the tables hold after each run, never a counter of the program. Times of "trickle" are
commit times of one server's clock. The machine's load and steal are printed: a run on a busy machine says little.
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
from harness import BUILD, SEED, TOPIC2, Failed, Stack, a3_id, insert_message, party, say, wait_until  # noqa: E402

BENCH_APPLY = os.path.join(BUILD, "tests/bench/apply/bench-apply")
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
        self.stack.connection and self.stack.connection.close()
        self.stack.connection = None
        self.admin(f"CREATE DATABASE {self.base} TEMPLATE correspondence")
        self.program("setup", self.base, *(["--visible"] if self.visible else []))
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

    def check_rows(self):
        facts, statuses, versions = self.query("""
            SELECT (SELECT count(*) FROM sync.correspondence_fact),
                   (SELECT count(*) FROM correspondence."CorrespondenceStatuses"),
                   (SELECT sum(version) FROM sync.correspondence)""")[0]
        if not facts == statuses == versions == self.options.events:
            raise Failed(f"{self.options.events} events gave {facts} facts, {statuses} status rows, versions {versions}")

    def ceiling(self):
        self.fresh()
        answer = self.program("ceiling", "bench_run")
        self.check_rows()
        return answer["events_per_s"]

    def config(self, decisions):
        path = os.path.join(self.stack.directory, f"bench-{decisions}.yaml")
        with open(self.stack.config, encoding="utf-8") as handle:
            sections = json.load(handle)
        sections["database"]["dsn"] = self.dsn("bench_run")
        sections["decision_log"] = {"mode": decisions}
        sections["consumer"]["batch_records_max"] = 1000
        with open(path, "w", encoding="utf-8") as handle:
            json.dump(sections, handle)
        return path

    def consume(self, decisions="off"):
        """Runs the consumer until it has decided every event. Returns events/s and peak RSS in MiB."""
        process = self.stack.sync_process(CONSUMER, "run", config=self.config(decisions)).start()
        connection = psycopg2.connect(self.dsn("bench_run"))
        connection.autocommit = True
        cursor = connection.cursor()

        def consumed():
            cursor.execute("SELECT coalesce(sum(position - first_position), 0)::bigint FROM sync.partition_owner")
            return cursor.fetchone()[0]

        start, first = wait_until("the first batch", lambda: consumed() and (time.monotonic(), consumed()), 60, 0.005)
        wait_until("all events", lambda: consumed() >= self.options.events, 3600, 0.02)
        rate = (self.options.events - first) / (time.monotonic() - start)
        with open(f"/proc/{process.child.pid}/status", encoding="ascii") as handle:
            rss = next(int(line.split()[1]) for line in handle if line.startswith("VmHWM")) / 1024
        connection.close()
        process.stop()
        return rate, rss

    def protocol(self, decisions="off"):
        self.fresh()
        answer = self.consume(decisions)
        self.check_rows()
        return answer

    def replay(self):
        """The same window again on the state that the last run left."""
        before = self.query("SELECT (SELECT count(*) FROM sync.correspondence_fact), (SELECT count(*) FROM sync.outbox)")
        self.query("DELETE FROM sync.outcome_count; UPDATE sync.partition_owner SET position = first_position, tail_digest = NULL")
        answer = self.consume()
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
        bench = Apply(stack, options, visible=False)
        say(f"preparing {options.messages} hidden messages and {options.events} events")
        bench.prepare()
        bench.produce()
        pairs = []
        for number in range(options.pairs):
            with Machine() as machine:
                first, second = (bench.ceiling, bench.protocol) if number % 2 == 0 else (bench.protocol, bench.ceiling)
                results = {first.__name__: first(), second.__name__: second()}
            pairs.append((results["ceiling"], *results["protocol"], machine))
            say(f"pair {number + 1} of {options.pairs}: {pairs[-1][1] / pairs[-1][0]:.2f}")
        print("\nHidden messages, decision log off, one consumer, batch 1,000, records from Apache Kafka")
        print_pairs(pairs)
        bench.protocol()
        rate, rss = bench.replay()
        print(f"replay of the applied window: {rate:.0f}/s, 0 rows changed, peak RSS {rss:.1f} MiB")
        print("\nWithout a goal")
        rate, rss = bench.protocol("full")
        print(f"hidden, decision log on: {rate:.0f}/s, peak RSS {rss:.1f} MiB")
        shown = Apply(stack, options, visible=True)
        shown.first = bench.first
        shown.prepare()
        for decisions in ("off", "full"):
            rate, rss = shown.protocol(decisions)
            print(f"visible, decision log {'on' if decisions == 'full' else 'off'}: {rate:.0f}/s, peak RSS {rss:.1f} MiB")


# -- trickle ----------------------------------------------------------------------------------------------

LATENCIES = {
    "Altinn 2 to Altinn 3, sent to row readable": """
        SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000 - occurred_at_us / 1000.0
          FROM sync.correspondence_fact WHERE source_system = 2 AND kind = 4""",
    "Altinn 3 to Altinn 2, row committed to fact decided": """
        SELECT extract(epoch FROM pg_xact_commit_timestamp(f.xmin) - pg_xact_commit_timestamp(s.xmin)) * 1000
          FROM sync.correspondence_fact f JOIN sync.correspondence c USING (altinn2_id)
          JOIN correspondence."CorrespondenceStatuses" s ON s."CorrespondenceId" = c.altinn3_id AND s."Status" = 6
         WHERE f.source_system = 3 AND f.kind = 6""",
}


def print_latencies(stack, count):
    print(f"\n{'':<52} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'events':>8}")
    for name, sql in LATENCIES.items():
        values = sorted(float(row[0]) for row in stack.query(sql))
        if len(values) != count:
            raise Failed(f"{name}: {count} acts gave {len(values)} facts")
        print(f"{name:<52} {values[len(values) // 2]:>8.1f} {values[int(len(values) * 0.99)]:>8.1f} {values[-1]:>8.1f} {len(values):>8}")


def trickle_altinn2(stack, options, count):
    """Fixed schedule; each record carries the moment at which it should have been sent."""
    producer = subprocess.Popen([PRODUCER, "--bootstrap", stack.bootstrap, "--topic", TOPIC2], stdin=subprocess.PIPE, text=True,
                                stdout=subprocess.DEVNULL, cwd=ROOT)
    start = time.time() + 0.5
    sent = 0
    while sent < count:
        while sent < count and start + sent / options.rate <= time.time():
            at_us = int((start + sent / options.rate) * 1e6)
            producer.stdin.write(json.dumps({
                "source": {"system": "ALTINN2", "stream": "trickle", "sequence": sent}, "altinn2_id": sent + 1, "kind": 4,
                "occurred_at_us": at_us, "captured_at_us": at_us, "party_uuid": party(1)}) + "\n")
            sent += 1
        producer.stdin.flush()
        wait_until("the next record is due", lambda: start + sent / options.rate <= time.time() or sent >= count, 5, 0.001)
    producer.stdin.close()
    if producer.wait() != 0:
        raise Failed("the producer failed")


def trickle_altinn3(stack, options, count):
    """One transaction an act, as the application writes."""
    connection = stack.connect()
    start = time.time() + 0.5
    with connection.cursor() as cursor:
        for sent in range(count):
            due = start + sent / options.rate
            wait_until("the next act is due", lambda due=due: due <= time.time(), 5, 0.0005)
            cursor.execute("""INSERT INTO correspondence."CorrespondenceStatuses" ("Id", "CorrespondenceId", "Status", "StatusText",
                "StatusChanged", "PartyUuid") VALUES (gen_random_uuid(), %s, 6, 'x', to_timestamp(%s), %s)""",
                           (a3_id(sent + 1), due, party(2)))
    connection.close()


def trickle(options):
    count = options.rate * options.seconds
    # Nothing listens at the bridge: the figure ends where the fact is decided, and the calls wait in their lanes.
    with Stack("bench-trickle", options={"decision_log": {"mode": "off"}}) as stack:
        stack.query("ALTER SYSTEM SET track_commit_timestamp = on")
        stack.connection.close()
        stack.shell("dev/postgres.sh", "restart", stack.postgres_directory)
        stack.prepare()
        say(f"preparing {count} visible messages")
        for number in range(1, count + 1):
            insert_message(stack, number)
        stack.query("VACUUM ANALYZE")
        stack.start_loop()
        with Machine() as machine:
            for act in (trickle_altinn2, trickle_altinn3):
                say(f"{act.__name__.replace('_', ' ')}: {count} acts at {options.rate}/s")
                act(stack, options, count)
            wait_until("all facts", lambda: stack.one(
                "SELECT count(*) FROM sync.correspondence_fact WHERE kind IN (4, 6)") == 2 * count, 120)
        print_latencies(stack, count)
        print(f"rate {options.rate}/s in each direction, one after the other; load {machine.load:.1f}, steal {machine.steal:.1f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="what")
    one = parts.add_parser("apply")
    one.add_argument("--events", type=int, default=1000000)
    one.add_argument("--messages", type=int, default=200000)
    one.add_argument("--pairs", type=int, default=5)
    two = parts.add_parser("trickle")
    two.add_argument("--rate", type=int, default=1000)
    two.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    chosen = [options] if options.what else [parser.parse_args(["apply"]), parser.parse_args(["trickle"])]
    try:
        for part in chosen:
            print(f"\nbenchmark: {part.what}")
            describe(part)
            (apply if part.what == "apply" else trickle)(part)
    except Failed as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
