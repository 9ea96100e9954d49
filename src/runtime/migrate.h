/*
 * Brings a home database to the state that this binary knows: numbered SQL with checksums under an
 * advisory lock, then the pools of replication origins. home is the name in sync_processor.home: it
 * has the common migrations and those of its entities.
 */
#ifndef SYNC_RUNTIME_MIGRATE_H
#define SYNC_RUNTIME_MIGRATE_H
#include "postgres.h"

struct sync_migration {
    int version;
    const char *name, *sql; /* common 1…99, entities from 100 on, each entity its own hundred */
    const char *home;       /* NULL = every home */
};
extern const struct sync_migration sync_migrations[]; /* generated, ended by name NULL, ascending */

enum sync_migration_state {
    SYNC_MIGRATION_PENDING, /* not applied yet */
    SYNC_MIGRATION_APPLIED,
    SYNC_MIGRATION_CHANGED, /* applied with another text than that of this binary */
    SYNC_MIGRATION_UNKNOWN, /* applied by a newer binary, or of another home */
};
struct sync_migration_row {
    int version;
    char name[64];
    enum sync_migration_state state;
    int64_t applied_us; /* not for PENDING */
};

/* Every migration that the binary knows for the home, or the database, ascending. Fails: as
 * sync_db_exec. */
sync_status sync_migrations_read(struct sync_db *db, const char *home,
                                 struct sync_migration_row *ret_rows, size_t max, size_t *ret_count,
                                 struct sync_error *err);

/*
 * Applies what is pending, each in a transaction of its own; with dry_run only counts it.
 * Blocks: at most SYNC_DB_MIGRATE_MS per migration; two runs at once wait for each other.
 * Fails: FATAL db_schema when one was changed or is unknown, or fails; those before it stay
 * applied.
 */
sync_status sync_db_migrate(struct sync_db *db, const char *home, bool dry_run, int *ret_applied,
                            struct sync_error *err);

/*
 * Makes the origins "sync:<route>:1…pool" of every route of the home that are missing.
 * Fails: FATAL db_refused when our role may not.
 */
sync_status sync_db_migrate_origins(struct sync_db *db, const char *home, int pool, bool dry_run,
                                    int *ret_created, struct sync_error *err);

/*
 * For processes that work on the schema: it is exactly the one of this binary for the home.
 * Fails: FATAL db_schema with the command to run.
 */
sync_status sync_db_schema_check(struct sync_db *db, const char *home, struct sync_error *err);
#endif
