/*
 * The bridge into this Altinn 2: takes read, confirm and delete of one message, raises the flag,
 * journals the call and what changed, queues the echo. Faults of the file happen here. Not here:
 * the push job.
 */
#include "sim.h"

#include <core/arena.h>
#include <errno.h>
#include <runtime/breaker.h>
#include <runtime/clock.h>
#include <runtime/json.h>
#include <runtime/log.h>
#include <runtime/time_text.h>
#include <stdlib.h>

#define PATH      "/storage/api/v1/sblbridge/synccorrespondenceevent"
#define CALLS_MAX 256
#define TURN_MS   5 /* how exact a delay is */

static const char *const event_words[] = {"read", "confirm", "delete"};

struct call {
    struct sync_http_request *request; /* NULL = free */
    int32_t altinn2_id, party_id;
    int event; /* index of event_words */
    int64_t time_us;
    char key[64];
    bool decided; /* journalled: waits for its time */
    int64_t answer_at_us;
    int code;    /* of the answer */
    int applied; /* how often it was done */
    bool lost;
    bool state; /* not a call: GET /sim/state */
};

struct sim_bridge {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct call calls[CALLS_MAX];
    atomic_llong codes[600];
    uint64_t random;
    struct sync_db *db;
    struct sync_arena arena;
    uint8_t memory[64 * 1024];
};

/* $1 key $2 message $3 party $4 event $5 time $6 code $7 times applied $8 fault $9 echo party $10
 * echo time $11 echoes $12 delay of their push */
static const struct sync_statement call_statement = {
    "sim_call", "WITH m AS (SELECT altinn2_id, is_read, is_confirmed, is_deleted FROM "
                "altinn2sim.message WHERE altinn2_id = $2 FOR UPDATE),"
                " q AS (INSERT INTO altinn2sim.request (idempotency_key, altinn2_id, party_id, "
                "event_type, event_timestamp, code, applied, fault)"
                "       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING request_id),"
                " u AS (UPDATE altinn2sim.message SET is_read = is_read OR $4 = 'read', "
                "is_confirmed = is_confirmed OR $4 = 'confirm',"
                "       is_deleted = is_deleted OR $4 = 'delete' WHERE altinn2_id = $2 AND NOT "
                "is_deleted AND $7 > 0 RETURNING 1),"
                " c AS (INSERT INTO altinn2sim.change (altinn2_id, flag, request_id)"
                "       SELECT $2, CASE $4 WHEN 'read' THEN 'read' WHEN 'confirm' THEN 'confirmed' "
                "ELSE 'deleted' END, request_id FROM m, q"
                "        WHERE $7 > 0 AND NOT m.is_deleted AND NOT CASE $4 WHEN 'read' THEN "
                "is_read WHEN 'confirm' THEN is_confirmed ELSE false END"
                "       RETURNING 1),"
                " r AS (INSERT INTO altinn2sim.report (altinn2_id, kind, party_uuid, occurred_at, "
                "cause, request_id, due_at)"
                "       SELECT $2, CASE $4 WHEN 'read' THEN 4 WHEN 'confirm' THEN 6 ELSE 7 END, "
                "$9, $10, 'echo', request_id,"
                "              now() + $12 * interval '1 ms'"
                "         FROM m, q, generate_series(1, $11) WHERE NOT m.is_deleted RETURNING 1)"
                " SELECT (SELECT count(*) FROM m), (SELECT count(*) FROM c), (SELECT count(*) FROM "
                "r), (SELECT count(*) FROM u)"};

static const struct sync_statement pending_statement = {
    "sim_pending", "SELECT count(*) FROM altinn2sim.report WHERE pushed_at IS NULL"};

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

static void answer(struct sim *sim, struct sync_http_request *request, int code)
{
    atomic_fetch_add(&sim->bridge->codes[code], 1);
    sync_http_answer(request, code, NULL, (struct sync_bytes){NULL, 0}, 0);
}

static void free_json(struct sync_json **json)
{
    sync_json_free(json);
}

static bool read_number(const struct sync_json *root, const char *name, int32_t *ret_number)
{
    const struct sync_json *value = sync_json_get(root, name);
    int64_t number =
        value && sync_json_type_of(value) == SYNC_JSON_INTEGER ? sync_json_integer(value) : 0;
    *ret_number = (int32_t)number;
    return number > 0 && number <= INT32_MAX;
}

