/* Entry: reads the command line, loads the configuration where the verb needs it, runs the verb. */
#include "cli.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

static int run(struct sync_cli *cli, const struct sync_cli_parsed *parsed)
{
    if (!parsed->command->needs_config) {
        return parsed->command->run(cli, parsed->argc, parsed->argv);
    }
    struct sync_error err;
    if (!sync_is_ok(sync_config_load(&cli->sources, &cli->config, &err))) {
        return sync_cli_fail(&err);
    }
    int code = parsed->command->run(cli, parsed->argc, parsed->argv);
    sync_config_done(&cli->config);
    return code;
}

/* A full disk or a closed pipe must not look like success. */
static int finish(int code)
{
    if (fflush(stdout) != 0 && code == SYNC_EXIT_OK) {
        (void)fprintf(stderr,
                      "altinn-sync: write to standard output: not everything was written\n");
        return SYNC_EXIT_FAILED;
    }
    return code;
}

int main(int argc, char **argv)
{
    static struct sync_cli cli;                           /* too large for the stack */
    (void)signal(SIGPIPE, SIG_IGN);                       /* cannot fail for a valid signal */
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* a core would hold people's data */
    (void)mallopt(M_ARENA_MAX, 1); /* else each thread of a library keeps memory of its own */
    struct sync_cli_parsed parsed;
    struct sync_error err;
    if (!sync_is_ok(sync_cli_parse(argc, argv, &cli, &parsed, &err))) {
        return sync_cli_fail(&err);
    }
    switch (parsed.want) {
    case SYNC_CLI_HELP:
        sync_cli_print_help(parsed.command, parsed.prefix, cli.json, stdout);
        return finish(SYNC_EXIT_OK);
    case SYNC_CLI_VERSION:
        return finish(sync_cli_version(&cli, 0, NULL));
    case SYNC_CLI_RUN:
        return finish(run(&cli, &parsed));
    }
    return SYNC_EXIT_FAILED;
}
