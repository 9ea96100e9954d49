/*
 * Shows the ten worked examples of the domain reference, event by event: the rule that decides and
 * the effective rights afterwards. Times are seconds, as there.
 */
#include "../support/delegation_world.h"

#include <setjmp.h>

#include <cmocka.h>

static struct delegation_world w;

static const struct delegation_key *the_key(enum delegation_kind kind)
{
    for (size_t i = 0; i < w.state.key_count; i++) {
        if (w.keys[i].name.kind == kind) {
            return &w.keys[i];
        }
    }
    return NULL;
}

static void expect(struct delegation_change change, const char *rule, const char *effective)
{
    assert_string_equal(world_take(&w, change), rule);
    const struct delegation_key *key = the_key((enum delegation_kind)change.kind);
    assert_non_null(key);
    assert_string_equal(world_set_text(key, key->effective), effective);
}

static void both(struct delegation_change change, const char *rule, enum delegation_kind other,
                 const char *effective)
{
    expect(change, rule, effective);
    const struct delegation_key *key = the_key(other);
    assert_non_null(key);
    assert_string_equal(world_set_text(key, key->effective), effective);
}

/* The commands that the last decision left: "+v" new, "-" withdrawn. */
static const char *commands(void)
{
    static char text[200];
    text[0] = '\0';
    for (size_t i = 0; i < w.effects.count; i++) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, "%s",
                       w.effects.items[i].withdraw ? "-" : "+");
    }
    return text;
}

static void four_names_are_one_right(void **state)
{
    (void)state;
    world_start(&w);
    expect(world_rule(11, DELEGATION_GRANT, "Write", 100), "DL-20", "read");
    expect(world_rule(12, DELEGATION_GRANT, "ArchiveDelete", 101), "DL-22", "read");
    expect(world_a3(5, DELEGATION_GRANT, "read", 150), "DL-23", "read");
    expect(world_rule(13, DELEGATION_REVOKE, "Write", 200), "DL-31", "read");
    expect(world_rule(14, DELEGATION_REVOKE, "ArchiveDelete", 210), "DL-33", "");
    assert_true(w.keys[0].write_a3);
    assert_int_equal(w.keys[0].held_a3, 0);
    struct delegation_change echo = world_a3(6, DELEGATION_REVOKE_ALL, NULL, 211);
    world_origin(&echo, DELEGATION_A2, 14);
    expect(echo, "DL-07", "");
}

static void what_was_removed_in_altinn3_is_exported_again(void **state)
{
    (void)state;
    world_start(&w);
    expect(world_rule(40, DELEGATION_GRANT, "Read", 1000), "DL-20", "read");
    assert_string_equal(commands(), "");
    expect(world_a3(9, DELEGATION_REVOKE_ALL, NULL, 5000), "DL-36", "");
    assert_string_equal(commands(), "+");
    int64_t version = w.keys[0].open_version;
    struct delegation_change row = world_rule(1, DELEGATION_GRANT, "Read", 1000);
    world_snapshot(&row, 77);
    expect(row, "DL-25", "");
    assert_string_equal(commands(), "");
    assert_int_equal(w.keys[0].open_version, version);
    expect(world_rule(90, DELEGATION_GRANT, "Read", 9000), "DL-24", "read");
    assert_string_equal(commands(), "-");
}

static void live_overtakes_backlog(void **state)
{
    (void)state;
    world_start(&w);
    expect(world_rule(615, DELEGATION_REVOKE, "Read", 3000), "DL-30", "");
    struct delegation_change row = world_rule(1, DELEGATION_GRANT, "Read", 20);
    world_snapshot(&row, 600);
    expect(row, "DL-11", "");
    row = world_rule(2, DELEGATION_GRANT, "ArchiveRead", 25);
    world_snapshot(&row, 600);
    expect(row, "DL-24", "read");
}

static void a_weak_stream_without_times(void **state)
{
    (void)state;
    world_start(&w);
    expect(world_rule(8, DELEGATION_GRANT, "Read", 50), "DL-20", "read");
    struct delegation_change revoke = world_rule(9, DELEGATION_REVOKE, "Read", NO_TIME);
    revoke.capture_time_us = 400 * SECOND;
    expect(revoke, "DL-35", "");
    struct delegation_change grant = world_rule(10, DELEGATION_GRANT, "Read", 390);
    grant.capture_time_us = 401 * SECOND;
    expect(grant, "DL-12", "");
    assert_string_equal(commands(), "+");
    expect(world_rule(11, DELEGATION_GRANT, "Read", 460), "DL-24", "read");
    assert_string_equal(commands(), "-");
}

