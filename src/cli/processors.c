/* processors list and describe: the catalogue of what this binary can apply. */
#include "cli.h"

#include "../runtime/route.h"
#include "../runtime/suggest.h"
#include "../runtime/words.h"

#include <altinn_sync/processor.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *type_word(enum sync_field_type type)
{
    switch (type) {
    case SYNC_FIELD_BOOL:
        return "boolean";
    case SYNC_FIELD_INT:
        return "int";
    case SYNC_FIELD_LONG:
        return "long";
    case SYNC_FIELD_DOUBLE:
        return "double";
    case SYNC_FIELD_TEXT:
        return "string";
    case SYNC_FIELD_UUID:
        return "uuid";
    case SYNC_FIELD_ENUM:
        return "enum";
    case SYNC_FIELD_TEXTS:
        return "strings";
    case SYNC_FIELD_PRESENCE:
        return "record or null";
    }
    return "";
}

static void list_targets(const struct sync_route *route, char *ret_text, size_t size)
{
    size_t used = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; route->targets != NULL && route->targets[i] != NULL && used < size; i++) {
        used += (size_t)snprintf(ret_text + used, size - used, "%s%s", i > 0 ? ", " : "",
                                 route->targets[i]);
    }
}

/* The four parts of a processor as tables, for both forms of output. */
static struct sync_table *routes_of(const struct sync_processor *processor)
{
    struct sync_table *table =
        sync_table_new(SYNC_CELLS("route", "from", "to", "topic", "target", "gives way to"));
    for (size_t i = 0; i < processor->route_count; i++) {
        const struct sync_route *route = &processor->routes[i];
        char targets[80];
        list_targets(route, targets, sizeof targets);
        for (size_t j = 0; j < route->input_count; j++) {
            sync_table_row(table,
                           SYNC_CELLS(route->name, sync_route_side(route->inputs[j].from),
                                      sync_route_side(route->to), route->inputs[j].topic, targets,
                                      route->yields_to != NULL ? route->yields_to : ""));
        }
    }
    return table;
}

static struct sync_table *rules_of(const struct sync_processor *processor)
{
    struct sync_table *table = sync_table_new(SYNC_CELLS("rule", "decides", "outcome", "meaning"));
    for (size_t i = 0; i < processor->rule_count; i++) {
        const struct sync_rule *rule = &processor->rules[i];
        const char *outcome = rule->subject == NULL ? sync_outcome_word(rule->outcome) : "";
        const char *subject = rule->subject == NULL ? "record" : rule->subject;
        sync_table_row(table, SYNC_CELLS(rule->id, subject, outcome, rule->sentence));
    }
    return table;
}

static struct sync_table *fields_of(const struct sync_processor *processor)
{
    struct sync_table *table = sync_table_new(SYNC_CELLS("field", "type", "null"));
    for (size_t i = 0; i < processor->field_count; i++) {
        const struct sync_field *field = &processor->fields[i];
        bool required =
            field->present_offset == SYNC_FIELD_REQUIRED && field->type != SYNC_FIELD_PRESENCE;
        sync_table_row(table, SYNC_CELLS(field->path, type_word(field->type),
                                         required ? "refused" : "allowed"));
    }
    return table;
}

static struct sync_table *options_of(const struct sync_processor *processor)
{
    struct sync_table *table =
        sync_table_new(SYNC_CELLS("option", "#min", "#max", "#default", "unit", "help"));
    for (size_t i = 0; i < processor->option_count; i++) {
        const struct sync_option *option = &processor->options[i];
        char min[32], max[32], fallback[32];
        (void)snprintf(min, sizeof min, "%" PRId64, option->min);
        (void)snprintf(max, sizeof max, "%" PRId64, option->max);
        (void)snprintf(fallback, sizeof fallback, "%" PRId64, option->fallback);
        sync_table_row(table,
                       SYNC_CELLS(option->name, min, max, fallback, option->unit, option->help));
    }
    return table;
}

