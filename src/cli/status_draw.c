/* How "status" looks: one screen of 80 columns, lines for logs, JSON. Not here: reading. */
#include "status.h"

#include "../runtime/route.h"
#include "../runtime/time_text.h"
#include "../runtime/words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN  "\033[0m"
#define BOLD   "\033[1m"
#define DIM    "\033[2m"
#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define CYAN   "\033[36m"

#define CELL   32

struct pen {
    FILE *out;
    bool colors;
    int lines;
};

enum effect_state { WAITING, SENT, DONE, SKIPPED, PARKED, CLOSED, NO_ROUTE };

static void put(const struct pen *pen, const char *color, const char *text)
{
    bool plain = !pen->colors || color[0] == '\0';
    (void)fprintf(pen->out, "%s%s%s", plain ? "" : color, text, plain ? "" : PLAIN);
}

static void end_line(struct pen *pen)
{
    (void)fputc('\n', pen->out);
    pen->lines++;
}

/* Columns, not bytes: every character we draw is one wide. */
static int columns_of(const char *text)
{
    int columns = 0;
    for (; *text != '\0'; text++) {
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return columns;
}

static void left(const struct pen *pen, const char *color, const char *text, int width)
{
    put(pen, color, text);
    int fill = width - columns_of(text);
    (void)fprintf(pen->out, "%*s", fill > 0 ? fill : 0, "");
}

static void right(const struct pen *pen, const char *color, const char *text, int width)
{
    int fill = width - columns_of(text);
    (void)fprintf(pen->out, "%*s", fill > 0 ? fill : 0, "");
    put(pen, color, text);
}

/* 1234567 -> "1,234,567"; what does not fit becomes "12.3M". */
static void number_text(int64_t number, int width, char ret_text[static CELL])
{
    char digits[CELL];
    int size = snprintf(digits, sizeof digits, "%" PRId64, number);
    int used = 0;
    for (int i = 0; i < size && used < CELL - 2; i++) {
        if (i > 0 && (size - i) % 3 == 0 && digits[i - 1] != '-') {
            ret_text[used++] = ',';
        }
        ret_text[used++] = digits[i];
    }
    ret_text[used] = '\0';
    if (used < width) {
        return;
    }
    static const char *const units[] = {"k", "M", "G", "T"};
    double scaled = (double)number / 1000;
    size_t unit = 0;
    while (scaled >= 1000 && unit < 3) {
        scaled /= 1000;
        unit++;
    }
    int size_short = snprintf(ret_text, CELL, "%.1f%s", scaled, units[unit]);
    if (size_short >= width) { /* cut, not rounded: 999.9k must not become 1000k */
        (void)snprintf(ret_text, CELL, "%d%s", (int)scaled, units[unit]);
    }
}

/* A count; zero is dim, so that the eye goes to what happens. */
static void count(const struct pen *pen, const char *color, int64_t number, int width)
{
    char text[CELL];
    number_text(number, width, text);
    right(pen, number == 0 ? DIM : color, text, width);
}

/* At most five characters: "9999", "120k", "3M". */
static void short_text(int64_t number, char ret_text[static CELL])
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    double scaled = (double)number;
    size_t unit = 0;
    while (scaled >= 10000 && unit < 4) {
        scaled /= 1000;
        unit++;
    }
    (void)snprintf(ret_text, CELL, "%.0f%s", scaled, units[unit]);
}

static void rate_text(double rate, char ret_text[static CELL])
{
    if (rate < 0) {
        (void)snprintf(ret_text, CELL, "-");
    } else if (rate > 0 && rate < 10) {
        (void)snprintf(ret_text, CELL, "%.1f/s", rate);
    } else if (rate < 10000) {
        (void)snprintf(ret_text, CELL, "%.0f/s", rate);
    } else {
        (void)snprintf(ret_text, CELL, "%.0fk/s", rate / 1000);
    }
}

static void age_text(int64_t since_us, int64_t now_us, char ret_text[static CELL])
{
    int64_t seconds = (now_us - since_us) / 1000000;
    if (since_us == 0) {
        (void)snprintf(ret_text, CELL, "-");
    } else if (seconds < 100) {
        (void)snprintf(ret_text, CELL, "%" PRId64 " s", seconds > 0 ? seconds : 0);
    } else if (seconds < 100 * 60) {
        (void)snprintf(ret_text, CELL, "%" PRId64 " min", seconds / 60);
    } else if (seconds < INT64_C(100) * 3600) {
        (void)snprintf(ret_text, CELL, "%" PRId64 " h", seconds / 3600);
    } else {
        (void)snprintf(ret_text, CELL, "%" PRId64 " d", seconds / 86400);
    }
}

