/*
 * Shows the rules of delegations one by one, beside the worked examples: intake, mapping, roles,
 * facts above both sides, instances, projection and commands; and that the descriptor fits its
 * schema. A test sends events and looks at the rule, the effective set and the marks for the store.
 */
#include "../support/delegation_world.h"
#include "runtime/schema.h"

#include <setjmp.h>

#include <cmocka.h>

static struct delegation_world w;

static int set_up(void **state)
{
    (void)state;
    world_start(&w);
    return 0;
}

static struct delegation_key *key_of(enum delegation_kind kind)
{
    for (size_t i = 0; i < w.state.key_count; i++) {
        if (w.keys[i].name.kind == kind) {
            return &w.keys[i];
        }
    }
    return NULL;
}

static const char *effective(enum delegation_kind kind)
{
    const struct delegation_key *key = key_of(kind);
    return key == NULL ? "no key" : world_set_text(key, key->effective);
}

static void take(struct delegation_change change, const char *rule)
{
    assert_string_equal(world_take(&w, change), rule);
}

static void single(struct delegation_change change, const char *rule, const char *expected)
{
    take(change, rule);
    assert_string_equal(effective(DELEGATION_SINGLE), expected);
}

static void settle(struct delegation_key *key)
{
    const struct delegation_cause cause = {.source = DELEGATION_SYS, .rule = "DL-40"};
    delegation_settle(&w.state, key, &cause, &w.effects);
}

static struct delegation_change by_machine(struct delegation_change change)
{
    change.by = DELEGATION_MACHINE;
    return change;
}

/* Intake ------------------------------------------------------------------------------------- */

static void a_known_event_is_a_duplicate_unless_it_was_released(void **state)
{
    (void)state;
    struct delegation_change c = world_rule(1, DELEGATION_GRANT, "Read", 10);
    w.seen[0] = (struct delegation_seen){.source = DELEGATION_A2, .stream = c.stream, .seq = 1};
    w.state.seen_count = 1;
    single(c, "DL-20", "read");
    single(c, "DL-01", "read");
    assert_string_equal(world_take_released(&w, &c, true), "DL-11");
}

static void a_right_without_counterpart_is_parked_by_itself(void **state)
{
    (void)state;
    take(world_rule(1, DELEGATION_GRANT, "Drive", 10), "DL-03");
    assert_int_equal(w.fold.outcome, SYNC_OUTCOME_PARKED);
    assert_int_equal(w.state.key_count, 0);
    single(world_rule(2, DELEGATION_GRANT, "Drive,Read", 10), "DL-20", "read");
    assert_int_equal(w.state.unmapped, 1);
    single(world_rule(3, DELEGATION_GRANT, " ARCHIVEREAD ", 11), "DL-22", "read");
    assert_int_equal(w.state.unmapped, 0);
}

static void ids_that_contradict_the_party_table_are_parked(void **state)
{
    (void)state;
    struct delegation_change c = world_rule(1, DELEGATION_GRANT, "Read", 10);
    c.to.has_party_id = true;
    c.to.party_id = 500; /* F's */
    take(c, "DL-04");
    assert_true(w.fold.alarm);
    c.to.party_id = 701; /* K's user number in the wrong column: K has another party id */
    take(c, "DL-04");
    c.to = (struct delegation_name){.present = true,
                                    .has_party_id = true,
                                    .party_id = 700,
                                    .has_user_id = true,
                                    .user_id = 701};
    single(c, "DL-20", "read");
}

static void an_unknown_number_or_service_is_held_by_its_id(void **state)
{
    (void)state;
    struct delegation_change c = world_rule(1, DELEGATION_REVOKE, "Read", 10);
    c.to = (struct delegation_name){.present = true, .has_user_id = true, .user_id = 999};
    take(c, "DL-08");
    assert_string_equal(w.fold.missing_kind, "user_id");
    assert_string_equal(w.fold.missing_id, "999");
    assert_true(w.fold.alarm); /* a revoke that cannot act */
    c = world_rule(1, DELEGATION_GRANT, "Read", 10);
    c.from = (struct delegation_name){.present = true, .has_party_id = true, .party_id = 4};
    take(c, "DL-08");
    assert_string_equal(w.fold.missing_kind, "party_id");
    c = world_rule(1, DELEGATION_GRANT, "Read", 10);
    c.edition = 3;
    take(c, "DL-08");
    assert_string_equal(w.fold.missing_kind, "service");
    assert_string_equal(w.fold.missing_id, "5190/3");
    c = world_rule(1, DELEGATION_GRANT, "Read", 10);
    world_target(&c, DELEGATION_TARGET_RESOURCE, "skd-unheard-of");
    take(c, "DL-08"); /* DL-107 */
    assert_string_equal(w.fold.missing_kind, "resource");
    assert_int_equal(w.state.key_count, 0);
}

static void a_recipient_without_any_id_is_parked(void **state)
{
    (void)state;
    struct delegation_change c = world_rule(1, DELEGATION_GRANT, "Read", 10);
    c.to = (struct delegation_name){.present = true, .has_party_id = true};
    take(c, "DL-15");
}

static void a_grant_from_the_future_is_parked_and_a_revoke_counts_from_its_capture(void **state)
{
    (void)state;
    struct delegation_change c = world_rule(1, DELEGATION_GRANT, "Read", 400);
    c.capture_time_us = 99 * SECOND;
    take(c, "DL-16");
    c.capture_time_us = 100 * SECOND;
    single(c, "DL-20", "read");
    assert_int_equal(w.keys[0].refs[0].op_time, 100 * SECOND);
    c = world_rule(2, DELEGATION_REVOKE, "Read", 1000);
    c.capture_time_us = 200 * SECOND;
    single(c, "DL-35", "");
    assert_int_equal(w.keys[0].refs[0].revoke_time, 200 * SECOND);
}

