/* A verb's own flags and arguments. Not here: the global ones (parse.c). */
#include "cli.h"

#include "../runtime/suggest.h"

#include <string.h>

static void cut(int *argc, char **argv, int at, int count)
{
    for (int i = at; i + count < *argc; i++) {
        argv[i] = argv[i + count];
    }
    *argc -= count;
}

bool sync_cli_flag(int *argc, char **argv, const char *name, const char **ret_value)
{
    size_t size = strlen(name);
    for (int i = 0; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], name) == 0) {
            *ret_value = i + 1 < *argc ? argv[i + 1] : NULL;
            cut(argc, argv, i, *ret_value != NULL ? 2 : 1);
            return true;
        }
        if (strncmp(argv[i], name, size) == 0 && argv[i][size] == '=') {
            *ret_value = argv[i] + size + 1;
            cut(argc, argv, i, 1);
            return true;
        }
    }
    return false;
}

bool sync_cli_switch(int *argc, char **argv, const char *name)
{
    for (int i = 0; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], name) == 0) {
            cut(argc, argv, i, 1);
            return true;
        }
    }
    return false;
}

static const struct sync_command *command_of(const char *verb)
{
    for (size_t i = 0; i < sync_command_count; i++) {
        if (strcmp(sync_commands[i].words, verb) == 0) {
            return &sync_commands[i];
        }
    }
    return NULL;
}

/* The flags in a usage line such as "[--metrics ADDRESS[,…]] [--watch]", and "--help". */
static size_t flags_of(const struct sync_command *command, char (*ret_names)[32], size_t max)
{
    size_t count = 0;
    const char *usage = command != NULL ? command->usage : "";
    for (const char *at = strchr(usage, '-'); at != NULL && count + 1 < max; at = strchr(at, '-')) {
        bool begins = at == usage || strchr(" [|(", at[-1]) != NULL;
        size_t size = strcspn(at, " =]|,[)");
        if (begins) {
            (void)snprintf(ret_names[count++], sizeof ret_names[0], "%.*s", (int)size, at);
        }
        at += size;
    }
    (void)snprintf(ret_names[count++], sizeof ret_names[0], "--help");
    return count;
}

static int unknown_flag(const char *verb, const char *word)
{
    char names[16][32];
    const char *candidates[16];
    size_t count = flags_of(command_of(verb), names, 16);
    for (size_t i = 0; i < count; i++) {
        candidates[i] = names[i];
    }
    const char *near = sync_suggest(word, candidates, count);
    return near != NULL
               ? sync_cli_usage(verb, "there is no flag %.60s; did you mean %s?", word, near)
               : sync_cli_usage(verb, "there is no flag %.60s", word);
}

int sync_cli_arguments(const char *verb, int argc, char **argv, int min, int max)
{
    bool plain = false; /* behind "--" */
    int count = 0;
    for (int i = 0; i < argc; i++) {
        if (!plain && strcmp(argv[i], "--") == 0) {
            plain = true;
            continue;
        }
        if (!plain && argv[i][0] == '-' && argv[i][1] != '\0') {
            return unknown_flag(verb, argv[i]);
        }
        argv[count++] = argv[i];
    }
    const struct sync_command *command = command_of(verb);
    const char *usage = command != NULL ? command->usage : "";
    if (count < min) {
        return sync_cli_usage(verb, "an argument is missing; it takes %s", usage);
    }
    if (count > max) {
        return sync_cli_usage(verb, "\"%.60s\" is one argument too many", argv[max]);
    }
    return 0;
}