static void two_rules_on_one_message(void **state)
{
    (void)state;
    world_start(&w);
    const char *a2 = "a2.message.1";
    expect(world_message(a2, 1, DELEGATION_GRANT, "read,subscribe", "501", 10), "DL-20",
           "read,subscribe");
    expect(world_message(a2, 2, DELEGATION_GRANT, "read", "502", 20), "DL-22", "read,subscribe");
    expect(world_message("a3.change.1", 2, DELEGATION_GRANT, "sign", NULL, 25), "DL-20",
           "read,sign,subscribe");
    expect(world_message(a2, 3, DELEGATION_REVOKE, NULL, "501", 30), "DL-35", "read,sign");
    expect(world_message(a2, 4, DELEGATION_REVOKE, NULL, "502", 40), "DL-35", "");
}

static void a_role_and_its_package(void **state)
{
    (void)state;
    world_start(&w);
    both(world_role(70, DELEGATION_GRANT, "HADM ", NULL, 100), "DL-20", DELEGATION_PACKAGE, "*");
    both(world_role_a3(1, DELEGATION_ROLE, DELEGATION_REVOKE_ALL, "urn:altinn:rolecode:hadm", 300),
         "DL-36", DELEGATION_PACKAGE, "");
    assert_string_equal(commands(), "+");
    struct delegation_change cascade = world_role(71, DELEGATION_REVOKE, "HADM", NULL, 310);
    cascade.by = DELEGATION_MACHINE;
    both(cascade, "DL-30", DELEGATION_PACKAGE, "");
    both(world_role(72, DELEGATION_GRANT, "HADM", NULL, 500), "DL-24", DELEGATION_PACKAGE, "*");
}

static void a_client_role_before_its_relation(void **state)
{
    (void)state;
    world_start(&w);
    struct delegation_change grant = world_role(80, DELEGATION_GRANT, "A0239", &world_g, 10);
    grant.has_native_id = true;
    grant.native_id = 4711;
    /* The relation is missing: its key is there, the projection waits. */
    struct delegation_key_name names[DELEGATION_KEYS_MAX];
    assert_int_equal(delegation_keys_of(&w.state, &grant, names), 2);
    assert_int_equal(names[1].kind, DELEGATION_CLIENT);
    world_key(&w, &names[0]);
    world_key(&w, &names[1])->depends_missing = true;
    both(grant, "DL-20", DELEGATION_CLIENT, "*");
    assert_true(the_key(DELEGATION_CLIENT)->pending);
    assert_false(the_key(DELEGATION_CLIENT)->write_a3);
    struct delegation_world before;
    world_copy(&w, &before);
    both(world_role(81, DELEGATION_REVOKE, "A0239", &world_g, 20), "DL-35", DELEGATION_CLIENT, "");
    assert_false(the_key(DELEGATION_CLIENT)->pending);
    world_copy(&before, &w);
    struct delegation_change without = world_role(81, DELEGATION_REVOKE, "A0239", NULL, 20);
    without.has_native_id = true;
    without.native_id = 4711;
    both(without, "DL-35", DELEGATION_CLIENT, "");
}

static void the_removal_that_must_be_remembered(void **state)
{
    (void)state;
    world_start(&w);
    const char *a2 = "a2.message.1";
    expect(world_message(a2, 1, DELEGATION_GRANT, "read", "31", 10), "DL-20", "read");
    expect(world_message("a3.change.1", 1, DELEGATION_REVOKE_ALL, NULL, NULL, 20), "DL-36", "");
    assert_string_equal(commands(), "+");
    delegation_taken(&w.keys[0]);
    struct delegation_change echo = world_message(a2, 2, DELEGATION_REVOKE, NULL, "31", 21);
    world_origin(&echo, DELEGATION_A3, 1);
    expect(echo, "DL-07", "");
    assert_false(w.keys[0].has_left);
    expect(world_message("a3.change.1", 2, DELEGATION_GRANT, "read", NULL, 30), "DL-24", "read");
    assert_string_equal(commands(), "+");
    delegation_taken(&w.keys[0]);
    echo = world_message(a2, 3, DELEGATION_GRANT, "read", "32", 31);
    world_origin(&echo, DELEGATION_A3, 2);
    expect(echo, "DL-06", "read");
    expect(world_message(a2, 4, DELEGATION_REVOKE, NULL, "32", 40), "DL-36", "");
    assert_int_equal(w.keys[0].held_a3, 0);
    assert_int_equal(delegation_shown(&w.keys[0], DELEGATION_A2), 0);
}

