/*
 * Shows how Altinn 2's calls about delegations are read: what is taken, and that everything else is
 * refused with the JSON pointer of the fault. Each bad body differs from a good one in one place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../connectors/altinn2/delegation_call.h"

#include <stdio.h>
#include <stdlib.h>

#define UUID_A   "7c9e6679-7425-40de-944b-e07fc1f90ae7"
#define UUID_B   "00000000-0000-0000-0000-0000000000AA"
#define ZERO     "00000000-0000-0000-0000-000000000000"

#define BY       "\"delegatedByUserId\":20001"
#define FROM     "\"offeredByPartyId\":50001"
#define TO       "\"coveredBy\":[{\"id\":\"urn:altinn:userid\",\"value\":\"20002\"}]"
#define RESOURCE "\"resource\":[{\"id\":\"urn:altinn:resource\",\"value\":\"Ttd-Service\"}]"
#define ACTION                                                                                     \
    "\"action\":{\"id\":\"urn:oasis:names:tc:xacml:1.0:action:action-id\",\"value\":\"Read\"}"
#define RULE    "{" BY "," FROM "," TO "," RESOURCE "," ACTION "}"
#define MATCH   "\"policyMatch\":{" FROM "," RESOURCE "," TO "}"
#define ELEMENT "{\"ruleIds\":[\"" UUID_A "\"],\"deletedByUserId\":20001," MATCH "}"
#define MESSAGE                                                                                    \
    "{\"authorizationruleid\":501,\"created\":\"2025-03-04T10:00:00+01:00\",\"fromuuid\":"         \
    "\"" UUID_A "\",\"touuid\":\"" UUID_B "\",\"performedby\":\"" UUID_A                           \
    "\",\"resourceid\":\"Ttd-Service\","                                                           \
    "\"instanceid\":\"" UUID_A "\",\"actions\":[\"read\",\"sign\"]}"

typedef sync_status parser(struct sync_bytes body, const struct receiver_place *place,
                           void **ret_content, struct sync_error *err);

static struct sync_error err;
static const struct receiver_place live = {.is_export = false};

/* Free it with free(). */
static struct delegation_call *reads(parser *parse, const char *body)
{
    void *content = NULL;
    memset(&err, 0, sizeof err);
    sync_status status = parse(sync_bytes_text(body), &live, &content, &err);
    if (!sync_is_ok(status)) {
        fail_msg("%s\n-> refused: %s at \"%s\"", body, err.text, err.field);
    }
    return content;
}

static void refuses(parser *parse, const char *body, enum sync_code code, const char *pointer)
{
    void *content = NULL;
    memset(&err, 0, sizeof err);
    sync_status status = parse(sync_bytes_text(body), &live, &content, &err);
    if (status.class != SYNC_CLASS_PARK || err.code != code || strcmp(err.field, pointer) != 0) {
        print_message("%s\n-> class %d, %s at \"%s\": %s\n", body, (int)status.class,
                      sync_code_word(err.code), err.field, err.text);
    }
    assert_int_equal(status.class, SYNC_CLASS_PARK);
    assert_int_equal(err.code, code);
    assert_string_equal(err.field, pointer);
    assert_null(content);
}

static void a_rule_is_read(void **state)
{
    (void)state;
    struct delegation_call *call = reads(delegation_call_parse_add, "[" RULE "]");
    assert_int_equal(call->sort, DELEGATION_CALL_ADD);
    assert_int_equal(call->rule_count, 1);
    const struct delegation_rule *rule = &call->rules[0];
    assert_true(rule->performer.has_user_id && rule->performer.user_id == 20001);
    assert_true(rule->from.has_party_id && rule->from.party_id == 50001 && !rule->from.has_uuid);
    assert_true(rule->to.has_user_id && rule->to.user_id == 20002 && !rule->to.has_party_id);
    assert_string_equal(rule->resource, "ttd-service");
    assert_true(sync_bytes_equal(rule->action, sync_bytes_text("Read")));
    assert_false(rule->has_time || call->dated);
    free(call);
}

