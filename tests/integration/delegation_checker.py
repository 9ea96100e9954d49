"""Compares what both sides show of delegations, and what they show with what people did. Reads tables only, shares nothing with src/.

Altinn 2's truth are the tables of its simulator. Altinn 3's truth are its real tables, their history, and the policy documents that
its rows point at. Rights are compared by the mapping of data/rights.csv, as far as Altinn 2 can express them and the policy of the
resource offers them. The sync's own tables are looked at for what it reports: outcomes, outbox, restores that it parked.

A key is (kind, from, to, target, instance): kind single, instance or role, parties as uuids, the role as its code in lower case.
"""
import uuid
from collections import defaultdict

import harness  # noqa: F401 it makes dev/ known
from delegations import ALTINN2, IDENTITY, RIGHTHOLDER, SUPPLIER, read_table

SPACE = uuid.UUID("002b8d8e-6dce-5ff3-aef6-c1ccad164ddf")
ZERO = "00000000-0000-0000-0000-000000000000"
TAX_ROLE = "a0282"
HUMAN_SYSTEMS = {"ed771364-42a8-4934-801e-b482ed20ec3e"}  # the end-user API
SKEW, MARGIN = 2.0, 0.5  # seconds: what the rules allow, and what a stamp and its act may lie apart
KINDS = ("single", "instance", "role")


class Mapping:
    """What a right of Altinn 2 is in Altinn 3, and which actions a key can have on both sides."""

    def __init__(self, resources):
        self.action = {(r["resource_class"], r["a2_right"].lower()): r["a3_action"] for r in read_table("rights.csv")}
        self.set_in_a2 = defaultdict(set)
        for row in read_table("rights.csv"):
            if row["set_in_a2"] == "yes":
                self.set_in_a2[row["resource_class"]].add(row["a3_action"])
        self.offers = {r["id"]: set(r["actions"]) for r in resources}
        self.of_resource = {r["id"]: "correspondence" if r["resourceType"] == "CorrespondenceService" else "other" for r in resources}
        self.packages = defaultdict(set)
        for row in read_table("role-packages.csv"):
            self.packages[row["package_urn"]].add(row["a2_role_code"].lower())

    def actions(self, kind, target, name, rule_actions):
        """What one thing that Altinn 2 shows gives in Altinn 3."""
        if kind == "role":
            return {"*"}
        if kind == "instance":
            return set(rule_actions)
        action = self.action.get((self.of_resource.get(target, "other"), name))
        return {action} if action else set()

    def comparable(self, key):
        kind, _, _, target, _ = key
        if kind == "role":
            return {"*"}
        known = self.set_in_a2["message" if kind == "instance" else self.of_resource.get(target, "other")]
        return known & self.offers.get(target, set())


def key_uuid(key, variant=0, facilitator=ZERO):
    kind, giver, receiver, target, instance = key
    target = f"urn:altinn:rolecode:{target}" if kind == "role" else target
    return str(uuid.uuid5(SPACE, "delegation/" + "|".join((kind, giver, receiver, target, instance, str(variant), facilitator))))


# -- what the sides show ------------------------------------------------------------------------------------

def shown_by_altinn2(stack, mapping):
    shown = defaultdict(set)
    for kind, giver, receiver, target, instance, name, actions in stack.query_authorization("""
            SELECT h.kind, f.uuid::text, t.uuid::text, h.target, h.instance, h.name, h.actions
              FROM altinn2delegations.held h JOIN altinn2delegations.party f ON f.party_id = h.from_party
              JOIN altinn2delegations.party t ON t.party_id = h.to_party"""):
        target = target.lower() if kind == 2 else target
        shown[(KINDS[kind], giver, receiver, target, instance)] |= mapping.actions(KINDS[kind], target, name, actions)
    return shown


