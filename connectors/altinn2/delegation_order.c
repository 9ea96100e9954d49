/*
 * Orders to Altinn 2's export. A part goes by what its row in sync.backfill holds: no low_pos: it
 * has no place in the stream yet; no cursor: it is not ordered yet; else its rows are coming. A
 * crash repeats a step; an export that is ordered twice sends the same rows twice, and they are
 * known. Not here: how far it is told to be (../backfill.c).
 */
#include "delegation_order.h"

#include "../backfill.h"
#include "bridge_call.h"
#include "delegation_feed_store.h"

#include <core/limits.h>
#include <runtime/clock.h>
#include <runtime/json.h>
#include <runtime/log.h>
#include <runtime/time_text.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT_PATH  "/resourceregistry/api/v1/altinn2export/delegationcount"
#define ORDER_PATH  "/resourceregistry/api/v1/altinn2export/exportdelegations"
#define URL_SIZE    2048
#define ASK_US      1000000LL  /* how soon an order of an operator is noticed */
#define RETRY_US    5000000LL  /* after an answer that may be better later */
#define REFUSED_US  60000000LL /* after one that only a person can mend */
#define TELL_US     60000000LL
#define WRITES_FROM 2 /* phase sync: Altinn 2 may show copies that we made */

struct delegation_order {
    struct delegation_capture *capture;
    struct resolver *resolver;
    struct bridge_caller *caller; /* NULL = no bridge is configured */
    int64_t next_us, told_us;     /* monotonic; told_us: of waiting for live, 0 = never */
};

/* The part whose turn it is. */
struct part {
    char resource[DELEGATION_TARGET_SIZE], service_code[33];
    struct sync_uuid snapshot_id;
    bool has_position, is_ordered, has_service;
    int32_t edition, phase, passed; /* passed: partitions whose live stream has passed position */
    int64_t position;
};

static const struct sync_statement next_statement = {
    "load_next",
    "SELECT b.table_name, b.snapshot_id, b.low_pos, b.cursor <> '', r.service_code,"
    " coalesce(r.edition, 0), coalesce(r.phase, 0)::int4, (SELECT count(*)"
    "  FROM sync.stream_pos AS p, sync.source AS s WHERE s.name = b.capture AND p.topic = $2"
    "  AND p.stream = 'a2.rule.' || s.generation AND p.pos >= b.low_pos)::int4"
    " FROM sync.backfill AS b LEFT JOIN sync.resource_state AS r ON r.resource = b.table_name"
    " WHERE b.capture = $1 AND b.table_name <> '" FEED_TABLE "'"
    " AND b.state IN ('planned', 'running') ORDER BY b.cursor = '', b.low_pos IS NULL,"
    " b.table_name COLLATE \"C\" LIMIT 1"};
/* Of every part at once: a place that is older than what is exported is as good. */
static const struct sync_statement position_statement = {
    "load_position", "WITH placed AS (UPDATE sync.backfill SET low_pos = $2, updated_at = now()"
                     " WHERE capture = $1 AND table_name <> '" FEED_TABLE "' AND low_pos IS NULL"
                     " AND state IN ('planned', 'running') RETURNING snapshot_id)"
                     " INSERT INTO sync.export (snapshot_id, snapshot_pos)"
                     " SELECT snapshot_id, $2 FROM placed ON CONFLICT (snapshot_id) DO NOTHING"};
static const struct sync_statement total_statement = {
    "load_total",
    "UPDATE sync.backfill SET rows_total = $3 WHERE capture = $1 AND snapshot_id = $2"};
static const struct sync_statement ordered_statement = {
    "load_ordered", "UPDATE sync.backfill SET cursor = $3, started_at = now(), updated_at = now(),"
                    " state = CASE WHEN state = 'planned' THEN 'running' ELSE state END"
                    " WHERE capture = $1 AND snapshot_id = $2"};
static const struct sync_statement refused_statement = {
    "load_refused", "UPDATE sync.backfill SET state = 'cancelled', updated_at = now()"
                    " WHERE capture = $1 AND snapshot_id = $2"};

/* The plan, for operators: every resource of which Altinn 2 has rules; Altinn2Service is written
 * through and never ours (DL-10). */