static void names_come_in_any_case_and_numbers_as_text(void **state)
{
    (void)state;
    struct delegation_call *call = reads(
        delegation_call_parse_add,
        "[{\"DelegatedByPartyId\":\"50009\",\"OFFEREDBYPARTYID\":\"50001\","
        "\"offeredByPartyUuid\":\"{" UUID_B "}\",\"offeredByPartyType\":\"urn:altinn:person:uuid\","
        "\"delegatedDateTime\":\"2025-03-04T09:00:00.1234567\","
        "\"CoveredBy\":[{\"Id\":\"URN:ALTINN:PARTYID\",\"Value\":50002},{\"id\":"
        "\"urn:altinn:person:uuid\",\"value\":\"" UUID_A "\"}],"
        "\"Resource\":[{\"id\":\"urn:altinn:org\",\"value\":\" TTD \"},{\"id\":\"urn:altinn:app\","
        "\"value\":\"Form\"}],\"Action\":{\"Value\":\" write \"},\"unknown\":[1,{\"a\":null}]}]");
    const struct delegation_rule *rule = &call->rules[0];
    assert_true(rule->performer.has_party_id && rule->performer.party_id == 50009);
    assert_true(rule->from.has_uuid && rule->from.uuid.bytes[15] == 0xaa);
    assert_true(sync_bytes_equal(rule->from.type, sync_bytes_text("urn:altinn:person:uuid")));
    assert_true(rule->to.has_party_id && rule->to.party_id == 50002 && rule->to.has_uuid);
    assert_string_equal(rule->resource, "app_ttd_form");
    assert_int_equal(rule->org_size, 3);
    assert_true(sync_bytes_equal(rule->action, sync_bytes_text("write")));
    assert_true(rule->has_time && rule->time_us == 1741078800123456LL); /* no zone: UTC */
    assert_true(call->dated);
    free(call);
}

static void zero_means_absent(void **state)
{
    (void)state;
    struct delegation_call *call =
        reads(delegation_call_parse_add,
              "[{\"delegatedByUserId\":0,\"delegatedByPartyId\":null,\"offeredByPartyId\":0,"
              "\"offeredByPartyUuid\":\"" UUID_A "\",\"coveredBy\":[{\"id\":\"urn:altinn:userid\","
              "\"value\":0},{\"id\":\"urn:altinn:partyid\",\"value\":\"50002\"}]," RESOURCE
              "," ACTION "}]");
    const struct delegation_rule *rule = &call->rules[0];
    assert_false(rule->performer.present);
    assert_true(!rule->from.has_party_id && rule->from.has_uuid);
    assert_true(!rule->to.has_user_id && rule->to.has_party_id);
    free(call);
}

