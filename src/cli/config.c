/* config check and config show: the effective settings of this command line. */
#include "cli.h"

#include "../runtime/home.h"
#include "../runtime/kafka.h"
#include "../runtime/postgres.h"

#include <string.h>

int sync_cli_config_check(struct sync_cli *cli, int argc, char **argv)
{
    struct sync_error err;
    int wrong = sync_cli_arguments("config check", argc, argv, 0, 0);
    if (wrong != 0) {
        return wrong;
    }
    struct sync_kafka_options kafka = {.bootstrap = cli->config.kafka_bootstrap,
                                       .properties = cli->config.kafka_properties};
    struct sync_home homes[SYNC_HOMES_MAX];
    size_t count = sync_homes_read(&cli->config, homes);
    sync_status status = sync_kafka_options_check(&kafka, &err);
    for (size_t i = 0; sync_is_ok(status) && i < count; i++) {
        status = sync_db_dsn_check(homes[i].dsn, homes[i].setting, &err);
    }
    if (!sync_is_ok(status)) {
        return sync_cli_fail(&err);
    }
    if (!cli->quiet) {
        (void)fprintf(stderr, "altinn-sync: the configuration is valid\n");
    }
    return SYNC_EXIT_OK;
}

struct show {
    struct sync_table *table;
    const char *only; /* section or option; NULL = all */
    bool origin, help;
    size_t rows;
};

static void show_row(const char *name, const char *value, const char *origin, const char *help,
                     void *context)
{
    struct show *show = context;
    size_t size = show->only != NULL ? strlen(show->only) : 0;
    if (size > 0 &&
        (strncmp(name, show->only, size) != 0 || (name[size] != '\0' && name[size] != '.'))) {
        return;
    }
    show->rows++;
    if (show->origin) {
        sync_table_row(show->table, SYNC_CELLS(name, value, origin, show->help ? help : NULL));
    } else {
        sync_table_row(show->table, SYNC_CELLS(name, value, show->help ? help : NULL));
    }
}

int sync_cli_config_show(struct sync_cli *cli, int argc, char **argv)
{
    struct show show = {.origin = sync_cli_switch(&argc, argv, "--origin")};
    int wrong = sync_cli_arguments("config show", argc, argv, 0, 1);
    if (wrong != 0) {
        return wrong;
    }
    show.only = argc > 0 ? argv[0] : NULL;
    show.help = cli->json || show.only != NULL; /* all options with help do not fit a terminal */
    const char *help = show.help ? "help" : NULL;
    show.table = sync_table_new(show.origin ? SYNC_CELLS("option", "value", "origin", help)
                                            : SYNC_CELLS("option", "value", help));
    sync_config_each(&cli->config, show_row, &show);
    sync_table_print(&show.table, cli->json, stdout);
    if (show.rows == 0) {
        (void)fprintf(stderr, "altinn-sync: there is no section or option \"%.60s\"\n", show.only);
        return SYNC_EXIT_NOT_FOUND;
    }
    return SYNC_EXIT_OK;
}
