/*
 * Command line: the table of verbs, shared flags, output forms and exit codes.
 */
#ifndef SYNC_CLI_CLI_H
#define SYNC_CLI_CLI_H
#include "../runtime/config.h"
#include <stdio.h>

enum sync_exit {
    SYNC_EXIT_OK = 0,
    SYNC_EXIT_FAILED = 1,
    SYNC_EXIT_USAGE = 2,
    SYNC_EXIT_DIFFERENCES = 3,
    SYNC_EXIT_NOT_FOUND = 4,
    SYNC_EXIT_REFUSED = 5,
    SYNC_EXIT_PARTLY = 6,
    SYNC_EXIT_UNREACHABLE = 7,
    SYNC_EXIT_INTERRUPTED = 130,
};

struct sync_cli {
    struct sync_config_sources sources;
    struct sync_config config; /* loaded when the verb needs it (command.needs_config) */
    bool json;                 /* -o json */
    bool yes, quiet;
    int timeout_ms;
};

/* One verb; args are what is left after the verb's words and the global flags. Returns an exit code. */
typedef int sync_command_run(struct sync_cli *cli, int argc, char **argv);
struct sync_command {
    const char *words;   /* "db migrate" */
    const char *usage;   /* "[--dry-run]" */
    const char *summary; /* one line */
    const char *help;    /* paragraphs with flags and an example */
    bool needs_config;
    sync_command_run *run;
};

/* Each stands in its own file below src/cli; the table in main.c lists them. */
sync_command_run sync_cli_run, sync_cli_capture, sync_cli_capture_init, sync_cli_capture_status, sync_cli_load,
    sync_cli_db_migrate, sync_cli_db_status, sync_cli_status, sync_cli_parked_list, sync_cli_parked_show,
    sync_cli_held_list, sync_cli_lanes_list, sync_cli_lanes_open, sync_cli_doctor, sync_cli_config_check,
    sync_cli_config_show, sync_cli_processors_list, sync_cli_processors_describe, sync_cli_topics_validate,
    sync_cli_topics_apply, sync_cli_version;

/* Prints "altinn-sync: <text>" on stderr and returns the exit code that belongs to the class and code. */
int sync_cli_fail(const struct sync_error *err);
/* Usage error of a verb: sentence on stderr with a hint to --help; returns 2. */
int sync_cli_usage(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "--name VALUE" or "--name=VALUE" of a verb's own flags: true and the value when present; removes it from argv. */
bool sync_cli_flag(int *argc, char **argv, const char *name, const char **ret_value);
bool sync_cli_switch(int *argc, char **argv, const char *name);
/* Aligned table or JSON array of objects, by cli->json. Cells NULL-ended rows. */
struct sync_table;
struct sync_table *sync_table_new(const char *const *columns);
void sync_table_row(struct sync_table *table, const char *const *cells); /* copied */
void sync_table_print(struct sync_table **table, bool json, FILE *out); /* and frees */
#endif
