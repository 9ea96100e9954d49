-- Rights of the processes of altinn-sync. Run by a superuser after every "altinn-sync db migrate", in the Altinn 3
-- correspondence database; may be repeated. The roles come from roles.sql; "altinn-sync doctor" says what lacks.
--
-- Nobody reads what a message says: "CorrespondenceContents" is read by its ids only. Nobody deletes or changes a
-- row of Altinn 3. UPDATE on one id column is what PostgreSQL asks for before it lets a row be locked; no
-- statement of ours writes it.

BEGIN;

GRANT USAGE ON SCHEMA sync TO altinn_sync_consumer, altinn_sync_load, altinn_sync_capture, altinn_sync_receiver,
                              altinn_sync_viewer, altinn_sync_operator;
GRANT USAGE ON SCHEMA correspondence TO altinn_sync_consumer, altinn_sync_load, altinn_sync_capture,
                                        altinn_sync_receiver;
GRANT USAGE ON SCHEMA public TO altinn_sync_load;               -- the type hstore
GRANT SELECT ON sync.schema_version TO altinn_sync_consumer, altinn_sync_load, altinn_sync_capture,
                                       altinn_sync_receiver, altinn_sync_viewer, altinn_sync_operator;

-- Consumers and "load": common tables --------------------------------------------------------------------------
-- Both consumers of an entity write the same rows: a release also decides what was held for the other direction.

GRANT SELECT, INSERT, UPDATE ON sync.topic, sync.partition_owner, sync.outcome_count, sync.parked, sync.target
    TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT, INSERT, UPDATE, DELETE ON sync.hold, sync.outbox, sync.expected_echo
    TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT, INSERT, UPDATE, DELETE ON sync.yield TO altinn_sync_consumer;
GRANT SELECT, INSERT ON sync.decision, sync.seen TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT ON sync.source, sync.source_gap, sync.party, sync.pause TO altinn_sync_consumer, altinn_sync_load;
GRANT INSERT, UPDATE ON sync.party TO altinn_sync_load;
GRANT EXECUTE ON FUNCTION sync.keep_days(text, int) TO altinn_sync_consumer, altinn_sync_load;

-- Consumers and "load": correspondence status ------------------------------------------------------------------

GRANT SELECT, INSERT, UPDATE ON sync.correspondence, sync.correspondence_fact
    TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT ("Id", "Altinn2CorrespondenceId", "PartyId", "IsMigrating", "IsConfirmationNeeded"), UPDATE ("Id")
    ON correspondence."Correspondences" TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT (xmin, "Id", "CorrespondenceId")
    ON correspondence."CorrespondenceContents" TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT (xmin, "Id", "CorrespondenceId", "Status", "StatusChanged", "PartyUuid", "SyncedFromAltinn2"),
      INSERT ("Id", "CorrespondenceId", "Status", "StatusText", "StatusChanged", "PartyUuid", "SyncedFromAltinn2")
    ON correspondence."CorrespondenceStatuses" TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT (xmin, "Id", "CorrespondenceId", "EventType", "EventOccurred", "PartyUuid", "SyncedFromAltinn2"),
      INSERT ("Id", "CorrespondenceId", "EventType", "EventOccurred", "PartyUuid", "SyncedFromAltinn2")
    ON correspondence."CorrespondenceDeleteEvents" TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT ("Id"), INSERT ("Id", "CorrespondenceId", "AttachmentId", "PartyUrn", "StatusAction", "IdempotencyType")
    ON correspondence."IdempotencyKeys" TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT ("Id", "Altinn2AttachmentId", "Created"), UPDATE ("Id")
    ON correspondence."Attachments" TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT ("Id", "CorrespondenceContentId", "AttachmentId")
    ON correspondence."CorrespondenceAttachments" TO altinn_sync_consumer, altinn_sync_load;
GRANT SELECT ("Id", "AttachmentId", "Status"),
      INSERT ("Id", "AttachmentId", "Status", "StatusText", "StatusChanged", "PartyUuid")
    ON correspondence."AttachmentStatuses" TO altinn_sync_consumer, altinn_sync_load;

-- "load" also inserts whole messages --------------------------------------------------------------------------

GRANT INSERT ON correspondence."Correspondences", correspondence."CorrespondenceContents",
                correspondence."CorrespondenceReplyOptions", correspondence."ExternalReferences",
                correspondence."Attachments", correspondence."CorrespondenceAttachments"
    TO altinn_sync_load;

-- Captures ---------------------------------------------------------------------------------------------------------
-- The slot's changes come with REPLICATION; the ids that the log does not carry are looked up.

GRANT SELECT, INSERT, UPDATE ON sync.source, sync.source_gap TO altinn_sync_capture;
GRANT SELECT, INSERT, UPDATE ON sync.source TO altinn_sync_receiver;
GRANT SELECT (altinn2_id, altinn3_id, mapping) ON sync.correspondence TO altinn_sync_capture, altinn_sync_receiver;
GRANT SELECT ("Id", "Altinn2CorrespondenceId") ON correspondence."Correspondences"
    TO altinn_sync_capture, altinn_sync_receiver;

-- Looking (status, lists, doctor): no bytes of records ---------------------------------------------------------------

GRANT SELECT ON sync.topic, sync.partition_owner, sync.outcome_count, sync.target, sync.source, sync.source_gap,
                sync.pause, sync.yield, sync.decision TO altinn_sync_viewer;
GRANT SELECT (scope, topic, partition, record_offset, entity_key, missing_kind, missing_id, appended_at, rule, since,
              urgent) ON sync.hold TO altinn_sync_viewer;
GRANT SELECT (scope, topic, partition, record_offset, entity_key, rule, code, field, reason, appended_at, sealed,
              digest, attempts, since, state, part, missing_kind, missing_id)
    ON sync.parked TO altinn_sync_viewer;
GRANT SELECT (effect_id, name, target, scope, topic, partition, entity_key, seq, state, attempt, not_before,
              last_code, last_error, created_at, ended_at)
    ON sync.outbox TO altinn_sync_viewer;

-- Operators: what a viewer sees, "lanes open", "pause" and "resume" ---------------------------------------------------------------------

GRANT altinn_sync_viewer TO altinn_sync_operator;
GRANT UPDATE (state, reason, changed_by, changed_at) ON sync.target TO altinn_sync_operator;
GRANT UPDATE (state, scope, topic, partition, attempt, not_before, ended_at) ON sync.outbox TO altinn_sync_operator;
GRANT SELECT (altinn2_id, a2_read, a2_confirmed, a2_deleted), UPDATE (a2_read, a2_confirmed, a2_deleted)
    ON sync.correspondence TO altinn_sync_operator;             -- what Altinn 2 is told is on its way again
GRANT INSERT, UPDATE, DELETE ON sync.pause TO altinn_sync_operator;
GRANT INSERT ON sync.audit TO altinn_sync_operator;

COMMIT;
