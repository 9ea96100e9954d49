/*
 * "capture backfill": orders to the load of a capture, and how far it is. The capture itself obeys
 * within a second. Not here: loading (connectors/).
 */
#include "homes.h"
#include "progress.h"

#include "../../connectors/backfill.h"
#include "../runtime/clock.h"
#include "../runtime/units.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define VERB        "capture backfill"
#define REASON_MAX  500
#define RATE_MAX    1000000
#define WATCH_MS    1000
#define WATCH_LOG_S 10 /* where nobody watches a terminal, a line so often */

struct wish {
    const struct backfill_load *load;
    bool looks, watches;
    enum backfill_action action;
    const char *reason;
    int64_t rate_max;
    struct sync_home home;
};

static volatile sig_atomic_t ended;

static void note_signal(int number)
{
    (void)number;
    ended = 1;
}

/* What is asked for. */

static int take_load(const char *name, struct wish *wish)
{
    char names[256] = "";
    wish->load = backfill_load_find(name);
    if (wish->load != NULL) {
        return 0;
    }
    for (size_t i = 0, used = 0; backfill_loads[i] != NULL && used < sizeof names; i++) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used > 0 ? ", " : "",
                                 backfill_loads[i]->capture);
    }
    return sync_cli_usage(VERB, "%.60s has no state to load; captures that have: %s", name, names);
}

static int take_action(const char *word, struct wish *wish)
{
    if (strcmp(word, "status") == 0) {
        wish->looks = true;
        return 0;
    }
    for (int i = BACKFILL_START; i <= BACKFILL_CANCEL; i++) {
        if (strcmp(word, backfill_action_word((enum backfill_action)i)) == 0) {
            wish->action = (enum backfill_action)i;
            return 0;
        }
    }
    return sync_cli_usage(VERB, "\"%.40s\" is none of start, pause, resume, cancel, status", word);
}

static int check_flags(const struct wish *wish, bool has_rate)
{
    bool goes = wish->action == BACKFILL_START || wish->action == BACKFILL_RESUME;
    if (wish->looks ? wish->reason != NULL || has_rate : wish->watches) {
        return sync_cli_usage(VERB, "status takes --watch only, and nothing else takes it");
    }
    if (has_rate && !goes) {
        return sync_cli_usage(VERB, "--rate belongs to start and resume");
    }
    if (has_rate && !wish->load->takes_rate) {
        return sync_cli_usage(VERB, "the source of %s decides how fast it goes: it takes no --rate",
                              wish->load->capture);
    }
    bool told = wish->reason != NULL && wish->reason[0] != '\0';
    if (!wish->looks && (!told || strlen(wish->reason) > REASON_MAX)) {
        return sync_cli_usage(VERB, "--reason needs a text of 1 to %d characters; it is stored",
                              REASON_MAX);
    }
    return 0;
}

static sync_status find_home(const struct sync_config *config, struct wish *wish,
                             struct sync_error *err)
{
    char what[64];
    (void)snprintf(what, sizeof what, "capture %s", wish->load->capture);
    return sync_home_find(config, wish->load->processor->home, what, &wish->home, err);
}

static int read_wish(const struct sync_cli *cli, int argc, char **argv, struct wish *wish)
{
    const char *rate = NULL;
    struct sync_error err = {0};
    (void)sync_cli_flag(&argc, argv, "--reason", &wish->reason);
    bool has_rate = sync_cli_flag(&argc, argv, "--rate", &rate);
    wish->watches = sync_cli_switch(&argc, argv, "--watch");
    int wrong = sync_cli_arguments(VERB, argc, argv, 2, 2);
    if (wrong == 0 && has_rate &&
        (rate == NULL || !sync_units_number(rate, &wish->rate_max) || wish->rate_max < 1 ||
         wish->rate_max > RATE_MAX)) {
        wrong = sync_cli_usage(VERB, "--rate takes rows per second, 1 to %d", RATE_MAX);
    }
    wrong = wrong == 0 ? take_load(argv[0], wish) : wrong;
    wrong = wrong == 0 ? take_action(argv[1], wish) : wrong;
    wrong = wrong == 0 ? check_flags(wish, has_rate) : wrong;
    if (wrong == 0 && !sync_is_ok(find_home(&cli->config, wish, &err))) {
        return sync_cli_fail(&err);
    }
    return wrong;
}

