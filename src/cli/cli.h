/*
 * Command line: the table of verbs, shared flags, output forms and exit codes.
 */
#ifndef SYNC_CLI_CLI_H
#define SYNC_CLI_CLI_H
#include "../runtime/config.h"
#include "../runtime/json.h"
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
    bool yes, quiet, no_color;
    int timeout_ms;
};

/* One verb; args are what is left after the verb's words and the global flags. Returns an exit
 * code. */
typedef int sync_command_run(struct sync_cli *cli, int argc, char **argv);
struct sync_command {
    const char *words; /* "db migrate" */
    const char
        *usage; /* "[--dry-run]": every flag of the verb stands here, so that slips can be named */
    const char *summary; /* one line, at most 50 characters */
    const char *help;    /* paragraphs with flags and an example, no line end at the end */
    bool needs_config;
    sync_command_run *run;
    const char *group; /* heading in "help"; rows of one group stand together in commands.c */
};

/* Each stands in its own file below src/cli; the table in commands.c lists them. */
sync_command_run sync_cli_run, sync_cli_capture, sync_cli_capture_init, sync_cli_capture_status,
    sync_cli_capture_backfill, sync_cli_load, sync_cli_db_migrate, sync_cli_db_status,
    sync_cli_status, sync_cli_parked_list, sync_cli_parked_show, sync_cli_held_list,
    sync_cli_lanes_list, sync_cli_lanes_open, sync_cli_drift_list, sync_cli_drift_release,
    sync_cli_pause, sync_cli_resume, sync_cli_doctor, sync_cli_config_check, sync_cli_config_show,
    sync_cli_processors_list, sync_cli_processors_describe, sync_cli_processors_new,
    sync_cli_topics_validate, sync_cli_topics_apply, sync_cli_version, sync_cli_help;

extern const struct sync_command sync_commands[];
extern const size_t sync_command_count;

/* What the command line asks for. */
enum sync_cli_want { SYNC_CLI_RUN, SYNC_CLI_HELP, SYNC_CLI_VERSION };
struct sync_cli_parsed {
    enum sync_cli_want want;
    const struct sync_command *command; /* HELP: NULL = all, or those that begin with prefix */
    char prefix[64];
    int argc; /* what is left for the verb */
    char **argv;
};
/*
 * Takes the global flags out of argv, wherever they stand before "--", and finds the verb.
 * Owns:   ret_parsed->argv points into argv, which is reordered.
 * Blocks: no.  Fails: FATAL usage with a sentence that names the word, and the nearest verb or
 * flag.
 */
sync_status sync_cli_parse(int argc, char **argv, struct sync_cli *ret_cli,
                           struct sync_cli_parsed *ret_parsed, struct sync_error *err);
/* Help of one verb, of all verbs that begin with prefix, or (prefix "") of the program. */
void sync_cli_print_help(const struct sync_command *command, const char *prefix, bool json,
                         FILE *out);

/* Prints "altinn-sync: <text>" on stderr and returns the exit code that belongs to the class and
 * code. */
int sync_cli_fail(const struct sync_error *err);
/* The same for run and capture: 2 for a wrong file or flag, else 1. */
int sync_cli_fail_process(const struct sync_error *err);
/* Exit code of an error, without printing. */
int sync_cli_exit_code(const struct sync_error *err);
/* Usage error of a verb: sentence on stderr with a hint to --help; returns 2. */
int sync_cli_usage(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "--name VALUE" or "--name=VALUE" of a verb's own flags: true and the value when present; removes
 * it from argv. The value is NULL when the flag stands last, without one. */
bool sync_cli_flag(int *argc, char **argv, const char *name, const char **ret_value);
bool sync_cli_switch(int *argc, char **argv, const char *name);
/* After the verb took its flags: refuses what is left of flags, and fewer than min or more than max
 * arguments. Returns 0, or 2 after saying so. */
int sync_cli_arguments(const char *verb, int argc, char **argv, int min, int max);
/* True with --yes, or when a person at a terminal answers yes. Else says what is missing: return 5.
 */
bool sync_cli_confirm(const struct sync_cli *cli, const char *question);
/* Who does it, for the audit row: user@host. */
#define SYNC_CLI_ACTOR 128
void sync_cli_actor(char ret_actor[static SYNC_CLI_ACTOR]);
/* True when out is a terminal and neither NO_COLOR nor --no-color is set. */
bool sync_cli_colors(const struct sync_cli *cli, FILE *out);

/*
 * Aligned table or JSON array of objects, by cli->json. Rows end with NULL; a cell "" is empty
 * (null in JSON). A column whose name begins with '#' holds numbers: to the right, and numbers in
 * JSON.
 */
struct sync_table;
struct sync_table *sync_table_new(const char *const *columns);
void sync_table_row(struct sync_table *table, const char *const *cells); /* copied */
/* Prints and frees; out NULL: only frees. */
void sync_table_print(struct sync_table **table, bool json, FILE *out);
/* The rows as an array inside a larger document, and frees. */
void sync_table_put(struct sync_table **table, struct sync_json_writer *w, const char *name);
#define SYNC_CELLS(...) ((const char *const[]){__VA_ARGS__, NULL})
#endif
