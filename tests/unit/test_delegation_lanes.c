/*
 * Shows what may leave for Altinn 2 and what stays: a command is completed and taken once, one that
 * is no longer wanted never leaves, a refusal brings back what was held before, and calls for
 * cached rights join, but for those that a backlog does not make. Needs SYNC_TEST_DSN.
 */
#include "delegation_database.h"

#include "../../src/runtime/json.h"

static uint8_t lane_memory[1 << 20];
static struct sync_arena lane_arena;
static const struct sync_lane_store *commands, *cache;

static int start(void **state)
{
    (void)state;
    commands = sync_lane_store_find("delegation", "altinn2");
    cache = sync_lane_store_find("delegation", "altinn2-cache");
    return deleg_start("lanes");
}

static int stop(void **state)
{
    (void)state;
    return deleg_stop();
}

static int set_up(void **state)
{
    (void)state;
    by_backlog = false;
    sync_arena_init(&lane_arena, lane_memory, sizeof lane_memory);
    (void)snprintf(base.config.bridge_delegation_command_path,
                   sizeof base.config.bridge_delegation_command_path, "/commands");
    if (own.usable) {
        clear_world();
    }
    return 0;
}

/* The newest effect of a target, as the sender reads it. */
static struct sync_lane_effect newest(const char *target, int attempt)
{
    static const struct sync_statement statement = {
        "test_effect", "SELECT effect_id, entity_key, body FROM sync.outbox WHERE target = $1"
                       " ORDER BY seq DESC LIMIT 1"};
    struct sync_lane_effect effect = {.name = "test", .attempt = attempt};
    struct sync_params params;
    sync_params_init(&params, &lane_arena);
    sync_params_text(&params, target);
    SYNC_RESULT result = {0};
    must(sync_db_exec(own.other, &statement, &params, &result, &own.err));
    assert_int_equal(result.rows, 1);
    struct sync_bytes key = sync_result_bytes(&result, 0, 1);
    effect.effect_id = sync_result_uuid(&result, 0, 0);
    memcpy(effect.entity.text, key.data, key.size);
    effect.entity.size = key.size;
    effect.body = sync_arena_copy(&lane_arena, sync_result_bytes(&result, 0, 2));
    return effect;
}

static void look(const struct sync_lane_store *lane, struct sync_lane_effect *effect)
{
    int64_t now_us;
    must(sync_txn_begin(own.db, &(struct sync_txn_limits){0}, &now_us, &own.err));
    must(lane->look(own.db, effect, 1, now_us, &lane_arena, &own.err));
    must(sync_txn_commit(own.db, &own.err));
}

static void settle(const struct sync_lane_store *lane, struct sync_lane_effect *effect)
{
    int64_t now_us;
    must(sync_txn_begin(own.db, &(struct sync_txn_limits){0}, &now_us, &own.err));
    must(lane->settle(own.db, effect, 1, now_us, &lane_arena, &own.err));
    must(sync_txn_commit(own.db, &own.err));
}

static int64_t waiting(const char *target)
{
    return ask("SELECT count(*) FROM sync.outbox WHERE target = '%s' AND state = 0", target);
}

/* A person gives read in Altinn 3. */
static void grant_in_altinn3(int64_t seq, long time_s)
{
    assert_non_null(apply_one(world_a3(seq, DELEGATION_GRANT, "read", time_s)));
}

/* Commands ----------------------------------------------------------------------------------- */

static void a_command_is_completed_and_taken_once(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    grant_in_altinn3(5, 10);
    assert_int_equal(waiting("altinn2"), 1);
    struct sync_lane_effect effect = newest("altinn2", 0);
    look(commands, &effect);
    assert_int_equal(effect.verdict, SYNC_LANE_SEND);
    assert_true(effect.body_changed);
    char wanted[512];
    (void)snprintf(wanted, sizeof wanted,
                   "{\"key\":{\"id\":\"%s\",\"kind\":\"single\",\"fromPartyId\":500,"
                   "\"toPartyId\":700,\"toUserId\":701,\"resource\":\"" SERVICE_TARGET
                   "\",\"serviceCode\":\"5190\",\"serviceEdition\":2,\"instance\":null,"
                   "\"role\":null,\"facilitatorPartyId\":null},\"version\":1,\"rights\":[\"read\"],"
                   "\"cause\":\"DL-20\",\"origin\":\"A3/a3.change.1/5\"}",
                   effect.entity.text);
    assert_int_equal(effect.body.size, strlen(wanted));
    assert_memory_equal(effect.body.data, wanted, strlen(wanted));
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key WHERE open_set IS NULL"
                         " AND left_set = '{read}' AND left_version = 1 AND left_at IS NOT NULL"),
                     1);
    effect.body_changed = false; /* after an answer that never came: the same once more */
    look(commands, &effect);
    assert_int_equal(effect.verdict, SYNC_LANE_SEND);
    assert_false(effect.body_changed);
}

