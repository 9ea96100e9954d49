/*
 * "drift list" and "drift release CLASS KEY…": what was decided and a side does not show, and
 * letting go on what was given up. Not here: which classes there are (sync_store.drift), commands
 * without a route (lanes.c).
 */
#include "homes.h"

#include "../core/limits.h"
#include "../runtime/store.h"
#include "../runtime/time_text.h"

#include <stdlib.h>
#include <string.h>

#define CELL          512 /* two UUIDs, a resource and an instance */
#define LIMIT_DEFAULT 100
#define LIMIT_MAX     100000
#define REASON_MAX    500
#define ARENA_BYTES   (64 * 1024) /* SYNC_DRIFT_RELEASE_MAX uuids as text */
#define CLASS_BYTES   32

static const struct sync_statement audit_statement = {
    "cli_drift_audit", "INSERT INTO sync.audit (at, actor, action, subject, reason, detail)"
                       " VALUES (now(), $3, 'drift release', $1, $2, jsonb_build_object('keys', "
                       "to_jsonb($4::uuid[])))"};

struct listing {
    const char *class; /* NULL = every one */
    int64_t limit, rows;
    struct homes homes;
    struct sync_table *table;
};

static const struct sync_drift *drift_of(const struct sync_processor *processor)
{
    const struct sync_store *store = sync_store_find(processor->store);
    return store == NULL ? NULL : store->drift;
}

static const struct sync_drift *find_class(const struct sync_home *home, const char *class)
{
    for (size_t i = 0; sync_processors[i] != NULL; i++) {
        const struct sync_drift *drift = drift_of(sync_processors[i]);
        bool here = home == NULL || strcmp(sync_processors[i]->home, home->name) == 0;
        for (; here && drift != NULL && drift->class != NULL; drift++) {
            if (strcmp(drift->class, class) == 0) {
                return drift;
            }
        }
    }
    return NULL;
}

/* Says which classes there are. */
static int no_class(const char *verb, const char *class)
{
    char known[256] = "";
    for (size_t i = 0; sync_processors[i] != NULL; i++) {
        const struct sync_drift *drift = drift_of(sync_processors[i]);
        const char *last = "";
        for (; drift != NULL && drift->class != NULL; drift++) {
            size_t used = strlen(known);
            if (strcmp(drift->class, last) != 0) {
                (void)snprintf(known + used, sizeof known - used, "%s%s", used > 0 ? ", " : "",
                               drift->class);
            }
            last = drift->class;
        }
    }
    return sync_cli_usage(verb, "there is no class \"%.*s\"; there are: %s", CLASS_BYTES, class,
                          known);
}

/* List ---------------------------------------------------------------------------------------- */

static int take_limit(int *argc, char **argv, int64_t *ret_limit)
{
    const char *text = NULL;
    if (!sync_cli_flag(argc, argv, "--limit", &text)) {
        return 0;
    }
    char *end = NULL;
    int64_t limit = text != NULL ? strtoll(text, &end, 10) : 0;
    if (text == NULL || *end != '\0' || limit < 1 || limit > LIMIT_MAX) {
        return sync_cli_usage("drift list", "--limit needs a number from 1 to %d", LIMIT_MAX);
    }
    *ret_limit = limit;
    return 0;
}

static void put_text(const struct sync_result *result, int row, int column, char ret_cell[CELL])
{
    struct sync_bytes text = sync_result_is_null(result, row, column)
                                 ? (struct sync_bytes){NULL, 0}
                                 : sync_result_bytes(result, row, column);
    (void)snprintf(ret_cell, CELL, "%.*s", (int)text.size,
                   text.size == 0 ? "" : (const char *)text.data);
}

static void put_rows(struct listing *listing, const struct sync_home *home,
                     const struct sync_drift *drift, const struct sync_result *result)
{
    for (int row = 0; row < result->rows; row++) {
        char key[SYNC_UUID_BUFFER], since[SYNC_TIME_BUFFER] = "", name[CELL], what[CELL];
        struct sync_uuid id = sync_result_uuid(result, row, 0);
        sync_uuid_format(&id, key);
        if (!sync_result_is_null(result, row, 1)) {
            sync_time_format(sync_result_time(result, row, 1), 3, since);
        }
        put_text(result, row, 2, name);
        put_text(result, row, 3, what);
        homes_row(listing->table, &listing->homes, home,
                  SYNC_CELLS(drift->class, drift->rule,
                             drift->to == SYNC_SYSTEM_ALTINN2 ? "Altinn 2" : "Altinn 3", since, key,
                             name, what));
        listing->rows++;
    }
}

