/* The question that held and parked verbs ask, the cells they print, and their lists. Not here:
 * which rows, which columns. */
#include "waiting.h"

#include "../runtime/time_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     100000

/* Filters that the lists take. */
struct waiting_filter {
    const char *scope, *rule; /* NULL = all */
    int64_t limit;
    bool all; /* also what is no longer open */
};

/* Returns 0, or 2 after saying what is wrong. */
static int take_filter(const char *verb, int *argc, char **argv, struct waiting_filter *ret_filter)
{
    struct waiting_filter filter = {.limit = LIMIT_DEFAULT};
    const char *limit = NULL;
    bool scope = sync_cli_flag(argc, argv, "--scope", &filter.scope);
    bool rule = sync_cli_flag(argc, argv, "--rule", &filter.rule);
    if ((scope && !filter.scope) || (rule && !filter.rule)) {
        return sync_cli_usage(verb, "%s needs a value",
                              scope && !filter.scope ? "--scope" : "--rule");
    }
    if (sync_cli_flag(argc, argv, "--limit", &limit)) {
        char *end = NULL;
        filter.limit = limit ? strtoll(limit, &end, 10) : 0;
        if (!limit || *end != '\0' || filter.limit < 1 || filter.limit > LIMIT_MAX) {
            return sync_cli_usage(verb, "--limit needs a number from 1 to %d", LIMIT_MAX);
        }
    }
    *ret_filter = filter;
    return 0;
}

sync_status waiting_begin(const struct sync_cli *cli, const struct sync_home *home,
                          struct waiting *ret_waiting, struct sync_error *err)
{
    const struct sync_txn_limits limits = {.read_only = true,
                                           .statement_timeout_ms = cli->timeout_ms};
    int64_t now_us = 0;
    sync_arena_init(&ret_waiting->arena, ret_waiting->memory, sizeof ret_waiting->memory);
    sync_params_init(&ret_waiting->params, &ret_waiting->arena);
    sync_status status = homes_open(home, "altinn-sync", &ret_waiting->db, err);
    return sync_is_ok(status) ? sync_txn_begin(ret_waiting->db, &limits, &now_us, err) : status;
}

void waiting_done(struct waiting *waiting)
{
    if (waiting->db) {
        sync_txn_rollback(waiting->db);
        sync_db_free(&waiting->db);
    }
}

/* Ten digits at most, perhaps behind "p:", or the 36 characters of a UUID: none of them can be a
 * national id. */
static bool is_entity_id(struct sync_bytes text)
{
    struct sync_uuid id;
    if (text.size > 2 && memcmp(text.data, "p:", 2) == 0) {
        text = (struct sync_bytes){text.data + 2, text.size - 2};
    }
    bool digits = text.size > 0 && text.size <= 10;
    for (size_t i = 0; digits && i < text.size; i++) {
        digits = text.data[i] >= '0' && text.data[i] <= '9';
    }
    return digits || sync_uuid_parse(text, &id);
}

void waiting_text(const struct sync_result *result, int row, int column,
                  char ret_cell[static WAITING_CELL])
{
    ret_cell[0] = '\0';
    if (!sync_result_is_null(result, row, column)) {
        struct sync_bytes text = sync_result_bytes(result, row, column);
        (void)snprintf(ret_cell, WAITING_CELL, "%.*s", (int)text.size, (const char *)text.data);
    }
}

void waiting_key(const struct sync_result *result, int row, int column,
                 char ret_cell[static WAITING_CELL])
{
    waiting_text(result, row, column, ret_cell);
    if (ret_cell[0] != '\0' && !is_entity_id(sync_bytes_text(ret_cell))) {
        (void)snprintf(ret_cell, WAITING_CELL, "(no id)");
    }
}

void waiting_missing(const struct sync_result *result, int row, int column,
                     char ret_cell[static WAITING_CELL])
{
    int digits = 0;
    waiting_text(result, row, column, ret_cell);
    for (const char *at = ret_cell; *at != '\0' && digits <= 10; at++) {
        digits = *at >= '0' && *at <= '9' ? digits + 1 : 0;
    }
    if (digits > 10) {
        (void)snprintf(ret_cell, WAITING_CELL, "(no id)");
    }
}

void waiting_number(const struct sync_result *result, int row, int column,
                    char ret_cell[static WAITING_CELL])
{
    (void)snprintf(ret_cell, WAITING_CELL, "%" PRId64, sync_result_int8(result, row, column));
}

void waiting_time(const struct sync_result *result, int row, int column,
                  char ret_cell[static WAITING_CELL])
{
    ret_cell[0] = '\0';
    if (!sync_result_is_null(result, row, column)) {
        sync_time_format(sync_result_time(result, row, column), 3, ret_cell);
    }
}

/* One run of a list. */
struct listing {
    const struct sync_cli *cli;
    const struct waiting_list *list;
    struct waiting_filter filter;
    struct homes homes;
    struct sync_table *table;
};

static sync_status list_home(struct listing *listing, const struct sync_home *home,
                             struct sync_error *err)
{
    const struct waiting_list *list = listing->list;
    WAITING waiting = {0};
    SYNC_RESULT result = {0};
    sync_status status = waiting_begin(listing->cli, home, &waiting, err);
    if (sync_is_ok(status)) {
        sync_params_text(&waiting.params, listing->filter.scope);
        sync_params_text(&waiting.params, listing->filter.rule);
        sync_params_int8(&waiting.params, listing->filter.limit);
        if (list->can_all) {
            sync_params_bool(&waiting.params, listing->filter.all);
        }
        status = sync_db_exec(waiting.db, list->statement, &waiting.params, &result, err);
    }
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        char cells[WAITING_COLUMNS_MAX][WAITING_CELL];
        const char *texts[WAITING_COLUMNS_MAX + 1] = {NULL};
        for (size_t i = 0; list->columns[i].heading != NULL; i++) {
            list->columns[i].cell(&result, row, list->columns[i].number, cells[i]);
            texts[i] = cells[i];
        }
        homes_row(listing->table, &listing->homes, home, texts);
    }
    return status;
}

static void make_table(struct listing *listing)
{
    const char *headings[WAITING_COLUMNS_MAX + 1] = {NULL};
    for (size_t i = 0; listing->list->columns[i].heading != NULL; i++) {
        SYNC_ASSERT(i < WAITING_COLUMNS_MAX);
        headings[i] = listing->list->columns[i].heading;
    }
    listing->table = homes_table(&listing->homes, headings);
}

int waiting_list_print(struct sync_cli *cli, const struct waiting_list *list, int argc, char **argv)
{
    struct listing listing = {.cli = cli, .list = list};
    bool all = list->can_all && sync_cli_switch(&argc, argv, "--all");
    int wrong = take_filter(list->verb, &argc, argv, &listing.filter);
    listing.filter.all = all;
    wrong = wrong == 0 ? homes_take(cli, list->verb, &argc, argv, &listing.homes) : wrong;
    wrong = wrong == 0 ? sync_cli_arguments(list->verb, argc, argv, 0, 0) : wrong;
    if (wrong != 0) {
        return wrong;
    }
    make_table(&listing);
    int code = SYNC_EXIT_OK;
    for (size_t i = 0; i < listing.homes.count; i++) {
        const struct sync_home *home = &listing.homes.items[i];
        struct sync_error err = {0};
        if (!sync_is_ok(list_home(&listing, home, &err))) {
            code = homes_fail(&listing.homes, home, &err);
        }
    }
    return homes_print(cli, &listing.homes, &listing.table, code);
}