static void bytes_text(int64_t bytes, char ret_text[static CELL])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double scaled = (double)bytes;
    size_t unit = 0;
    while (scaled >= 1024 && unit < 4) {
        scaled /= 1024;
        unit++;
    }
    (void)snprintf(ret_text, CELL, unit == 0 ? "%.0f %s" : "%.1f %s", scaled, units[unit]);
}

/* The rates of the last ticks as eight heights, the newest at the right. */
static void curve(const struct pen *pen, const struct status_route *route)
{
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    char text[STATUS_HISTORY_MAX * 4 + 1];
    double most = 0;
    size_t used = 0;
    for (int i = 0; i < route->history_count; i++) {
        most = route->history[i] > most ? route->history[i] : most;
    }
    for (int i = 0; i < STATUS_HISTORY_MAX - route->history_count; i++) {
        text[used++] = ' ';
    }
    for (int i = 0; i < route->history_count; i++) {
        int height = most > 0 ? (int)(route->history[i] / most * 7 + 0.5) : 0;
        memcpy(text + used, bars[height], 3);
        used += 3;
    }
    text[used] = '\0';
    put(pen, CYAN, text);
}

/* 0.045 -> "45 ms". */
static void seconds_text(double seconds, char ret_text[static CELL])
{
    if (seconds < 0) {
        (void)snprintf(ret_text, CELL, "-");
    } else if (seconds < 1) {
        (void)snprintf(ret_text, CELL, "%.0f ms", seconds * 1000);
    } else if (seconds < 100) {
        (void)snprintf(ret_text, CELL, "%.1f s", seconds);
    } else {
        age_text(1, 1 + (int64_t)(seconds * 1e6), ret_text);
    }
}

/* Of a backlog: how much there is, and how much of it is done. */
static bool is_backlog(const struct status_route *row)
{
    return row->route != NULL && row->route->yields_to != NULL;
}

double status_eta_s(const struct status_route *row)
{
    double sum = 0;
    for (int i = 0; i < row->history_count; i++) {
        sum += row->history[i];
    }
    if (row->lag == 0) {
        return 0;
    }
    return row->lag > 0 && sum > 0 ? (double)row->lag * row->history_count / sum : -1;
}

/* "  1200k of 16M records, 7 %, 2 h left at this rate" */
static void draw_progress(struct pen *pen, const struct status_route *row)
{
    char done[CELL], total[CELL], left_text[CELL], line[4 * CELL];
    double eta_s = status_eta_s(row);
    if (!is_backlog(row) || row->lag == STATUS_UNKNOWN || row->partitions == 0) {
        return;
    }
    int64_t records = row->applied_records + row->lag;
    short_text(row->applied_records, done);
    short_text(records, total);
    seconds_text(eta_s, left_text);
    (void)snprintf(line, sizeof line, "  %s of %s records, %d %%, %s left", done, total,
                   records > 0 ? (int)(100.0 * (double)row->applied_records / (double)records)
                               : 100,
                   eta_s < 0 ? "?" : left_text);
    put(pen, "", line);
    end_line(pen);
}

/* Why it rests though there is work: "  yields to delegation-to-altinn3, which is behind, 12 s" */
static void draw_yield(struct pen *pen, const struct status_snapshot *s,
                       const struct status_route *row)
{
    char age[CELL], line[160];
    if (row->yields_us == 0) {
        return;
    }
    age_text(row->yields_us, s->now_us, age);
    (void)snprintf(line, sizeof line, "  yields to %.36s, %s, %s", row->yields_to,
                   row->yields_slow ? "its batches are slow" : "which is behind", age);
    put(pen, YELLOW, line);
    end_line(pen);
}

enum route_state { NOT_STARTED, PAUSED, UP_TO_DATE, YIELDS, MOVING, STANDING };

