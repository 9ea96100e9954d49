/*
 * The export of a service: its rules as they stand, row by row, by the calls of the batch job to a
 * path of their own, and how many they were. Where it stands is kept, so that a killed simulator
 * goes on. Not here: who orders it (bridge.c), which rows (schema.sql).
 */
#include "../simulator/push.h"
#include "sim.h"

#include <core/arena.h>
#include <runtime/http_client.h>
#include <runtime/json.h>
#include <runtime/log.h>
#include <stdlib.h>
#include <time.h>

#define ROWS_MAX   200 /* of one call */
#define PARTS_MAX  512
#define TIMEOUT_MS 15000
#define IDLE_MS    100

struct export_job {
    struct sim *sim;
    struct sync_db *db;
    struct simulator_push push;
    /* The export under way. */
    int64_t id, snapshot_pos, rows_sent;
    struct sync_uuid snapshot;
    char resource[128];
    int64_t granted_us; /* place: of the last row that was sent */
    int32_t from, to;
    bool cancelled; /* Altinn 3 wants no more of it */
    struct sync_arena arena;
    uint8_t memory[256 * 1024];
};

static const struct sync_statement next_statement = {
    "sim_export_next",
    "SELECT export_id, resource, snapshot, snapshot_pos, rows_sent, granted_at, from_party, "
    "to_party"
    " FROM altinn2delegations.export WHERE ended_at IS NULL ORDER BY export_id LIMIT 1"};
static const struct sync_statement rows_statement = {
    "sim_export_rows", "SELECT * FROM altinn2delegations.export_rows($1, $2, $3, $4, $5)"};
static const struct sync_statement exported_statement = {
    "sim_exported", "SELECT altinn2delegations.exported($1, $2, $3, $4, $5, $6, $7, $8, $9)"};
static const struct sync_statement ended_statement = {
    "sim_export_ended",
    "UPDATE altinn2delegations.export SET ended_at = clock_timestamp() WHERE export_id = $1"};

enum { ROW_AT, ROW_FROM, ROW_TO, ROW_PART, ROW_PARTS, ROW_NAMES };

static sync_status find_export(struct export_job *job, bool *ret_found, struct sync_error *err)
{
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(job->db, &next_statement, NULL, &result, err);
    *ret_found = sync_is_ok(status) && result.rows == 1;
    if (!*ret_found) {
        return status;
    }
    struct sync_bytes resource = sync_result_bytes(&result, 0, 1);
    job->id = sync_result_int8(&result, 0, 0);
    (void)snprintf(job->resource, sizeof job->resource, "%.*s", (int)resource.size,
                   (const char *)resource.data);
    job->snapshot = sync_result_uuid(&result, 0, 2);
    job->snapshot_pos = sync_result_int8(&result, 0, 3);
    job->rows_sent = sync_result_int8(&result, 0, 4);
    job->granted_us = sync_result_time(&result, 0, 5);
    job->from = sync_result_int4(&result, 0, 6);
    job->to = sync_result_int4(&result, 0, 7);
    return status;
}

static sync_status read_rows(struct export_job *job, struct sync_result *ret_rows,
                             struct sync_error *err)
{
    struct sync_params params;
    sync_arena_reset(&job->arena, 0);
    sync_params_init(&params, &job->arena);
    sync_params_text(&params, job->resource);
    sync_params_time(&params, job->granted_us);
    sync_params_int4(&params, job->from);
    sync_params_int4(&params, job->to);
    sync_params_int4(&params, ROWS_MAX);
    return sync_db_exec(job->db, &rows_statement, &params, ret_rows, err);
}

/* One call that is made until it succeeds; its answer is the caller's. False: we are to stop, or
 * the load was cancelled. */
