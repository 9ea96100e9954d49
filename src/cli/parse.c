/* Reads the command line: global flags and the verb. Not here: a verb's own flags (flags.c). */
#include "cli.h"

#include "../runtime/suggest.h"
#include "../runtime/units.h"

#include <limits.h>
#include <string.h>

#define TIMEOUT_DEFAULT_MS 10000
#define GROUPS_MAX         128 /* rows of the table of verbs */

/* One global flag. take gets NULL where the flag has no value. */
struct flag {
    const char *brief, *name;
    bool has_value;
    sync_status (*take)(struct sync_cli *cli, struct sync_cli_parsed *parsed, const char *value,
                        struct sync_error *err);
};

/* A usage error; the text is a sentence about the word. */
#define usage(err, ...) sync_fail((err), SYNC_CLASS_FATAL, SYNC_CODE_USAGE, __VA_ARGS__)

static sync_status take_file(struct sync_cli *cli, struct sync_cli_parsed *parsed,
                             const char *value, struct sync_error *err)
{
    (void)parsed;
    if (cli->sources.file_count == SYNC_CONFIG_FILES_MAX) {
        return usage(err, "-c %.60s is one file too many; at most 8 are read, conf.d takes more",
                     value);
    }
    cli->sources.files[cli->sources.file_count++] = value;
    return SYNC_OK;
}

static sync_status take_client_file(struct sync_cli *cli, struct sync_cli_parsed *parsed,
                                    const char *value, struct sync_error *err)
{
    (void)parsed;
    if (cli->sources.client_file != NULL) {
        return usage(err, "-F %.60s is one file too many; -F takes one, -X adds to it", value);
    }
    cli->sources.client_file = value;
    return SYNC_OK;
}

static sync_status take_property(struct sync_cli *cli, struct sync_cli_parsed *parsed,
                                 const char *value, struct sync_error *err)
{
    (void)parsed;
    size_t used = 0;
    while (cli->sources.properties[used] != NULL) {
        used++;
    }
    char *equals = strchr(value, '=');
    if (equals == NULL || equals == value) {
        return usage(err, "-X %.60s is not a property; write -X name=value", value);
    }
    if (used == 2 * SYNC_CONFIG_PROPERTIES_MAX) {
        return usage(err, "-X %.60s is one property too many; write them into the file", value);
    }
    *equals = '\0'; /* argv is ours: the name ends here */
    cli->sources.properties[used] = value;
    cli->sources.properties[used + 1] = equals + 1;
    return SYNC_OK;
}

static sync_status take_output(struct sync_cli *cli, struct sync_cli_parsed *parsed,
                               const char *value, struct sync_error *err)
{
    (void)parsed;
    cli->json = strcmp(value, "json") == 0;
    if (!cli->json && strcmp(value, "table") != 0) {
        return usage(err, "-o %.60s is no output form; it takes table or json", value);
    }
    return SYNC_OK;
}

static sync_status take_timeout(struct sync_cli *cli, struct sync_cli_parsed *parsed,
                                const char *value, struct sync_error *err)
{
    (void)parsed;
    int64_t ms = 0;
    if (!sync_units_ms(value, &ms) || ms < 1 || ms > 24 * 3600 * 1000) {
        return usage(err, "--timeout %.60s is no duration up to a day; write 30s, 500ms or PT30S",
                     value);
    }
    cli->timeout_ms = (int)ms;
    return SYNC_OK;
}

static sync_status take_dev(struct sync_cli *cli, struct sync_cli_parsed *parsed, const char *value,
                            struct sync_error *err)
{
    (void)parsed, (void)value, (void)err;
    cli->sources.dev = true;
    return SYNC_OK;
}

static sync_status take_yes(struct sync_cli *cli, struct sync_cli_parsed *parsed, const char *value,
                            struct sync_error *err)
{
    (void)parsed, (void)value, (void)err;
    cli->yes = true;
    return SYNC_OK;
}

static sync_status take_quiet(struct sync_cli *cli, struct sync_cli_parsed *parsed,
                              const char *value, struct sync_error *err)
{
    (void)parsed, (void)value, (void)err;
    cli->quiet = true;
    return SYNC_OK;
}