static void a_rule_that_is_wrong_is_refused_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum sync_code code;
        const char *pointer;
    } rows[] = {
        {"", SYNC_CODE_SYNTAX, ""},
        {"{}", SYNC_CODE_ITEM_COUNT, ""},
        {"[]", SYNC_CODE_ITEM_COUNT, ""},
        {"[7]", SYNC_CODE_SYNTAX, "/0"},
        {"[" RULE ",null]", SYNC_CODE_SYNTAX, "/1"},
        {"[{" TO "," RESOURCE "," ACTION "}]", SYNC_CODE_FIELD_MISSING, "/0/offeredByPartyId"},
        {"[{\"offeredByPartyId\":0,\"offeredByPartyUuid\":\"" ZERO "\"," TO "," RESOURCE "," ACTION
         "}]",
         SYNC_CODE_FIELD_MISSING, "/0/offeredByPartyId"},
        {"[{\"offeredByPartyId\":-1," TO "," RESOURCE "," ACTION "}]", SYNC_CODE_FIELD_RANGE,
         "/0/offeredByPartyId"},
        {"[{\"offeredByPartyId\":2147483648," TO "," RESOURCE "," ACTION "}]",
         SYNC_CODE_FIELD_RANGE, "/0/offeredByPartyId"},
        {"[{\"offeredByPartyId\":1.5," TO "," RESOURCE "," ACTION "}]", SYNC_CODE_FIELD_RANGE,
         "/0/offeredByPartyId"},
        {"[{\"delegatedByUserId\":\"x\"," FROM "," TO "," RESOURCE "," ACTION "}]",
         SYNC_CODE_FIELD_RANGE, "/0/delegatedByUserId"},
        {"[{\"delegatedDateTime\":\"yesterday\"," FROM "," TO "," RESOURCE "," ACTION "}]",
         SYNC_CODE_FIELD_RANGE, "/0/delegatedDateTime"},
        {"[{\"offeredByPartyUuid\":\"x\"," FROM "," TO "," RESOURCE "," ACTION "}]", SYNC_CODE_UUID,
         "/0/offeredByPartyUuid"},
        {"[{" FROM "," RESOURCE "," ACTION "}]", SYNC_CODE_FIELD_MISSING, "/0/coveredBy"},
        {"[{" FROM ",\"coveredBy\":{}," RESOURCE "," ACTION "}]", SYNC_CODE_ITEM_COUNT,
         "/0/coveredBy"},
        {"[{" FROM ",\"coveredBy\":[]," RESOURCE "," ACTION "}]", SYNC_CODE_ITEM_COUNT,
         "/0/coveredBy"},
        {"[{" FROM ",\"coveredBy\":[{\"id\":\"urn:altinn:userid\"}]," RESOURCE "," ACTION "}]",
         SYNC_CODE_FIELD_MISSING, "/0/coveredBy/0/value"},
        {"[{" FROM ",\"coveredBy\":[{\"id\":\"urn:altinn:ssn\",\"value\":\"1\"}]," RESOURCE
         "," ACTION "}]",
         SYNC_CODE_FIELD_MISSING, "/0/coveredBy"},
        {"[{" FROM ",\"coveredBy\":[{\"id\":\"urn:altinn:userid\",\"value\":\"1\"},{\"id\":"
         "\"urn:altinn:userid\",\"value\":\"2\"}]," RESOURCE "," ACTION "}]",
         SYNC_CODE_FIELD_RANGE, "/0/coveredBy"},
        {"[{" FROM "," TO "," ACTION "}]", SYNC_CODE_FIELD_MISSING, "/0/resource"},
        {"[{" FROM "," TO ",\"resource\":[{\"id\":\"urn:altinn:org\",\"value\":\"ttd\"}]," ACTION
         "}]",
         SYNC_CODE_FIELD_MISSING, "/0/resource"},
        {"[{" FROM "," TO "," RESOURCE "}]", SYNC_CODE_SYNTAX, "/0/action"},
        {"[{" FROM "," TO "," RESOURCE ",\"action\":{\"value\":\"  \"}}]", SYNC_CODE_FIELD_MISSING,
         "/0/action/value"},
        {"[" RULE "," RULE ",{" FROM "," TO "," RESOURCE ",\"action\":{\"value\":7}}]",
         SYNC_CODE_SYNTAX, "/2/action/value"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refuses(delegation_call_parse_add, rows[i].body, rows[i].code, rows[i].pointer);
    }
}

static void an_action_or_a_resource_that_no_record_takes_is_refused(void **state)
{
    (void)state;
    char body[2048], text[256];
    memset(text, 'a', sizeof text);
    snprintf(body, sizeof body, "[{" FROM "," TO "," RESOURCE ",\"action\":{\"value\":\"%.64s\"}}]",
             text);
    free(reads(delegation_call_parse_add, body));
    snprintf(body, sizeof body, "[{" FROM "," TO "," RESOURCE ",\"action\":{\"value\":\"%.65s\"}}]",
             text);
    refuses(delegation_call_parse_add, body, SYNC_CODE_LENGTH, "/0/action/value");
    static const char form[] =
        "[{" FROM "," TO
        ",\"resource\":[{\"id\":\"urn:altinn:resource\",\"value\":\"%.*s\"}]," ACTION "}]";
    snprintf(body, sizeof body, form, 128, text);
    free(reads(delegation_call_parse_add, body));
    snprintf(body, sizeof body, form, 129, text);
    refuses(delegation_call_parse_add, body, SYNC_CODE_FIELD_MISSING, "/0/resource");
}

