/* Prints help from the table of verbs, for people and as JSON. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#define WIDTH 80 /* columns */

static const char intro[] =
    "altinn-sync keeps Altinn 2 and Altinn 3 telling citizens the same story.\n"
    "\n"
    "Usage: altinn-sync [FLAGS] VERB [ARGUMENTS]\n";

static const char outro[] =
    "\n"
    "Flags of every verb\n"
    "  -c FILE             configuration; repeatable, later wins\n"
    "  -F FILE             client.properties of the Kafka client\n"
    "  -X NAME=VALUE       property of the Kafka client; beats -F\n"
    "  -o table|json       form of the output\n"
    "  --dev               one-broker stacks on loopback: topics.dev.yaml, CreateTime\n"
    "  --timeout DURATION  longest wait for a dependency, such as 10s or PT10S\n"
    "  -y, --yes           do not ask\n"
    "  -q, --quiet         say nothing but errors\n"
    "  --no-color          no colours; so does NO_COLOR, and output that is no terminal\n"
    "  -h, --help          this text, or the help of the verb\n"
    "  --version           print the version\n"
    "\n"
    "Exit codes\n"
    "  0 done   1 failed   2 wrong usage or file   3 differences   4 not found\n"
    "  5 refused by a safety rule   6 partly done   7 dependency not reached\n"
    "\n"
    "\"altinn-sync help VERB\" explains one verb.\n";

static bool begins(const char *words, const char *prefix)
{
    size_t size = strlen(prefix);
    return strncmp(words, prefix, size) == 0 &&
           (size == 0 || words[size] == '\0' || words[size] == ' ');
}

/* Where the text of a line begins: behind the flag that it explains, else behind its first blanks.
 */
static size_t hanging(const char *line, size_t size)
{
    size_t blanks = strspn(line, " ");
    for (size_t i = blanks; blanks > 0 && i + 2 < size; i++) {
        if (line[i] == ' ' && line[i + 1] == ' ') {
            return i + strspn(line + i, " ");
        }
    }
    return blanks;
}

/* One line of the table's text, filled to the width; what does not fit hangs below its beginning.
 */
static void print_filled(const char *line, size_t size, FILE *out)
{
    size_t indent = hanging(line, size), at = 0, column = 0;
    while (at < size) {
        size_t gap = strspn(line + at, " ");
        gap = gap > size - at ? size - at : gap;
        size_t word = strcspn(line + at + gap, " \n");
        if (column > indent && column + gap + word > WIDTH) {
            (void)fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else {
            (void)fprintf(out, "%*s", (int)gap, "");
            column += gap;
        }
        (void)fprintf(out, "%.*s", (int)word, line + at + gap);
        column += word;
        at += gap + word;
    }
    (void)fputc('\n', out);
}

static void print_help(const char *help, FILE *out)
{
    for (const char *line = help; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        print_filled(line, size, out);
        line += size + (line[size] == '\n');
    }
}

static void print_verb(const struct sync_command *command, FILE *out)
{
    (void)fprintf(out, "altinn-sync %s: %s.\n\nUsage: altinn-sync %s%s%s\n", command->words,
                  command->summary, command->words, command->usage[0] != '\0' ? " " : "",
                  command->usage);
    if (command->help != NULL && command->help[0] != '\0') {
        (void)fputc('\n', out);
        print_help(command->help, out);
    }
}

static void print_list(const char *prefix, FILE *out)
{
    const char *group = "";
    for (size_t i = 0; i < sync_command_count; i++) {
        const struct sync_command *command = &sync_commands[i];
        if (!begins(command->words, prefix)) {
            continue;
        }
        if (strcmp(group, command->group) != 0) {
            group = command->group;
            (void)fprintf(out, "\n%s\n", group);
        }
        (void)fprintf(out, "  %-20s  %s\n", command->words, command->summary);
    }
}

static void print_json(const struct sync_command *only, const char *prefix, FILE *out)
{
    struct sync_json_writer w;
    sync_json_writer_init(&w);
    sync_json_open(&w, NULL, '[');
    for (size_t i = 0; i < sync_command_count; i++) {
        const struct sync_command *command = &sync_commands[i];
        if (only != NULL ? command != only : !begins(command->words, prefix)) {
            continue;
        }
        sync_json_open(&w, NULL, '{');
        sync_json_put_text(&w, "verb", command->words);
        sync_json_put_text(&w, "usage", command->usage);
        sync_json_put_text(&w, "summary", command->summary);
        sync_json_put_text(&w, "help", command->help);
        sync_json_put_text(&w, "group", command->group);
        sync_json_close(&w, '}');
    }
    sync_json_close(&w, ']');
    char *text = sync_json_writer_take(&w);
    SYNC_ASSERT(text != NULL);
    (void)fprintf(out, "%s\n", text);
    free(text);
}

void sync_cli_print_help(const struct sync_command *command, const char *prefix, bool json,
                         FILE *out)
{
    if (json) {
        print_json(command, prefix, out);
    } else if (command != NULL) {
        print_verb(command, out);
    } else if (prefix[0] != '\0') {
        (void)fprintf(out, "altinn-sync %s has these verbs:\n", prefix);
        print_list(prefix, out);
    } else {
        (void)fputs(intro, out);
        print_list("", out);
        (void)fputs(outro, out);
    }
}

/* help [VERB]: the words behind "help" are read like a command line. */
int sync_cli_help(struct sync_cli *cli, int argc, char **argv)
{
    char *words[8] = {(char *)"altinn-sync"};
    int count = 1;
    for (int i = 0; i < argc && count < 7; i++) {
        words[count++] = argv[i];
    }
    words[count++] = (char *)"--help";
    struct sync_cli ignored = {0};
    struct sync_cli_parsed parsed;
    struct sync_error err;
    if (!sync_is_ok(sync_cli_parse(count, words, &ignored, &parsed, &err))) {
        return sync_cli_fail(&err);
    }
    sync_cli_print_help(parsed.command, parsed.prefix, cli->json, stdout);
    return SYNC_EXIT_OK;
}