static sync_status take_no_color(struct sync_cli *cli, struct sync_cli_parsed *parsed,
                                 const char *value, struct sync_error *err)
{
    (void)parsed, (void)value, (void)err;
    cli->no_color = true;
    return SYNC_OK;
}

static sync_status take_help(struct sync_cli *cli, struct sync_cli_parsed *parsed,
                             const char *value, struct sync_error *err)
{
    (void)cli, (void)value, (void)err;
    parsed->want = SYNC_CLI_HELP;
    return SYNC_OK;
}

static sync_status take_version(struct sync_cli *cli, struct sync_cli_parsed *parsed,
                                const char *value, struct sync_error *err)
{
    (void)cli, (void)value, (void)err;
    parsed->want = SYNC_CLI_VERSION;
    return SYNC_OK;
}

static const struct flag flags[] = {
    {"-c", "--config", true, take_file},       {"-F", "--client-file", true, take_client_file},
    {"-X", "--property", true, take_property}, {"-o", "--output", true, take_output},
    {"", "--timeout", true, take_timeout},     {"", "--dev", false, take_dev},
    {"-y", "--yes", false, take_yes},          {"-q", "--quiet", false, take_quiet},
    {"", "--no-color", false, take_no_color},  {"-h", "--help", false, take_help},
    {"", "--version", false, take_version},
};
#define FLAG_COUNT (sizeof flags / sizeof flags[0])

/* The flag that an argument is; ret_value: what stands in the same argument ("--output=json",
 * "-ojson"). */
static const struct flag *flag_of(char *argument, char **ret_value)
{
    *ret_value = NULL;
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        size_t size = strlen(flags[i].name);
        bool brief = flags[i].brief[0] != '\0' && strcmp(argument, flags[i].brief) == 0;
        if (brief || strcmp(argument, flags[i].name) == 0) {
            return &flags[i];
        }
        if (!flags[i].has_value) {
            continue;
        }
        if (strncmp(argument, flags[i].name, size) == 0 && argument[size] == '=') {
            *ret_value = argument + size + 1;
            return &flags[i];
        }
        if (flags[i].brief[0] != '\0' && strncmp(argument, flags[i].brief, 2) == 0) {
            *ret_value = argument + 2;
            return &flags[i];
        }
    }
    return NULL;
}

/* Moves what is not global to the front of argv. */
static sync_status take_flags(int argc, char **argv, struct sync_cli *cli,
                              struct sync_cli_parsed *parsed, struct sync_error *err)
{
    int kept = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            for (; i < argc; i++) {
                argv[kept++] = argv[i];
            }
            break;
        }
        char *value = NULL;
        const struct flag *flag = flag_of(argv[i], &value);
        if (flag == NULL) {
            argv[kept++] = argv[i];
            continue;
        }
        if (flag->has_value && value == NULL) {
            if (i + 1 == argc) {
                return usage(err, "%s needs a value", argv[i]);
            }
            value = argv[++i];
        }
        sync_status status = flag->take(cli, parsed, value, err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    parsed->argc = kept;
    parsed->argv = argv;
    return SYNC_OK;
}

/* How many leading arguments are the words of a verb; 0: it is another one. */
static int words_match(const char *words, int argc, char **argv)
{
    int used = 0;
    for (const char *at = words; *at != '\0'; used++) {
        size_t size = strcspn(at, " ");
        if (used == argc || strlen(argv[used]) != size || strncmp(argv[used], at, size) != 0) {
            return 0;
        }
        at += size;
        at += *at == ' ';
    }
    return used;
}

/* The verb with the most words. */
static const struct sync_command *find(int argc, char **argv, int *ret_used)
{
    const struct sync_command *best = NULL;
    *ret_used = 0;
    for (size_t i = 0; i < sync_command_count; i++) {
        int used = words_match(sync_commands[i].words, argc, argv);
        if (used > *ret_used) {
            *ret_used = used;
            best = &sync_commands[i];
        }
    }
    return best;
}

/* The verbs of a group, "topics validate or topics apply"; empty when word begins none. */
static void verbs_of(const char *word, char *ret_text, size_t size)
{
    size_t used = 0, length = strlen(word);
    ret_text[0] = '\0';
    for (size_t i = 0; i < sync_command_count; i++) {
        const char *words = sync_commands[i].words;
        if (strncmp(words, word, length) == 0 && words[length] == ' ' && used < size) {
            used +=
                (size_t)snprintf(ret_text + used, size - used, "%s%s", used > 0 ? ", " : "", words);
        }
    }
}

