/*
 * "processors new": writes the files of a new entity into a working copy of this repository. Not
 * here: what the files say (src/cli/scaffold/, compiled in by cmake/embed_scaffold.cmake).
 */
#include "cli.h"

#include "scaffold.h"

#include <altinn_sync/processor.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_BYTES   40 /* twice in the name of a topic, which has 128 */
#define PREFIX_MAX       4
#define PATH_BYTES       512
#define FIRST_NUMBER     300 /* of migrations: the hundreds below are taken by the first entities */
#define MIGRATIONS_BELOW "connectors/altinn3/sql"

/* What the placeholders stand for. */
struct values {
    char name[NAME_MAX_BYTES + 1];   /* mailbox_setting */
    char upper[NAME_MAX_BYTES + 1];  /* MAILBOX_SETTING */
    char topic[NAME_MAX_BYTES + 1];  /* mailbox-setting */
    char words[NAME_MAX_BYTES + 1];  /* mailbox setting */
    char record[NAME_MAX_BYTES + 1]; /* MailboxSetting */
    char prefix[PREFIX_MAX + 1];     /* MS */
    char home[32];
    int number; /* of the migration */
};

/* Where the text of one template goes. append: behind what the file has. */
struct output {
    const char *template;
    char path[PATH_BYTES];
    bool append;
};

static bool is_name(const char *name)
{
    size_t size = strlen(name);
    if (size < 3 || size > NAME_MAX_BYTES || !islower((unsigned char)name[0]) ||
        name[size - 1] == '_') {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        bool twice = name[i] == '_' && name[i - 1] == '_';
        if (twice || (name[i] != '_' && !islower((unsigned char)name[i]) &&
                      !isdigit((unsigned char)name[i]))) {
            return false;
        }
    }
    return true;
}

static bool is_prefix(const char *prefix)
{
    size_t size = strlen(prefix);
    for (size_t i = 0; i < size; i++) {
        if (!isupper((unsigned char)prefix[i])) {
            return false;
        }
    }
    return size >= 2 && size <= PREFIX_MAX;
}

/* Every form of the name. The prefix is the first letters of its words, or its first two letters.
 */
static void derive(const char *name, struct values *ret)
{
    size_t records = 0, letters = 0;
    bool starts = true;
    (void)snprintf(ret->name, sizeof ret->name, "%s", name);
    for (size_t i = 0; name[i] != '\0'; i++) {
        char upper = (char)toupper((unsigned char)name[i]);
        bool between = name[i] == '_';
        ret->upper[i] = upper;
        ret->topic[i] = between ? '-' : name[i];
        ret->words[i] = between ? ' ' : name[i];
        if (!between) {
            ret->record[records++] = starts ? upper : name[i];
        }
        if (!between && starts && letters < PREFIX_MAX) {
            ret->prefix[letters++] = upper;
        }
        starts = between;
    }
    if (letters < 2) {
        ret->prefix[1] = ret->upper[1];
    }
}

/* The next free hundred. 0: the directory of migrations is not there. */
static int next_number(const char *root)
{
    char path[PATH_BYTES];
    int highest = FIRST_NUMBER - 100;
    (void)snprintf(path, sizeof path, "%s/" MIGRATIONS_BELOW, root);
    DIR *entities = opendir(path);
    if (entities == NULL) {
        return 0;
    }
    for (struct dirent *entity = readdir(entities); entity != NULL; entity = readdir(entities)) {
        char below[PATH_BYTES + 260];
        (void)snprintf(below, sizeof below, "%s/%s", path, entity->d_name);
        DIR *files = entity->d_name[0] == '.' ? NULL : opendir(below);
        for (struct dirent *f = files ? readdir(files) : NULL; f != NULL; f = readdir(files)) {
            int number = atoi(f->d_name);
            highest = number > highest ? number : highest;
        }
        if (files != NULL) {
            (void)closedir(files);
        }
    }
    (void)closedir(entities);
    return (highest / 100 + 1) * 100;
}

static const char *value_of(const struct values *values, const char *key, size_t size)
{
    static char number[16];
    (void)snprintf(number, sizeof number, "%d", values->number);
    const struct {
        const char *key, *value;
    } pairs[] = {{"name", values->name},   {"NAME", values->upper},    {"topic", values->topic},
                 {"words", values->words}, {"Record", values->record}, {"PREFIX", values->prefix},
                 {"home", values->home},   {"number", number}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (strlen(pairs[i].key) == size && strncmp(pairs[i].key, key, size) == 0) {
            return pairs[i].value;
        }
    }
    return NULL;
}

/* Writes the text with every @placeholder@ replaced. */
static void fill(const struct values *values, const char *text, FILE *out)
{
    for (const char *at = text; *at != '\0'; at++) {
        const char *end = *at == '@' ? strchr(at + 1, '@') : NULL;
        const char *value = end != NULL ? value_of(values, at + 1, (size_t)(end - at - 1)) : NULL;
        if (value == NULL) {
            (void)fputc(*at, out);
            continue;
        }
        (void)fputs(value, out);
        at = end;
    }
}

static const char *template_find(const char *name)
{
    for (size_t i = 0; sync_scaffold[i].name != NULL; i++) {
        if (strcmp(sync_scaffold[i].name, name) == 0) {
            return sync_scaffold[i].text;
        }
    }
    return NULL;
}

/* Where each template goes below the working copy. */
static const struct {
    const char *template, *path;
    bool append;
} places[] = {
    {"processor.c", "processors/@name@.c", false},
    {"header.h", "include/altinn_sync/@name@.h", false},
    {"store.c", "connectors/altinn3/@name@_store.c", false},
    {"migration.sql", MIGRATIONS_BELOW "/@name@/@number@_@name@.sql", false},
    {"schema.avsc", "schemas/no/altinn/sync/@Record@Change.avsc", false},
    {"test.c", "tests/unit/test_@name@.c", false},
    {"golden.txt", "tests/contract/golden/@topic@.txt", false},
    {"topics.yaml", "topics.yaml", true},
};
#define PLACES (sizeof places / sizeof places[0])

