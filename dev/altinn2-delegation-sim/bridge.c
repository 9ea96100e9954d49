/*
 * What this Altinn 2 offers below its bridge: the command endpoint of class monotone (when the
 * options say so), clearing of cached rights, the role feed, and the order to export a resource.
 * Faults of the file happen here. Not here: what a command changes (schema.sql), the export itself
 * (export.c).
 */
#include "sim.h"

#include <core/arena.h>
#include <errno.h>
#include <runtime/breaker.h>
#include <runtime/clock.h>
#include <runtime/json.h>
#include <runtime/log.h>
#include <stdlib.h>

#define CACHE_PATH  "/cache/api/clearreporteerights"
#define FEED_PATH   "/roledelegationevent/api/getevents"
#define EXPORT_PATH "/resourceregistry/api/v1/altinn2export/exportdelegations"
#define STATE_PATH  "/sim/state"
#define CALLS_MAX   256
#define TURN_MS     5  /* how exact a delay is */
#define LATE_SHARE  20 /* one event of the role feed in so many shows up late */
#define BODY_MAX    65536

enum call_sort { CALL_COMMAND, CALL_CACHE, CALL_FEED, CALL_EXPORT, CALL_STATE };

struct call {
    struct sync_http_request *request; /* NULL = free */
    enum call_sort sort;
    int32_t from, to;               /* CACHE */
    int64_t after;                  /* FEED */
    char subscription[8], base[96]; /* FEED */
    bool decided;                   /* done and journalled: waits for its time */
    int64_t answer_at_us;
    int code;    /* of the answer */
    int applied; /* how often it was done */
    bool lost, again;
    char *text; /* body of the answer */
};

struct sim_bridge {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct call calls[CALLS_MAX];
    atomic_llong codes[600];
    uint64_t random;
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
static const struct sync_statement export_statement = {
    "sim_export",
    "INSERT INTO altinn2delegations.export (resource, snapshot, snapshot_pos)"
    " SELECT r.id, ($1::jsonb ->> 'snapshotId')::uuid, ($1::jsonb ->> 'snapshotPos')::bigint"
    "   FROM altinn2delegations.resource AS r WHERE r.id = $1::jsonb ->> 'resourceId'"};
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
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&bridge->lock, NULL);
    pthread_cond_init(&bridge->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    bridge->random = sim->options.seed ^ 0x627269646765ULL;
    sync_arena_init(&bridge->arena, bridge->memory, sizeof bridge->memory);
    sim->bridge = bridge;
    return SYNC_OK;
}

void sim_bridge_free(struct sim *sim)
{
    if (sim->bridge) {
        pthread_cond_destroy(&sim->bridge->changed);
        pthread_mutex_destroy(&sim->bridge->lock);
        free(sim->bridge);
        sim->bridge = NULL;
    }
}

/* Listener. */

static void answer(struct sim *sim, struct sync_http_request *request, int code, const char *text)
{
    atomic_fetch_add(&sim->bridge->codes[code], 1);
    sync_http_answer(request, code, text ? "application/json" : NULL,
                     sync_bytes_text(text ? text : ""), 0);
}

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

/* Keeps a call for the bridge thread; false when there is no place. */
static bool keep(struct sim_bridge *bridge, const struct call *call)
{
    struct call *place = NULL;
    pthread_mutex_lock(&bridge->lock);
    for (size_t i = 0; i < CALLS_MAX && !place; i++) {
        place = bridge->calls[i].request ? NULL : &bridge->calls[i];
    }
    if (place) {
        *place = *call;
        pthread_cond_signal(&bridge->changed);
    }
    pthread_mutex_unlock(&bridge->lock);
    return place != NULL;
}

void sim_handle(struct sync_http_request *request, void *context)
{
    struct sim *sim = context;
    struct call call = {.request = request};
    int refusal = read_call(sim, request, &call);
    if (refusal != 0 || !keep(sim->bridge, &call)) {
        answer(sim, request, refusal != 0 ? refusal : 503, NULL);
    }
}

/* Bridge thread. */

static void empty(struct sim_bridge *bridge, struct call *call)
{
    free(call->text);
    pthread_mutex_lock(&bridge->lock);
    call->request = NULL;
    call->text = NULL;
    pthread_mutex_unlock(&bridge->lock);
}

