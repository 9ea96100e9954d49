/*
 * The batch job of Altinn 2: every few seconds it tells Altinn 3 what happened to rights of
 * services and to single messages, by the calls that it makes today, and repeats until it hears
 * success. One key is told one report at a time. Not here: what to tell (schema.sql), roles
 * (bridge.c).
 */
#include "../simulator/push.h"
#include "sim.h"

#include <core/arena.h>
#include <runtime/breaker.h>
#include <runtime/http_client.h>
#include <runtime/json.h>
#include <runtime/log.h>
#include <stdlib.h>

#define REPORTS_MAX 1000 /* of one round */
#define LANES_SIZE  4096 /* places for their keys: a power of two, mostly empty */
#define CALLS_MAX   8    /* in flight */
#define CALL_PARTS  50   /* rules, or elements, of one call */
#define TIMEOUT_MS  15000

/* What one call can do; the order is that of columns kind and op of a report. */
enum push_sort { PUSH_ADD, PUSH_DELETE, PUSH_CLEAR, PUSH_MESSAGE, PUSH_UNMESSAGE, PUSH_SORTS };
static const struct {
    const char *path;
    int code; /* of success; 206 is some of it */
    bool array;
} sorts[PUSH_SORTS] = {
    [PUSH_ADD] = {"/accessmanagement/api/v1/delegations/addrules", 201, true},
    [PUSH_DELETE] = {"/accessmanagement/api/v1/delegations/deleterules", 200, true},
    [PUSH_CLEAR] = {"/accessmanagement/api/v1/delegations/deletepolicy", 200, true},
    [PUSH_MESSAGE] = {"/accessmanagement/api/v1/internal-a2/instance/delegation", 201, false},
    [PUSH_UNMESSAGE] = {"/accessmanagement/api/v1/internal-a2/instance/revoke", 204, false},
};

/* One call: rows of the round by number. */
struct push_call {
    bool used, repeat;
    enum push_sort sort;
    int rows[CALL_PARTS];
    size_t count, parts;
    char *body;
};

struct push_job {
    struct sim *sim;
    struct sync_db *db;
    struct simulator_push push;
    uint64_t random;
    struct sync_result round;
    uint64_t lanes[LANES_SIZE]; /* hashes of keys that the round has seen; 0 = empty */
    bool passed[REPORTS_MAX];   /* rows that are in a call, or not for this round */
    int next;
    struct push_call calls[CALLS_MAX];
    /* What was told and is not written yet. */
    int64_t told[REPORTS_MAX];
    size_t told_count;
    int64_t id_reports[CALLS_MAX * CALL_PARTS];
    int32_t id_places[CALLS_MAX * CALL_PARTS];
    char id_texts[CALLS_MAX * CALL_PARTS][40];
    size_t id_count;
    struct sync_arena arena;
    uint8_t memory[256 * 1024];
};

enum {
    COLUMN_REPORT,
    COLUMN_LANE,
    COLUMN_KIND,
    COLUMN_OP,
    COLUMN_PART,
    COLUMN_PARTS,
    COLUMN_READY,
    COLUMN_EXPORTING
};

static const struct sync_statement open_statement = {
    "sim_open", "SELECT o.*, EXISTS (SELECT FROM altinn2delegations.export WHERE ended_at IS NULL)"
                " FROM altinn2delegations.open_reports($1, $2, $3) AS o"};
static const struct sync_statement told_statement = {
    "sim_told", "SELECT altinn2delegations.told($1, $2, $3, $4)"};

/* Whether an earlier report of the same key is in this round: this one then waits for the next. */
static bool lane_is_taken(struct push_job *job, int row)
{
    struct sync_bytes lane = sync_result_bytes(&job->round, row, COLUMN_LANE);
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < lane.size; i++) {
        hash = (hash ^ lane.data[i]) * 0x100000001b3ULL;
    }
    hash = hash == 0 ? 1 : hash;
    size_t at = hash % LANES_SIZE;
    while (job->lanes[at] != 0 && job->lanes[at] != hash) {
        at = (at + 1) % LANES_SIZE;
    }
    bool taken = job->lanes[at] == hash;
    job->lanes[at] = hash;
    return taken;
}

static enum push_sort sort_of(const struct push_job *job, int row)
{
    int32_t op = sync_result_int4(&job->round, row, COLUMN_OP);
    if (sync_result_int4(&job->round, row, COLUMN_KIND) == DELEGATIONS_INSTANCE) {
        return op == 0 ? PUSH_MESSAGE : PUSH_UNMESSAGE;
    }
    return op == 0 ? PUSH_ADD : op == 1 ? PUSH_DELETE : PUSH_CLEAR;
}

/*
 * A revoke of rules whose ids Altinn 3 never gave, as it was never told of them: nothing is to be
 * told. While an export runs the ids may still come.
 */
