/* held list: what waits for its mapping. Not here: releasing it, which the mapping itself does. */
#include "waiting.h"

static const struct sync_statement held_statement = {
    "cli_held",
    "SELECT scope, topic, partition, record_offset, entity_key, rule, since,"
    " floor(extract(epoch FROM now() - since))::int8, missing_kind || ' ' || missing_id"
    " FROM sync.hold WHERE ($1::text IS NULL OR scope = $1) AND ($2::text IS NULL OR rule = $2)"
    " ORDER BY since, scope, topic, partition, record_offset LIMIT $3"};

static sync_status add_home(const struct sync_cli *cli, const struct waiting_filter *filter,
                            const struct homes *homes, const struct sync_home *home,
                            struct sync_table *table, struct sync_error *err)
{
    WAITING waiting = {0};
    SYNC_RESULT result = {0};
    sync_status status = waiting_begin(cli, home, &waiting, err);
    if (sync_is_ok(status)) {
        sync_params_text(&waiting.params, filter->scope);
        sync_params_text(&waiting.params, filter->rule);
        sync_params_int8(&waiting.params, filter->limit);
        status = sync_db_exec(waiting.db, &held_statement, &waiting.params, &result, err);
    }
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        char cells[10][WAITING_CELL];
        waiting_text(&result, row, 0, cells[0]);
        waiting_text(&result, row, 1, cells[1]);
        waiting_number(&result, row, 2, cells[2]);
        waiting_number(&result, row, 3, cells[3]);
        waiting_key(&result, row, 4, cells[4]);
        waiting_text(&result, row, 5, cells[5]);
        waiting_missing(&result, row, 8, cells[8]);
        waiting_time(&result, row, 6, cells[6]);
        waiting_number(&result, row, 7, cells[7]);
        homes_row(table, homes, home,
                  SYNC_CELLS(cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[8],
                             cells[6], cells[7]));
    }
    return status;
}

int sync_cli_held_list(struct sync_cli *cli, int argc, char **argv)
{
    static const char *const columns[] = {"SCOPE", "TOPIC",     "#PARTITION", "#OFFSET", "KEY",
                                          "RULE",  "WAITS_FOR", "SINCE",      "#AGE_S",  NULL};
    struct waiting_filter filter;
    struct homes homes;
    int wrong = waiting_filter_take("held list", &argc, argv, &filter);
    wrong = wrong == 0 ? homes_take(cli, "held list", &argc, argv, &homes) : wrong;
    wrong = wrong == 0 ? sync_cli_arguments("held list", argc, argv, 0, 0) : wrong;
    if (wrong != 0) {
        return wrong;
    }
    struct sync_table *table = homes_table(&homes, columns);
    int code = SYNC_EXIT_OK;
    for (size_t i = 0; i < homes.count; i++) {
        struct sync_error err = {0};
        if (!sync_is_ok(add_home(cli, &filter, &homes, &homes.items[i], table, &err))) {
            code = homes_fail(&homes, &homes.items[i], &err);
        }
    }
    return homes_print(cli, &homes, &table, code);
}