static sync_status list_class(struct listing *listing, const struct sync_home *home,
                              struct sync_db *db, const struct sync_drift *drift,
                              struct sync_error *err)
{
    uint8_t memory[64];
    struct sync_arena arena;
    struct sync_params params;
    SYNC_RESULT result = {0};
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_int8(&params, listing->limit);
    sync_status status = sync_db_exec(db, drift->list, &params, &result, err);
    if (sync_is_ok(status)) {
        put_rows(listing, home, drift, &result);
    }
    return status;
}

static sync_status list_home(struct listing *listing, const struct sync_home *home,
                             struct sync_error *err)
{
    struct sync_db *db = NULL;
    sync_status status = homes_open(home, "altinn-sync", &db, err);
    for (size_t i = 0; sync_processors[i] != NULL && sync_is_ok(status); i++) {
        const struct sync_drift *drift = drift_of(sync_processors[i]);
        bool here = strcmp(sync_processors[i]->home, home->name) == 0;
        for (; here && drift != NULL && drift->class != NULL && sync_is_ok(status); drift++) {
            if (listing->class == NULL || strcmp(listing->class, drift->class) == 0) {
                status = list_class(listing, home, db, drift, err);
            }
        }
    }
    sync_db_free(&db);
    return status;
}

int sync_cli_drift_list(struct sync_cli *cli, int argc, char **argv)
{
    static const char *const columns[] = {"CLASS", "RULE", "SIDE", "SINCE",
                                          "KEY",   "NAME", "WHAT", NULL};
    struct listing listing = {.limit = LIMIT_DEFAULT};
    bool one = sync_cli_flag(&argc, argv, "--class", &listing.class);
    int wrong = take_limit(&argc, argv, &listing.limit);
    if (wrong == 0 && one && listing.class == NULL) {
        wrong = sync_cli_usage("drift list", "--class needs a value");
    }
    if (wrong == 0 && one && find_class(NULL, listing.class) == NULL) {
        wrong = no_class("drift list", listing.class);
    }
    wrong = wrong == 0 ? homes_take(cli, "drift list", &argc, argv, &listing.homes) : wrong;
    wrong = wrong == 0 ? sync_cli_arguments("drift list", argc, argv, 0, 0) : wrong;
    if (wrong != 0) {
        return wrong;
    }
    listing.table = homes_table(&listing.homes, columns);
    int code = SYNC_EXIT_OK;
    for (size_t i = 0; i < listing.homes.count; i++) {
        struct sync_error err = {0};
        if (!sync_is_ok(list_home(&listing, &listing.homes.items[i], &err))) {
            code = homes_fail(&listing.homes, &listing.homes.items[i], &err);
        }
    }
    code = code == SYNC_EXIT_OK && listing.rows > 0 ? SYNC_EXIT_DIFFERENCES : code;
    return homes_print(cli, &listing.homes, &listing.table, code);
}

/* Release ------------------------------------------------------------------------------------- */

struct wish {
    const char *class, *reason;
    const struct sync_drift *drift;
    struct sync_home home;
    char actor[SYNC_CLI_ACTOR];
    struct sync_uuid keys[SYNC_DRIFT_RELEASE_MAX];
    size_t count;
};

static int take_keys(int argc, char **argv, struct wish *wish)
{
    for (int i = 0; i < argc; i++) {
        if (!sync_uuid_parse(sync_bytes_text(argv[i]), &wish->keys[wish->count++])) {
            return sync_cli_usage(
                "drift release", "\"%.40s\" is no key; KEY is a column of \"drift list\"", argv[i]);
        }
    }
    return 0;
}

/* The home is the one whose store knows the class; with --home the one named. */
static int find_home(const struct homes *homes, struct wish *wish)
{
    for (size_t i = 0; i < homes->count && wish->drift == NULL; i++) {
        wish->drift = find_class(&homes->items[i], wish->class);
        wish->home = homes->items[i];
    }
    if (wish->drift == NULL) {
        return no_class("drift release", wish->class);
    }
    if (wish->drift->release == NULL) {
        return sync_cli_usage("drift release",
                              "%s ends by itself when its cause is mended; nothing is released",
                              wish->class);
    }
    return 0;
}