static bool waits_for_ids(struct push_job *job, int row)
{
    if (sync_result_bool(&job->round, row, COLUMN_READY)) {
        return false;
    }
    if (!sync_result_bool(&job->round, row, COLUMN_EXPORTING)) {
        job->told[job->told_count++] = sync_result_int8(&job->round, row, COLUMN_REPORT);
    }
    return true;
}

static sync_status read_round(struct push_job *job, struct sync_error *err)
{
    struct sync_params params;
    sync_arena_reset(&job->arena, 0);
    sync_params_init(&params, &job->arena);
    SYNC_ASSERT(sync_http_client_in_flight(job->push.client) == 0);
    sync_params_int4(&params, REPORTS_MAX);
    sync_params_int4(&params, job->sim->options.own_user_id);
    sync_params_uuid(&params, &job->sim->options.own_party);
    sync_result_done(&job->round);
    memset(job->lanes, 0, sizeof job->lanes);
    job->next = 0;
    sync_status status = sync_db_exec(job->db, &open_statement, &params, &job->round, err);
    for (int row = 0; sync_is_ok(status) && row < job->round.rows; row++) {
        job->passed[row] = lane_is_taken(job, row) || waits_for_ids(job, row);
    }
    return status;
}

/* The next rows that fit into one call, in their order; false when nothing is left to do. */
static bool fill_call(struct push_job *job, struct push_call *call)
{
    *call = (struct push_call){.used = false};
    while (job->next < job->round.rows && job->passed[job->next]) {
        job->next++;
    }
    for (int row = job->next; row < job->round.rows && call->count < CALL_PARTS; row++) {
        if (job->passed[row]) {
            continue;
        }
        enum push_sort sort = sort_of(job, row);
        size_t parts = (size_t)sync_result_int4(&job->round, row, COLUMN_PARTS);
        call->sort = call->count == 0 ? sort : call->sort;
        if (sort != call->sort || (call->count > 0 && call->parts + parts > CALL_PARTS)) {
            continue;
        }
        call->rows[call->count++] = row;
        call->parts += parts;
        job->passed[row] = true;
        if (!sorts[sort].array) {
            break;
        }
    }
    call->used = call->count > 0;
    return call->used;
}

static bool make_body(struct push_job *job, struct push_call *call)
{
    size_t size = 3;
    for (size_t i = 0; i < call->count; i++) {
        size += sync_result_bytes(&job->round, call->rows[i], COLUMN_PART).size + 1;
    }
    call->body = malloc(size);
    if (!call->body) {
        return false;
    }
    char *at = call->body;
    for (size_t i = 0; i < call->count; i++) {
        struct sync_bytes part = sync_result_bytes(&job->round, call->rows[i], COLUMN_PART);
        *at = i > 0 ? ',' : '[';
        at += i > 0 || sorts[call->sort].array;
        memcpy(at, part.data, part.size);
        at += part.size;
    }
    memcpy(at, sorts[call->sort].array ? "]" : "", sorts[call->sort].array ? 2 : 1);
    return true;
}

static void end_call(struct push_call *call)
{
    free(call->body);
    *call = (struct push_call){.used = false};
}

static void send_call(struct push_job *job, struct push_call *call)
{
    char url[1280];
    struct sync_error err = {0};
    (void)snprintf(url, sizeof url, "%s%s", job->push.base, sorts[call->sort].path);
    struct sync_http_call request = {
        .url = url,
        .content_type = "application/json",
        .authorization = job->push.authorization[0] ? job->push.authorization : NULL,
        .body = sync_bytes_text(call->body),
        .timeout_ms = TIMEOUT_MS,
        .reuse = true, /* the receiver takes repeats */
        .keep_answer = true,
        .tag = call,
    };
    if (!sync_is_ok(sync_http_client_send(job->push.client, &request, &err))) {
        sync_log_error(SYNC_ERROR, "push_not_made", &err);
        end_call(call);
        return;
    }
    atomic_fetch_add(&job->sim->counters.push_calls, 1);
}

static void free_json(struct sync_json **json)
{
    sync_json_free(json);
}

/* The ids that Altinn 3 gave, in the order of the rules that were sent. */
static bool take_ids(struct push_job *job, const struct push_call *call, const char *body)
{
    __attribute__((cleanup(free_json))) struct sync_json *root = NULL;
    struct sync_error err;
    if (!body || !sync_is_ok(sync_json_parse(sync_bytes_text(body), &root, &err)) ||
        sync_json_count(root) != call->parts) {
        return false;
    }
    size_t element = 0;
    for (size_t i = 0; i < call->count; i++) {
        int32_t places = sync_result_int4(&job->round, call->rows[i], COLUMN_PARTS);
        for (int32_t place = 1; place <= places; place++, element++) {
            struct sync_bytes id =
                sync_json_text(sync_json_get(sync_json_at(root, element), "ruleId"));
            if (id.size == 0 || id.size >= sizeof job->id_texts[0]) {
                return false;
            }
            memcpy(job->id_texts[job->id_count], id.data, id.size + 1);
            job->id_reports[job->id_count] =
                sync_result_int8(&job->round, call->rows[i], COLUMN_REPORT);
            job->id_places[job->id_count++] = place;
        }
    }
    return true;
}

