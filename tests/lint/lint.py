#!/usr/bin/python3
"""House rules that a command can see. Each finding says what to write instead. Ends with "N passed, N failed".

Layering, third-party headers, undefined symbols of src/core, function length and parameters, assertion
density, contract blocks of public prototypes, comments, line width, sleeps in tests, SQL and rule ids in
the wrong place.
"""
import collections
import fnmatch
import os
import re
import subprocess
import sys

import alarms
import rules
import traces

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.chdir(ROOT)
BUILD = os.environ.get("SYNC_LINT_BUILD", "build/release")
WIDTH = 100
LINES_MAX = 60
PARAMETERS_MAX = 5
HEADERS = {  # third-party header -> the files that may include it
    "librdkafka/rdkafka.h": ["src/runtime/kafka.c", "src/runtime/kafka_*.[ch]", "dev/broker.c"],
    "librdkafka/rdkafka_mock.h": ["dev/broker.c"],
    "libpq-fe.h": ["src/runtime/postgres*.c", "connectors/altinn3/capture*.c"],
    "curl/curl.h": ["src/runtime/http_client.c"],
    "microhttpd.h": ["src/runtime/http_server.c"],
    "avro.h": ["src/runtime/schema.c"],
    "jansson.h": ["src/runtime/json.c"],
    "libfyaml.h": ["src/runtime/yaml.c"],
    "xxhash.h": ["src/runtime/digest.c"],
    "uuid/uuid.h": ["src/runtime/id.c"],
    "uuid.h": ["src/runtime/id.c"],
    "openssl/sha.h": ["src/runtime/digest.c"],
    "openssl/evp.h": ["src/runtime/digest.c"],
}
LIBRARY_CALLBACKS = {("src/runtime/http_server.c", "on_request")}  # the library fixes their parameters
CORE_SYMBOLS = {"memcpy", "memset", "memcmp", "memmove", "memchr", "strlen", "strcmp", "strncmp", "snprintf",
                "vsnprintf", "__snprintf_chk", "__vsnprintf_chk", "__memcpy_chk", "__memset_chk", "__memmove_chk",
                "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}

findings = collections.defaultdict(list)
figures = []


def files(*patterns):
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
                         capture_output=True, text=True, check=True).stdout.split("\n")
    return sorted({f for f in out if f and os.path.exists(f)})


def read(path):
    with open(path, encoding="utf-8") as handle:
        return handle.read()


def matches(path, patterns):
    return any(fnmatch.fnmatch(path, p) for p in patterns)


SOURCES = files("*.c", "*.h")
SHIPPED = [f for f in SOURCES if not f.startswith(("tests/", "dev/"))]


def strip_comments(text):
    return re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S)


def check_includes():
    for path in SOURCES:
        text = strip_comments(read(path))
        for match in re.finditer(r'^#include\s+([<"])([^>"]+)[>"]', text, flags=re.M):
            line = text.count("\n", 0, match.start()) + 1
            name = match.group(2)
            allowed = HEADERS.get(name)
            if allowed is not None and not path.startswith("tests/") and not matches(path, allowed):
                findings["third-party headers"].append(f"{path}:{line}: {name} belongs to {', '.join(allowed)}; "
                                                       "use that file's wrapper")
            quoted = match.group(1) == '"'
            target = os.path.normpath(os.path.join(os.path.dirname(path), name)) if quoted else name
            check_layer(path, line, target, quoted)


def check_layer(path, line, target, quoted):
    own = quoted or ("/" in target and not target.startswith("altinn_sync/"))
    if path.startswith("include/") and own:
        findings["layering"].append(f"{path}:{line}: include/ uses the C library and itself only")
    if path.startswith("processors/") and own and not target.startswith("processors/"):
        findings["layering"].append(f"{path}:{line}: processors/ uses include/ and its own parts; extend the contract instead")
    if path.startswith("src/core/") and quoted and "/" in target and not target.startswith("src/core/"):
        findings["layering"].append(f"{path}:{line}: src/core uses include/ and itself")
    if not path.startswith(("src/cli/", "tests/", "dev/")) and ("src/cli/" in target or target.startswith("cli/")):
        findings["layering"].append(f"{path}:{line}: nothing uses src/cli")


