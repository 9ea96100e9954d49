/*
 * Shows what changes come of a call of Altinn 2: which rules are one event, what its rights, time,
 * performer and origin are; and that the id of a rule leads back to its action, however the parties
 * are named the second time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../connectors/altinn2/call_events.h"
#include "../../connectors/altinn2/delegation_answer.h"
#include "../../connectors/altinn2/delegation_repeats.h"
#include "../../connectors/altinn2/rule_id.h"
#include "runtime/json.h"

#include <stdio.h>
#include <stdlib.h>

#define OWN_USER   29999999
#define UUID_A     "7c9e6679-7425-40de-944b-e07fc1f90ae7"
#define UUID_B     "00000000-0000-0000-0000-0000000000aa"
#define OWN_PARTY  "11111111-2222-4333-8444-555555555555"
#define RULES_MAX  8
#define ROOM_BYTES 65536

static struct {
    struct delegation_call call;
    struct delegation_rule rules[RULES_MAX];
    struct delegation_own own;
    struct sync_arena arena;
    uint8_t memory[ROOM_BYTES];
} world;

static struct sync_uuid uuid(const char *text)
{
    struct sync_uuid id = {{0}};
    assert_true(sync_uuid_parse(sync_bytes_text(text), &id));
    return id;
}

static struct delegation_rule *add_rule(int32_t from, int32_t to_user, const char *resource,
                                        const char *action)
{
    struct delegation_rule *rule = &world.rules[world.call.rule_count++];
    *rule = (struct delegation_rule){
        .from = {.present = true, .has_party_id = true, .party_id = from},
        .to = {.present = true, .has_user_id = true, .user_id = to_user},
        .performer = {.present = true, .has_user_id = true, .user_id = 20001},
        .action = sync_bytes_text(action),
    };
    snprintf(rule->resource, sizeof rule->resource, "%s", resource);
    return rule;
}

static struct delegation_making making(void)
{
    return (struct delegation_making){&world.call, &world.own, &world.arena};
}

/* "a,b" of a list. */
static const char *joined(struct sync_texts texts)
{
    static char text[512];
    struct sync_bytes item;
    text[0] = '\0';
    while (sync_texts_next(&texts, &item)) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%.*s", used > 0 ? "," : "", (int)item.size,
                 (const char *)item.data);
    }
    return text;
}

static void rules_of_one_policy_are_one_grant(void **state)
{
    (void)state;
    size_t group_of[RULES_MAX];
    add_rule(1, 2, "r", "Read");
    add_rule(1, 3, "r", "Read");
    add_rule(1, 2, "r", "Write");
    add_rule(1, 2, "s", "Read");
    add_rule(1, 2, "r", "read"); /* the same right in other letters */
    assert_int_equal(delegation_groups(&world.call, &world.own, group_of), 3);
    assert_true(group_of[0] == 0 && group_of[1] == 1 && group_of[2] == 0 && group_of[3] == 2 &&
                group_of[4] == 0);
    struct delegation_making m = making();
    struct delegation_change change = delegation_event_of_group(&m, 0, group_of);
    assert_string_equal(joined(change.rights), "Read,Write");
    assert_int_equal(change.op, DELEGATION_GRANT);
    assert_int_equal(change.kind, DELEGATION_SINGLE);
    assert_true(change.weak && change.source == DELEGATION_A2 && !change.has_origin);
    assert_int_equal(change.by, DELEGATION_HUMAN);
    assert_int_equal(change.refs.count, 0);
    change = delegation_event_of_group(&m, 1, group_of);
    assert_string_equal(joined(change.rights), "Read");
    assert_int_equal(change.to.user_id, 3);
}

static void the_first_rule_tells_the_time(void **state)
{
    (void)state;
    size_t group_of[RULES_MAX];
    add_rule(1, 2, "r", "Read");
    struct delegation_rule *second = add_rule(1, 2, "r", "Write");
    second->has_time = true;
    second->time_us = 5;
    (void)delegation_groups(&world.call, &world.own, group_of);
    struct delegation_making m = making();
    assert_false(delegation_event_of_group(&m, 0, group_of).has_event_time);
    world.rules[0].has_time = true;
    world.rules[0].time_us = 7;
    struct delegation_change change = delegation_event_of_group(&m, 0, group_of);
    assert_true(change.has_event_time && change.event_time_us == 7);
}

static void what_the_bridge_did_is_an_echo_and_an_event_of_its_own(void **state)
{
    (void)state;
    size_t group_of[RULES_MAX];
    add_rule(1, 2, "r", "Read");
    add_rule(1, 2, "r", "Write")->performer.user_id = OWN_USER;
    assert_int_equal(delegation_groups(&world.call, &world.own, group_of), 2);
    struct delegation_making m = making();
    struct delegation_change change = delegation_event_of_group(&m, 1, group_of);
    assert_true(change.has_origin && change.origin_source == DELEGATION_A3);
    assert_false(change.has_origin_stream || change.has_origin_seq);
    assert_int_equal(change.by, DELEGATION_MACHINE);
    assert_string_equal(joined(change.rights), "Write");
}