/* The nearest first word of the verbs that have two, NULL when none is near. */
static const char *nearest_group(const char *word, char (*groups)[32])
{
    const char *names[GROUPS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < sync_command_count && count < GROUPS_MAX; i++) {
        size_t size = strcspn(sync_commands[i].words, " ");
        (void)snprintf(groups[count], sizeof groups[0], "%.*s", (int)size, sync_commands[i].words);
        names[count] = groups[count];
        count++;
    }
    return sync_suggest(word, names, count);
}

static sync_status unknown_verb(int argc, char **argv, struct sync_error *err)
{
    const char *words[GROUPS_MAX];
    size_t count = 0;
    for (; count < sync_command_count && count < GROUPS_MAX; count++) {
        words[count] = sync_commands[count].words;
    }
    char two[128] = "", verbs[160];
    if (argc > 1 && argv[1][0] != '-') {
        (void)snprintf(two, sizeof two, "%.60s %.60s", argv[0], argv[1]);
    }
    const char *near = two[0] != '\0' ? sync_suggest(two, words, count) : NULL;
    near = near != NULL ? near : sync_suggest(argv[0], words, count);
    verbs_of(argv[0], verbs, sizeof verbs);
    char groups[GROUPS_MAX][32];
    if (near == NULL && verbs[0] == '\0') {
        near = nearest_group(argv[0], groups);
    }
    if (verbs[0] != '\0' && near == NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_USAGE,
                         "\"%.60s\" is not a verb by itself; there is %s",
                         two[0] != '\0' ? two : argv[0], verbs);
    }
    const char *typed = near != NULL && strchr(near, ' ') != NULL && two[0] != '\0' ? two : argv[0];
    if (near != NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_USAGE,
                         "there is no verb \"%.120s\"; did you mean \"%s\"?", typed, near);
    }
    return usage(err, "there is no verb \"%.60s\"; \"altinn-sync help\" lists them", argv[0]);
}

static sync_status unknown_flag(const char *word, struct sync_error *err)
{
    const char *names[FLAG_COUNT];
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        names[i] = flags[i].name;
    }
    const char *near = sync_suggest(word, names, FLAG_COUNT);
    if (near == NULL) {
        return usage(err, "there is no flag %.60s; \"altinn-sync help\" lists them", word);
    }
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_USAGE,
                     "there is no flag %.60s; did you mean %s?", word, near);
}

/* "altinn-sync topics --help": help of the group. */
static void take_prefix(struct sync_cli_parsed *parsed)
{
    char verbs[160];
    if (parsed->argc > 0) {
        verbs_of(parsed->argv[0], verbs, sizeof verbs);
        if (verbs[0] != '\0') {
            (void)snprintf(parsed->prefix, sizeof parsed->prefix, "%s", parsed->argv[0]);
        }
    }
}

sync_status sync_cli_parse(int argc, char **argv, struct sync_cli *ret_cli,
                           struct sync_cli_parsed *ret_parsed, struct sync_error *err)
{
    memset(ret_parsed, 0, sizeof *ret_parsed);
    ret_cli->timeout_ms = TIMEOUT_DEFAULT_MS;
    sync_status status = take_flags(argc, argv, ret_cli, ret_parsed, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    int used = 0;
    ret_parsed->command = find(ret_parsed->argc, ret_parsed->argv, &used);
    if (ret_parsed->want == SYNC_CLI_VERSION) {
        return SYNC_OK;
    }
    if (ret_parsed->command == NULL) {
        take_prefix(ret_parsed);
        bool wants_help = ret_parsed->want == SYNC_CLI_HELP;
        if (wants_help && (ret_parsed->argc == 0 || ret_parsed->prefix[0] != '\0')) {
            return SYNC_OK;
        }
        if (ret_parsed->argc == 0) {
            return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_USAGE,
                             "a verb is missing; \"altinn-sync help\" lists them");
        }
        return ret_parsed->argv[0][0] == '-'
                   ? unknown_flag(ret_parsed->argv[0], err)
                   : unknown_verb(ret_parsed->argc, ret_parsed->argv, err);
    }
    ret_parsed->argc -= used;
    ret_parsed->argv += used;
    return SYNC_OK;
}
