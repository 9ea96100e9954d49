/* Gauges of what waits, by rule and by code, and of drift. Not here: when they are set
 * (consumer_sweep.c). */
#include "../core/limits.h"
#include "housekeeping.h"
#include "log.h"
#include "metrics.h"

/*
 * Of each place the words that stand there, found one behind the other, and of each how many rows,
 * counted up to $4. How many a place holds in all is known from its outcome counts, so what lies
 * beyond the bound is given to the word that reached it; where two reach it, to the first.
 */
#define OF_PLACE(place, open)                                                                      \
    "h.scope = $1 AND h.topic = " place ".topic AND h.partition = " place ".partition" open
#define MEASURE(table, word, open, outcome)                                                        \
    "WITH RECURSIVE found AS ("                                                                    \
    " SELECT w.topic, w.partition, (SELECT h." word " FROM " table " AS h WHERE " OF_PLACE(        \
        "w", open) " ORDER BY h." word " LIMIT 1) AS word"                                         \
                   "  FROM unnest($2::text[], $3::int[]) AS w (topic, partition) UNION ALL"        \
                   " SELECT f.topic, f.partition, (SELECT h." word " FROM " table                  \
                   " AS h WHERE " OF_PLACE(                                                        \
                       "f", open) " AND h." word " > f.word ORDER BY h." word " LIMIT 1)"          \
                                  "  FROM found AS f WHERE f.word IS NOT NULL),"                   \
                                  " counted AS (SELECT f.*, coalesce(o.n, 0) AS total, (SELECT "   \
                                  "count(*) FROM"                                                  \
                                  "  (SELECT FROM " table " AS h WHERE " OF_PLACE(                 \
                                      "f", open) " AND h." word " = f.word"                        \
                                                 "   LIMIT $4) AS l) AS n FROM found AS f LEFT "   \
                                                 "JOIN sync.outcome_count AS o ON o.scope = $1"    \
                                                 "   AND o.topic = f.topic AND o.partition = "     \
                                                 "f.partition AND o.outcome = " outcome            \
                                                 "  WHERE f.word IS NOT NULL),"                    \
                                                 " ranked AS (SELECT c.*, sum(c.n) OVER "          \
                                                 "(PARTITION BY c.topic, c.partition) AS seen,"    \
                                                 "  row_number() OVER (PARTITION BY c.topic, "     \
                                                 "c.partition ORDER BY c.n DESC, c.word) AS rank"  \
                                                 "  FROM counted AS c)"                            \
                                                 " SELECT word, sum(n + CASE WHEN rank = 1 AND n " \
                                                 "= $4 THEN greatest(total - seen, 0) ELSE 0"      \
                                                 "  END)::bigint FROM ranked GROUP BY word"
static const struct sync_statement measure_held = {
    "measure_held", MEASURE("sync.hold", "rule", " AND h.rule IS NOT NULL", "4")};
static const struct sync_statement measure_parked = {
    "measure_parked", MEASURE("sync.parked", "code", " AND h.state = 0", "5")};

/* Rows of (word, count); words seen before and now absent go to zero. */
#define MEASURED_WORDS_MAX 64
struct measured {
    struct sync_metric *metric;
    char words[MEASURED_WORDS_MAX][48];
    size_t count;
};

static void measured_set(struct measured *m, const char *scope, const struct sync_result *rows)
{
    for (size_t i = 0; i < m->count; i++) {
        sync_metric_set(m->metric, 0, SYNC_LABELS(scope, m->words[i]));
    }
    for (int row = 0; row < rows->rows; row++) {
        struct sync_bytes text = sync_result_bytes(rows, row, 0);
        char word[48] = "";
        memcpy(word, text.data, text.size < sizeof word ? text.size : sizeof word - 1);
        size_t at = 0;
        while (at < m->count && strcmp(m->words[at], word) != 0) {
            at++;
        }
        if (at == m->count && at < MEASURED_WORDS_MAX) {
            memcpy(m->words[m->count++], word, sizeof word);
        }
        sync_metric_set(m->metric, (double)sync_result_int8(rows, row, 1),
                        SYNC_LABELS(scope, word));
    }
}