ROWS_OF_ALTINN3 = f"""
    SELECT 'single', a.fromid::text, a.toid::text, r.refid, '', d.actions
      FROM dbo.assignmentresource c JOIN dbo.assignment a ON a.id = c.assignmentid JOIN dbo.resource r ON r.id = c.resourceid
      LEFT JOIN sync.policy_document d ON (d.path, d.version) = (c.policypath, c.policyversion)
     WHERE a.roleid IN ('{RIGHTHOLDER}', '{SUPPLIER}')
    UNION ALL
    SELECT 'instance', a.fromid::text, a.toid::text, r.refid, c.instanceid, d.actions
      FROM dbo.assignmentinstance c JOIN dbo.assignment a ON a.id = c.assignmentid JOIN dbo.resource r ON r.id = c.resourceid
      LEFT JOIN sync.policy_document d ON (d.path, d.version) = (c.policypath, c.policyversion)
     WHERE a.roleid = '{RIGHTHOLDER}'
    UNION ALL
    SELECT 'role', a.fromid::text, a.toid::text, o.code, '', ARRAY['*']
      FROM dbo.assignment a JOIN dbo.role o ON o.id = a.roleid WHERE o.providerid = '{ALTINN2}'"""


def shown_by_altinn3(stack):
    """{key: actions}, and the keys of rows whose document is not there."""
    shown, blind = {}, []
    for kind, giver, receiver, target, instance, actions in stack.query_authorization(ROWS_OF_ALTINN3):
        key = (kind, giver, receiver, target, instance)
        shown[key] = set(actions or ())
        if actions is None:
            blind.append(key)
    return shown, blind


def differences(shown2, shown3, mapping):
    """{key: (actions Altinn 2 shows, actions Altinn 3 shows)} where they differ, of what both can express."""
    out = {}
    for key in {*shown2, *shown3}:
        both = mapping.comparable(key)
        here, there = shown2.get(key, set()) & both, shown3.get(key, set()) & both
        if here != there:
            out[key] = (here, there)
    return out


# -- what people did ----------------------------------------------------------------------------------------

class Acts:
    """Born grants that still stand in their own system, by (key, action), and the times at which a person took the last of it away.

    times: when it was stamped, and the latest moment that the sync may take for it (a revoke of a service's right has no time, and
    counts from its capture).
    """

    def __init__(self):
        self.grants = defaultdict(dict)   # (key, action): {name of the grant: (stamped, refused_until)}
        self.actions = defaultdict(set)   # key: actions that were ever granted
        self.cuts = defaultdict(list)     # (key, action or "*"): [(earliest, latest)]

    def grant(self, key, action, name, stamped, refused_until):
        self.grants[(key, action)][name] = (stamped, refused_until)
        self.actions[key].add(action)

    def cut_of(self, key, action):
        return self.cuts[(key, action)] + self.cuts[(key, "*")]

    def end(self, key, ended):
        """A side took away the last that it showed of these actions: older grants that it no longer showed end with it (DL-39)."""
        for action in ended:
            self.grants[(key, action)].clear()


def acts_of_altinn2(stack, mapping):
    acts, shown = Acts(), defaultdict(lambda: defaultdict(dict))
    last_revoke, named = {}, defaultdict(dict)  # named: what each name of a key gave last
    rows = stack.query_authorization("""
        SELECT c.kind, f.uuid::text, t.uuid::text, c.target, c.instance, c.facilitator, c.name, c.actions, c.granted, c.actor,
               extract(epoch FROM c.at)::float, extract(epoch FROM r.pushed_at)::float, coalesce(r.op, 1), c.told_by
          FROM altinn2delegations.change c JOIN altinn2delegations.party f ON f.party_id = c.from_party
          JOIN altinn2delegations.party t ON t.party_id = c.to_party
          LEFT JOIN altinn2delegations.report r ON c.kind < 2 AND r.report_id = c.told_by
         ORDER BY c.change_id""")
    for place, row in enumerate(rows):
        kind, giver, receiver, target, instance, facilitator, name, actions, granted, actor, at, pushed, op, told = row
        target = target.lower() if kind == 2 else target
        name = f"{name}/{facilitator}"
        key = (KINDS[kind], giver, receiver, target, instance)
        gives = mapping.actions(KINDS[kind], target, name.split("/")[0], actions)
        latest = (pushed or at) + MARGIN if kind == 0 else at
        if granted:
            shown[key][name] = named[key][name] = gives
            for action in gives if actor == 0 else ():
                acts.grant(key, action, name, at, max(last_revoke.get(k, at - 1) for k in ((key, name), key)))
            continue
        shown[key].pop(name, None)
        last_revoke[(key, name)] = latest
        if kind == 0 and op == 2:  # the policy as a whole: of every name
            last_revoke[key] = latest
        for action in gives if actor < 2 else ():
            acts.grants[(key, action)].pop(name, None)
        same = place + 1 < len(rows) and rows[place + 1][13] == told and not rows[place + 1][8] and kind == 0
        if actor < 2 and not same:  # the last right that one report names
            left = set().union(*shown[key].values())
            gone, everything = gone_of(rows, place, mapping) - left, (kind == 1 or op == 2) and not left
            acts.end(key, acts.actions[key] if kind == 0 and everything else gone)
            for other, gave in named[key].items():  # what ends with the last one ends at the same time
                if everything or gave & gone:
                    last_revoke[(key, other)] = latest
            if actor == 0:
                for action in gone | ({"*"} if everything else set()):
                    acts.cuts[(key, action)].append((min(at, pushed or at), latest))
    return acts


