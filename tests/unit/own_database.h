/*
 * A database of its own for one test program, on the server of SYNC_TEST_DSN (a superuser's DSN of
 * a throw-away server): Altinn 3's tables, ours, and the questions that tests ask. Not here:
 * records.
 */
#ifndef SYNC_TESTS_OWN_DATABASE_H
#define SYNC_TESTS_OWN_DATABASE_H
#include "../../src/runtime/migrate.h"
#include "../../src/runtime/postgres.h"
#include "server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct own_database {
    bool usable;
    char name[64], dsn[512];
    struct sync_db *admin, *db, *other; /* db: for what is tested; other: for the test itself */
    struct sync_error err;
} own;

#define NEEDS_DATABASE()                                                                           \
    do {                                                                                           \
        if (!own.usable) {                                                                         \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static inline void must(sync_status status)
{
    if (!sync_is_ok(status)) {
        fail_msg("%s", own.err.text);
    }
}

static inline struct sync_db *own_open(const char *dsn)
{
    struct sync_db_options options = {.dsn = dsn, .application = "unit test"};
    struct sync_db *db = NULL;
    must(sync_db_new(&options, &db, &own.err));
    must(sync_db_connect(db, &own.err));
    return db;
}

static inline void own_script(const char *path)
{
    enum { BYTES = 1 << 20 };
    FILE *file = fopen(path, "re");
    char *text = calloc(1, BYTES);
    assert_true(file != NULL && text != NULL);
    assert_true(fread(text, 1, BYTES - 1, file) > 0);
    (void)fclose(file);
    must(sync_db_script(own.db, text, &own.err));
    free(text);
}

/*
 * Makes a database of one home, with Altinn 3's tables from dev/sql/altinn3-<home>.sql. Without
 * SYNC_TEST_DSN it says so, and own.usable stays false.
 */
static inline void own_start_home(const char *name, const char *home)
{
    char tables[512];
    const char *base = server_dsn();
    char sql[160];
    int applied = 0;
    if (base == NULL) {
        (void)printf("skipped: SYNC_TEST_DSN names no PostgreSQL server\n");
        return;
    }
    /* A later database name wins, in either form of a DSN. */
    bool uri = strncmp(base, "postgres", 8) == 0;
    const char *joint = uri ? (strchr(base, '?') != NULL ? "&" : "?") : " ";
    (void)snprintf(own.name, sizeof own.name, "%s_%d", name, (int)getpid());
    (void)snprintf(own.dsn, sizeof own.dsn, "%s%sdbname=%s", base, joint, own.name);
    (void)snprintf(sql, sizeof sql, "CREATE DATABASE %s", own.name);
    own.admin = own_open(base);
    must(sync_db_script(own.admin, sql, &own.err));
    own.db = own_open(own.dsn);
    own.other = own_open(own.dsn);
    (void)snprintf(tables, sizeof tables, "%s/dev/sql/altinn3-%s.sql", SYNC_SOURCE_DIR, home);
    own_script(tables);
    must(sync_db_migrate(own.db, home, false, &applied, &own.err));
    must(sync_db_script(own.db,
                        "CREATE FUNCTION public.ask(sql text) RETURNS int8 LANGUAGE plpgsql AS"
                        " 'DECLARE n int8; BEGIN EXECUTE sql INTO n; RETURN n; END'",
                        &own.err));
    own.usable = true;
}

static inline void own_start(const char *name)
{
    own_start_home(name, "correspondence");
}

static inline void own_stop(void)
{
    char sql[160];
    sync_db_free(&own.db);
    sync_db_free(&own.other);
    if (own.admin != NULL) {
        (void)snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)", own.name);
        must(sync_db_script(own.admin, sql, &own.err));
    }
    sync_db_free(&own.admin);
}

static inline void run_sql(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void run_sql(const char *format, ...)
{
    char sql[4096];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    must(sync_db_script(own.other, sql, &own.err));
}

/* The number that a query gives. */
/* What a session has read stands in the views of statistics from now on. */
static inline void tell_statistics(struct sync_db *db)
{
    must(sync_db_script(db, "SELECT pg_stat_force_next_flush()", &own.err));
}

static inline int64_t ask(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline int64_t ask(const char *format, ...)
{
    static const struct sync_statement statement = {"ask", "SELECT public.ask($1)"};
    char sql[1024];
    uint8_t memory[64];
    struct sync_arena arena;
    struct sync_params params;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_text(&params, sql);
    SYNC_RESULT result = {0};
    must(sync_db_exec(own.other, &statement, &params, &result, &own.err));
    return sync_result_int8(&result, 0, 0);
}

#endif
