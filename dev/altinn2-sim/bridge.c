/*
 * The bridge into this Altinn 2: takes read, confirm and delete of one message, raises the flag,
 * journals the call and what changed, queues the echo. Faults of the file happen here. Not here:
 * the push job.
 */
#include "sim.h"

#include <core/arena.h>
#include <runtime/breaker.h>
#include <runtime/json.h>
#include <runtime/time_text.h>
#include <stdlib.h>

#define PATH "/storage/api/v1/sblbridge/synccorrespondenceevent"

static const char *const event_words[] = {"read", "confirm", "delete"};

struct call {
    struct simulator_call common;
    int32_t altinn2_id, party_id;
    int event; /* index of event_words */
    int64_t time_us;
    char key[64];
    bool state; /* not a call: GET /sim/state */
};

struct sim_bridge {
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
    sync_json_put_bool(writer, "acting", atomic_load(&sim->common.acting));
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
    sync_json_put_integer(writer, "lost_answers", atomic_load(&sim->calls.lost));
}

void sim_handle(struct sync_http_request *request, void *context)
{
    struct sim *sim = context;
    if (strcmp(request->path, "/sim/state") == 0 && strcmp(request->method, "GET") == 0) {
        struct call state = {.common = {.request = request, .is_uncounted = true}, .state = true};
        if (!simulator_calls_keep(&sim->calls, &state.common)) {
            simulator_calls_answer(&sim->calls, request, 503, NULL);
        }
        return;
    }
    if (strcmp(request->path, PATH) != 0) {
        simulator_calls_answer(&sim->calls, request, 404, NULL);
        return;
    }
    struct call call = {.common = {.request = request}};
    const char *key = sync_http_request_header(request, "Idempotency-Key");
    snprintf(call.key, sizeof call.key, "%s", key ? key : "");
    if (strcmp(request->method, "POST") != 0) {
        simulator_calls_answer(&sim->calls, request, 405, NULL);
    } else if (!read_call(request->body, &call)) {
        simulator_calls_answer(&sim->calls, request, 400, NULL);
    } else if (!simulator_calls_keep(&sim->calls, &call.common)) {
        simulator_calls_answer(&sim->calls, request, 503, NULL);
    }
}

/* Bridge thread. */

/* The echo names another second or party where the options say so. */
static void shape_echo(struct sim *sim, const struct call *call, struct sync_uuid *ret_party,
                       int64_t *ret_time_us)
{
    enum sim_echo echo = sim->options.echo;
    if (echo == SIM_ECHO_MIX) {
        echo = SIM_ECHO_EXACT + (enum sim_echo)(sync_random_next(&sim->calls.random) % 4);
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
    sync_params_int4(&params, call->common.is_lost ? 0 : call->common.code);
    sync_params_int2(&params, (int16_t)call->common.applied);
    sync_params_text(&params, fault);
    sync_params_uuid(&params, &echo_party);
    sync_params_time(&params, echo_us);
    sync_params_int4(&params, sim->options.echo == SIM_ECHO_OFF ? 0 : call->common.applied);
    sync_params_int4(&params, (int32_t)(sync_random_next(&sim->calls.random) %
                                        ((uint64_t)(sim->options.reorder_seconds * 1000) + 1)));
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(bridge->db, &call_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    size_t index = 0;
    if (call->common.applied > 0 && sim_message_index(sim, call->altinn2_id, &index)) {
        static const unsigned char bits[] = {SIM_READ, SIM_CONFIRMED, SIM_DELETED};
        atomic_fetch_or(&sim->flags[index], bits[call->event]);
    }
    struct sim_counters *counters = &sim->counters;
    atomic_fetch_add(&counters->requests, 1);
    atomic_fetch_add(&counters->applied, call->common.applied > 0);
    atomic_fetch_add(&counters->applied_twice, call->common.applied > 1);
    atomic_fetch_add(&counters->unchanged,
                     call->common.applied > 0 && sync_result_int8(&result, 0, 1) == 0);
    atomic_fetch_add(&counters->reports, sync_result_int8(&result, 0, 2));
    return status;
}

/* What is not pushed yet is counted, not remembered: a transaction in doubt spoils a counter. */
static sync_status tell_state(struct sim *sim, struct simulator_call *call, struct sync_error *err)
{
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(sim->bridge->db, &pending_statement, NULL, &result, err);
    if (sync_is_ok(status)) {
        struct sync_json_writer writer;
        sync_json_writer_init(&writer);
        sync_json_open(&writer, NULL, '{');
        put_counters(sim, sync_result_int8(&result, 0, 0), &writer);
        simulator_calls_put(&sim->calls, &writer);
        sync_json_close(&writer, '}');
        call->text = sync_json_writer_take(&writer);
        call->code = 200;
    }
    return status;
}

/* Does what came in, one transaction each: a call that is answered has happened. */
static void work(void *context, struct simulator_call *common)
{
    struct sim *sim = context;
    struct call *call = (struct call *)common;
    struct sync_error err = {0};
    sync_status status = SYNC_OK;
    if (call->state) {
        status = tell_state(sim, common, &err);
    } else {
        size_t index = 0;
        common->code = sim_message_index(sim, call->altinn2_id, &index) ? 200 : 404;
        common->applied = common->code == 200;
        const char *fault = simulator_calls_hit(&sim->calls, &sim->faults, common);
        status = journal(sim, call, fault, &err);
    }
    if (!sync_is_ok(status)) {
        simulator_database_failed(&sim->common, call->state ? "state" : "bridge", &err);
        common->code = 503;
        common->is_lost = false;
    }
}

void *sim_answer(void *context)
{
    struct sim *sim = context;
    sim->bridge->db = simulator_connect(&sim->common, "altinn2-sim-bridge");
    if (sim->bridge->db) {
        simulator_calls_run(&sim->calls, work, sim);
    }
    simulator_calls_end(&sim->calls);
    sync_db_free(&sim->bridge->db);
    return NULL;
}