static void unstable_refs_of_a_stream_end_the_right(void **state)
{
    (void)state;
    w.tables.unstable_refs[DELEGATION_STREAM_RULE] = true;
    single(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20", "read");
    single(world_rule(2, DELEGATION_GRANT, "Write", 11), "DL-22", "read");
    single(world_rule(3, DELEGATION_REVOKE, "Write", 20), "DL-35", "");
}

static void what_altinn2_grants_after_the_freeze_is_ignored(void **state)
{
    (void)state;
    w.resources[WORLD_SERVICE].freeze_us = 50 * SECOND;
    single(world_rule(1, DELEGATION_GRANT, "Read", 50), "DL-20", "read");
    single(world_rule(2, DELEGATION_GRANT, "Write", 51), "DL-27", "read");
    assert_int_equal(w.keys[0].ref_count, 1);
    single(world_rule(3, DELEGATION_REVOKE, "Read", 60), "DL-35", "");
    struct delegation_change row = world_rule(1, DELEGATION_GRANT, "Read", NO_TIME);
    row.capture_time_us = 70 * SECOND;
    world_snapshot(&row, 9);
    take(row, "DL-12"); /* it passes the freeze; the known revoke of the ref's right decides */
}

static void what_is_not_ours_is_ignored(void **state)
{
    (void)state;
    w.resources[WORLD_SERVICE].type = DELEGATION_RESOURCE_ALTINN2;
    take(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-10");
    struct delegation_change c = world_role(2, DELEGATION_GRANT, "HADM", NULL, 10);
    c.to.has_type = true;
    c.to.type = sync_bytes_text("EnterpriseIdentified");
    take(c, "DL-68");
    c.op = DELEGATION_REVOKE;
    take(c, "DL-68");
    take(world_role(3, DELEGATION_GRANT, "DAGL", NULL, 10), "DL-69");
    take(world_role_a3(4, DELEGATION_ROLE, DELEGATION_GRANT, "urn:altinn:rolecode:REGN", 10),
         "DL-69");
    assert_int_equal(w.state.key_count, 0);
}

static void a_role_event_that_is_not_understood_is_parked(void **state)
{
    (void)state;
    static const char *const known[] = {"None",       "SSNIdentified", "selfidentified",
                                        "AgencyUser", "PSAN",          " PSA"};
    struct delegation_change c = world_role(1, DELEGATION_GRANT, "HADM", NULL, 10);
    c.to.has_type = true;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        c.to.type = sync_bytes_text(known[i]);
        c.seq++;
        take(c, i == 0 ? "DL-20" : "DL-21");
    }
    static const char *const unknown[] = {"Robot", "7", "",
                                          "SSNIdentifiedButLongerThanAnyTypeThatIs"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        c.to.type = sync_bytes_text(unknown[i]);
        c.seq++;
        take(c, "DL-02");
        assert_string_equal(w.fold.field, "to.type");
    }
    c.to.has_type = false;
    c.op = DELEGATION_LIFT; /* how the capture tells an action that it does not know (DL-62) */
    take(c, "DL-02");
    assert_string_equal(w.fold.field, "op");
}

static void a_message_right_on_another_resource_is_parked(void **state)
{
    (void)state;
    w.resources[WORLD_MESSAGES].type = DELEGATION_RESOURCE_OTHER;
    take(world_message("a2.message.1", 1, DELEGATION_GRANT, "read", "501", 10), "DL-52");
    w.resources[WORLD_MESSAGES].type = DELEGATION_RESOURCE_UNKNOWN;
    w.resources[WORLD_MESSAGES].has_actions = false;
    take(world_message("a2.message.1", 2, DELEGATION_GRANT, "read", "501", 10), "DL-20");
    assert_true(w.keys[0].pending);
    assert_false(w.keys[0].write_a3);
}

/* Altinn 2 knows grants of single messages only, and none that an app controls. */
static void an_instance_that_altinn2_does_not_know_sends_no_command(void **state)
{
    (void)state;
    take(world_message("a3.change.1", 1, DELEGATION_GRANT, "read", NULL, 10), "DL-20");
    assert_int_equal(w.effects.count, 1);
    struct delegation_change c =
        world_message("a3.change.1", 2, DELEGATION_GRANT, "read", NULL, 10);
    c.app_controlled = true;
    take(c, "DL-20");
    assert_int_equal(w.effects.count, 0);
    assert_false(w.keys[1].has_open);
    w.resources[WORLD_MESSAGES].type = DELEGATION_RESOURCE_OTHER;
    c = world_message("a3.change.1", 3, DELEGATION_GRANT, "sign", NULL, 20);
    take(c, "DL-20");
    assert_int_equal(w.effects.count, 1); /* the one that waited is withdrawn */
    assert_true(w.effects.items[0].withdraw);
}

static void contradictions_are_parked(void **state)
{
    (void)state;
    struct delegation_change c = world_rule(1, DELEGATION_REVOKE, NULL, 10);
    take(c, "DL-02"); /* an empty list never means all */
    take(world_a3(1, DELEGATION_GRANT, "*", 10), "DL-02");
    take(world_message("a2.message.1", 1, DELEGATION_REVOKE, "read", NULL, 10), "DL-02");
    c = world_rule(1, DELEGATION_GRANT, "Read", 10);
    c.refs = world_texts("5190/2/read");
    take(c, "DL-02");
    c = world_rule(1, DELEGATION_REVOKE, "Read", 10);
    world_snapshot(&c, 5);
    take(c, "DL-02"); /* a row of an export is a grant */
    c = world_a3(1, DELEGATION_GRANT, "read", 10);
    c.facilitator = world_party(&world_g);
    take(c, "DL-02");
    c = world_role_a3(1, DELEGATION_CLIENT, DELEGATION_GRANT, "urn:altinn:accesspackage:med", 10);
    take(c, "DL-02"); /* a client delegation without its firm */
    assert_int_equal(w.state.key_count, 0);
}

static void too_many_rights_are_parked_and_nothing_moves(void **state)
{
    (void)state;
    char many[DELEGATION_RIGHTS_MAX + 1][4];
    struct sync_bytes items[DELEGATION_RIGHTS_MAX + 1];
    static uint8_t room[512];
    for (size_t i = 0; i <= DELEGATION_RIGHTS_MAX; i++) {
        (void)snprintf(many[i], sizeof many[i], "r%02zu", i);
        items[i] = sync_bytes_text(many[i]);
    }
    struct delegation_change c = world_a3(1, DELEGATION_GRANT, "read", 10);
    assert_true(sync_texts_make(items, DELEGATION_RIGHTS_MAX + 1, room, sizeof room, &c.rights));
    take(c, "DL-105");
    single(world_a3(2, DELEGATION_GRANT, "read", 10), "DL-20", "read");
    assert_true(sync_texts_make(items, DELEGATION_RIGHTS_MAX, room, sizeof room, &c.rights));
    c.seq = 3;
    single(c, "DL-105", "read");
    assert_int_equal(w.keys[0].ref_count, 1);
}

static void a_mark_in_the_stream_touches_no_key(void **state)
{
    (void)state;
    take(world_event("a2.role.1", 7, DELEGATION_CONTROL, DELEGATION_TICK, 10), "DL-104");
    take(world_event("a2.role.1", 7, DELEGATION_CONTROL, DELEGATION_GRANT, 10), "DL-02");
    assert_int_equal(w.state.key_count, 0);
}

/* One right ------------------------------------------------------------------------------------ */

static void a_person_ends_both_sides_and_a_machine_only_its_own(void **state)
{
    (void)state;
    single(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20", "read");
    single(by_machine(world_a3(1, DELEGATION_REVOKE_ALL, NULL, 20)), "DL-37", "read");
    single(world_a3(2, DELEGATION_REVOKE_ALL, NULL, 30), "DL-36", "");
    single(world_rule(2, DELEGATION_GRANT, "Read", 32), "DL-25", ""); /* within the skew */
    single(world_rule(3, DELEGATION_GRANT, "Read", 33), "DL-24", "read");
    single(world_a3(3, DELEGATION_REVOKE_ALL, NULL, 30), "DL-38", "read");
}

static void a_newer_grant_of_the_other_side_survives_a_persons_last_revoke(void **state)
{
    (void)state;
    single(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20", "read");
    single(world_a3(1, DELEGATION_GRANT, "read", 100), "DL-23", "read");
    single(world_rule(2, DELEGATION_REVOKE, "Read", 50), "DL-34", "read");
}

static void the_same_grant_again_raises_its_time(void **state)
{
    (void)state;
    single(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20", "read");
    single(world_rule(2, DELEGATION_GRANT, "Read", 40), "DL-21", "read");
    single(world_a3(1, DELEGATION_REVOKE, "read", 30), "DL-38", "read");
}

static void a_grant_without_time_never_counts_after_a_cut(void **state)
{
    (void)state;
    single(world_rule(1, DELEGATION_GRANT, "Read", NO_TIME), "DL-20", "read");
    single(world_a3(1, DELEGATION_REVOKE, "read", 1), "DL-36", "");
    single(world_rule(2, DELEGATION_GRANT, "Write", NO_TIME), "DL-25", "");
}

static void an_overtaken_revoke_of_a_person_still_cuts(void **state)
{
    (void)state;
    single(world_a3(1, DELEGATION_GRANT, "read", 50), "DL-20", "read");
    struct delegation_change row = world_rule(1, DELEGATION_GRANT, "Read", 120);
    world_snapshot(&row, 3);
    single(row, "DL-23", "read");
    single(world_rule(2, DELEGATION_REVOKE, "Read", 110), "DL-108", "read");
    single(world_rule(2, DELEGATION_REVOKE, "Read", 110), "DL-11", "read");
    single(by_machine(world_rule(4, DELEGATION_REVOKE, "Read", 130)), "DL-35", "");
}

/* Echoes -----------------------------------------------------------------------------------------
 */

static void an_echo_moves_presence_and_a_repeat_nothing(void **state)
{
    (void)state;
    struct delegation_change echo = world_rule(1, DELEGATION_GRANT, "Read", 10);
    world_origin(&echo, DELEGATION_A3, 5);
    single(echo, "DL-06", "");
    assert_int_equal(delegation_shown(&w.keys[0], DELEGATION_A2), 1);
    struct delegation_change gone = world_rule(2, DELEGATION_REVOKE, "Read", 11);
    world_origin(&gone, DELEGATION_A3, 6);
    single(gone, "DL-07", "");
    assert_int_equal(delegation_shown(&w.keys[0], DELEGATION_A2), 0);
    echo.seq = 3;
    single(echo, "DL-19", "");
    assert_int_equal(delegation_shown(&w.keys[0], DELEGATION_A2), 0);
    echo.has_origin_stream = echo.has_origin_seq = false; /* told only that we wrote */
    echo.seq = 4;
    single(echo, "DL-06", "");
    assert_int_equal(delegation_shown(&w.keys[0], DELEGATION_A2), 1);
}

static void our_own_write_in_an_export_gives_no_access(void **state)
{
    (void)state;
    struct delegation_change echo = world_rule(1, DELEGATION_GRANT, "Read", 10);
    world_origin(&echo, DELEGATION_A3, 5);
    single(echo, "DL-06", "");
    struct delegation_change row = world_rule(1, DELEGATION_GRANT, "Read", 10);
    world_snapshot(&row, 9);
    single(row, "DL-06", "");
}

/* Instances
 * ---------------------------------------------------------------------------------------- */

static void service_instance_and_app_grants_are_separate_keys(void **state)
{
    (void)state;
    take(world_a3(1, DELEGATION_GRANT, "read", 10), "DL-20");
    take(world_message("a3.change.1", 2, DELEGATION_GRANT, "read", NULL, 10), "DL-20");
    struct delegation_change app =
        world_message("a3.change.1", 3, DELEGATION_GRANT, "read", NULL, 10);
    app.app_controlled = true;
    take(app, "DL-20");
    assert_int_equal(w.state.key_count, 3);
    take(world_message("a3.change.1", 4, DELEGATION_REVOKE_ALL, NULL, NULL, 20), "DL-35");
    assert_int_equal(w.keys[0].effective, 1);
    assert_int_equal(w.keys[1].effective, 0);
    assert_int_equal(w.keys[2].effective, 1);
}

static void only_the_earliest_giver_of_an_instance_is_projected(void **state)
{
    (void)state;
    struct delegation_change c =
        world_message("a2.message.1", 1, DELEGATION_GRANT, "read", "501", 10);
    struct delegation_key_name names[DELEGATION_KEYS_MAX];
    assert_int_equal(delegation_keys_of(&w.state, &c, names), 1);
    struct delegation_key *key = world_key(&w, &names[0]);
    key->has_rival = true;
    key->rival_from = world_k;
    key->rival_time = 9 * SECOND;
    take(c, "DL-20");
    assert_false(key->write_a3);
    key->rival_time = 10 * SECOND; /* a tie: F's uuid is the higher one */
    settle(key);
    assert_false(key->write_a3);
    key->rival_time = 11 * SECOND;
    settle(key);
    assert_true(key->write_a3);
}

/* Roles
 * -------------------------------------------------------------------------------------------- */

static void two_roles_share_a_package(void **state)
{
    (void)state;
    take(world_role(1, DELEGATION_GRANT, "APIADM", NULL, 10), "DL-20");
    take(world_role(2, DELEGATION_GRANT, "APIADMNUF", NULL, 10), "DL-20");
    take(world_role(3, DELEGATION_REVOKE, "APIADM", NULL, 20), "DL-35");
    assert_string_equal(effective(DELEGATION_PACKAGE), "*");
    take(world_role(4, DELEGATION_REVOKE, "APIADMNUF", NULL, 30), "DL-35");
    assert_string_equal(effective(DELEGATION_PACKAGE), "");
}

static void a_role_without_a_row_gives_the_role_only(void **state)
{
    (void)state;
    take(world_role(1, DELEGATION_GRANT, "UTINN", NULL, 10), "DL-20");
    assert_int_equal(w.state.key_count, 1);
}

static void a_condition_decides_which_package_a_role_lends(void **state)
{
    (void)state;
    struct delegation_change c = world_role(1, DELEGATION_GRANT, "ADMAI", NULL, 10);
    take(c, "DL-20");
    assert_int_equal(w.state.key_count, 3);
    assert_int_equal(w.keys[1].effective, 0); /* F is no person */
    assert_int_equal(w.keys[2].effective, 1);
    w.keys[1].from_type = w.keys[2].from_type = DELEGATION_TYPE_UNKNOWN;
    settle(&w.keys[1]);
    settle(&w.keys[2]);
    assert_int_equal(w.keys[2].effective, 0);
    assert_true(w.keys[2].pending);
    take(world_role(2, DELEGATION_GRANT, "A0282", NULL, 999), "DL-20");
    assert_int_equal(w.keys[3].effective, 1);
    assert_int_equal(w.keys[4].effective, 0); /* before the date of the row */
    take(world_role(3, DELEGATION_GRANT, "A0282", NULL, 1000), "DL-20");
    assert_int_equal(w.keys[4].effective, 1);
}

static void a_person_who_ends_the_tax_package_ends_its_role(void **state)
{
    (void)state;
    take(world_role(1, DELEGATION_GRANT, "A0282", NULL, 2000), "DL-20");
    delegation_written(key_of(DELEGATION_ROLE), true); /* its row is in Altinn 3 */
    take(by_machine(world_role_a3(1, DELEGATION_PACKAGE, DELEGATION_REVOKE_ALL,
                                  "urn:altinn:accesspackage:skatt", 2100)),
         "DL-37");
    assert_string_equal(effective(DELEGATION_ROLE), "*");
    take(world_role_a3(2, DELEGATION_PACKAGE, DELEGATION_REVOKE_ALL,
                       "urn:altinn:accesspackage:skatt", 2200),
         "DL-36");
    assert_string_equal(effective(DELEGATION_ROLE), "");
    assert_string_equal(effective(DELEGATION_PACKAGE), "");
    assert_true(key_of(DELEGATION_ROLE)->has_open); /* the command goes by the role */
    assert_true(key_of(DELEGATION_ROLE)->write_a3); /* only the package's row is gone there */
    assert_int_equal(key_of(DELEGATION_ROLE)->held_a3, 0);
}

static void a_package_is_held_by_role_and_by_altinn3(void **state)
{
    (void)state;
    const char *package = "urn:altinn:accesspackage:hovedadministrator";
    take(world_role(1, DELEGATION_GRANT, "HADM", NULL, 10), "DL-20");
    take(world_role_a3(1, DELEGATION_PACKAGE, DELEGATION_GRANT, package, 20), "DL-23");
    take(by_machine(world_role(2, DELEGATION_REVOKE, "HADM", NULL, 30)), "DL-35");
    assert_string_equal(effective(DELEGATION_PACKAGE), "*");
    take(world_role(3, DELEGATION_GRANT, "HADM", NULL, 40), "DL-24");
    take(world_role(4, DELEGATION_REVOKE, "HADM", NULL, 50), "DL-33");
    assert_string_equal(effective(DELEGATION_PACKAGE), "");
}

static void a_client_role_revoked_without_facilitator_ends_all_if_its_id_is_unknown(void **state)
{
    (void)state;
    struct delegation_change c = world_role(1, DELEGATION_GRANT, "A0239", &world_g, 10);
    c.has_native_id = true;
    c.native_id = 77;
    take(c, "DL-20");
    struct delegation_change other = world_role(2, DELEGATION_REVOKE, "A0239", NULL, 20);
    other.has_native_id = true;
    other.native_id = 78;
    take(other, "DL-35");
    assert_string_equal(effective(DELEGATION_ROLE), "");
    assert_string_equal(effective(DELEGATION_CLIENT), "");
}

/* Facts above both
 * --------------------------------------------------------------------------------- */

static struct delegation_change scope(int64_t seq, enum delegation_scope_kind kind,
                                      enum delegation_op op, const char *ids, int64_t time_s)
{
    struct delegation_change c =
        world_event(kind == DELEGATION_SCOPE_INSTANCE ? "sys.message.1" : "sys.register.1", seq,
                    DELEGATION_SCOPE, op, time_s);
    c.has_scope = true;
    c.scope_kind = kind;
    c.scope_ids = world_texts(ids);
    return c;
}

static void scope_row(enum delegation_scope_kind kind)
{
    struct delegation_scope row = {
        .kind = kind, .seq = DELEGATION_NEVER, .cut_us = DELEGATION_NEVER};
    if (kind == DELEGATION_SCOPE_INSTANCE) {
        (void)snprintf(row.instance, sizeof row.instance, "%s", WORLD_URN);
    } else {
        row.party = world_f;
    }
    if (kind == DELEGATION_SCOPE_RELATION) {
        row.facilitator = world_g;
        (void)snprintf(row.er_role, sizeof row.er_role, "regnskapsforer");
    }
    w.scopes[0] = row;
    w.state.scope_count = 1;
}

static void the_end_of_a_relation_ends_what_hung_on_it(void **state)
{
    (void)state;
    char ids[2 * SYNC_UUID_BUFFER];
    sync_uuid_format(&world_f, ids);
    ids[SYNC_UUID_TEXT] = ',';
    sync_uuid_format(&world_g, ids + SYNC_UUID_TEXT + 1);
    scope_row(DELEGATION_SCOPE_RELATION);
    take(world_role(1, DELEGATION_GRANT, "A0239", &world_g, 10), "DL-20");
    take(world_role(2, DELEGATION_GRANT, "HADM", NULL, 10), "DL-20");
    struct delegation_change c =
        scope(1, DELEGATION_SCOPE_RELATION, DELEGATION_REVOKE_ALL, ids, 20);
    c.has_er_role = true;
    c.er_role = sync_bytes_text("regnskapsforer");
    take(c, "DL-41");
    assert_int_equal(w.keys[0].effective, 0); /* the role's ref with that firm */
    assert_int_equal(w.keys[1].effective, 0); /* the client key */
    assert_int_equal(w.keys[2].effective, 1); /* another role */
    take(world_role(3, DELEGATION_GRANT, "A0239", &world_g, 20), "DL-26");
    take(world_role(4, DELEGATION_GRANT, "A0239", &world_g, 21), "DL-24");
}

static void a_purge_ends_instance_keys_only(void **state)
{
    (void)state;
    scope_row(DELEGATION_SCOPE_INSTANCE);
    take(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20");
    take(world_message("a2.message.1", 1, DELEGATION_GRANT, "read", "501", 10), "DL-20");
    struct delegation_change c =
        scope(1, DELEGATION_SCOPE_INSTANCE, DELEGATION_REVOKE_ALL, WORLD_URN, 20);
    c.scope_final = true;
    take(c, "DL-42");
    assert_string_equal(effective(DELEGATION_INSTANCE), "");
    assert_string_equal(effective(DELEGATION_SINGLE), "read");
}

static void the_clients_death_leaves_its_client_roles(void **state)
{
    (void)state;
    char id[SYNC_UUID_BUFFER];
    sync_uuid_format(&world_f, id);
    scope_row(DELEGATION_SCOPE_PARTY);
    take(world_role(1, DELEGATION_GRANT, "A0239", &world_g, 10), "DL-20");
    take(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20");
    struct delegation_change c = scope(1, DELEGATION_SCOPE_PARTY, DELEGATION_REVOKE_ALL, id, 20);
    c.scope_final = true;
    take(c, "DL-40");
    assert_string_equal(effective(DELEGATION_ROLE), "*");
    assert_string_equal(effective(DELEGATION_CLIENT), "*");
    assert_string_equal(effective(DELEGATION_SINGLE), "");
}

static void a_merge_names_an_alias_and_later_events_follow_it(void **state)
{
    (void)state;
    char ids[2 * SYNC_UUID_BUFFER];
    sync_uuid_format(&world_k, ids);
    ids[SYNC_UUID_TEXT] = ',';
    sync_uuid_format(&world_g, ids + SYNC_UUID_TEXT + 1);
    take(scope(1, DELEGATION_SCOPE_PARTY, DELEGATION_MERGE, ids, 20), "DL-45");
    assert_int_equal(w.state.alias_count, 1);
    assert_true(w.aliases[0].dirty && w.aliases[0].seq == 1);
    take(scope(2, DELEGATION_SCOPE_PARTY, DELEGATION_MERGE, ids, 20), "DL-11");
    take(world_rule(1, DELEGATION_GRANT, "Read", 30), "DL-20");
    assert_memory_equal(&w.keys[0].name.to, &world_g, sizeof world_g);
    sync_uuid_format(&world_g, ids);
    ids[SYNC_UUID_TEXT] = ',';
    sync_uuid_format(&world_k, ids + SYNC_UUID_TEXT + 1);
    take(scope(3, DELEGATION_SCOPE_PARTY, DELEGATION_MERGE, ids, 20), "DL-04"); /* a circle */
}

static void merged_keys_keep_the_newest_word_and_every_revoke(void **state)
{
    (void)state;
    struct sync_error err;
    single(world_rule(5, DELEGATION_GRANT, "Read", 10), "DL-20", "read");
    struct delegation_change c = world_rule(5, DELEGATION_REVOKE, "Read", 20);
    c.to = world_party(&world_g);
    take(c, "DL-30");
    assert_int_equal(w.state.key_count, 2);
    w.keys[0].version = 7;
    assert_true(sync_is_ok(delegation_merge_key(&w.state, &w.keys[1], &w.keys[0], &err)));
    settle(&w.keys[1]);
    assert_int_equal(w.keys[1].effective, 0); /* a tie is revoked */
    assert_int_equal(w.keys[1].version, 8);
    assert_int_equal(w.keys[0].ref_count, 0);
    w.keys[0].ref_capacity = 0;
    assert_int_equal(delegation_merge_key(&w.state, &w.keys[0], &w.keys[1], &err).class,
                     SYNC_CLASS_FATAL);
}

static void merged_scopes_are_the_stricter_of_both(void **state)
{
    (void)state;
    struct delegation_scope into = {.seq = 4, .cut_us = 10, .final = false};
    struct delegation_scope from = {.seq = 2, .cut_us = 20, .final = true};
    delegation_merge_scope(&into, &from);
    assert_true(into.seq == 4 && into.cut_us == 20 && into.final && into.dirty);
}

/* What the store is told
 * ------------------------------------------------------------------------------------ */

static void every_change_of_a_set_is_a_step_with_its_cause(void **state)
{
    (void)state;
    struct delegation_step steps[4];
    w.state.steps = steps;
    w.state.step_capacity = 4;
    single(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20", "read");
    single(world_rule(2, DELEGATION_GRANT, "Write", 11), "DL-22", "read"); /* the set stands */
    struct delegation_change c = world_a3(5, DELEGATION_REVOKE_ALL, NULL, 50);
    c.performer = world_party(&world_g);
    single(c, "DL-36", "");
    assert_int_equal(w.state.step_count, 2);
    assert_int_equal(steps[0].before, 0);
    assert_int_equal(steps[0].after, 1);
    assert_int_equal(steps[1].after, 0);
    assert_int_equal(steps[1].version, w.keys[0].version);
    assert_int_equal(steps[1].cause.source, DELEGATION_A3);
    assert_int_equal(steps[1].cause.seq, 5);
    assert_int_equal(steps[1].cause.event_us, 50 * SECOND);
    assert_string_equal(steps[1].cause.rule, "DL-36");
    assert_memory_equal(&steps[1].cause.performer, &world_g, sizeof world_g);
}

static void a_settled_key_names_the_fact_that_moved_it(void **state)
{
    (void)state;
    single(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20", "read");
    w.scopes[0] = (struct delegation_scope){
        .kind = DELEGATION_SCOPE_PARTY, .party = world_k, .seq = 1, .cut_us = 20 * SECOND};
    w.state.scope_count = 1;
    settle(&w.keys[0]);
    assert_int_equal(w.keys[0].effective, 0);
    assert_string_equal(w.keys[0].cause.rule, "DL-40");
}

static void moved_rows_carry_rule_and_performer(void **state)
{
    (void)state;
    struct delegation_change c = world_rule(1, DELEGATION_GRANT, "Read", 10);
    c.performer.present = c.performer.has_user_id = true;
    c.performer.user_id = 701;
    take(c, "DL-20");
    assert_string_equal(w.rows[0].refs[0].rule, "DL-20");
    assert_memory_equal(&w.rows[0].refs[0].performer, &world_k, sizeof world_k);
    c = world_rule(2, DELEGATION_REVOKE, "Read", 20);
    c.performer.present = c.performer.has_user_id = true;
    c.performer.user_id = 99; /* nobody that we know */
    take(c, "DL-35");
    assert_string_equal(w.rows[0].refs[0].rule, "DL-35");
    assert_true(sync_uuid_is_zero(&w.rows[0].refs[0].performer));
    assert_string_equal(w.rows[0].marks[0].rule, "DL-35");
}

static void a_born_event_reports_the_row_of_altinn3(void **state)
{
    (void)state;
    const struct delegation_report *report = &w.keys[0].report;
    take(world_a3(5, DELEGATION_GRANT, "read,sign", 10), "DL-20");
    assert_true(report->told && report->is_there && report->valid_us == 10 * SECOND);
    take(world_a3(6, DELEGATION_REVOKE, "sign", 20), "DL-35");
    assert_true(report->is_there && report->valid_us == 20 * SECOND); /* a changed policy */
    take(world_a3(4, DELEGATION_GRANT, "read", 30), "DL-11");
    assert_true(report->valid_us == 20 * SECOND); /* a stale one reports nothing */
    struct delegation_change echo = world_a3(8, DELEGATION_REVOKE_ALL, NULL, 40);
    world_origin(&echo, DELEGATION_A2, 1);
    take(echo, "DL-07");
    assert_true(report->is_there);
    take(world_a3(9, DELEGATION_REVOKE_ALL, NULL, 50), "DL-35");
    assert_false(report->is_there);
    take(world_role_a3(10, DELEGATION_ROLE, DELEGATION_GRANT, "HADM", 60), "DL-20");
    assert_true(w.keys[1].report.is_there);
    take(world_role_a3(11, DELEGATION_ROLE, DELEGATION_REVOKE, "HADM", 70), "DL-35");
    assert_false(w.keys[1].report.is_there); /* its one right is the row */
}

/* Sides
 * ---------------------------------------------------------------------------------------------- */

static void a_phase_that_is_off_decides_and_writes_nothing(void **state)
{
    (void)state;
    w.resources[WORLD_SERVICE].phase = DELEGATION_SHADOW;
    single(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20", "read");
    single(world_a3(1, DELEGATION_REVOKE_ALL, NULL, 20), "DL-36", "");
    assert_false(w.keys[0].write_a3 || w.keys[0].has_open);
    assert_int_equal(w.effects.count, 0);
}

static void what_the_policy_does_not_offer_is_stored_not_projected(void **state)
{
    (void)state;
    w.resources[WORLD_SERVICE].action_count = 0;
    single(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20", "read");
    assert_false(w.keys[0].write_a3);
    assert_int_equal(w.keys[0].refused, 1);
}

static void a_failed_conditional_write_waits_for_its_event(void **state)
{
    (void)state;
    single(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20", "read");
    assert_int_equal(w.keys[0].version, 1);
    assert_true(w.keys[0].write_a3);
    delegation_written(&w.keys[0], false);
    assert_true(w.keys[0].pending);
    assert_int_equal(w.keys[0].held_a3, 0);
    single(world_a3(1, DELEGATION_GRANT, "sign", 11), "DL-20", "read,sign");
    assert_true(w.keys[0].write_a3);
    assert_int_equal(w.keys[0].version, 2); /* one event, one version */
    delegation_written(&w.keys[0], true);
    assert_int_equal(w.keys[0].seen_a3, w.keys[0].held_a3);
}

static void a_waiting_grant_is_withdrawn_before_it_leaves(void **state)
{
    (void)state;
    single(world_a3(1, DELEGATION_GRANT, "read", 10), "DL-20", "read");
    assert_int_equal(w.effects.count, 1);
    assert_string_equal(w.effects.items[0].name, "altinn2/1");
    char giver[SYNC_UUID_BUFFER];
    sync_uuid_format(&world_f, giver);
    assert_string_equal(w.effects.items[0].partition_key, giver); /* DL-103 */
    assert_non_null(strstr(w.effects.items[0].body, "\"rights\":[\"read\"]"));
    assert_non_null(strstr(w.effects.items[0].body, "\"origin\":\"A3/a3.change.1/1\""));
    single(world_a3(2, DELEGATION_REVOKE_ALL, NULL, 20), "DL-35", "");
    assert_int_equal(w.effects.count, 1);
    assert_true(w.effects.items[0].withdraw);
    assert_false(w.keys[0].has_open);
}

static void what_has_left_is_answered_by_a_new_command(void **state)
{
    (void)state;
    single(world_a3(1, DELEGATION_GRANT, "read", 10), "DL-20", "read");
    delegation_taken(&w.keys[0]);
    single(world_a3(2, DELEGATION_REVOKE_ALL, NULL, 20), "DL-35", "");
    assert_int_equal(w.effects.count, 1);
    assert_false(w.effects.items[0].withdraw);
    assert_string_equal(w.effects.items[0].name, "altinn2/2");
    delegation_taken(&w.keys[0]);
    struct delegation_change echo = world_rule(1, DELEGATION_GRANT, "Read", 21);
    world_origin(&echo, DELEGATION_A3, 1);
    single(echo, "DL-06", "");
    assert_int_equal(w.effects.count, 0);
    echo = world_rule(2, DELEGATION_REVOKE, "Read", 22);
    world_origin(&echo, DELEGATION_A3, 2);
    single(echo, "DL-07", "");
    assert_false(w.keys[0].has_left);
}

static void a_recipient_without_a_number_gets_no_command(void **state)
{
    (void)state;
    w.parties[1].party_id = w.parties[1].user_id = 0;
    single(world_a3(1, DELEGATION_GRANT, "read", 10), "DL-20", "read");
    assert_int_equal(w.effects.count, 0);
    assert_true(w.keys[0].has_open); /* not tried again until the set changes */
    single(world_a3(2, DELEGATION_GRANT, "read", 11), "DL-21", "read");
    assert_int_equal(w.effects.count, 0);
}

static void an_action_without_counterpart_is_no_command(void **state)
{
    (void)state;
    single(world_a3(1, DELEGATION_GRANT, "sign", 10), "DL-20", "sign");
    assert_int_equal(w.effects.count, 0);
}

/* Descriptor and tables
 * ------------------------------------------------------------------------------ */

static void the_record_is_read_back_as_it_was_written(void **state)
{
    (void)state;
    static uint8_t memory[8192];
    struct sync_schema_set *set = NULL;
    struct sync_decoder *decoder = NULL;
    struct sync_error err = {.text = ""};
    struct sync_arena arena;
    struct sync_bytes value;
    struct delegation_change back;
    sync_arena_init(&arena, memory, sizeof memory);
    assert_true(sync_is_ok(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &set, &err)));
    const struct sync_schema *schema = sync_schema_set_find(set, sync_processor_delegation.schema);
    assert_non_null(schema);
    assert_non_null(sync_schema_set_find(set, "no.altinn.sync.DelegationWatermark"));
    assert_true(sync_is_ok(sync_decoder_new(set, &sync_processor_delegation, &decoder, &err)));
    struct delegation_change c =
        world_message("a2.message.1", 7, DELEGATION_REVOKE, "read,sign", "501,502", 30);
    world_origin(&c, DELEGATION_A3, 4);
    assert_true(
        sync_is_ok(sync_encode(schema, &sync_processor_delegation, &c, &arena, &value, &err)));
    assert_true(sync_is_ok(sync_decoder_decode(decoder, value, &back, &err)));
    assert_int_equal(back.rights.count, 2);
    assert_int_equal(back.refs.count, 2);
    assert_true(back.from.present && back.has_target && back.has_origin &&
                !back.facilitator.present);
    take(back, "DL-07");
    assert_memory_equal(&w.keys[0].name.to, &world_k, sizeof world_k);
    sync_decoder_free(&decoder);
    sync_schema_set_free(&set);
}

static void tables_that_contradict_themselves_are_refused(void **state)
{
    (void)state;
    struct sync_error err;
    assert_true(sync_is_ok(delegation_tables_check(&world_tables, &err)));
    struct delegation_tables bad = world_tables;
    bad.role_count = 1;
    assert_int_equal(delegation_tables_check(&bad, &err).class, SYNC_CLASS_FATAL);
    assert_non_null(strstr(err.text, "role-packages.csv, row 2"));
    bad = world_tables;
    struct delegation_right_row rows[2] = {world_rights[0], world_rights[0]};
    bad.rights = rows;
    bad.right_count = 2;
    assert_int_equal(delegation_tables_check(&bad, &err).class, SYNC_CLASS_FATAL);
    rows[1] = world_rights[1];
    rows[0].set_in_a2 = false;
    assert_int_equal(delegation_tables_check(&bad, &err).class, SYNC_CLASS_FATAL);
    bad = world_tables;
    bad.skew_us = 61 * SECOND;
    assert_int_equal(delegation_tables_check(&bad, &err).class, SYNC_CLASS_FATAL);
}

static void a_key_has_one_text(void **state)
{
    (void)state;
    char text[600];
    struct delegation_key_name name = {.kind = DELEGATION_SINGLE, .from = world_f, .to = world_k};
    (void)snprintf(name.target, sizeof name.target, "r");
    assert_true(delegation_key_format(&name, text, sizeof text) > 0);
    assert_string_equal(text, "single|f0000000-0000-0000-0000-000000000000|"
                              "70000000-0000-0000-0000-000000000000|r||0|"
                              "00000000-0000-0000-0000-000000000000");
    assert_int_equal(delegation_key_format(&name, text, 10), 0);
}

#define CASE(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_known_event_is_a_duplicate_unless_it_was_released),
        CASE(a_right_without_counterpart_is_parked_by_itself),
        CASE(ids_that_contradict_the_party_table_are_parked),
        CASE(an_unknown_number_or_service_is_held_by_its_id),
        CASE(a_recipient_without_any_id_is_parked),
        CASE(a_grant_from_the_future_is_parked_and_a_revoke_counts_from_its_capture),
        CASE(unstable_refs_of_a_stream_end_the_right),
        CASE(what_altinn2_grants_after_the_freeze_is_ignored),
        CASE(what_is_not_ours_is_ignored),
        CASE(a_role_event_that_is_not_understood_is_parked),
        CASE(a_message_right_on_another_resource_is_parked),
        CASE(an_instance_that_altinn2_does_not_know_sends_no_command),
        CASE(contradictions_are_parked),
        CASE(too_many_rights_are_parked_and_nothing_moves),
        CASE(a_mark_in_the_stream_touches_no_key),
        CASE(a_person_ends_both_sides_and_a_machine_only_its_own),
        CASE(a_newer_grant_of_the_other_side_survives_a_persons_last_revoke),
        CASE(the_same_grant_again_raises_its_time),
        CASE(a_grant_without_time_never_counts_after_a_cut),
        CASE(an_overtaken_revoke_of_a_person_still_cuts),
        CASE(an_echo_moves_presence_and_a_repeat_nothing),
        CASE(our_own_write_in_an_export_gives_no_access),
        CASE(service_instance_and_app_grants_are_separate_keys),
        CASE(only_the_earliest_giver_of_an_instance_is_projected),
        CASE(two_roles_share_a_package),
        CASE(a_role_without_a_row_gives_the_role_only),
        CASE(a_condition_decides_which_package_a_role_lends),
        CASE(a_person_who_ends_the_tax_package_ends_its_role),
        CASE(a_package_is_held_by_role_and_by_altinn3),
        CASE(a_client_role_revoked_without_facilitator_ends_all_if_its_id_is_unknown),
        CASE(the_end_of_a_relation_ends_what_hung_on_it),
        CASE(a_purge_ends_instance_keys_only),
        CASE(the_clients_death_leaves_its_client_roles),
        CASE(a_merge_names_an_alias_and_later_events_follow_it),
        CASE(merged_keys_keep_the_newest_word_and_every_revoke),
        CASE(merged_scopes_are_the_stricter_of_both),
        CASE(every_change_of_a_set_is_a_step_with_its_cause),
        CASE(a_settled_key_names_the_fact_that_moved_it),
        CASE(moved_rows_carry_rule_and_performer),
        CASE(a_born_event_reports_the_row_of_altinn3),
        CASE(a_phase_that_is_off_decides_and_writes_nothing),
        CASE(what_the_policy_does_not_offer_is_stored_not_projected),
        CASE(a_failed_conditional_write_waits_for_its_event),
        CASE(a_waiting_grant_is_withdrawn_before_it_leaves),
        CASE(what_has_left_is_answered_by_a_new_command),
        CASE(a_recipient_without_a_number_gets_no_command),
        CASE(an_action_without_counterpart_is_no_command),
        CASE(the_record_is_read_back_as_it_was_written),
        CASE(tables_that_contradict_themselves_are_refused),
        CASE(a_key_has_one_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