/* Orders. */

static int give_order(const struct sync_cli *cli, struct sync_db *db, const struct wish *wish)
{
    static const char *const questions[] = {"Load the whole current state beside live?",
                                            "Pause the load?", "Go on with it?",
                                            "Give the load up? A new one begins at the beginning."};
    char actor[SYNC_CLI_ACTOR];
    int64_t changed = 0;
    struct sync_error err = {0};
    if (!sync_cli_confirm(cli, questions[wish->action])) {
        return SYNC_EXIT_REFUSED;
    }
    sync_cli_actor(actor);
    struct backfill_order order = {wish->action, wish->reason, actor, wish->rate_max};
    if (!sync_is_ok(backfill_order(db, wish->load, &order, &changed, &err))) {
        return sync_cli_fail(&err);
    }
    (void)printf("%s: %" PRId64 " parts; \"capture %s\" obeys within a second\n",
                 backfill_action_word(wish->action), changed, wish->load->capture);
    return SYNC_EXIT_OK;
}

/* Looking. */

struct sum {
    bool any, open, stopped; /* stopped: paused or cancelled */
    int64_t done, sent, total;
};

static struct sum sum_of(const struct backfill_part *parts, size_t count)
{
    struct sum sum = {.any = false};
    for (size_t i = 0; i < count; i++) {
        enum backfill_state state = parts[i].state;
        int64_t total = parts[i].rows_total > parts[i].rows_done && state != BACKFILL_DONE
                            ? parts[i].rows_total
                            : parts[i].rows_done;
        sum.any = sum.any || state != BACKFILL_NONE;
        sum.open = sum.open || state == BACKFILL_PLANNED || state == BACKFILL_RUNNING;
        sum.stopped = sum.stopped || state == BACKFILL_PAUSED || state == BACKFILL_CANCELLED;
        sum.done += parts[i].rows_done;
        sum.sent += parts[i].rows_sent;
        sum.total += total;
    }
    return sum;
}

/* Rows per second since the part was begun, pauses included. */
static void format_rate(const struct backfill_part *part, char *ret_text, size_t size)
{
    double seconds = (double)(part->updated_us - part->started_us) / 1e6;
    ret_text[0] = '\0';
    if (part->started_us != INT64_MIN && seconds >= 0.001) {
        (void)snprintf(ret_text, size, "%.0f", (double)part->rows_done / seconds);
    }
}

static void print_parts(const struct sync_cli *cli, const struct backfill_part *parts, size_t count)
{
    struct sync_table *table = sync_table_new(
        SYNC_CELLS("table", "state", "#read", "#of", "#percent", "#sent", "#rows_per_s", "cursor"));
    for (size_t i = 0; i < count; i++) {
        const struct backfill_part *at = &parts[i];
        char numbers[3][24], percent[16] = "", rate[24];
        int64_t total = at->rows_total < at->rows_done ? at->rows_done : at->rows_total;
        (void)snprintf(numbers[0], sizeof numbers[0], "%" PRId64, at->rows_done);
        (void)snprintf(numbers[1], sizeof numbers[1], "%" PRId64, total);
        (void)snprintf(numbers[2], sizeof numbers[2], "%" PRId64, at->rows_sent);
        if (at->state == BACKFILL_DONE || total > 0) {
            double share = at->state == BACKFILL_DONE ? 1 : (double)at->rows_done / (double)total;
            (void)snprintf(percent, sizeof percent, "%.1f", 100 * share);
        }
        format_rate(at, rate, sizeof rate);
        sync_table_row(table, SYNC_CELLS(at->name, backfill_state_word(at->state), numbers[0],
                                         at->rows_total < 0 ? "" : numbers[1], percent, numbers[2],
                                         rate, at->cursor));
    }
    sync_table_print(&table, cli->json, stdout);
}

