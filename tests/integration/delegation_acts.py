"""Acts on delegations for tests: what users of Altinn 2 do, through the functions of its simulator, and what the application of
Altinn 3 writes when somebody acts there, on the real tables. The sync is told of neither.

Times are seconds since 1970. A giver is a party number; his user is the person after him.
"""
import uuid

import harness  # noqa: F401 it makes dev/ known
from delegations import APP_RIGHTHOLDER, RIGHTHOLDER, SUPPLIER, made

ENDUSER_API = "ed771364-42a8-4934-801e-b482ed20ec3e"
CLEAN_UP = "f1be3999-68f6-4757-92b4-d3f3d33345e1"  # a job: it imports and tidies, nobody acts
FROM_USER, FROM_APP = "019cd6c4-a340-7f7a-94af-f1181ec4a132", "019cd6c4-a340-776e-a63a-2370a05db6c7"
USER_FIRST = 20000000
USER, JOB, BRIDGE = 0, 1, 2  # who acts in Altinn 2
HELD = "ROW(NULL, %s, %s, %s, %s, %s, %s, '*', %s, NULL, false)::altinn2delegations.held"


class Altinn2:
    """Users of Altinn 2: they give and take, and the batch job or the role feed tells it."""

    def __init__(self, stack):
        self.stack = stack

    def change(self, function, kind, giver, receiver, target, instance, facilitator, actions, rest, values):
        sql = f"SELECT altinn2delegations.{function}({HELD}, {rest})"
        self.stack.query_authorization(sql, kind, giver, receiver, target, instance, facilitator, actions, *values)

    def give(self, giver, receiver, resource, rights, at, actor=USER):
        self.change("give", 0, giver, receiver, resource, "", 0, None, "%s, %s, %s, to_timestamp(%s), 0, 0",
                    (list(rights), actor, USER_FIRST + giver + 1, at))

    def take(self, giver, receiver, resource, rights, at):
        """Names the rights; without any, everything of the resource."""
        held = [r[0] for r in self.stack.query_authorization(
            """SELECT name FROM altinn2delegations.held WHERE kind = 0 AND (from_party, to_party, target) = (%s, %s, %s)""",
            giver, receiver, resource)]
        self.change("take", 0, giver, receiver, resource, "", 0, None, "%s, %s, 0, %s, to_timestamp(%s), 0, 0",
                    (list(rights) or held, 1 if rights else 2, USER_FIRST + giver + 1, at))

    def give_message(self, giver, receiver, resource, instance, actions, at, actor=USER):
        """Returns the number of the rule."""
        self.change("give", 1, giver, receiver, resource, instance, 0, list(actions), "'{}', %s, %s, to_timestamp(%s), 0, 0",
                    (actor, USER_FIRST + giver + 1, at))
        return self.stack.query_authorization("""SELECT max(id) FROM altinn2delegations.held WHERE kind = 1 AND
            (from_party, to_party, target, instance) = (%s, %s, %s, %s)""", giver, receiver, resource, instance)[0][0]

    def take_message(self, giver, receiver, resource, instance, rule, at, actor=USER):
        self.change("take", 1, giver, receiver, resource, instance, 0, None, "%s, 1, %s, %s, to_timestamp(%s), 0, 0",
                    ([str(rule)], actor, USER_FIRST + giver + 1, at))

    def give_role(self, giver, receiver, role, at, facilitator=0):
        self.change("give", 2, giver, receiver, role, "", facilitator, None, "ARRAY['*'], 0, %s, to_timestamp(%s), 0, 0",
                    (USER_FIRST + giver + 1, at))

    def take_role(self, giver, receiver, role, at, facilitator=0, actor=USER):
        self.change("take", 2, giver, receiver, role, "", facilitator, None, "ARRAY['*'], 1, %s, %s, to_timestamp(%s), 0, 0",
                    (actor, USER_FIRST + giver + 1, at))

    def shows(self, giver, receiver, target, instance=""):
        """Names, or for messages actions, that a user sees."""
        rows = self.stack.query_authorization("""
            SELECT unnest(CASE WHEN kind = 1 THEN actions ELSE ARRAY[name] END) FROM altinn2delegations.held
             WHERE (from_party, to_party, target, instance) = (%s, %s, %s, %s)""", giver, receiver, target, instance)
        return {row[0] for row in rows}

    def calls(self, giver, receiver, target):
        """Sets of rights that the bridge was told, in order."""
        return [row[0] for row in self.stack.query_authorization("""
            SELECT rights FROM altinn2delegations.call WHERE path = 'command' AND (from_party, to_party, target) = (%s, %s, %s)
             ORDER BY call_id""", giver, receiver, target)]