/* Which faults hit this call now. */
static const char *decide(struct sim *sim, struct call *call, int64_t now_us)
{
    const char *hit = NULL;
    int64_t elapsed_ms = (now_us - sim->started_us) / 1000;
    const struct faults *faults = call->sort == CALL_FEED ? &sim->feed_faults : &sim->bridge_faults;
    call->code = call->sort == CALL_EXPORT ? 201 : 200;
    call->applied = 1;
    call->answer_at_us = now_us;
    for (size_t i = 0; i < faults->count && call->sort != CALL_STATE; i++) {
        const struct fault *fault = &faults->items[i];
        bool now = elapsed_ms >= fault->from_ms && elapsed_ms < fault->until_ms;
        if (!now || sync_random_next(&sim->bridge->random) % 1000 >= (uint64_t)fault->permille) {
            continue;
        }
        atomic_fetch_add(&sim->counters.faults, 1);
        switch (fault->action) {
        case FAULT_ANSWER:
            call->code = fault->code;
            call->applied = 0;
            hit = "answer";
            break;
        case FAULT_LOSE_ANSWER:
            call->lost = true;
            hit = "lose-answer";
            break;
        case FAULT_APPLY_TWICE:
            call->applied = call->applied == 1 ? 2 : call->applied;
            hit = "apply-twice";
            break;
        case FAULT_REPEAT:
            call->again = true;
            break;
        case FAULT_DELAY:
            call->answer_at_us = now_us + fault->delay_ms * 1000LL;
            hit = hit ? hit : "delay";
            break;
        }
    }
    return hit;
}

static int32_t lot_ms(struct sim *sim, double seconds)
{
    return (int32_t)(sync_random_next(&sim->bridge->random) % ((uint64_t)(seconds * 1000) + 1));
}

/* An event of the role feed now and then shows up late. */
static int32_t lot_late_ms(struct sim *sim)
{
    bool late = sync_random_next(&sim->bridge->random) % LATE_SHARE == 0;
    return late ? lot_ms(sim, sim->options.late_seconds) : 0;
}

static sync_status run_command(struct sim *sim, struct call *call, const char *fault,
                               struct sync_error *err)
{
    struct sim_bridge *bridge = sim->bridge;
    struct sync_params params;
    SYNC_RESULT result = {0};
    char *body = strndup((const char *)call->request->body.data, call->request->body.size);
    SYNC_ASSERT(body);
    sync_params_init(&params, &bridge->arena);
    sync_params_text(&params, body);
    sync_params_int4(&params, sim->options.own_user_id);
    sync_params_time(&params, sim_clock_us(sim));
    sync_params_int4(&params, call->lost ? 0 : call->code);
    sync_params_int4(&params, call->applied > 0);
    sync_params_text(&params, fault);
    sync_params_int4(&params, lot_ms(sim, sim->options.delay_seconds));
    sync_params_int4(&params, lot_late_ms(sim));
    sync_status status = SYNC_OK;
    pthread_mutex_lock(&sim->truth);
    for (int i = 0; i < (call->applied > 1 ? 2 : 1) && sync_is_ok(status); i++) {
        sync_result_done(&result);
        status = sync_db_exec(bridge->db, &command_statement, &params, &result, err);
    }
    pthread_mutex_unlock(&sim->truth);
    free(body);
    if (sync_is_ok(status) && call->code == 200) {
        char text[48];
        (void)snprintf(text, sizeof text, "{\"version\":%lld}",
                       (long long)sync_result_int8(&result, 0, 0));
        call->text = strdup(text);
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
    sync_params_int4(&params, call->lost ? 0 : call->code);
    sync_params_int4(&params, call->applied);
    sync_params_text(&params, fault);
    atomic_fetch_add(&sim->counters.cache_calls, 1);
    return sync_db_exec(sim->bridge->db, &cache_statement, &params, NULL, err);
}

static sync_status run_feed(struct sim *sim, struct call *call, struct sync_error *err)
{
    struct sync_params params;
    SYNC_RESULT result = {0};
    if (call->code != 200) {
        return SYNC_OK;
    }
    sync_params_init(&params, &sim->bridge->arena);
    sync_params_text(&params, call->base);
    sync_params_text(&params, call->subscription);
    sync_params_int8(&params, call->after);
    sync_params_int4(&params, sim->options.page_size);
    sync_params_bool(&params, call->again);
    sync_params_int4(&params, sim->options.own_user_id);
    sync_params_uuid(&params, &sim->options.own_party);
    sync_status status = sync_db_exec(sim->bridge->db, &feed_statement, &params, &result, err);
    if (sync_is_ok(status)) {
        struct sync_bytes text = sync_result_bytes(&result, 0, 0);
        call->text = strndup((const char *)text.data, text.size);
        atomic_fetch_add(&sim->counters.pages, 1);
    }
    return status;
}

static sync_status run_export(struct sim *sim, struct call *call, struct sync_error *err)
{
    struct sync_params params;
    SYNC_RESULT result = {0};
    char *body = strndup((const char *)call->request->body.data, call->request->body.size);
    SYNC_ASSERT(body);
    sync_params_init(&params, &sim->bridge->arena);
    sync_params_text(&params, body);
    sync_status status = sync_db_exec(sim->bridge->db, &export_statement, &params, &result, err);
    free(body);
    call->code = sync_is_ok(status) && result.affected == 1 ? 201 : 400;
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
               {"lost_answers", &counters->lost},
               {"faults", &counters->faults},
               {"exported", &counters->exported}};
    sync_json_put_bool(writer, "acting", atomic_load(&sim->acting));
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
    sync_json_open(&writer, "codes", '{');
    for (int code = 0; code < 600; code++) {
        long long count = atomic_load(&sim->bridge->codes[code]);
        char name[8];
        (void)snprintf(name, sizeof name, "%d", code);
        if (count > 0) {
            sync_json_put_integer(&writer, name, count);
        }
    }
    sync_json_close(&writer, '}');
    sync_json_close(&writer, '}');
    call->text = sync_json_writer_take(&writer);
    return status;
}