def gone_of(rows, place, mapping):
    """Actions of everything that the report of this row takes away."""
    out, told = set(), rows[place][13]
    while place >= 0 and rows[place][13] == told and not rows[place][8]:
        kind, target = rows[place][0], rows[place][3]
        out |= mapping.actions(KINDS[kind], target.lower() if kind == 2 else target, rows[place][6], rows[place][7])
        if kind != 0:
            break
        place -= 1
    return out


PARENTS = """
    WITH parent AS (
        SELECT DISTINCT ON (id) id, fromid, toid, roleid FROM (
            SELECT id, fromid, toid, roleid FROM dbo.assignment UNION ALL
            SELECT id, fromid, toid, roleid FROM dbo_history.auditassignment) AS a ORDER BY id)"""
VERSIONS_OF_ALTINN3 = PARENTS + """,
    version AS (
        SELECT 'single' AS kind, assignmentid, resourceid, '' AS instance, policypath, policyversion, audit_validfrom, 'infinity' AS ended,
               audit_changedbysystem, NULL::uuid AS deleted_by FROM dbo.assignmentresource
        UNION ALL SELECT 'single', assignmentid, resourceid, '', policypath, policyversion, audit_validfrom, audit_validto,
               audit_changedbysystem, audit_deletedbysystem FROM dbo_history.auditassignmentresource
        UNION ALL SELECT 'instance', assignmentid, resourceid, instanceid, policypath, policyversion, audit_validfrom, 'infinity',
               audit_changedbysystem, NULL FROM dbo.assignmentinstance
        UNION ALL SELECT 'instance', assignmentid, resourceid, instanceid, policypath, policyversion, audit_validfrom, audit_validto,
               audit_changedbysystem, audit_deletedbysystem FROM dbo_history.auditassignmentinstance)
    SELECT v.kind, p.fromid::text, p.toid::text, r.refid, v.instance, coalesce(d.actions, '{}'), extract(epoch FROM v.audit_validfrom)::float,
           CASE WHEN v.ended < 'infinity' THEN extract(epoch FROM v.ended)::float END, v.audit_changedbysystem::text, v.deleted_by::text,
           v.ended AS place
      FROM version v JOIN parent p ON p.id = v.assignmentid JOIN dbo.resource r ON r.id = v.resourceid
      LEFT JOIN sync.policy_document d ON (d.path, d.version) = (v.policypath, v.policyversion)
     WHERE p.roleid IN (%s, %s)
    UNION ALL
    SELECT 'role', a.fromid::text, a.toid::text, o.code, '', ARRAY['*'], extract(epoch FROM a.audit_validfrom)::float,
           CASE WHEN a.ended < 'infinity' THEN extract(epoch FROM a.ended)::float END, a.audit_changedbysystem::text, a.deleted_by::text, a.ended
      FROM (SELECT fromid, toid, roleid, audit_validfrom, 'infinity'::timestamptz AS ended, audit_changedbysystem, NULL::uuid AS deleted_by
              FROM dbo.assignment
            UNION ALL SELECT fromid, toid, roleid, audit_validfrom, audit_validto, audit_changedbysystem, audit_deletedbysystem
              FROM dbo_history.auditassignment) AS a JOIN dbo.role o ON o.id = a.roleid
     WHERE o.providerid = %s
     ORDER BY place"""


ENDED_PACKAGES = PARENTS + """
    SELECT p.fromid::text, p.toid::text, extract(epoch FROM h.audit_validto)::float
      FROM dbo_history.auditassignmentpackage h JOIN parent p ON p.id = h.assignmentid JOIN dbo.package k ON k.id = h.packageid
     WHERE k.urn = ANY (%s) AND h.audit_deletedbysystem::text = ANY (%s)"""


