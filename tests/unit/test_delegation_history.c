/*
 * Shows that Altinn 3's history stays whole whatever we write beside it: a thread gives and takes
 * rights by SQL as the application does, while events of both sides go through the store; at the
 * end the spans of every row follow one another without gap or overlap, a row that is gone was
 * deleted by somebody once, and Altinn 3 shows what is effective. Random; the seed is printed and
 * taken back from SYNC_SEED, the interleaving is the machine's. Needs SYNC_TEST_DSN.
 */
#include "../../src/runtime/breaker.h"
#include "delegation_database.h"

#include <inttypes.h>
#include <pthread.h>
#include <time.h>

#define ACTS        120 /* of the application; SYNC_SIZE=proof: ten times as many */
#define AHEAD       3   /* acts whose event was not told yet */
#define EVENTS_MAX  4096
#define TRIES_MAX   200 /* of one batch that the application came in between */
#define RIGHTHOLDER "'" AUTHORIZATION_ROLE_RIGHTHOLDER "'"

/* One act of the application, as its event will tell it. */
struct act {
    char added[32], removed[32];
    bool gone;
    int receiver, resource;
    int64_t at_us, position;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t told;
    struct act items[EVENTS_MAX];
    size_t first, count; /* first: the next one that is told */
    size_t wanted;
    bool failed, ended;
    struct sync_error err;
    struct sync_db *db;
} acts = {.lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER};

static uint64_t seed, act_seed;
static int64_t next_rule; /* number of Altinn 2's events */
static size_t repeated;   /* batches that were rolled back and came again */

static const struct sync_uuid *const receivers[] = {&world_k, &world_g};
/* The application leaves the last one to Altinn 2. */
static const char *const resources[] = {SERVICE_TARGET, "app_skd_mva", MESSAGES_TARGET};

static size_t below(uint64_t *state, size_t most)
{
    return (size_t)(sync_random_next(state) % most);
}

/* The application: one right of one pair, in one transaction. It gives way when a row is newer than
 * its transaction, as we do (DL-102). */
static void make_application(void)
{
    run_sql(
        "CREATE FUNCTION public.act(giver uuid, receiver uuid, res uuid, wanted text[], sys uuid,"
        " doc text) RETURNS TABLE (added text, removed text, gone bool, at timestamptz, pos int8)"
        " LANGUAGE plpgsql SET search_path = sync, public AS $$ DECLARE parent uuid; old record;"
        " BEGIN PERFORM set_config('app.changed_by', giver::text, true),"
        "  set_config('app.changed_by_system', sys::text, true),"
        "  set_config('app.change_operation_id', 'op', true);"
        " SELECT a.id INTO parent FROM dbo.assignment a WHERE a.fromid = giver"
        "  AND a.toid = receiver AND a.roleid = " RIGHTHOLDER " FOR KEY SHARE;"
        " SELECT c.id, c.audit_validfrom AS since, d.actions INTO old FROM dbo.assignmentresource c"
        "  JOIN sync.policy_document d ON d.path = c.policypath AND d.version = c.policyversion"
        "  WHERE c.assignmentid = parent AND c.resourceid = res FOR UPDATE OF c;"
        " IF old.since >= now() OR old.actions IS NOT DISTINCT FROM wanted THEN RETURN; END IF;"
        " IF wanted IS NULL THEN DELETE FROM dbo.assignmentresource WHERE id = old.id;"
        " ELSE INSERT INTO sync.policy_document VALUES (doc, '1', wanted, NULL);"
        "  IF old.id IS NOT NULL THEN UPDATE dbo.assignmentresource SET policypath = doc,"
        "   policyversion = '1', audit_changedby = giver, audit_changedbysystem = sys,"
        "   audit_changeoperation = 'op', audit_validfrom = now() WHERE id = old.id;"
        "  ELSE IF parent IS NULL THEN INSERT INTO dbo.assignment (id, fromid, toid, roleid,"
        "    audit_validfrom) VALUES (gen_random_uuid(), giver, receiver, " RIGHTHOLDER ", now())"
        "    ON CONFLICT DO NOTHING RETURNING id INTO parent;"
        "    IF parent IS NULL THEN RETURN; END IF; END IF;"
        "   INSERT INTO dbo.assignmentresource (id, assignmentid, resourceid, policypath,"
        "    policyversion, audit_validfrom) VALUES (gen_random_uuid(), parent, res, doc, '1',"
        "    now()) ON CONFLICT DO NOTHING; IF NOT FOUND THEN RETURN; END IF; END IF; END IF;"
        " RETURN QUERY SELECT coalesce((SELECT string_agg(w, ',') FROM unnest(wanted) w"
        "   WHERE w <> ALL (coalesce(old.actions, '{}'))), ''),"
        "  coalesce((SELECT string_agg(o, ',') FROM unnest(old.actions) o"
        "   WHERE o <> ALL (wanted)), ''), wanted IS NULL, now(),"
        "  (pg_current_wal_insert_lsn() - '0/0')::int8; END $$");
}