static void print_progress(const struct progress *progress, const struct sum *sum, int64_t now_us,
                           int64_t begun_us)
{
    char done[PROGRESS_TEXT], total[PROGRESS_TEXT], left[PROGRESS_TEXT], spent[PROGRESS_TEXT];
    double rate = progress_rate(progress);
    bool terminal = isatty(STDERR_FILENO) != 0;
    progress_format_number(sum->done, done);
    progress_format_number(sum->total, total);
    progress_format_time((now_us - begun_us) / 1000000, spent);
    progress_format_left(progress, now_us, sum->total - sum->done, left);
    double percent = sum->total > 0 ? 100.0 * (double)sum->done / (double)sum->total : 0;
    (void)fprintf(stderr, "%s%5.1f %%  %s of %s rows", terminal ? "\r\033[K" : "", percent, done,
                  total);
    if (rate >= 0) {
        (void)fprintf(stderr, "  %.0f rows/s", rate);
    }
    (void)fprintf(stderr, "  watched for %s%s%s%s", spent, left[0] != '\0' ? ", left: " : "", left,
                  terminal ? "" : "\n");
    (void)fflush(stderr);
}

static void pause_ms(int64_t ms)
{
    struct timespec left = {ms / 1000, (ms % 1000) * 1000000};
    while (!ended && nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static void free_parts(struct backfill_part **parts)
{
    free(*parts);
}
#define PARTS __attribute__((cleanup(free_parts))) struct backfill_part

static sync_status read_sum(struct sync_db *db, const struct wish *wish, struct sum *ret_sum,
                            struct sync_error *err)
{
    PARTS *parts = NULL;
    size_t count = 0;
    sync_status status = backfill_look(db, wish->load, &parts, &count, err);
    if (sync_is_ok(status)) {
        *ret_sum = sum_of(parts, count);
    }
    return status;
}

/* Until nothing is open any more, or a signal comes. */
static sync_status watch(struct sync_db *db, const struct wish *wish, struct sync_error *err)
{
    struct progress progress = {.count = 0};
    struct sigaction action = {.sa_handler = note_signal};
    int64_t begun_us = sync_clock_monotonic_us(), said_us = 0;
    struct sum sum = {.open = true};
    sync_status status = SYNC_OK;
    (void)sigaction(SIGINT, &action, NULL); /* cannot fail for valid signals */
    (void)sigaction(SIGTERM, &action, NULL);
    while (sync_is_ok(status) && sum.open && !ended) {
        status = read_sum(db, wish, &sum, err);
        int64_t now_us = sync_clock_monotonic_us();
        int64_t every_us = isatty(STDERR_FILENO) ? 0 : WATCH_LOG_S * 1000000LL;
        progress_note(&progress, now_us, sum.done);
        if (sync_is_ok(status) && (!sum.open || said_us == 0 || now_us - said_us >= every_us)) {
            said_us = now_us;
            print_progress(&progress, &sum, now_us, begun_us);
        }
        if (sum.open) {
            pause_ms(WATCH_MS);
        }
    }
    if (isatty(STDERR_FILENO)) {
        (void)fputc('\n', stderr);
    }
    return status;
}

static int look(const struct sync_cli *cli, struct sync_db *db, const struct wish *wish)
{
    PARTS *parts = NULL;
    size_t count = 0;
    struct sum sum = {.any = false};
    struct sync_error err = {0};
    sync_status status = read_sum(db, wish, &sum, &err);
    if (sync_is_ok(status) && !sum.any) {
        (void)fprintf(stderr, "altinn-sync: the state of %s was never loaded\n",
                      wish->load->capture);
        return SYNC_EXIT_NOT_FOUND;
    }
    if (sync_is_ok(status) && wish->watches) {
        status = watch(db, wish, &err);
    }
    if (sync_is_ok(status)) {
        status = backfill_look(db, wish->load, &parts, &count, &err);
    }
    if (!sync_is_ok(status)) {
        return sync_cli_fail(&err);
    }
    print_parts(cli, parts, count);
    return sum_of(parts, count).stopped ? SYNC_EXIT_DIFFERENCES : SYNC_EXIT_OK;
}

int sync_cli_capture_backfill(struct sync_cli *cli, int argc, char **argv)
{
    struct wish wish = {.looks = false};
    struct sync_error err = {0};
    struct sync_db *db = NULL;
    int wrong = read_wish(cli, argc, argv, &wish);
    if (wrong != 0) {
        return wrong;
    }
    if (!sync_is_ok(homes_open(&wish.home, "altinn-sync", &db, &err))) {
        return sync_cli_fail(&err);
    }
    int code = wish.looks ? look(cli, db, &wish) : give_order(cli, db, &wish);
    sync_db_free(&db);
    return code;
}
