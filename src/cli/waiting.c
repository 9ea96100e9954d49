/* The question that held and parked verbs ask, and the cells they print. Not here: which rows,
 * which columns. */
#include "waiting.h"

#include "../runtime/time_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     100000

int waiting_filter_take(const char *verb, int *argc, char **argv, struct waiting_filter *ret_filter)
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
