/*
 * What this Altinn 2 offers below its bridge: the command endpoint of class monotone (when the
 * options say so), clearing of cached rights, the role feed, and exports: how much one is, and the
 * order. Faults of the file happen here. Not here: what a command changes (schema.sql), the export
 * itself (export.c).
 */
#include "sim.h"

#include <core/arena.h>
#include <runtime/breaker.h>
#include <runtime/json.h>
#include <stdlib.h>

#define CACHE_PATH  "/cache/api/clearreporteerights"
#define FEED_PATH   "/roledelegationevent/api/getevents"
#define EXPORT_PATH "/resourceregistry/api/v1/altinn2export/exportdelegations"
#define COUNT_PATH  "/resourceregistry/api/v1/altinn2export/delegationcount"
#define STATE_PATH  "/sim/state"
#define LATE_SHARE  20 /* one event of the role feed in so many shows up late */
#define BODY_MAX    65536

enum call_sort { CALL_COMMAND, CALL_CACHE, CALL_FEED, CALL_COUNT, CALL_EXPORT, CALL_STATE };

struct call {
    struct simulator_call common;
    enum call_sort sort;
    int32_t from, to;               /* CACHE */
    int64_t after;                  /* FEED */
    char subscription[8], base[96]; /* FEED */
    char resource[128];             /* COUNT */
};

struct sim_bridge {
    struct sync_db *db;
    struct sync_arena arena;
    uint8_t memory[BODY_MAX + 65536];
};

static const struct sync_statement command_statement = {
    "sim_command", "SELECT altinn2delegations.command($1::jsonb, $2, $3, $4, $5, $6, $7, $8)"};
static const struct sync_statement cache_statement = {
    "sim_cache", "INSERT INTO altinn2delegations.call (at, path, from_party, to_party, code, "
                 "applied, fault, newer, changes)"
                 " VALUES (clock_timestamp(), 'cache', $1, $2, $3, $4, $5, false, 0)"};
static const struct sync_statement feed_statement = {
    "sim_feed", "SELECT altinn2delegations.feed_page($1, $2, $3, $4, $5, $6, $7)"};
/* An order that comes twice is one export. No row: nobody knows the resource. */
static const struct sync_statement export_statement = {
    "sim_export",
    "WITH known AS (SELECT r.id FROM altinn2delegations.resource AS r"
    "  WHERE lower(r.id) = lower($1::jsonb ->> 'resourceId')),"
    " added AS (INSERT INTO altinn2delegations.export (resource, snapshot, snapshot_pos)"
    "  SELECT id, ($1::jsonb ->> 'snapshotId')::uuid, ($1::jsonb ->> 'snapshotPos')::bigint"
    "  FROM known ON CONFLICT (snapshot, resource) DO NOTHING)"
    " SELECT id FROM known"};
static const struct sync_statement count_statement = {
    "sim_count", "SELECT count(*), count(DISTINCT (from_party, to_party, granted_at))"
                 " FROM altinn2delegations.held WHERE kind = 0 AND lower(target) = lower($1)"};
static const struct sync_statement pending_statement = {
    "sim_pending",
    "SELECT (SELECT count(*) FROM altinn2delegations.report WHERE pushed_at IS NULL),"
    " (SELECT count(*) FROM altinn2delegations.event WHERE read_at IS NULL),"
    " (SELECT count(*) FROM altinn2delegations.export WHERE ended_at IS NULL)"};

sync_status sim_bridge_new(struct sim *sim, struct sync_error *err)
{
    struct sim_bridge *bridge = calloc(1, sizeof *bridge);
    if (!bridge) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "make the bridge: no memory");
    }
    sync_arena_init(&bridge->arena, bridge->memory, sizeof bridge->memory);
    sim->bridge = bridge;
    return simulator_calls_init(&sim->calls, &sim->common, sizeof(struct call), sim->options.seed,
                                err);
}

void sim_bridge_free(struct sim *sim)
{
    simulator_calls_done(&sim->calls);
    free(sim->bridge);
    sim->bridge = NULL;
}

/* Listener. */

static int64_t query_number(const struct sync_http_request *request, const char *name)
{
    const char *text = sync_http_request_query(request, name);
    return text ? strtoll(text, NULL, 10) : 0;
}

static void read_feed(const struct sim *sim, const struct sync_http_request *request,
                      struct call *call)
{
    const char *subscription = sync_http_request_query(request, "subscriptionId");
    call->sort = CALL_FEED;
    call->after = query_number(request, "after");
    (void)snprintf(call->subscription, sizeof call->subscription, "%.7s",
                   subscription ? subscription : "10");
    const char *host = sync_http_request_header(request, "Host");
    (void)snprintf(call->base, sizeof call->base, "http://%.80s",
                   host ? host : sync_http_server_address(sim->server));
}

