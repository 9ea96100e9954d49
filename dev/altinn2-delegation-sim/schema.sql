-- Schema "altinn2delegations": what this Altinn 2 shows, what happened to it, and what its batch job and its role
-- feed have to tell. Users and bridge change it through the functions below, so that truth, journal and report are
-- one transaction. Nobody but the simulator and the checker reads it.

CREATE SCHEMA IF NOT EXISTS altinn2delegations;
SET search_path = altinn2delegations;

CREATE TABLE IF NOT EXISTS party (
    party_id int PRIMARY KEY, user_id int NOT NULL, uuid uuid NOT NULL UNIQUE);
CREATE INDEX IF NOT EXISTS party_user ON party (user_id);
-- rights: what can be given, in lower case
CREATE TABLE IF NOT EXISTS resource (
    id text PRIMARY KEY, service_code int NOT NULL, edition int NOT NULL, rights text[] NOT NULL);

-- What a user sees. kind 0: a right to a service; 1: a rule on a message, its name is its number; 2: a role.
CREATE SEQUENCE IF NOT EXISTS held_number;
CREATE TABLE IF NOT EXISTS held (
    id bigint PRIMARY KEY DEFAULT nextval('held_number'), kind int NOT NULL, from_party int NOT NULL,
    to_party int NOT NULL, target text NOT NULL, instance text NOT NULL, facilitator int NOT NULL, name text NOT NULL,
    actions text[], granted_at timestamptz NOT NULL, by_bridge boolean NOT NULL,
    UNIQUE (kind, from_party, to_party, target, instance, facilitator, name));

-- Everything that changed what is seen, in order. actor 0: a user, 1: a clean-up job, 2: the bridge.
CREATE TABLE IF NOT EXISTS change (
    change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, kind int NOT NULL,
    from_party int NOT NULL, to_party int NOT NULL, target text NOT NULL, instance text NOT NULL,
    facilitator int NOT NULL, name text NOT NULL, actions text[], granted boolean NOT NULL, actor int NOT NULL,
    told_by bigint);                          -- the report, or the event, that tells it

-- What the batch job tells, key by key in order. op 0: grant, 1: revoke, 2: revoke everything.
CREATE TABLE IF NOT EXISTS report (
    report_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, lane text NOT NULL, kind int NOT NULL, op int NOT NULL,
    from_party int NOT NULL, to_party int NOT NULL, target text NOT NULL, instance text NOT NULL,
    names text[] NOT NULL, rule int, who int NOT NULL, at timestamptz NOT NULL, due_at timestamptz NOT NULL,
    pushed_at timestamptz);
CREATE INDEX IF NOT EXISTS report_due ON report (due_at, report_id) WHERE pushed_at IS NULL;
CREATE INDEX IF NOT EXISTS report_lane ON report (lane) WHERE pushed_at IS NULL;

-- The ids that Altinn 3 gave to the rules which it was told of.
CREATE TABLE IF NOT EXISTS rule_id (
    from_party int, to_party int, target text, name text, id text NOT NULL,
    PRIMARY KEY (from_party, to_party, target, name));

-- The role feed. Its numbers have gaps, and an event may show up after a later one. raw replaces parts of the item.
CREATE SEQUENCE IF NOT EXISTS event_number;
CREATE TABLE IF NOT EXISTS event (
    event_id bigint PRIMARY KEY, action int NOT NULL, role text NOT NULL, from_party int NOT NULL,
    to_party int NOT NULL, facilitator int NOT NULL, who int NOT NULL, at timestamptz NOT NULL,
    role_delegation_id bigint, visible_at timestamptz NOT NULL, read_at timestamptz, raw jsonb);

-- Versions that the command endpoint keeps, and every call of the bridge. code 0: the answer was lost.
CREATE TABLE IF NOT EXISTS kept (key_id uuid PRIMARY KEY, version bigint NOT NULL);
CREATE TABLE IF NOT EXISTS call (
    call_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, path text NOT NULL, key_id uuid,
    kind text, from_party int, to_party int, target text, instance text, version bigint, rights text[], cause text,
    origin text, code int NOT NULL, applied int NOT NULL, fault text, newer boolean NOT NULL, changes int NOT NULL);