static enum route_state state_of(const struct status_route *route)
{
    if (route->paused_us != 0) {
        return PAUSED;
    }
    if (route->partitions == 0) {
        return NOT_STARTED;
    }
    if (route->lag <= 0) {
        return UP_TO_DATE;
    }
    if (route->yields_us != 0) {
        return YIELDS;
    }
    return route->rate != 0 ? MOVING : STANDING;
}

static const char *state_word(enum route_state state)
{
    switch (state) {
    case NOT_STARTED:
        return "not started";
    case PAUSED:
        return "paused";
    case UP_TO_DATE:
        return "up to date";
    case YIELDS:
        return "yields";
    case MOVING:
        return "moving";
    case STANDING:
        return "standing still";
    }
    return "";
}

static const char *state_color(enum route_state state)
{
    switch (state) {
    case NOT_STARTED:
        return DIM;
    case PAUSED:
    case YIELDS:
        return YELLOW;
    case UP_TO_DATE:
        return GREEN;
    case MOVING:
        return CYAN;
    case STANDING:
        return RED;
    }
    return "";
}

static void draw_head(struct pen *pen, const struct status_snapshot *s)
{
    int64_t held = 0, parked = 0, open = 0, lag = 0;
    for (size_t i = 0; i < s->route_count; i++) {
        held += s->routes[i].held;
        parked += s->routes[i].parked;
        lag += s->routes[i].lag > 0 ? s->routes[i].lag : 0;
    }
    for (size_t i = 0; i < s->target_count; i++) {
        open += s->targets[i].effects[WAITING] + s->targets[i].effects[SENT];
    }
    char time[SYNC_TIME_BUFFER], verdict[4 * CELL + 64], numbers[4][CELL];
    sync_time_format(s->now_us, 0, time); /* the date stands before column 11, Z behind 19 */
    short_text(lag, numbers[0]);
    short_text(open, numbers[1]);
    short_text(held, numbers[2]);
    short_text(parked, numbers[3]);
    (void)snprintf(verdict, sizeof verdict, "%s behind · %s to send · %s held · %s parked",
                   numbers[0], numbers[1], numbers[2], numbers[3]);
    time[19] = '\0';
    left(pen, BOLD, "altinn-sync", 13);
    left(pen, parked > 0 ? RED : lag + open + held > 0 ? YELLOW : GREEN, verdict, 59);
    right(pen, DIM, time + 11, 8);
    end_line(pen);
    const char *fault = s->database_fault[0] != '\0' ? s->database_fault : s->kafka_fault;
    if (fault[0] != '\0') {
        char cut[80];
        (void)snprintf(cut, sizeof cut, "%.78s", fault);
        put(pen, RED, cut);
    }
    end_line(pen);
}

static void draw_route(struct pen *pen, const struct status_snapshot *s,
                       const struct status_route *row)
{
    char text[CELL];
    bool fits = strlen(row->scope) < 18;
    if (!fits) {
        put(pen, BOLD, row->scope);
        end_line(pen);
    }
    left(pen, BOLD, fits ? row->scope : "", 18);
    rate_text(row->rate, text);
    right(pen, row->rate > 0 ? GREEN : DIM, text, 7);
    if (row->lag == STATUS_UNKNOWN) {
        right(pen, DIM, "-", 8);
    } else {
        count(pen, YELLOW, row->lag, 8);
    }
    count(pen, "", row->outcomes[SYNC_OUTCOME_APPLIED], 10);
    count(pen, "", row->outcomes[SYNC_OUTCOME_DUPLICATE], 10);
    count(pen, "", row->outcomes[SYNC_OUTCOME_STALE], 7);
    count(pen, "", row->outcomes[SYNC_OUTCOME_ECHO], 7);
    count(pen, YELLOW, row->held, 6);
    count(pen, RED, row->parked, 7);
    end_line(pen);
    char direction[64] = "";
    if (row->route != NULL) {
        (void)snprintf(direction, sizeof direction, "%s → %s",
                       sync_route_side(row->route->inputs[0].from),
                       sync_route_side(row->route->to));
    }
    (void)fputs("  ", pen->out);
    left(pen, DIM, direction, 20);
    curve(pen, row);
    (void)fputs("  ", pen->out);
    put(pen, state_color(state_of(row)), state_word(state_of(row)));
    if (row->paused_us != 0) {
        age_text(row->paused_us, s->now_us, text);
        (void)fprintf(pen->out, " %s", text);
    }
    if (row->held > 0) {
        char held[CELL + 16];
        age_text(row->held_since_us, s->now_us, text);
        (void)snprintf(held, sizeof held, ", held %s", text);
        put(pen, DIM, held);
    }
    end_line(pen);
    draw_progress(pen, row);
    draw_yield(pen, s, row);
}