/* Which call this is; 0, or the code of its refusal. */
static int read_call(struct sim *sim, struct sync_http_request *request, struct call *call)
{
    const char *method = request->method, *wanted = "GET";
    if (sim->options.command_path && strcmp(request->path, sim->options.command_path) == 0) {
        call->sort = CALL_COMMAND;
        wanted = "POST";
    } else if (strcmp(request->path, CACHE_PATH) == 0) {
        call->sort = CALL_CACHE;
        call->from = (int32_t)query_number(request, "reporteePartyId");
        call->to = (int32_t)query_number(request, "coveredByPartyId");
        wanted = "PUT";
    } else if (strcmp(request->path, COUNT_PATH) == 0) {
        const char *resource = sync_http_request_query(request, "resourceId");
        call->sort = CALL_COUNT;
        (void)snprintf(call->resource, sizeof call->resource, "%s", resource ? resource : "");
    } else if (strcmp(request->path, EXPORT_PATH) == 0) {
        call->sort = CALL_EXPORT;
        wanted = "POST";
    } else if (strcmp(request->path, FEED_PATH) == 0) {
        read_feed(sim, request, call);
    } else if (strcmp(request->path, STATE_PATH) == 0) {
        call->sort = CALL_STATE;
    } else {
        return 404;
    }
    return strcmp(method, wanted) == 0 ? 0 : 405;
}

void sim_handle(struct sync_http_request *request, void *context)
{
    struct sim *sim = context;
    struct call call = {.common = {.request = request}};
    int refusal = read_call(sim, request, &call);
    if (refusal != 0 || !simulator_calls_keep(&sim->calls, &call.common)) {
        simulator_calls_answer(&sim->calls, request, refusal != 0 ? refusal : 503, NULL);
    }
}

/* Bridge thread. */

/* Which faults hit this call now; the simulator's own state has none. */
static const char *decide(struct sim *sim, struct call *call)
{
    const struct faults *faults = call->sort == CALL_FEED ? &sim->feed_faults : &sim->bridge_faults;
    call->common.code = call->sort == CALL_EXPORT ? 201 : 200;
    call->common.applied = 1;
    return call->sort == CALL_STATE ? NULL
                                    : simulator_calls_hit(&sim->calls, faults, &call->common);
}

static int32_t lot_ms(struct sim *sim, double seconds)
{
    return (int32_t)(sync_random_next(&sim->calls.random) % ((uint64_t)(seconds * 1000) + 1));
}

/* An event of the role feed now and then shows up late. */
static int32_t lot_late_ms(struct sim *sim)
{
    bool late = sync_random_next(&sim->calls.random) % LATE_SHARE == 0;
    return late ? lot_ms(sim, sim->options.late_seconds) : 0;
}

static sync_status run_command(struct sim *sim, struct call *call, const char *fault,
                               struct sync_error *err)
{
    struct sim_bridge *bridge = sim->bridge;
    struct sync_params params;
    SYNC_RESULT result = {0};
    char *body =
        strndup((const char *)call->common.request->body.data, call->common.request->body.size);
    SYNC_ASSERT(body);
    sync_params_init(&params, &bridge->arena);
    sync_params_text(&params, body);
    sync_params_int4(&params, sim->options.own_user_id);
    sync_params_time(&params, sim_clock_us(sim));
    sync_params_int4(&params, call->common.is_lost ? 0 : call->common.code);
    sync_params_int4(&params, call->common.applied > 0);
    sync_params_text(&params, fault);
    sync_params_int4(&params, lot_ms(sim, sim->options.delay_seconds));
    sync_params_int4(&params, lot_late_ms(sim));
    sync_status status = SYNC_OK;
    pthread_mutex_lock(&sim->truth);
    for (int i = 0; i < (call->common.applied > 1 ? 2 : 1) && sync_is_ok(status); i++) {
        sync_result_done(&result);
        status = sync_db_exec(bridge->db, &command_statement, &params, &result, err);
    }
    pthread_mutex_unlock(&sim->truth);
    free(body);
    if (sync_is_ok(status) && call->common.code == 200) {
        char text[48];
        (void)snprintf(text, sizeof text, "{\"version\":%lld}",
                       (long long)sync_result_int8(&result, 0, 0));
        call->common.text = strdup(text);
        atomic_fetch_add(&sim->counters.commands, 1);
    }
    return status;
}

static sync_status run_cache(struct sim *sim, struct call *call, const char *fault,
                             struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, &sim->bridge->arena);
    sync_params_int4(&params, call->from);
    sync_params_int4(&params, call->to);
    sync_params_int4(&params, call->common.is_lost ? 0 : call->common.code);
    sync_params_int4(&params, call->common.applied);
    sync_params_text(&params, fault);
    atomic_fetch_add(&sim->counters.cache_calls, 1);
    return sync_db_exec(sim->bridge->db, &cache_statement, &params, NULL, err);
}