static const struct sync_statement plan_statement = {
    "load_plan", "INSERT INTO sync.backfill (capture, table_name, state, snapshot_id)"
                 " SELECT '" DELEGATION_CAPTURE "', resource, 'planned', gen_random_uuid()"
                 " FROM sync.resource_state WHERE lower(type) <> 'altinn2service'"};
static const struct sync_statement go_on_statement = {
    "load_go_on", "UPDATE sync.backfill SET state = 'running', updated_at = now()"
                  " WHERE capture = '" DELEGATION_CAPTURE "' AND table_name = '" FEED_TABLE "'"
                  " AND state = 'cancelled'"};

static sync_status plan(struct sync_db *db, int64_t rate_max, int64_t *ret_parts,
                        struct sync_error *err)
{
    (void)rate_max; /* takes none */
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &plan_statement, NULL, &result, err);
    if (sync_is_ok(status) && result.affected == 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_REFUSED,
                         "start the backfill: no resource is known; load them first");
    }
    *ret_parts = result.affected;
    return sync_is_ok(status) ? sync_db_exec(db, &go_on_statement, NULL, NULL, err) : status;
}

extern const struct backfill_load backfill_altinn2_delegation;
const struct backfill_load backfill_altinn2_delegation = {.capture = DELEGATION_CAPTURE,
                                                          .processor = &sync_processor_delegation,
                                                          .standing = FEED_TABLE,
                                                          .takes_rate = false,
                                                          .plan = plan};

/* Reading and writing the row. */

static void take_text(const struct sync_result *result, int column, char *ret_text, size_t size)
{
    struct sync_bytes text = sync_result_bytes(result, 0, column);
    (void)snprintf(ret_text, size, "%.*s", (int)text.size, (const char *)text.data);
}

static sync_status read_part(struct delegation_order *o, bool *ret_found, struct part *ret_part,
                             struct sync_error *err)
{
    struct sync_params params = resolver_params(o->resolver);
    sync_params_text(&params, DELEGATION_CAPTURE);
    sync_params_text(&params, o->capture->shell->topics[DELEGATION_LIVE].name);
    SYNC_RESULT result = {0};
    sync_status status = resolver_exec(o->resolver, &next_statement, &params, &result, err);
    *ret_found = sync_is_ok(status) && result.rows == 1;
    if (!*ret_found) {
        return sync_is_ok(status) ? status : sync_wrap(err, "read the load");
    }
    *ret_part = (struct part){.snapshot_id = sync_result_uuid(&result, 0, 1),
                              .has_position = !sync_result_is_null(&result, 0, 2),
                              .is_ordered = sync_result_bool(&result, 0, 3),
                              .has_service = !sync_result_is_null(&result, 0, 4),
                              .edition = sync_result_int4(&result, 0, 5),
                              .phase = sync_result_int4(&result, 0, 6),
                              .passed = sync_result_int4(&result, 0, 7)};
    take_text(&result, 0, ret_part->resource, sizeof ret_part->resource);
    if (ret_part->has_position) {
        ret_part->position = sync_result_int8(&result, 0, 2);
    }
    if (ret_part->has_service) {
        take_text(&result, 4, ret_part->service_code, sizeof ret_part->service_code);
    }
    return SYNC_OK;
}

static struct sync_params params_of(struct delegation_order *o, const struct part *part)
{
    struct sync_params params = resolver_params(o->resolver);
    sync_params_text(&params, DELEGATION_CAPTURE);
    sync_params_uuid(&params, &part->snapshot_id);
    return params;
}

static sync_status write_ordered(struct delegation_order *o, const struct part *part,
                                 struct sync_error *err)
{
    struct sync_params params = params_of(o, part);
    sync_params_text(&params, "ordered");
    sync_status status = resolver_exec(o->resolver, &ordered_statement, &params, NULL, err);
    if (sync_is_ok(status)) {
        sync_log(SYNC_INFO, "export_ordered", SYNC_LOG_TEXT("resource", part->resource),
                 SYNC_LOG_NUMBER("snapshot_pos", part->position));
    }
    return sync_is_ok(status) ? status : sync_wrap(err, "write down the load");
}

/* Calls. */

static void free_json(struct sync_json **json)
{
    sync_json_free(json);
}

