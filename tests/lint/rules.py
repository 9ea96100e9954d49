#!/usr/bin/python3
"""docs/rules.md as the program tells it: "tests/lint/rules.py" writes it anew, lint.py compares it (check "rules page")."""
import json
import os
import subprocess

PAGE = "docs/rules.md"
BUILD = os.environ.get("SYNC_LINT_BUILD", "build/release")
HEAD = """# Rules

Written by `tests/lint/rules.py` from `altinn-sync processors describe NAME`; lint compares it. Every outcome, every parked record and
every line of the decision log names one of these ids. A rule with an outcome decides about a record; the others decide about a mapping,
a row of Altinn 3, the visibility of a message (gate) or a call to an outside target (effect).
"""


def ask(*words):
    done = subprocess.run([os.path.join(BUILD, "altinn-sync"), "-o", "json", "processors", *words],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def table(names, rows):
    head = ["| " + " | ".join(name.capitalize() for name in names) + " |", "|" + "---|" * len(names)]
    return "\n".join(head + ["| " + " | ".join(str(row[n]) if row[n] is not None else "" for n in names) + " |" for row in rows])


def page():
    parts = [HEAD]
    for name in dict.fromkeys(row["processor"] for row in ask("list")):
        told = ask("describe", name)
        parts.append(f"## {name}\n\n{told['purpose']}\n\nSchema `{told['schema']}`.\n\n" + table(
            ["route", "from", "to", "topic", "target"], told["routes"]) + "\n")
        parts.append(table(["rule", "decides", "outcome", "meaning"], told["rules"]) + "\n")
        if told["options"]:
            parts.append(table(["option", "default", "unit", "help"], told["options"]) + "\n")
    return "\n".join(parts)


def check():
    if not os.path.exists(os.path.join(BUILD, "altinn-sync")):
        return [f"{BUILD}/altinn-sync is missing: run ./run build release first"]
    with open(PAGE, encoding="utf-8") as handle:
        same = handle.read() == page()
    return [] if same else [f"{PAGE}: the program has other rules: run tests/lint/rules.py and look at the difference"]


if __name__ == "__main__":
    with open(PAGE, "w", encoding="utf-8") as out:
        out.write(page())