static sync_status run_feed(struct sim *sim, struct call *call, struct sync_error *err)
{
    struct sync_params params;
    SYNC_RESULT result = {0};
    if (call->common.code != 200) {
        return SYNC_OK;
    }
    sync_params_init(&params, &sim->bridge->arena);
    sync_params_text(&params, call->base);
    sync_params_text(&params, call->subscription);
    sync_params_int8(&params, call->after);
    sync_params_int4(&params, sim->options.page_size);
    sync_params_bool(&params, call->common.is_repeated);
    sync_params_int4(&params, sim->options.own_user_id);
    sync_params_uuid(&params, &sim->options.own_party);
    sync_status status = sync_db_exec(sim->bridge->db, &feed_statement, &params, &result, err);
    if (sync_is_ok(status)) {
        struct sync_bytes text = sync_result_bytes(&result, 0, 0);
        call->common.text = strndup((const char *)text.data, text.size);
        atomic_fetch_add(&sim->counters.pages, 1);
    }
    return status;
}

static sync_status run_export(struct sim *sim, struct call *call, struct sync_error *err)
{
    struct sync_params params;
    SYNC_RESULT result = {0};
    char *body =
        strndup((const char *)call->common.request->body.data, call->common.request->body.size);
    SYNC_ASSERT(body);
    sync_params_init(&params, &sim->bridge->arena);
    sync_params_text(&params, body);
    sync_status status = sync_db_exec(sim->bridge->db, &export_statement, &params, &result, err);
    free(body);
    call->common.code = sync_is_ok(status) && result.rows == 1 ? 201 : 400;
    return status;
}

static sync_status run_count(struct sim *sim, struct call *call, struct sync_error *err)
{
    struct sync_params params;
    struct sync_json_writer writer;
    SYNC_RESULT result = {0};
    sync_params_init(&params, &sim->bridge->arena);
    sync_params_text(&params, call->resource);
    sync_status status = sync_db_exec(sim->bridge->db, &count_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    sync_json_writer_init(&writer);
    sync_json_open(&writer, NULL, '{');
    sync_json_put_integer(&writer, "numberOfDelegations", sync_result_int8(&result, 0, 0));
    sync_json_put_integer(&writer, "numberOfRelations", sync_result_int8(&result, 0, 1));
    sync_json_close(&writer, '}');
    call->common.text = sync_json_writer_take(&writer);
    return status;
}

static void put_counters(struct sim *sim, struct sync_json_writer *writer)
{
    struct sim_counters *counters = &sim->counters;
    const struct {
        const char *name;
        atomic_llong *value;
    } all[] = {{"acts", &counters->acts},
               {"push_calls", &counters->push_calls},
               {"push_failed", &counters->push_failed},
               {"repeated", &counters->repeated},
               {"commands", &counters->commands},
               {"cache_calls", &counters->cache_calls},
               {"pages", &counters->pages},
               {"lost_answers", &sim->calls.lost},
               {"faults", &sim->calls.faults},
               {"exported", &counters->exported}};
    sync_json_put_bool(writer, "acting", atomic_load(&sim->common.acting));
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        sync_json_put_integer(writer, all[i].name, atomic_load(all[i].value));
    }
}

/* What is not told yet is counted, not remembered: a transaction in doubt spoils a counter. */
static sync_status run_state(struct sim *sim, struct call *call, struct sync_error *err)
{
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(sim->bridge->db, &pending_statement, NULL, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_json_writer writer;
    sync_json_writer_init(&writer);
    sync_json_open(&writer, NULL, '{');
    put_counters(sim, &writer);
    sync_json_put_integer(&writer, "pending", sync_result_int8(&result, 0, 0));
    sync_json_put_integer(&writer, "unread", sync_result_int8(&result, 0, 1));
    sync_json_put_integer(&writer, "exporting", sync_result_int8(&result, 0, 2));
    simulator_calls_put(&sim->calls, &writer);
    sync_json_close(&writer, '}');
    call->common.text = sync_json_writer_take(&writer);
    return status;
}

/* Does what came in, one transaction each: a call that is answered has happened. */
static void work(void *context, struct simulator_call *common)
{
    struct sim *sim = context;
    struct call *call = (struct call *)common;
    struct sync_error err = {0};
    sync_status status = SYNC_OK;
    const char *fault = decide(sim, call);
    sync_arena_reset(&sim->bridge->arena, 0);
    switch (call->sort) {
    case CALL_COMMAND:
        status = run_command(sim, call, fault, &err);
        break;
    case CALL_CACHE:
        status = run_cache(sim, call, fault, &err);
        break;
    case CALL_FEED:
        status = run_feed(sim, call, &err);
        break;
    case CALL_EXPORT:
        status = run_export(sim, call, &err);
        break;
    case CALL_COUNT:
        status = run_count(sim, call, &err);
        break;
    case CALL_STATE:
        status = run_state(sim, call, &err);
        break;
    }
    if (!sync_is_ok(status)) {
        simulator_database_failed(&sim->common, "bridge", &err);
        call->common.code = status.class == SYNC_CLASS_RETRY ? 503 : 400;
        call->common.is_lost = false;
    }
}

void *sim_answer(void *context)
{
    struct sim *sim = context;
    sim->bridge->db = simulator_connect(&sim->common, "altinn2-delegation-sim-bridge");
    if (sim->bridge->db) {
        simulator_calls_run(&sim->calls, work, sim);
    }
    simulator_calls_end(&sim->calls);
    sync_db_free(&sim->bridge->db);
    return NULL;
}
