/*
 * The batch job of Altinn 2: every few seconds it tells Altinn 3 what it has not told yet, message
 * by message, and repeats until the answer is 200. Not here: making up what to tell.
 */
#include "../simulator/push.h"
#include "sim.h"

#include <core/arena.h>
#include <runtime/http_client.h>
#include <runtime/json.h>
#include <runtime/log.h>
#include <runtime/time_text.h>
#include <stdlib.h>

#define PATH        "/correspondence/api/v1/migration/correspondence/syncStatusEvent"
#define REPORTS_MAX 2000 /* of one round */
#define CALLS_MAX   8
#define TIMEOUT_MS  15000 /* the receiver answers within 10 s */

/* One call: the reports first … first + count - 1 of the round. */
struct push_call {
    bool used;
    size_t first, count;
    char *body;
};

struct push_job {
    struct sim *sim;
    struct sync_db *db;
    struct simulator_push push;
    char url[1024 + sizeof PATH];
    struct sync_result round; /* reports by message, then number */
    struct push_call calls[CALLS_MAX];
    int64_t told[REPORTS_MAX]; /* numbers that were answered 200 and are not written yet */
    size_t told_count;
    struct sync_arena arena;
    uint8_t memory[128 * 1024];
};

static const struct sync_statement open_statement = {
    "sim_open",
    "SELECT * FROM (SELECT r.report_id, r.altinn2_id, r.kind, r.party_uuid, "
    "r.user_uuid, r.occurred_at, m.altinn3_id, m.migrated, r.due_at"
    "  FROM altinn2sim.report AS r JOIN altinn2sim.message AS m USING (altinn2_id)"
    " WHERE r.pushed_at IS NULL AND r.due_at <= now() ORDER BY r.due_at, r.report_id LIMIT $1) AS o"
    " ORDER BY o.altinn2_id, o.due_at, o.report_id"};
static const struct sync_statement told_statement = {
    "sim_told", "UPDATE altinn2sim.report SET pushed_at = now() WHERE report_id = ANY ($1) AND "
                "pushed_at IS NULL"};

/* Altinn 2 writes local time with seven digits. */
static void put_time(struct sync_json_writer *writer, int64_t time_us)
{
    char text[SYNC_TIME_BUFFER], local[SYNC_TIME_BUFFER + 8];
    sync_time_format(time_us + 3600 * 1000000LL, 6, text);
    text[strcspn(text, "Z")] = '\0';
    snprintf(local, sizeof local, "%s0+01:00", text);
    sync_json_put_text(writer, "statusChanged", local);
}

static void put_uuid(struct sync_json_writer *writer, const char *name, struct sync_uuid id)
{
    char text[SYNC_UUID_BUFFER];
    sync_uuid_format(&id, text);
    sync_json_put_text(writer, name, text);
}

static char *make_body(const struct push_job *job, size_t first, size_t count)
{
    const struct sync_result *round = &job->round;
    struct sync_json_writer writer;
    sync_json_writer_init(&writer);
    sync_json_open(&writer, NULL, '{');
    put_uuid(&writer, "correspondenceId", sync_result_uuid(round, (int)first, 6));
    if (!sync_result_bool(round, (int)first, 7)) {
        sync_json_put_integer(&writer, "altinn2CorrespondenceId",
                              sync_result_int4(round, (int)first, 1));
    }
    sync_json_open(&writer, "syncedStatusEvents", '[');
    for (size_t i = first; i < first + count; i++) {
        int row = (int)i;
        sync_json_open(&writer, NULL, '{');
        sync_json_put_integer(&writer, "status", sync_result_int4(round, row, 2));
        sync_json_put_text(&writer, "statusText", "");
        put_time(&writer, sync_result_time(round, row, 5));
        if (!sync_result_is_null(round, row, 4)) {
            put_uuid(&writer, "eventUserUuid", sync_result_uuid(round, row, 4));
        }
        put_uuid(&writer, "eventUserPartyUuid", sync_result_uuid(round, row, 3));
        sync_json_close(&writer, '}');
    }
    sync_json_close(&writer, ']');
    sync_json_close(&writer, '}');
    return sync_json_writer_take(&writer);
}

static sync_status read_round(struct push_job *job, struct sync_error *err)
{
    struct sync_params params;
    sync_result_done(&job->round);
    sync_arena_reset(&job->arena, 0);
    sync_params_init(&params, &job->arena);
    sync_params_int8(&params, REPORTS_MAX);
    return sync_db_exec(job->db, &open_statement, &params, &job->round, err);
}