static void a_clean_up_job_on_one_side(void **state)
{
    (void)state;
    world_start(&w);
    expect(world_rule(5, DELEGATION_GRANT, "Read", 10), "DL-20", "read");
    delegation_written(&w.keys[0], true);
    expect(world_a3(1, DELEGATION_GRANT, "read", 12), "DL-23", "read");
    for (int64_t loss = 1; loss <= 4; loss++) {
        struct delegation_change job = world_a3(1 + loss, DELEGATION_REVOKE_ALL, NULL, 50 + loss);
        job.by = DELEGATION_MACHINE;
        w.keys[0].write_a3 = false;
        expect(job, loss == 1 ? "DL-32" : "DL-37", "read");
        assert_int_equal(w.keys[0].write_a3, loss < 4);
        assert_int_equal(w.keys[0].restores[DELEGATION_A3].parked, loss == 4);
        delegation_written(&w.keys[0], true);
    }
    /* What is to be removed is still removed. */
    w.keys[0].held_a3 = w.keys[0].seen_a3 = 1;
    expect(world_rule(6, DELEGATION_REVOKE, "Read", 100), "DL-35", "");
    assert_int_equal(w.keys[0].held_a3, 0);
}

static struct delegation_change death(int64_t seq, enum delegation_op op, int64_t time_s)
{
    static char id[SYNC_UUID_BUFFER];
    struct delegation_change c = world_event("sys.register.1", seq, DELEGATION_SCOPE, op, time_s);
    sync_uuid_format(&world_k, id);
    c.has_scope = true;
    c.scope_kind = DELEGATION_SCOPE_PARTY;
    c.scope_ids = world_texts(id);
    c.scope_final = op == DELEGATION_REVOKE_ALL;
    return c;
}

static void death_and_a_key_never_seen(void **state)
{
    (void)state;
    world_start(&w);
    w.scopes[0] = (struct delegation_scope){.kind = DELEGATION_SCOPE_PARTY,
                                            .party = world_k,
                                            .seq = DELEGATION_NEVER,
                                            .cut_us = DELEGATION_NEVER};
    w.state.scope_count = 1;
    assert_string_equal(world_take(&w, death(300, DELEGATION_REVOKE_ALL, 700)), "DL-40");
    struct delegation_change row = world_rule(1, DELEGATION_GRANT, "Read", 650);
    world_snapshot(&row, 1000);
    expect(row, "DL-26", "");
    expect(world_rule(1200, DELEGATION_GRANT, "Read", 900), "DL-26", "");
    assert_string_equal(world_take(&w, death(320, DELEGATION_LIFT, 1000)), "DL-43");
    assert_int_equal(w.keys[0].effective, 0);
    expect(world_rule(1300, DELEGATION_GRANT, "Read", 1100), "DL-24", "read");
    assert_string_equal(world_take(&w, death(310, DELEGATION_REVOKE_ALL, 1200)), "DL-11");
    assert_string_equal(world_take(&w, death(330, DELEGATION_REVOKE_ALL, 1200)), "DL-43");
    assert_int_equal(w.keys[0].effective, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_names_are_one_right),
        cmocka_unit_test(what_was_removed_in_altinn3_is_exported_again),
        cmocka_unit_test(live_overtakes_backlog),
        cmocka_unit_test(a_weak_stream_without_times),
        cmocka_unit_test(two_rules_on_one_message),
        cmocka_unit_test(a_role_and_its_package),
        cmocka_unit_test(a_client_role_before_its_relation),
        cmocka_unit_test(the_removal_that_must_be_remembered),
        cmocka_unit_test(a_clean_up_job_on_one_side),
        cmocka_unit_test(death_and_a_key_never_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
