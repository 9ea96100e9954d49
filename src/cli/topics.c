/* topics validate and topics apply. Not here: what makes a topic valid (src/runtime/topics*.c). */
#include "cli.h"

#include "../runtime/clock.h"
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

/* What apply would do with one topic. */
enum action { ACTION_NONE, ACTION_CREATE, ACTION_DIFFERS, ACTION_PLANNED, ACTION_DELETE };

struct plan {
    char cluster_id[64];
    int32_t found[SYNC_TOPICS_MAX]; /* partitions that the cluster has, 0 = no such topic */
    enum action actions[SYNC_TOPICS_MAX];
    size_t creates, left_over; /* left over: what this version does not do */
};

static enum action decide(const struct sync_topic *topic, int32_t found)
{
    switch (topic->state) {
    case SYNC_TOPIC_ABSENT:
        return found > 0 ? ACTION_DELETE : ACTION_NONE;
    case SYNC_TOPIC_PLANNED:
        return found > 0 ? ACTION_NONE : ACTION_PLANNED;
    case SYNC_TOPIC_PRESENT:
    case SYNC_TOPIC_DEPRECATED:
        if (found == 0) {
            return ACTION_CREATE;
        }
        return found == topic->partitions ? ACTION_NONE : ACTION_DIFFERS;
    }
    return ACTION_NONE;
}

static const char *action_word(enum action action)
{
    switch (action) {
    case ACTION_NONE:
        return "nothing to do";
    case ACTION_CREATE:
        return "create";
    case ACTION_DIFFERS:
        return "differs in partitions, not changed by this version";
    case ACTION_PLANNED:
        return "planned, not created";
    case ACTION_DELETE:
        return "absent in the file, not deleted by this version";
    }
    return "";
}

static struct sync_kafka_options options_of(const struct sync_cli *cli)
{
    return (struct sync_kafka_options){.bootstrap = cli->config.kafka_bootstrap,
                                       .client_id = "altinn-sync-topics",
                                       .dev = cli->config.dev,
                                       .properties = cli->config.kafka_properties};
}

static sync_status look(const struct sync_cli *cli, const struct sync_topics *topics,
                        struct plan *ret_plan, struct sync_error *err)
{
    const char *names[SYNC_TOPICS_MAX];
    struct sync_kafka_options options = options_of(cli);
    struct sync_kafka_looker *looker = NULL;
    for (size_t i = 0; i < topics->count; i++) {
        names[i] = topics->items[i].name;
    }
    sync_status status = sync_kafka_looker_new(&options, &looker, err);
    if (sync_is_ok(status)) {
        status = sync_kafka_look(looker, names, topics->count, cli->timeout_ms,
                                 ret_plan->cluster_id, ret_plan->found, err);
    }
    sync_kafka_looker_free(&looker);
    return status;
}

