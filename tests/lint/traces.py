"""Lint: docs/delegation-rules.md names for each rule where it stands and what shows it, and both are there.

A file under "Stands in" must speak of the rule by its id (DL-17 or DL_17), a test under "Shown by" must be defined in its file, and
every rule that the program tells on docs/rules.md has a row. A rule that is not built says so in words. Called by lint.py.
"""
import os
import re

PAGE, RULES = "docs/delegation-rules.md", "docs/rules.md"
ROW = re.compile(r"^\| DL-(\d+) \| ([DI]) \| ([^|]+) \|([^|]*)\|([^|]*)\|$", flags=re.M)
TEST = re.compile(r"`([^`]+)`: `(\w+)`")


def check(read):
    """Findings; read: path -> text."""
    page = read(PAGE)
    rows = ROW.findall(page)
    lines = sum(line.startswith("| DL-") for line in page.splitlines())
    if lines != len(rows):
        yield f"{PAGE}: {lines - len(rows)} rows have another form than | DL-nn | D or I | about | files | tests |"
    numbers = [row[0] for row in rows]
    for number in sorted({n for n in numbers if numbers.count(n) > 1}):
        yield f"{PAGE}: DL-{number} stands twice"
    for number in sorted(set(re.findall(r"^\| DL-(\d+) ", read(RULES), flags=re.M)) - set(numbers)):
        yield f"{PAGE}: DL-{number} of {RULES} has no row"
    for number, _, _, places, tests in rows:
        yield from check_row(number, places, tests, read)


def check_row(number, places, tests, read):
    for path in re.findall(r"`([^`]+)`", places):
        if not os.path.exists(path):
            yield f"{PAGE}: DL-{number}: there is no {path}"
        elif not re.search(rf"DL[-_]{number}\b", read(path)):
            yield f"{PAGE}: DL-{number}: {path} does not speak of it: name the place where it does, or say the id there"
    for path, name in TEST.findall(tests):
        if not os.path.exists(path):
            yield f"{PAGE}: DL-{number}: there is no {path}"
        elif not re.search(rf"^(?:def |static .*\b|bool |int |void ){name}\(", read(path), flags=re.M):
            yield f"{PAGE}: DL-{number}: {path} has no test {name}"
    if not places.strip() and not tests.strip():
        yield f"{PAGE}: DL-{number}: say where it stands, or in words why it stands nowhere"