static void what_a_person_has_revoked_since_never_leaves(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    grant_in_altinn3(5, 10);
    struct sync_lane_effect effect = newest("altinn2", 0);
    assert_string_equal(apply_one(world_a3(6, DELEGATION_REVOKE_ALL, NULL, 20)), "DL-35");
    assert_int_equal(waiting("altinn2"), 0); /* withdrawn, and nothing else is due */
    look(commands, &effect);
    assert_int_equal(effect.verdict, SYNC_LANE_SKIP);
    assert_string_equal(effect.rule, "DL-90");
}

static void a_revoke_after_the_grant_has_left_is_sent_behind_it(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    grant_in_altinn3(5, 10);
    struct sync_lane_effect grant = newest("altinn2", 0);
    look(commands, &grant);
    assert_string_equal(apply_one(world_a3(6, DELEGATION_REVOKE_ALL, NULL, 20)), "DL-35");
    struct sync_lane_effect revoke = newest("altinn2", 0);
    look(commands, &grant); /* a newer one waits: the old one is not repeated */
    assert_int_equal(grant.verdict, SYNC_LANE_SKIP);
    look(commands, &revoke);
    assert_int_equal(revoke.verdict, SYNC_LANE_SEND);
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key WHERE left_set = '{}'"), 1);
}

/* Altinn 2 answered 503, and by then another one waited: nobody sends the first again. */
static void what_left_without_effect_is_said_again_when_it_is_wanted_again(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    assert_string_equal(apply_one(world_rule(1, DELEGATION_GRANT, "Read", 10)), "DL-20");
    assert_string_equal(apply_one(world_a3(5, DELEGATION_REVOKE_ALL, NULL, 20)), "DL-36");
    struct sync_lane_effect first = newest("altinn2", 0);
    look(commands, &first);
    grant_in_altinn3(6, 30);
    look(commands, &first);
    assert_int_equal(first.verdict, SYNC_LANE_SKIP);
    assert_string_equal(apply_one(world_a3(7, DELEGATION_REVOKE_ALL, NULL, 40)), "DL-35");
    assert_int_equal(waiting("altinn2"), 1);
    struct sync_lane_effect again = newest("altinn2", 0);
    look(commands, &again);
    assert_int_equal(again.verdict, SYNC_LANE_SEND);
    assert_non_null(strstr((const char *)again.body.data, "\"rights\":[]"));
}

static void a_refusal_brings_back_what_was_held(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    grant_in_altinn3(5, 10);
    struct sync_lane_effect effect = newest("altinn2", 0);
    look(commands, &effect);
    effect.attempt = 1;
    effect.ended = SYNC_LANE_REFUSED;
    settle(commands, &effect);
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key WHERE left_set IS NULL"
                         " AND open_set = '{read}' AND open_version = 1"),
                     1);
    look(commands, &effect);
    effect.attempt = 2; /* one attempt is unknown: it may have run */
    settle(commands, &effect);
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key WHERE left_set = '{read}'"), 1);
}

static void the_echo_of_a_command_ends_it(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    grant_in_altinn3(5, 10);
    struct sync_lane_effect effect = newest("altinn2", 0);
    look(commands, &effect);
    struct delegation_change echo = world_rule(1, DELEGATION_GRANT, "Read", 12);
    world_origin(&echo, DELEGATION_A3, 5);
    assert_string_equal(apply_one(echo), "DL-06");
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key WHERE left_set IS NULL"
                         " AND left_version IS NULL AND left_at IS NULL"),
                     1);
    look(commands, &effect);
    assert_int_equal(effect.verdict, SYNC_LANE_SKIP);
}

static void without_the_endpoint_a_command_has_no_route(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    base.config.bridge_delegation_command_path[0] = '\0';
    grant_in_altinn3(5, 10);
    assert_int_equal(ask("SELECT state FROM sync.outbox WHERE target = 'altinn2'"), 6);
    assert_int_equal(waiting("altinn2-cache"), 1);
}