int sync_cli_processors_list(struct sync_cli *cli, int argc, char **argv)
{
    int wrong = sync_cli_arguments("processors list", argc, argv, 0, 0);
    if (wrong != 0) {
        return wrong;
    }
    struct sync_table *table =
        sync_table_new(SYNC_CELLS("processor", "route", "from", "to", "topic"));
    for (size_t i = 0; sync_processors[i] != NULL; i++) {
        const struct sync_processor *processor = sync_processors[i];
        for (size_t j = 0; j < processor->route_count; j++) {
            const struct sync_route *route = &processor->routes[j];
            for (size_t k = 0; k < route->input_count; k++) {
                sync_table_row(table,
                               SYNC_CELLS(processor->name, route->name,
                                          sync_route_side(route->inputs[k].from),
                                          sync_route_side(route->to), route->inputs[k].topic));
            }
        }
    }
    sync_table_print(&table, cli->json, stdout);
    return SYNC_EXIT_OK;
}

/* By its own name or by the name of one of its routes. */
static const struct sync_processor *find(const char *name, const char **ret_near)
{
    const char *names[64];
    size_t count = 0;
    for (size_t i = 0; sync_processors[i] != NULL; i++) {
        const struct sync_processor *processor = sync_processors[i];
        if (strcmp(processor->name, name) == 0) {
            return processor;
        }
        names[count++] = processor->name;
        for (size_t j = 0; j < processor->route_count && count + 1 < 64; j++) {
            if (strcmp(processor->routes[j].name, name) == 0) {
                return processor;
            }
            names[count++] = processor->routes[j].name;
        }
    }
    *ret_near = sync_suggest(name, names, count);
    return NULL;
}

static void describe_text(const struct sync_processor *processor)
{
    (void)printf("%s: %s\n\nschema  %s\nstore   %s\nhome    %s\n", processor->name,
                 processor->purpose, processor->schema, processor->store, processor->home);
    struct sync_table *parts[] = {routes_of(processor), rules_of(processor), fields_of(processor),
                                  options_of(processor)};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        (void)putchar('\n');
        sync_table_print(&parts[i], false, stdout);
    }
}

static void describe_json(const struct sync_processor *processor)
{
    struct sync_json_writer w;
    sync_json_writer_init(&w);
    sync_json_open(&w, NULL, '{');
    sync_json_put_text(&w, "name", processor->name);
    sync_json_put_text(&w, "purpose", processor->purpose);
    sync_json_put_text(&w, "schema", processor->schema);
    sync_json_put_text(&w, "store", processor->store);
    sync_json_put_text(&w, "home", processor->home);
    struct sync_table *parts[] = {routes_of(processor), rules_of(processor), fields_of(processor),
                                  options_of(processor)};
    static const char *const names[] = {"routes", "rules", "fields", "options"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        sync_table_put(&parts[i], &w, names[i]);
    }
    sync_json_close(&w, '}');
    char *text = sync_json_writer_take(&w);
    SYNC_ASSERT(text != NULL);
    (void)printf("%s\n", text);
    free(text);
}

int sync_cli_processors_describe(struct sync_cli *cli, int argc, char **argv)
{
    int wrong = sync_cli_arguments("processors describe", argc, argv, 1, 1);
    if (wrong != 0) {
        return wrong;
    }
    const char *near = NULL;
    const struct sync_processor *processor = find(argv[0], &near);
    if (processor == NULL) {
        (void)fprintf(stderr, "altinn-sync: there is no processor or route \"%.60s\"; %s%s%s\n",
                      argv[0], near != NULL ? "did you mean \"" : "",
                      near != NULL ? near : "\"altinn-sync processors list\" lists them",
                      near != NULL ? "\"?" : "");
        return SYNC_EXIT_NOT_FOUND;
    }
    if (cli->json) {
        describe_json(processor);
    } else {
        describe_text(processor);
    }
    return SYNC_EXIT_OK;
}