static bool read_call(struct sync_bytes body, struct call *call)
{
    __attribute__((cleanup(free_json))) struct sync_json *root = NULL;
    struct sync_error err;
    if (!sync_is_ok(sync_json_parse(body, &root, &err)) ||
        sync_json_type_of(root) != SYNC_JSON_OBJECT) {
        return false;
    }
    const struct sync_json *time = sync_json_get(root, "eventTimestamp");
    const struct sync_json *type = sync_json_get(root, "eventType");
    if (!time || sync_json_type_of(time) != SYNC_JSON_TEXT || !type ||
        sync_json_type_of(type) != SYNC_JSON_TEXT) {
        return false;
    }
    call->event = -1;
    for (int i = 0; i < 3; i++) {
        call->event = sync_bytes_equal(sync_json_text(type), sync_bytes_text(event_words[i]))
                          ? i
                          : call->event;
    }
    return call->event >= 0 && read_number(root, "correspondenceId", &call->altinn2_id) &&
           read_number(root, "partyId", &call->party_id) &&
           sync_time_parse(sync_json_text(time), &call->time_us);
}

static void put_counters(struct sim *sim, int64_t pending, struct sync_json_writer *writer)
{
    struct sim_counters *counters = &sim->counters;
    sync_json_put_bool(writer, "acting", atomic_load(&sim->acting));
    sync_json_put_integer(writer, "messages", (int64_t)sim_message_count(sim));
    sync_json_put_integer(writer, "acts", atomic_load(&counters->acts));
    sync_json_put_integer(writer, "reports", atomic_load(&counters->reports));
    sync_json_put_integer(writer, "pushed", atomic_load(&counters->pushed));
    sync_json_put_integer(writer, "pending", pending);
    sync_json_put_integer(writer, "push_calls", atomic_load(&counters->push_calls));
    sync_json_put_integer(writer, "push_failed", atomic_load(&counters->push_failed));
    sync_json_put_integer(writer, "requests", atomic_load(&counters->requests));
    sync_json_put_integer(writer, "applied", atomic_load(&counters->applied));
    sync_json_put_integer(writer, "applied_twice", atomic_load(&counters->applied_twice));
    sync_json_put_integer(writer, "unchanged", atomic_load(&counters->unchanged));
    sync_json_put_integer(writer, "lost_answers", atomic_load(&counters->lost));
}

static void answer_state(struct sim *sim, struct sync_http_request *request, int64_t pending)
{
    struct sync_json_writer writer;
    sync_json_writer_init(&writer);
    sync_json_open(&writer, NULL, '{');
    put_counters(sim, pending, &writer);
    sync_json_open(&writer, "codes", '{');
    for (int code = 0; code < 600; code++) {
        long long count = atomic_load(&sim->bridge->codes[code]);
        char name[8];
        snprintf(name, sizeof name, "%d", code);
        if (count > 0) {
            sync_json_put_integer(&writer, name, count);
        }
    }
    sync_json_close(&writer, '}');
    sync_json_close(&writer, '}');
    char *text = sync_json_writer_take(&writer);
    sync_http_answer(request, 200, "application/json", sync_bytes_text(text ? text : "{}"), 0);
    free(text);
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
    if (strcmp(request->path, "/sim/state") == 0 && strcmp(request->method, "GET") == 0) {
        struct call state = {.request = request, .state = true};
        if (!keep(sim->bridge, &state)) {
            answer(sim, request, 503);
        }
        return;
    }
    if (strcmp(request->path, PATH) != 0) {
        answer(sim, request, 404);
        return;
    }
    struct call call = {.request = request};
    const char *key = sync_http_request_header(request, "Idempotency-Key");
    snprintf(call.key, sizeof call.key, "%s", key ? key : "");
    if (strcmp(request->method, "POST") != 0) {
        answer(sim, request, 405);
    } else if (!read_call(request->body, &call)) {
        answer(sim, request, 400);
    } else if (!keep(sim->bridge, &call)) {
        answer(sim, request, 503);
    }
}

/* Bridge thread. */

static void empty(struct sim_bridge *bridge, struct call *call)
{
    pthread_mutex_lock(&bridge->lock);
    call->request = NULL;
    pthread_mutex_unlock(&bridge->lock);
}

/* Which faults hit this call now. */
static const char *decide(struct sim *sim, struct call *call, int64_t now_us)
{
    const char *hit = NULL;
    int64_t elapsed_ms = (now_us - sim->started_us) / 1000;
    size_t index = 0;
    call->code = sim_message_index(sim, call->altinn2_id, &index) ? 200 : 404;
    call->applied = call->code == 200;
    call->answer_at_us = now_us;
    for (size_t i = 0; i < sim->faults.count; i++) {
        const struct fault *fault = &sim->faults.items[i];
        bool now = elapsed_ms >= fault->from_ms && elapsed_ms < fault->until_ms;
        if (!now || sync_random_next(&sim->bridge->random) % 1000 >= (uint64_t)fault->permille) {
            continue;
        }
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
        case FAULT_DELAY:
            call->answer_at_us = now_us + fault->delay_ms * 1000LL;
            hit = hit ? hit : "delay";
            break;
        case FAULT_REPEAT: /* of feeds */
            break;
        }
    }
    return hit;
}