/* Does what came in, one transaction each: a call that is answered has happened. */
static void work_off(struct sim *sim, struct call *call, int64_t now_us)
{
    struct sync_error err = {0};
    sync_status status = SYNC_OK;
    const char *fault = decide(sim, call, now_us);
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
    case CALL_STATE:
        status = run_state(sim, call, &err);
        break;
    }
    if (!sync_is_ok(status)) {
        sim_database_failed(sim, "bridge", &err);
        call->code = status.class == SYNC_CLASS_RETRY ? 503 : 400;
        call->lost = false;
    }
    call->decided = true;
}

static void finish(struct sim *sim, struct call *call)
{
    struct sync_http_request *request = call->request;
    if (call->lost) {
        atomic_fetch_add(&sim->counters.lost, 1);
        sync_http_drop(request);
    } else {
        answer(sim, request, call->code, call->text);
    }
    empty(sim->bridge, call);
}

static void wait_for_calls(struct sim_bridge *bridge)
{
    int64_t until_us = sync_clock_monotonic_us() + TURN_MS * 1000;
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    pthread_mutex_lock(&bridge->lock);
    (void)pthread_cond_timedwait(&bridge->changed, &bridge->lock, &until);
    pthread_mutex_unlock(&bridge->lock);
}

/* What is with the bridge thread: only it empties a place, so that a place it sees taken stays so.
 */
static bool is_taken(struct sim_bridge *bridge, const struct call *call)
{
    pthread_mutex_lock(&bridge->lock);
    bool taken = call->request != NULL;
    pthread_mutex_unlock(&bridge->lock);
    return taken;
}

void *sim_answer(void *context)
{
    struct sim *sim = context;
    struct sim_bridge *bridge = sim->bridge;
    bridge->db = sim_connect(sim, "altinn2-delegation-sim-bridge");
    while (bridge->db && !atomic_load(&sim->stopping)) {
        bool worked = false;
        for (size_t i = 0; i < CALLS_MAX; i++) {
            struct call *call = &bridge->calls[i];
            if (!is_taken(bridge, call)) {
                continue;
            }
            if (!call->decided) {
                work_off(sim, call, sync_clock_monotonic_us());
                worked = true;
            }
            if (sync_clock_monotonic_us() >= call->answer_at_us) {
                finish(sim, call);
            }
        }
        if (!worked) {
            wait_for_calls(bridge);
        }
    }
    for (size_t i = 0; i < CALLS_MAX; i++) {
        if (is_taken(bridge, &bridge->calls[i])) {
            bridge->calls[i].code = bridge->calls[i].decided ? bridge->calls[i].code : 503;
            finish(sim, &bridge->calls[i]);
        }
    }
    sync_db_free(&bridge->db);
    return NULL;
}
