-- What the application of Altinn 3 does when somebody gives or takes access, on its real tables and with its audit contract: three
-- settings, all four columns of the stamp in every update, a temporary table for the triggers of deletions (only where something may be
-- deleted: it writes the catalog), the document before the row.
-- Installed by altinn3-delegation-sim; the journal says what was done. It knows nothing of altinn-sync.

CREATE SCHEMA IF NOT EXISTS altinn3delegations;

CREATE TABLE IF NOT EXISTS altinn3delegations.act (
    act_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text        NOT NULL,              -- single, instance, package, role, client, cascade
    giver        uuid        NOT NULL,
    receiver     uuid        NOT NULL,
    target       text        NOT NULL,
    instance     text        NOT NULL,
    actions      text[]      NOT NULL,              -- what is left afterwards; {*} where a thing has no actions
    human        boolean     NOT NULL,
    occurred_at  timestamptz NOT NULL,
    written_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Before the first write of a transaction.
CREATE OR REPLACE FUNCTION altinn3delegations.stamp(performer uuid, system uuid, operation text, deletes boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.changed_by', performer::text, true), set_config('app.changed_by_system', system::text, true),
            set_config('app.change_operation_id', operation, true);
    IF deletes THEN
        CREATE TEMP TABLE session_audit_context ON COMMIT DROP AS
            SELECT performer AS changed_by, system AS changed_by_system, operation AS change_operation_id;
    END IF;
END $$;

-- The edge of a role, made when it is not there.
CREATE OR REPLACE FUNCTION altinn3delegations.edge(new_id uuid, giver uuid, receiver uuid, role uuid, at timestamptz) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    found uuid;
BEGIN
    INSERT INTO dbo.assignment (id, fromid, toid, roleid, audit_validfrom) VALUES (new_id, giver, receiver, role, at)
        ON CONFLICT (fromid, toid, roleid) DO NOTHING;
    SELECT a.id INTO found FROM dbo.assignment a WHERE (a.fromid, a.toid, a.roleid) = (giver, receiver, role);
    RETURN found;
END $$;

-- Somebody makes the actions on a resource, or on one instance of it, what they are now to be; none at all removes the row.
-- True when something changed.
CREATE OR REPLACE FUNCTION altinn3delegations.set_actions(ids uuid[], giver uuid, receiver uuid, resource text, named_instance text,
    wanted text[], performer uuid, system uuid, at timestamptz, human boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    thing    dbo.resource;
    parent   uuid;
    path     text := concat_ws('/', resource, giver, receiver, nullif(named_instance, ''), 'delegationpolicy.xml');
    row_id   uuid;
    old      text[];
    single   boolean := named_instance = '';
BEGIN
    SELECT r.* INTO thing FROM dbo.resource r WHERE r.refid = resource;
    PERFORM altinn3delegations.stamp(performer, system, ids[1]::text, wanted = '{}');
    parent := altinn3delegations.edge(ids[1], giver, receiver, CASE WHEN single AND EXISTS (SELECT FROM dbo.resourcetype t
        WHERE t.id = thing.typeid AND t.name = 'MaskinportenSchema') THEN '961f6ebb-ecf7-4fc6-ab5a-ca0841db4931'
        ELSE '42cae370-2dc1-4fdc-9c67-c2f4b0f0f829' END::uuid, at);
    IF single THEN
        SELECT c.id, d.actions INTO row_id, old FROM dbo.assignmentresource c LEFT JOIN sync.policy_document d
            ON (d.path, d.version) = (c.policypath, c.policyversion)
         WHERE (c.assignmentid, c.resourceid) = (parent, thing.id) FOR UPDATE OF c;
    ELSE
        SELECT c.id, d.actions INTO row_id, old FROM dbo.assignmentinstance c LEFT JOIN sync.policy_document d
            ON (d.path, d.version) = (c.policypath, c.policyversion)
         WHERE (c.assignmentid, c.resourceid, c.instanceid) = (parent, thing.id, named_instance) FOR UPDATE OF c;
    END IF;
    IF wanted = coalesce(old, '{}') OR (wanted = '{}' AND row_id IS NULL) THEN
        RETURN false;
    END IF;
    IF wanted <> '{}' THEN
        INSERT INTO sync.policy_document (path, version, actions, instance) VALUES (path, ids[2]::text, wanted, nullif(named_instance, ''));
    END IF;
    IF wanted = '{}' AND single THEN
        DELETE FROM dbo.assignmentresource c WHERE c.id = row_id;
    ELSIF wanted = '{}' THEN
        DELETE FROM dbo.assignmentinstance c WHERE c.id = row_id;
    ELSIF row_id IS NULL AND single THEN
        INSERT INTO dbo.assignmentresource (id, assignmentid, resourceid, policypath, policyversion, audit_validfrom)
            VALUES (ids[3], parent, thing.id, path, ids[2]::text, at);
    ELSIF row_id IS NULL THEN
        INSERT INTO dbo.assignmentinstance (id, assignmentid, resourceid, instanceid, instancesourcetypeid, policypath, policyversion,
            delegationchangeid, audit_validfrom)
            VALUES (ids[3], parent, thing.id, named_instance, '019cd6c4-a340-7f7a-94af-f1181ec4a132', path, ids[2]::text, 0, at);
    ELSIF single THEN
        UPDATE dbo.assignmentresource c SET policypath = path, policyversion = ids[2]::text, audit_changedby = performer,
            audit_changedbysystem = system, audit_changeoperation = ids[1]::text, audit_validfrom = at WHERE c.id = row_id;
    ELSE
        UPDATE dbo.assignmentinstance c SET policypath = path, policyversion = ids[2]::text, audit_changedby = performer,
            audit_changedbysystem = system, audit_changeoperation = ids[1]::text, audit_validfrom = at WHERE c.id = row_id;
    END IF;
    INSERT INTO altinn3delegations.act (kind, giver, receiver, target, instance, actions, human, occurred_at)
        VALUES (CASE WHEN single THEN 'single' ELSE 'instance' END, giver, receiver, resource, named_instance, wanted, human, at);
    RETURN true;
END $$;

-- Somebody gives a package, or takes it.
CREATE OR REPLACE FUNCTION altinn3delegations.set_package(ids uuid[], giver uuid, receiver uuid, package text, gives boolean,
    performer uuid, system uuid, at timestamptz, human boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    thing   uuid := (SELECT p.id FROM dbo.package p WHERE p.urn = package);
    parent  uuid;
    changed bigint;
BEGIN
    PERFORM altinn3delegations.stamp(performer, system, ids[1]::text, NOT gives);
    parent := altinn3delegations.edge(ids[1], giver, receiver, '42cae370-2dc1-4fdc-9c67-c2f4b0f0f829', at);
    IF gives THEN
        INSERT INTO dbo.assignmentpackage (id, assignmentid, packageid, audit_validfrom) VALUES (ids[3], parent, thing, at)
            ON CONFLICT (assignmentid, packageid) DO NOTHING;
    ELSE
        DELETE FROM dbo.assignmentpackage c WHERE (c.assignmentid, c.packageid) = (parent, thing);
    END IF;
    GET DIAGNOSTICS changed = ROW_COUNT;
    INSERT INTO altinn3delegations.act (kind, giver, receiver, target, instance, actions, human, occurred_at)
        SELECT 'package', giver, receiver, package, '', CASE WHEN gives THEN '{*}' ELSE '{}' END::text[], human, at WHERE changed > 0;
    RETURN changed > 0;
END $$;

-- Somebody ends a role of Altinn 2, or all that one party gave another as rightholder, with everything below it.
CREATE OR REPLACE FUNCTION altinn3delegations.remove_edge(ids uuid[], giver uuid, receiver uuid, role text, performer uuid, system uuid,
    at timestamptz, human boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    changed bigint;
BEGIN
    PERFORM altinn3delegations.stamp(performer, system, ids[1]::text, true);
    DELETE FROM dbo.assignment a USING dbo.role r WHERE r.id = a.roleid AND r.code = role AND (a.fromid, a.toid) = (giver, receiver);
    GET DIAGNOSTICS changed = ROW_COUNT;
    INSERT INTO altinn3delegations.act (kind, giver, receiver, target, instance, actions, human, occurred_at)
        SELECT CASE WHEN role = 'rettighetshaver' THEN 'cascade' ELSE 'role' END, giver, receiver, role, '', '{}', human, at
         WHERE changed > 0;
    RETURN changed > 0;
END $$;

-- The firm that keeps the client's books lets one of its people act for the client, or ends that. Without the relation: nothing.
CREATE OR REPLACE FUNCTION altinn3delegations.set_client(ids uuid[], client uuid, agent uuid, firm uuid, package text, gives boolean,
    performer uuid, system uuid, at timestamptz, human boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    thing    uuid := (SELECT p.id FROM dbo.package p WHERE p.urn = package);
    relation uuid;
    member   uuid;
    parent   uuid;
    changed  bigint;
BEGIN
    SELECT a.id INTO relation FROM dbo.assignment a JOIN dbo.role r ON r.id = a.roleid
     WHERE r.code = 'regnskapsforer' AND (a.fromid, a.toid) = (client, firm);
    IF relation IS NULL OR firm = agent THEN
        RETURN false;
    END IF;
    PERFORM altinn3delegations.stamp(performer, system, ids[1]::text, NOT gives);
    IF gives THEN
        member := altinn3delegations.edge(ids[1], firm, agent, 'ff4c33f5-03f7-4445-85ed-1e60b8aafb30', at);
        INSERT INTO dbo.delegation (id, fromid, toid, facilitatorid, audit_validfrom) VALUES (ids[2], relation, member, firm, at)
            ON CONFLICT (fromid, toid, facilitatorid) DO NOTHING;
        SELECT d.id INTO parent FROM dbo.delegation d WHERE (d.fromid, d.toid, d.facilitatorid) = (relation, member, firm);
        INSERT INTO dbo.delegationpackage (id, delegationid, packageid, audit_validfrom) VALUES (ids[3], parent, thing, at)
            ON CONFLICT (delegationid, packageid) DO NOTHING;
    ELSE
        DELETE FROM dbo.delegationpackage c USING dbo.delegation d, dbo.assignment t WHERE c.delegationid = d.id AND c.packageid = thing
           AND d.fromid = relation AND d.facilitatorid = firm AND t.id = d.toid AND t.toid = agent;
    END IF;
    GET DIAGNOSTICS changed = ROW_COUNT;
    INSERT INTO altinn3delegations.act (kind, giver, receiver, target, instance, actions, human, occurred_at)
        SELECT 'client', client, agent, package, '', CASE WHEN gives THEN '{*}' ELSE '{}' END::text[], human, at WHERE changed > 0;
    RETURN changed > 0;
END $$;