static void a_party_that_acts_without_a_login_is_a_machine(void **state)
{
    (void)state;
    size_t group_of[RULES_MAX];
    add_rule(1, 2, "r", "Read")->performer =
        (struct delegation_name){.present = true, .has_party_id = true, .party_id = 9};
    (void)delegation_groups(&world.call, &world.own, group_of);
    struct delegation_making m = making();
    assert_int_equal(delegation_event_of_group(&m, 0, group_of).by, DELEGATION_MACHINE);
}

static void an_element_is_a_revoke_and_only_a_policy_is_all(void **state)
{
    (void)state;
    const struct sync_bytes rights[] = {sync_bytes_text("read"), sync_bytes_text("write")};
    add_rule(1, 2, "r", "");
    world.call.sort = DELEGATION_CALL_DELETE;
    struct delegation_making m = making();
    struct delegation_change change = delegation_event_of_element(&m, 0, rights, 2);
    assert_int_equal(change.op, DELEGATION_REVOKE);
    assert_string_equal(joined(change.rights), "read,write");
    assert_false(change.has_event_time);
    world.call.sort = DELEGATION_CALL_CLEAR;
    change = delegation_event_of_element(&m, 0, NULL, 0);
    assert_int_equal(change.op, DELEGATION_REVOKE_ALL);
    assert_int_equal(change.rights.count, 0);
    assert_int_equal(change.by, DELEGATION_HUMAN);
}

static void a_message_rule_is_its_ref(void **state)
{
    (void)state;
    struct sync_bytes actions[] = {sync_bytes_text("read"), sync_bytes_text("sign")};
    world.call.sort = DELEGATION_CALL_MESSAGE;
    world.call.message = (struct delegation_message){
        .rule = 501,
        .created_us = 9,
        .from = {.present = true, .has_uuid = true, .uuid = uuid(UUID_A)},
        .to = {.present = true, .has_uuid = true, .uuid = uuid(UUID_B)},
        .performer = {.present = true, .has_uuid = true, .uuid = uuid(UUID_A)},
        .resource = "r",
        .instance = "urn:altinn:correspondence-id:" UUID_A,
        .actions = actions,
        .action_count = 2,
    };
    struct delegation_making m = making();
    struct delegation_change change = delegation_event_of_message(&m);
    assert_int_equal(change.kind, DELEGATION_INSTANCE);
    assert_int_equal(change.op, DELEGATION_GRANT);
    assert_string_equal(joined(change.refs), "501");
    assert_string_equal(joined(change.rights), "read,sign");
    assert_true(change.has_instance && change.has_event_time && change.event_time_us == 9);
    assert_int_equal(change.by, DELEGATION_HUMAN);
    world.call.sort = DELEGATION_CALL_UNMESSAGE;
    world.call.message.action_count = 0;
    world.call.message.performer.uuid = uuid(OWN_PARTY);
    change = delegation_event_of_message(&m);
    assert_int_equal(change.op, DELEGATION_REVOKE);
    assert_int_equal(change.rights.count, 0);
    assert_string_equal(joined(change.refs), "501");
    assert_true(change.has_origin);
    world.call.message.performer = (struct delegation_name){.present = false};
    assert_int_equal(delegation_event_of_message(&m).by, DELEGATION_MACHINE);
}

static void the_id_of_a_rule_is_stable_and_of_its_parts(void **state)
{
    (void)state;
    struct delegation_rule *rule = add_rule(50001, 20002, "ttd-service", "Read");
    struct sync_uuid id = rule_id_make(&rule->from, &rule->to, rule->resource, rule->action);
    char text[SYNC_UUID_BUFFER];
    sync_uuid_format(&id, text);
    /* UUIDv5(002b8d8e-…, "rule/p:50001|u:20002|ttd-service|read") */
    assert_string_equal(text, "c7d1d105-39ea-5713-b5a0-2d31a7156e14");
    struct sync_uuid same =
        rule_id_make(&rule->from, &rule->to, rule->resource, sync_bytes_text(" READ "));
    assert_memory_equal(id.bytes, same.bytes, sizeof id.bytes);
    struct sync_uuid other =
        rule_id_make(&rule->from, &rule->to, rule->resource, sync_bytes_text("write"));
    assert_memory_not_equal(id.bytes, other.bytes, sizeof id.bytes);
}

