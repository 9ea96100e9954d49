"""The whole living system for demo, load and kill tests: population, four processes, two simulators, and the end.

Message ids are numbers of Altinn 2: most are loaded at the start, some are loaded late, some are inserted by Altinn 3's
simulator, some never come.
"""
import json
import os
import urllib.request

import checker
from harness import BUILD, Failed, consumed, say, wait_until

SIM_LISTEN_SECONDS = 30


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
        path = self.make_file("messages.jsonl", "--parties", "--messages", self.span((self.first, self.hidden[1])),
                              "--hidden", self.span(self.hidden))
        self.stack.verb("load", path, timeout=300)

    def load_late(self):
        path = self.make_file("late.jsonl", "--messages", self.span(self.late))
        self.stack.verb("load", path)

    def start_simulators(self, rate2=20, rate3=20, insert_at=40, faults=None, extra2=(), extra3=()):
        common = ["--dsn", self.stack.dsn, "--seed", str(self.seed)]
        if faults:
            common += ["--faults", faults]
        stack = self.stack
        stack.add("altinn2-sim", [os.path.join(BUILD, "dev/altinn2-sim"), *common, "--rate", str(rate2),
                                  "--messages", self.span((self.first, self.last)), "--listen", f"127.0.0.1:{stack.bridge_port}",
                                  "--not-migrated", self.span((self.late[0], self.never[1])),
                                  "--push-url", f"http://127.0.0.1:{stack.push_port}", "--push-seconds", "2", *extra2]).start()
        stack.add("altinn3-sim", [os.path.join(BUILD, "dev/altinn3-sim"), *common, "--rate", str(rate3),
                                  "--messages", self.span(self.visible), "--insert-from", str(self.inserted[0]),
                                  "--insert-count", str(self.inserted[1] - self.inserted[0] + 1),
                                  "--insert-at", str(insert_at), *extra3]).start()

    def sim2_state(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.stack.bridge_port}/sim/state", timeout=5) as answer:
            return json.load(answer)