static bool call_until_done(struct export_job *job, const char *path, const char *body, int code,
                            char **ret_answer)
{
    char url[1536], snapshot[SYNC_UUID_BUFFER];
    sync_uuid_format(&job->snapshot, snapshot);
    (void)snprintf(url, sizeof url, "%s/export/%s/%lld%s", job->push.base, snapshot,
                   (long long)job->snapshot_pos, path);
    while (!atomic_load(&job->sim->common.stopping)) {
        struct sync_http_call request = {
            .url = url,
            .content_type = "application/json",
            .authorization = job->push.authorization[0] ? job->push.authorization : NULL,
            .body = sync_bytes_text(body),
            .timeout_ms = TIMEOUT_MS,
            .reuse = true,
            .keep_answer = true,
        };
        struct sync_error err = {0};
        struct sync_http_answer_in answer = {.failed = true};
        bool sent = sync_is_ok(sync_http_client_send(job->push.client, &request, &err));
        while (sent && sync_http_client_wait(job->push.client, 100, &answer, 1) == 0) {
        }
        if (!answer.failed && answer.code == code) {
            *ret_answer = answer.body;
            return true;
        }
        free(answer.body);
        job->cancelled = !answer.failed && answer.code == 410;
        if (job->cancelled) {
            return false;
        }
        sync_log(SYNC_WARN, "export_refused", SYNC_LOG_NUMBER("code", answer.code),
                 SYNC_LOG_TEXT("answer", answer.text));
        nanosleep(&(struct timespec){.tv_nsec = IDLE_MS * 1000000L}, NULL);
    }
    return false;
}

/* Whether an earlier row of the page has the same parties. */
static bool is_repeat(const struct sync_result *rows, int row)
{
    for (int i = 0; i < row; i++) {
        if (sync_result_int4(rows, i, ROW_FROM) == sync_result_int4(rows, row, ROW_FROM) &&
            sync_result_int4(rows, i, ROW_TO) == sync_result_int4(rows, row, ROW_TO)) {
            return true;
        }
    }
    return false;
}

/* How many rows make one call: it joins what has the same parties, so each pair once. */
static int rows_of_call(const struct sync_result *rows)
{
    int count = 0, parts = 0;
    while (count < rows->rows && !is_repeat(rows, count)) {
        parts += sync_result_int4(rows, count, ROW_PARTS);
        if (parts > PARTS_MAX && count > 0) {
            break;
        }
        count++;
    }
    return count;
}

static char *make_body(const struct sync_result *rows, int count)
{
    size_t size = 3, used = 0;
    for (int row = 0; row < count; row++) {
        size += sync_result_bytes(rows, row, ROW_PART).size + 1;
    }
    char *body = malloc(size);
    SYNC_ASSERT(body);
    for (int row = 0; row < count; row++) {
        struct sync_bytes part = sync_result_bytes(rows, row, ROW_PART);
        body[used++] = row == 0 ? '[' : ',';
        memcpy(body + used, part.data, part.size);
        used += part.size;
    }
    memcpy(body + used, "]", 2);
    return body;
}

static void free_json(struct sync_json **json)
{
    sync_json_free(json);
}

struct given_ids {
    int32_t from[PARTS_MAX], to[PARTS_MAX];
    struct sync_bytes name[PARTS_MAX], id[PARTS_MAX];
    size_t count;
};

/* The ids in the order of the rules that were sent; a row has its names joined by commas. */
static void take_ids(const struct sync_result *rows, int count, const struct sync_json *answer,
                     struct given_ids *ret_ids)
{
    ret_ids->count = 0;
    for (int row = 0; row < count; row++) {
        struct sync_bytes left = sync_result_bytes(rows, row, ROW_NAMES);
        while (left.size > 0 && ret_ids->count < PARTS_MAX) {
            const uint8_t *comma = memchr(left.data, ',', left.size);
            size_t size = comma ? (size_t)(comma - left.data) : left.size;
            size_t at = ret_ids->count;
            ret_ids->id[at] = sync_json_text(sync_json_get(sync_json_at(answer, at), "ruleId"));
            ret_ids->name[at] = (struct sync_bytes){left.data, size};
            ret_ids->from[at] = sync_result_int4(rows, row, ROW_FROM);
            ret_ids->to[at] = sync_result_int4(rows, row, ROW_TO);
            ret_ids->count += ret_ids->id[at].size > 0;
            left.data += size + (comma != NULL);
            left.size -= size + (comma != NULL);
            if (ret_ids->count == at) {
                return; /* an answer without ids: the rules stay without */
            }
        }
    }
}