static void more_rules_than_fit_are_oversize(void **state)
{
    (void)state;
    size_t one = strlen(RULE ",");
    char *body = malloc((DELEGATION_CALL_ITEMS_MAX + 1) * one + 3);
    assert_non_null(body);
    for (size_t count = DELEGATION_CALL_ITEMS_MAX; count <= DELEGATION_CALL_ITEMS_MAX + 1;
         count++) {
        char *at = body;
        for (size_t i = 0; i < count; i++) {
            at += sprintf(at, "%s" RULE, i == 0 ? "[" : ",");
        }
        strcpy(at, "]");
        if (count == DELEGATION_CALL_ITEMS_MAX) {
            struct delegation_call *call = reads(delegation_call_parse_add, body);
            assert_int_equal(call->rule_count, DELEGATION_CALL_ITEMS_MAX);
            free(call);
        } else {
            refuses(delegation_call_parse_add, body, SYNC_CODE_OVERSIZE, "");
        }
    }
    free(body);
}

static void a_deletion_is_read(void **state)
{
    (void)state;
    struct delegation_call *call = reads(delegation_call_parse_delete, "[" ELEMENT "]");
    const struct delegation_rule *rule = &call->rules[0];
    assert_int_equal(rule->rule_id_count, 1);
    assert_int_equal(rule->rule_ids[0].bytes[0], 0x7c);
    assert_true(rule->performer.has_user_id && rule->performer.user_id == 20001);
    assert_int_equal(rule->from.party_id, 50001);
    assert_string_equal(rule->resource, "ttd-service");
    assert_false(call->dated);
    free(call);
    call = reads(delegation_call_parse_clear, "[{\"deletedByUserId\":7," MATCH "}]");
    assert_int_equal(call->sort, DELEGATION_CALL_CLEAR);
    assert_int_equal(call->rules[0].rule_id_count, 0);
    free(call);
}

static void a_deletion_that_is_wrong_is_refused_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum sync_code code;
        const char *pointer;
    } rows[] = {
        {"[{\"ruleIds\":[\"" UUID_A "\"],\"deletedByUserId\":0," MATCH "}]",
         SYNC_CODE_FIELD_MISSING, "/0/deletedByUserId"},
        {"[{\"ruleIds\":[\"" UUID_A "\"]," MATCH "}]", SYNC_CODE_FIELD_MISSING,
         "/0/deletedByUserId"},
        {"[{\"deletedByUserId\":7," MATCH "}]", SYNC_CODE_ITEM_COUNT, "/0/ruleIds"},
        {"[{\"ruleIds\":[],\"deletedByUserId\":7," MATCH "}]", SYNC_CODE_ITEM_COUNT, "/0/ruleIds"},
        {"[{\"ruleIds\":[\"" UUID_A "\",\"7\"],\"deletedByUserId\":7," MATCH "}]", SYNC_CODE_UUID,
         "/0/ruleIds"},
        {"[{\"ruleIds\":[\"" UUID_A "\"],\"deletedByUserId\":7}]", SYNC_CODE_SYNTAX,
         "/0/policyMatch"},
        {"[{\"ruleIds\":[\"" UUID_A "\"],\"deletedByUserId\":7,\"policyMatch\":{" FROM "," TO "}}]",
         SYNC_CODE_FIELD_MISSING, "/0/policyMatch/resource"},
        {"[" ELEMENT "," ELEMENT "]", SYNC_CODE_ID_CONFLICT, "/1/policyMatch"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refuses(delegation_call_parse_delete, rows[i].body, rows[i].code, rows[i].pointer);
    }
    refuses(delegation_call_parse_clear,
            "[{\"deletedByUserId\":7," MATCH "},{\"deletedByUserId\":8," MATCH "}]",
            SYNC_CODE_ID_CONFLICT, "/1/policyMatch");
}

