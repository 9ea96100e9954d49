/* Reads fault lines. Not here: carrying them out (bridge.c). */
#include "faults.h"

#include <ctype.h>
#include <stdlib.h>

#define WORD_MAX    32
#define TIME_MAX_MS 86400000 /* a day: nobody waits longer for a fault */

/* A line under the finger. */
struct line {
    const char *name, *start, *at, *end;
    int number;
};

static sync_status wrong(const struct line *line, const char *at, const char *reason,
                         struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SYNTAX, "%s:%d:%d: %s", line->name,
                     line->number, (int)(at - line->start) + 1, reason);
}

/* Next word, "" at the end of the line. Where it began is *ret_at. A word that is too long is cut,
 * and fits nothing. */
static void next_word(struct line *line, char ret_word[static WORD_MAX], const char **ret_at)
{
    while (line->at < line->end && isspace((unsigned char)*line->at)) {
        line->at++;
    }
    *ret_at = line->at;
    size_t size = 0;
    while (line->at < line->end && !isspace((unsigned char)*line->at)) {
        if (size + 1 < WORD_MAX) {
            ret_word[size++] = *line->at;
        }
        line->at++;
    }
    ret_word[size] = '\0';
}

/* "20s", "200ms", "2m". */
static bool read_time(const char *word, int64_t *ret_ms)
{
    char *unit = NULL;
    if (!isdigit((unsigned char)word[0])) {
        return false;
    }
    long value = strtol(word, &unit, 10);
    int64_t factor = strcmp(unit, "ms") == 0  ? 1
                     : strcmp(unit, "s") == 0 ? 1000
                     : strcmp(unit, "m") == 0 ? 60000
                                              : 0;
    if (factor == 0 || value > TIME_MAX_MS / factor) {
        return false;
    }
    *ret_ms = value * factor;
    return true;
}

/* "1%", "0.5%": per thousand. */
static bool read_share(const char *word, int *ret_permille)
{
    char *end = NULL;
    if (!isdigit((unsigned char)word[0])) {
        return false;
    }
    double percent = strtod(word, &end);
    if (strcmp(end, "%") != 0 || !(percent >= 0.1) || percent > 100) {
        return false;
    }
    *ret_permille = (int)(percent * 10 + 0.5);
    return true;
}

static bool read_code(const char *word, int *ret_code)
{
    if (strlen(word) != 3 || strspn(word, "0123456789") != 3) {
        return false;
    }
    *ret_code = atoi(word);
    return *ret_code >= 200 && *ret_code <= 599;
}

/* Takes "at TIME" and "for TIME"; the word after them is left in ret_word. */
static sync_status read_when(struct line *line, struct fault *fault, char ret_word[static WORD_MAX],
                             const char **ret_at, struct sync_error *err)
{
    int64_t lasts_ms = INT64_MAX;
    next_word(line, ret_word, ret_at);
    for (int i = 0; i < 2; i++) {
        bool starts = strcmp(ret_word, "at") == 0;
        if (!starts && strcmp(ret_word, "for") != 0) {
            break;
        }
        next_word(line, ret_word, ret_at);
        if (!read_time(ret_word, starts ? &fault->from_ms : &lasts_ms)) {
            return wrong(line, *ret_at, "a time such as 20s or 200ms must stand here", err);
        }
        next_word(line, ret_word, ret_at);
    }
    fault->until_ms = lasts_ms == INT64_MAX ? INT64_MAX : fault->from_ms + lasts_ms;
    return SYNC_OK;
}

/* What the subject does wrong: a bridge can do things twice, a feed can show a page twice. */
static sync_status read_action(struct line *line, bool is_feed, struct fault *fault,
                               struct sync_error *err)
{
    char word[WORD_MAX], value[WORD_MAX];
    const char *at, *value_at;
    next_word(line, word, &at);
    fault->permille = 1000;
    if (read_code(word, &fault->code)) {
        fault->action = FAULT_ANSWER;
        next_word(line, value, &value_at); /* "bridge 503 10%" */
        if (value[0] != '\0' && !read_share(value, &fault->permille)) {
            return wrong(line, value_at, "a share such as 1% must stand here, or nothing", err);
        }
        return SYNC_OK;
    }
    bool loses = strcmp(word, "lose-answer") == 0;
    bool doubles = !is_feed && strcmp(word, "apply-twice") == 0;
    bool repeats = is_feed && strcmp(word, "repeat") == 0;
    bool delays = strcmp(word, "delay") == 0;
    if (!loses && !doubles && !repeats && !delays) {
        return wrong(line, at,
                     is_feed ? "known are a code such as 503, lose-answer, repeat and delay"
                             : "known are a code such as 503, lose-answer, apply-twice and delay",
                     err);
    }
    fault->action = loses     ? FAULT_LOSE_ANSWER
                    : doubles ? FAULT_APPLY_TWICE
                    : repeats ? FAULT_REPEAT
                              : FAULT_DELAY;
    next_word(line, value, &value_at);
    int64_t delay_ms = 0;
    if (delays && !read_time(value, &delay_ms)) {
        return wrong(line, value_at, "a time such as 200ms must stand here", err);
    }
    if (!delays && !read_share(value, &fault->permille)) {
        return wrong(line, value_at, "a share such as 1% must stand here", err);
    }
    fault->delay_ms = (int)delay_ms;
    return SYNC_OK;
}

static bool is_blank(const struct line *line)
{
    for (const char *at = line->start; at < line->end; at++) {
        if (!isspace((unsigned char)*at)) {
            return false;
        }
    }
    return true;
}

static sync_status read_line(struct line *line, const char *subject, struct faults *faults,
                             struct sync_error *err)
{
    char word[WORD_MAX];
    const char *at;
    struct fault fault = {.from_ms = 0};
    sync_status status = read_when(line, &fault, word, &at, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (word[0] == '\0') {
        return is_blank(line) ? SYNC_OK : wrong(line, at, "what goes wrong is missing", err);
    }
    if (strcmp(word, subject) != 0) {
        return SYNC_OK; /* of another program */
    }
    status = read_action(line, strcmp(subject, "feed") == 0, &fault, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    next_word(line, word, &at);
    if (word[0] != '\0') {
        return wrong(line, at, "nothing more may stand here", err);
    }
    if (faults->count == FAULTS_MAX) {
        return wrong(line, line->start, "more faults than one file may hold", err);
    }
    faults->items[faults->count++] = fault;
    return SYNC_OK;
}

sync_status faults_parse(const char *name, const char *subject, const char *text,
                         struct faults *ret_faults, struct sync_error *err)
{
    struct faults faults = {.count = 0};
    int number = 1;
    for (const char *start = text; *start != '\0'; number++) {
        size_t size = strcspn(start, "\n");
        size_t used = strcspn(start, "#\n");
        struct line line = {name, start, start, start + used, number};
        sync_status status = read_line(&line, subject, &faults, err);
        if (!sync_is_ok(status)) {
            return status;
        }
        start += size + (start[size] == '\n');
    }
    *ret_faults = faults;
    return SYNC_OK;
}
