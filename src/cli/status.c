/* status [--watch]: one look, or one every second. Not here: reading (status_read.c), form
 * (status_draw.c). */
#include "status.h"

#include "../runtime/units.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_DEFAULT_MS 1000
#define RATE_SAMPLE_MS      500 /* a single look compares two moments, so that it has rates */

static volatile sig_atomic_t ended_by; /* signal that ends the watch */

static void note_signal(int signal_number)
{
    ended_by = signal_number;
}

#define PROCESS_TIMEOUT_MS 1000

struct watch {
    struct homes homes;
    bool on, screen, colors;
    int64_t interval_ms, count; /* count 0 = until a signal */
    int lines;                  /* drawn last */
};

static int take_flags(int *argc, char **argv, struct watch *ret_watch,
                      struct status_snapshot *snapshot)
{
    const char *interval = NULL, *count = NULL, *metrics = NULL;
    while (sync_cli_flag(argc, argv, "--metrics", &metrics)) {
        if (metrics == NULL || !status_processes_take(metrics, snapshot)) {
            return sync_cli_usage("status", "--metrics takes host:port,host:port, at most %d",
                                  STATUS_PROCESSES_MAX);
        }
    }
    ret_watch->interval_ms = INTERVAL_DEFAULT_MS;
    ret_watch->on = sync_cli_switch(argc, argv, "--watch");
    if (sync_cli_flag(argc, argv, "--interval", &interval) &&
        (interval == NULL || !sync_units_ms(interval, &ret_watch->interval_ms) ||
         ret_watch->interval_ms < 100 || ret_watch->interval_ms > 3600000)) {
        return sync_cli_usage("status", "--interval takes 100ms to 1h");
    }
    if (sync_cli_flag(argc, argv, "--count", &count) &&
        (count == NULL || !sync_units_number(count, &ret_watch->count) || ret_watch->count < 1)) {
        return sync_cli_usage("status", "--count takes a number of ticks from 1 on");
    }
    return sync_cli_arguments("status", *argc, argv, 0, 0);
}

/* Ends early when a signal came. */
static void pause_ms(int64_t ms)
{
    struct timespec left = {ms / 1000, (ms % 1000) * 1000000};
    while (ended_by == 0 && nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static int terminal_rows(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

/* Draws over the last screen line by line, so that nothing flickers. */
static void redraw(struct watch *watch, const struct status_snapshot *snapshot)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    SYNC_ASSERT(memory != NULL);
    int lines = status_draw(snapshot, watch->colors, memory);
    (void)fclose(memory); /* memory: it was written */
    if (watch->lines > 0 && watch->lines < terminal_rows()) {
        (void)printf("\033[%dA", watch->lines);
    } else if (watch->lines > 0) {
        (void)printf("\033[H\033[J");
    }
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');
        (void)printf("%.*s\033[K\n", (int)(end - line), line);
        line = end + 1;
    }
    (void)printf("\033[J");
    watch->lines = lines;
    free(text);
}

static void show(const struct sync_cli *cli, struct watch *watch,
                 const struct status_snapshot *snapshot)
{
    if (cli->json) {
        status_print_json(snapshot, stdout);
    } else if (watch->screen) {
        redraw(watch, snapshot);
    } else if (watch->on) {
        status_print_lines(snapshot, stdout);
    } else {
        (void)status_draw(snapshot, watch->colors, stdout);
    }
    (void)fflush(stdout);
}

static int look_once(const struct sync_cli *cli, struct status_reader *reader, struct watch *watch,
                     struct status_snapshot *snapshot)
{
    struct sync_error err;
    status_processes_read(snapshot, PROCESS_TIMEOUT_MS);
    sync_status status = status_read(reader, snapshot, &err);
    if (sync_is_ok(status) && !cli->json) {
        pause_ms(RATE_SAMPLE_MS);
        status = status_read(reader, snapshot, &err);
    }
    if (!sync_is_ok(status)) {
        return sync_cli_fail(&err);
    }
    show(cli, watch, snapshot);
    if (snapshot->database_fault[0] != '\0') {
        (void)fprintf(stderr, "altinn-sync: %s\n", snapshot->database_fault);
        return SYNC_EXIT_PARTLY; /* of the other home */
    }
    return SYNC_EXIT_OK;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = note_signal};
    (void)sigaction(SIGINT, &action, NULL); /* cannot fail for valid signals */
    (void)sigaction(SIGTERM, &action, NULL);
}

/* A database that cannot be reached is shown and tried again: the watch outlives what it watches.
 */
static int look_on(const struct sync_cli *cli, struct status_reader *reader, struct watch *watch,
                   struct status_snapshot *snapshot)
{
    struct sync_error err;
    catch_signals();
    if (watch->screen) {
        (void)printf("\033[?25l");
    }
    int code = SYNC_EXIT_OK;
    for (int64_t tick = 0; ended_by == 0 && (watch->count == 0 || tick < watch->count); tick++) {
        if (tick > 0) {
            pause_ms(watch->interval_ms);
        }
        sync_status status = ended_by == 0 ? status_read(reader, snapshot, &err) : SYNC_OK;
        if (status.class == SYNC_CLASS_FATAL) {
            code = sync_cli_fail(&err);
            break;
        }
        status_processes_read(snapshot, PROCESS_TIMEOUT_MS);
        show(cli, watch, snapshot);
    }
    if (watch->screen) {
        (void)printf("\033[?25h");
        (void)fflush(stdout);
    }
    return ended_by == SIGINT ? SYNC_EXIT_INTERRUPTED : code;
}

static int look(struct sync_cli *cli, struct watch *watch, struct status_snapshot *snapshot)
{
    struct status_reader reader;
    struct sync_error err;
    if (!sync_is_ok(status_reader_open(cli, &watch->homes, &reader, &err))) {
        return sync_cli_fail(&err);
    }
    watch->colors = sync_cli_colors(cli, stdout);
    watch->screen = watch->on && !cli->json && isatty(STDOUT_FILENO);
    int code = watch->on ? look_on(cli, &reader, watch, snapshot)
                         : look_once(cli, &reader, watch, snapshot);
    status_reader_close(&reader);
    return code;
}

int sync_cli_status(struct sync_cli *cli, int argc, char **argv)
{
    struct watch watch = {0};
    struct status_snapshot *snapshot = calloc(1, sizeof *snapshot);
    SYNC_ASSERT(snapshot != NULL);
    int code = homes_take(cli, "status", &argc, argv, &watch.homes);
    code = code == 0 ? take_flags(&argc, argv, &watch, snapshot) : code;
    if (code == 0) {
        code = look(cli, &watch, snapshot);
    }
    free(snapshot);
    return code;
}