def end_tax_roles(stack, mapping, acts):
    """DL-71: a person who takes the package of this role takes the role."""
    packages = [package for package, roles in mapping.packages.items() if TAX_ROLE in roles]
    for giver, receiver, ended in stack.query_authorization(ENDED_PACKAGES, packages, list(HUMAN_SYSTEMS)):
        acts.cuts[(("role", giver, receiver, TAX_ROLE, ""), "*")].append((ended, ended + MARGIN))


def acts_of_altinn3(stack, mapping):
    """From the versions of every row, in the order in which they ended; one row at a time has a key."""
    acts = Acts()
    versions = defaultdict(list)
    for kind, giver, receiver, target, instance, *rest in stack.query_authorization(VERSIONS_OF_ALTINN3, RIGHTHOLDER, SUPPLIER, ALTINN2):
        versions[(kind, giver, receiver, target, instance)].append(rest)
    for key, rows in versions.items():
        before = set()
        for actions, begins, ended, writer, deleted_by, _ in rows:
            now = set(actions)
            if writer != IDENTITY:
                born(acts, key, before, now, begins, writer in HUMAN_SYSTEMS)
            before = now
            if deleted_by is not None:
                if deleted_by != IDENTITY:
                    born(acts, key, before, set(), ended, deleted_by in HUMAN_SYSTEMS)
                    acts.end(key, acts.actions[key])
                    if deleted_by in HUMAN_SYSTEMS:
                        acts.cuts[(key, "*")].append((ended, ended + MARGIN))
                before = set()
    end_tax_roles(stack, mapping, acts)
    return acts


def born(acts, key, before, now, at, human):
    for action in now - before:
        acts.grant(key, action, "row", at, at - 1)
    for action in before - now:
        acts.grants[(key, action)].pop("row", None)
        if human:
            acts.cuts[(key, action)].append((at, at + MARGIN))


def resurrected(shown2, shown3, acts2, acts3):
    """What a side shows although nobody's grant of it stands, or a person of the other side ended it later."""
    out = []
    for key in {*shown2, *shown3}:
        for action in shown2.get(key, set()) | shown3.get(key, set()):
            stands = [True for own, other in ((acts2, acts3), (acts3, acts2)) for at, _ in own.grants[(key, action)].values()
                      if all(at > earliest for earliest, _ in other.cut_of(key, action))]
            if not stands:
                out.append((key, action))
    return out


def lost(shown3, acts2, acts3, mapping, exempt):
    """Grants that surely stand after everything that could have ended them, and that Altinn 3 does not show."""
    out = []
    for own, other in ((acts2, acts3), (acts3, acts2)):
        for (key, action), grants in own.grants.items():
            if key in exempt or (key[0] != "role" and action not in mapping.offers.get(key[3], set())):
                continue
            sure = [name for name, (at, refused) in grants.items()
                    if at > refused + MARGIN and all(at > latest + SKEW + MARGIN for _, latest in other.cut_of(key, action))]
            if sure and action not in shown3.get(key, set()):
                out.append((key, action, sure[0]))
    return out


# -- what the sync keeps ------------------------------------------------------------------------------------

def overlaps(stack):
    """Versions of rows that we ended or followed, whose intervals run backwards or into each other. A deletion of Altinn 3 that waited for
    another act of its own bears the time when it began, before the end of the version that the other act ended: nobody followed it."""
    out = []
    for table in ("assignment", "assignmentresource", "assignmentinstance", "assignmentpackage", "delegation", "delegationpackage"):
        out += stack.query_authorization(f"""
            SELECT '{table}', id::text, audit_validfrom::text, audit_validto::text FROM (
                SELECT id, audit_validfrom, audit_validto, audit_changedbysystem, audit_deletedbysystem,
                       lead(audit_validfrom) OVER w AS next_from, lead(audit_changedbysystem) OVER w AS next_writer
                  FROM (SELECT id, audit_validfrom, audit_validto, audit_changedbysystem, audit_deletedbysystem
                          FROM dbo_history.audit{table}
                        UNION ALL SELECT id, audit_validfrom, 'infinity', audit_changedbysystem, NULL FROM dbo.{table}) AS v
                WINDOW w AS (PARTITION BY id ORDER BY audit_validto, audit_validfrom)) AS v
             WHERE (audit_validfrom > audit_validto AND '{IDENTITY}' IN (audit_deletedbysystem::text, next_writer::text, audit_changedbysystem::text))
                OR (next_from < audit_validto AND next_writer = '{IDENTITY}'
                    AND NOT (coalesce(audit_deletedbysystem, '{IDENTITY}') <> '{IDENTITY}' AND next_from < audit_validfrom))""")
    return out


