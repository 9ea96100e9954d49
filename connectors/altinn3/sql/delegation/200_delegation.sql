-- Delegations: the sync's own picture of who may act for whom, in the database of Altinn 3 authorization.
-- The rules that fill it stand in docs/rules.md (DL-nn). Sources: 2 Altinn 2, 3 Altinn 3, 9 facts above both. A number or time
-- that is not known is null; absent parts of a key are '' or the zero uuid, for two nulls are not equal.

-- One row per key: the thing that one decision is about. Locked FOR UPDATE in ascending key_id before anything else: the
-- only lock that orders the consumers, the backlog, the sender and the sweeps. Sets are sorted texts.
CREATE TABLE sync.deleg_key (
    key_id            bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version           bigint   NOT NULL DEFAULT 0,  -- rises with the effective set, and with every write to a side
    open_version      bigint,                       -- of the command that waits for Altinn 2
    left_version      bigint,                       -- of the command that left for it, and is not seen yet
    left_at           timestamptz,
    a3_row_validfrom  timestamptz,                  -- of the row in Altinn 3 as it was last seen; null: no row
    key_uuid          uuid     NOT NULL,            -- UUIDv5 of the natural key: name of the key outside
    from_id           uuid     NOT NULL,            -- who gives: uuid of a party
    to_id             uuid     NOT NULL,            -- who receives
    facilitator       uuid     NOT NULL,            -- of a client delegation the firm in the middle
    a3_row_id         uuid,                         -- null: its id is not known
    kind              smallint NOT NULL CHECK (kind BETWEEN 0 AND 4),
                                                    -- 0 single 1 instance 2 package 3 role 4 client
    variant           smallint NOT NULL CHECK (variant BETWEEN 0 AND 1),    -- 0 user 1 app-controlled
    restore_parked_a2 boolean  NOT NULL DEFAULT false,  -- DL-85: a side that lost too often gets nothing back
    restore_parked_a3 boolean  NOT NULL DEFAULT false,
    target            text COLLATE "C" NOT NULL,    -- resource id, package or role URN
    instance          text COLLATE "C" NOT NULL,
    effective         text[] COLLATE "C" NOT NULL DEFAULT '{}',
    effective_hash    bytea,                        -- XXH3-128 over key, set and format version (DL-94)
    held_a3           text[] COLLATE "C" NOT NULL DEFAULT '{}',
    open_set          text[] COLLATE "C",           -- of the command that waits; null: none waits
    left_set          text[] COLLATE "C",           -- of a command that may have run and is not seen yet; null: none
    left_before       text[] COLLATE "C",           -- left_set before that one left: what stands again when it is refused
    restores_a2       timestamptz[] NOT NULL DEFAULT '{}',  -- times of the last losses (DL-85), newest last
    restores_a3       timestamptz[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 70);                           -- every applied batch rewrites rows: room for HOT
CREATE UNIQUE INDEX deleg_key_by_name
    ON sync.deleg_key (from_id, to_id, kind, target, instance, variant, facilitator);
CREATE UNIQUE INDEX deleg_key_by_uuid ON sync.deleg_key (key_uuid);
-- A dead or merged party ends what it received; one firm has up to 100,000 givers, so a sweep goes on by key_id.
CREATE INDEX deleg_key_by_to ON sync.deleg_key (to_id, key_id);
-- Givers of one instance (DL-56), and purges of it.
CREATE INDEX deleg_key_by_instance ON sync.deleg_key (instance, key_id) WHERE kind = 1;
-- A changed row of a resource has its keys recomputed; what waits is counted by resource.
CREATE INDEX deleg_key_by_target ON sync.deleg_key (target, key_id) WHERE kind <= 1;
-- A merged firm moves its client keys.
CREATE INDEX deleg_key_by_facilitator ON sync.deleg_key (facilitator, key_id) WHERE kind = 4;
-- What an operator is asked to release.
CREATE INDEX deleg_key_restore_parked ON sync.deleg_key (key_id) WHERE restore_parked_a2 OR restore_parked_a3;
-- Commands whose echo is missing.
CREATE INDEX deleg_key_left ON sync.deleg_key (left_at) WHERE left_set IS NOT NULL;

-- What a source said about one of its grants of one right. right_id is an action, or * (all rights of kinds single and
-- instance; the right itself otherwise). Rows stay for the whole migration and 90 days, revoked ones too.
CREATE TABLE sync.deleg_ref (
    key_id       bigint   NOT NULL,
    seq          bigint,                            -- order of the newest grant or revoke; null: only an echo is known
    op_time      timestamptz,                       -- of the grant; null: it has none
    revoke_time  timestamptz,                       -- latest of a revoke
    human_time   timestamptz,                       -- latest of a person's revoke
    present_seq  bigint,                            -- order that presence follows
    echo_seq     bigint,                            -- latest order of a report of our own grant
    role_key_id  bigint,                            -- role key that it is borrowed from; null: its own
    performer    uuid,
    source       smallint NOT NULL CHECK (source IN (2, 3)),
    op           smallint CHECK (op IN (0, 1)),     -- 0 granted 1 revoked; null: only an echo is known
    present      boolean  NOT NULL,                 -- the side displays it
    right_id     text COLLATE "C" NOT NULL,
    ref          text COLLATE "C" NOT NULL,
    a2_right     text     NOT NULL,                 -- Altinn 2's name of the right; '' where it has none
    rule         text     NOT NULL,                 -- that moved it last
    native_ids   bigint[] NOT NULL,                 -- every id of the source that it carried (DL-67), newest last
    echo_origins bigint[] NOT NULL,                 -- digests of the reports it has had, weak streams only (DL-19)
    PRIMARY KEY (key_id, right_id, source, ref)
) WITH (fillfactor = 80);

-- Revokes without a ref, and cuts: times up to which the other side's older grants no longer count.
CREATE TABLE sync.deleg_mark (
    key_id    bigint   NOT NULL,
    all_seq   bigint,
    all_time  timestamptz,
    cut_time  timestamptz,
    source    smallint NOT NULL CHECK (source IN (2, 3)),
    right_id  text COLLATE "C" NOT NULL,
    rule      text     NOT NULL,
    PRIMARY KEY (key_id, right_id, source)
) WITH (fillfactor = 80);

-- Facts above both sides. scope_id: uuid of a party; client/firm/company role of a relation; URN of an instance.
CREATE TABLE sync.sys_scope (
    seq         bigint   NOT NULL,
    cut_time    timestamptz,
    sweep_after timestamptz,                        -- the next sweep begins then
    sweep_key   bigint   NOT NULL DEFAULT 0,        -- last key_id that the sweep has recomputed
    partition   int      NOT NULL,                  -- whose owner sweeps
    scope_kind  smallint NOT NULL CHECK (scope_kind BETWEEN 0 AND 2),   -- 0 party 1 relation 2 instance
    sweep_state smallint NOT NULL CHECK (sweep_state BETWEEN 0 AND 2),  -- 0 done 1 first sweep 2 second sweep
    final       boolean  NOT NULL,
    stream      text COLLATE "C" NOT NULL,          -- of seq
    scope_id    text COLLATE "C" NOT NULL,
    PRIMARY KEY (scope_kind, scope_id)
) WITH (fillfactor = 70);
CREATE INDEX sys_scope_to_sweep ON sync.sys_scope (sweep_after) WHERE sweep_state > 0;

-- A party that became another one (DL-45, DL-46). new_uuid is always the last one of a chain. Moving is a sweep like those above.
CREATE TABLE sync.alias (
    old_uuid    uuid     PRIMARY KEY,
    new_uuid    uuid     NOT NULL CHECK (new_uuid <> old_uuid),
    seq         bigint   NOT NULL,
    sweep_after timestamptz,
    sweep_key   bigint   NOT NULL DEFAULT 0,
    partition   int      NOT NULL,
    sweep_state smallint NOT NULL CHECK (sweep_state BETWEEN 0 AND 2),  -- 0 done 1 first sweep 2 second sweep
    stream      text COLLATE "C" NOT NULL
);
CREATE INDEX alias_by_new ON sync.alias (new_uuid);
-- Who a party is by now. Two merges of two owners at once may leave a chain; it has no circle, because a party merges once.
CREATE FUNCTION sync.party_now(id uuid) RETURNS uuid LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    further uuid;
BEGIN
    FOR link IN 1 .. 100 LOOP
        SELECT a.new_uuid INTO further FROM sync.alias a WHERE a.old_uuid = id;
        EXIT WHEN further IS NULL;
        id := further;
    END LOOP;
    RETURN id;
END $$;
CREATE INDEX alias_to_sweep ON sync.alias (sweep_after) WHERE sweep_state > 0;

-- Resources of the registry, by "load".
CREATE TABLE sync.resource_state (
    resource     text COLLATE "C" PRIMARY KEY,      -- its id, lower case
    type         text     NOT NULL,                 -- CorrespondenceService, MaskinportenSchema, AltinnApp …
    service_code text COLLATE "C",                  -- of the service of Altinn 2 that it stands for, lower case
    edition      int,
    actions      text[] COLLATE "C",                -- that its own policy offers; null: not known
    phase        smallint NOT NULL CHECK (phase BETWEEN 0 AND 4),   -- 0 off 1 shadow 2 sync 3 frozen 4 final
    freeze_time  timestamptz,                       -- later grants of Altinn 2 are ignored (DL-27); null: not frozen
    sweep_key    bigint   NOT NULL DEFAULT 0,       -- a change of the row has keys recomputed, as a scope has
    sweep_state  smallint NOT NULL DEFAULT 0 CHECK (sweep_state BETWEEN 0 AND 1),   -- 0 done 1 to sweep
    CHECK ((service_code IS NULL) = (edition IS NULL))
);
CREATE INDEX resource_state_to_sweep ON sync.resource_state (resource) WHERE sweep_state > 0;
CREATE UNIQUE INDEX resource_state_by_service ON sync.resource_state (service_code, edition)
    WHERE service_code IS NOT NULL;

-- Policy documents: what policypath and policyversion of Altinn 3's rows point at. Documents are never changed.
CREATE TABLE sync.policy_document (
    path     text COLLATE "C" NOT NULL,
    version  text COLLATE "C" NOT NULL,
    actions  text[] COLLATE "C" NOT NULL,           -- sorted
    instance text COLLATE "C",                      -- full URN; null: of a whole resource
    PRIMARY KEY (path, version)
);

-- Loading the whole current state of a source in chunks, beside live.
CREATE TABLE sync.backfill (
    capture    text COLLATE "C" NOT NULL,
    table_name text COLLATE "C" NOT NULL,
    cursor     text   NOT NULL DEFAULT '',          -- last primary key, or link, that was delivered; '': none
    state      text   NOT NULL CHECK (state IN ('planned', 'running', 'paused', 'done', 'cancelled')),
    low_pos    bigint,                              -- stream positions before and after the chunk
    high_pos   bigint,
    rows_done  bigint NOT NULL DEFAULT 0,
    rows_total bigint,                              -- estimate, for progress; null: not known
    started_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (capture, table_name)
) WITH (fillfactor = 70);

-- Exports: rows decided in each partition, and rows counted by the source (END); null: END has not come.
CREATE TABLE sync.snapshot (
    decided      bigint NOT NULL DEFAULT 0,
    counted      bigint,
    snapshot_pos bigint,                            -- null: only END is known
    partition    int    NOT NULL,
    snapshot_id  uuid   NOT NULL,
    topic        text COLLATE "C" NOT NULL,
    resource     text COLLATE "C" NOT NULL,         -- '': of all
    PRIMARY KEY (snapshot_id, topic, partition, resource)
) WITH (fillfactor = 50);

-- Position of each stream in each partition at or below which every event is decided (TICK).
CREATE TABLE sync.stream_pos (
    pos       bigint NOT NULL,
    pos_time  timestamptz NOT NULL,
    partition int    NOT NULL,
    stream    text COLLATE "C" NOT NULL,
    topic     text COLLATE "C" NOT NULL,
    PRIMARY KEY (stream, topic, partition)
) WITH (fillfactor = 50);

-- Decided, not written to Altinn 3 yet, because something is not there (DL-80). dependency_kind: party, resource, policy, role,
-- package, relation (client/firm/company role), type, phase (resource), a3_event (position of a3.change that must be decided first).
CREATE TABLE sync.pending (
    key_id          bigint NOT NULL,
    since           timestamptz NOT NULL,
    dependency_kind text COLLATE "C" NOT NULL,
    dependency_id   text COLLATE "C" NOT NULL,
    PRIMARY KEY (key_id, dependency_kind, dependency_id)
);
CREATE INDEX pending_by_dependency ON sync.pending (dependency_kind, dependency_id, key_id);
CREATE INDEX pending_since ON sync.pending (since);

-- How each effective set came about: what "explain" shows of a key.
CREATE TABLE sync.history (
    key_id     bigint   NOT NULL,
    version    bigint   NOT NULL,
    seq        bigint   NOT NULL,                   -- of the event that decided
    event_time timestamptz,
    applied_at timestamptz NOT NULL,
    source     smallint NOT NULL,
    stream     text COLLATE "C" NOT NULL,
    rule       text     NOT NULL,
    before     text[] COLLATE "C" NOT NULL,
    after      text[] COLLATE "C" NOT NULL,
    PRIMARY KEY (key_id, version)
);

-- Who deletes, for the triggers of Altinn 3: they find it through the search path. A table per transaction would write the
-- catalogue each time.
CREATE VIEW sync.session_audit_context AS
SELECT current_setting('app.changed_by')::uuid        AS changed_by,
       current_setting('app.changed_by_system')::uuid AS changed_by_system,
       current_setting('app.change_operation_id')     AS change_operation_id;

-- Deletes rows of Altinn 3, each under the performer and operation of its own event: the triggers read them from settings
-- of the transaction, so one statement could stamp only one event. Of a row that is not as it was seen nothing is deleted.
-- A parent (assignment, delegation) goes only when it has no child and its own writer is the system that deletes.
-- One that was made after this transaction began is not removed by it: its history would run backwards (DL-102).
-- Returns the ids of the rows that are gone.
CREATE FUNCTION sync.remove_rows(table_name text, parents boolean, ids uuid[], seen timestamptz[], performers uuid[],
                                 operations text[], own_system uuid)
    RETURNS SETOF uuid LANGUAGE plpgsql SET search_path = sync, pg_catalog, pg_temp AS $$
DECLARE
    gone int;
BEGIN
    FOR place IN 1 .. cardinality(ids) LOOP
        PERFORM set_config('app.changed_by', performers[place]::text, true),
                set_config('app.changed_by_system', own_system::text, true),
                set_config('app.change_operation_id', operations[place], true);
        CASE
        WHEN table_name = 'assignmentresource' THEN
            DELETE FROM dbo.assignmentresource WHERE id = ids[place] AND audit_validfrom = seen[place];
        WHEN table_name = 'assignmentinstance' THEN
            DELETE FROM dbo.assignmentinstance WHERE id = ids[place] AND audit_validfrom = seen[place];
        WHEN table_name = 'assignmentpackage' THEN
            DELETE FROM dbo.assignmentpackage WHERE id = ids[place] AND audit_validfrom = seen[place];
        WHEN table_name = 'delegationpackage' THEN
            DELETE FROM dbo.delegationpackage WHERE id = ids[place] AND audit_validfrom = seen[place];
        WHEN table_name = 'delegation' AND parents THEN
            DELETE FROM dbo.delegation d
             WHERE d.id = ids[place] AND d.audit_validfrom = seen[place] AND d.audit_changedbysystem = own_system
               AND NOT EXISTS (SELECT FROM dbo.delegationpackage c WHERE c.delegationid = d.id)
               AND NOT EXISTS (SELECT FROM dbo.delegationresource c WHERE c.delegationid = d.id);
        WHEN table_name = 'assignment' THEN
            DELETE FROM dbo.assignment a
             WHERE a.id = ids[place] AND a.audit_validfrom = seen[place]
               AND (NOT parents OR a.audit_changedbysystem = own_system)
               AND NOT EXISTS (SELECT FROM dbo.assignmentresource c WHERE c.assignmentid = a.id)
               AND NOT EXISTS (SELECT FROM dbo.assignmentinstance c WHERE c.assignmentid = a.id)
               AND NOT EXISTS (SELECT FROM dbo.assignmentpackage c WHERE c.assignmentid = a.id)
               AND NOT EXISTS (SELECT FROM dbo.delegation c WHERE c.fromid = a.id)
               AND NOT EXISTS (SELECT FROM dbo.delegation c WHERE c.toid = a.id);
        END CASE;
        GET DIAGNOSTICS gone = ROW_COUNT;
        IF gone > 0 AND seen[place] >= now() AND seen[place] <= clock_timestamp() THEN
            RAISE EXCEPTION 'a row of % was made after this transaction began', table_name USING ERRCODE = '40001';
        END IF;
        IF gone > 0 THEN
            RETURN NEXT ids[place];
        END IF;
    END LOOP;
END $$;