static void answers_have_their_classes(void **state)
{
    (void)state;
    static const struct {
        bool failed;
        int code;
        enum sync_lane_answer command, cache;
    } rows[] = {
        {false, 200, SYNC_LANE_ANSWER_DONE, SYNC_LANE_ANSWER_DONE},
        {false, 404, SYNC_LANE_ANSWER_PARK, SYNC_LANE_ANSWER_DONE},
        {false, 409, SYNC_LANE_ANSWER_PARK, SYNC_LANE_ANSWER_DONE},
        {false, 410, SYNC_LANE_ANSWER_CLOSED, SYNC_LANE_ANSWER_DONE},
        {false, 401, SYNC_LANE_ANSWER_STOP, SYNC_LANE_ANSWER_STOP},
        {false, 400, SYNC_LANE_ANSWER_PARK, SYNC_LANE_ANSWER_DONE},
        {false, 429, SYNC_LANE_ANSWER_RETRY, SYNC_LANE_ANSWER_RETRY},
        {false, 500, SYNC_LANE_ANSWER_RETRY, SYNC_LANE_ANSWER_RETRY},
        {true, 0, SYNC_LANE_ANSWER_RETRY, SYNC_LANE_ANSWER_RETRY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *rule = NULL;
        assert_int_equal(commands->answer(rows[i].failed, rows[i].code, &rule), rows[i].command);
        assert_string_equal(rule, "DL-86");
        assert_int_equal(cache->answer(rows[i].failed, rows[i].code, &rule), rows[i].cache);
        assert_string_equal(rule, "DL-91");
    }
}

/* Cached rights ------------------------------------------------------------------------------ */

static void one_call_clears_the_cache_for_all_that_wait(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    assert_non_null(apply_one(world_rule(1, DELEGATION_GRANT, "Read", 10)));
    assert_non_null(apply_one(world_rule(2, DELEGATION_REVOKE, "Read", 20)));
    assert_int_equal(waiting("altinn2-cache"), 2);
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox WHERE target = 'altinn2-cache'"
                         " AND not_before >= created_at + interval '2 seconds'"),
                     2);
    struct sync_lane_effect effect = newest("altinn2-cache", 0);
    struct sync_lane_request request;
    look(cache, &effect);
    assert_int_equal(effect.verdict, SYNC_LANE_SEND);
    assert_int_equal(waiting("altinn2-cache"), 1);
    must(cache->request(&base.config, &effect, &lane_arena, &request, &own.err));
    assert_string_equal(request.method, "PUT");
    assert_string_equal(request.path,
                        "/cache/api/clearreporteerights?reporteePartyId=500&coveredByPartyId=700"
                        "&coveredByUserId=701");
    assert_int_equal(request.body.size, 0);
}

static struct delegation_change message(int64_t seq, enum delegation_op op, const char *rights,
                                        const char *rule, int64_t time_s)
{
    return world_message("a2.message.1", seq, op, rights, rule, time_s);
}

/* DL-109. Altinn 2 shows what it granted itself; what it lost, or never had, may lie in its cache.
 */
static void a_backlog_clears_no_cache_for_what_altinn2_shows_itself(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    by_backlog = true;
    assert_non_null(apply_one(message(1, DELEGATION_GRANT, "read", "501", 10)));
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentinstance"), 1);
    assert_int_equal(waiting("altinn2-cache"), 0);
    assert_non_null(apply_one(message(2, DELEGATION_GRANT, "write", "502", 11)));
    assert_int_equal(ask("SELECT cardinality(held_a3) FROM sync.deleg_key"), 2);
    assert_int_equal(waiting("altinn2-cache"), 0); /* the row was changed */
    assert_non_null(apply_one(message(3, DELEGATION_REVOKE, NULL, "502", 20)));
    assert_int_equal(ask("SELECT cardinality(held_a3) FROM sync.deleg_key"), 1);
    assert_int_equal(waiting("altinn2-cache"), 1);
    by_backlog = false;
    assert_non_null(apply_one(message(4, DELEGATION_GRANT, "write", "503", 30)));
    assert_int_equal(waiting("altinn2-cache"), 2); /* live always calls */
}

/* The backlog of Altinn 3 tells what Altinn 2 never had. */
static void a_backlog_of_altinn3_clears_the_cache(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    by_backlog = true;
    assert_non_null(apply_one(world_a3(1, DELEGATION_GRANT, "read", 10)));
    assert_int_equal(waiting("altinn2-cache"), 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        CASE(a_command_is_completed_and_taken_once),
        CASE(what_a_person_has_revoked_since_never_leaves),
        CASE(a_revoke_after_the_grant_has_left_is_sent_behind_it),
        CASE(what_left_without_effect_is_said_again_when_it_is_wanted_again),
        CASE(a_refusal_brings_back_what_was_held),
        CASE(the_echo_of_a_command_ends_it),
        CASE(without_the_endpoint_a_command_has_no_route),
        CASE(answers_have_their_classes),
        CASE(one_call_clears_the_cache_for_all_that_wait),
        CASE(a_backlog_clears_no_cache_for_what_altinn2_shows_itself),
        CASE(a_backlog_of_altinn3_clears_the_cache),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