/* Asks the cluster and compares; refuses a cluster that is not the expected one. */
static sync_status make_plan(const struct sync_cli *cli, const struct sync_topics *topics,
                             struct plan *ret_plan, struct sync_error *err)
{
    sync_status status = look(cli, topics, ret_plan, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (topics->cluster_id[0] != '\0' && strcmp(topics->cluster_id, ret_plan->cluster_id) != 0) {
        return sync_fail(
            err, SYNC_CLASS_FATAL, SYNC_CODE_CLUSTER,
            "apply the topics: the file expects the cluster %s, and %.100s is the cluster %s",
            topics->cluster_id, cli->config.kafka_bootstrap, ret_plan->cluster_id);
    }
    for (size_t i = 0; i < topics->count; i++) {
        enum action action = decide(&topics->items[i], ret_plan->found[i]);
        ret_plan->actions[i] = action;
        ret_plan->creates += action == ACTION_CREATE;
        ret_plan->left_over += action == ACTION_DIFFERS || action == ACTION_DELETE;
    }
    return SYNC_OK;
}

static void print_plan(const struct sync_cli *cli, const struct sync_topics *topics,
                       const struct plan *plan)
{
    struct sync_table *table =
        sync_table_new(SYNC_CELLS("topic", "#partitions", "#replicas", "#found", "action"));
    for (size_t i = 0; i < topics->count; i++) {
        char partitions[16], replicas[16], found[16];
        (void)snprintf(partitions, sizeof partitions, "%" PRId32, topics->items[i].partitions);
        (void)snprintf(replicas, sizeof replicas, "%" PRId32, topics->items[i].replicas);
        (void)snprintf(found, sizeof found, "%" PRId32, plan->found[i]);
        sync_table_row(table, SYNC_CELLS(topics->items[i].name, partitions, replicas, found,
                                         action_word(plan->actions[i])));
    }
    sync_table_print(&table, cli->json, stdout);
    (void)fflush(stdout);
}

static sync_status create_one(const struct sync_cli *cli, const struct sync_topic *topic,
                              struct sync_error *err)
{
    const char *settings[2 * SYNC_TOPIC_CONFIG_MAX + 1] = {NULL};
    struct sync_kafka_options options = options_of(cli);
    size_t created = 0;
    for (size_t i = 0; i < topic->config_count; i++) {
        settings[2 * i] = topic->config[i].name;
        settings[2 * i + 1] = topic->config[i].value;
    }
    struct sync_kafka_topic wanted = {topic->name, topic->partitions, topic->replicas, settings};
    return sync_kafka_create_topics(&options, &wanted, 1, &created, err);
}

/* Waits until the cluster shows every created topic with its partitions. */
static sync_status prove(const struct sync_cli *cli, const struct sync_topics *topics,
                         const struct plan *plan, struct sync_error *err)
{
    int64_t deadline_us = sync_clock_monotonic_us() + (int64_t)cli->timeout_ms * 1000;
    for (;;) {
        struct plan now = {0};
        sync_status status = look(cli, topics, &now, err);
        if (!sync_is_ok(status)) {
            return status;
        }
        size_t missing = 0, last = 0;
        for (size_t i = 0; i < topics->count; i++) {
            if (plan->actions[i] == ACTION_CREATE && now.found[i] != topics->items[i].partitions) {
                missing++;
                last = i;
            }
        }
        if (missing == 0) {
            return SYNC_OK;
        }
        if (sync_clock_monotonic_us() > deadline_us) {
            return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_TIMEOUT,
                             "read topic %s back: the cluster does not show its %" PRId32
                             " partitions after %d ms",
                             topics->items[last].name, topics->items[last].partitions,
                             cli->timeout_ms);
        }
        (void)usleep(100000); /* a broker tells the others within moments */
    }
}

static int create(const struct sync_cli *cli, const struct sync_topics *topics,
                  const struct plan *plan)
{
    struct sync_error err;
    size_t done = 0;
    for (size_t i = 0; i < topics->count; i++) {
        if (plan->actions[i] != ACTION_CREATE) {
            continue;
        }
        if (!sync_is_ok(create_one(cli, &topics->items[i], &err))) {
            int code = sync_cli_fail(&err);
            return done > 0 ? SYNC_EXIT_PARTLY : code;
        }
        done++;
        if (!cli->quiet) {
            (void)fprintf(stderr, "altinn-sync: created %s\n", topics->items[i].name);
        }
    }
    return sync_is_ok(prove(cli, topics, plan, &err)) ? SYNC_EXIT_OK : sync_cli_fail(&err);
}

static int apply(const struct sync_cli *cli, const struct sync_topics *topics)
{
    struct sync_error err;
    struct plan plan = {0};
    if (strcmp(topics->managed_by, "self") != 0) {
        (void)fprintf(stderr,
                      "altinn-sync: apply is refused, because the file says managedBy: %s; create "
                      "the topics there, or write managedBy: self\n",
                      topics->managed_by);
        return SYNC_EXIT_REFUSED;
    }
    if (!sync_is_ok(make_plan(cli, topics, &plan, &err))) {
        return sync_cli_fail(&err);
    }
    print_plan(cli, topics, &plan);
    if (plan.creates > 0) {
        char question[SYNC_CONFIG_TEXT_MAX + 160];
        (void)snprintf(question, sizeof question, "Create %zu %s on %s (cluster %s)?", plan.creates,
                       plan.creates == 1 ? "topic" : "topics", cli->config.kafka_bootstrap,
                       plan.cluster_id);
        if (!sync_cli_confirm(cli, question)) {
            return SYNC_EXIT_REFUSED;
        }
        int code = create(cli, topics, &plan);
        if (code != SYNC_EXIT_OK) {
            return code;
        }
    }
    return plan.left_over > 0 ? SYNC_EXIT_PARTLY : SYNC_EXIT_OK;
}

int sync_cli_topics_apply(struct sync_cli *cli, int argc, char **argv)
{
    struct files files = {0};
    struct sync_topics *topics = NULL;
    int code = take_files("topics apply", cli, &argc, argv, &files);
    if (code == 0) {
        code = load(cli, &files, &topics);
    }
    if (code != 0) {
        return code;
    }
    code = apply(cli, topics);
    free(topics);
    return code;
}