static sync_status write_told(struct push_job *job, struct sync_error *err)
{
    struct sync_params params;
    if (job->told_count == 0) {
        return SYNC_OK;
    }
    sync_arena_reset(&job->arena, 0);
    struct sync_bytes *texts = sync_arena_take_array(&job->arena, job->id_count + 1, sizeof *texts);
    SYNC_ASSERT(texts);
    for (size_t i = 0; i < job->id_count; i++) {
        texts[i] = sync_bytes_text(job->id_texts[i]);
    }
    sync_params_init(&params, &job->arena);
    sync_params_int8_array(&params, job->told, NULL, job->told_count);
    sync_params_int8_array(&params, job->id_reports, NULL, job->id_count);
    sync_params_int4_array(&params, job->id_places, NULL, job->id_count);
    sync_params_text_array(&params, texts, job->id_count);
    sync_status status = sync_db_exec(job->db, &told_statement, &params, NULL, err);
    job->told_count = 0;
    job->id_count = 0;
    return status;
}

static void take_answer(struct push_job *job, struct sync_http_answer_in *answer)
{
    struct push_call *call = answer->tag;
    bool good = !answer->failed && (answer->code == sorts[call->sort].code || answer->code == 206);
    good = good && (call->sort != PUSH_ADD || call->repeat || take_ids(job, call, answer->body));
    free(answer->body);
    if (!good && !call->repeat) {
        atomic_fetch_add(&job->sim->counters.push_failed, 1);
        sync_log(SYNC_WARN, "push_refused", SYNC_LOG_TEXT("path", sorts[call->sort].path),
                 SYNC_LOG_NUMBER("code", answer->code), SYNC_LOG_TEXT("answer", answer->text));
        end_call(call);
        return;
    }
    double lot = (double)(sync_random_next(&job->random) % 100000) / 1000;
    if (!call->repeat && lot < job->sim->options.repeat_percent) {
        call->repeat = true; /* the same call once more, before anything else of its keys */
        atomic_fetch_add(&job->sim->counters.repeated, 1);
        send_call(job, call);
        return;
    }
    for (size_t i = 0; i < call->count; i++) {
        job->told[job->told_count++] = sync_result_int8(&job->round, call->rows[i], COLUMN_REPORT);
    }
    end_call(call);
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

/* Starts calls while there is room. Returns whether some rows are left. */
static bool start_calls(struct push_job *job)
{
    struct push_call *call;
    while ((call = free_call(job)) != NULL) {
        if (atomic_load(&job->sim->common.stopping) || !fill_call(job, call)) {
            return false;
        }
        if (make_body(job, call)) {
            send_call(job, call);
        } else {
            end_call(call);
        }
    }
    return true;
}

/*
 * Tells everything of the round. Returns whether it got on and more may wait. Calls name rows of
 * the round, so none may outlive it: also without a database, what is under way is waited for.
 */
static bool run_round(void *context)
{
    struct push_job *job = context;
    struct sync_error err = {0};
    sync_status status = read_round(job, &err);
    size_t told = 0;
    bool left = sync_is_ok(status) && job->round.rows > 0;
    while (left || sync_http_client_in_flight(job->push.client) > 0) {
        left = left && sync_is_ok(status) && start_calls(job);
        struct sync_http_answer_in answers[CALLS_MAX];
        size_t count = sync_http_client_wait(job->push.client, 100, answers, CALLS_MAX);
        for (size_t i = 0; i < count; i++) {
            take_answer(job, &answers[i]);
        }
        told += job->told_count;
        status = sync_is_ok(status) ? write_told(job, &err) : status;
    }
    job->told_count = job->id_count = 0; /* what could not be written is told again */
    if (!sync_is_ok(status)) {
        simulator_database_failed(&job->sim->common, "push", &err);
    }
    return sync_is_ok(status) && told > 0;
}

void *sim_push(void *context)
{
    static struct push_job job;
    struct sync_error err = {0};
    job.sim = context;
    const struct sim_options *options = &job.sim->options;
    job.random = options->seed ^ 0x70757368ULL;
    sync_arena_init(&job.arena, job.memory, sizeof job.memory);
    if (!sync_is_ok(simulator_push_open(&job.push, options->push_url, options->push_token_file,
                                        CALLS_MAX, &err))) {
        sync_log_error(SYNC_ERROR, "push_job", &err);
        return NULL;
    }
    job.db = simulator_connect(&job.sim->common, "altinn2-delegation-sim-push");
    if (job.db) {
        simulator_push_run(&job.sim->common, options->push_seconds, run_round, &job);
    }
    sync_result_done(&job.round);
    sync_http_client_free(&job.push.client);
    sync_db_free(&job.db);
    return NULL;
}