static int read_wish(struct sync_cli *cli, int argc, char **argv, struct wish *wish)
{
    struct homes homes;
    (void)sync_cli_flag(&argc, argv, "--reason", &wish->reason);
    int wrong = homes_take(cli, "drift release", &argc, argv, &homes);
    wrong = wrong == 0
                ? sync_cli_arguments("drift release", argc, argv, 2, 1 + SYNC_DRIFT_RELEASE_MAX)
                : wrong;
    if (wrong != 0) {
        return wrong;
    }
    if (wish->reason == NULL || wish->reason[0] == '\0' || strlen(wish->reason) > REASON_MAX) {
        return sync_cli_usage("drift release",
                              "--reason needs a text of 1 to %d characters; it is stored",
                              REASON_MAX);
    }
    wish->class = argv[0];
    sync_cli_actor(wish->actor);
    wrong = find_home(&homes, wish);
    return wrong == 0 ? take_keys(argc - 1, argv + 1, wish) : wrong;
}

/* What went on, and who wanted it, in one transaction. */
static sync_status release_in(struct sync_db *db, const struct wish *wish, struct sync_arena *arena,
                              int *ret_released, struct sync_error *err)
{
    struct sync_params keys, audit;
    SYNC_RESULT result = {0};
    sync_params_init(&keys, arena);
    sync_params_uuid_array(&keys, wish->keys, NULL, wish->count);
    sync_status status = sync_db_exec(db, wish->drift->release, &keys, &result, err);
    if (!sync_is_ok(status) || result.rows == 0) {
        return status;
    }
    struct sync_uuid *gone = sync_arena_take_array(arena, (size_t)result.rows, sizeof *gone);
    SYNC_ASSERT(gone != NULL); /* at most as many as were asked for */
    for (int row = 0; row < result.rows; row++) {
        gone[row] = sync_result_uuid(&result, row, 0);
    }
    sync_params_init(&audit, arena);
    sync_params_text(&audit, wish->class);
    sync_params_text(&audit, wish->reason);
    sync_params_text(&audit, wish->actor);
    sync_params_uuid_array(&audit, gone, NULL, (size_t)result.rows);
    *ret_released = result.rows;
    return sync_db_exec(db, &audit_statement, &audit, NULL, err);
}

static sync_status release(struct sync_db *db, const struct wish *wish, int *ret_released,
                           struct sync_error *err)
{
    static uint8_t memory[ARENA_BYTES];
    struct sync_arena arena;
    int64_t now_us = 0;
    sync_arena_init(&arena, memory, sizeof memory);
    sync_status status = sync_txn_begin(db, &(struct sync_txn_limits){0}, &now_us, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = release_in(db, wish, &arena, ret_released, err);
    if (!sync_is_ok(status)) {
        sync_txn_rollback(db);
        return status;
    }
    return sync_txn_commit(db, err);
}

int sync_cli_drift_release(struct sync_cli *cli, int argc, char **argv)
{
    static struct wish wish; /* too large for the stack; one verb a process */
    struct sync_error err = {0};
    struct sync_db *db = NULL;
    int released = 0;
    wish = (struct wish){.class = NULL};
    int wrong = read_wish(cli, argc, argv, &wish);
    if (wrong != 0) {
        return wrong;
    }
    (void)fprintf(stderr, "%s (%s): %s\n", wish.class, wish.drift->rule, wish.drift->sentence);
    if (!sync_cli_confirm(cli, wish.drift->question)) {
        return SYNC_EXIT_REFUSED;
    }
    sync_status status = homes_open(&wish.home, "altinn-sync", &db, &err);
    status = sync_is_ok(status) ? release(db, &wish, &released, &err) : status;
    sync_db_free(&db);
    if (!sync_is_ok(status)) {
        return sync_cli_fail(&err);
    }
    (void)printf("released %d of %zu\n", released, wish.count);
    return (size_t)released == wish.count ? SYNC_EXIT_OK : SYNC_EXIT_PARTLY;
}
