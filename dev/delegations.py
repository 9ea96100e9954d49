"""The population of delegations in a database of Altinn 3: reference data, parties, roles, packages, resources and relations.

The ids come from dev-make-delegations, roles and packages from data/. Nothing here is written by altinn-sync itself, and nothing
is left of it in the tables that it captures, but for the relations of the company register.
"""
import csv
import json
import os
import subprocess
import uuid

from psycopg2.extras import execute_values

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IDENTITY = "6d3f8a52-1c07-5b7e-9a41-0e2f4c8b7d10"  # authorization.identity: what altinn-sync writes as
SYSTEM = "f1be3999-68f6-4757-92b4-d3f3d33345e1"  # the one in whose name the population stands there
SPACE = uuid.UUID("3d3f2c1e-5a0b-5c7d-8e9f-20415a6b7c8d")  # of the reference data made up here

RIGHTHOLDER, SUPPLIER = "42cae370-2dc1-4fdc-9c67-c2f4b0f0f829", "961f6ebb-ecf7-4fc6-ab5a-ca0841db4931"
APP_RIGHTHOLDER, AGENT = "aefe8391-3f21-4641-8d96-06ba04c67cfd", "ff4c33f5-03f7-4445-85ed-1e60b8aafb30"
ALTINN2, ALTINN3 = "0195ea92-2080-777d-8626-69c91ea2a05d", "0195ea92-2080-7e7c-bbe3-bb0521c1e51a"
ORGANISATION, PERSON = "8c216e2f-afdd-4234-9ba2-691c727bb33d", "bfe09e70-e868-44b3-8d81-dfe0e13e058a"
ENTITY_TYPES = {ORGANISATION: "Organisasjon", PERSON: "Person", "fef80481-a798-4407-9e28-8fd167824434": "Selvidentifisert",
                "870be6c4-b68f-4918-b897-12cdeae246de": "Virksomhetbruker", "fe643898-2f47-4080-85e3-86bf6fe39630": "Systembruker"}
# The systems that write in Altinn 3 are entities, too: audit_changedby of a single right refers to one.
SYSTEMS = {IDENTITY: "altinn-sync", "46cfa478-971f-446e-9bc1-af57469361d0": "Altinn 2 role import",
           "0d8c172d-64e4-4aa2-8233-91ad32aa0f9d": "Altinn 2 add-rules API",
           "ad63e2cc-e49d-435c-8e50-16589908e79b": "Altinn 2 correspondence instance import",
           SYSTEM: "Single right import",
           "07ab1b35-0299-4667-9dde-4c3f75d9bbeb": "Instance right import",
           "ed771364-42a8-4934-801e-b482ed20ec3e": "Enduser API", "81435d97-8527-4246-a475-ce281a898fa0": "App instance API"}
ER_ROLES = {"regnskapsforer": "Regnskapsfører", "revisor": "Revisor", "daglig-leder": "Daglig leder"}


def made(name):
    """An id of reference data: version 7 in form, the same in every run."""
    text = uuid.uuid5(SPACE, name).hex
    return str(uuid.UUID(text[:12] + "7" + text[13:]))