CREATE INDEX IF NOT EXISTS call_key ON call (key_id, call_id);

CREATE TABLE IF NOT EXISTS export (
    export_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, resource text NOT NULL, snapshot uuid NOT NULL,
    snapshot_pos bigint NOT NULL, rows_sent bigint NOT NULL DEFAULT 0, granted_at timestamptz NOT NULL DEFAULT 'epoch',
    from_party int NOT NULL DEFAULT 0, to_party int NOT NULL DEFAULT 0, ended_at timestamptz, UNIQUE (snapshot, resource));

-- ---------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION lane_of(h held) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT concat_ws('/', h.kind, h.from_party, h.to_party, h.target, h.instance)
$$;
-- User and bridge change a key one after the other, until the end of their transaction: who looks second sees what the first left,
-- and tells his report second. To be called before the look.
CREATE OR REPLACE FUNCTION alone_on(h held) RETURNS void LANGUAGE sql VOLATILE SET search_path = altinn2delegations AS $$
    SELECT pg_advisory_xact_lock(hashtextextended(lane_of(h), 0))
$$;

-- A report waits at most as long as it is told to, and never overtakes an earlier one of its key.
CREATE OR REPLACE FUNCTION tell(h held, op int, names text[], rule bigint, who int, at timestamptz, delay_ms int)
RETURNS bigint LANGUAGE sql SET search_path = altinn2delegations AS $$
    WITH lane AS (SELECT lane_of(h) AS name)
    INSERT INTO report (lane, kind, op, from_party, to_party, target, instance, names, rule, who, at, due_at)
    SELECT name, h.kind, op, h.from_party, h.to_party, h.target, h.instance, names, rule, who, at,
           greatest(clock_timestamp() + delay_ms * interval '1 ms',
                    (SELECT max(r.due_at) FROM report AS r WHERE r.lane = lane.name AND r.pushed_at IS NULL))
      FROM lane RETURNING report_id
$$;

-- action 1: Delegate, 2: Revoke, 3: DelegationSchemeCascadingDelete.
CREATE OR REPLACE FUNCTION tell_role(h held, action int, role_id bigint, who int, at timestamptz, late_ms int)
RETURNS bigint LANGUAGE sql SET search_path = altinn2delegations AS $$
    INSERT INTO event (event_id, action, role, from_party, to_party, facilitator, who, at, role_delegation_id, visible_at)
    SELECT CASE WHEN number % 11 = 0 THEN nextval('event_number') ELSE number END, action, h.target, h.from_party,
           h.to_party, h.facilitator, who, at, role_id, clock_timestamp() + late_ms * interval '1 ms'
      FROM (SELECT nextval('event_number') AS number) AS n RETURNING event_id
$$;

CREATE OR REPLACE FUNCTION note(h held, names text[], granted boolean, actor int, at timestamptz, told bigint)
RETURNS void LANGUAGE sql SET search_path = altinn2delegations AS $$
    INSERT INTO change (at, kind, from_party, to_party, target, instance, facilitator, name, actions, granted, actor, told_by)
    SELECT at, h.kind, h.from_party, h.to_party, h.target, h.instance, h.facilitator, name, h.actions, granted, actor, told
      FROM unnest(names) AS name
$$;

-- Somebody gives: rights of a service, one rule on a message, or a role. h.actions: of the rule. What is there already is told
-- and noted all the same: it is an act.
CREATE OR REPLACE FUNCTION give(h held, names text[], actor int, who int, at timestamptz, delay_ms int, late_ms int)
RETURNS int LANGUAGE plpgsql SET search_path = altinn2delegations AS $$
DECLARE
    number bigint := nextval('held_number');
    told   bigint;
