/* What the program says to a person on stderr: failures, usage, questions; and the exit codes. */
#include "cli.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int code_of(enum sync_code code)
{
    switch ((int)code) { /* most codes are plain failures, so this one switch has a default */
    case SYNC_CODE_USAGE:
    case SYNC_CODE_CONFIG:
    case SYNC_CODE_FILE:
    case SYNC_CODE_SYNTAX:
    case SYNC_CODE_UNKNOWN_KEY:
    case SYNC_CODE_INSECURE:
        return SYNC_EXIT_USAGE;
    case SYNC_CODE_NOT_FOUND:
        return SYNC_EXIT_NOT_FOUND;
    case SYNC_CODE_REFUSED:
    case SYNC_CODE_CLUSTER:
        return SYNC_EXIT_REFUSED;
    case SYNC_CODE_DB_UNREACHABLE:
    case SYNC_CODE_KAFKA_UNREACHABLE:
    case SYNC_CODE_HTTP_UNREACHABLE:
    case SYNC_CODE_TIMEOUT:
        return SYNC_EXIT_UNREACHABLE;
    default:
        return SYNC_EXIT_FAILED;
    }
}

int sync_cli_exit_code(const struct sync_error *err)
{
    return code_of(err->code);
}

/* What helps against a whole kind of failures; a text that already says it stays as it is. */
static const char *mend_of(const struct sync_error *err)
{
    if (err->code == SYNC_CODE_DB_SCHEMA && strstr(err->text, "db migrate") == NULL) {
        return "; run \"altinn-sync db migrate\" first";
    }
    if (err->code == SYNC_CODE_DB_REFUSED && strstr(err->text, "permission denied") != NULL) {
        return "; grant the role what examples/sql gives it";
    }
    if (err->code == SYNC_CODE_DB_REFUSED && strstr(err->text, "replication role") != NULL) {
        return "; use the login of the capture, see examples/sql/roles.sql";
    }
    return "";
}

int sync_cli_fail(const struct sync_error *err)
{
    (void)fprintf(stderr, "altinn-sync: %s%s\n", err->text, mend_of(err));
    return sync_cli_exit_code(err);
}

int sync_cli_fail_process(const struct sync_error *err)
{
    return sync_cli_fail(err) == SYNC_EXIT_USAGE ? SYNC_EXIT_USAGE : SYNC_EXIT_FAILED;
}

int sync_cli_usage(const char *verb, const char *format, ...)
{
    va_list args;
    (void)fprintf(stderr, "altinn-sync %s: ", verb);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "\nSee: altinn-sync help %s\n", verb);
    return SYNC_EXIT_USAGE;
}

bool sync_cli_confirm(const struct sync_cli *cli, const char *question)
{
    if (cli->yes) {
        return true;
    }
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        (void)fprintf(stderr,
                      "altinn-sync: nothing was changed, because nobody can be asked here; add "
                      "--yes to go on\n");
        return false;
    }
    char answer[16];
    (void)fprintf(stderr, "%s [y/N] ", question);
    (void)fflush(stderr);
    bool yes =
        fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
    if (!yes) {
        (void)fprintf(stderr, "altinn-sync: nothing was changed\n");
    }
    return yes;
}

void sync_cli_actor(char ret_actor[static SYNC_CLI_ACTOR])
{
    const struct passwd *user = getpwuid(getuid());
    char host[64] = "";
    (void)gethostname(host, sizeof host - 1); /* a name that is cut or missing does no harm */
    (void)snprintf(ret_actor, SYNC_CLI_ACTOR, "%.48s@%.64s", user ? user->pw_name : "unknown",
                   host);
}

bool sync_cli_colors(const struct sync_cli *cli, FILE *out)
{
    const char *refused = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return !cli->no_color && (refused == NULL || refused[0] == '\0') && isatty(fileno(out)) &&
           terminal != NULL && strcmp(terminal, "dumb") != 0;
}