static void outputs_of(const char *root, const struct values *values, struct output *ret)
{
    for (size_t i = 0; i < PLACES; i++) {
        ret[i].template = places[i].template;
        ret[i].append = places[i].append;
        FILE *path = fmemopen(ret[i].path, sizeof ret[i].path, "w");
        SYNC_ASSERT(path != NULL);
        (void)fprintf(path, "%s/", root);
        fill(values, places[i].path, path);
        (void)fclose(path); /* its bound is checked: root and name are short enough */
    }
}

/* Nothing is written unless all of it can be: a file that is there belongs to somebody. */
static int check_outputs(const struct output *outputs)
{
    for (size_t i = 0; i < PLACES; i++) {
        bool there = access(outputs[i].path, F_OK) == 0;
        if (outputs[i].append && !there) {
            (void)fprintf(stderr,
                          "altinn-sync: %s is not there; run this in a working copy of the "
                          "repository, or name one with --root\n",
                          outputs[i].path);
            return SYNC_EXIT_NOT_FOUND;
        }
        if (!outputs[i].append && there) {
            (void)fprintf(stderr, "altinn-sync: %s is there already; take another name\n",
                          outputs[i].path);
            return SYNC_EXIT_REFUSED;
        }
    }
    return SYNC_EXIT_OK;
}

static bool write_output(const struct output *output, const struct values *values)
{
    char directory[PATH_BYTES];
    (void)snprintf(directory, sizeof directory, "%s", output->path);
    *strrchr(directory, '/') = '\0';
    bool made = mkdir(directory, 0777) == 0 || errno == EEXIST;
    FILE *file = made ? fopen(output->path, output->append ? "ae" : "wxe") : NULL;
    if (file == NULL) {
        (void)fprintf(stderr, "altinn-sync: write %s: %s\n", output->path, strerror(errno));
        return false;
    }
    fill(values, template_find(output->template), file);
    bool failed = ferror(file) != 0;
    failed = fclose(file) != 0 || failed;
    if (failed) {
        (void)fprintf(stderr, "altinn-sync: write %s: %s\n", output->path, strerror(errno));
    }
    return !failed;
}

static void print_next(const struct values *values)
{
    (void)printf(
        "\nWhat comes next:\n"
        "  1. ./run fmt && ./run build\n"
        "  2. ./run test unit    its rules, and the laws that every processor keeps\n"
        "  3. tests/lint/rules.py    writes its rules into docs/rules.md\n"
        "  4. build/release/altinn-sync db migrate, then run %s-to-altinn3\n"
        "Then change the rules in processors/%s.c; docs/consumers.md shows how, and how to\n"
        "see it run on this machine.\n",
        values->topic, values->name);
}

static int write_all(const char *root, const struct values *values, bool dry_run)
{
    struct output outputs[PLACES] = {0};
    outputs_of(root, values, outputs);
    int refused = check_outputs(outputs);
    if (refused != SYNC_EXIT_OK) {
        return refused;
    }
    for (size_t i = 0; i < PLACES; i++) {
        (void)printf("%s %s\n", outputs[i].append ? "adds to" : "writes ", outputs[i].path);
        if (!dry_run && !write_output(&outputs[i], values)) {
            return SYNC_EXIT_FAILED;
        }
    }
    if (!dry_run) {
        print_next(values);
    }
    return SYNC_EXIT_OK;
}

static bool rule_prefix_is_taken(const char *prefix)
{
    for (size_t i = 0; sync_processors[i] != NULL; i++) {
        const char *id = sync_processors[i]->unreadable_rule;
        if (strncmp(id, prefix, strlen(prefix)) == 0 && id[strlen(prefix)] == '-') {
            return true;
        }
    }
    return false;
}

int sync_cli_processors_new(struct sync_cli *cli, int argc, char **argv)
{
    const char *root = ".", *prefix = NULL, *home = "correspondence";
    (void)cli;
    (void)sync_cli_flag(&argc, argv, "--root", &root);
    (void)sync_cli_flag(&argc, argv, "--rules", &prefix);
    (void)sync_cli_flag(&argc, argv, "--home", &home);
    bool dry_run = sync_cli_switch(&argc, argv, "--dry-run");
    int wrong = sync_cli_arguments("processors new", argc, argv, 1, 1);
    if (wrong != 0) {
        return wrong;
    }
    if (!is_name(argv[0])) {
        return sync_cli_usage("processors new",
                              "\"%.60s\" is no name: it takes 3 to %d lower-case letters, digits "
                              "and single underscores, a letter first, for example mailbox_setting",
                              argv[0], NAME_MAX_BYTES);
    }
    struct values values = {0};
    derive(argv[0], &values);
    if (prefix != NULL) {
        (void)snprintf(values.prefix, sizeof values.prefix, "%s", is_prefix(prefix) ? prefix : "");
    }
    if (!is_prefix(values.prefix) || rule_prefix_is_taken(values.prefix)) {
        return sync_cli_usage("processors new",
                              "rules need a prefix of their own, 2 to %d capital letters; name one "
                              "with --rules, for example --rules MS",
                              PREFIX_MAX);
    }
    if (root == NULL || home == NULL || strlen(root) > PATH_BYTES / 2) {
        return sync_cli_usage("processors new", "--root and --home take a value");
    }
    (void)snprintf(values.home, sizeof values.home, "%s", home);
    values.number = next_number(root);
    return write_all(root, &values, dry_run);
}