/* False when it does not fit. */
static bool make_url(const struct delegation_order *o, const char *path, const char *query,
                     char ret_url[static URL_SIZE])
{
    int size = snprintf(ret_url, URL_SIZE, "%s%s%s", o->capture->shell->config->bridge_base_url,
                        path, query);
    return size > 0 && size < URL_SIZE;
}

/* "?serviceCode=…&serviceEditionCode=…&resourceId=…"; "" for names that cannot stand in a URL. */
static void make_query(const struct part *part, char *ret_query, size_t size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    char service[80] = "";
    ret_query[0] = '\0';
    if (part->resource[strspn(part->resource, plain)] != '\0' ||
        part->service_code[strspn(part->service_code, plain)] != '\0') {
        return;
    }
    if (part->has_service) {
        (void)snprintf(service, sizeof service, "serviceCode=%s&serviceEditionCode=%d&",
                       part->service_code, (int)part->edition);
    }
    (void)snprintf(ret_query, size, "?%sresourceId=%s", service, part->resource);
}

/* How many rows are to come, for progress only: what fails here is not missed. */
static sync_status ask_total(struct delegation_order *o, const struct part *part,
                             struct sync_error *err)
{
    __attribute__((cleanup(free_json))) struct sync_json *root = NULL;
    char url[URL_SIZE], query[DELEGATION_TARGET_SIZE + 100];
    struct sync_error ignored = {0};
    struct sync_http_answer_in answer = {.failed = true};
    make_query(part, query, sizeof query);
    if (query[0] == '\0' || !make_url(o, COUNT_PATH, query, url)) {
        return SYNC_OK;
    }
    const struct bridge_request request = {.url = url, .what = "ask how much an export is"};
    bool answered = sync_is_ok(bridge_call(o->caller, &request, &answer, &ignored));
    bool read = answered && answer.code == 200 && answer.body &&
                sync_is_ok(sync_json_parse(sync_bytes_text(answer.body), &root, &ignored));
    free(answer.body);
    const struct sync_json *rows = read ? sync_json_get(root, "numberOfRelations") : NULL;
    if (sync_json_type_of(rows) != SYNC_JSON_INTEGER || sync_json_integer(rows) < 0) {
        return SYNC_OK;
    }
    struct sync_params params = params_of(o, part);
    sync_params_int8(&params, sync_json_integer(rows));
    return resolver_exec(o->resolver, &total_statement, &params, NULL, err);
}

/* What the real call has, and where the rows are to go. */
static char *make_order(const struct part *part)
{
    char snapshot[SYNC_UUID_BUFFER], now[SYNC_TIME_BUFFER];
    struct sync_json_writer w;
    sync_uuid_format(&part->snapshot_id, snapshot);
    sync_time_format(sync_clock_wall_us(), 6, now);
    sync_json_writer_init(&w);
    sync_json_open(&w, NULL, '{');
    if (part->has_service) {
        sync_json_put_text(&w, "serviceCode", part->service_code);
        sync_json_put_integer(&w, "serviceEditionCode", part->edition);
    }
    sync_json_put_text(&w, "resourceId", part->resource);
    sync_json_put_text(&w, "dateTimeForExport", now);
    sync_json_put_text(&w, "snapshotId", snapshot);
    sync_json_put_integer(&w, "snapshotPos", part->position);
    sync_json_close(&w, '}');
    return sync_json_writer_take(&w);
}

/* ret_code: of the answer, 0 = there was none. Fails: as bridge_call and bridge_answer_judge. */
static sync_status send_order(struct delegation_order *o, const struct part *part, int *ret_code,
                              struct sync_error *err)
{
    char url[URL_SIZE];
    char *body = make_order(part);
    struct sync_http_answer_in answer = {.failed = true};
    if (!body || !make_url(o, ORDER_PATH, "", url)) {
        free(body);
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "order an export: no memory");
    }
    (void)snprintf(url, sizeof url, "%s" ORDER_PATH, o->capture->shell->config->bridge_base_url);
    const struct bridge_request request = {
        .url = url, .body = sync_bytes_text(body), .what = "order an export"};
    sync_status status = bridge_call(o->caller, &request, &answer, err);
    *ret_code = sync_is_ok(status) ? answer.code : 0;
    if (sync_is_ok(status) && answer.code != 201) {
        status = bridge_answer_judge(&answer, "order an export", err);
    }
    free(answer.body);
    free(body);
    return status;
}