/* The echo names another second or party where the options say so. */
static void shape_echo(struct sim *sim, const struct call *call, struct sync_uuid *ret_party,
                       int64_t *ret_time_us)
{
    enum sim_echo echo = sim->options.echo;
    if (echo == SIM_ECHO_MIX) {
        echo = SIM_ECHO_EXACT + (enum sim_echo)(sync_random_next(&sim->bridge->random) % 4);
    }
    bool second = echo == SIM_ECHO_SECOND || echo == SIM_ECHO_BOTH;
    bool party = echo == SIM_ECHO_PARTY || echo == SIM_ECHO_BOTH;
    int32_t other = POPULATION_PARTY_FIRST + (call->party_id + 1) % POPULATION_PARTY_COUNT;
    *ret_party = population_party(party ? other : call->party_id);
    *ret_time_us = call->time_us + (second ? 1000000 : 0);
}

static sync_status journal(struct sim *sim, struct call *call, const char *fault,
                           struct sync_error *err)
{
    struct sim_bridge *bridge = sim->bridge;
    struct sync_uuid echo_party;
    int64_t echo_us = 0;
    shape_echo(sim, call, &echo_party, &echo_us);
    struct sync_params params;
    sync_arena_reset(&bridge->arena, 0);
    sync_params_init(&params, &bridge->arena);
    sync_params_text(&params, call->key);
    sync_params_int4(&params, call->altinn2_id);
    sync_params_int4(&params, call->party_id);
    sync_params_text(&params, event_words[call->event]);
    sync_params_time(&params, call->time_us);
    sync_params_int4(&params, call->lost ? 0 : call->code);
    sync_params_int2(&params, (int16_t)call->applied);
    sync_params_text(&params, fault);
    sync_params_uuid(&params, &echo_party);
    sync_params_time(&params, echo_us);
    sync_params_int4(&params, sim->options.echo == SIM_ECHO_OFF ? 0 : call->applied);
    sync_params_int4(&params, (int32_t)(sync_random_next(&bridge->random) %
                                        ((uint64_t)(sim->options.reorder_seconds * 1000) + 1)));
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(bridge->db, &call_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    size_t index = 0;
    if (call->applied > 0 && sim_message_index(sim, call->altinn2_id, &index)) {
        static const unsigned char bits[] = {SIM_READ, SIM_CONFIRMED, SIM_DELETED};
        atomic_fetch_or(&sim->flags[index], bits[call->event]);
    }
    struct sim_counters *counters = &sim->counters;
    atomic_fetch_add(&counters->requests, 1);
    atomic_fetch_add(&counters->applied, call->applied > 0);
    atomic_fetch_add(&counters->applied_twice, call->applied > 1);
    atomic_fetch_add(&counters->unchanged,
                     call->applied > 0 && sync_result_int8(&result, 0, 1) == 0);
    atomic_fetch_add(&counters->reports, sync_result_int8(&result, 0, 2));
    return status;
}

/* What is not pushed yet is counted, not remembered: a transaction in doubt spoils a counter. */
static void tell_state(struct sim *sim, struct call *call)
{
    struct sync_error err = {0};
    SYNC_RESULT result = {0};
    if (sync_is_ok(sync_db_exec(sim->bridge->db, &pending_statement, NULL, &result, &err))) {
        answer_state(sim, call->request, sync_result_int8(&result, 0, 0));
    } else {
        sim_database_failed(sim, "state", &err);
        answer(sim, call->request, 503);
    }
    empty(sim->bridge, call);
}

/* Does what came in, one transaction each: a call that is answered has happened. */
static void work_off(struct sim *sim, struct call *call, int64_t now_us)
{
    struct sync_error err = {0};
    const char *fault = decide(sim, call, now_us);
    if (!sync_is_ok(journal(sim, call, fault, &err))) {
        sim_database_failed(sim, "bridge", &err);
        call->code = 503;
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
        answer(sim, request, call->code);
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
    bridge->db = sim_connect(sim, "altinn2-sim-bridge");
    while (bridge->db && !atomic_load(&sim->stopping)) {
        bool worked = false;
        for (size_t i = 0; i < CALLS_MAX; i++) {
            struct call *call = &bridge->calls[i];
            if (!is_taken(bridge, call)) {
                continue;
            }
            if (call->state) {
                tell_state(sim, call);
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
