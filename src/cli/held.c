/* held list: what waits for its mapping. Not here: releasing it, which the mapping itself does. */
#include "waiting.h"

static const struct sync_statement statement = {
    "cli_held",
    "SELECT scope, topic, partition, record_offset, entity_key, rule, since,"
    " floor(extract(epoch FROM now() - since))::int8, missing_kind || ' ' || missing_id"
    " FROM sync.hold WHERE ($1::text IS NULL OR scope = $1) AND ($2::text IS NULL OR rule = $2)"
    " ORDER BY since, scope, topic, partition, record_offset LIMIT $3"};

static const struct waiting_column columns[] = {
    {"SCOPE", 0, waiting_text},        {"TOPIC", 1, waiting_text},
    {"#PARTITION", 2, waiting_number}, {"#OFFSET", 3, waiting_number},
    {"KEY", 4, waiting_key},           {"RULE", 5, waiting_text},
    {"WAITS_FOR", 8, waiting_missing}, {"SINCE", 6, waiting_time},
    {"#AGE_S", 7, waiting_number},     {NULL, 0, NULL},
};

int sync_cli_held_list(struct sync_cli *cli, int argc, char **argv)
{
    static const struct waiting_list list = {"held list", &statement, columns, false};
    return waiting_list_print(cli, &list, argc, argv);
}