static void keep_text(const struct sync_result *result, int column, char ret_text[static 32])
{
    struct sync_bytes text = sync_result_bytes(result, 0, column);
    (void)snprintf(ret_text, 32, "%.*s", (int)text.size,
                   text.size == 0 ? "" : (const char *)text.data);
}

/* An act and its place in the order of events, so that a mark of the position promises no more than
 * was told. */
static sync_status act_once(int number, uint8_t *memory, size_t size)
{
    static const struct sync_statement statement = {
        "act", "SELECT added, removed, gone, at, pos FROM public.act($1, $2, md5($3::text)::uuid,"
               " $4::text[], $5, $6)"};
    static const char *const wishes[] = {NULL, "{read}", "{read,write}", NULL};
    struct sync_uuid system;
    char document[32];
    struct sync_arena arena;
    struct sync_params params;
    SYNC_RESULT result = {0};
    struct act act = {.receiver = (int)below(&act_seed, 2), .resource = (int)below(&act_seed, 2)};
    const char *wish = wishes[below(&act_seed, 4)];
    (void)snprintf(document, sizeof document, "a3-%d", number);
    (void)sync_uuid_parse(sync_bytes_text(AUTHORIZATION_SYSTEM_END_USER_API), &system);
    sync_arena_init(&arena, memory, size);
    sync_params_init(&params, &arena);
    sync_params_uuid(&params, &world_f);
    sync_params_uuid(&params, receivers[act.receiver]);
    sync_params_text(&params, resources[act.resource]);
    sync_params_text(&params, wish);
    sync_params_uuid(&params, &system);
    sync_params_text(&params, document);
    sync_status status = sync_db_exec(acts.db, &statement, &params, &result, &acts.err);
    if (sync_is_ok(status) && result.rows == 1) {
        keep_text(&result, 0, act.added);
        keep_text(&result, 1, act.removed);
        act.gone = sync_result_bool(&result, 0, 2);
        act.at_us = sync_result_time(&result, 0, 3);
        act.position = sync_result_int8(&result, 0, 4);
        acts.items[acts.count++] = act;
    }
    return status;
}

static void *application(void *unused)
{
    static uint8_t memory[4096];
    (void)unused;
    for (size_t i = 0; i < acts.wanted && !acts.failed; i++) {
        (void)pthread_mutex_lock(&acts.lock);
        while (acts.count - acts.first >= AHEAD) {
            (void)pthread_cond_wait(&acts.told, &acts.lock);
        }
        sync_status status = act_once((int)i, memory, sizeof memory);
        /* A deadlock or a lock that took too long: the application tries again. */
        acts.failed = status.class != SYNC_CLASS_OK && status.class != SYNC_CLASS_RETRY;
        (void)pthread_mutex_unlock(&acts.lock);
    }
    (void)pthread_mutex_lock(&acts.lock);
    acts.ended = true;
    (void)pthread_mutex_unlock(&acts.lock);
    return NULL;
}