BEGIN
    IF h.kind = 1 THEN
        names := ARRAY[number::text];
    END IF;
    INSERT INTO held (id, kind, from_party, to_party, target, instance, facilitator, name, actions, granted_at, by_bridge)
    SELECT CASE WHEN n.place = 1 THEN number ELSE nextval('held_number') END, h.kind, h.from_party, h.to_party, h.target,
           h.instance, h.facilitator, n.name, h.actions, at, actor = 2
      FROM unnest(names) WITH ORDINALITY AS n (name, place)
    ON CONFLICT DO NOTHING;
    IF h.kind = 2 THEN
        told := tell_role(h, 1, number, who, at, late_ms);
    ELSIF h.kind = 1 THEN
        told := tell(h, 0, h.actions, number, who, at, delay_ms);
    ELSE
        told := tell(h, 0, names, NULL, who, at, delay_ms);
    END IF;
    PERFORM note(h, names, true, actor, at, told);
    RETURN 1;
END $$;

-- Somebody takes away what is named, in one report for the rights of a service and one each else.
CREATE OR REPLACE FUNCTION take(h held, names text[], op int, actor int, who int, at timestamptz, delay_ms int, late_ms int)
RETURNS int LANGUAGE plpgsql SET search_path = altinn2delegations AS $$
DECLARE
    gone held;
    told bigint;
    n    int := 0;
BEGIN
    IF h.kind = 0 THEN
        told := tell(h, op, names, NULL, who, at, delay_ms);
        n := 1;
    END IF;
    FOR gone IN
        DELETE FROM held AS d
         WHERE d.kind = h.kind AND d.from_party = h.from_party AND d.to_party = h.to_party AND d.target = h.target
           AND d.instance = h.instance AND (h.facilitator = -1 OR d.facilitator = h.facilitator) AND d.name = ANY (names)
        RETURNING d.*
    LOOP
        IF gone.kind = 1 THEN
            told := tell(gone, 1, '{}', gone.id, who, at, delay_ms);
            n := n + 1;
        ELSIF gone.kind = 2 THEN
            told := tell_role(gone, CASE WHEN actor = 1 THEN 3 ELSE 2 END, gone.id, who, at, late_ms);
            n := n + 1;
        END IF;
        PERFORM note(gone, ARRAY[gone.name], false, actor, at, told);
    END LOOP;
    RETURN n;
END $$;

CREATE OR REPLACE FUNCTION names_of(h held)
RETURNS text[] LANGUAGE sql STABLE SET search_path = altinn2delegations AS $$
    SELECT array_agg(name ORDER BY id) FROM held AS d
     WHERE d.kind = h.kind AND d.from_party = h.from_party AND d.to_party = h.to_party AND d.target = h.target
       AND d.instance = h.instance AND (h.facilitator = -1 OR d.facilitator = h.facilitator)
$$;

-- One act of a user on a key: what he does depends on what he sees there and on two lots. Returns how many reports it makes.
CREATE OR REPLACE FUNCTION act(kind int, from_party int, to_party int, target text, instance text, facilitator int,
                               lot int, other_lot int, at timestamptz, delay_ms int, late_ms int)
RETURNS int LANGUAGE plpgsql SET search_path = altinn2delegations AS $$
DECLARE
    h     held := ROW (NULL, kind, from_party, to_party, target, instance, facilitator, '*', NULL, NULL, false)::held;
    shown text[];
    can   text[] := CASE kind WHEN 0 THEN (SELECT r.rights FROM resource AS r WHERE r.id = target)
                              WHEN 1 THEN ARRAY['read', 'subscribe', 'write', 'sign'] END;
    who   int := (SELECT p.user_id FROM party AS p WHERE p.party_id = from_party + 1);
    pick  text;
BEGIN
    PERFORM alone_on(h);
    shown := names_of(h);
    IF shown IS NULL OR (lot < 35 AND kind < 2) THEN
        IF kind = 2 THEN
            RETURN give(h, ARRAY['*'], 0, who, at, delay_ms, late_ms);
        END IF;
        h.actions := CASE WHEN kind = 1 THEN can[1 + other_lot % 4 : 1 + other_lot % 4 + other_lot / 4 % 3] END;
        RETURN give(h, can[1 + other_lot % cardinality(can) : 1 + other_lot % cardinality(can) + other_lot / 8 % 2],
                    0, who, at, delay_ms, late_ms);
    END IF;
    pick := shown[1 + other_lot % cardinality(shown)];
    IF lot < 80 THEN
        RETURN take(h, ARRAY[pick], 1, CASE WHEN kind = 2 AND lot < 45 THEN 1 ELSE 0 END, who, at, delay_ms, late_ms);
    END IF;
    RETURN take(h, shown, CASE WHEN lot < 90 THEN 1 ELSE 2 END, 0, who, at, delay_ms, late_ms);