static void a_rule_on_a_message_is_read(void **state)
{
    (void)state;
    struct delegation_call *call = reads(delegation_call_parse_message, MESSAGE);
    assert_int_equal(call->message.rule, 501);
    assert_true(call->message.created_us == 1741078800000000LL);
    assert_true(call->message.performer.has_uuid && call->message.from.has_uuid);
    assert_string_equal(call->message.resource, "ttd-service");
    assert_string_equal(call->message.instance, "urn:altinn:correspondence-id:" UUID_A);
    assert_int_equal(call->message.action_count, 2);
    assert_true(call->dated);
    free(call);
    call = reads(delegation_call_parse_unmessage, MESSAGE);
    assert_int_equal(call->message.action_count, 0); /* a revoke has none */
    free(call);
}

static void an_instance_becomes_canonical(void **state)
{
    (void)state;
    static const struct {
        const char *given, *wanted;
    } rows[] = {
        {"7C9E6679-7425-40DE-944B-E07FC1F90AE7", "urn:altinn:correspondence-id:" UUID_A},
        {"{" UUID_A "}", "urn:altinn:correspondence-id:" UUID_A},
        {" URN:Altinn:Correspondence-Id:" UUID_A, "urn:altinn:correspondence-id:" UUID_A},
        {"urn:altinn:instance-id:50001/" UUID_A, "urn:altinn:instance-id:50001/" UUID_A},
        {"7", NULL},
        {"urn:altinn:correspondence-id:7", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[1024];
        snprintf(body, sizeof body,
                 "{\"authorizationruleid\":1,\"created\":\"2025-03-04T10:00:00Z\",\"fromuuid\":"
                 "\"" UUID_A "\",\"touuid\":\"" UUID_B "\",\"resourceid\":\"r\",\"instanceid\":"
                 "\"%s\"}",
                 rows[i].given);
        if (!rows[i].wanted) {
            refuses(delegation_call_parse_unmessage, body, SYNC_CODE_FIELD_MISSING, "/instanceid");
            continue;
        }
        struct delegation_call *call = reads(delegation_call_parse_unmessage, body);
        assert_string_equal(call->message.instance, rows[i].wanted);
        assert_false(call->message.performer.present);
        free(call);
    }
}

static void a_message_rule_that_is_wrong_is_refused_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to; /* what of the good body is replaced by what */
        enum sync_code code;
        const char *pointer;
    } rows[] = {
        {"501", "0", SYNC_CODE_FIELD_MISSING, "/authorizationruleid"},
        {"501", "\"x\"", SYNC_CODE_FIELD_RANGE, "/authorizationruleid"},
        {"+01:00", "", SYNC_CODE_FIELD_RANGE, "/created"},
        {"\"created\"", "\"made\"", SYNC_CODE_FIELD_MISSING, "/created"},
        {"\"fromuuid\":\"" UUID_A, "\"fromuuid\":\"" ZERO, SYNC_CODE_FIELD_MISSING, "/fromuuid"},
        {"\"touuid\"", "\"to\"", SYNC_CODE_FIELD_MISSING, "/touuid"},
        {"\"performedby\":\"" UUID_A, "\"performedby\":\"7", SYNC_CODE_UUID, "/performedby"},
        {"Ttd-Service", " ", SYNC_CODE_FIELD_MISSING, "/resourceid"},
        {"[\"read\",\"sign\"]", "[]", SYNC_CODE_ITEM_COUNT, "/actions"},
        {"[\"read\",\"sign\"]", "\"read\"", SYNC_CODE_ITEM_COUNT, "/actions"},
        {"\"sign\"", "\"\"", SYNC_CODE_LENGTH, "/actions"},
        {"\"sign\"", "4", SYNC_CODE_LENGTH, "/actions"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[2048];
        const char *at = strstr(MESSAGE, rows[i].from);
        assert_non_null(at);
        snprintf(body, sizeof body, "%.*s%s%s", (int)(at - MESSAGE), MESSAGE, rows[i].to,
                 at + strlen(rows[i].from));
        refuses(delegation_call_parse_message, body, rows[i].code, rows[i].pointer);
    }
    refuses(delegation_call_parse_message, "[]", SYNC_CODE_SYNTAX, "");
}