/* Steps. */

/* The place in the stream is the last one told by a mark: what has a higher number comes live. */
static sync_status take_position(struct delegation_order *o, struct sync_error *err)
{
    int64_t position = atomic_load(&o->capture->position);
    if (position < 0) {
        return SYNC_OK; /* none was told yet */
    }
    struct sync_params params = resolver_params(o->resolver);
    sync_params_text(&params, DELEGATION_CAPTURE);
    sync_params_int8(&params, position);
    sync_status status = resolver_exec(o->resolver, &position_statement, &params, NULL, err);
    return sync_is_ok(status) ? status : sync_wrap(err, "give the load its place");
}

/*
 * DL-99: where Altinn 2 may show copies that we made, live must have passed the place first, so
 * that each copy is known by its echo before its row comes.
 */
static bool may_order(const struct delegation_order *o, const struct part *part)
{
    int partitions = atomic_load(&o->capture->shell->topics[DELEGATION_LIVE].partitions);
    return part->phase < WRITES_FROM || (partitions > 0 && part->passed >= partitions);
}

static sync_status order(struct delegation_order *o, const struct part *part,
                         struct sync_error *err)
{
    struct sync_error reason = {0};
    int code = 0;
    sync_status status = ask_total(o, part, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    sync_status sent = send_order(o, part, &code, &reason);
    if (sync_is_ok(sent)) {
        return write_ordered(o, part, err);
    }
    if (atomic_load(&o->capture->shell->ending)) {
        return SYNC_OK;
    }
    bool refused = sent.class != SYNC_CLASS_RETRY;
    if (refused) {
        sync_log_error(SYNC_ERROR, "backfill_refused", &reason);
    } else {
        sync_log_error(SYNC_WARN, "backfill_waits", &reason);
    }
    o->next_us = sync_clock_monotonic_us() + (refused ? REFUSED_US : RETRY_US);
    if (code == 400) { /* Altinn 2 does not know this resource: the next one goes on */
        struct sync_params params = params_of(o, part);
        o->next_us = 0;
        return resolver_exec(o->resolver, &refused_statement, &params, NULL, err);
    }
    return SYNC_OK;
}

static void tell_waiting(struct delegation_order *o, const struct part *part, int64_t now_us)
{
    if (o->told_us == 0 || now_us - o->told_us >= TELL_US) {
        o->told_us = now_us;
        sync_log(SYNC_WARN, "backfill_waits", SYNC_LOG_TEXT("resource", part->resource),
                 SYNC_LOG_TEXT("error", "live has not passed its place in every partition yet"));
    }
}

sync_status delegation_order_turn(struct delegation_order *o, struct sync_error *err)
{
    struct part part;
    bool found = false;
    int64_t now_us = sync_clock_monotonic_us();
    if (!o->caller || now_us < o->next_us) {
        return SYNC_OK;
    }
    o->next_us = now_us + ASK_US;
    sync_status status = read_part(o, &found, &part, err);
    if (!sync_is_ok(status) || !found || part.is_ordered) {
        return status;
    }
    if (!part.has_position) {
        return take_position(o, err);
    }
    if (!may_order(o, &part)) {
        tell_waiting(o, &part, now_us);
        return SYNC_OK;
    }
    return order(o, &part, err);
}

/* Start and end. */

sync_status delegation_order_new(struct delegation_capture *capture, struct resolver *resolver,
                                 struct delegation_order **ret_order, struct sync_error *err)
{
    struct delegation_order *o = calloc(1, sizeof *o);
    if (!o) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "start the load: no memory");
    }
    o->capture = capture;
    o->resolver = resolver;
    sync_status status = SYNC_OK;
    if (capture->shell->config->bridge_base_url[0] != '\0') {
        status = bridge_caller_new(capture->shell, &o->caller, err);
    }
    if (!sync_is_ok(status)) {
        free(o);
        return status;
    }
    *ret_order = o;
    return SYNC_OK;
}

void delegation_order_free(struct delegation_order **order)
{
    if (*order) {
        bridge_caller_free(&(*order)->caller);
        free(*order);
        *order = NULL;
    }
}
