-- Rights of the processes that sync delegations. Run by a superuser after every "altinn-sync db migrate", in the
-- authorization database of Altinn 3 (grants.sql is of the correspondence database); may be repeated. The roles come from
-- roles.sql, run in this database too; "altinn-sync doctor" says what lacks.
--
-- A capture changes no table of Altinn 3. Consumers write the six tables of delegations and nothing else there; history
-- is written by Altinn 3's own triggers, which run with the rights of the writer.

BEGIN;

GRANT USAGE ON SCHEMA sync TO altinn_sync_consumer, altinn_sync_load, altinn_sync_capture, altinn_sync_receiver,
                              altinn_sync_viewer, altinn_sync_operator;
GRANT USAGE ON SCHEMA dbo TO altinn_sync_consumer, altinn_sync_load, altinn_sync_capture, altinn_sync_receiver;
GRANT USAGE ON SCHEMA dbo_history TO altinn_sync_consumer, altinn_sync_load, altinn_sync_capture;
GRANT SELECT ON sync.schema_version TO altinn_sync_consumer, altinn_sync_load, altinn_sync_capture,
                                       altinn_sync_receiver, altinn_sync_viewer, altinn_sync_operator;

-- Consumers and "load": common tables, as in grants.sql -------------------------------------------------------------
-- "load" also decides what was held for a resource that it brings.

GRANT SELECT, INSERT, UPDATE ON sync.topic, sync.partition_owner, sync.outcome_count, sync.parked, sync.target
    TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT, INSERT, UPDATE, DELETE ON sync.hold, sync.outbox, sync.expected_echo TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT, INSERT, UPDATE, DELETE ON sync.yield TO altinn_sync_consumer;
GRANT SELECT, INSERT ON sync.decision, sync.seen TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT ON sync.source, sync.source_gap, sync.party, sync.pause TO altinn_sync_consumer, altinn_sync_load;
GRANT EXECUTE ON FUNCTION sync.keep_days(text, int) TO altinn_sync_consumer, altinn_sync_load;

-- Consumers and "load": delegations ---------------------------------------------------------------------------------

GRANT SELECT, INSERT, UPDATE ON sync.deleg_key, sync.sys_scope, sync.alias, sync.snapshot, sync.stream_pos
    TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT, INSERT, UPDATE, DELETE ON sync.deleg_ref, sync.deleg_mark TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT, INSERT, DELETE ON sync.pending TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT, INSERT ON sync.policy_document, sync.history, sync.grant_after_freeze TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT, UPDATE ON sync.resource_state TO altinn_sync_consumer, altinn_sync_load;    -- how far its sweep is
GRANT SELECT ON sync.session_audit_context TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT, INSERT, UPDATE, DELETE
    ON dbo.assignment, dbo.assignmentresource, dbo.assignmentinstance, dbo.assignmentpackage,
       dbo.delegation, dbo.delegationpackage TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT ON dbo.delegationresource, dbo.entity, dbo.resource, dbo.resourcetype, dbo.role, dbo.package,
                dbo.rolepackage TO altinn_sync_consumer, altinn_sync_load;
GRANT INSERT ON dbo_history.auditassignment, dbo_history.auditassignmentresource,
                dbo_history.auditassignmentinstance, dbo_history.auditassignmentpackage,
                dbo_history.auditdelegation, dbo_history.auditdelegationpackage TO altinn_sync_consumer, altinn_sync_load;

-- "load" of resources -------------------------------------------------------------------------------------------------

GRANT INSERT ON sync.resource_state TO altinn_sync_load;

-- Captures ---------------------------------------------------------------------------------------------------------------
-- The slot's changes come with REPLICATION. What a row names is looked up, in history when it is gone, and a load of the
-- whole state reads the tables themselves. The rows of a load are planned by an operator: a capture only moves them.

GRANT SELECT, INSERT, UPDATE ON sync.source, sync.source_gap, sync.backfill_sent TO altinn_sync_capture;
GRANT SELECT, UPDATE ON sync.backfill TO altinn_sync_capture;
GRANT SELECT ON sync.policy_document TO altinn_sync_capture;
GRANT SELECT ON dbo.assignment, dbo.assignmentresource, dbo.assignmentinstance, dbo.assignmentpackage,
                dbo.delegation, dbo.delegationpackage, dbo.role, dbo.resource, dbo.resourcetype, dbo.package
    TO altinn_sync_capture;