END $$;

CREATE OR REPLACE FUNCTION acts(kinds int[], froms int[], tos int[], targets text[], instances text[], facilitators int[],
                                lots int[], other_lots int[], ats timestamptz[], delays int[], lates int[])
RETURNS bigint LANGUAGE sql SET search_path = altinn2delegations AS $$
    SELECT sum(act(n.a, n.b, n.c, n.d, n.e, n.f, n.g, n.h, n.i, n.j, n.k))::bigint
      FROM (SELECT * FROM unnest(kinds, froms, tos, targets, instances, facilitators, lots, other_lots, ats, delays, lates)
                AS u (a, b, c, d, e, f, g, h, i, j, k)) AS n
$$;

-- ---------------------------------------------------------------------------------------------------------------

-- The bridge replaces what is seen under a key by a set. Rules on a message that give anything else go as a whole.
CREATE OR REPLACE FUNCTION replace_set(h held, rights text[], who int, at timestamptz, delay_ms int, late_ms int)
RETURNS int LANGUAGE plpgsql SET search_path = altinn2delegations AS $$
DECLARE
    shown text[];
    gone  text[];
    new   text[];
    n     int := 0;
BEGIN
    PERFORM alone_on(h);
    shown := coalesce(names_of(h), '{}');
    gone := ARRAY(SELECT unnest(shown) EXCEPT SELECT unnest(rights));
    new := ARRAY(SELECT unnest(rights) EXCEPT SELECT unnest(shown));
    IF h.kind = 1 THEN
        gone := ARRAY(SELECT d.name FROM held AS d WHERE d.kind = 1 AND d.from_party = h.from_party
                         AND d.to_party = h.to_party AND d.target = h.target AND d.instance = h.instance
                         AND NOT d.actions <@ rights ORDER BY d.id);
        new := ARRAY(SELECT unnest(rights) EXCEPT
                     SELECT unnest(d.actions) FROM held AS d WHERE d.kind = 1 AND d.from_party = h.from_party
                        AND d.to_party = h.to_party AND d.target = h.target AND d.instance = h.instance
                        AND d.actions <@ rights);
    END IF;
    IF gone <> '{}' THEN
        n := n + take(h, gone, 1, 2, who, at, delay_ms, late_ms);
    END IF;
    IF new <> '{}' THEN
        h.facilitator := greatest(h.facilitator, 0);
        h.actions := CASE WHEN h.kind = 1 THEN new END;
        n := n + give(h, new, 2, who, at, delay_ms, late_ms);
    END IF;
    RETURN n;
END $$;

-- One call of the command endpoint. Returns the version that is kept afterwards. times 0: the call has no effect.
CREATE OR REPLACE FUNCTION command(body jsonb, who int, at timestamptz, code int, times int, fault text, delay_ms int,
                                   late_ms int)
RETURNS bigint LANGUAGE plpgsql SET search_path = altinn2delegations AS $$
DECLARE
    k       jsonb := body -> 'key';
    wanted  bigint := (body ->> 'version')::bigint;
    rights  text[] := ARRAY(SELECT lower(r) FROM jsonb_array_elements_text(body -> 'rights') AS r);
    number  int := CASE k ->> 'kind' WHEN 'single' THEN 0 WHEN 'instance' THEN 1 WHEN 'role' THEN 2 END;
    h       held := ROW (NULL, number, (k ->> 'fromPartyId')::int, coalesce((k ->> 'toPartyId')::int,
                         (SELECT p.party_id FROM party AS p WHERE p.user_id = (k ->> 'toUserId')::int)),
                         CASE WHEN number = 2 THEN upper(k ->> 'role') ELSE k ->> 'resource' END,
                         coalesce(k ->> 'instance', ''), CASE WHEN number = 2 THEN -1 ELSE 0 END, '*', NULL, NULL, true)::held;
    version bigint := (SELECT v.version FROM kept AS v WHERE v.key_id = (k ->> 'id')::uuid FOR UPDATE);
    newer   boolean := times > 0 AND (version IS NULL OR version < wanted);
    n       int := 0;