def check_core_symbols():
    core_defined = set()
    for name in ("libsync_core.a", "libsync_processors.a"):
        archive = os.path.join(BUILD, name)
        if not os.path.exists(archive):
            findings["core symbols"].append(f"{archive} is missing: run ./run build release first")
            return
        out = subprocess.run(["nm", archive], capture_output=True, text=True, check=True).stdout
        core_defined |= {line.split()[-1] for line in out.splitlines() if re.search(r" [A-TV-Z] ", line)}
        for line in out.splitlines():
            symbol = line.split()[-1].split("@")[0] if " U " in line else None
            if symbol and symbol not in CORE_SYMBOLS and symbol not in core_defined:
                findings["core symbols"].append(f"{name}: undefined symbol {symbol}: no clock, I/O or allocation "
                                                "here; pass it in")


def functions(path):
    out = subprocess.run(["ctags", "--languages=C", "--kinds-C=f", "--fields=+neS", "-f", "-", path],
                         capture_output=True, text=True).stdout
    for row in out.splitlines():
        parts = row.split("\t")
        fields = dict(p.split(":", 1) for p in parts[3:] if ":" in p)
        if "end" in fields:
            yield parts[0], int(fields["line"]), int(fields["end"]), fields.get("signature", "")


def check_functions():
    lengths = []
    core_functions = core_asserts = 0
    for path in [f for f in SOURCES if f.endswith(".c")]:
        lines = read(path).split("\n")
        for name, start, end, signature in functions(path):
            length = end - start + 1
            lengths.append(length)
            if length > LINES_MAX and not (name == "main" and path.startswith("tests/")):
                findings["function length"].append(f"{path}:{start}: {name} has {length} lines (at most {LINES_MAX}): "
                                                   "decide in the parent, compute in the leaf")
            flat = re.sub(r"\[[^\]]*\]|\([^()]*\)", "", signature[1:-1])
            inputs = [p for p in flat.split(",") if p.strip() not in ("", "void") and
                      not re.search(r"\bret_\w+|\berr\b", p)]
            foreign = (path, name) in LIBRARY_CALLBACKS
            if len(inputs) > PARAMETERS_MAX and not foreign and not path.startswith("tests/"):
                findings["parameters"].append(f"{path}:{start}: {name} takes {len(inputs)} parameters (at most "
                                              f"{PARAMETERS_MAX}): pass a struct")
            if path.startswith("src/core/"):
                core_functions += 1
                core_asserts += sum("SYNC_ASSERT(" in l for l in lines[start - 1:end])
    lengths.sort()
    figures.append(f"functions {len(lengths)}, length median {lengths[len(lengths) // 2]}, longest {lengths[-1]}")
    density = core_asserts / max(core_functions, 1)
    figures.append(f"assertions in src/core {density:.2f} per function ({core_asserts} in {core_functions})")
    if density < 2.0:
        findings["assertion density"].append(f"src/core has {density:.2f} assertions per function, wanted 2: state "
                                             "what must hold at entry and exit")


def check_contracts():
    """A prototype in a header has a comment above it, alone or for a group without a blank line between."""
    total = documented = 0
    for path in [f for f in SHIPPED if f.endswith(".h")]:
        commented = in_comment = False
        for number, line in enumerate(read(path).split("\n"), 1):
            text = line.strip()
            if in_comment or text.startswith("/*"):
                commented = True
                in_comment = "*/" not in text
            elif text == "":
                commented = False
            elif re.match(r"^(?!#|typedef|static|return|extern|__attribute__|struct \w+ \{)[a-z].*\w\(", line) and "=" not in line:
                total += 1
                documented += commented or "/*" in line
                if not commented and "/*" not in line:
                    findings["contracts"].append(f"{path}:{number}: no contract above this prototype (what, owns, "
                                                 "blocks, fails, units)")
    figures.append(f"prototypes with a contract {documented} of {total}")