class Altinn3:
    """The application of Altinn 3, as its end-user API or a job writes: one act, one transaction."""

    def __init__(self, stack, population):
        self.stack = stack
        self.party = {p["partyId"]: p["uuid"] for p in population["party"]}
        self.resource = {r["id"]: r["uuid"] for r in population["resource"]}
        self.kind = {r["id"]: r["resourceType"] for r in population["resource"]}

    def transaction(self, giver, system, work, at=None):
        with self.stack.connect_authorization() as connection:
            connection.autocommit = False
            with connection.cursor() as cursor:
                user = self.party[giver + 1] if system == ENDUSER_API else system
                cursor.execute("""SELECT set_config('app.changed_by', %s, true), set_config('app.changed_by_system', %s, true),
                                         set_config('app.change_operation_id', %s, true)""", (user, system, uuid.uuid4().hex))
                cursor.execute("""CREATE TEMP TABLE session_audit_context ON COMMIT DROP AS SELECT %s::uuid AS changed_by,
                                  %s::uuid AS changed_by_system, 'test'::text AS change_operation_id""", (user, system))
                stamp = (user, system, "test", at)
                work(cursor, stamp)
            connection.commit()

    @staticmethod
    def row_id():
        text = uuid.uuid4().hex
        return str(uuid.UUID(text[:12] + "7" + text[13:]))

    def assignment(self, cursor, giver, receiver, role):
        cursor.execute("INSERT INTO dbo.assignment (id, fromid, toid, roleid) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                       (self.row_id(), self.party[giver], self.party[receiver], role))
        cursor.execute("SELECT id FROM dbo.assignment WHERE (fromid, toid, roleid) = (%s, %s, %s)",
                       (self.party[giver], self.party[receiver], role))
        return cursor.fetchone()[0]

    @staticmethod
    def document(cursor, path, actions, instance):
        version = uuid.uuid4().hex
        cursor.execute("INSERT INTO sync.policy_document (path, version, actions, instance) VALUES (%s, %s, %s, %s)",
                       (path, version, sorted(actions), instance))
        return version

    def set_actions(self, giver, receiver, resource, actions, at, instance=None, app=False, system=ENDUSER_API):
        """Somebody makes the set of actions what it is now to be; the empty one removes the row."""
        table = "assignmentinstance" if instance else "assignmentresource"
        role = (APP_RIGHTHOLDER if app else RIGHTHOLDER) if instance or self.kind[resource] != "MaskinportenSchema" else SUPPLIER
        named = " AND instanceid = %s" if instance else ""

        def work(cursor, stamp):
            parent = self.assignment(cursor, giver, receiver, role)
            where = f"WHERE assignmentid = %s AND resourceid = %s{named}"
            key = (parent, self.resource[resource], *([instance] if instance else []))
            if not actions:
                cursor.execute(f"DELETE FROM dbo.{table} {where}", key)
                return
            path = "/".join(["app", resource, self.party[giver], self.party[receiver], instance or "all"])
            version = self.document(cursor, path, actions, instance)
            cursor.execute(f"""UPDATE dbo.{table} SET policypath = %s, policyversion = %s, audit_changedby = %s, audit_changedbysystem = %s,
                               audit_changeoperation = %s, audit_validfrom = to_timestamp(%s) {where}""", (path, version, *stamp, *key))
            if cursor.rowcount == 0:
                columns = "id, assignmentid, resourceid, policypath, policyversion, delegationchangeid, audit_validfrom"
                values = "%s, %s, %s, %s, %s, 0, to_timestamp(%s)"
                extra = (instance, FROM_APP if app else FROM_USER) if instance else ()
                cursor.execute(f"INSERT INTO dbo.{table} ({columns}{', instanceid, instancesourcetypeid' if instance else ''}) "
                               f"VALUES ({values}{', %s, %s' if instance else ''})",
                               (self.row_id(), parent, self.resource[resource], path, version, at, *extra))
        self.transaction(giver, system, work, at)

    def set_package(self, giver, receiver, package_id, there, at, system=ENDUSER_API):
        def work(cursor, stamp):
            parent = self.assignment(cursor, giver, receiver, RIGHTHOLDER)
            if there:
                cursor.execute("INSERT INTO dbo.assignmentpackage (id, assignmentid, packageid, audit_validfrom) "
                               "VALUES (%s, %s, %s, to_timestamp(%s))", (self.row_id(), parent, package_id, at))
            else:
                cursor.execute("DELETE FROM dbo.assignmentpackage WHERE (assignmentid, packageid) = (%s, %s)", (parent, package_id))
        self.transaction(giver, system, work, at)

    def remove_role(self, giver, receiver, role_id, system=ENDUSER_API):
        def work(cursor, stamp):
            cursor.execute("DELETE FROM dbo.assignment WHERE (fromid, toid, roleid) = (%s, %s, %s)",
                           (self.party[giver], self.party[receiver], role_id))
        self.transaction(giver, system, work)

    def relate(self, client, firm, role="regnskapsforer"):
        """The company register says that the firm keeps the client's books."""
        def work(cursor, stamp):
            self.assignment(cursor, client, firm, made(f"role/{role}"))
        self.transaction(client, CLEAN_UP, work)

    def shows(self, giver, receiver, resource, instance=None):
        """Actions of the row, through its document."""
        table = "assignmentinstance" if instance else "assignmentresource"
        rows = self.stack.query_authorization(f"""
            SELECT d.actions FROM dbo.{table} c JOIN dbo.assignment a ON a.id = c.assignmentid
              LEFT JOIN sync.policy_document d ON (d.path, d.version) = (c.policypath, c.policyversion)
             WHERE (a.fromid, a.toid, c.resourceid) = (%s, %s, %s) {'AND c.instanceid = %s' if instance else ''}""",
            self.party[giver], self.party[receiver], self.resource[resource], *([instance] if instance else []))
        return set(rows[0][0] or ()) if rows else set()

    def has_package(self, giver, receiver, urn):
        return self.stack.query_authorization("""
            SELECT count(*) FROM dbo.assignmentpackage c JOIN dbo.assignment a ON a.id = c.assignmentid JOIN dbo.package p ON p.id = c.packageid
             WHERE (a.fromid, a.toid, p.urn) = (%s, %s, %s)""", self.party[giver], self.party[receiver], urn)[0][0] > 0

    def has_role(self, giver, receiver, code):
        return self.stack.query_authorization("""
            SELECT count(*) FROM dbo.assignment a JOIN dbo.role o ON o.id = a.roleid WHERE (a.fromid, a.toid, o.code) = (%s, %s, %s)""",
            self.party[giver], self.party[receiver], code)[0][0] > 0

    def has_client(self, client, firm, agent, urn):
        return self.stack.query_authorization("""
            SELECT count(*) FROM dbo.delegationpackage c JOIN dbo.delegation d ON d.id = c.delegationid JOIN dbo.package p ON p.id = c.packageid
              JOIN dbo.assignment f ON f.id = d.fromid JOIN dbo.assignment t ON t.id = d.toid
             WHERE (f.fromid, f.toid, t.fromid, t.toid, d.facilitatorid, p.urn) = (%s, %s, %s, %s, %s, %s)""",
            self.party[client], self.party[firm], self.party[firm], self.party[agent], self.party[firm], urn)[0][0] > 0
