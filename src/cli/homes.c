/* Which homes a verb acts on, and how its rows say so. */
#include "homes.h"

#include <string.h>

int homes_take(const struct sync_cli *cli, const char *verb, int *argc, char **argv,
               struct homes *ret_homes)
{
    struct homes homes = {.count = 0};
    const char *name = NULL;
    struct sync_error err = {0};
    bool one = sync_cli_flag(argc, argv, "--home", &name);
    if (one && name == NULL) {
        return sync_cli_usage(verb, "--home needs a value");
    }
    homes.count = sync_homes_read(&cli->config, homes.items);
    homes.shown = homes.count > 1 && !one;
    if (one) {
        homes.count = 1;
        if (!sync_is_ok(sync_home_find(&cli->config, name, verb, &homes.items[0], &err))) {
            return sync_cli_fail(&err);
        }
    }
    if (homes.count == 0) {
        return sync_cli_usage(verb, "the configuration names no database; set database.dsn or "
                                    "database.authorization_dsn");
    }
    *ret_homes = homes;
    return 0;
}

sync_status homes_open(const struct sync_home *home, const char *application,
                       struct sync_db **ret_db, struct sync_error *err)
{
    const struct sync_db_options options = {
        .dsn = home->dsn, .setting = home->setting, .application = application};
    return sync_db_new(&options, ret_db, err);
}

int homes_fail(struct homes *homes, const struct sync_home *home, struct sync_error *err)
{
    homes->failed++;
    if (homes->shown) {
        (void)sync_wrap(err, "%s", home->name);
    }
    return sync_cli_fail(err);
}

/* The list with the home before it, where rows say it. */
static void put_home(const struct homes *homes, const char *home, const char *const *cells,
                     const char *ret_cells[static HOMES_CELLS_MAX + 2])
{
    size_t count = 0;
    if (homes->shown) {
        ret_cells[count++] = home;
    }
    for (size_t i = 0; cells[i] != NULL; i++) {
        SYNC_ASSERT(i < HOMES_CELLS_MAX);
        ret_cells[count++] = cells[i];
    }
    ret_cells[count] = NULL;
}

struct sync_table *homes_table(const struct homes *homes, const char *const *columns)
{
    const char *cells[HOMES_CELLS_MAX + 2];
    put_home(homes, "HOME", columns, cells);
    return sync_table_new(cells);
}

void homes_row(struct sync_table *table, const struct homes *homes, const struct sync_home *home,
               const char *const *cells)
{
    const char *all[HOMES_CELLS_MAX + 2];
    put_home(homes, home->name, cells, all);
    sync_table_row(table, all);
}

int homes_print(const struct sync_cli *cli, const struct homes *homes, struct sync_table **table,
                int code)
{
    FILE *out = homes->failed < homes->count ? stdout : NULL;
    sync_table_print(table, cli->json, out);
    return code;
}