static void an_export_takes_grants_only_and_says_its_count(void **state)
{
    (void)state;
    const struct receiver_place place = {
        .is_export = true, .has_position = true, .snapshot_pos = 77};
    void *content = NULL;
    memset(&err, 0, sizeof err);
    assert_int_equal(
        delegation_call_parse_clear(sync_bytes_text("[{\"deletedByUserId\":7," MATCH "}]"), &place,
                                    &content, &err)
            .class,
        SYNC_CLASS_PARK);
    assert_int_equal(err.code, SYNC_CODE_REFUSED);
    assert_true(sync_is_ok(
        delegation_call_parse_add(sync_bytes_text("[" RULE "]"), &place, &content, &err)));
    assert_int_equal(((struct delegation_call *)content)->place.snapshot_pos, 77);
    free(content);
    struct delegation_call *call =
        reads(delegation_call_parse_end, "{\"resource\":\"Ttd-Service\",\"count\":12}");
    assert_string_equal(call->resource, "ttd-service");
    assert_int_equal(call->export_rows, 12);
    free(call);
    refuses(delegation_call_parse_end, "{\"resource\":\"r\"}", SYNC_CODE_FIELD_MISSING, "/count");
    refuses(delegation_call_parse_end, "{\"resource\":\"r\",\"count\":-1}", SYNC_CODE_FIELD_RANGE,
            "/count");
    refuses(delegation_call_parse_end, "{\"count\":1}", SYNC_CODE_FIELD_MISSING, "/resource");
    free(reads(delegation_call_parse_begin, "{}"));
    refuses(delegation_call_parse_begin, "[]", SYNC_CODE_SYNTAX, "");
}

static void the_digest_is_of_the_whole_body(void **state)
{
    (void)state;
    struct delegation_call *a = reads(delegation_call_parse_message, MESSAGE);
    struct delegation_call *b = reads(delegation_call_parse_message, MESSAGE);
    struct delegation_call *c = reads(delegation_call_parse_message, MESSAGE " ");
    assert_memory_equal(a->digest, b->digest, sizeof a->digest);
    assert_memory_not_equal(a->digest, c->digest, sizeof a->digest);
    free(a);
    free(b);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_is_read),
        cmocka_unit_test(names_come_in_any_case_and_numbers_as_text),
        cmocka_unit_test(zero_means_absent),
        cmocka_unit_test(a_rule_that_is_wrong_is_refused_at_its_place),
        cmocka_unit_test(an_action_or_a_resource_that_no_record_takes_is_refused),
        cmocka_unit_test(more_rules_than_fit_are_oversize),
        cmocka_unit_test(a_deletion_is_read),
        cmocka_unit_test(a_deletion_that_is_wrong_is_refused_at_its_place),
        cmocka_unit_test(a_rule_on_a_message_is_read),
        cmocka_unit_test(an_instance_becomes_canonical),
        cmocka_unit_test(a_message_rule_that_is_wrong_is_refused_at_its_place),
        cmocka_unit_test(an_export_takes_grants_only_and_says_its_count),
        cmocka_unit_test(the_digest_is_of_the_whole_body),
    };
    return cmocka_run_group_tests_name("delegation_call", tests, NULL, NULL);
}
