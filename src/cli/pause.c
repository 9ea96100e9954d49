/*
 * "pause NAME" and "resume NAME": a stored switch that the running processes of a consumer look at.
 * Not here: what they stop (src/runtime/consumer_pause.c).
 */
#include "homes.h"

#include "../runtime/route.h"

#include <string.h>

#define REASON_MAX 500

static const struct sync_statement find_statement = {
    "cli_pause_find", "SELECT reason, changed_by FROM sync.pause WHERE name = $1"};
static const struct sync_statement pause_statement = {
    "cli_pause",
    "INSERT INTO sync.pause (name, reason, changed_by, changed_at) VALUES ($1, $2, $3, now())"
    " ON CONFLICT (name) DO UPDATE SET reason = excluded.reason, changed_by = excluded.changed_by,"
    " changed_at = excluded.changed_at"};
static const struct sync_statement resume_statement = {"cli_resume",
                                                       "DELETE FROM sync.pause WHERE name = $1"};
static const struct sync_statement audit_statement = {
    "cli_pause_audit", "INSERT INTO sync.audit (at, actor, action, subject, reason)"
                       " VALUES (now(), $3, $4, $1, $2)"};

/* What the command line asks for. */
struct wish {
    bool pause;
    const char *verb, *name, *reason;
    char actor[SYNC_CLI_ACTOR];
};

static int read_wish(int argc, char **argv, struct wish *wish)
{
    (void)sync_cli_flag(&argc, argv, "--reason", &wish->reason);
    int wrong = sync_cli_arguments(wish->verb, argc, argv, 1, 1);
    if (wrong != 0) {
        return wrong;
    }
    if (wish->reason == NULL || wish->reason[0] == '\0' || strlen(wish->reason) > REASON_MAX) {
        return sync_cli_usage(
            wish->verb, "--reason needs a text of 1 to %d characters; it is stored", REASON_MAX);
    }
    wish->name = argv[0];
    sync_cli_actor(wish->actor);
    return 0;
}

/* The row as it is. */
static sync_status look(struct sync_db *db, const struct wish *wish, bool *ret_paused,
                        struct sync_error *err)
{
    struct sync_params params;
    SYNC_RESULT result = {0};
    sync_params_init(&params, NULL); /* text is borrowed */
    sync_params_text(&params, wish->name);
    sync_status status = sync_db_exec(db, &find_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    *ret_paused = result.rows > 0;
    if (*ret_paused) {
        struct sync_bytes reason = sync_result_bytes(&result, 0, 0);
        struct sync_bytes by = sync_result_bytes(&result, 0, 1);
        (void)fprintf(stderr, "%s is paused by %.*s: %.*s\n", wish->name, (int)by.size,
                      (const char *)by.data, (int)reason.size, (const char *)reason.data);
    } else {
        (void)fprintf(stderr, "%s is not paused\n", wish->name);
    }
    return SYNC_OK;
}

static sync_status write_switch(struct sync_db *db, const struct wish *wish, struct sync_error *err)
{
    struct sync_params params, audit;
    int64_t now_us = 0;
    sync_params_init(&params, NULL);
    sync_params_text(&params, wish->name);
    if (wish->pause) {
        sync_params_text(&params, wish->reason);
        sync_params_text(&params, wish->actor);
    }
    sync_params_init(&audit, NULL);
    sync_params_text(&audit, wish->name);
    sync_params_text(&audit, wish->reason);
    sync_params_text(&audit, wish->actor);
    sync_params_text(&audit, wish->verb);
    sync_status status = sync_txn_begin(db, &(struct sync_txn_limits){0}, &now_us, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status =
        sync_db_exec(db, wish->pause ? &pause_statement : &resume_statement, &params, NULL, err);
    status = sync_is_ok(status) ? sync_db_exec(db, &audit_statement, &audit, NULL, err) : status;
    if (!sync_is_ok(status)) {
        sync_txn_rollback(db);
        return status;
    }
    return sync_txn_commit(db, err);
}

static int change(struct sync_cli *cli, struct sync_db *db, const struct wish *wish)
{
    struct sync_error err = {0};
    bool paused = false;
    if (!sync_is_ok(look(db, wish, &paused, &err))) {
        return sync_cli_fail(&err);
    }
    if (!paused && !wish->pause) {
        (void)fprintf(stderr, "nothing to resume\n");
        return SYNC_EXIT_OK;
    }
    if (!sync_cli_confirm(cli, wish->pause ? "Pause it?" : "Resume it?")) {
        return SYNC_EXIT_REFUSED;
    }
    if (!sync_is_ok(write_switch(db, wish, &err))) {
        return sync_cli_fail(&err);
    }
    (void)printf("%s %s; its processes hear of it within a second\n",
                 wish->pause ? "paused" : "resumed", wish->name);
    return SYNC_EXIT_OK;
}

static int run(struct sync_cli *cli, int argc, char **argv, struct wish *wish)
{
    struct sync_error err = {0};
    struct sync_db *db = NULL;
    int wrong = read_wish(argc, argv, wish);
    if (wrong != 0) {
        return wrong;
    }
    const struct sync_processor *processor = NULL;
    if (sync_route_find(wish->name, &processor) == NULL) {
        (void)sync_fail(&err, SYNC_CLASS_FATAL, SYNC_CODE_NOT_FOUND,
                        "%s \"%s\": no consumer has this name; see \"altinn-sync processors list\"",
                        wish->verb, wish->name);
        return sync_cli_fail(&err);
    }
    struct sync_home home;
    sync_status status = sync_home_find(&cli->config, processor->home, wish->verb, &home, &err);
    if (!sync_is_ok(status) || !sync_is_ok(homes_open(&home, "altinn-sync", &db, &err))) {
        return sync_cli_fail(&err);
    }
    int code = change(cli, db, wish);
    sync_db_free(&db);
    return code;
}

int sync_cli_pause(struct sync_cli *cli, int argc, char **argv)
{
    struct wish wish = {.pause = true, .verb = "pause"};
    return run(cli, argc, argv, &wish);
}

int sync_cli_resume(struct sync_cli *cli, int argc, char **argv)
{
    struct wish wish = {.pause = false, .verb = "resume"};
    return run(cli, argc, argv, &wish);
}
