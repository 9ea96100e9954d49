/* topics validate and topics apply. Not here: what makes a topic valid (src/runtime/topics*.c). */
#include "cli.h"

#include "../runtime/kafka.h"
#include "../runtime/topics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct files {
    const char *paths[SYNC_TOPICS_FILES_MAX];
    size_t count;
};

/* -f FILE, repeatable; without it the files of the configuration. Returns 0 or an exit code. */
static int take_files(const char *verb, const struct sync_cli *cli, int *argc, char **argv,
                      struct files *ret_files)
{
    const char *path = NULL;
    while (sync_cli_flag(argc, argv, "-f", &path)) {
        if (path == NULL || ret_files->count == SYNC_TOPICS_FILES_MAX) {
            return sync_cli_usage(verb, path == NULL ? "-f needs a file" : "-f stands too often");
        }
        ret_files->paths[ret_files->count++] = path;
    }
    if (ret_files->count == 0) {
        ret_files->paths[ret_files->count++] = cli->config.topics_file;
        if (cli->config.topics_overlay[0] != '\0') {
            ret_files->paths[ret_files->count++] = cli->config.topics_overlay;
        }
    }
    return sync_cli_arguments(verb, *argc, argv, 0, 0);
}

/* Caret under the column; tabs of the line are kept, so that the caret stands right. */
static void print_caret(const char *excerpt, int line, int column)
{
    (void)fprintf(stderr, "%6d | %s\n       | ", line, excerpt);
    for (int i = 0; i + 1 < column && excerpt[i] != '\0'; i++) {
        bool continues = ((unsigned char)excerpt[i] & 0xc0) == 0x80;
        if (!continues) {
            (void)fputc(excerpt[i] == '\t' ? '\t' : ' ', stderr);
        }
    }
    (void)fprintf(stderr, "^\n");
}

static void print_errors(const struct sync_topic_errors *errors, const struct sync_error *err)
{
    if (errors->count == 0) {
        (void)fprintf(stderr, "altinn-sync: %s\n", err->text);
        return;
    }
    for (size_t i = 0; i < errors->count; i++) {
        (void)fprintf(stderr, "%s: %s\n", errors->items[i].where, errors->items[i].text);
        print_caret(errors->items[i].excerpt, errors->items[i].line, errors->items[i].column);
    }
    (void)fprintf(stderr, "altinn-sync: %zu %s in the topics\n", errors->count,
                  errors->count == 1 ? "fault" : "faults");
}

static void print_errors_json(const struct sync_topic_errors *errors, const struct sync_error *err)
{
    struct sync_table *table = sync_table_new(SYNC_CELLS("where", "text", "excerpt"));
    for (size_t i = 0; i < errors->count; i++) {
        sync_table_row(table, SYNC_CELLS(errors->items[i].where, errors->items[i].text,
                                         errors->items[i].excerpt));
    }
    if (errors->count == 0) {
        sync_table_row(table, SYNC_CELLS("", err->text, ""));
    }
    sync_table_print(&table, true, stdout);
}

/* The schema file of every topic must be there: validate is what a release runs. */
static int check_schemas(const struct sync_cli *cli, const struct sync_topics *topics)
{
    for (size_t i = 0; i < topics->count; i++) {
        char path[SYNC_CONFIG_TEXT_MAX + 200];
        char relative[sizeof topics->items[i].schema];
        if (topics->items[i].schema[0] == '\0') {
            continue;
        }
        (void)snprintf(relative, sizeof relative, "%s", topics->items[i].schema);
        for (char *at = relative; *at != '\0'; at++) {
            *at = *at == '.' ? '/' : *at;
        }
        (void)snprintf(path, sizeof path, "%s/%s.avsc", cli->config.schemas_dir, relative);
        if (access(path, R_OK) != 0) {
            (void)fprintf(stderr,
                          "altinn-sync: %s has the schema %s, but %s cannot be read; check "
                          "schemas.dir\n",
                          topics->items[i].name, topics->items[i].schema, path);
            return SYNC_EXIT_USAGE;
        }
    }
    return SYNC_EXIT_OK;
}

/* Loads and prints every finding. Returns 0 or an exit code. */
static int load(const struct sync_cli *cli, const struct files *files,
                struct sync_topics **ret_topics)
{
    struct sync_error err;
    struct sync_topic_errors *errors = calloc(1, sizeof *errors);
    SYNC_ASSERT(errors != NULL);
    sync_status status = sync_topics_load(files->paths, files->count, ret_topics, errors, &err);
    if (!sync_is_ok(status) && cli->json) {
        print_errors_json(errors, &err);
    } else if (!sync_is_ok(status)) {
        print_errors(errors, &err);
    }
    free(errors);
    if (!sync_is_ok(status)) {
        return sync_cli_exit_code(&err);
    }
    int code = check_schemas(cli, *ret_topics);
    if (code != SYNC_EXIT_OK) {
        free(*ret_topics);
    }
    return code;
}

int sync_cli_topics_validate(struct sync_cli *cli, int argc, char **argv)
{
    struct files files = {0};
    struct sync_topics *topics = NULL;
    int code = take_files("topics validate", cli, &argc, argv, &files);
    if (code == 0) {
        code = load(cli, &files, &topics);
    }
    if (code != 0) {
        return code;
    }
    if (cli->json) {
        (void)printf("[]\n");
    } else if (!cli->quiet) {
        (void)fprintf(stderr, "altinn-sync: %zu topics are valid\n", topics->count);
    }
    free(topics);
    return SYNC_EXIT_OK;
}