def read_table(name):
    with open(os.path.join(ROOT, "data", name), encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def lines(program, parties, resources):
    """What dev-make-delegations writes, by type."""
    done = subprocess.run([program, "--parties", str(parties), "--resources", str(resources)], capture_output=True, text=True,
                          check=True)
    out = {"party": [], "resource": [], "relation": []}
    for line in done.stdout.splitlines():
        row = json.loads(line)
        out[row.pop("type")].append(row)
    return out


def stamp(cursor, performer=IDENTITY, system=SYSTEM, operation="population"):
    """What every transaction that writes in dbo does first."""
    cursor.execute("SELECT set_config('app.changed_by', %s, true), set_config('app.changed_by_system', %s, true),"
                   " set_config('app.change_operation_id', %s, true)", (performer, system, operation))


def insert(cursor, table, columns, rows):
    execute_values(cursor, f"INSERT INTO dbo.{table} ({', '.join(columns)}) VALUES %s ON CONFLICT DO NOTHING", rows, page_size=1000)


def fill_reference(cursor):
    insert(cursor, "providertype", ("id", "name"), [(made("type/system"), "System"), (made("type/owner"), "Tjenesteeier")])
    insert(cursor, "provider", ("id", "typeid", "name", "code"), [
        (ALTINN2, made("type/system"), "Altinn 2", "sys-altinn2"), (ALTINN3, made("type/system"), "Altinn 3", "sys-altinn3"),
        (made("provider/er"), made("type/system"), "Enhetsregisteret", "sys-ccr"),
        (made("provider/ttd"), made("type/owner"), "Testdepartementet", "ttd")])
    insert(cursor, "entitytype", ("id", "providerid", "name"), [(i, ALTINN3, n) for i, n in ENTITY_TYPES.items()])
    insert(cursor, "entitytype", ("id", "providerid", "name"), [(made("entitytype/internal"), ALTINN3, "Intern")])
    insert(cursor, "entityvariant", ("id", "typeid", "name", "description"),
           [(made(f"variant/{i}"), i, "Standard", n) for i, n in ENTITY_TYPES.items()])
    insert(cursor, "entityvariant", ("id", "typeid", "name", "description"),
           [(made("variant/internal"), made("entitytype/internal"), "Standard", "Intern")])
    insert(cursor, "entity", ("id", "typeid", "variantid", "name", "refid"),
           [(i, made("entitytype/internal"), made("variant/internal"), n, n) for i, n in SYSTEMS.items()])
    insert(cursor, "resourcetype", ("id", "name"), [(made(f"resourcetype/{n}"), n) for n in (
        "CorrespondenceService", "AltinnApp", "MigratedApp", "GenericAccessResource", "MaskinportenSchema", "Altinn2Service")])


def fill_roles(cursor):
    columns = ("id", "providerid", "code", "name", "urn", "description", "isassignable")
    own = [(RIGHTHOLDER, "rettighetshaver"), (SUPPLIER, "supplier"), (AGENT, "agent"),
           (APP_RIGHTHOLDER, "appstyrt-rettighetshaver")]
    insert(cursor, "role", columns, [(i, ALTINN3, c, c, f"urn:altinn:role:{c}", c, True) for i, c in own])
    insert(cursor, "role", columns, [(made(f"role/{c}"), made("provider/er"), c, n, f"urn:altinn:external-role:ccr:{c}", n, False)
                                     for c, n in ER_ROLES.items()])
    insert(cursor, "role", columns, [(r["role_uuid"], ALTINN2, r["code"].lower(), r["name"],
                                      f"urn:altinn:rolecode:{r['code'].lower()}", r["name"], True) for r in read_table("a2-roles.csv")])


def fill_packages(cursor):
    insert(cursor, "areagroup", ("id", "entitytypeid", "name", "description"),
           [(made("areagroup"), ORGANISATION, "Allment", "Allment")])
    insert(cursor, "area", ("id", "groupid", "name", "description", "urn"),
           [(made("area"), made("areagroup"), "Fullmakter", "Fullmakter", "accesspackage:area:fullmakter")])
    rows = read_table("role-packages.csv")
    packages = {row["package_urn"]: row["package_uuid"] for row in rows}
    insert(cursor, "package", ("id", "providerid", "entitytypeid", "areaid", "urn", "code", "name", "isassignable", "isdelegable",
                               "hasresources"),
           [(i, ALTINN3, ORGANISATION, made("area"), urn, urn.rsplit(":", 1)[1], urn.rsplit(":", 1)[1], True, True, True)
            for urn, i in packages.items()])
    carried = [(row["relation_condition"].split(":", 1)[1], row["package_uuid"]) for row in rows
               if row["relation_condition"].startswith("client-role:")]
    insert(cursor, "rolepackage", ("id", "roleid", "packageid", "hasaccess", "canassign", "candelegate"),
           [(made(f"rolepackage/{role}/{package}"), made(f"role/{role}"), package, True, False, True) for role, package in carried])


def fill_parties(cursor, parties):
    insert(cursor, "entity", ("id", "typeid", "variantid", "name", "refid", "partyid", "userid", "organizationidentifier"), [
        (p["uuid"], PERSON if p["person"] else ORGANISATION, made(f"variant/{PERSON if p['person'] else ORGANISATION}"),
         f"Part {p['partyId']}", f"3{p['partyId']:08d}", p["partyId"], p["userId"] or None,
         None if p["person"] else f"3{p['partyId']:08d}") for p in parties])


def fill_resources(cursor, resources):
    insert(cursor, "resource", ("id", "typeid", "providerid", "refid", "name", "description"), [
        (r["uuid"], made(f"resourcetype/{r['resourceType']}"), made("provider/ttd"), r["id"], r["id"], r["id"]) for r in resources])


def fill_relations(cursor, relations):
    insert(cursor, "assignment", ("id", "fromid", "toid", "roleid"),
           [(r["id"], r["from"], r["to"], made(f"role/{r['role']}")) for r in relations])


def fill(connection, population):
    """Everything, in one transaction of its own. population: what lines() gave."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        stamp(cursor)
        fill_reference(cursor)
        fill_roles(cursor)
        fill_packages(cursor)
        fill_parties(cursor, population["party"])
        fill_resources(cursor, population["resource"])
        fill_relations(cursor, population["relation"])
        cursor.execute("COMMIT")
