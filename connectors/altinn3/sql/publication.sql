-- The publication from which "capture altinn3-status" reads. Run once, in the Altinn 3 correspondence database,
-- by the OWNER of the tables: nobody else may publish them (42501). Then: altinn-sync capture init altinn3-status
--
-- Only inserts: with updates and deletes published, every update and delete of the application on these tables
-- would need the published columns in the replica identity. Rows are never changed, so inserts are all there is.
CREATE PUBLICATION altinn_sync_status FOR TABLE
    correspondence."CorrespondenceStatuses"
        ("Id", "CorrespondenceId", "Status", "StatusChanged", "PartyUuid", "SyncedFromAltinn2"),
    correspondence."CorrespondenceDeleteEvents"
        ("Id", "CorrespondenceId", "EventType", "EventOccurred", "PartyUuid", "SyncedFromAltinn2")
    WITH (publish = 'insert');