def check_lines(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > WIDTH:
            findings["width"].append(f"{path}:{number}: {len(line)} columns (at most {WIDTH}): run ./run fmt")
        bare = re.sub(r'"(\\.|[^"\\])*"', '""', line)
        if re.search(r"(^|[^:])//", bare):
            findings["comments"].append(f"{path}:{number}: write /* … */")
        if re.search(r"\bgoto\s+\w+;", bare):
            findings["goto"].append(f"{path}:{number}: leave early, clean up by attribute")


def check_text():
    for path in SOURCES:
        text = read(path)
        check_lines(path, text)
        if path.startswith("tests/") and re.search(r"\b(u|nano)?sleep\(", strip_comments(text)):
            findings["sleeps"].append(f"{path}: wait for a condition with a deadline instead of sleeping")
        if not re.match(r"\s*/\*", text):
            findings["first comment"].append(f"{path}: the first lines say what the file does, and what it does not")
    for path in files("*.c", "*.h", "*.sh", "*.py", "*.md", "run", "*.yaml", "*.cmake", "CMakeLists.txt"):
        text = read(path)
        if re.search(r"^(<{7} |>{7} )", text, flags=re.M):
            findings["unfinished"].append(f"{path}: conflict marks of a merge")
        if path != "tests/lint/lint.py" and re.search(r"\b(TODO|FIXME|XXX)\b(?!.*#\d)", text):
            findings["unfinished"].append(f"{path}: finish it, or name the issue")
        if path.startswith(("tests/integration/test_", "tests/bench/")) and "time.sleep(" in text:
            findings["sleeps"].append(f"{path}: use harness.wait_until")


def check_places():
    for path in SHIPPED:
        text = strip_comments(read(path))
        if path.startswith(("processors/", "src/core/")) and re.search(r'"[^"]*\b(SELECT|INSERT INTO|UPDATE \w+\.)', text):
            findings["sql"].append(f"{path}: SQL stands in connectors/ and src/runtime")
        if path.startswith("src/") and re.search(r'"(CS|DL|MG|AV)-\d+', text):
            findings["rule ids"].append(f"{path}: rule ids belong to processors/ and connectors/")


def check_alarms():
    sources = [f for f in SOURCES if f.startswith(("src/", "connectors/")) and f.endswith(".c") and not f.endswith("/log.c")]
    findings["alarm lines"].extend(alarms.check(sources, lambda path: strip_comments(read(path))))


def check_documents():
    """The rules page is what the program tells, and no text names a document that is not here."""
    findings["rules page"].extend(rules.check())
    findings["traces of rules"].extend(traces.check(read))
    for path in files("*.c", "*.h", "*.sh", "*.py", "*.md", "*.sql", "*.yaml", "run"):
        here = os.path.dirname(path)
        for name in set(re.findall(r"(?<![\w/.<*-])((?:\.\./|[\w-]+/)*[\w-]+\.md)\b", read(path))):
            if not any(os.path.exists(os.path.join(base, name)) for base in (here, "", "docs", "docs/decisions")):
                findings["documents"].append(f"{path}: there is no {name}: name one that a reader can open")


def check_format():
    done = subprocess.run(["clang-format", "--dry-run", "--Werror", *SOURCES], capture_output=True, text=True, check=False)
    paths = {os.path.relpath(line.split(":", 1)[0], ROOT) for line in done.stderr.split("\n") if "[-Wclang-format-violations]" in line}
    findings["format"].extend(f"{path}: run ./run fmt" for path in sorted(paths))


def main():
    for check in (check_includes, check_core_symbols, check_functions, check_contracts, check_text, check_places, check_alarms,
                  check_documents, check_format):
        check()
    for kind, items in sorted(findings.items()):
        for item in items:
            print(f"{kind}: {item}")
    for figure in figures:
        print(f"FIGURE {figure}")
    names = ["third-party headers", "layering", "core symbols", "function length", "parameters", "assertion density",
             "contracts", "width", "comments", "goto", "sleeps", "first comment", "unfinished", "sql", "rule ids",
             "alarm lines", "rules page", "traces of rules", "documents", "format"]
    failed = sum(1 for name in names if findings.get(name))
    print(f"{len(names) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