BEGIN
    IF newer THEN
        INSERT INTO kept AS v VALUES ((k ->> 'id')::uuid, wanted) ON CONFLICT (key_id) DO UPDATE SET version = excluded.version;
        n := replace_set(h, rights, who, at, delay_ms, late_ms);
    END IF;
    INSERT INTO call (at, path, key_id, kind, from_party, to_party, target, instance, version, rights, cause, origin, code,
                      applied, fault, newer, changes)
    VALUES (clock_timestamp(), 'command', (k ->> 'id')::uuid, k ->> 'kind', h.from_party, h.to_party, h.target, h.instance,
            wanted, rights, body ->> 'cause', body ->> 'origin', code, times, fault, newer, n);
    RETURN CASE WHEN newer THEN wanted ELSE coalesce(version, 0) END;
END $$;

-- ---------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION shown_right(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE name WHEN 'archiveread' THEN 'ArchiveRead' WHEN 'archivedelete' THEN 'ArchiveDelete' ELSE initcap(name) END
$$;
CREATE OR REPLACE FUNCTION resource_json(target text) RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN target LIKE 'app\_%'
           THEN json_build_array(json_build_object('id', 'urn:altinn:org', 'value', split_part(target, '_', 2)),
                                 json_build_object('id', 'urn:altinn:app', 'value', split_part(target, '_', 3)))
           ELSE json_build_array(json_build_object('id', 'urn:altinn:resource', 'value', target)) END
$$;
-- A person is named by the number of the login, one in four by that of the party; always in the same way.
CREATE OR REPLACE FUNCTION covered_json(party_id int, user_id int) RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN user_id = 0 OR party_id % 8 = 0
           THEN json_build_array(json_build_object('id', 'urn:altinn:partyid', 'value', party_id::text))
           ELSE json_build_array(json_build_object('id', 'urn:altinn:userid', 'value', user_id::text)) END
$$;
CREATE OR REPLACE FUNCTION rule_json(f party, t party, target text, name text, who int, at timestamptz)
RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path = altinn2delegations AS $$
    SELECT jsonb_build_object('delegatedByUserId', who, 'delegatedDateTime', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'offeredByPartyId', f.party_id, 'coveredBy', covered_json(t.party_id, t.user_id),
               'resource', resource_json(target), 'action', jsonb_build_object(
                   'id', 'urn:oasis:names:tc:xacml:1.0:action:action-id', 'value', shown_right(name)))
           || CASE WHEN f.party_id % 4 = 1
              THEN jsonb_build_object('offeredByPartyUuid', f.uuid, 'offeredByPartyType', 'urn:altinn:organization:uuid') ELSE '{}' END
$$;

-- The next reports that may be told: their part of a body, how many elements it has, and whether Altinn 3 gave the ids it needs. Where
-- no export can bring the others any more, those that are known are enough: Altinn 3 was never told of the rest.
CREATE OR REPLACE FUNCTION open_reports(most int, own_user int, own_party uuid)
RETURNS TABLE (report_id bigint, lane text, kind int, op int, part text, parts int, ready boolean)
LANGUAGE sql STABLE SET search_path = altinn2delegations AS $$
    SELECT r.report_id, r.lane, r.kind, r.op, CASE
        WHEN r.kind = 1 THEN (jsonb_build_object('authorizationruleid', r.rule,
            'created', to_char(r.at AT TIME ZONE 'UTC' + interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS.US"0+01:00"'),
            'fromuuid', f.uuid, 'touuid', t.uuid,
            'performedby', CASE WHEN r.who = own_user THEN own_party ELSE (SELECT p.uuid FROM party p WHERE p.user_id = r.who) END,
            'resourceid', r.target, 'instanceid', r.instance)
            || CASE WHEN r.op = 0 THEN jsonb_build_object('actions', to_jsonb(r.names)) ELSE '{}' END)::text
        WHEN r.op = 0 THEN (SELECT string_agg(rule_json(f, t, r.target, name, r.who, r.at)::text, ',' ORDER BY place)
                              FROM unnest(r.names) WITH ORDINALITY AS n (name, place))
        ELSE (jsonb_build_object('deletedByUserId', r.who, 'policyMatch', jsonb_build_object(
                'offeredByPartyId', r.from_party, 'resource', resource_json(r.target),
                'coveredBy', covered_json(t.party_id, t.user_id)))
             || CASE WHEN r.op = 1 THEN jsonb_build_object('ruleIds', to_jsonb(i.ids)) ELSE '{}' END)::text END,
        cardinality(r.names), r.kind = 1 OR r.op <> 1 OR cardinality(i.ids) = cardinality(r.names)
            OR (i.ids <> '{}' AND NOT EXISTS (SELECT FROM export WHERE ended_at IS NULL))
      FROM (SELECT * FROM report WHERE pushed_at IS NULL AND due_at <= clock_timestamp()
             ORDER BY due_at, report_id LIMIT most) AS r
      JOIN party AS f ON f.party_id = r.from_party
      JOIN party AS t ON t.party_id = r.to_party
     CROSS JOIN LATERAL (SELECT ARRAY(SELECT u.id FROM rule_id AS u WHERE u.from_party = r.from_party AND u.to_party = r.to_party
                            AND u.target = r.target AND u.name = ANY (r.names) ORDER BY u.name)) AS i (ids)
     ORDER BY r.due_at, r.report_id
$$;

-- Answers to addrules: the ids of the names of these reports, in the order in which they were sent.
CREATE OR REPLACE FUNCTION told(reports bigint[], id_reports bigint[], places int[], ids text[])
RETURNS void LANGUAGE sql SET search_path = altinn2delegations AS $$
    INSERT INTO rule_id SELECT r.from_party, r.to_party, r.target, r.names[n.place], n.id
      FROM unnest(id_reports, places, ids) AS n (report_id, place, id) JOIN report AS r USING (report_id)
    ON CONFLICT (from_party, to_party, target, name) DO UPDATE SET id = excluded.id;
    UPDATE report SET pushed_at = clock_timestamp() WHERE report_id = ANY (reports) AND pushed_at IS NULL;
$$;

-- ---------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION event_json(e event, own_user int, own_party uuid)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = altinn2delegations AS $$
    SELECT jsonb_build_object('altinnRoleDelegationEventId', e.event_id,
               'delegationAction', CASE WHEN e.event_id % 10 = 0 THEN to_jsonb(e.action)
                   ELSE to_jsonb((ARRAY['NotSet', 'Delegate', 'Revoke', 'DelegationSchemeCascadingDelete'])[e.action + 1]) END,
               'roleTypeCode', CASE WHEN e.event_id % 3 = 0 THEN rpad(e.role, 10) ELSE e.role END,
               'fromPartyId', f.party_id, 'fromPartyUuid', f.uuid,
               'toUserId', nullif(t.user_id, 0), 'toPartyId', t.party_id, 'toUserPartyUuid', t.uuid,
               'toUserType', CASE WHEN t.user_id = 0 THEN 'None' ELSE 'SSNIdentified' END,
               'delegationChangeDateTime', to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
               'performedByUserId', e.who,
               'performedByUserUuid', CASE WHEN e.who = own_user THEN own_party ELSE w.uuid END,
               'performedByPartyId', nullif(e.facilitator, 0), 'performedByPartyUuid', g.uuid,
               'roleId', 1, 'roleDelegationId', e.role_delegation_id) || coalesce(e.raw, '{}')
      FROM party AS f JOIN party AS t ON t.party_id = e.to_party LEFT JOIN party AS w ON w.user_id = e.who
      LEFT JOIN party AS g ON g.party_id = nullif(e.facilitator, 0)
     WHERE f.party_id = e.from_party
$$;

-- One page of the feed as text. An empty link ends a drain; again: the link leads to this very page once more.
CREATE OR REPLACE FUNCTION feed_page(base text, subscription text, after bigint, size int, again boolean, own_user int,
                                     own_party uuid)
RETURNS text LANGUAGE plpgsql SET search_path = altinn2delegations AS $$
DECLARE
    shown bigint[] := ARRAY(SELECT event_id FROM event WHERE event_id > after AND visible_at <= clock_timestamp()
                             ORDER BY event_id LIMIT size);
    full_ boolean := cardinality(shown) = size;
    last_ bigint := coalesce(shown[cardinality(shown)], after);
BEGIN
    UPDATE event SET read_at = clock_timestamp() WHERE event_id = ANY (shown) AND read_at IS NULL;
    RETURN jsonb_build_object(
        'stats', jsonb_build_object('pageStart', coalesce(shown[1], after), 'pageEnd', last_, 'sequenceMax', coalesce(
            (SELECT max(event_id) FROM event WHERE visible_at <= clock_timestamp()), 0)),
        'links', jsonb_build_object('next', CASE WHEN again OR full_ THEN base || '/roledelegationevent/api/getevents?subscriptionId='
            || subscription || '&after=' || CASE WHEN again THEN after ELSE last_ END ELSE '' END),
        'data', coalesce((SELECT jsonb_agg(event_json(e, own_user, own_party) ORDER BY e.event_id) FROM event AS e
                           WHERE e.event_id = ANY (shown)), '[]'));
END $$;

-- Rules of a resource for its export, a page from a place on: by the moment of the grant, which does not move when others are given
-- or taken meanwhile. One (giver, receiver) has all its rights of one moment in one row.
CREATE OR REPLACE FUNCTION export_rows(resource text, after_at timestamptz, after_from int, after_to int, most int)
RETURNS TABLE (granted_at timestamptz, from_party int, to_party int, part text, parts int, names text)
LANGUAGE sql STABLE SET search_path = altinn2delegations AS $$
    SELECT g.granted_at, g.from_party, g.to_party,
           (SELECT string_agg(rule_json(f, t, resource, name, (SELECT user_id FROM party WHERE party_id = g.from_party + 1),
                              g.granted_at)::text, ',' ORDER BY place) FROM unnest(g.names) WITH ORDINALITY AS n (name, place)),
           cardinality(g.names), array_to_string(g.names, ',')
      FROM (SELECT h.from_party, h.to_party, h.granted_at, array_agg(h.name ORDER BY h.name) AS names
              FROM held AS h WHERE h.kind = 0 AND h.target = resource
             GROUP BY h.from_party, h.to_party, h.granted_at) AS g
      JOIN party AS f ON f.party_id = g.from_party
      JOIN party AS t ON t.party_id = g.to_party
     WHERE (g.granted_at, g.from_party, g.to_party) > (after_at, after_from, after_to)
     ORDER BY g.granted_at, g.from_party, g.to_party LIMIT most
$$;
-- What the export has sent by one call: where it stands now, and the ids that Altinn 3 gave.
CREATE OR REPLACE FUNCTION exported(number bigint, rows_new int, at_now timestamptz, from_now int, to_now int, froms int[],
                                    tos int[], names text[], ids text[])
RETURNS void LANGUAGE sql SET search_path = altinn2delegations AS $$
    INSERT INTO rule_id SELECT n.f, n.t, (SELECT resource FROM export WHERE export_id = number), n.name, n.id
      FROM unnest(froms, tos, names, ids) AS n (f, t, name, id)
    ON CONFLICT (from_party, to_party, target, name) DO UPDATE SET id = excluded.id;
    UPDATE export SET rows_sent = rows_sent + rows_new, granted_at = at_now, from_party = from_now, to_party = to_now
     WHERE export_id = number;
$$;
RESET search_path;