/* Events through the store --------------------------------------------------------------------- */

static int64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec / 1000;
}

/* Once more when the application came in between: the consumer does the same. */
static void decide(const struct delegation_change *change)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        sync_status status = try_batch(change, 1);
        if (sync_is_ok(status)) {
            return;
        }
        if (status.class != SYNC_CLASS_RETRY) {
            fail_msg("%s", own.err.text);
        }
        repeated++;
    }
    fail_msg("never through: %s", own.err.text);
}

static void aim(struct delegation_change *c, int receiver, int resource)
{
    c->to = world_party(receivers[receiver]);
    world_target(c, DELEGATION_TARGET_RESOURCE, resources[resource]);
}

static void altinn2_acts(void)
{
    bool grant = below(&seed, 4) > 0; /* people of Altinn 3 end most of what is given */
    struct delegation_change c =
        world_rule(++next_rule, grant ? DELEGATION_GRANT : DELEGATION_REVOKE,
                   below(&seed, 2) == 0 ? "Read" : "Write", 0);
    aim(&c, (int)below(&seed, 2), (int)below(&seed, 3));
    c.by = below(&seed, 3) == 0 && !grant ? DELEGATION_MACHINE : DELEGATION_HUMAN;
    c.event_time_us = c.capture_time_us = now_us();
    decide(&c);
}

static void tell_part(const struct act *act, enum delegation_op op, const char *rights,
                      int64_t position)
{
    struct delegation_change c = world_a3(position, op, rights, 0);
    aim(&c, act->receiver, act->resource);
    c.event_time_us = act->at_us;
    c.capture_time_us = now_us();
    decide(&c);
}

static void tell(const struct act *act)
{
    if (act->gone) {
        tell_part(act, DELEGATION_REVOKE_ALL, NULL, act->position);
        return;
    }
    if (act->added[0] != '\0') {
        tell_part(act, DELEGATION_GRANT, act->added, act->position);
    }
    if (act->removed[0] != '\0') {
        tell_part(act, DELEGATION_REVOKE, act->removed, act->position + 1);
    }
}

/* The next act that was not told; false: there is none now. */
static bool next_act(struct act *ret_act, bool *ret_ended)
{
    (void)pthread_mutex_lock(&acts.lock);
    bool found = acts.first < acts.count;
    if (found) {
        *ret_act = acts.items[acts.first++];
        (void)pthread_cond_signal(&acts.told);
    }
    *ret_ended = acts.ended;
    (void)pthread_mutex_unlock(&acts.lock);
    return found;
}

/* Everything up to here is decided: what waits for an event of Altinn 3 goes on. */
static void mark(void)
{
    struct delegation_change c =
        world_event("a3.change.1", 0, DELEGATION_CONTROL, DELEGATION_TICK, 0);
    c.from = c.to = (struct delegation_name){.present = false};
    c.capture_time_us = now_us();
    (void)pthread_mutex_lock(&acts.lock);
    c.seq = ask("SELECT (pg_current_wal_insert_lsn() - '0/0')::int8");
    bool told = acts.first == acts.count;
    (void)pthread_mutex_unlock(&acts.lock);
    if (told) {
        decide(&c);
    }
}

/* What must hold ------------------------------------------------------------------------------- */

static const char *const tables[] = {"assignment", "assignmentresource"};

/* Spans that do not follow one another, or end without a deletion. */
static int64_t broken_spans(const char *table)
{
    return ask("SELECT count(*) FROM (SELECT f, t, deleted, lead(f) OVER w AS next FROM ("
               "SELECT id, audit_validfrom AS f, audit_validto AS t, audit_deletedbysystem IS NOT"
               " NULL AS deleted FROM dbo_history.audit%s UNION ALL SELECT id, audit_validfrom,"
               " 'infinity', false FROM dbo.%s) AS s WINDOW w AS (PARTITION BY id ORDER BY f, t))"
               " AS s WHERE f >= t OR next IS DISTINCT FROM CASE WHEN deleted OR t = 'infinity'"
               " THEN NULL ELSE t END",
               table, table);
}

