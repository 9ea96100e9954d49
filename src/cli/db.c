/* db migrate and db status, over the homes. Not here: the SQL and how it is applied
 * (src/runtime/migrate.c). */
#include "homes.h"

#include "../runtime/migrate.h"
#include "../runtime/time_text.h"

#include <stdlib.h>

#define ROWS_MAX 256

/* What one home got. */
struct done {
    int applied, created;
};

static void put_done(const struct sync_cli *cli, const struct homes *homes, size_t i, bool dry_run,
                     const struct done *done)
{
    if (!cli->json) {
        (void)printf("%s%s%s %d migration%s and %d replication origin%s\n",
                     homes->shown ? homes->items[i].name : "", homes->shown ? ": " : "",
                     dry_run ? "would apply" : "applied", done->applied,
                     done->applied == 1 ? "" : "s", done->created, done->created == 1 ? "" : "s");
    }
}

static void print_json(const struct homes *homes, size_t count, bool dry_run,
                       const struct done *done)
{
    struct sync_json_writer writer;
    sync_json_writer_init(&writer);
    sync_json_open(&writer, NULL, '[');
    for (size_t i = 0; i < count; i++) {
        sync_json_open(&writer, NULL, '{');
        sync_json_put_text(&writer, "home", homes->items[i].name);
        sync_json_put_bool(&writer, "dry_run", dry_run);
        sync_json_put_integer(&writer, "migrations", done[i].applied);
        sync_json_put_integer(&writer, "origins", done[i].created);
        sync_json_close(&writer, '}');
    }
    sync_json_close(&writer, ']');
    char *text = sync_json_writer_take(&writer);
    (void)puts(text == NULL ? "" : text);
    free(text);
}

static sync_status migrate_home(const struct sync_cli *cli, const struct sync_home *home,
                                bool dry_run, struct done *ret_done, struct sync_error *err)
{
    struct sync_db *db = NULL;
    sync_status status = homes_open(home, "altinn-sync", &db, err);
    if (sync_is_ok(status)) {
        status = sync_db_migrate(db, home->name, dry_run, &ret_done->applied, err);
    }
    if (sync_is_ok(status)) {
        status = sync_db_migrate_origins(db, home->name, (int)cli->config.origin_pool, dry_run,
                                         &ret_done->created, err);
    }
    sync_db_free(&db);
    return status;
}

/* A home that fails keeps no other one waiting, and its sentence says which it is. */
int sync_cli_db_migrate(struct sync_cli *cli, int argc, char **argv)
{
    struct homes homes;
    struct done done[SYNC_HOMES_MAX] = {{0}};
    bool dry_run = sync_cli_switch(&argc, argv, "--dry-run");
    int wrong = homes_take(cli, "db migrate", &argc, argv, &homes);
    wrong = wrong == 0 ? sync_cli_arguments("db migrate", argc, argv, 0, 0) : wrong;
    if (wrong != 0) {
        return wrong;
    }
    int code = SYNC_EXIT_OK;
    size_t count = 0;
    for (size_t i = 0; i < homes.count; i++) {
        struct sync_error err = {0};
        if (sync_is_ok(migrate_home(cli, &homes.items[i], dry_run, &done[i], &err))) {
            homes.items[count] = homes.items[i];
            done[count] = done[i];
            put_done(cli, &homes, count, dry_run, &done[count]);
            count++;
        } else {
            int failed = homes_fail(&homes, &homes.items[i], &err);
            code = code == SYNC_EXIT_OK ? failed : code;
        }
    }
    if (cli->json) {
        print_json(&homes, count, dry_run, done);
    }
    return code;
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

static void add_rows(struct sync_table *table, const struct homes *homes,
                     const struct sync_home *home, const struct sync_migration_row *rows,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char version[16], applied_at[SYNC_TIME_BUFFER] = "";
        (void)snprintf(version, sizeof version, "%d", rows[i].version);
        if (rows[i].state != SYNC_MIGRATION_PENDING) {
            sync_time_format(rows[i].applied_us, 0, applied_at);
        }
        homes_row(table, homes, home,
                  SYNC_CELLS(version, rows[i].name, state_word(rows[i].state), applied_at));
    }
}

/* Adds what one home has; ret_differs: it is not what this binary needs. */
static sync_status look_at_home(const struct sync_cli *cli, const struct homes *homes,
                                const struct sync_home *home, struct sync_table *table,
                                bool *ret_differs, struct sync_error *err)
{
    struct sync_migration_row rows[ROWS_MAX];
    struct sync_db *db = NULL;
    size_t count = 0;
    int missing = 0;
    sync_status status = homes_open(home, "altinn-sync", &db, err);
    if (sync_is_ok(status)) {
        status = sync_migrations_read(db, home->name, rows, ROWS_MAX, &count, err);
    }
    if (sync_is_ok(status)) {
        status = sync_db_migrate_origins(db, home->name, (int)cli->config.origin_pool, true,
                                         &missing, err);
    }
    sync_db_free(&db);
    if (!sync_is_ok(status)) {
        return status;
    }
    add_rows(table, homes, home, rows, count);
    *ret_differs = missing > 0;
    for (size_t i = 0; i < count; i++) {
        *ret_differs |= rows[i].state != SYNC_MIGRATION_APPLIED;
    }
    if (missing > 0) {
        (void)fprintf(stderr,
                      "altinn-sync: %s%s%d replication origin%s missing; run \"altinn-sync db "
                      "migrate\"\n",
                      homes->shown ? home->name : "", homes->shown ? ": " : "", missing,
                      missing == 1 ? " is" : "s are");
    }
    return SYNC_OK;
}

int sync_cli_db_status(struct sync_cli *cli, int argc, char **argv)
{
    static const char *const columns[] = {"#VERSION", "NAME", "STATE", "APPLIED_AT", NULL};
    struct homes homes;
    int wrong = homes_take(cli, "db status", &argc, argv, &homes);
    wrong = wrong == 0 ? sync_cli_arguments("db status", argc, argv, 0, 0) : wrong;
    if (wrong != 0) {
        return wrong;
    }
    struct sync_table *table = homes_table(&homes, columns);
    int code = SYNC_EXIT_OK;
    for (size_t i = 0; i < homes.count; i++) {
        struct sync_error err = {0};
        bool differs = false;
        if (!sync_is_ok(look_at_home(cli, &homes, &homes.items[i], table, &differs, &err))) {
            code = homes_fail(&homes, &homes.items[i], &err);
        } else if (differs && code == SYNC_EXIT_OK) {
            code = SYNC_EXIT_DIFFERENCES;
        }
    }
    return homes_print(cli, &homes, &table, code);
}
