/* "run NAME": runs one route as its own process, or describes it. Not here: what a consumer does.
 */
#include "cli.h"

#include "../runtime/consumer.h"
#include "../runtime/log.h"
#include "../runtime/route.h"
#include "../runtime/suggest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int refuse_name(const char *name)
{
    const char *names[SYNC_ROUTES_MAX];
    const char *meant = sync_suggest(name, names, sync_route_names(names));
    if (meant == NULL) {
        return sync_cli_usage("run", "no route has the name \"%s\"", name);
    }
    return sync_cli_usage("run", "no route has the name \"%s\"; did you mean %s?", name, meant);
}

static sync_status load_topics(const struct sync_config *config, struct sync_topics **ret_topics,
                               struct sync_error *err)
{
    const char *paths[2] = {config->topics_file, config->topics_overlay};
    return sync_topics_load(paths, config->topics_overlay[0] == '\0' ? 1 : 2, ret_topics, NULL,
                            err);
}

/* What the command line and the files decide before anything is contacted. */
static sync_status check(struct sync_consumer_options *options, struct sync_error *err)
{
    const struct sync_route *route = options->route;
    char who[96];
    (void)snprintf(who, sizeof who, "run %s", route->name);
    sync_status status =
        sync_home_find(options->config, options->processor->home, who, &options->home, err);
    /* Of every route of the entity: their lanes and held records are ours as well. */
    for (size_t i = 0; sync_is_ok(status) && i < options->processor->route_count; i++) {
        status = sync_route_check(&options->processor->routes[i], options->topics, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    if (route->targets != NULL && options->config->bridge_base_url[0] == '\0') {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                         "run %s: it sends to %s, but bridge.base_url is empty; set it",
                         route->name, route->targets[0]);
    }
    return SYNC_OK;
}

static void describe_route(const struct sync_route *route, struct sync_table *facts)
{
    for (size_t i = 0; i < route->input_count; i++) {
        sync_table_row(facts, SYNC_CELLS("from", sync_route_side(route->inputs[i].from)));
        sync_table_row(facts, SYNC_CELLS("topic", route->inputs[i].topic));
    }
    sync_table_row(facts, SYNC_CELLS("to", sync_route_side(route->to)));
    sync_table_row(facts, SYNC_CELLS("group", route->name));
    sync_table_row(facts, SYNC_CELLS("sink: database", "atomic"));
    for (size_t i = 0; route->targets != NULL && route->targets[i] != NULL; i++) {
        char sink[64];
        (void)snprintf(sink, sizeof sink, "sink: %s", route->targets[i]);
        sync_table_row(facts, SYNC_CELLS(sink, "keyed"));
    }
    if (route->yields_to != NULL) {
        sync_table_row(facts, SYNC_CELLS("gives way to", route->yields_to));
    }
}

static int describe(const struct sync_cli *cli, const struct sync_consumer_options *options)
{
    const struct sync_route *route = options->route;
    char memory[32];
    (void)snprintf(memory, sizeof memory, "%" PRId64, sync_consumer_memory_bytes(options));
    struct sync_table *facts = sync_table_new(SYNC_CELLS("what", "value"));
    sync_table_row(facts, SYNC_CELLS("route", route->name));
    sync_table_row(facts, SYNC_CELLS("processor", options->processor->name));
    sync_table_row(facts, SYNC_CELLS("home", options->processor->home));
    describe_route(route, facts);
    sync_table_row(facts, SYNC_CELLS("worst-case memory in bytes", memory));
    struct sync_table *rules = sync_table_new(SYNC_CELLS("rule", "meaning"));
    for (size_t i = 0; i < options->processor->rule_count; i++) {
        sync_table_row(rules, SYNC_CELLS(options->processor->rules[i].id,
                                         options->processor->rules[i].sentence));
    }
    if (!cli->json) {
        sync_table_print(&facts, false, stdout);
        (void)putchar('\n');
        sync_table_print(&rules, false, stdout);
        return SYNC_EXIT_OK;
    }
    struct sync_json_writer writer;
    sync_json_writer_init(&writer);
    sync_json_open(&writer, NULL, '{');
    sync_table_put(&facts, &writer, "facts");
    sync_table_put(&rules, &writer, "rules");
    sync_json_close(&writer, '}');
    char *text = sync_json_writer_take(&writer);
    (void)puts(text != NULL ? text : "");
    free(text);
    return SYNC_EXIT_OK;
}

int sync_cli_run(struct sync_cli *cli, int argc, char **argv)
{
    bool only_describe = sync_cli_switch(&argc, argv, "--describe");
    int refused = sync_cli_arguments("run", argc, argv, 1, 1);
    if (refused != 0) {
        return refused;
    }
    struct sync_consumer_options options = {.config = &cli->config, .sources = &cli->sources};
    options.route = sync_route_find(argv[0], &options.processor);
    if (options.route == NULL) {
        return refuse_name(argv[0]);
    }
    if (only_describe) {
        return describe(cli, &options);
    }
    struct sync_topics *topics = NULL;
    struct sync_error err = {0};
    sync_status status = load_topics(&cli->config, &topics, &err);
    options.topics = topics;
    if (sync_is_ok(status)) {
        status = check(&options, &err);
    }
    if (!sync_is_ok(status)) {
        free(topics);
        return sync_cli_fail_process(&err);
    }
    status = sync_consumer_run(&options, &err);
    free(topics);
    if (sync_is_ok(status)) {
        return SYNC_EXIT_OK;
    }
    sync_log_error(SYNC_ERROR, "stopped", &err);
    return sync_cli_fail_process(&err);
}