static sync_status write_told(struct push_job *job, struct sync_error *err)
{
    struct sync_params params;
    sync_arena_reset(&job->arena, 0);
    sync_params_init(&params, &job->arena);
    sync_params_int8_array(&params, job->told, NULL, job->told_count);
    struct sync_result result = {0};
    sync_status status = job->told_count == 0
                             ? SYNC_OK
                             : sync_db_exec(job->db, &told_statement, &params, &result, err);
    if (sync_is_ok(status)) {
        atomic_fetch_add(&job->sim->counters.pushed, result.affected);
        job->told_count = 0;
    }
    sync_result_done(&result);
    return status;
}

/* Starts one call on the reports of the message that begins at first. Returns how many they are. */
static size_t start_call(struct push_job *job, struct push_call *call, size_t first)
{
    size_t count = 1;
    int32_t id = sync_result_int4(&job->round, (int)first, 1);
    while (first + count < (size_t)job->round.rows &&
           sync_result_int4(&job->round, (int)(first + count), 1) == id) {
        count++;
    }
    *call = (struct push_call){
        .used = true, .first = first, .count = count, .body = make_body(job, first, count)};
    struct sync_http_call request = {
        .url = job->url,
        .content_type = "application/json; charset=utf-8",
        .authorization = job->push.authorization[0] ? job->push.authorization : NULL,
        .body = call->body ? sync_bytes_text(call->body) : (struct sync_bytes){NULL, 0},
        .timeout_ms = TIMEOUT_MS,
        .reuse = true, /* the receiver takes repeats */
        .tag = call,
    };
    struct sync_error err = {0};
    if (!call->body || !sync_is_ok(sync_http_client_send(job->push.client, &request, &err))) {
        sync_log_error(SYNC_ERROR, "push_not_made", &err);
        free(call->body);
        call->used = false;
    }
    atomic_fetch_add(&job->sim->counters.push_calls, call->used);
    return count;
}

static void take_answer(struct push_job *job, const struct sync_http_answer_in *answer)
{
    struct push_call *call = answer->tag;
    bool told = !answer->failed && answer->code == 200;
    for (size_t i = 0; told && i < call->count; i++) {
        job->told[job->told_count++] = sync_result_int8(&job->round, (int)(call->first + i), 0);
    }
    if (!told) {
        atomic_fetch_add(&job->sim->counters.push_failed, 1);
        sync_log(SYNC_WARN, "push_refused", SYNC_LOG_NUMBER("code", answer->code),
                 SYNC_LOG_TEXT("error", answer->failed ? answer->text : ""));
    }
    free(call->body);
    call->used = false;
}

static struct push_call *free_call(struct push_job *job)
{
    for (size_t i = 0; i < CALLS_MAX; i++) {
        if (!job->calls[i].used) {
            return &job->calls[i];
        }
    }
    return NULL;
}

/* Tells everything of the round. Returns whether the round was full, so that more may wait. */
static bool run_round(void *context)
{
    struct push_job *job = context;
    struct sync_error err = {0};
    sync_status status = read_round(job, &err);
    size_t next = 0, rows = sync_is_ok(status) ? (size_t)job->round.rows : 0;
    while (next < rows || sync_http_client_in_flight(job->push.client) > 0) {
        struct push_call *call = free_call(job);
        if (next < rows && call && !atomic_load(&job->sim->common.stopping)) {
            next += start_call(job, call, next);
            continue;
        }
        struct sync_http_answer_in answers[CALLS_MAX];
        size_t count = sync_http_client_wait(job->push.client, 100, answers, CALLS_MAX);
        for (size_t i = 0; i < count; i++) {
            take_answer(job, &answers[i]);
        }
        if (atomic_load(&job->sim->common.stopping)) {
            next = rows;
        }
    }
    bool all = job->told_count == rows;
    status = sync_is_ok(status) ? write_told(job, &err) : status;
    if (!sync_is_ok(status)) {
        simulator_database_failed(&job->sim->common, "push", &err);
        job->told_count = 0;
    }
    return sync_is_ok(status) && all && rows == REPORTS_MAX;
}

void *sim_push(void *context)
{
    static struct push_job job;
    struct sync_error err = {0};
    job.sim = context;
    const struct sim_options *options = &job.sim->options;
    sync_arena_init(&job.arena, job.memory, sizeof job.memory);
    if (!sync_is_ok(simulator_push_open(&job.push, options->push_url, options->push_token_file,
                                        CALLS_MAX, &err))) {
        sync_log_error(SYNC_ERROR, "push_job", &err);
        return NULL;
    }
    (void)snprintf(job.url, sizeof job.url, "%s%s", job.push.base, PATH);
    job.db = simulator_connect(&job.sim->common, "altinn2-sim-push");
    if (job.db) {
        simulator_push_run(&job.sim->common, options->push_seconds, run_round, &job);
    }
    sync_result_done(&job.round);
    sync_http_client_free(&job.push.client);
    sync_db_free(&job.db);
    return NULL;
}
