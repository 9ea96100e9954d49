-- Roles of altinn-sync. Run once by a superuser, in each home database of Altinn 3 (correspondence, authorization),
-- before the first "altinn-sync db migrate":   psql -v ON_ERROR_STOP=1 -f roles.sql
-- Then, after every "db migrate":   psql -v ON_ERROR_STOP=1 -f grants.sql, or authorization-grants.sql in that home
--
-- Roles belong to a whole server. Where both homes are on one, a login of one entity has the rights of its group in the
-- other home too; pg_hba.conf keeps it out.
--
-- Rights belong to the group roles altinn_sync_…; a process logs in as a role of its own that is a member of
-- exactly one of them. No role has a password here: use certificates or a pass file (PGPASSFILE). A role that
-- logs in with a password gets it from you, with \password, never from a file in version control.

BEGIN;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['altinn_sync_migration', 'altinn_sync_consumer', 'altinn_sync_load',
                                'altinn_sync_capture', 'altinn_sync_receiver', 'altinn_sync_viewer',
                                'altinn_sync_operator'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
    -- The migration role owns the schema "sync" and makes it; nobody else may create anything.
    EXECUTE format('GRANT CREATE ON DATABASE %I TO altinn_sync_migration', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO altinn_sync_migration, altinn_sync_consumer, altinn_sync_load,'
                   ' altinn_sync_capture, altinn_sync_receiver, altinn_sync_viewer, altinn_sync_operator',
                   current_database());
END $$;

-- The pools of replication origins: made by the migration role, taken by those who write tables of Altinn 3.
-- An origin hides a change from our capture, so nobody else may take one.
GRANT EXECUTE ON FUNCTION pg_catalog.pg_replication_origin_create(text) TO altinn_sync_migration;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_replication_origin_session_setup(text),
                          pg_catalog.pg_replication_origin_session_reset(),
                          pg_catalog.pg_replication_origin_xact_setup(pg_lsn, timestamptz)
    TO altinn_sync_consumer, altinn_sync_load;

-- Logins, one per process. REPLICATION does not come with membership: the capture's login has it itself.
DO $$
DECLARE
    login record;
BEGIN
    FOR login IN SELECT * FROM (VALUES
        ('altinn-sync-migration', 'altinn_sync_migration', ''),
        ('altinn-sync-status-to-altinn3', 'altinn_sync_consumer', ''),
        ('altinn-sync-status-to-altinn2', 'altinn_sync_consumer', ''),
        ('altinn-sync-load', 'altinn_sync_load', ''),
        ('altinn-sync-altinn3-status', 'altinn_sync_capture', 'REPLICATION'),
        ('altinn-sync-altinn2-status', 'altinn_sync_receiver', ''),
        ('altinn-sync-delegation-to-altinn3', 'altinn_sync_consumer', ''),
        ('altinn-sync-delegation-to-altinn2', 'altinn_sync_consumer', ''),
        ('altinn-sync-delegation-backlog-to-altinn3', 'altinn_sync_consumer', ''),
        ('altinn-sync-delegation-backlog-to-altinn2', 'altinn_sync_consumer', ''),
        ('altinn-sync-altinn3-delegation', 'altinn_sync_capture', 'REPLICATION'),
        ('altinn-sync-altinn2-delegation', 'altinn_sync_receiver', ''),
        ('altinn-sync-viewer', 'altinn_sync_viewer', ''),
        ('altinn-sync-operator', 'altinn_sync_operator', '')) AS l (name, member_of, attribute)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login.name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN %s IN ROLE %I', login.name, login.attribute, login.member_of);
        END IF;
    END LOOP;
END $$;
-- What the migration makes belongs to the group, so that another login may migrate next time.
ALTER ROLE "altinn-sync-migration" SET role = 'altinn_sync_migration';

COMMIT;