static void draw_target(struct pen *pen, const struct status_snapshot *s,
                        const struct status_target *row)
{
    char name[64], text[CELL];
    bool shut = row->state > 0 && row->state < 3;
    (void)snprintf(name, sizeof name, "%.13s%s%s", row->name, shut ? " " : "",
                   shut ? sync_target_word(row->state) : "");
    left(pen, shut ? RED : BOLD, name, 21);
    count(pen, YELLOW, row->effects[WAITING], 8);
    count(pen, CYAN, row->effects[SENT], 5);
    count(pen, "", row->effects[DONE], 8);
    count(pen, "", row->effects[SKIPPED], 8);
    count(pen, RED, row->effects[PARKED], 7);
    count(pen, YELLOW, row->effects[CLOSED], 7);
    count(pen, "", row->effects[NO_ROUTE], 9);
    age_text(row->oldest_us, s->now_us, text);
    right(pen, DIM, text, 7);
    end_line(pen);
}

static void draw_source(struct pen *pen, const struct status_snapshot *s,
                        const struct status_source *row)
{
    char behind[CELL] = "-", age[CELL], seen[CELL + 8];
    const char *state = row->slot[0] == '\0' ? ""
                        : !row->has_slot     ? "missing"
                        : row->slot_lost     ? "lost"
                        : row->slot_active   ? "active"
                                             : "not read";
    bool good = row->slot[0] == '\0' || (row->slot_active && !row->slot_lost);
    if (row->behind_bytes != STATUS_UNKNOWN) {
        bytes_text(row->behind_bytes, behind);
    }
    age_text(row->updated_us, s->now_us, age);
    (void)snprintf(seen, sizeof seen, "%s ago", age);
    left(pen, BOLD, row->name, 20);
    right(pen, "", behind, 14);
    right(pen, "", seen, 14);
    if (row->slot[0] != '\0') {
        (void)fputs("  ", pen->out);
        left(pen, "", row->slot, 18);
        (void)fputs("  ", pen->out);
        put(pen, good ? GREEN : RED, state);
    }
    end_line(pen);
}

static void draw_process(struct pen *pen, const struct status_process *row)
{
    char name[64], text[CELL];
    (void)snprintf(name, sizeof name, "%.19s", row->name);
    left(pen, BOLD, name, 20);
    if (!row->reachable || !row->ready) {
        char reason[64];
        (void)snprintf(reason, sizeof reason, "%.58s",
                       row->reachable ? row->reason : "does not answer");
        put(pen, RED, reason);
        end_line(pen);
        return;
    }
    left(pen, GREEN, "ready", 10);
    seconds_text(row->oldest_s, text);
    right(pen, row->oldest_s > 60 ? RED : "", text, 9);
    seconds_text(row->p50_s, text);
    right(pen, "", text, 9);
    seconds_text(row->p99_s, text);
    right(pen, row->p99_s > 60 ? RED : "", text, 9);
    count(pen, "", row->rebalances, 7);
    count(pen, YELLOW, row->fenced, 8);
    count(pen, YELLOW, row->retries, 8);
    end_line(pen);
}

static void heading(struct pen *pen, const char *text)
{
    put(pen, DIM, text);
    end_line(pen);
}

int status_draw(const struct status_snapshot *snapshot, bool colors, FILE *out)
{
    struct pen pen = {out, colors, 0};
    draw_head(&pen, snapshot);
    heading(&pen,
            "ROUTE                RATE     LAG   APPLIED DUPLICATE  STALE   ECHO  HELD PARKED");
    for (size_t i = 0; i < snapshot->route_count; i++) {
        draw_route(&pen, snapshot, &snapshot->routes[i]);
    }
    if (snapshot->target_count > 0) {
        end_line(&pen);
        heading(&pen,
                "TARGET                WAITING SENT    DONE SKIPPED PARKED CLOSED NO ROUTE OLDEST");
    }
    const char *home = "";
    for (size_t i = 0; i < snapshot->target_count; i++) {
        if (snapshot->homes_shown && strcmp(home, snapshot->targets[i].home) != 0) {
            home = snapshot->targets[i].home;
            heading(&pen, home);
        }
        draw_target(&pen, snapshot, &snapshot->targets[i]);
    }
    if (snapshot->source_count > 0) {
        end_line(&pen);
        heading(&pen, "SOURCE                    BEHIND     LAST MOVE  SLOT");
    }
    for (size_t i = 0; i < snapshot->source_count; i++) {
        draw_source(&pen, snapshot, &snapshot->sources[i]);
    }
    if (snapshot->process_count > 0) {
        end_line(&pen);
        heading(&pen,
                "PROCESS             STATE        OLDEST      P50      P99 REBAL.  FENCED RETRIES");
    }
    for (size_t i = 0; i < snapshot->process_count; i++) {
        draw_process(&pen, &snapshot->processes[i]);
    }
    return pen.lines;
}