def versions_out_of_order(stack):
    """Calls that carried a lower version of a key than an earlier call did."""
    return stack.query_authorization("""
        SELECT key_id::text, version, before FROM (
            SELECT key_id, version, max(version) OVER (PARTITION BY key_id ORDER BY call_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                AS before FROM altinn2delegations.call WHERE path = 'command') AS c
         WHERE version < before""")


def given_after_the_end(stack, seconds=35):
    """Calls that gave a right later after it was decided that the right had ended than a call may be on its way (DL-101)."""
    return stack.query_authorization("""
        SELECT c.key_id::text, c.version, h.version FROM altinn2delegations.call c
          JOIN sync.deleg_key k ON k.key_uuid = c.key_id
          JOIN sync.history h ON h.key_id = k.key_id AND h.version > c.version AND h.after = '{}'
         WHERE c.path = 'command' AND c.newer AND c.rights <> '{}' AND c.at > h.applied_at + %s * interval '1 second'""", seconds)


def unaccounted(stack):
    return stack.query_authorization("""
        SELECT o.scope, o.topic, o.partition, o.position - o.first_position, coalesce(sum(c.n), 0)::bigint
          FROM sync.partition_owner o LEFT JOIN sync.outcome_count c USING (scope, topic, partition)
         GROUP BY 1, 2, 3, o.position, o.first_position HAVING o.position - o.first_position <> coalesce(sum(c.n), 0)""")


def parked_restores(stack):
    """{key_uuid} to which a side gets nothing back until a person says so (DL-85)."""
    return {row[0] for row in stack.query_authorization(
        "SELECT key_uuid::text FROM sync.deleg_key WHERE restore_parked_a2 OR restore_parked_a3")}


class Result:
    """Numbers and the shortest witnesses of each difference."""

    def __init__(self):
        self.counts, self.witnesses = {}, {}

    def add(self, name, rows):
        rows = list(rows)
        self.counts[name] = len(rows)
        self.witnesses[name] = sorted(rows, key=str)[:5]

    def differences(self):
        return sum(self.counts.values())


def judge(stack, resources, with_endpoint=True):
    """The whole comparison. Without the endpoint the sides may differ by exactly what waits without a route."""
    mapping = Mapping(resources)
    shown2 = shown_by_altinn2(stack, mapping)
    shown3, blind = shown_by_altinn3(stack)
    acts2, acts3 = acts_of_altinn2(stack, mapping), acts_of_altinn3(stack, mapping)
    parked = parked_restores(stack)
    differ = {key: sets for key, sets in differences(shown2, shown3, mapping).items() if key_uuid(key) not in parked}
    result = Result()
    told2 = shown2
    if with_endpoint:
        result.add("rights differ", [(key, sorted(here), sorted(there)) for key, (here, there) in differ.items()])
    else:
        waiting = no_route(stack)
        result.add("differs, and nothing says so", [(k, sorted(h), sorted(t)) for k, (h, t) in differ.items() if key_uuid(k) not in waiting])
        told2 = {key: actions for key, actions in shown2.items() if key_uuid(key) not in waiting}  # of the others Altinn 2 was not told
        known = {key_uuid(key) for key in differ}
        result.add("said to differ, and does not", [key for key in waiting if key not in known and key not in parked])
    exempt = {key for key in {*shown2, *shown3} if key_uuid(key) in parked}
    result.add("resurrected", resurrected(told2, shown3, acts2, acts3))
    result.add("lost", lost(shown3, acts2, acts3, mapping, exempt) if with_endpoint else [])
    result.add("row of Altinn 3 without its document", blind)
    result.add("history that overlaps", overlaps(stack))
    result.add("version after a higher one", versions_out_of_order(stack))
    result.add("given after the end was decided", given_after_the_end(stack))
    result.add("record without exactly one outcome", unaccounted(stack))
    result.figures = {"keys": len({*shown2, *shown3}), "rights in Altinn 2": sum(len(s) for s in shown2.values()),
                      "rights in Altinn 3": sum(len(s) for s in shown3.values()), "keys whose restoring is parked": len(parked)}
    return result


