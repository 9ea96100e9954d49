"""The whole living system for demo, load and kill tests: population, four processes, two simulators, and the end.

Message ids are numbers of Altinn 2: most are loaded at the start, some are loaded late, some are inserted by Altinn 3's
simulator, some never come.
"""
import json
import os
import signal
import urllib.request

import checker
from harness import BUILD, run_dry


class World:
    """ids: first … last are loaded at the start (the last `hidden` of them hidden); then late, inserted, never."""

    def __init__(self, stack, visible=9000, hidden=800, late=100, inserted=50, never=50, first=100001, seed=1):
        self.stack, self.seed = stack, seed
        edges = [first]
        for count in (visible, hidden, late, inserted, never):
            edges.append(edges[-1] + count)
        self.visible, self.hidden, self.late, self.inserted, self.never = (
            (edges[i], edges[i + 1] - 1) for i in range(5))
        self.first, self.last = first, edges[-1] - 1

    @staticmethod
    def span(pair):
        return f"{pair[0]}-{pair[1]}"

    def make_file(self, name, *arguments):
        path = os.path.join(self.stack.directory, name)
        done = self.stack.shell(os.path.join(BUILD, "dev/dev-make-messages"), *arguments)
        with open(path, "w", encoding="utf-8") as handle:
            handle.write(done.stdout)
        os.chmod(path, 0o644)
        return path

    def load_start(self):
        hidden = ["--hidden", self.span(self.hidden)] if self.hidden[1] >= self.hidden[0] else []
        path = self.make_file("messages.jsonl", "--parties", "--messages", self.span((self.first, self.hidden[1])), *hidden)
        self.stack.verb("load", path, timeout=300)

    def load_late(self):
        path = self.make_file("late.jsonl", "--messages", self.span(self.late))
        self.stack.verb("load", path)

    def start_simulators(self, rate2=20, rate3=20, insert_at=40, faults=None, extra2=(), extra3=()):
        common = ["--dsn", self.stack.dsn, "--seed", str(self.seed)]
        if faults:
            common += ["--faults", faults]
        stack = self.stack
        absent = ["--not-migrated", self.span((self.late[0], self.never[1]))] if self.never[1] >= self.late[0] else []
        inserts = ["--insert-from", str(self.inserted[0]), "--insert-count", str(self.inserted[1] - self.inserted[0] + 1),
                   "--insert-at", str(insert_at)] if self.inserted[1] >= self.inserted[0] else []
        stack.add("altinn2-sim", [os.path.join(BUILD, "dev/altinn2-sim"), *common, "--rate", str(rate2), *absent,
                                  "--messages", self.span((self.first, self.last)), "--listen", f"127.0.0.1:{stack.bridge_port}",
                                  "--push-url", f"http://127.0.0.1:{stack.push_port}", "--push-seconds", "2", *extra2]).start()
        stack.add("altinn3-sim", [os.path.join(BUILD, "dev/altinn3-sim"), *common, "--rate", str(rate3),
                                  "--messages", self.span(self.visible), *inserts, *extra3]).start()

    def sim2_state(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.stack.bridge_port}/sim/state", timeout=5) as answer:
            return json.load(answer)

    # -- the end ----------------------------------------------------------------------------------------

    def acts2(self):
        """(message, kind, party, second) of every act of Altinn 2's users, from its simulator's journal."""
        return {tuple(row) for row in self.stack.query(
            """SELECT altinn2_id, kind, party_uuid::text, floor(extract(epoch FROM occurred_at))::bigint FROM altinn2sim.act
                WHERE altinn2_id BETWEEN %s AND %s""", self.first, self.last)}

    def flags2(self):
        """{message: (read, confirmed, deleted)} as Altinn 2 holds them."""
        held = {row[0]: tuple(row[1:]) for row in self.stack.query(
            "SELECT altinn2_id, is_read, is_confirmed, is_deleted FROM altinn2sim.message")}
        return {m: held.get(m, (False, False, False)) for m in range(self.first, self.last + 1)}

    def migrated(self):
        rows = self.stack.query("""SELECT "Altinn2CorrespondenceId" FROM correspondence."Correspondences"
                                    WHERE "Altinn2CorrespondenceId" BETWEEN %s AND %s""", self.first, self.last)
        return {row[0] for row in rows}

    def drift(self):
        return checker.drift(self.stack, self.acts2(), self.flags2(), self.migrated())

    def stop_acting(self):
        for name in ("altinn2-sim", "altinn3-sim"):
            self.stack.processes[name].signal(signal.SIGUSR1)

    def outstanding(self):
        """What the loop still has to do, as a sentence; empty when it has run dry."""
        try:
            pending = self.sim2_state().get("pending", 0)
        except OSError as error:
            return f"Altinn 2 does not answer ({error})"
        if pending:
            return f"{pending} acts of Altinn 2 not pushed"
        waiting = self.stack.one("SELECT count(*) FROM sync.outbox WHERE state IN (0, 1)")
        if waiting:
            return f"{waiting} effects waiting"
        held = self.stack.one("SELECT count(*) FROM sync.hold WHERE entity_key::int NOT BETWEEN %s AND %s", *self.never)
        if held:
            return f"{held} records held"
        behind = self.stack.one("""
            SELECT count(*) FROM correspondence."CorrespondenceStatuses" s
              JOIN sync.correspondence m ON m.altinn3_id = s."CorrespondenceId"
             WHERE s."Status" IN (4, 6, 7, 8, 9) AND s."SyncedFromAltinn2" IS NULL AND NOT EXISTS (
                   SELECT FROM sync.correspondence_fact f WHERE f.altinn2_id = m.altinn2_id AND f.kind = s."Status"
                      AND f.party_uuid = s."PartyUuid" AND f.second = floor(extract(epoch FROM s."StatusChanged")) AND f.in_a3)""")
        if behind:
            return f"{behind} acts of Altinn 3 not consumed"
        return ""

    def finish(self, seconds=60):
        """Waits by condition until the loop is dry and both sides are equal; returns the last table of differences."""
        return run_dry(self.outstanding, self.drift, seconds)

    def hops(self):
        """Most requests for one message and kind that changed Altinn 2: must be at most 1."""
        return self.stack.one("""SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM altinn2sim.change
                                  WHERE request_id IS NOT NULL GROUP BY altinn2_id, flag) AS raised""")
