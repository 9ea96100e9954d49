"""Lint: docs/operators.md has a row for every WARN and ERROR line of the code, and no row for another.

A row begins with the msg between backquotes and names the level. Called by lint.py as the check "alarm lines".
"""
import re

PAGE = "docs/operators.md"
CALL = re.compile(r"\bsync_log(?:_error)?\(")
LEVELS = ("WARN", "ERROR")


def statement(text, start):
    """The call from its name to the semicolon, with its texts kept whole."""
    return re.match(r'(?:"(?:\\.|[^"\\])*"|[^;"])*', text[start:], flags=re.S).group(0)


def lines_of(text):
    """(msg, level) of every alarm line in one source text; a level that is a variable counts as both."""
    for match in CALL.finditer(text):
        call = statement(text, match.start())
        head = re.split(r"\bSYNC_LOG_(?:TEXT|NUMBER)\(", call)[0]
        texts = re.findall(r'"((?:\\.|[^"\\])*)"', head)
        levels = re.findall(r"\bSYNC_(DEBUG|INFO|WARN|ERROR)\b", head)
        for msg in texts:
            yield from ((msg, level) for level in (levels or LEVELS) if level in LEVELS)


def rows_of(page):
    for row in re.finditer(r"^\| `([^`]+)` \| ((?:WARN|ERROR)(?:, (?:WARN|ERROR))?) \|", page, flags=re.M):
        yield from ((row.group(1), level) for level in row.group(2).split(", "))


def check(sources, read):
    """Findings; sources: paths of C files, read: path -> text without comments."""
    said = {}
    for path in sources:
        for line in lines_of(read(path)):
            said.setdefault(line, path)
    known = set(rows_of(read(PAGE)))
    for (msg, level), path in sorted(said.items()):
        if (msg, level) not in known:
            yield f'{path}: {level} line "{msg}" has no row on {PAGE}: say there what it means and what to do'
    for msg, level in sorted(known - set(said)):
        yield f'{PAGE}: no code says "{msg}" at level {level}: take the row away'