GRANT SELECT (id, typeid) ON dbo.entity TO altinn_sync_capture;     -- nobody's name or number
GRANT SELECT ON dbo_history.auditassignment, dbo_history.auditassignmentresource,
                dbo_history.auditassignmentinstance, dbo_history.auditassignmentpackage,
                dbo_history.auditdelegation, dbo_history.auditdelegationpackage,
                dbo_history.auditrole, dbo_history.auditresource, dbo_history.auditpackage TO altinn_sync_capture;

-- Capture altinn2-delegation ---------------------------------------------------------------------------------------------
-- It numbers calls and exports and keeps its place in the role feed. For the watermark it looks at what waits; a record
-- that is held or set aside says itself which resource it is about.

GRANT SELECT, INSERT, UPDATE ON sync.source, sync.backfill, sync.export, sync.export_row, sync.export_count
    TO altinn_sync_receiver;
GRANT SELECT, INSERT ON sync.source_gap TO altinn_sync_receiver;
GRANT SELECT ON sync.resource_state, sync.snapshot, sync.stream_pos, sync.pending TO altinn_sync_receiver;
GRANT SELECT (record, appended_at) ON sync.hold TO altinn_sync_receiver;
GRANT SELECT (record, appended_at, sealed, state) ON sync.parked TO altinn_sync_receiver;
GRANT SELECT (key_id, kind, target) ON sync.deleg_key TO altinn_sync_receiver;              -- who has what is not its business
GRANT SELECT (id, partyid, userid) ON dbo.entity TO altinn_sync_receiver;                   -- numbers, nobody's name

-- Looking: no bytes of records -------------------------------------------------------------------------------------------

GRANT SELECT ON sync.topic, sync.partition_owner, sync.outcome_count, sync.target, sync.source, sync.source_gap,
                sync.pause, sync.yield, sync.decision, sync.backfill TO altinn_sync_viewer;
GRANT SELECT (scope, topic, partition, record_offset, entity_key, missing_kind, missing_id, appended_at, rule, since,
              urgent) ON sync.hold TO altinn_sync_viewer;
GRANT SELECT (scope, topic, partition, record_offset, entity_key, rule, code, field, reason, appended_at, sealed,
              digest, attempts, since, state, part, missing_kind, missing_id)
    ON sync.parked TO altinn_sync_viewer;
GRANT SELECT (effect_id, name, target, scope, topic, partition, entity_key, seq, state, attempt, not_before,
              last_code, last_error, created_at, ended_at)
    ON sync.outbox TO altinn_sync_viewer;

-- Which parties a delegation is of, by uuid: who looks for drift must be able to say whose access it is.
GRANT SELECT (key_id, key_uuid, kind, from_id, to_id, target, instance, effective, held_a3, refused, left_set, left_version, left_at,
              restores_a2, restores_a3, restore_parked_a2, restore_parked_a3) ON sync.deleg_key TO altinn_sync_viewer;
GRANT SELECT ON sync.pending, sync.snapshot, sync.export, sync.grant_after_freeze TO altinn_sync_viewer;
GRANT SELECT (key_id, source, op, seq, right_id, ref) ON sync.deleg_ref TO altinn_sync_viewer;
GRANT SELECT (key_id, source, right_id, all_seq) ON sync.deleg_mark TO altinn_sync_viewer;
GRANT USAGE ON SCHEMA dbo TO altinn_sync_viewer;
GRANT SELECT (id, partyid) ON dbo.entity TO altinn_sync_viewer;     -- which row of an export waits for whom

-- Operators: what a viewer sees, "lanes open", "drift release", "pause", "resume" and "capture backfill" ----------------

GRANT altinn_sync_viewer TO altinn_sync_operator;
GRANT UPDATE (state, reason, changed_by, changed_at) ON sync.target TO altinn_sync_operator;
GRANT UPDATE (state, scope, topic, partition, attempt, not_before, ended_at) ON sync.outbox TO altinn_sync_operator;
GRANT UPDATE (restores_a2, restores_a3, restore_parked_a2, restore_parked_a3) ON sync.deleg_key TO altinn_sync_operator;
GRANT INSERT ON sync.pending TO altinn_sync_operator;
GRANT DELETE ON sync.grant_after_freeze TO altinn_sync_operator;
GRANT INSERT, UPDATE, DELETE ON sync.pause, sync.backfill TO altinn_sync_operator;
GRANT SELECT (capture), DELETE ON sync.backfill_sent TO altinn_sync_operator;   -- of a load before, when one begins
GRANT SELECT (resource, type) ON sync.resource_state TO altinn_sync_operator;   -- what Altinn 2 is to export
GRANT INSERT ON sync.audit TO altinn_sync_operator;

COMMIT;
