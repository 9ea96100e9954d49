/* db migrate and db status. Not here: the SQL and how it is applied (src/runtime/migrate.c). */
#include "cli.h"

#include "../runtime/migrate.h"
#include "../runtime/time_text.h"

#include <stdlib.h>

#define ROWS_MAX 256

static sync_status open_home(const struct sync_cli *cli, struct sync_db **ret_db,
                             struct sync_error *err)
{
    const struct sync_db_options options = {.dsn = cli->config.database_dsn,
                                            .application = "altinn-sync"};
    return sync_db_new(&options, ret_db, err);
}

static void print_done(const struct sync_cli *cli, bool dry_run, int applied, int created)
{
    if (cli->json) {
        struct sync_json_writer writer;
        sync_json_writer_init(&writer);
        sync_json_open(&writer, NULL, '{');
        sync_json_put_bool(&writer, "dry_run", dry_run);
        sync_json_put_integer(&writer, "migrations", applied);
        sync_json_put_integer(&writer, "origins", created);
        sync_json_close(&writer, '}');
        char *text = sync_json_writer_take(&writer);
        (void)puts(text == NULL ? "" : text);
        free(text);
        return;
    }
    (void)printf("%s %d migration%s and %d replication origin%s\n",
                 dry_run ? "would apply" : "applied", applied, applied == 1 ? "" : "s", created,
                 created == 1 ? "" : "s");
}

int sync_cli_db_migrate(struct sync_cli *cli, int argc, char **argv)
{
    bool dry_run = sync_cli_switch(&argc, argv, "--dry-run");
    int wrong = sync_cli_arguments("db migrate", argc, argv, 0, 0);
    if (wrong != 0) {
        return wrong;
    }
    struct sync_db *db = NULL;
    struct sync_error err = {0};
    int applied = 0, created = 0;
    sync_status status = open_home(cli, &db, &err);
    if (sync_is_ok(status)) {
        status = sync_db_migrate(db, dry_run, &applied, &err);
    }
    if (sync_is_ok(status)) {
        status = sync_db_migrate_origins(db, (int)cli->config.origin_pool, dry_run, &created, &err);
    }
    sync_db_free(&db);
    if (!sync_is_ok(status)) {
        return sync_cli_fail(&err);
    }
    print_done(cli, dry_run, applied, created);
    return SYNC_EXIT_OK;
}

static const char *state_word(enum sync_migration_state state)
{
    switch (state) {
    case SYNC_MIGRATION_PENDING:
        return "pending";
    case SYNC_MIGRATION_APPLIED:
        return "applied";
    case SYNC_MIGRATION_CHANGED:
        return "changed";
    case SYNC_MIGRATION_UNKNOWN:
        return "unknown";
    }
    return "";
}

static void print_rows(const struct sync_cli *cli, const struct sync_migration_row *rows,
                       size_t count)
{
    static const char *const columns[] = {"#VERSION", "NAME", "STATE", "APPLIED_AT", NULL};
    struct sync_table *table = sync_table_new(columns);
    for (size_t i = 0; i < count; i++) {
        char version[16], applied_at[SYNC_TIME_BUFFER] = "";
        (void)snprintf(version, sizeof version, "%d", rows[i].version);
        if (rows[i].state != SYNC_MIGRATION_PENDING) {
            sync_time_format(rows[i].applied_us, 0, applied_at);
        }
        sync_table_row(table,
                       SYNC_CELLS(version, rows[i].name, state_word(rows[i].state), applied_at));
    }
    sync_table_print(&table, cli->json, stdout);
}

int sync_cli_db_status(struct sync_cli *cli, int argc, char **argv)
{
    int wrong = sync_cli_arguments("db status", argc, argv, 0, 0);
    if (wrong != 0) {
        return wrong;
    }
    struct sync_db *db = NULL;
    struct sync_error err = {0};
    struct sync_migration_row rows[ROWS_MAX];
    size_t count = 0;
    int missing = 0;
    sync_status status = open_home(cli, &db, &err);
    if (sync_is_ok(status)) {
        status = sync_migrations_read(db, rows, ROWS_MAX, &count, &err);
    }
    if (sync_is_ok(status)) {
        status = sync_db_migrate_origins(db, (int)cli->config.origin_pool, true, &missing, &err);
    }
    sync_db_free(&db);
    if (!sync_is_ok(status)) {
        return sync_cli_fail(&err);
    }
    print_rows(cli, rows, count);
    bool differs = missing > 0;
    for (size_t i = 0; i < count; i++) {
        differs |= rows[i].state != SYNC_MIGRATION_APPLIED;
    }
    if (missing > 0) {
        (void)fprintf(
            stderr,
            "altinn-sync: %d replication origin%s missing; run \"altinn-sync db migrate\"\n",
            missing, missing == 1 ? " is" : "s are");
    }
    return differs ? SYNC_EXIT_DIFFERENCES : SYNC_EXIT_OK;
}