static void the_history_of_every_row_is_whole(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    pthread_t thread;
    struct act act;
    bool ended = false;
    make_application();
    run_sql("UPDATE sync.resource_state SET actions = '{read,write}';"
            "INSERT INTO sync.source (name, generation, updated_at)"
            " VALUES ('" DELEG_CAPTURE_ALTINN3 "', 1, now());"
            "INSERT INTO sync.topic VALUES ('" A3_TOPIC "', 'test', 1)");
    assert_int_equal(pthread_create(&thread, NULL, application, NULL), 0);
    for (bool more = true; more;) {
        more = next_act(&act, &ended);
        if (more) {
            tell(&act);
        }
        if (below(&seed, 3) > 0) {
            altinn2_acts();
        }
        if (below(&seed, 8) == 0) {
            mark();
            sweep_all();
        }
        more = more || !ended;
    }
    (void)pthread_join(thread, NULL);
    if (acts.failed) {
        fail_msg("%s", acts.err.text);
    }
    mark();
    sweep_all();
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        assert_int_equal(broken_spans(tables[i]), 0);
    }
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key k WHERE k.effective IS DISTINCT FROM"
                         " coalesce((SELECT d.actions FROM dbo.assignment a"
                         " JOIN dbo.assignmentresource c ON c.assignmentid = a.id"
                         " JOIN dbo.resource r ON r.id = c.resourceid AND r.refid = k.target"
                         " JOIN sync.policy_document d ON d.path = c.policypath"
                         " AND d.version = c.policyversion WHERE a.fromid = k.from_id"
                         " AND a.toid = k.to_id), '{}')"),
                     0);
    int64_t ours = ask("SELECT count(*) FROM dbo_history.auditassignmentresource WHERE"
                       " audit_changedbysystem = '%s'",
                       id_text(&world_us));
    int64_t theirs = ask("SELECT count(*) FROM dbo_history.auditassignmentresource") - ours;
    printf("acts %zu, events of Altinn 2 %" PRId64 ", batches again %zu, past rows of ours %" PRId64
           ", of the application %" PRId64 "\n",
           acts.count, next_rule, repeated, ours, theirs);
    assert_true(ours > 0 && theirs > 0);
}

/* The check itself: one row whose span begins before the one ahead of it has ended. */
static void a_span_that_overlaps_is_found(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    clear_world();
    assert_string_equal(apply_one(world_rule(1, DELEGATION_GRANT, "Read", 10)), "DL-20");
    as_system(AUTHORIZATION_SYSTEM_END_USER_API,
              "UPDATE dbo.assignmentresource SET audit_validfrom = now()");
    assert_int_equal(broken_spans("assignmentresource"), 0);
    as_system(AUTHORIZATION_SYSTEM_END_USER_API,
              "UPDATE dbo.assignmentresource SET audit_validfrom = now() - interval '1 s'");
    assert_true(broken_spans("assignmentresource") > 0);
}

static int start(void **state)
{
    (void)state;
    const char *given = getenv("SYNC_SEED"), *size = getenv("SYNC_SIZE");
    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    act_seed = seed + 1;
    acts.wanted = size != NULL && strcmp(size, "proof") == 0 ? 10 * ACTS : ACTS;
    printf("seed %" PRIu64 " (SYNC_SEED=%" PRIu64 " repeats it)\n", seed, seed);
    int wrong = deleg_start("history");
    if (own.usable) {
        acts.db = own_open(own.dsn);
    }
    return wrong;
}

static int stop(void **state)
{
    (void)state;
    sync_db_free(&acts.db);
    return deleg_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_history_of_every_row_is_whole),
        cmocka_unit_test(a_span_that_overlaps_is_found),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