def no_route(stack):
    """Keys of the commands that have no way to Altinn 2."""
    return {row[0] for row in stack.query_authorization(
        "SELECT entity_key FROM sync.outbox WHERE target = 'altinn2' AND state = 6")}


def story(stack, key):
    """All that is written down about one key, for whoever looks for the reason of a difference."""
    kind, giver, receiver, target, instance = key
    of_altinn2 = """SELECT c.change_id, c.at, c.facilitator, c.name, c.actions, c.granted, c.actor, c.told_by{} FROM altinn2delegations.change c
          JOIN altinn2delegations.party f ON f.party_id = c.from_party JOIN altinn2delegations.party t ON t.party_id = c.to_party
          {} WHERE (c.kind, f.uuid::text, t.uuid::text, lower(c.target), c.instance) = (%s, %s, %s, lower(%s), %s) ORDER BY 1"""
    told = (", e.visible_at, e.role_delegation_id", "LEFT JOIN altinn2delegations.event e ON e.event_id = c.told_by") if kind == "role" else \
           (", r.pushed_at, r.op", "LEFT JOIN altinn2delegations.report r ON r.report_id = c.told_by")
    yield from stack.query_authorization(of_altinn2.format(*told), KINDS.index(kind), giver, receiver, target, instance)
    for table, order in (("deleg_ref", "source"), ("deleg_mark", "source"), ("history", "version")):
        for row in stack.query_authorization(f"""SELECT to_jsonb(r)::text FROM sync.{table} r JOIN sync.deleg_key k USING (key_id)
                WHERE k.key_uuid = %s ORDER BY r.{order}""", key_uuid(key)):
            yield f"{table} {row[0]}"
    for row in stack.query_authorization("""SELECT decided_at, scope, topic, partition, record_offset, rule, outcome FROM sync.decision
            WHERE entity_key = %s OR entity_key = 'p:' || (SELECT partyid FROM dbo.entity WHERE id = %s) ORDER BY 1""", giver, giver):
        yield row


def print_stories(stack, result, most=3):
    """Of the first keys that differ."""
    names = ("rights differ", "differs, and nothing says so", "resurrected", "lost")
    for key in sorted({row[0] for name in names for row in result.witnesses.get(name, ())})[:most]:
        print(key, *story(stack, key), sep="\n    ", flush=True)


# -- for people ---------------------------------------------------------------------------------------------

def print_rights(stack, population, most=12):
    """Who may act for whom, as each side shows it: the keys on which most happened."""
    names = {p["uuid"]: f"Part {p['partyId']}" for p in population["party"]}
    mapping = Mapping(population["resource"])
    here, (there, _) = shown_by_altinn2(stack, mapping), shown_by_altinn3(stack)
    busy = stack.query_authorization("""
        SELECT c.kind, f.uuid::text, t.uuid::text, CASE c.kind WHEN 2 THEN lower(c.target) ELSE c.target END, c.instance, count(*)
          FROM altinn2delegations.change c JOIN altinn2delegations.party f ON f.party_id = c.from_party
          JOIN altinn2delegations.party t ON t.party_id = c.to_party GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC, 2, 3 LIMIT %s""", most)
    print("\nWho may act for whom: the keys on which most happened")
    print(f"  {'from':<11}{'to':<11}{'what':<36}{'in Altinn 2':<24}{'in Altinn 3':<24}acts")
    print("─" * 110)
    for kind, giver, receiver, target, instance, acts in busy:
        key = (KINDS[kind], giver, receiver, target, instance)
        both = mapping.comparable(key)
        words = [", ".join(sorted(side.get(key, set()) & both)) or "–" for side in (here, there)]
        what = f"role {target}" if kind == 2 else target + (" (one message)" if instance else "")
        print(f"  {names[giver]:<11}{names[receiver]:<11}{what[:35]:<36}{words[0]:<24}{words[1]:<24}{acts:>4}")
    print("─" * 110)