void status_print_lines(const struct status_snapshot *s, FILE *out)
{
    char time[SYNC_TIME_BUFFER], rate[CELL], lag[CELL];
    sync_time_format(s->now_us, 0, time);
    for (size_t i = 0; i < s->route_count; i++) {
        const struct status_route *row = &s->routes[i];
        rate_text(row->rate, rate);
        (void)snprintf(lag, sizeof lag, "%" PRId64, row->lag);
        (void)fprintf(out,
                      "%s %s rate=%s lag=%s applied=%" PRId64 " duplicate=%" PRId64
                      " stale=%" PRId64 " echo=%" PRId64 " held=%" PRId64 " parked=%" PRId64 "%s",
                      time, row->scope, rate, row->lag == STATUS_UNKNOWN ? "-" : lag,
                      row->outcomes[SYNC_OUTCOME_APPLIED], row->outcomes[SYNC_OUTCOME_DUPLICATE],
                      row->outcomes[SYNC_OUTCOME_STALE], row->outcomes[SYNC_OUTCOME_ECHO],
                      row->held, row->parked, row->paused_us != 0 ? " paused" : "");
        if (row->yields_us != 0) {
            (void)fprintf(out, " yields_to=%s", row->yields_to);
        }
        if (is_backlog(row) && row->lag >= 0) {
            (void)fprintf(out, " done=%" PRId64 " total=%" PRId64 " eta_s=%.0f",
                          row->applied_records, row->applied_records + row->lag, status_eta_s(row));
        }
        (void)fputc('\n', out);
    }
}

static void put_count(struct sync_json_writer *w, const char *name, int64_t value)
{
    if (value == STATUS_UNKNOWN) {
        sync_json_put_text(w, name, NULL);
    } else {
        sync_json_put_integer(w, name, value);
    }
}

static void put_time(struct sync_json_writer *w, const char *name, int64_t time_us)
{
    char text[SYNC_TIME_BUFFER];
    sync_time_format(time_us, 3, text);
    sync_json_put_text(w, name, time_us == 0 ? NULL : text);
}

static void put_seconds(struct sync_json_writer *w, const char *name, double seconds)
{
    if (seconds < 0) {
        sync_json_put_text(w, name, NULL);
    } else {
        sync_json_put_real(w, name, seconds);
    }
}

static void put_route(struct sync_json_writer *w, const struct status_route *row)
{
    sync_json_open(w, NULL, '{');
    sync_json_put_text(w, "scope", row->scope);
    sync_json_put_text(w, "home", row->home);
    sync_json_put_text(w, "state", state_word(state_of(row)));
    sync_json_put_integer(w, "partitions", row->partitions);
    if (row->rate < 0) {
        sync_json_put_text(w, "rate_per_second", NULL);
    } else {
        sync_json_put_real(w, "rate_per_second", row->rate);
    }
    put_count(w, "lag", row->lag);
    sync_json_put_integer(w, "consumed", row->applied_records);
    if (is_backlog(row)) {
        put_count(w, "total",
                  row->lag == STATUS_UNKNOWN ? STATUS_UNKNOWN : row->applied_records + row->lag);
        put_seconds(w, "eta_seconds", status_eta_s(row));
    }
    sync_json_open(w, "outcomes", '{');
    for (int i = 0; i < SYNC_OUTCOME_COUNT; i++) {
        sync_json_put_integer(w, sync_outcome_word((enum sync_outcome)i), row->outcomes[i]);
    }
    sync_json_close(w, '}');
    sync_json_put_integer(w, "held", row->held);
    put_time(w, "held_since", row->held_since_us);
    sync_json_put_integer(w, "parked", row->parked);
    put_time(w, "parked_since", row->parked_since_us);
    put_time(w, "paused_since", row->paused_us);
    sync_json_put_text(w, "pause_reason", row->paused_us != 0 ? row->pause_reason : NULL);
    if (is_backlog(row)) {
        const char *reason = row->yields_slow ? "batches_slow" : "live_behind";
        sync_json_put_text(w, "yields_to", row->yields_us != 0 ? row->yields_to : NULL);
        sync_json_put_text(w, "yields_reason", row->yields_us != 0 ? reason : NULL);
        put_time(w, "yields_since", row->yields_us);
    }
    sync_json_close(w, '}');
}

