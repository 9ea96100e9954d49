"""Compares what happened with what both sides hold. Reads tables only and shares nothing with src/ but names.

Altinn 2's own truth are the tables of its simulator, Altinn 3's truth its real tables. The sync's tables are looked at for one
question only: whether every consumed record has exactly one outcome.
"""
from collections import defaultdict

KINDS = {4: "read", 6: "confirmed", 7: "purged", 8: "purged", 9: "archived", 13: "trashed", 14: "restored"}


class Drift:
    """Numbers and the shortest witnesses of each difference."""

    def __init__(self):
        self.counts = {}
        self.witnesses = defaultdict(list)

    def add(self, name, rows):
        self.counts[name] = len(rows)
        self.witnesses[name] = sorted(rows)[:5]

    def differences(self):
        return sum(self.counts.values())


def facts_of_altinn3(stack):
    """{message: {(kind, party, second): number of rows}} from the real tables."""
    facts = defaultdict(lambda: defaultdict(int))
    rows = stack.query("""
        SELECT c."Altinn2CorrespondenceId", s."Status", s."PartyUuid"::text, floor(extract(epoch FROM s."StatusChanged"))::bigint
          FROM correspondence."CorrespondenceStatuses" s JOIN correspondence."Correspondences" c ON c."Id" = s."CorrespondenceId"
         WHERE s."Status" IN (4, 6, 7, 8, 9) AND c."Altinn2CorrespondenceId" IS NOT NULL
        UNION ALL
        SELECT c."Altinn2CorrespondenceId", CASE d."EventType" WHEN 3 THEN 13 ELSE 14 END, d."PartyUuid"::text,
               floor(extract(epoch FROM d."EventOccurred"))::bigint
          FROM correspondence."CorrespondenceDeleteEvents" d JOIN correspondence."Correspondences" c ON c."Id" = d."CorrespondenceId"
         WHERE d."EventType" IN (3, 4) AND c."Altinn2CorrespondenceId" IS NOT NULL""")
    for message, kind, party, second in rows:
        facts[message][(kind, party, second)] += 1
    return facts


def rows_of_the_sync(stack):
    """{(message, kind, party, second): number of rows} of what the sync has written into Altinn 3."""
    return {tuple(row[:4]): row[4] for row in stack.query("""
        SELECT c."Altinn2CorrespondenceId", r.kind, r.party::text, floor(extract(epoch FROM r.at))::bigint, count(*)
          FROM (SELECT "CorrespondenceId" AS id, "Status" AS kind, "PartyUuid" AS party, "StatusChanged" AS at
                  FROM correspondence."CorrespondenceStatuses" WHERE "SyncedFromAltinn2" IS NOT NULL AND "Status" <> 2
                UNION ALL
                SELECT "CorrespondenceId", CASE "EventType" WHEN 3 THEN 13 ELSE 14 END, "PartyUuid", "EventOccurred"
                  FROM correspondence."CorrespondenceDeleteEvents" WHERE "SyncedFromAltinn2" IS NOT NULL AND "EventType" IN (3, 4)) r
          JOIN correspondence."Correspondences" c ON c."Id" = r.id
         GROUP BY 1, 2, 3, 4""")}


def drift(stack, acts2, flags2, migrated):
    """acts2: set of (message, kind, party, second) born in Altinn 2. flags2: {message: (read, confirmed, deleted)} as Altinn 2
    holds them now. migrated: messages that both sides have."""
    result = Drift()
    facts = facts_of_altinn3(stack)
    purged3 = {m for m, f in facts.items() if any(k in (7, 8) for k, _, _ in f)}
    result.add("D1 fact of Altinn 2 without its row in Altinn 3",
               [a for a in acts2 if a[0] in migrated and a[1:] not in facts[a[0]] and not (a[1] in (7, 8) and a[0] in purged3)])
    has = lambda message, kind: any(k == kind for k, _, _ in facts[message])
    result.add("D2 purged differs", [m for m in migrated if flags2[m][2] != (m in purged3)])
    alive = [m for m in migrated if not flags2[m][2] and m not in purged3]
    result.add("D2 read differs", [m for m in alive if flags2[m][0] != has(m, 4)])
    result.add("D2 confirmed differs", [m for m in alive if flags2[m][1] != has(m, 6)])
    synced = rows_of_the_sync(stack)
    result.add("one fact, two rows by the sync", [fact for fact, rows in synced.items() if rows > 1])
    # Altinn 2 reports a call of ours under a time of its own: stored, for it may be an act (a suspected echo).
    born3 = {(m, KINDS[kind]) for m, rows in facts.items() for (kind, p, s), n in rows.items() if n > synced.get((m, kind, p, s), 0)}
    result.add("row by the sync without an act of anybody", [f for f in synced if f not in acts2 and (f[0], KINDS[f[1]]) not in born3])
    result.add("purged twice in Altinn 3", stack.query("""
        SELECT "CorrespondenceId"::text, count(*) FROM correspondence."CorrespondenceStatuses" WHERE "Status" IN (7, 8)
         GROUP BY 1 HAVING count(*) > 1"""))
    result.add("record without exactly one outcome", stack.query("""
        SELECT o.scope, o.topic, o.partition, o.position - o.first_position, coalesce(sum(c.n), 0)::bigint
          FROM sync.partition_owner o LEFT JOIN sync.outcome_count c USING (scope, topic, partition)
         GROUP BY 1, 2, 3, o.position, o.first_position HAVING o.position - o.first_position <> coalesce(sum(c.n), 0)"""))
    return result


def one_way(stack, acts2):
    """Facts born in Altinn 3 that its bridge has no call for: counted, never a difference."""
    born3 = [(m, key) for m, keys in facts_of_altinn3(stack).items() for key in keys if (m, *key) not in acts2]
    return sum(1 for _, (kind, _, _) in born3 if kind in (9, 13, 14))


def orphan_keys(stack):
    """Purge keys of Altinn 3 without a row of a purge, left by a purge that was aborted: counted, never a difference."""
    return stack.one("""
        SELECT count(*) FROM correspondence."IdempotencyKeys" k WHERE k."IdempotencyType" = 5 AND NOT EXISTS (
               SELECT FROM correspondence."CorrespondenceStatuses" s
                WHERE s."CorrespondenceId" = k."CorrespondenceId" AND s."Status" IN (7, 8))""")


def print_table(title, result, extra):
    print()
    print(title)
    print("─" * 78)
    for name, count in result.counts.items():
        print(f"  {name:<62}{count:>12,}")
        for witness in result.witnesses[name]:
            print(f"      {witness}")
    print("─" * 78)
    for name, value in extra:
        print(f"  {name:<62}{value:>12}")
    print(flush=True)