static sync_status measure(struct sync_housekeeping *h, const struct sync_statement *statement,
                           const struct sync_params *params, struct measured *measured,
                           const char *scope, struct sync_error *err)
{
    SYNC_RESULT rows = {0};
    sync_status status = sync_db_exec(h->applier->db, statement, params, &rows, err);
    if (sync_is_ok(status)) {
        measured_set(measured, scope, &rows);
    }
    return status;
}

/* Drift is of a whole home: the owner of the first partition of its entity counts for all. */
static bool counts_drift(const struct sync_housekeeping *h, const struct sync_place *places,
                         size_t count)
{
    const struct sync_route *first = &h->applier->processor->routes[0];
    for (size_t i = 0; i < count; i++) {
        if (places[i].partition == 0 && strcmp(places[i].scope, first->name) == 0 &&
            strcmp(places[i].topic, first->inputs[0].topic) == 0) {
            return true;
        }
    }
    return false;
}

/* Once when it rises, and once after a start. What another process counts is nothing here. */
static sync_status measure_drift(struct sync_housekeeping *h, bool ours, struct sync_error *err)
{
    static struct sync_metric *metric; /* of the one apply thread of the process */
    static int64_t last[SYNC_DRIFT_CLASSES_MAX];
    const struct sync_drift *drift = h->applier->store->drift;
    if (metric == NULL) {
        metric = sync_metric_new(SYNC_GAUGE, "drift_records",
                                 "Rows that one side lacks, by class; counted up to 100,000.",
                                 "class,direction");
    }
    for (size_t i = 0; drift != NULL && drift[i].class != NULL; i++) {
        SYNC_RESULT rows = {0};
        SYNC_ASSERT(i < SYNC_DRIFT_CLASSES_MAX);
        if (drift[i].count == NULL) {
            continue;
        }
        sync_status status =
            ours ? sync_db_exec(h->applier->db, drift[i].count, NULL, &rows, err) : SYNC_OK;
        if (!sync_is_ok(status)) {
            return sync_wrap(err, "count drift");
        }
        int64_t now = ours ? sync_result_int8(&rows, 0, 0) : 0;
        const char *direction = drift[i].to == SYNC_SYSTEM_ALTINN2 ? "to_altinn2" : "to_altinn3";
        sync_metric_set(metric, (double)now, SYNC_LABELS(drift[i].class, direction));
        if (now > last[i]) {
            sync_log(SYNC_WARN, "drift", SYNC_LOG_TEXT("class", drift[i].class),
                     SYNC_LOG_TEXT("rule", drift[i].rule), SYNC_LOG_TEXT("direction", direction),
                     SYNC_LOG_NUMBER("records", now));
        }
        last[i] = now;
    }
    return SYNC_OK;
}

sync_status sync_housekeeping_measure(struct sync_housekeeping *h, const struct sync_place *places,
                                      size_t count, struct sync_error *err)
{
    static struct measured held, parked; /* of the one apply thread of the process */
    if (held.metric == NULL) {
        held.metric =
            sync_metric_new(SYNC_GAUGE, "held_changes",
                            "Changes that wait for their mapping, by rule.", "consumer,code");
        parked.metric =
            sync_metric_new(SYNC_GAUGE, "parked_changes",
                            "Changes that wait for a person, by code.", "consumer,code");
    }
    size_t mark = sync_arena_mark(h->arena);
    struct sync_bytes *topics = sync_arena_take_array(h->arena, count, sizeof *topics);
    int32_t *partitions = sync_arena_take_array(h->arena, count, sizeof *partitions);
    SYNC_ASSERT(topics != NULL && partitions != NULL); /* the arena is far larger */
    for (size_t i = 0; i < count; i++) {
        topics[i] = sync_bytes_text(places[i].topic);
        partitions[i] = places[i].partition;
    }
    struct sync_params params;
    sync_params_init(&params, h->arena);
    sync_params_text(&params, places[0].scope);
    sync_params_text_array(&params, topics, count);
    sync_params_int4_array(&params, partitions, NULL, count);
    sync_params_int8(&params, SYNC_MEASURE_ROWS_MAX);
    sync_status status = measure(h, &measure_held, &params, &held, places[0].scope, err);
    if (sync_is_ok(status)) {
        status = measure(h, &measure_parked, &params, &parked, places[0].scope, err);
    }
    if (sync_is_ok(status)) {
        status = measure_drift(h, counts_drift(h, places, count), err);
    }
    sync_arena_reset(h->arena, mark);
    return status;
}