static void put_target(struct sync_json_writer *w, const struct status_target *row)
{
    static const char *const words[STATUS_EFFECT_STATES] = {
        "waiting", "sent", "done", "skipped", "parked", "closed", "no_route"};
    sync_json_open(w, NULL, '{');
    sync_json_put_text(w, "target", row->name);
    sync_json_put_text(w, "home", row->home);
    sync_json_put_text(w, "state", sync_target_word(row->state));
    for (int i = 0; i < STATUS_EFFECT_STATES; i++) {
        sync_json_put_integer(w, words[i], row->effects[i]);
    }
    put_time(w, "oldest", row->oldest_us);
    sync_json_close(w, '}');
}

static void put_source(struct sync_json_writer *w, const struct status_source *row)
{
    sync_json_open(w, NULL, '{');
    sync_json_put_text(w, "source", row->name);
    sync_json_put_text(w, "slot", row->slot[0] != '\0' ? row->slot : NULL);
    sync_json_put_bool(w, "slot_active", row->slot_active);
    put_count(w, "behind_bytes", row->behind_bytes);
    put_time(w, "updated_at", row->updated_us);
    sync_json_close(w, '}');
}

static void put_process(struct sync_json_writer *w, const struct status_process *row)
{
    sync_json_open(w, NULL, '{');
    sync_json_put_text(w, "address", row->address);
    sync_json_put_text(w, "name", row->name);
    sync_json_put_bool(w, "reachable", row->reachable);
    sync_json_put_bool(w, "ready", row->ready);
    sync_json_put_text(w, "reason", row->ready ? NULL : row->reason);
    put_seconds(w, "oldest_unapplied_s", row->oldest_s);
    put_seconds(w, "latency_p50_s", row->p50_s);
    put_seconds(w, "latency_p99_s", row->p99_s);
    sync_json_put_integer(w, "rebalances", row->rebalances);
    sync_json_put_integer(w, "fenced", row->fenced);
    sync_json_put_integer(w, "retries", row->retries);
    sync_json_close(w, '}');
}

void status_print_json(const struct status_snapshot *s, FILE *out)
{
    struct sync_json_writer w;
    sync_json_writer_init(&w);
    sync_json_open(&w, NULL, '{');
    put_time(&w, "at", s->now_us);
    sync_json_put_text(&w, "database_fault",
                       s->database_fault[0] != '\0' ? s->database_fault : NULL);
    sync_json_put_text(&w, "kafka_fault", s->kafka_fault[0] != '\0' ? s->kafka_fault : NULL);
    sync_json_open(&w, "routes", '[');
    for (size_t i = 0; i < s->route_count; i++) {
        put_route(&w, &s->routes[i]);
    }
    sync_json_close(&w, ']');
    sync_json_open(&w, "targets", '[');
    for (size_t i = 0; i < s->target_count; i++) {
        put_target(&w, &s->targets[i]);
    }
    sync_json_close(&w, ']');
    sync_json_open(&w, "sources", '[');
    for (size_t i = 0; i < s->source_count; i++) {
        put_source(&w, &s->sources[i]);
    }
    sync_json_close(&w, ']');
    sync_json_open(&w, "processes", '[');
    for (size_t i = 0; i < s->process_count; i++) {
        put_process(&w, &s->processes[i]);
    }
    sync_json_close(&w, ']');
    sync_json_close(&w, '}');
    char *text = sync_json_writer_take(&w);
    SYNC_ASSERT(text != NULL);
    (void)fprintf(out, "%s\n", text);
    free(text);
}
