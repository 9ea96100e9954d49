#!/usr/bin/python3
"""Planted mistakes that the enumerations of delegations must find: each is one line of the rules, changed in a copy, compiled and put
before the library that ships. A mistake that is not found means that an enumeration looks past it; one that no longer fits its line
means that the rules have changed: change the list with them. SYNC_SIM_BUILD names the build; --only WORD runs those with the word."""
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("SYNC_SIM_BUILD", "build/release"))
SECONDS_MAX = 120
DECIDE, ACTIVE, SIDES, PROCESSOR, READ = (f"processors/{name}.c" for name in (
    "delegation/decide", "delegation/active", "delegation/sides", "delegation", "delegation/read"))

# what is wrong, which enumeration must see it, file, line as it is, line as it is planted
MUTANTS = [
    ("no skew between the sides' clocks", "orders p1", ACTIVE,
     "ref->op_time <= cut_us + skew_us", "ref->op_time <= cut_us"),
    ("a machine's revoke cuts the other side", "orders p1", DECIDE,
     "        end_unshown(d, right, event->order, event->time_us);\n        if (event->human) {",
     "        end_unshown(d, right, event->order, event->time_us);\n        if (true) {"),
    ("a person's revoke cuts nothing", "orders p1", DECIDE,
     "        end_unshown(d, right, event->order, event->time_us);\n        if (event->human) {",
     "        end_unshown(d, right, event->order, event->time_us);\n        if (false) {"),
    ("a revoke of everything is forgotten", "orders p1", ACTIVE,
     "    return delegation_later(delegation_dead(key, ref->right, ref->source),\n",
     "    return delegation_later(DELEGATION_NEVER,\n"),
    ("a late right of a revoked rule comes back (DL-57)", "orders snapshot", DECIDE,
     "if (event->order <= wild_seq) {", "if (false) {"),
    ("a weak stream forgets the time of a revoke (DL-12)", "orders p1", DECIDE,
     "if (latest != DELEGATION_NEVER && event->event_us <= latest) {", "if (false) {"),
    ("what is no longer shown does not end (DL-39)", "orders p2", DECIDE,
     "        row->op = DELEGATION_REVOKE;\n        row->seq = order;", "        row->seq = order;"),
    ("an overtaken revoke of a person cuts nothing (DL-108)", "orders snapshot", DECIDE,
     "return row != NULL && right != DELEGATION_EVERY && event->human && event->order < row->seq &&",
     "return false && row != NULL && right != DELEGATION_EVERY && event->human && event->order < row->seq &&"),
    ("the last event that arrives wins", "orders p1", DECIDE,
     "if (event->order < seq || event->order <= wild_seq || again) {", "if (again) {"),
    ("an echo gives access (DL-06)", "loop", DECIDE,
     "if (event->echo || is_own_export(d, r, ref)) {", "if (is_own_export(d, r, ref)) {"),
    ("a grant that is not wanted any more still leaves (DL-90, DL-101)", "loop", SIDES,
     "        plan->withdraw = true; /* the far side must never get it (DL-90) */",
     "        plan->withdraw = false;"),
    ("what has left is forgotten (10.2)", "loop", SIDES,
     "uint64_t held = key->has_left ? key->left_set : shown;", "uint64_t held = shown;"),
    ("what has left ends a newer command, and nothing is left to end it (DL-90)", "loop", SIDES,
     "if (want == held && !key->has_left) {", "if (want == held) {"),
    ("a write to Altinn 3 that did not go through counts (DL-83)", "loop", SIDES,
     "    key->held_a3 = key->seen_a3;\n    key->pending = true;", "    key->pending = true;"),
    ("what a role lent outlives it (DL-64)", "roles", ACTIVE,
     "return own != NULL && delegation_is_active(state, role, own);", "return own != NULL;"),
    ("what borrows from a role is not compared again (DL-64)", "roles", PROCESSOR,
     "        if (borrows) {", "        if (false) {"),
    ("ids that contradict pick one of them (DL-04)", "hostile", READ,
     "    if (number_contradicts(r, &id, by_party, party_id, false) ||\n", "    if (\n"),
]


def plant(directory, number, mutant):
    """The source with its one line changed, compiled."""
    _, _, path, before, after = mutant
    with open(os.path.join(ROOT, path), encoding="utf-8") as handle:
        text = handle.read()
    if text.count(before) != 1:
        return None, f"{path} has the line {text.count(before)} times: {before.strip().splitlines()[0]}"
    source = os.path.join(directory, f"{number}.c")
    with open(source, "w", encoding="utf-8") as handle:
        handle.write(text.replace(before, after))
    target = os.path.join(directory, f"{number}.o")
    done = subprocess.run(["cc", "-std=gnu11", "-O2", "-w", "-D_GNU_SOURCE", f"-I{ROOT}/include", f"-I{ROOT}/src",
                           "-iquote", os.path.join(ROOT, os.path.dirname(path)), "-c", source, "-o", target],
                          capture_output=True, text=True)
    return (target, None) if done.returncode == 0 else (None, done.stderr)


def look(directory, number, mutant):
    """Whether the enumeration fails with the mistake, and what it says."""
    name, *arguments = mutant[1].split()
    planted, wrong = plant(directory, number, mutant)
    if planted is None:
        return False, wrong
    parts = os.path.join(BUILD, f"tests/sim/CMakeFiles/delegation_{name}.dir")
    objects = [os.path.join(parts, f) for f in sorted(os.listdir(parts)) if f.endswith(".o")]
    program = os.path.join(directory, str(number))
    done = subprocess.run(["cc", "-o", program, planted, *objects, os.path.join(BUILD, "libsync_processors.a"),
                           os.path.join(BUILD, "libsync_core.a"), "-lm"], capture_output=True, text=True)
    if done.returncode != 0:
        return False, done.stderr
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return False, "no answer in time"
    said = [line for line in done.stdout.splitlines() if "VIOLATION" in line] or done.stdout.splitlines()[-1:] + [done.stderr[-200:]]
    return done.returncode != 0, said[0]


def main():
    words = sys.argv[2:] if sys.argv[1:2] == ["--only"] else [""]
    chosen = [m for m in MUTANTS if any(w in m[0] for w in words)]
    missed = 0
    with tempfile.TemporaryDirectory() as directory:
        for number, mutant in enumerate(chosen):
            start = time.monotonic()
            found, said = look(directory, number, mutant)
            missed += not found
            print(f"{'found ' if found else 'MISSED'} {mutant[0]}: delegation_{mutant[1]}, {time.monotonic() - start:.1f} s: {said}",
                  flush=True)
    print(f"planted mistakes: {len(chosen)}, found: {len(chosen) - missed}")
    return 0 if chosen and not missed else 1


if __name__ == "__main__":
    sys.exit(main())