static sync_status write_place(struct export_job *job, const struct sync_result *rows, int count,
                               const char *answer, struct sync_error *err)
{
    static struct given_ids ids;
    __attribute__((cleanup(free_json))) struct sync_json *root = NULL;
    struct sync_params params;
    (void)sync_json_parse(sync_bytes_text(answer), &root, err); /* none: no ids */
    take_ids(rows, count, root, &ids);
    sync_arena_reset(&job->arena, 0);
    sync_params_init(&params, &job->arena);
    sync_params_int8(&params, job->id);
    sync_params_int4(&params, count);
    sync_params_time(&params, sync_result_time(rows, count - 1, ROW_AT));
    sync_params_int4(&params, sync_result_int4(rows, count - 1, ROW_FROM));
    sync_params_int4(&params, sync_result_int4(rows, count - 1, ROW_TO));
    sync_params_int4_array(&params, ids.from, NULL, ids.count);
    sync_params_int4_array(&params, ids.to, NULL, ids.count);
    sync_params_text_array(&params, ids.name, ids.count);
    sync_params_text_array(&params, ids.id, ids.count);
    atomic_fetch_add(&job->sim->counters.exported, count);
    return sync_db_exec(job->db, &exported_statement, &params, NULL, err);
}

static sync_status write_end(struct export_job *job, struct sync_error *err)
{
    struct sync_params params;
    sync_arena_reset(&job->arena, 0);
    sync_params_init(&params, &job->arena);
    sync_params_int8(&params, job->id);
    return sync_db_exec(job->db, &ended_statement, &params, NULL, err);
}

static sync_status send_end(struct export_job *job, struct sync_error *err)
{
    char body[256];
    char *answer = NULL;
    (void)snprintf(body, sizeof body, "{\"resource\":\"%s\",\"count\":%lld}", job->resource,
                   (long long)job->rows_sent);
    if (!call_until_done(job, "/end", body, 200, &answer)) {
        return SYNC_OK;
    }
    free(answer);
    return write_end(job, err);
}

/* One call of the export that is under way. */
static sync_status step(struct export_job *job, struct sync_error *err)
{
    SYNC_RESULT rows = {0};
    sync_status status = read_rows(job, &rows, err);
    if (!sync_is_ok(status) || rows.rows == 0) {
        return sync_is_ok(status) ? send_end(job, err) : status;
    }
    int count = rows_of_call(&rows);
    char *body = make_body(&rows, count), *answer = NULL;
    if (call_until_done(job, "/accessmanagement/api/v1/delegations/addrules", body, 201, &answer)) {
        status = write_place(job, &rows, count, answer ? answer : "", err);
    }
    free(answer);
    free(body);
    return status;
}

void *sim_export(void *context)
{
    static struct export_job job;
    struct sync_error err = {0};
    job.sim = context;
    const struct sim_options *options = &job.sim->options;
    sync_arena_init(&job.arena, job.memory, sizeof job.memory);
    if (!sync_is_ok(
            simulator_push_open(&job.push, options->push_url, options->push_token_file, 1, &err))) {
        sync_log_error(SYNC_ERROR, "export_job", &err);
        return NULL;
    }
    job.db = simulator_connect(&job.sim->common, "altinn2-delegation-sim-export");
    while (job.db && !atomic_load(&job.sim->common.stopping)) {
        bool found = false;
        sync_status status = find_export(&job, &found, &err);
        job.cancelled = false;
        status = sync_is_ok(status) && found ? step(&job, &err) : status;
        status = sync_is_ok(status) && job.cancelled ? write_end(&job, &err) : status;
        if (!sync_is_ok(status)) {
            simulator_database_failed(&job.sim->common, "export", &err);
        } else if (!found) {
            nanosleep(&(struct timespec){.tv_nsec = IDLE_MS * 1000000L}, NULL);
        }
    }
    sync_http_client_free(&job.push.client);
    sync_db_free(&job.db);
    return NULL;
}