static void an_id_is_found_by_any_name_of_the_parties(void **state)
{
    (void)state;
    static const char actions[][DELEGATION_RIGHT_SIZE] = {"archiveread", "read", "write"};
    struct delegation_name from = {.present = true, .has_party_id = true, .party_id = 50001};
    struct delegation_name full_from = from;
    full_from.has_uuid = true;
    full_from.uuid = uuid(UUID_A);
    struct delegation_name to = {.present = true,
                                 .has_party_id = true,
                                 .party_id = 50002,
                                 .has_user_id = true,
                                 .user_id = 20002,
                                 .has_uuid = true,
                                 .uuid = uuid(UUID_B)};
    struct delegation_name named[3] = {to, to, to};
    named[0].has_party_id = named[0].has_uuid = false;
    named[1].has_user_id = named[1].has_uuid = false;
    named[2].has_user_id = named[2].has_party_id = false;
    for (int i = 0; i < 3; i++) {
        struct sync_uuid ids[3] = {
            rule_id_make(&from, &named[i], "r", sync_bytes_text("write")),
            uuid(UUID_A),
            rule_id_make(&from, &named[i], "r", sync_bytes_text("read")),
        };
        int found[3] = {-1, -1, -1};
        struct rule_id_search search = {&full_from, &to, "r", actions, 3};
        assert_int_equal(rule_id_find(&search, ids, 3, found), 1);
        assert_true(found[0] == 2 && found[1] == -1 && found[2] == 1);
        search.resource = "s";
        memset(found, -1, sizeof found);
        assert_int_equal(rule_id_find(&search, ids, 3, found), 3);
    }
}

static void the_answer_lists_the_rules_in_their_order(void **state)
{
    (void)state;
    struct delegation_rule *rule = add_rule(50001, 20002, "app_ttd_form", "Read");
    rule->org_size = 3;
    struct delegation_answer_rule rules[] = {
        {rule, rule->action, uuid(UUID_A)},
        {add_rule(50001, 20003, "r", "Write"), sync_bytes_text("Write"), uuid(UUID_B)}};
    char *text = delegation_answer_rules(rules, 2, true);
    struct sync_json *root = NULL;
    struct sync_error err;
    assert_non_null(text);
    assert_true(sync_is_ok(sync_json_parse(sync_bytes_text(text), &root, &err)));
    assert_int_equal(sync_json_count(root), 2);
    const struct sync_json *first = sync_json_at(root, 0), *second = sync_json_at(root, 1);
    assert_true(
        sync_bytes_equal(sync_json_text(sync_json_get(first, "ruleId")), sync_bytes_text(UUID_A)));
    assert_true(sync_json_bool(sync_json_get(first, "createdSuccessfully")));
    assert_int_equal(sync_json_integer(sync_json_get(first, "offeredByPartyId")), 50001);
    assert_int_equal(sync_json_count(sync_json_get(first, "resource")), 2);
    const struct sync_json *app = sync_json_at(sync_json_get(first, "resource"), 1);
    assert_true(
        sync_bytes_equal(sync_json_text(sync_json_get(app, "value")), sync_bytes_text("form")));
    assert_true(
        sync_bytes_equal(sync_json_text(sync_json_get(second, "ruleId")), sync_bytes_text(UUID_B)));
    sync_json_free(&root);
    free(text);
}

static void a_dated_call_is_a_repeat_and_an_undated_one_never(void **state)
{
    (void)state;
    struct delegation_repeats *repeats = calloc(1, sizeof *repeats);
    struct delegation_call call = {.sort = DELEGATION_CALL_ADD, .dated = true, .digest = {1}};
    assert_non_null(repeats);
    assert_false(delegation_repeats_has(repeats, &call));
    delegation_repeats_add(repeats, &call);
    assert_true(delegation_repeats_has(repeats, &call));
    call.sort = DELEGATION_CALL_MESSAGE;
    assert_false(delegation_repeats_has(repeats, &call));
    call.sort = DELEGATION_CALL_ADD;
    call.digest[31] = 1; /* the same place, another body */
    assert_false(delegation_repeats_has(repeats, &call));
    delegation_repeats_add(repeats, &call);
    assert_true(delegation_repeats_has(repeats, &call));
    call.digest[31] = 0;
    assert_false(delegation_repeats_has(repeats, &call)); /* it gave way */
    call.dated = false;
    delegation_repeats_add(repeats, &call);
    assert_false(delegation_repeats_has(repeats, &call));
    free(repeats);
}

static int fresh(void **state)
{
    (void)state;
    memset(&world.call, 0, sizeof world.call);
    world.call.rules = world.rules;
    world.own = (struct delegation_own){.user_id = OWN_USER, .party = uuid(OWN_PARTY)};
    sync_arena_init(&world.arena, world.memory, sizeof world.memory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rules_of_one_policy_are_one_grant, fresh),
        cmocka_unit_test_setup(the_first_rule_tells_the_time, fresh),
        cmocka_unit_test_setup(what_the_bridge_did_is_an_echo_and_an_event_of_its_own, fresh),
        cmocka_unit_test_setup(a_party_that_acts_without_a_login_is_a_machine, fresh),
        cmocka_unit_test_setup(an_element_is_a_revoke_and_only_a_policy_is_all, fresh),
        cmocka_unit_test_setup(a_message_rule_is_its_ref, fresh),
        cmocka_unit_test_setup(the_id_of_a_rule_is_stable_and_of_its_parts, fresh),
        cmocka_unit_test_setup(an_id_is_found_by_any_name_of_the_parties, fresh),
        cmocka_unit_test_setup(the_answer_lists_the_rules_in_their_order, fresh),
        cmocka_unit_test_setup(a_dated_call_is_a_repeat_and_an_undated_one_never, fresh),
    };
    return cmocka_run_group_tests_name("call_events", tests, NULL, NULL);
}
